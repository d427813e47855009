//! What changes payments: charges with their outcomes, refunds with theirs, the release, and what a bank takes back.

mod begin;
mod bounced;
mod charge;
mod chargeback;
mod debt;
mod elsewhere;
mod escrow;
mod mend;
mod recovery;
mod refund;

use serde_json::{Value, json};

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::money::Money;
use crate::orders::{self, Order, OrderId};
use crate::{id::Id, params};

pub use begin::{begin, begin_confirmation};
pub use charge::{
    Attempt, abandoned, apply, attempt, attempt_known_as, declined, give_up, no_answer, not_executed,
    stands_as, void_unconfirmed,
};
pub use chargeback::{came_back, chargeback_told, charged_back_elsewhere};
pub use debt::ready_to_pay_out;
pub use elsewhere::{GivenBack, given_back_elsewhere};
pub use escrow::{held, release_order};
pub use mend::{
    asked_elsewhere, asked_refund, refund_answered, refund_not_executed, refunded_by_hand, send_refund_anew,
    sent_by,
};
pub use refund::{refund_order, refund_request, refund_to_send, request_refund};

use super::model::{MovementKind, MovementStatus, Payment, Refund, Sources};
use super::queries;

/// The order of a payment; its row refers to it.
fn order_of(tx: &Tx, payment: &Payment) -> Result<Order> {
    orders::find(tx, payment.order_id)?.ok_or_else(|| Error::broken("a payment without its order"))
}

/// A movement as the list of transactions shows it.
struct Movement<'a> {
    user_id: UserId,
    kind: MovementKind,
    status: MovementStatus,
    amount: Money,
    payment: &'a Payment,
    /// The payment, refund or order behind it: one row each per kind.
    cause_id: Id<()>,
    transaction_id: Option<&'a str>,
}

/// Lists a movement, the first of its kind and cause. Of two at once the second is overtaken, and runs again.
fn list(tx: &Tx, movement: &Movement) -> Result<()> {
    tx.send(
        "insert into transactions (id, user_id, type, status, amount_minor, currency, order_id, payment_id, cause_id,
             transaction_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
        params![
            tx.new_id::<Movement>(),
            movement.user_id,
            movement.kind,
            movement.status,
            movement.amount.minor(),
            movement.amount.currency(),
            movement.payment.order_id,
            movement.payment.id,
            movement.cause_id,
            movement.transaction_id,
            tx.now()
        ],
    )
}

/// How a movement that is listed stands now.
struct Standing<'a> {
    kind: MovementKind,
    order_id: OrderId,
    cause_id: Id<()>,
    status: MovementStatus,
    transaction_id: Option<&'a str>,
}

fn relist(tx: &Tx, now: &Standing) -> Result<()> {
    tx.send(
        "update transactions set status = $4, transaction_id = coalesce($5, transaction_id)
         where cause_id = $1 and type = $2 and order_id = $3",
        params![now.cause_id, now.kind, now.order_id, now.status, now.transaction_id],
    )
}

fn list_charge(tx: &Tx, payment: &Payment) -> Result<()> {
    list(
        tx,
        &Movement {
            user_id: payment.buyer_id,
            kind: MovementKind::Charge,
            status: MovementStatus::Pending,
            amount: payment.amount,
            payment,
            cause_id: payment.id.cast(),
            transaction_id: payment.transaction_id.as_deref(),
        },
    )
}

fn relist_charge(tx: &Tx, payment: &Payment, status: MovementStatus) -> Result<()> {
    relist(
        tx,
        &Standing {
            kind: MovementKind::Charge,
            order_id: payment.order_id,
            cause_id: payment.id.cast(),
            status,
            transaction_id: payment.transaction_id.as_deref(),
        },
    )
}

fn list_refund(tx: &Tx, payment: &Payment, refund: &Refund) -> Result<()> {
    list(
        tx,
        &Movement {
            user_id: payment.buyer_id,
            kind: MovementKind::Refund,
            status: refund.status,
            amount: refund.amount,
            payment,
            cause_id: refund.id.cast(),
            transaction_id: None,
        },
    )
}

fn relist_refund(tx: &Tx, refund: &Refund, reference: Option<&str>) -> Result<()> {
    relist(
        tx,
        &Standing {
            kind: MovementKind::Refund,
            order_id: refund.order_id,
            cause_id: refund.id.cast(),
            status: refund.status,
            transaction_id: reference,
        },
    )
}

/// What one order earned, on its way to its freelancer.
#[derive(Debug)]
pub struct Paying {
    pub freelancer: UserId,
    pub order_id: OrderId,
    pub amount: Money,
    /// The payout's part that it is listed for.
    pub cause_id: Id<()>,
}

/// Lists a part of a payout, which is on its way.
pub fn list_payout(tx: &Tx, paying: &Paying) -> Result<()> {
    let payment = queries::captured(tx, paying.order_id)?
        .ok_or_else(|| Error::broken(format!("order {} earned what nobody paid", paying.order_id)))?;
    list(
        tx,
        &Movement {
            user_id: paying.freelancer,
            kind: MovementKind::Payout,
            status: MovementStatus::Pending,
            amount: paying.amount,
            payment: &payment,
            cause_id: paying.cause_id,
            transaction_id: None,
        },
    )
}

/// How a part of a payout that is listed stands now.
pub fn relist_payout(
    tx: &Tx,
    order_id: OrderId,
    cause_id: Id<()>,
    status: MovementStatus,
    reference: Option<&str>,
) -> Result<()> {
    let kind = MovementKind::Payout;
    relist(tx, &Standing { kind, order_id, cause_id, status, transaction_id: reference })
}

/// Logs what happened to a payment, as something that happened to its order.
fn tell(
    tx: &Tx,
    actor: &Actor,
    kind: &'static str,
    payment: &Payment,
    refund: Option<&Refund>,
    message: Option<&str>,
) -> Result<()> {
    let mut more = Vec::new();
    if let Some(refund) = refund {
        more.push(("refund_id", json!(refund.id)));
        more.push(("refund_amount", json!(refund.amount)));
        if refund.taken.were_released() {
            more.extend(shared(&refund.taken, refund.amount));
        }
        if kind == "refund_failed" {
            more.push(("requested_by", json!(queries::requester(tx, refund)?)));
        }
    }
    tell_more(tx, actor, kind, payment, message, more)
}

/// The same with other members.
fn tell_more(
    tx: &Tx,
    actor: &Actor,
    kind: &'static str,
    payment: &Payment,
    message: Option<&str>,
    more: Vec<(&'static str, Value)>,
) -> Result<()> {
    let order = order_of(tx, payment)?;
    let mut body = orders::told(&order, message);
    body["payment_id"] = json!(payment.id);
    body["payment_amount"] = json!(payment.amount);
    for (member, value) in more {
        body[member] = value;
    }
    events::append(tx, actor, kind, order.id, body).map(drop)
}

/// Whose money that was released goes back, for an event.
fn shared(taken: &Sources, whole: Money) -> [(&'static str, Value); 3] {
    let part = |minor: i64| json!(whole.with_minor(minor));
    [
        ("clawback_amount", part(taken.freelancers())),
        ("debt_amount", part(taken.owed)),
        ("fee_return_amount", part(taken.fees)),
    ]
}
