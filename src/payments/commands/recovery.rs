//! Where money that goes back to a buyer comes from once it was released, and how it is put back when it does not go.

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::ledger::Account;
use crate::orders::{Order, OrderId, Shares};
use crate::params;

use super::super::model::{MovementKind, MovementStatus, Payment, Refund, Sources};
use super::super::queries;
use super::{Movement, list};

/// Whose share `minor` units are of the `left` units that are held or kept of an order. Taken one after the other until
/// nothing is left, the shares sum to what each had.
pub(super) fn shares(order: &Order, left: i64, minor: i64) -> Shares {
    let (before, after) = (order.shares_of(left), order.shares_of(left - minor));
    Shares {
        net: before.net - after.net,
        fee: before.fee - after.fee,
        service_fee: before.service_fee - after.service_fee,
    }
}

/// Where `minor` units come from: escrow while they are held there. Once they were released, the fees' shares come from
/// the house and the rest from the freelancer: first what the order earned and is not paid out, then a debt.
pub(super) fn sources(tx: &Tx, order: &Order, payment: &Payment, minor: i64) -> Result<Sources> {
    let Some(release) = queries::release_of(tx, order.id)? else {
        return Ok(Sources { escrow: minor, ..Sources::default() });
    };
    let shares = shares(order, payment.left(), minor);
    let payable = shares.net.min(release.unpaid);
    Ok(Sources { escrow: 0, fees: shares.fee + shares.service_fee, payable, owed: shares.net - payable })
}

/// The lines that take what the sources give; `sign` is 1 to put it back.
pub(super) fn lines(order: &Order, taken: &Sources, sign: i64) -> Vec<(Account, i64)> {
    let freelancer: Id<()> = order.freelancer_id.cast();
    let lines = [
        (Account::Escrow(order.id.cast()), taken.escrow),
        (Account::Fees, taken.fees),
        (Account::Payable(freelancer), taken.payable),
        (Account::Owed(freelancer), taken.owed),
    ];
    lines
        .into_iter()
        .filter(|(_, minor)| *minor != 0)
        .map(|(account, minor)| (account, sign * minor))
        .collect()
}

/// Takes of what an order earned and is not paid out.
pub(super) fn take(tx: &Tx, order: &Order, minor: i64) -> Result<()> {
    let taken = tx.execute(
        "update releases set taken_minor = taken_minor + $2
         where order_id = $1 and payout_id is null and taken_minor + $2 <= net_minor",
        params![order.id, minor],
    )?;
    if taken == 1 {
        Ok(())
    } else {
        Err(Error::broken(format!("the release of {} has not {minor} left", order.id)))
    }
}

/// Puts back what was taken of a release.
pub(super) fn put_back(tx: &Tx, order: &Order, minor: i64) -> Result<()> {
    let back = tx.execute(
        "update releases set taken_minor = taken_minor - $2
         where order_id = $1 and payout_id is null and taken_minor >= $2",
        params![order.id, minor],
    )?;
    if back == 1 { Ok(()) } else { Err(Error::broken(format!("the release of {} is paid out", order.id))) }
}

/// Notes what the freelancer owes for a refund or chargeback.
pub(super) fn owe(tx: &Tx, order: &Order, cause: Id<()>, minor: i64) -> Result<()> {
    tx.send(
        "insert into debts (id, freelancer_id, order_id, cause_id, currency, amount_minor, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        params![
            tx.new_id::<Sources>(),
            order.freelancer_id,
            order.id,
            cause,
            order.amount.currency(),
            minor,
            tx.now()
        ],
    )
}

/// Strikes out what was owed for a refund that did not happen: nothing has been set off against it.
pub(super) fn owe_nothing(tx: &Tx, order: OrderId, cause: Id<()>) -> Result<()> {
    let struck = tx.execute(
        "delete from debts where cause_id = $1 and paid_minor = 0 and order_id = $2",
        params![cause, order],
    )?;
    if struck == 1 {
        Ok(())
    } else {
        Err(Error::broken(format!("the debt for {cause} was set off before it was due")))
    }
}

/// Lists what a refund or chargeback took after the release, to the freelancer.
pub(super) fn list_taken(
    tx: &Tx,
    payment: &Payment,
    cause: Id<()>,
    shares: &Shares,
    status: MovementStatus,
) -> Result<()> {
    let parts = [(MovementKind::Clawback, shares.net), (MovementKind::FeeReturn, shares.fee)];
    for (kind, minor) in parts.into_iter().filter(|(_, minor)| *minor > 0) {
        list(
            tx,
            &Movement {
                user_id: payment.freelancer_id,
                kind,
                status,
                amount: payment.amount.with_minor(minor),
                payment,
                cause_id: cause,
                transaction_id: None,
            },
        )?;
    }
    Ok(())
}

/// Lists the same for what takes its place.
pub(super) fn list_again(tx: &Tx, before: &Refund, cause: Id<()>, status: MovementStatus) -> Result<()> {
    let listed = tx.all(
        "select id from transactions where cause_id = $1 and type in ('clawback', 'fee_return') and order_id = $2
         order by id",
        params![before.id, before.order_id],
        |row| row.next::<Id<()>>(),
    )?;
    for movement in listed {
        tx.send(
            "insert into transactions (id, user_id, type, status, amount_minor, currency, order_id, payment_id, cause_id,
                 created_at)
             select $1, user_id, type, $2, amount_minor, currency, order_id, payment_id, $3, $4
             from transactions where id = $5 and order_id = $6",
            params![tx.new_id::<Movement>(), status, cause, tx.now(), movement, before.order_id],
        )?;
    }
    Ok(())
}

/// How what is listed so stands now.
pub(super) fn relist_taken(tx: &Tx, order: OrderId, cause: Id<()>, status: MovementStatus) -> Result<()> {
    tx.send(
        "update transactions set status = $2
         where cause_id = $1 and type in ('clawback', 'fee_return') and order_id = $3",
        params![cause, status, order],
    )
}
