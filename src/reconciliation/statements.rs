//! Statements: what the ledger says of a freelancer in a month, line by line, so that nothing can be missing. Reads, and
//! decides nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::Result;
use crate::ledger::Account;
use crate::money::{Currency, Money};
use crate::orders::OrderId;
use crate::params;
use crate::time::Time;

use super::csv;

/// A month of UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    name: String,
    from: Time,
    to: Time,
}

impl Month {
    /// `2026-10`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let plain = year.len() == 4
            && month.len() == 2
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let (number, of): (u32, u32) = (month.parse().ok()?, year.parse().ok()?);
        let (next, in_year) = if number == 12 { (1, of + 1) } else { (number + 1, of) };
        let first = |year: u32, month: u32| Time::parse(&format!("{year:04}-{month:02}-01T00:00:00Z"));
        let (from, to) = (first(of, number)?, first(in_year, next)?);
        plain.then(|| Self { name: text.to_owned(), from, to })
    }
}

/// An amount with its sign, as an exact decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed(Money);

impl Serialize for Signed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Signed {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SignedMoney".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
            "description": "An exact decimal with the currency's digits; what is taken is negative."
        })
    }
}

/// One movement.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Line {
    pub at: Time,
    pub order_id: OrderId,
    pub title: String,
    /// `sale`, `fee`, `sale_returned`, `fee_return`, `offset`, `payout`, `payout_sent`, `payout_returned`,
    /// `chargeback_frozen`, `chargeback_thawed`, `adjustment` …
    pub what: String,
    /// What moved: `balance` is what can be paid out, `on_the_way` what is being paid, `debt` what is owed back.
    pub account: &'static str,
    pub amount: Signed,
}

/// A month in one currency: opening and the lines make closing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Statement {
    pub currency: Currency,
    /// Balance, money on the way and debt together, when the month began.
    pub opening: Signed,
    pub lines: Vec<Line>,
    pub closing: Signed,
}

/// A month of a freelancer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Statements {
    pub freelancer_id: UserId,
    pub period: String,
    /// One for each currency in which there ever was anything.
    pub statements: Vec<Statement>,
}

/// What the ledger has of a freelancer.
struct Booked {
    at: Time,
    order_id: OrderId,
    title: String,
    kind: String,
    account: &'static str,
    amount: Money,
    /// What of the amount before was or is a fee, in minor units.
    fee_minor: i64,
}

/// The statement of a month.
pub fn of(tx: &Tx, freelancer: UserId, month: &Month) -> Result<Statements> {
    let mut statements: BTreeMap<&'static str, Statement> = BTreeMap::new();
    for (currency, minor) in opening(tx, freelancer, month)? {
        let opening = Signed(Money::new(minor, currency));
        statements
            .insert(currency.code(), Statement { currency, opening, lines: Vec::new(), closing: opening });
    }
    for booked in booked(tx, freelancer, month)? {
        let currency = booked.amount.currency();
        let nothing = Signed(Money::new(0, currency));
        let statement = statements.entry(currency.code()).or_insert_with(|| Statement {
            currency,
            opening: nothing,
            lines: Vec::new(),
            closing: nothing,
        });
        let before = statement.closing.0;
        statement.closing = Signed(before.with_minor(before.minor() + booked.amount.minor()));
        statement.lines.extend(booked.lines());
    }
    let statements = statements.into_values().collect();
    Ok(Statements { freelancer_id: freelancer, period: month.name.clone(), statements })
}

