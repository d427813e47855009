//! The two balances, and what the difference between them is made of.

use crate::money::{Currency, Money};
use crate::payments::cases::Kind;
use crate::providers::summed;
use crate::time::Time;

use super::super::model::{Difference, against, subject_of};

/// Both balances.
pub struct Balances<'a> {
    /// What the provider holds for us, by our books.
    pub ours: &'a [Money],
    /// By its own word.
    pub theirs: &'a [Money],
    /// What our books will know when they are told.
    pub under_way: &'a [Money],
    /// What was accepted as it is.
    pub accepted: &'a [Money],
}

/// A line for each currency in which the balances differ, with what that comes from; a difference of its own where
/// nothing explains it.
pub fn balance(sides: &Balances, differences: &[Difference], at: Time) -> Vec<Difference> {
    let subtracted = |sums: &[Money]| sums.iter().copied().map(against).collect::<Vec<_>>();
    let parts = [
        sides.theirs.to_vec(),
        subtracted(sides.ours),
        subtracted(sides.under_way),
        subtracted(sides.accepted),
    ];
    let too_much = summed(parts.into_iter().flatten());
    too_much.into_iter().map(|more| balance_differs(more, sides, differences, at)).collect()
}

fn balance_differs(more: Money, sides: &Balances, differences: &[Difference], at: Time) -> Difference {
    let currency = more.currency();
    let mut rest = more.minor();
    let mut parts = Vec::new();
    for difference in differences {
        for effect in difference.effect.iter().filter(|effect| effect.currency() == currency) {
            rest -= effect.minor();
            parts.push(format!("{effect} {}", difference.kind));
        }
    }
    if rest != 0 {
        parts.push(format!("{} unexplained", more.with_minor(rest)));
    }
    let side = |sums: &[Money]| of_currency(sums, currency);
    let (by, than) = if more.minor() < 0 { (against(more), "less") } else { (more, "more") };
    Difference {
        kind: Kind::BalanceDiffers,
        subject: subject_of(&format!("balance|{currency}|{rest}")),
        order_id: None,
        at,
        says: format!("The provider holds {by} {currency} {than} than our books say: {}.", parts.join(", ")),
        ours: Some(serde_json::json!({ "balance": side(sides.ours), "currency": currency })),
        theirs: Some(serde_json::json!({ "balance": side(sides.theirs), "currency": currency })),
        effect: summed([more.with_minor(rest)]),
        proposed: None,
        advice: match rest {
            0 => "Decide what it is made of.".to_owned(),
            _ => "Run `guildhall reconcile` over a longer time: what explains it lies before this window, or is of a kind that the provider does not list.".to_owned(),
        },
        is_summary: rest == 0,
    }
}

/// The sum in one currency.
pub fn of_currency(sums: &[Money], currency: Currency) -> Money {
    let found = sums.iter().find(|sum| sum.currency() == currency);
    found.copied().unwrap_or(Money::new(0, currency))
}
