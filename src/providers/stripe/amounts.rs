//! Amounts as Stripe counts them: whole numbers of what it takes for a currency's smallest unit, which for a few currencies
//! is not the one of ISO 4217.

use crate::money::{Currency, Money};

/// The most that Stripe takes, in its units: eight digits.
const MOST: i64 = 99_999_999;

/// Whether Stripe counts a currency with other digits than ISO 4217 does.
/// See “Zero-decimal currencies” and “Special cases” in Stripe's list of supported currencies.
fn digits(currency: Currency) -> u32 {
    match currency.code() {
        "MGA" => 0,
        "ISK" | "UGX" => 2,
        _ => currency.digits(),
    }
}

/// Why nothing at all is charged in a currency, though Stripe takes some amounts of it: fees and parts of a refund would come
/// to others, which it can neither pay out nor give back.
pub(super) fn refused(currency: Currency) -> Option<String> {
    match (currency.digits(), currency.code()) {
        (3, _) => {
            Some(format!("Stripe takes {currency} in steps of ten only, and shares of it would be others"))
        }
        (_, "MGA") => Some("Stripe takes whole MGA only, and shares of it would be others".to_owned()),
        _ => None,
    }
}

/// The number that Stripe is sent, or why it cannot take this amount.
pub(super) fn sent(amount: Money) -> Result<i64, String> {
    let currency = amount.currency();
    let (ours, theirs) = (currency.digits(), digits(currency));
    let (up, down) = (10_i64.pow(theirs.saturating_sub(ours)), 10_i64.pow(ours.saturating_sub(theirs)));
    if theirs > 3 {
        return Err(format!("{currency} has {theirs} decimals, and Stripe takes at most three"));
    }
    if amount.minor() % down != 0 {
        return Err(format!("Stripe takes only whole {currency}"));
    }
    // Cards of three-decimal currencies are settled with two.
    if theirs == 3 && amount.minor() % 10 != 0 {
        return Err(format!("Stripe takes {currency} with a last decimal of 0 only"));
    }
    match (amount.minor() / down).checked_mul(up) {
        Some(number) if number.abs() <= MOST => Ok(number),
        _ => Err("Stripe takes amounts of at most eight digits".to_owned()),
    }
}

/// The currency as Stripe writes it.
pub(super) fn code(amount: Money) -> String {
    amount.currency().code().to_ascii_lowercase()
}

/// What a number of Stripe's is; `None` for what our currency cannot say.
pub(super) fn read(number: i64, currency: &str) -> Option<Money> {
    let currency = Currency::parse(&currency.to_ascii_uppercase())?;
    let (ours, theirs) = (currency.digits(), digits(currency));
    let down = 10_i64.pow(theirs.saturating_sub(ours));
    if number % down != 0 {
        return None;
    }
    let minor = (number / down).checked_mul(10_i64.pow(ours.saturating_sub(theirs)))?;
    Some(Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str, currency: &str) -> Money {
        Money::parse(text, Currency::parse(currency).expect("a currency")).expect("an amount")
    }

    #[test]
    fn an_amount_is_sent_in_the_unit_that_stripe_counts() {
        for (text, currency, number) in [
            ("49.90", "USD", 4_990),
            ("500", "JPY", 500),
            ("5", "ISK", 500),
            ("5", "UGX", 500),
            ("300.00", "MGA", 300),
            ("1.230", "KWD", 1_230),
            ("999999.99", "EUR", 99_999_999),
        ] {
            let amount = money(text, currency);
            assert_eq!(sent(amount), Ok(number), "{text} {currency}");
            assert_eq!(read(number, &currency.to_lowercase()), Some(amount), "{text} {currency}");
        }
    }

    #[test]
    fn what_stripe_cannot_take_is_refused() {
        for (text, currency) in [
            ("1000000.00", "USD"),
            ("1.234", "KWD"),
            ("300.50", "MGA"),
            ("1000000", "ISK"),
            ("1.0000", "CLF"),
        ] {
            assert!(sent(money(text, currency)).is_err(), "{text} {currency}");
        }
    }

    #[test]
    fn currencies_whose_shares_stripe_cannot_take_are_refused_whole() {
        for code in ["BHD", "JOD", "KWD", "OMR", "TND", "MGA"] {
            assert!(refused(Currency::parse(code).expect("a currency")).is_some(), "{code}");
        }
        for code in ["USD", "EUR", "JPY", "ISK", "UGX"] {
            assert_eq!(refused(Currency::parse(code).expect("a currency")), None, "{code}");
        }
    }

    #[test]
    fn a_number_that_means_nothing_here_is_not_read() {
        assert_eq!(read(501, "isk"), None);
        assert_eq!(read(1, "btc"), None);
        assert_eq!(read(-250, "usd").map(|amount| amount.to_string()).as_deref(), Some("-2.50"));
    }
}
