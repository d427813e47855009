//! Refunds: the money is reserved in the transaction that decides it, sent by a timer, and booked by what the provider
//! says.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{self, Error, FORBIDDEN, Result};
use crate::events;
use crate::form::Unchecked;
use crate::ledger::{self, Account, Journal};
use crate::money::Money;
use crate::orders::{self, Order};
use crate::params;

use super::super::model::{
    MovementStatus, Payment, PaymentId, Refund, RefundId, RequestRefund, Sources, Status,
};
use super::super::{
    ALREADY_RELEASED, ORDER_DISPUTED, PAID_OUT_ALREADY, PAYMENT_NOT_REFUNDABLE, REFUND_EXCEEDS_CAPTURED,
    REFUND_IN_PROGRESS, REFUND_SEND, cases, queries,
};
use super::{
    bounced, chargeback, debt, held, list_refund, order_of, recovery, relist_refund, tell, tell_more,
};
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
        return Err(FORBIDDEN.error(match order_of(tx, &payment)?.status {
            orders::Status::Active | orders::Status::Delivered => {
                "the freelancer of the order or an administrator gives money back: ask the freelancer, or open a dispute with POST /orders/{id}/dispute"
            }
            _ => "the freelancer of the order or an administrator gives money back: ask the freelancer",
        }));
    }
    let input = input.check()?;
    let asked = input.amount.map(|amount| amount.of(payment.amount.currency(), "amount")).transpose();
    let asked = asked.map_err(|wrong| Error::Invalid(vec![wrong]))?;
    let order = order_of(tx, &payment)?;
    require_refundable(tx, &payment, &order, input.after_release == Some(true))?;
    let left = payment.left();
    let amount = asked.unwrap_or(payment.amount.with_minor(left));
    let refund = reserve(tx, actor, &payment, &order, amount, input.reason.as_str())?;
    require_no_advance(actor, &refund)?;
    if amount.minor() == left && matches!(order.status, orders::Status::Active | orders::Status::Delivered) {
        let order = order_of(tx, &payment)?;
        orders::cancel_refunded(tx, actor, &order, input.reason.as_str())?;
    }
    Ok(refund)
}

fn require_refundable(tx: &Tx, payment: &Payment, order: &Order, after_release: bool) -> Result<()> {
    if payment.status != Status::Success {
        return Err(PAYMENT_NOT_REFUNDABLE
            .error(format!(
                "this payment is {}: only one with status success can be given back",
                payment.status
            ))
            .with("current", payment.status));
    }
    chargeback::require_none(tx, order.id)?;
    match order.status {
        orders::Status::Completed if !after_release => Err(ALREADY_RELEASED.error(
            "the order is completed and its money was released: send `after_release: true` to give it back all the \
             same, from what the freelancer earned with it and is not paid out yet, while the house gives its fees back pro \
             rata; only an administrator gives back what was paid out, as a debt that the next releases pay",
        )),
        orders::Status::Disputed => Err(ORDER_DISPUTED.error(
            "the order is disputed and its money is frozen: an administrator decides with PUT /orders/{id}",
        )),
        orders::Status::Completed => require_no_other(tx, payment),
        orders::Status::Pending
        | orders::Status::Active
        | orders::Status::Delivered
        | orders::Status::Cancelled => Ok(()),
    }
}

/// Whoever gives a part of a completed order back first, takes its share first: the next waits until it is known whether
/// that share is gone.
fn require_no_other(tx: &Tx, payment: &Payment) -> Result<()> {
    let Some(other) = queries::giving_back(tx, payment)? else { return Ok(()) };
    Err(REFUND_IN_PROGRESS
        .error(
            "another refund of this completed order is on its way: ask again when GET /orders/{id}/timeline says \
             refund_succeeded or refund_failed",
        )
        .with("refund_id", other))
}

/// What was paid out is not there to be given back: the house would advance it, on the word of the one who owes it.
fn require_no_advance(actor: &Actor, refund: &Refund) -> Result<()> {
    if refund.taken.owed == 0 || actor.is_admin() {
        return Ok(());
    }
    let debt = refund.amount.with_minor(refund.taken.owed);
    Err(PAID_OUT_ALREADY
        .error(format!(
            "{debt} {} of it is paid out to you or on its way, so that the house would have to advance it: ask an \
             administrator to give it back, or give back less",
            debt.currency()
        ))
        .with("debt_amount", debt))
}

