//! Checks every invariant that the marketplace promises, in one read-only snapshot. It reads the tables and shares no
//! code with the commands that write them, so that it can find their mistakes; it never mends what it finds.

mod disputes;
mod earnings;
mod history;
mod hourly;
mod ledger;
mod money;
mod orders;
mod payments;
mod payouts;
mod people;
mod ratings;
mod storage;

use std::fmt::Write;

use crate::db::{Db, Param, Row, Tx};
use crate::error::Result;
use crate::params;

pub use hourly::{VERIFY_HOURLY, hourly, start};

/// Told of each check; then it stops looking.
const WITNESSES: usize = 20;

/// One promise that is broken, and where it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The number and name of the check that found it.
    pub invariant: &'static str,
    pub witness: String,
}

/// One invariant and the search for what breaks it.
pub struct Check {
    pub invariant: &'static str,
    find: fn(&Tx, &mut Witnesses) -> Result<()>,
}

/// Every check, in the order of the promises.
pub const CHECKS: &[Check] = &[
    Check { invariant: "1 the ledger balances", find: money::ledger_balances },
    Check { invariant: "2 no account is overdrawn", find: money::nothing_overdrawn },
    Check { invariant: "3 captured money is accounted for", find: money::captured_is_accounted_for },
    Check { invariant: "4 orders are paid once", find: money::paid_once },
    Check { invariant: "5 histories lead to where orders stand", find: history::replays },
    Check { invariant: "6 ratings and counts add up", find: ratings::add_up },
    Check { invariant: "7 everybody concerned is told once", find: history::told_once },
    Check { invariant: "8 names are unique, sessions belong to active accounts", find: people::are_distinct },
    Check { invariant: "9 references, search and decimals agree", find: storage::agrees },
    Check { invariant: "10 what is disputed has one open dispute, and it ends", find: disputes::are_open },
    Check { invariant: "11 payouts add up", find: payouts::add_up },
    Check { invariant: "12 every journal has its cause and every reserve one end", find: ledger::has_causes },
    Check {
        invariant: "13 payments and refunds are decided once, and meanwhile looked after",
        find: payments::are_decided_once,
    },
    Check {
        invariant: "14 orders are moved by those who may, in their time",
        find: orders::are_moved_rightly,
    },
    Check { invariant: "15 earnings and debts add up", find: earnings::add_up },
];

/// The same, each check on a snapshot of its own: none needs another's, and a long one is not held for all of them.
async fn run_one_by_one(db: &Db) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for check in CHECKS {
        found.extend(db.read_long(|tx| check.run(tx)).await?);
    }
    Ok(found)
}

/// Everything that is broken now; at most twenty witnesses of each check.
pub async fn run(db: &Db) -> Result<Vec<Violation>> {
    db.read_long(|tx| {
        let found: Vec<Vec<Violation>> = CHECKS.iter().map(|check| check.run(tx)).collect::<Result<_>>()?;
        Ok(found.concat())
    })
    .await
}

impl Check {
    fn run(&self, tx: &Tx) -> Result<Vec<Violation>> {
        let mut witnesses = Witnesses::default();
        // Data so broken that they cannot even be read are a finding, not a reason to skip the other checks; a database
        // that has gone away is neither.
        if let Err(error) = tx.attempt(|| (self.find)(tx, &mut witnesses)) {
            tx.exists("select 1", params![])?;
            witnesses.0.push(format!("it cannot be checked: {error}"));
        }
        let violation = |witness| Violation { invariant: self.invariant, witness };
        Ok(witnesses.0.into_iter().map(violation).collect())
    }
}

/// Each check with `ok` or its witnesses, for people.
pub fn report(violations: &[Violation]) -> String {
    let mut text = String::new();
    for check in CHECKS {
        let mut found =
            violations.iter().filter(|violation| violation.invariant == check.invariant).peekable();
        let verdict = if found.peek().is_some() { "BROKEN" } else { "ok" };
        let _ = writeln!(text, "{verdict:<7} {}", check.invariant);
        for violation in found {
            let _ = writeln!(text, "          {}", violation.witness);
        }
    }
    text
}

/// What one check has found.
#[derive(Default)]
struct Witnesses(Vec<String>);

impl Witnesses {
    /// Whether it wants to be told of more.
    fn add(&mut self, witness: String) -> bool {
        self.0.push(witness);
        self.0.len() < WITNESSES
    }

    /// Looks at every row of a statement; `judge` says what is wrong with it, if anything.
    fn search(
        &mut self,
        tx: &Tx,
        sql: &str,
        params: &[&dyn Param],
        mut judge: impl FnMut(&Row) -> Result<Option<String>>,
    ) -> Result<()> {
        if self.0.len() >= WITNESSES {
            return Ok(());
        }
        tx.each(sql, params, |row| Ok(judge(row)?.is_none_or(|witness| self.add(witness))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_every_check_and_every_witness() {
        let broken = Violation { invariant: CHECKS[1].invariant, witness: "escrow:x holds -1".to_owned() };
        let text = report(&[broken]);
        assert!(
            text.starts_with("ok      1 the ledger balances\nBROKEN  2 no account is overdrawn\n"),
            "{text}"
        );
        assert!(text.contains("\n          escrow:x holds -1\nok      3 "), "{text}");
        assert_eq!(text.lines().count(), CHECKS.len() + 1);
    }
}