/// The freelancer's accounts, and what they are called.
fn accounts(freelancer: UserId) -> [(String, &'static str); 3] {
    [
        (Account::Payable(freelancer.cast()).to_string(), "balance"),
        (Account::Payouts(freelancer.cast()).to_string(), "on_the_way"),
        (Account::Owed(freelancer.cast()).to_string(), "debt"),
    ]
}

fn opening(tx: &Tx, freelancer: UserId, month: &Month) -> Result<Vec<(Currency, i64)>> {
    let [payable, payouts, owed] = accounts(freelancer).map(|(account, _)| account);
    tx.all(
        "select l.currency, cast(sum(l.amount_minor) as bigint)
         from ledger_lines l join ledger_journals j on j.id = l.journal_id and j.order_id = l.order_id
         where l.account in ($1, $2, $3) and j.at < $4 group by l.currency",
        params![payable, payouts, owed, month.from],
        |row| Ok((row.next()?, row.next()?)),
    )
}

fn booked(tx: &Tx, freelancer: UserId, month: &Month) -> Result<Vec<Booked>> {
    let named = accounts(freelancer);
    let [payable, payouts, owed] = accounts(freelancer).map(|(account, _)| account);
    tx.all(
        "select j.at, j.order_id, o.title, j.kind, l.account, l.amount_minor, l.currency,
             case j.kind
                 when 'release' then (select r.fee_minor from releases r where r.order_id = j.order_id)
                 when 'refund_reserved' then (select t.amount_minor from transactions t
                     where t.cause_id = j.cause_id and t.order_id = j.order_id and t.type = 'fee_return'
                         and l.line = (select min(f.line) from ledger_lines f
                             where f.journal_id = j.id and f.order_id = j.order_id and f.account in ($1, $2, $3)))
             end
         from ledger_lines l join ledger_journals j on j.id = l.journal_id and j.order_id = l.order_id
         join orders o on o.id = j.order_id
         where l.account in ($1, $2, $3) and j.at >= $4 and j.at < $5
         order by j.id, l.line",
        params![payable, payouts, owed, month.from, month.to],
        |row| {
            let (at, order_id, title, kind) = (row.next()?, row.next()?, row.next()?, row.next()?);
            let account: String = row.next()?;
            let account = named.iter().find(|(name, _)| *name == account).map_or("", |(_, word)| *word);
            let amount = Money::new(row.next()?, row.next()?);
            let fee_minor = row.next::<Option<i64>>()?.unwrap_or(0);
            Ok(Booked { at, order_id, title, kind, account, amount, fee_minor })
        },
    )
}

impl Booked {
    /// A release is shown as the sale and its fee, what is taken back as the sale's part and what of the fee came back; the
    /// rest as it was booked. The words of transactions mean the same amounts here.
    fn lines(self) -> Vec<Line> {
        let whole = self.amount.minor();
        let parts: Vec<(&str, i64)> = match self.kind.as_str() {
            "release" => vec![("sale", whole + self.fee_minor), ("fee", -self.fee_minor)],
            "refund_reserved" => {
                vec![("sale_returned", whole - self.fee_minor), ("fee_return", self.fee_minor)]
            }
            "refund_returned" => vec![("clawback_returned", whole)],
            other => vec![(other, whole)],
        };
        let line = |(what, minor): (&str, i64)| Line {
            at: self.at,
            order_id: self.order_id,
            title: self.title.clone(),
            what: what.to_owned(),
            account: self.account,
            amount: Signed(self.amount.with_minor(minor)),
        };
        parts.into_iter().filter(|(_, minor)| *minor != 0).map(line).collect()
    }
}

impl Statements {
    /// All of it as one table.
    pub fn csv(&self) -> String {
        let mut table =
            csv::Table::new(&["date", "order_id", "title", "what", "account", "amount", "currency"]);
        for statement in &self.statements {
            let currency = statement.currency.code();
            let total = |what: &str, sum: Signed| {
                ["", "", "", what, "", &sum.0.to_string(), currency].map(str::to_owned)
            };
            table.row(&total("opening", statement.opening));
            for line in &statement.lines {
                table.row(&[
                    line.at.to_string(),
                    line.order_id.to_string(),
                    line.title.clone(),
                    line.what.clone(),
                    line.account.to_owned(),
                    line.amount.0.to_string(),
                    currency.to_owned(),
                ]);
            }
            table.row(&total("closing", statement.closing));
        }
        table.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_they_are_written() {
        let month = Month::parse("2026-12").expect("a month");
        assert_eq!(Some(month.from), Time::parse("2026-12-01T00:00:00Z"));
        assert_eq!(Some(month.to), Time::parse("2027-01-01T00:00:00Z"));
        for text in
            ["2026-13", "2026-00", "2026-1", "26-01", "2026-1a", "+026-01", "2026-01-01", "", "-", "9999-12"]
        {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }
}
