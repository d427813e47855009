//! What escrow holds of an order, and how it is paid out.

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ledger::{self, Account, Journal};
use crate::orders::Order;

use super::super::model::{MovementKind, MovementStatus};
use super::super::queries;
use super::{Movement, list};

/// What escrow holds of an order, in minor units.
pub fn held(tx: &Tx, order: &Order) -> Result<i64> {
    ledger::balance(tx, &Account::Escrow(order.id.cast()), order.amount.currency())
}

/// Pays what escrow holds to the freelancer, less the fee at the rate that the order was placed with; how much the fee
/// was, in minor units.
pub fn release_order(tx: &Tx, order: &Order) -> Result<i64> {
    let whole = order.amount.with_minor(held(tx, order)?);
    if whole.minor() == 0 {
        return Ok(0);
    }
    let payment = queries::captured(tx, order.id)?
        .ok_or_else(|| Error::broken(format!("order {} holds money that nobody paid", order.id)))?;
    let fee = order.fee_rate.of(whole);
    let net = whole.with_minor(whole.minor() - fee.minor());
    let shares = [
        (MovementKind::Release, Account::Payable(order.freelancer_id.cast()), net),
        (MovementKind::Fee, Account::Fees, fee),
    ];
    let mut lines = vec![(Account::Escrow(order.id.cast()), -whole.minor())];
    for (kind, account, share) in shares.into_iter().filter(|(.., share)| share.minor() > 0) {
        lines.push((account, share.minor()));
        list(
            tx,
            &Movement {
                user_id: order.freelancer_id,
                kind,
                status: MovementStatus::Success,
                amount: share,
                payment: &payment,
                cause_id: order.id.cast(),
                transaction_id: None,
            },
        )?;
    }
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
    Ok(fee.minor())
}
