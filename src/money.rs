//! Money: whole minor units of a currency. Parsed from text, printed as text, never a float in between.

use std::fmt;
use std::sync::LazyLock;

use crate::short;

/// The largest amount a request may name, in minor units.
pub const MAX_MINOR: i64 = 99_999_999_999;

/// A currency of ISO 4217 that has a number of digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// `None` for what ISO 4217 does not list, and for its metals, funds and test codes.
    pub fn parse(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent().map(|_| Self(currency))
    }

    /// Every code there is, in alphabetical order.
    pub fn codes() -> &'static [&'static str] {
        static CODES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
            let letters = || 'A'..='Z';
            let words =
                letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
            words.filter_map(|word| Currency::parse(&String::from_iter(word))).map(Currency::code).collect()
        });
        &CODES
    }

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the point: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn digits(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(2))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl schemars::JsonSchema for Currency {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$", "description": "An ISO 4217 code." })
    }
}

/// An amount in one currency. Serializes as its exact decimal (`"49.90"`); the currency stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a text is no amount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotMoney {
    /// Not an unsigned plain decimal such as `49.90`.
    Malformed,
    /// More digits after the point than the currency has.
    SurplusDigits,
    /// Zero, or above [`MAX_MINOR`].
    OutOfRange,
}

impl Money {
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub const fn minor(self) -> i64 {
        self.minor
    }

    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The same currency with another number of minor units.
    pub const fn with_minor(self, minor: i64) -> Self {
        Self { minor, currency: self.currency }
    }

    /// `part` of this, when it is `part` of `whole`: pro rata, rounded half to even. The rest is this less it, so the two
    /// sum to this; while `part` stays below `whole`, neither falls when this grows.
    #[must_use]
    pub fn pro_rata(self, part: i64, whole: i64) -> Self {
        if whole <= 0 {
            return self.with_minor(0);
        }
        self.with_minor(half_even(i128::from(self.minor) * i128::from(part), i128::from(whole)))
    }

    /// Reads a plain decimal: digits, and perhaps a point with at most the currency's digits after it.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, NotMoney> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(NotMoney::Malformed),
            Some(parts) => parts,
            None => (text, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let padded = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || padded || !all_digits(whole) || !all_digits(fraction) {
            return Err(NotMoney::Malformed);
        }
        let digits = currency.digits() as usize;
        if fraction.len() > digits {
            return Err(NotMoney::SurplusDigits);
        }
        let minor: i64 = format!("{whole}{fraction:0<digits$}").parse().map_err(|_| NotMoney::OutOfRange)?;
        if !(1..=MAX_MINOR).contains(&minor) {
            return Err(NotMoney::OutOfRange);
        }
        Ok(Self { minor, currency })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.digits();
        let unit = 10_u64.pow(digits);
        let (sign, minor) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        match digits {
            0 => write!(f, "{sign}{minor}"),
            _ => write!(f, "{sign}{}.{:0width$}", minor / unit, minor % unit, width = digits as usize),
        }
    }
}

impl serde::Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        short::serialize(self, serializer)
    }
}

impl schemars::JsonSchema for Money {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)?$",
            "description": "An exact decimal with the currency's digits."
        })
    }
}

/// A limit that holds in every currency: so much of whichever unit it is compared in, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Threshold(i64);

impl Threshold {
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }

    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// Reads a plain decimal with at most three digits after the point; zero is one too.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let plain = !whole.is_empty() && (whole.len() == 1 || !whole.starts_with('0'));
        if !plain || !digits(whole) || !digits(fraction) || fraction.len() > 3 {
            return None;
        }
        let thousandths: i64 = format!("{whole}{fraction:0<3}").parse().ok()?;
        (thousandths <= MAX_MINOR).then_some(Self(thousandths))
    }

    /// The least amount in `currency` that reaches it.
    pub fn of(self, currency: Currency) -> Money {
        let minor = i128::from(self.0) * 10_i128.pow(currency.digits());
        Money::new(i64::try_from((minor + 999) / 1_000).unwrap_or(i64::MAX), currency)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl serde::Serialize for Threshold {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        short::serialize(self, serializer)
    }
}

impl schemars::JsonSchema for Threshold {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Threshold".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "description": "A decimal in whichever currency." })
    }
}

/// A share in basis points: 1,000 is ten per cent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate(u32);

impl Rate {
    /// No share at all.
    pub const NONE: Self = Self(0);

    /// `None` above 10,000, the whole.
    pub fn from_basis_points(points: u32) -> Option<Self> {
        (points <= 10_000).then_some(Self(points))
    }

    pub const fn basis_points(self) -> u32 {
        self.0
    }

    /// `7.5` is 750 basis points: at most two digits after the point, read as text, never as a float.
    pub fn parse_percent(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 2 {
            return None;
        }
        Self::from_basis_points(format!("{whole}{fraction:0<2}").parse().ok()?)
    }

