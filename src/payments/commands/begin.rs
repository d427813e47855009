//! How a charge begins: an order's payment is recorded, or its buyer's word that he has acted, before the provider is asked.

use std::time::Duration;

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{self, Error, FORBIDDEN, FieldError, Result, TOO_MANY_REQUESTS};
use crate::events;
use crate::form::Unchecked;
use crate::orders::{self, Order, OrderId};
use crate::params;
use crate::providers::{Provider, stripe};

use super::super::calls;
use super::super::model::{Pay, PaymentId, Status};
use super::super::{
    ALREADY_PAID, AMOUNT_MISMATCH, NOT_CONFIRMABLE, ORDER_NOT_PAYABLE, PAYMENT_ASK, PAYMENT_IN_PROGRESS,
    queries,
};
use super::charge::{Attempt, abandon};
use super::{list_charge, order_of};

/// An attempt whose outcome nobody brought within it is asked for: longer than an answer is waited for. Sooner if the
/// process that is at it dies.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// More declined charges of one buyer within the hour look like somebody who tries out cards.
const MOST_DECLINED: i64 = 5;
const HOUR: Duration = Duration::from_secs(3_600);

/// Records an attempt to pay an order; the provider is asked next.
pub fn begin(
    tx: &Tx,
    actor: &Actor,
    input: &Unchecked<Pay>,
    provider: &dyn Provider,
    limited: bool,
) -> Result<PaymentId> {
    let buyer = actor.require_user()?;
    let named = input.id("order_id").map(|id: OrderId| payable_by(tx, actor, id)).transpose()?;
    let input = input.check().map_err(|wrong| naming_methods(wrong, provider))?;
    let order = named.ok_or_else(|| Error::broken("an order that was checked but not named"))?;
    check_terms(&input, &order, provider)?;
    if limited {
        require_few_declined(tx, buyer)?;
    }
    require_payable(tx, &order)?;
    stripe::remember_money(tx, provider)?;
    record(tx, &order, input.payment_method.as_str(), provider.name())
}

/// The order, if it is this caller's to pay.
fn payable_by(tx: &Tx, actor: &Actor, id: OrderId) -> Result<Order> {
    let order = orders::seen(tx, actor, id)?;
    if actor.is(order.buyer_id) { Ok(order) } else { Err(FORBIDDEN.error("only its buyer pays an order")) }
}

/// A missing or unusable method: the ones that the provider knows.
fn naming_methods(error: Error, provider: &dyn Provider) -> Error {
    let Error::Invalid(mut wrongs) = error else { return error };
    for wrong in wrongs.iter_mut().filter(|wrong| wrong.pointer == "/payment_method") {
        wrong.detail = format!("{}; send one of {}", wrong.detail, provider.methods().join(", "));
    }
    Error::Invalid(wrongs)
}

/// The method is known; amount and currency, where they are given, are the order's.
fn check_terms(input: &Pay, order: &Order, provider: &dyn Provider) -> Result<()> {
    let due = order.total();
    let mut wrongs = Vec::new();
    let mut wrong = |pointer: &str, code, detail| {
        wrongs.push(FieldError { pointer: pointer.to_owned(), code, detail });
    };
    if !provider.knows(input.payment_method.as_str()) {
        let known = provider.methods().join(", ");
        wrong("/payment_method", "unknown_payment_method", format!("send one of {known}"));
    }
    if let Some(why) = provider.refuses(due) {
        let detail = format!("{due} {} cannot be charged: {why}. Order something else", due.currency());
        wrong("/order_id", "amount_not_supported", detail);
    }
    if input.currency.is_some_and(|currency| currency != due.currency()) {
        let detail = format!("the order is in {}: send that, or leave it out", due.currency());
        wrong("/currency", "currency_mismatch", detail);
    }
    let offered = input.amount.as_ref().map(|amount| amount.of(due.currency(), "amount")).transpose();
    let offered = offered.unwrap_or_else(|malformed| {
        wrongs.push(malformed);
        None
    });
    if !wrongs.is_empty() {
        return Err(Error::Invalid(wrongs));
    }
    match offered {
        Some(offered) if offered != due => Err(AMOUNT_MISMATCH
            .error(format!("the order is over {due} {}: send that, or leave it out", due.currency()))
            .with("amount", due)
            .with("currency", due.currency())),
        _ => Ok(()),
    }
}

