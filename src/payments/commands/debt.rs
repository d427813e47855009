//! Debts of freelancers: what went back to buyers after it had been paid out is set off against what they have not been
//! paid yet.

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ledger::{self, Account, Journal};
use crate::money::{Currency, Money};
use crate::orders;
use crate::params;

use super::super::model::{Debt, MovementKind, MovementStatus, Release};
use super::super::queries;
use super::{Movement, list, tell_more};

/// Sets debts off against what is not paid out yet, the oldest debt and the earliest release first.
pub fn set_off(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<()> {
    let debts = queries::open_debts(tx, freelancer, currency)?;
    if debts.is_empty() {
        return Ok(());
    }
    let mut releases = queries::unpaid_releases(tx, freelancer, currency)?.into_iter();
    let mut release = releases.next();
    for mut debt in debts {
        while let Some(from) = release.as_mut().filter(|_| debt.unpaid > 0) {
            let minor = debt.unpaid.min(from.unpaid);
            pay(tx, freelancer, &debt, from, Money::new(minor, currency))?;
            debt.unpaid -= minor;
            from.unpaid -= minor;
            if from.unpaid == 0 {
                release = releases.next();
            }
        }
    }
    Ok(())
}

/// Whether a payout may take what is not paid out yet: whatever can be set off is set off first; while the freelancer owes
/// more, or a refund is on its way that may come back to them, nothing is paid.
pub fn ready_to_pay_out(tx: &Tx, freelancer: UserId, currency: Currency) -> Result<bool> {
    set_off(tx, freelancer, currency)?;
    let owed = ledger::balance(tx, &Account::Owed(freelancer.cast()), currency)?;
    Ok(owed == 0 && !queries::is_giving_back(tx, freelancer, currency)?)
}

/// Pays a part of a debt from a release.
fn pay(tx: &Tx, freelancer: UserId, debt: &Debt, release: &Release, amount: Money) -> Result<()> {
    let taken = tx.execute(
        "update releases set taken_minor = taken_minor + $2
         where id = $1 and payout_id is null and taken_minor + $2 <= net_minor and order_id = $3",
        params![release.id, amount.minor(), release.order_id],
    )?;
    let paid = tx.execute(
        "update debts set paid_minor = paid_minor + $2
         where id = $1 and paid_minor + $2 <= amount_minor and order_id = $3",
        params![debt.id, amount.minor(), debt.order_id],
    )?;
    if (taken, paid) != (1, 1) {
        return Err(Error::broken(format!("debt {} was set off twice", debt.id)));
    }
    let id = tx.new_id::<Offset>();
    tx.send(
        "insert into offsets (id, debt_id, release_id, order_id, freelancer_id, currency, amount_minor, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            id,
            debt.id,
            release.id,
            release.order_id,
            freelancer,
            amount.currency(),
            amount.minor(),
            tx.now()
        ],
    )?;
    ledger::post(
        tx,
        &Journal {
            order_id: release.order_id.cast(),
            kind: "offset",
            cause_id: id.cast(),
            currency: amount.currency(),
            lines: &[
                (Account::Payable(freelancer.cast()), -amount.minor()),
                (Account::Owed(freelancer.cast()), amount.minor()),
            ],
        },
    )?;
    let payment = queries::captured(tx, release.order_id)?
        .ok_or_else(|| Error::broken(format!("order {} was released unpaid", release.order_id)))?;
    list(
        tx,
        &Movement {
            user_id: freelancer,
            kind: MovementKind::Offset,
            status: MovementStatus::Success,
            amount,
            payment: &payment,
            cause_id: id.cast(),
            transaction_id: None,
        },
    )?;
    let owed_for = orders::find(tx, debt.order_id)?.map(|order| order.title).unwrap_or_default();
    let message = format!(
        "{amount} {} of what this order earned pays what you owed since money of the order “{owed_for}” went back to its buyer.",
        amount.currency()
    );
    let more = vec![("offset_amount", json!(amount)), ("debt_order_id", json!(debt.order_id))];
    tell_more(tx, &Actor::System, "debt_offset", &payment, Some(&message), more)
}

/// What one release paid of one debt.
struct Offset;
