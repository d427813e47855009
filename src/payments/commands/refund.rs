//! Refunds: the money is reserved in the transaction that decides it, sent by a timer, and booked by what the provider
//! says.

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{self, Error, FORBIDDEN, Result};
use crate::events;
use crate::form::Unchecked;
use crate::id::Id;
use crate::ledger::{self, Account, Journal};
use crate::money::Money;
use crate::orders::{self, Order};
use crate::params;

use super::super::model::{MovementStatus, Payment, PaymentId, Refund, RefundId, RequestRefund, Status};
use super::super::{
    ALREADY_RELEASED, ORDER_DISPUTED, PAYMENT_NOT_REFUNDABLE, REFUND_EXCEEDS_CAPTURED, REFUND_SEND, queries,
};
use super::{held, list_refund, order_of, tell};
use crate::providers::{RefundOutcome, RefundRequest};

/// Gives money back on the word of the freelancer or an administrator.
pub fn request_refund(
    tx: &Tx,
    actor: &Actor,
    id: PaymentId,
    input: &Unchecked<RequestRefund>,
) -> Result<Refund> {
    let payment =
        queries::find(tx, id)?.filter(|payment| payment.is_seen_by(actor)).ok_or_else(error::not_found)?;
    if !actor.is(payment.freelancer_id) && !actor.is_admin() {
        return Err(FORBIDDEN.error(
            "the freelancer of the order or an administrator gives money back: ask the freelancer, or open a dispute with PUT /orders/{id}",
        ));
    }
    let input = input.check()?;
    let asked = input.amount.map(|amount| amount.of(payment.amount.currency(), "amount")).transpose();
    let asked = asked.map_err(|wrong| Error::Invalid(vec![wrong]))?;
    let order = order_of(tx, &payment)?;
    require_refundable(&payment, &order)?;
    let left = held(tx, &order)?;
    let amount = asked.unwrap_or(payment.amount.with_minor(left));
    let refund = reserve(tx, actor, &payment, &order, amount, input.reason.as_str())?;
    if amount.minor() == left && matches!(order.status, orders::Status::Active | orders::Status::Delivered) {
        let order = order_of(tx, &payment)?;
        orders::cancel_refunded(tx, actor, &order, input.reason.as_str())?;
    }
    Ok(refund)
}

fn require_refundable(payment: &Payment, order: &Order) -> Result<()> {
    if payment.status != Status::Success {
        return Err(PAYMENT_NOT_REFUNDABLE
            .error(format!(
                "this payment is {}: only one with status success can be given back",
                payment.status
            ))
            .with("current", payment.status));
    }
    match order.status {
        orders::Status::Completed => Err(ALREADY_RELEASED.error(
            "the order is completed and its money was released to the freelancer: settle it between you",
        )),
        orders::Status::Disputed => Err(ORDER_DISPUTED.error(
            "the order is disputed and its money is frozen: an administrator decides with PUT /orders/{id}",
        )),
        _ => Ok(()),
    }
}

/// Gives back what an order's buyer paid: that many minor units, or all that escrow holds. Nothing when nothing is held.
pub fn refund_order(tx: &Tx, actor: &Actor, order: &Order, minor: Option<i64>, reason: &str) -> Result<()> {
    let amount = match minor {
        Some(minor) => minor,
        None => held(tx, order)?,
    };
    match queries::captured(tx, order.id)? {
        Some(payment) if amount != 0 => {
            reserve(tx, actor, &payment, order, order.amount.with_minor(amount), reason).map(drop)
        }
        None if amount != 0 => Err(Error::broken(format!("order {} has no payment to give back", order.id))),
        _ => Ok(()),
    }
}

/// Takes the money out of escrow and lets it be sent.
pub(super) fn reserve(
    tx: &Tx,
    actor: &Actor,
    payment: &Payment,
    order: &Order,
    amount: Money,
    reason: &str,
) -> Result<Refund> {
    let left = held(tx, order)?;
    if amount.minor() < 1 || amount.minor() > left {
        let left = payment.amount.with_minor(left);
        return Err(REFUND_EXCEEDS_CAPTURED
            .error(format!("{left} {} can still be given back: ask for no more", left.currency()))
            .with("refundable_amount", left));
    }
    set_aside(tx, actor, payment, amount, reason)
}

/// The same for money that is known to be in escrow.
pub(super) fn set_aside(
    tx: &Tx,
    actor: &Actor,
    payment: &Payment,
    amount: Money,
    reason: &str,
) -> Result<Refund> {
    let order = order_of(tx, payment)?;
    tx.execute(
        "update payments set refunded_minor = refunded_minor + $2, version = version + 1, updated_at = $3 where id = $1",
        params![payment.id, amount.minor(), tx.now()],
    )?;
    let id: RefundId = tx.new_id();
    let refund = Refund {
        id,
        payment_id: payment.id,
        order_id: payment.order_id,
        amount,
        status: MovementStatus::Pending,
        reason: reason.to_owned(),
        provider_key: format!("refund-{id}"),
        created_at: tx.now(),
    };
    tx.execute(
        "insert into refunds (id, payment_id, order_id, amount_minor, currency, status, reason, provider_key,
             requested_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        params![
            id,
            payment.id,
            payment.order_id,
            amount.minor(),
            amount.currency(),
            refund.status,
            refund.reason,
            refund.provider_key,
            actor.id(),
            tx.now()
        ],
    )?;
    let (escrow, refunds) = accounts(&refund);
    book(tx, &refund, "refund_reserved", escrow, refunds)?;
    orders::refunded(tx, order.id, held(tx, &order)?)?;
    list_refund(tx, payment, &refund, None)?;
    events::schedule(tx, REFUND_SEND, id, tx.now())?;
    tell(tx, actor, "refund_requested", payment, Some(&refund), Some(reason))?;
    Ok(refund)
}