    /// As [`Self::parse_percent`] reads it, with no more digits than it needs.
    pub fn percent(self) -> String {
        let text = format!("{}.{:02}", self.0 / 100, self.0 % 100);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// This share of `amount`, rounded half to even. The rest is `amount` less it, so the parts sum to the whole.
    pub fn of(self, amount: Money) -> Money {
        amount.with_minor(half_even(i128::from(amount.minor) * i128::from(self.0), 10_000))
    }
}

/// `dividend / divisor`, rounded half to even. The quotient is a share of an i64, so it is one.
fn half_even(dividend: i128, divisor: i128) -> i64 {
    let (floor, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let up = 2 * rest > divisor || (2 * rest == divisor && floor % 2 != 0);
    i64::try_from(floor + i128::from(up)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).expect("a listed currency")
    }

    #[test]
    fn codes_are_those_that_parse() {
        assert!(Currency::codes().contains(&"USD") && Currency::codes().contains(&"JPY"));
        assert!(!Currency::codes().contains(&"XAU"), "gold has no digits");
    }

    #[test]
    fn digits_follow_the_currency() {
        for (text, code, minor) in
            [("49.90", "USD", 4990), ("49.9", "USD", 4990), ("500", "JPY", 500), ("1.234", "KWD", 1234)]
        {
            assert_eq!(Money::parse(text, currency(code)).map(Money::minor), Ok(minor));
        }
        assert_eq!(Money::new(500, currency("JPY")).to_string(), "500");
        assert_eq!(Money::new(5, currency("USD")).to_string(), "0.05");
        assert_eq!(Money::parse("10.50", currency("JPY")), Err(NotMoney::SurplusDigits));
        assert_eq!(Money::parse("12.345", currency("USD")), Err(NotMoney::SurplusDigits));
    }

    #[test]
    fn only_plain_decimals_are_money() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e2", "1E2", "NaN", "0x1", " 1", "1 ", "1,5", "01", "1_0", "١"]
        {
            assert_eq!(Money::parse(text, currency("USD")), Err(NotMoney::Malformed), "{text}");
        }
        for text in ["0", "0.00", "1000000000.00", "99999999999999999999999"] {
            assert_eq!(Money::parse(text, currency("USD")), Err(NotMoney::OutOfRange), "{text}");
        }
        assert_eq!(Money::parse("999999999.99", currency("USD")).map(Money::minor), Ok(MAX_MINOR));
    }

    #[test]
    fn codes_without_digits_are_no_currencies() {
        for code in ["XAU", "XTS", "XXX", "usd", "US", ""] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    #[test]
    fn a_percentage_is_exact() {
        let points = |text: &str| Rate::parse_percent(text).map(Rate::basis_points);
        assert_eq!(points("10"), Some(1_000));
        assert_eq!(points("7.5"), Some(750));
        assert_eq!(points("12.34"), Some(1_234));
        assert_eq!(points("100"), Some(10_000));
        for bad in ["100.01", "-1", "7,5", "1e1", "", ".5", "5.", "0.125", "ten"] {
            assert_eq!(points(bad), None, "{bad}");
        }
        for points in 0..=10_000 {
            let rate = Rate::from_basis_points(points).expect("a share");
            assert_eq!(Rate::parse_percent(&rate.percent()), Some(rate));
        }
        assert_eq!(Rate::from_basis_points(750).map(Rate::percent).as_deref(), Some("7.5"));
        assert_eq!(Rate::from_basis_points(1_000).map(Rate::percent).as_deref(), Some("10"));
    }

    #[test]
    fn a_threshold_is_reached_from_above_in_every_currency() {
        let minor = |text: &str, code| Threshold::parse(text).map(|limit| limit.of(currency(code)).minor());
        assert_eq!(minor("12.5", "USD"), Some(1_250));
        assert_eq!(minor("12.5", "JPY"), Some(13));
        assert_eq!(minor("12.001", "USD"), Some(1_201));
        assert_eq!(minor("0", "KWD"), Some(0));
        for text in ["", ".5", "5.", "1.2345", "-1", "01", "1e3", "100000000"] {
            assert_eq!(Threshold::parse(text), None, "{text}");
        }
        for text in ["0", "12.5", "0.001", "20"] {
            assert_eq!(Threshold::parse(text).map(|limit| limit.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let ten = Rate::from_basis_points(1_000).expect("ten per cent");
        let fee = |minor| ten.of(Money::new(minor, currency("USD"))).minor();
        assert_eq!([fee(5), fee(15), fee(25), fee(26), fee(24)], [0, 2, 2, 3, 2]);
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(minor in 1..=MAX_MINOR, code in prop::sample::select(vec!["USD", "JPY", "KWD"])) {
            let money = Money::new(minor, currency(code));
            prop_assert_eq!(Money::parse(&money.to_string(), currency(code)), Ok(money));
        }

        #[test]
        fn a_share_stays_within_half_a_unit(minor in 0..=MAX_MINOR, points in 0_u32..=10_000) {
            let rate = Rate::from_basis_points(points).expect("at most the whole");
            let share = rate.of(Money::new(minor, currency("USD"))).minor();
            prop_assert!((0..=minor).contains(&share));
            let error = i128::from(share) * 10_000 - i128::from(minor) * i128::from(points);
            prop_assert!(error.abs() <= 5_000);
        }
    }
}