/// Gives back what an order's buyer paid: that many minor units, or all that escrow holds. Nothing when nothing is held.
pub fn refund_order(tx: &Tx, actor: &Actor, order: &Order, minor: Option<i64>, reason: &str) -> Result<()> {
    chargeback::require_none(tx, order.id)?;
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

/// Takes the money from where it is and lets it be sent.
pub(super) fn reserve(
    tx: &Tx,
    actor: &Actor,
    payment: &Payment,
    order: &Order,
    amount: Money,
    reason: &str,
) -> Result<Refund> {
    let left = payment.left();
    if amount.minor() < 1 || amount.minor() > left {
        let left = payment.amount.with_minor(left);
        let detail = match left.minor() {
            0 => "nothing is left to give back".to_owned(),
            _ => format!("{left} {} can still be given back: ask for no more", left.currency()),
        };
        return Err(REFUND_EXCEEDS_CAPTURED.error(detail).with("refundable_amount", left));
    }
    let taken = recovery::sources(tx, order, payment, amount.minor())?;
    set_aside(tx, actor, payment, order, &Part { amount, taken, reason })
}

/// Money that goes back, where it is taken from, and why.
pub(super) struct Part<'a> {
    pub amount: Money,
    pub taken: Sources,
    pub reason: &'a str,
}

/// The same for money that is known to be where it is taken from.
pub(super) fn set_aside(
    tx: &Tx,
    actor: &Actor,
    payment: &Payment,
    order: &Order,
    part: &Part,
) -> Result<Refund> {
    let Part { amount, taken, reason } = *part;
    tx.send(
        "update payments set refunded_minor = refunded_minor + $2, version = version + 1, updated_at = $3
         where id = $1 and order_id = $4",
        params![payment.id, amount.minor(), tx.now(), payment.order_id],
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
        transaction_id: None,
        replaces: None,
        taken,
        created_at: tx.now(),
    };
    tx.send(
        "insert into refunds (id, payment_id, order_id, amount_minor, currency, status, reason, provider_key,
             requested_by, escrow_minor, fees_minor, payable_minor, owed_minor, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
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
            taken.escrow,
            taken.fees,
            taken.payable,
            taken.owed,
            tx.now()
        ],
    )?;
    take(tx, payment, order, &refund)?;
    if payment.status == Status::Success {
        orders::refunded(tx, order.id, payment.left() - amount.minor())?;
    }
    list_refund(tx, payment, &refund)?;
    events::schedule(tx, REFUND_SEND, id, tx.now())?;
    tell(tx, actor, "refund_requested", payment, Some(&refund), Some(reason))?;
    Ok(refund)
}

/// Reserves what the refund's sources give.
fn take(tx: &Tx, payment: &Payment, order: &Order, refund: &Refund) -> Result<()> {
    let taken = &refund.taken;
    if taken.payable > 0 {
        recovery::take(tx, order, taken.payable)?;
    }
    if taken.owed > 0 {
        recovery::owe(tx, order, refund.id.cast(), taken.owed)?;
    }
    if taken.were_released() {
        let shares = recovery::shares(order, payment.left(), refund.amount.minor());
        recovery::list_taken(tx, payment, refund.id.cast(), &shares, refund.status)?;
    }
    let mut lines = recovery::lines(order, taken, -1);
    lines.push((reserved(refund), refund.amount.minor()));
    book(tx, refund, "refund_reserved", &lines)
}

/// What to ask the provider for; `None` once the refund is decided.
pub fn refund_to_send(tx: &Tx, id: RefundId) -> Result<Option<RefundRequest>> {
    match queries::refund(tx, id)?.filter(|refund| refund.status == MovementStatus::Pending) {
        Some(refund) => request(tx, refund).map(Some),
        None => Ok(None),
    }
}

/// What the provider was or is to be asked for, however it stands.
pub fn refund_request(tx: &Tx, id: RefundId) -> Result<Option<RefundRequest>> {
    queries::refund(tx, id)?.map(|refund| request(tx, refund)).transpose()
}

fn request(tx: &Tx, refund: Refund) -> Result<RefundRequest> {
    let payment = payment_of(tx, &refund)?;
    let charge = payment
        .transaction_id
        .ok_or_else(|| Error::broken("a captured payment that the provider never named"))?;
    Ok(RefundRequest {
        key: refund.provider_key,
        refund_id: refund.id.cast(),
        order_id: refund.order_id.cast(),
        charge,
        amount: refund.amount,
        begun_at: refund.created_at,
    })
}

/// Books what the provider says of a refund, once. A refusal puts the money back where it came from; where it cannot be
/// put back, for the order is over or a bank has taken the money meanwhile, it stays reserved, a person is asked to look,
/// and `false` asks to try again.
pub fn apply_refund(tx: &Tx, id: RefundId, outcome: &RefundOutcome) -> Result<bool> {
    let Some(refund) = queries::refund(tx, id)? else { return Ok(true) };
    let payment = payment_of(tx, &refund)?;
    if refund.status != MovementStatus::Pending {
        return bounced::told_again(tx, &payment, refund, outcome).map(|()| true);
    }
    match outcome {
        RefundOutcome::Succeeded { reference } => succeeded(tx, &payment, refund, reference).map(|()| true),
        RefundOutcome::Pending { ask_after, .. } => {
            events::schedule(tx, REFUND_SEND, refund.id, tx.now().plus(*ask_after))?;
            Ok(true)
        }
        RefundOutcome::Failed { code, message, .. } => {
            let advanced = queries::advanced(tx, &payment)?;
            let returns = refund.replaces.is_none() && advanced == 0 && has_place(tx, &payment, &refund)?;
            tracing::warn!(refund = %refund.id, code, message, advanced, returns, "the provider refused a refund");
            if returns {
                failed(tx, &payment, refund, message)?;
            } else {
                let mut said = json!({ "code": code, "message": message, "amount": refund.amount });
                if advanced > 0 {
                    said["taken_by_the_bank"] = json!(refund.amount.with_minor(advanced));
                }
                cases::open(tx, cases::Kind::RefundRefused, refund.id, Some(refund.order_id), &said)?;
            }
            Ok(returns)
        }
    }
}

