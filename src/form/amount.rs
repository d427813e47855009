//! Amounts of money as clients write them: the digits first, their meaning once the currency is known.

use serde_json::{Value, json};

use super::{Field, Node, Read, Wrong};
use crate::error::FieldError;
use crate::money::{Currency, MAX_MINOR, Money, NotMoney, Threshold};

/// The digits of an amount, from a JSON number or string, exactly as they stood there.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount(String);

impl Amount {
    /// The amount in `currency`, or what is wrong with it as the value of `field`.
    pub fn of(&self, currency: Currency, field: &str) -> Result<Money, FieldError> {
        Money::parse(&self.0, currency).map_err(|why| {
            let (code, detail) = mend(&why, currency);
            FieldError { pointer: format!("/{field}"), code, detail }
        })
    }
}

impl Amount {
    /// The same where nothing at all is an amount too.
    pub fn or_nothing(&self, currency: Currency, field: &str) -> Result<Money, FieldError> {
        match Money::parse(&self.0, currency) {
            Err(NotMoney::OutOfRange) if self.0.bytes().all(|byte| matches!(byte, b'0' | b'.')) => {
                Ok(Money::new(0, currency))
            }
            _ => self.of(currency, field),
        }
    }
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self(money.to_string())
    }
}

/// The code of what is wrong with an amount, and what to send instead.
fn mend(why: &NotMoney, currency: Currency) -> (&'static str, String) {
    let example = Money::new(4_990, currency);
    match why {
        NotMoney::Malformed => (
            "invalid_amount",
            format!(
                "send a plain decimal such as \"{example}\": digits, and a point where {currency} has one"
            ),
        ),
        NotMoney::SurplusDigits => {
            let digits = match currency.digits() {
                0 => "no digits".to_owned(),
                digits => format!("at most {digits} digits"),
            };
            (
                "surplus_digits",
                format!("{currency} has {digits} after the point: send \"{example}\", for instance"),
            )
        }
        NotMoney::OutOfRange => (
            "out_of_range",
            format!(
                "send from {} to {} {currency}",
                Money::new(1, currency),
                Money::new(MAX_MINOR, currency)
            ),
        ),
    }
}

impl Field for Amount {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::Number(text) | Node::String(text) => Ok(Self(text.clone())),
            _ => Err(Wrong::kind(&format!("{} such as \"49.90\"", Self::expected()), node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": ["string", "number"], "pattern": r"^[0-9]+(\.[0-9]+)?$", "examples": ["49.90"] })
    }

    fn expected() -> String {
        "an exact decimal".to_owned()
    }
}

impl Field for Threshold {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::Number(text) | Node::String(text) => Self::parse(text).ok_or_else(|| {
                let detail = "send a plain decimal with at most three digits after the point, such as \"25\" or \"12.50\"";
                vec![Wrong::new("invalid_amount", detail)]
            }),
            _ => Err(Wrong::kind("a decimal such as \"25\"", node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": ["string", "number"], "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]{1,3})?$", "examples": ["25"] })
    }

    fn expected() -> String {
        "a decimal".to_owned()
    }
}
