//! Double entry: journals whose lines sum to zero, accounts whose balances are sums. Append-only. Knows no service and no
//! provider; never decides how much moves or why.

mod account;
mod chart;

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::money::Currency;
use crate::params;

pub use account::Account;
pub use chart::{AccountKind, JOURNALS, JournalKind, Sign};

/// Money that moves at once: two or more lines in one currency that sum to zero. A positive amount adds to its account.
#[derive(Debug)]
pub struct Journal<'a> {
    pub order_id: Id<()>,
    pub kind: &'static str,
    /// What it is booked for, once per kind.
    pub cause_id: Id<()>,
    pub currency: Currency,
    pub lines: &'a [(Account, i64)],
}

/// Books a journal. Fails, and with it the whole transaction, when the lines do not balance, when the chart of accounts
/// has no such movement, when the same cause was booked before, or when an account would get a balance that it cannot have.
pub fn post(tx: &Tx, journal: &Journal) -> Result<()> {
    balanced(journal.lines)?;
    charted(journal)?;
    let id = tx.new_id::<Journal>();
    tx.send(
        "insert into ledger_journals (id, at, order_id, kind, cause_id) values ($1, $2, $3, $4, $5)",
        params![id, tx.now(), journal.order_id, journal.kind, journal.cause_id],
    )?;
    for (number, (account, amount)) in (1_i64..).zip(journal.lines) {
        tx.send(
            "insert into ledger_lines (journal_id, line, account, amount_minor, currency, order_id)
             values ($1, $2, $3, $4, $5, $6)",
            params![id, number, account.to_string(), amount, journal.currency, journal.order_id],
        )?;
    }
    for (account, amount) in journal.lines {
        let endangered = match account.kind().sign() {
            Sign::Positive => *amount < 0,
            Sign::Negative => *amount > 0,
            Sign::Any => false,
        };
        if !endangered {
            continue;
        }
        let left = balance(tx, account, journal.currency)?;
        if !account.may_hold(left) {
            return Err(Error::broken(format!(
                "the journal {} for {} would leave {left} in {account}",
                journal.kind, journal.cause_id
            )));
        }
    }
    Ok(())
}

/// Whether the lines are a journal: two or more, none of them zero, together zero.
fn balanced(lines: &[(Account, i64)]) -> Result<()> {
    let sum = lines.iter().try_fold(0_i64, |sum, (_, amount)| sum.checked_add(*amount));
    if lines.len() < 2 || lines.iter().any(|(_, amount)| *amount == 0) || sum != Some(0) {
        return Err(Error::broken(format!("these lines are no journal: {lines:?}")));
    }
    Ok(())
}

/// Whether the chart has such a movement.
fn charted(journal: &Journal) -> Result<()> {
    let kind = chart::journal(journal.kind);
    let may = |(account, amount): &(Account, i64)| {
        let sides = kind.map(|kind| if *amount < 0 { kind.from } else { kind.to });
        sides.is_some_and(|side| side.contains(&account.kind()))
    };
    if journal.lines.iter().all(may) {
        return Ok(());
    }
    Err(Error::broken(format!("the chart has no such journal: {} {:?}", journal.kind, journal.lines)))
}

/// What the account holds in `currency`, in minor units.
pub fn balance(tx: &Tx, account: &Account, currency: Currency) -> Result<i64> {
    tx.one(
        "select cast(coalesce(sum(amount_minor), 0) as bigint) from ledger_lines where account = $1 and currency = $2",
        params![account.to_string(), currency],
        |row| row.next(),
    )
}

/// What the account holds in each currency, where it is not zero.
pub fn balances(tx: &Tx, account: &Account) -> Result<Vec<(Currency, i64)>> {
    tx.all(
        "select currency, cast(sum(amount_minor) as bigint) from ledger_lines where account = $1
         group by currency having sum(amount_minor) <> 0 order by currency",
        params![account.to_string()],
        |row| Ok((row.next()?, row.next()?)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_balanced_lines_are_a_journal() {
        let escrow = Account::Escrow(Id::from_uuid(uuid::Uuid::nil()));
        assert!(balanced(&[(Account::Provider, -5), (escrow, 5)]).is_ok());
        assert!(balanced(&[(Account::Provider, -5), (escrow, 4), (Account::Fees, 1)]).is_ok());
        for lines in [
            &[][..],
            &[(escrow, 0)],
            &[(escrow, 5)],
            &[(Account::Provider, -5), (escrow, 4)],
            &[(Account::Provider, 0), (escrow, 0)],
            &[(Account::Provider, i64::MAX), (escrow, i64::MAX), (Account::Fees, 2)],
        ] {
            assert!(balanced(lines).is_err(), "{lines:?}");
        }
    }
}
