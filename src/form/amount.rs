//! An amount of money as a client writes it: a number or a string, whose digits are kept until its currency is known.

use serde_json::{Value, json};

use super::{Field, Node, Read, Wrong};
use crate::error::{Error, FieldError};
use crate::money::{Currency, Money, NotMoney};

/// Digits that are money once the currency is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount(String);

impl Amount {
    /// The money it is in `currency`, or what is wrong with `field`.
    pub fn in_currency(&self, field: &str, currency: Currency) -> Result<Money, FieldError> {
        let wrong = |code, detail| FieldError { pointer: format!("/{field}"), code, detail };
        Money::parse(&self.0, currency).map_err(|why| match why {
            NotMoney::Malformed => wrong(
                "invalid_amount",
                "send a plain decimal such as \"49.90\": digits, without sign, exponent or separators".to_owned(),
            ),
            NotMoney::SurplusDigits => wrong(
                "surplus_digits",
                format!("{currency} has {} digits after the point: send no more", currency.digits()),
            ),
            NotMoney::OutOfRange => wrong(
                "out_of_range",
                "send more than zero and at most 99,999,999,999 of the smallest unit".to_owned(),
            ),
        })
    }

    /// The same for a body that has no other mistakes.
    pub fn money(&self, field: &str, currency: Currency) -> Result<Money, Error> {
        self.in_currency(field, currency).map_err(|wrong| Error::Invalid(vec![wrong]))
    }
}

impl Field for Amount {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::Number(text) | Node::String(text) => Ok(Self(text.clone())),
            _ => Err(Wrong::kind(&Self::expected(), node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": ["string", "number"], "examples": ["49.90"] })
    }

    fn expected() -> String {
        "an amount such as \"49.90\"".to_owned()
    }
}