/// What to ask the provider for; `None` once the refund is decided.
pub fn refund_to_send(tx: &Tx, id: RefundId) -> Result<Option<RefundRequest>> {
    let Some(refund) = queries::refund(tx, id)?.filter(|refund| refund.status == MovementStatus::Pending)
    else {
        return Ok(None);
    };
    let payment = payment_of(tx, &refund)?;
    let charge = payment
        .transaction_id
        .ok_or_else(|| Error::broken("a captured payment that the provider never named"))?;
    Ok(Some(RefundRequest {
        key: refund.provider_key,
        refund_id: refund.id.cast(),
        order_id: refund.order_id.cast(),
        charge,
        amount: refund.amount,
        begun_at: refund.created_at,
    }))
}

/// Books what the provider says of a refund, once. A refusal puts the money back into escrow while the order is open;
/// afterwards it stays reserved, and `false` asks to try again.
pub fn apply_refund(tx: &Tx, id: RefundId, outcome: &RefundOutcome) -> Result<bool> {
    let Some(refund) = queries::refund(tx, id)?.filter(|refund| refund.status == MovementStatus::Pending)
    else {
        return Ok(true);
    };
    let payment = payment_of(tx, &refund)?;
    match outcome {
        RefundOutcome::Succeeded { reference } => succeeded(tx, &payment, refund, reference).map(|()| true),
        RefundOutcome::Pending { ask_after, .. } => {
            events::schedule(tx, REFUND_SEND, refund.id, tx.now().plus(*ask_after))?;
            Ok(true)
        }
        RefundOutcome::Failed { code, message, .. } => {
            // What a failed payment captured is owed to its buyer whatever becomes of the order.
            let open = payment.status == Status::Success && !order_of(tx, &payment)?.status.is_final();
            tracing::warn!(refund = %refund.id, code, message, open, "the provider refused a refund");
            if open {
                failed(tx, &payment, refund, message)?;
            }
            Ok(open)
        }
    }
}

fn succeeded(tx: &Tx, payment: &Payment, refund: Refund, reference: &str) -> Result<()> {
    let refund = decide(tx, refund, MovementStatus::Success, Some(reference))?;
    book(tx, &refund, "refund", accounts(&refund).1, Account::Provider)?;
    list_refund(tx, payment, &refund, Some(reference))?;
    tell(tx, &Actor::System, "refund_succeeded", payment, Some(&refund), Some(&refund.reason))
}

fn failed(tx: &Tx, payment: &Payment, refund: Refund, message: &str) -> Result<()> {
    let refund = decide(tx, refund, MovementStatus::Failed, None)?;
    tx.execute(
        "update payments set refunded_minor = refunded_minor - $2, version = version + 1, updated_at = $3 where id = $1",
        params![payment.id, refund.amount.minor(), tx.now()],
    )?;
    let (escrow, refunds) = accounts(&refund);
    book(tx, &refund, "refund_returned", refunds, escrow)?;
    let order = order_of(tx, payment)?;
    orders::refunded(tx, order.id, held(tx, &order)?)?;
    list_refund(tx, payment, &refund, None)?;
    tell(tx, &Actor::System, "refund_failed", payment, Some(&refund), Some(message))
}

pub(super) fn decide(
    tx: &Tx,
    refund: Refund,
    status: MovementStatus,
    reference: Option<&str>,
) -> Result<Refund> {
    let decided = tx.execute(
        "update refunds set status = $2, transaction_id = $3, updated_at = $4 where id = $1 and status = 'pending'",
        params![refund.id, status, reference, tx.now()],
    )?;
    if decided == 1 {
        Ok(Refund { status, ..refund })
    } else {
        Err(Error::broken("a refund was decided twice"))
    }
}

/// Moves the refund's amount between two accounts.
pub(super) fn book(tx: &Tx, refund: &Refund, kind: &'static str, from: Account, to: Account) -> Result<()> {
    let minor = refund.amount.minor();
    ledger::post(
        tx,
        &Journal {
            order_id: refund.order_id.cast(),
            kind,
            cause_id: refund.id.cast(),
            currency: refund.amount.currency(),
            lines: &[(from, -minor), (to, minor)],
        },
    )
}

/// Escrow, and what is reserved for refunds.
fn accounts(refund: &Refund) -> (Account, Account) {
    let order: Id<()> = refund.order_id.cast();
    (Account::Escrow(order), Account::Refunds(order))
}

fn payment_of(tx: &Tx, refund: &Refund) -> Result<Payment> {
    queries::find(tx, refund.payment_id)?.ok_or_else(|| Error::broken("a refund without its payment"))
}