/// Whether the money still has where it came from. What was taken of a release does: nothing of it is paid out while the
/// refund is on its way. What a failed payment captured is owed to its buyer whatever becomes of the order.
fn has_place(tx: &Tx, payment: &Payment, refund: &Refund) -> Result<bool> {
    Ok(payment.status == Status::Success
        && (refund.taken.were_released() || !order_of(tx, payment)?.status.is_final()))
}

pub(super) fn succeeded(tx: &Tx, payment: &Payment, refund: Refund, reference: &str) -> Result<()> {
    let refund = decide(tx, refund, MovementStatus::Success, Some(reference))?;
    let minor = refund.amount.minor();
    book(tx, &refund, "refund", &[(reserved(&refund), -minor), (Account::Provider, minor)])?;
    relist_refund(tx, &refund, Some(reference))?;
    recovery::relist_taken(tx, refund.order_id, refund.id.cast(), refund.status)?;
    cases::settle(tx, cases::Kind::RefundRefused, refund.id, "succeeded")?;
    tell(tx, &Actor::System, "refund_succeeded", payment, Some(&refund), Some(&refund.reason))?;
    debt::set_off(tx, payment.freelancer_id, refund.amount.currency())
}

fn failed(tx: &Tx, payment: &Payment, refund: Refund, message: &str) -> Result<()> {
    let refund = decide(tx, refund, MovementStatus::Failed, None)?;
    let (minor, taken) = (refund.amount.minor(), &refund.taken);
    tx.send(
        "update payments set refunded_minor = refunded_minor - $2, version = version + 1, updated_at = $3
         where id = $1 and order_id = $4",
        params![payment.id, minor, tx.now(), payment.order_id],
    )?;
    let order = order_of(tx, payment)?;
    if taken.payable > 0 {
        recovery::put_back(tx, &order, taken.payable)?;
    }
    if taken.owed > 0 {
        recovery::owe_nothing(tx, order.id, refund.id.cast())?;
    }
    let mut lines = recovery::lines(&order, taken, 1);
    lines.insert(0, (reserved(&refund), -minor));
    book(tx, &refund, "refund_returned", &lines)?;
    orders::refunded(tx, order.id, payment.left() + minor)?;
    relist_refund(tx, &refund, None)?;
    recovery::relist_taken(tx, refund.order_id, refund.id.cast(), refund.status)?;
    tell(tx, &Actor::System, "refund_failed", payment, Some(&refund), Some(message))?;
    if taken.freelancers() == 0 {
        return Ok(());
    }
    let taken = json!(refund.amount.with_minor(taken.freelancers()));
    let more = vec![("refund_id", json!(refund.id)), ("clawback_amount", taken)];
    tell_more(tx, &Actor::System, "clawback_returned", payment, None, more)?;
    debt::set_off(tx, payment.freelancer_id, refund.amount.currency())
}

pub(super) fn decide(
    tx: &Tx,
    refund: Refund,
    status: MovementStatus,
    reference: Option<&str>,
) -> Result<Refund> {
    let decided = tx.execute(
        "update refunds set status = $2, transaction_id = $3, updated_at = $4
         where id = $1 and status = 'pending' and order_id = $5",
        params![refund.id, status, reference, tx.now(), refund.order_id],
    )?;
    if decided == 1 {
        Ok(Refund { status, transaction_id: reference.map(str::to_owned), ..refund })
    } else {
        Err(Error::broken("a refund was decided twice"))
    }
}

pub(super) fn book(tx: &Tx, refund: &Refund, kind: &'static str, lines: &[(Account, i64)]) -> Result<()> {
    ledger::post(
        tx,
        &Journal {
            order_id: refund.order_id.cast(),
            kind,
            cause_id: refund.id.cast(),
            currency: refund.amount.currency(),
            lines,
        },
    )
}

/// What is on its way back to the buyer.
pub(super) fn reserved(refund: &Refund) -> Account {
    Account::Refunds(refund.order_id.cast())
}

fn payment_of(tx: &Tx, refund: &Refund) -> Result<Payment> {
    queries::payment_of(tx, refund.order_id, refund.payment_id)
}
