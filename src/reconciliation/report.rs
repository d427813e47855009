//! What a run has found, for people and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::money::{Currency, Money};

use super::compare::of_currency;
use super::model::{Days, Difference, Sums, Window};

/// Told of each run; what is more is in the cases.
const MOST: usize = 1_000;

/// Both sides of a window.
#[derive(Debug)]
pub struct Report {
    pub window: Window,
    pub provider: &'static str,
    /// Date, currency, our totals, the provider's.
    pub days: Vec<(String, Currency, Sums, Sums)>,
    /// What the provider should hold by our books, and what it says; `None` when the window ends too early to compare.
    pub balance: Option<(Vec<Money>, Vec<Money>)>,
    pub differences: Vec<Difference>,
    /// Those that were found again, and that an administrator has decided to leave unbooked.
    pub left: Vec<Difference>,
}

impl Report {
    /// In the order of the calendar.
    pub fn days_of(days: Days) -> Vec<(String, Currency, Sums, Sums)> {
        let mut days: Vec<_> =
            days.into_iter().map(|((day, currency), (ours, theirs))| (day, currency, ours, theirs)).collect();
        days.sort_by(|a, b| (&a.0, a.1.code()).cmp(&(&b.0, b.1.code())));
        days
    }

    /// The currencies of the balance.
    fn balances(&self) -> Vec<(Currency, Money, Money)> {
        let Some((ours, theirs)) = &self.balance else { return Vec::new() };
        let mut currencies: Vec<Currency> = ours.iter().chain(theirs).map(|sum| sum.currency()).collect();
        currencies.sort_by_key(|currency| currency.code());
        currencies.dedup();
        let both = |currency| (currency, of_currency(ours, currency), of_currency(theirs, currency));
        currencies.into_iter().map(both).collect()
    }

    pub fn to_json(&self) -> Value {
        let days: Vec<Value> = self
            .days
            .iter()
            .map(|(day, currency, ours, theirs)| {
                json!({
                    "date": day, "currency": currency,
                    "ours": sums_json(ours, *currency), "provider": sums_json(theirs, *currency)
                })
            })
            .collect();
        let balances: Vec<Value> = self
            .balances()
            .into_iter()
            .map(|(currency, ours, theirs)| json!({ "currency": currency, "ours": ours, "provider": theirs }))
            .collect();
        let differences: Vec<Value> = self
            .differences
            .iter()
            .take(MOST)
            .map(|found| {
                json!({
                    "kind": found.kind, "order_id": found.order_id, "at": found.at, "says": found.says,
                    "advice": found.advice
                })
            })
            .collect();
        let left: Vec<Value> = self
            .left
            .iter()
            .take(MOST)
            .map(|found| json!({ "kind": found.kind, "order_id": found.order_id, "at": found.at, "says": found.says }))
            .collect();
        json!({
            "from": self.window.from, "to": self.window.to, "provider": self.provider, "days": days,
            "balances": self.balance.as_ref().map(|_| balances), "differences": differences, "left": left
        })
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {} up to {}\n\n", self.provider, self.window.from, self.window.to);
        if self.days.is_empty() {
            text.push_str("Nothing moved.\n");
        }
        for (day, currency, ours, theirs) in &self.days {
            let _ = writeln!(text, "{day} {currency}{:>10}{:>20}{:>20}", "", "our books", self.provider);
            for (what, pick) in COLUMNS {
                let (here, there) = (Money::new(pick(ours), *currency), Money::new(pick(theirs), *currency));
                if here.minor() != 0 || there.minor() != 0 {
                    let mark = if here == there { "" } else { "  differs" };
                    let (here, there) = (here.to_string(), there.to_string());
                    let _ = writeln!(text, "  {what:<22}{here:>20}{there:>20}{mark}");
                }
            }
        }
        text.push('\n');
        if self.balance.is_none() {
            text.push_str("Balances are not compared: the window ends more than a day ago, and the provider only says what it holds now.\n");
        }
        for (currency, ours, theirs) in self.balances() {
            let (ours, theirs) = (ours.to_string(), theirs.to_string());
            let _ = writeln!(text, "balance {currency:<16}{ours:>20}{theirs:>20}");
        }
        for found in &self.differences {
            let _ = writeln!(text, "\n{}: {}\n  {}", found.kind, found.says, found.advice);
        }
        if !self.left.is_empty() {
            text.push_str("\nKnown, decided, and not booked:\n");
        }
        for found in &self.left {
            let _ = writeln!(text, "  {}: {}", found.kind, found.says);
        }
        match self.differences.len() {
            0 => text.push_str("\nNo differences.\n"),
            1 => text.push_str("\n1 difference.\n"),
            count => {
                let _ = writeln!(text, "\n{count} differences.");
            }
        }
        text
    }
}

/// A column of the totals.
type Pick = fn(&Sums) -> i64;

const COLUMNS: [(&str, Pick); 5] = [
    ("charged", |sums| sums.charged),
    ("refunded", |sums| sums.refunded),
    ("transferred", |sums| sums.transferred),
    ("charged back", |sums| sums.charged_back),
    ("kept as its fee", |sums| sums.fees),
];

fn sums_json(sums: &Sums, currency: Currency) -> Value {
    let money = |minor| Money::new(minor, currency);
    json!({
        "charged": money(sums.charged), "refunded": money(sums.refunded), "transferred": money(sums.transferred),
        "charged_back": money(sums.charged_back), "fees": money(sums.fees)
    })
}
