//! What escrow holds of an order, and how it is paid out.

use crate::config::Market;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::ledger::{self, Account, Journal};
use crate::orders::{Order, Shares};
use crate::params;

use super::super::model::{MovementKind, MovementStatus};
use super::super::queries;
use super::{Movement, chargeback, debt, list};

/// What escrow holds of an order, in minor units.
pub fn held(tx: &Tx, order: &Order) -> Result<i64> {
    ledger::balance(tx, &Account::Escrow(order.id.cast()), order.amount.currency())
}

/// Pays what escrow holds to the freelancer, less the fees that the order was placed with; how much the fee of the amount
/// was, in minor units.
pub fn release_order(tx: &Tx, order: &Order) -> Result<i64> {
    chargeback::require_none(tx, order.id)?;
    let whole = order.amount.with_minor(held(tx, order)?);
    if whole.minor() == 0 {
        return Ok(0);
    }
    let payment = queries::captured(tx, order.id)?
        .ok_or_else(|| Error::broken(format!("order {} holds money that nobody paid", order.id)))?;
    let shares = order.shares_of(whole.minor());
    let listed = [(MovementKind::Release, shares.net), (MovementKind::Fee, shares.fee)];
    for (kind, share) in listed.into_iter().filter(|(_, share)| *share > 0) {
        list(
            tx,
            &Movement {
                user_id: order.freelancer_id,
                kind,
                status: MovementStatus::Success,
                amount: whole.with_minor(share),
                payment: &payment,
                cause_id: order.id.cast(),
                transaction_id: None,
            },
        )?;
    }
    let lines: Vec<(Account, i64)> = [
        (Account::Escrow(order.id.cast()), -whole.minor()),
        (Account::Payable(order.freelancer_id.cast()), shares.net),
        (Account::Fees, shares.fee + shares.service_fee),
    ]
    .into_iter()
    .filter(|(_, minor)| *minor != 0)
    .collect();
    ledger::post(
        tx,
        &Journal {
            order_id: order.id.cast(),
            kind: "release",
            cause_id: order.id.cast(),
            currency: whole.currency(),
            lines: &lines,
        },
    )?;
    earn(tx, order, &shares)?;
    debt::set_off(tx, order.freelancer_id, whole.currency())?;
    failpoint::reach("release:booked");
    Ok(shares.fee)
}

/// Notes what the freelancer has earned: it can be paid out once it has cleared.
fn earn(tx: &Tx, order: &Order, shares: &Shares) -> Result<()> {
    tx.send(
        "insert into releases (id, order_id, freelancer_id, currency, net_minor, fee_minor, service_fee_minor,
             available_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            tx.new_id::<Shares>(),
            order.id,
            order.freelancer_id,
            order.amount.currency(),
            shares.net,
            shares.fee,
            shares.service_fee,
            tx.now().plus(tx.wired::<Market>().clearance),
            tx.now()
        ],
    )
}