fn require_few_declined(tx: &Tx, buyer: UserId) -> Result<()> {
    let since = tx.now().minus(HOUR);
    let declined: i64 = tx.one(
        "select count(*) from (
             select payment_id, order_id, created_at from transactions
             where user_id = $1 and type = 'charge' order by id desc limit 50
         ) as latest join payments p on p.id = latest.payment_id and p.order_id = latest.order_id
         where p.status = 'failed' and latest.created_at > $2
             and p.failure not in ('replaced', 'order_cancelled', 'not_executed', 'given_up')",
        params![buyer, since],
        |row| row.next(),
    )?;
    if declined < MOST_DECLINED {
        return Ok(());
    }
    Err(TOO_MANY_REQUESTS
        .error(format!(
            "{declined} of your payments failed within the hour: wait before you try another card"
        ))
        .retry_after(HOUR.as_secs()))
}

/// The order waits for a payment, and none is under way that cannot be replaced.
fn require_payable(tx: &Tx, order: &Order) -> Result<()> {
    if order.status == orders::Status::Cancelled {
        return Err(not_payable(order));
    }
    let Some(live) = queries::live(tx, order.id)? else {
        return if order.status == orders::Status::Pending { Ok(()) } else { Err(not_payable(order)) };
    };
    match live.status {
        Status::Success => Err(ALREADY_PAID
            .error(format!("the order is paid, by payment {}: nothing more is due", live.id))
            .with("payment_id", live.id)),
        Status::RequiresAction => abandon(tx, &live, "replaced").map(drop),
        Status::Pending | Status::Failed => Err(in_progress(live.id)),
    }
}

fn not_payable(order: &Order) -> Error {
    ORDER_NOT_PAYABLE
        .error(format!("the order is {}: only a pending one can be paid, place another", order.status))
        .with("current", order.status)
}

fn in_progress(payment: PaymentId) -> Error {
    PAYMENT_IN_PROGRESS
        .error(format!("payment {payment} is under way: GET /payments/{payment} tells how it ends"))
        .with("payment_id", payment)
}

fn record(tx: &Tx, order: &Order, method: &str, provider: &str) -> Result<PaymentId> {
    let id: PaymentId = tx.new_id();
    let recorded = tx.execute(
        "insert into payments (id, order_id, buyer_id, freelancer_id, amount_minor, currency, status, payment_method,
             provider, provider_key, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9, $10, $10) on conflict do nothing",
        params![
            id,
            order.id,
            order.buyer_id,
            order.freelancer_id,
            order.total().minor(),
            order.total().currency(),
            method,
            provider,
            format!("payment-{id}"),
            tx.now()
        ],
    )?;
    if recorded == 0 {
        let other = queries::live(tx, order.id)?;
        return Err(other.map_or_else(
            || Error::broken(format!("payment {id} could not be recorded")),
            |other| in_progress(other.id),
        ));
    }
    let payment = queries::payment_of(tx, order.id, id)?;
    list_charge(tx, &payment)?;
    calls::begin(tx, &Attempt::of(payment).asked())?;
    events::lease(tx, PAYMENT_ASK, id, tx.now().plus(LOST_AFTER))?;
    Ok(id)
}

/// Takes the buyer's word that he has acted; the provider is asked next. From here on no other payment replaces this one.
pub fn begin_confirmation(
    tx: &Tx,
    actor: &Actor,
    id: PaymentId,
    provider: &dyn Provider,
) -> Result<PaymentId> {
    let payment =
        queries::find(tx, id)?.filter(|payment| payment.is_seen_by(actor)).ok_or_else(error::not_found)?;
    if !actor.is(payment.buyer_id) {
        return Err(FORBIDDEN.error("only its buyer confirms a payment"));
    }
    let order = order_of(tx, &payment)?;
    if payment.status == Status::RequiresAction && order.status != orders::Status::Pending {
        return Err(not_payable(&order));
    }
    if payment.status == Status::RequiresAction && payment.provider != provider.name() {
        return Err(NOT_CONFIRMABLE
            .error(format!(
                "this payment was begun at {}, which is not used any more: pay again with POST /payments",
                payment.provider
            ))
            .with("current", payment.status));
    }
    let taken = tx.execute(
        "update payments set status = 'pending', confirmed = true, version = version + 1, updated_at = $2
         where id = $1 and status = 'requires_action' and order_id = $3",
        params![id, tx.now(), payment.order_id],
    )?;
    if taken == 0 {
        let detail = match payment.failure.as_deref() {
            Some("replaced") => {
                "this payment was replaced by a later one of the same order: confirm that one".to_owned()
            }
            _ => {
                format!("this payment is {}: only one that requires_action can be confirmed", payment.status)
            }
        };
        return Err(NOT_CONFIRMABLE.error(detail).with("current", payment.status));
    }
    calls::begin(tx, &Attempt::of(queries::payment_of(tx, payment.order_id, id)?).asked())?;
    events::lease(tx, PAYMENT_ASK, id, tx.now().plus(LOST_AFTER))?;
    Ok(id)
}
