//! Charges: an attempt is recorded, the provider is asked with no transaction open, and its answer is applied once,
//! whoever brings it.

use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{self, Error, FORBIDDEN, FieldError, Result, TOO_MANY_REQUESTS};
use crate::events;
use crate::form::Unchecked;
use crate::ledger::{self, Account, Journal};
use crate::money::Money;
use crate::orders::{self, Order, OrderId};
use crate::params;

use super::super::calls::{self, Asked};
use super::super::cases;
use super::super::model::{MovementStatus, Pay, Payment, PaymentId, SeenPayment, Sources, Status};
use super::super::{
    ALREADY_PAID, AMOUNT_MISMATCH, NOT_CONFIRMABLE, ORDER_NOT_PAYABLE, PAYMENT_ASK, PAYMENT_DECLINED,
    PAYMENT_IN_PROGRESS, PAYMENT_VOID, queries,
};
use super::refund::{Part, reserve, set_aside};
use super::{list_charge, order_of, tell};
use crate::providers::{Answering, Charge, Outcome, Provider, Unanswered};

/// An attempt whose outcome nobody brought within it is asked for: longer than an answer is waited for. Sooner if the
/// process that is at it dies.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How soon an outcome is asked for again that a person has to look at.
const STRANGE_AGAIN_AFTER: Duration = Duration::from_secs(3_600);

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
             select payment_id, created_at from transactions
             where user_id = $1 and type = 'charge' order by id desc limit 50
         ) as latest join payments p on p.id = latest.payment_id
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
    let payment = queries::payment_of(tx, id)?;
    list_charge(tx, &payment, MovementStatus::Pending)?;
    calls::begin(tx, &Attempt::of(payment).asked())?;
    events::lease(tx, PAYMENT_ASK, id, tx.now().plus(LOST_AFTER))?;
    Ok(id)
}

/// Takes the buyer's word that he has acted; the provider is asked next. From here on no other payment replaces this one.
pub fn begin_confirmation(tx: &Tx, actor: &Actor, id: PaymentId) -> Result<PaymentId> {
    let payment =
        queries::find(tx, id)?.filter(|payment| payment.is_seen_by(actor)).ok_or_else(error::not_found)?;
    if !actor.is(payment.buyer_id) {
        return Err(FORBIDDEN.error("only its buyer confirms a payment"));
    }
    let order = order_of(tx, &payment)?;
    if payment.status == Status::RequiresAction && order.status != orders::Status::Pending {
        return Err(not_payable(&order));
    }
    let taken = tx.execute(
        "update payments set status = 'pending', confirmed = true, version = version + 1, updated_at = $2
         where id = $1 and status = 'requires_action'",
        params![id, tx.now()],
    )?;
    if taken == 0 {
        return Err(NOT_CONFIRMABLE
            .error(format!(
                "this payment is {}: only one that requires_action can be confirmed",
                payment.status
            ))
            .with("current", payment.status));
    }
    calls::begin(tx, &Attempt::of(queries::payment_of(tx, id)?).asked())?;
    events::lease(tx, PAYMENT_ASK, id, tx.now().plus(LOST_AFTER))?;
    Ok(id)
}

/// What the provider is asked about a payment whose outcome is open, and of which state of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub payment: Payment,
    charge: Charge,
}

impl Attempt {
    fn of(payment: Payment) -> Self {
        Self { charge: payment.charge(), payment }
    }

    /// The operation, as it is written down before it is sent. To confirm is one of its own.
    pub fn asked(&self) -> Asked {
        let Charge { key, order_id, amount, payment_method, return_url, .. } = &self.charge;
        let (verb, key) = match self.payment.confirmed {
            true => ("confirm", format!("{key}-confirm")),
            false => ("charge", key.clone()),
        };
        let minor = amount.minor().to_string();
        let words = [
            verb,
            &order_id.to_string(),
            &minor,
            amount.currency().code(),
            payment_method,
            return_url.as_deref().unwrap_or_default(),
        ];
        let order = Some(self.payment.order_id);
        Asked::new(calls::Kind::Charge, key, self.payment.id, order, PAYMENT_ASK, &words)
    }

    /// Asks: the same key and the same words every time, so that it happens once.
    pub fn ask<'a>(&'a self, provider: &'a dyn Provider) -> Answering<'a, Outcome> {
        match self.payment.confirmed {
            true => provider.confirm(&self.charge),
            false => provider.charge(&self.charge),
        }
    }

    /// Looks how it stands, and moves nothing; `None` when the provider has no such charge.
    pub fn look<'a>(&'a self, provider: &'a dyn Provider) -> Answering<'a, Option<Outcome>> {
        provider.look(&self.charge)
    }

    /// Whether `found` says what became of what [`Self::ask`] asks for: a charge that still waits for its buyer was not
    /// confirmed.
    pub fn is_answered_by(&self, found: &Outcome) -> bool {
        !(self.payment.confirmed && matches!(found, Outcome::RequiresAction { .. }))
    }

    /// Gives it up at the provider.
    pub fn void<'a>(&'a self, provider: &'a dyn Provider) -> Answering<'a, Outcome> {
        provider.void(&self.charge)
    }
}

/// The attempt that waits for an outcome; `None` once it is known.
pub fn attempt(tx: &Tx, id: PaymentId) -> Result<Option<Attempt>> {
    let open = queries::find(tx, id)?.filter(|payment| payment.status == Status::Pending);
    Ok(open.map(Attempt::of))
}

/// The attempt that a provider means, by our key or by its own id, however it stands.
pub fn attempt_known_as(tx: &Tx, key: Option<&str>, reference: &str) -> Result<Option<Attempt>> {
    let payment = queries::known_as(tx, key, reference)?;
    Ok(payment.map(Attempt::of))
}

/// Whether nothing has changed about the payment since the provider was asked.
pub fn stands_as(tx: &Tx, asked: &Attempt) -> Result<bool> {
    Ok(queries::payment_of(tx, asked.payment.id)?.version == asked.payment.version)
}

/// The attempt that has failed here and that the provider is to give up; `None` once its money has come all the same.
pub fn abandoned(tx: &Tx, id: PaymentId) -> Result<Option<Attempt>> {
    let failed = queries::find(tx, id)?.filter(|payment| payment.status == Status::Failed);
    Ok(failed.filter(|payment| !payment.late_capture).map(Attempt::of))
}

/// There was no answer to what was sent; it is asked for soon.
pub fn no_answer(tx: &Tx, asked: &Attempt, why: &Unanswered) -> Result<()> {
    match attempt(tx, asked.payment.id)? {
        Some(open) if open.payment.version == asked.payment.version => {
            calls::unanswered(tx, &asked.asked(), why, true)
        }
        _ => Ok(()),
    }
}

/// The provider has never heard of the attempt: it is over, and the order may be paid by another.
pub fn not_executed(tx: &Tx, asked: &Attempt) -> Result<()> {
    if !unchanged(tx, asked)? {
        return Ok(());
    }
    calls::answered(tx, &asked.asked(), "not_executed")?;
    give_up(
        tx,
        &Actor::System,
        &asked.payment,
        "not_executed",
        "The payment never reached the payment provider: nothing was charged, pay again.",
    )
}

/// Ends a payment that is open, here and at the provider, and tells its buyer why.
pub fn give_up(tx: &Tx, actor: &Actor, payment: &Payment, why: &str, message: &str) -> Result<()> {
    let payment = abandon(tx, payment, why)?;
    tell(tx, actor, "payment_failed", &payment, None, Some(message))
}

/// Applies what the provider answered to `asked`. An answer that is no success counts only while the payment stands as
/// it stood when the question was put; a success always counts, for money has moved.
pub fn apply(tx: &Tx, actor: &Actor, asked: &Attempt, outcome: &Outcome) -> Result<()> {
    match outcome {
        Outcome::Succeeded { reference, captured, fee } => {
            calls::answered(tx, &asked.asked(), "succeeded")?;
            succeed(tx, actor, asked.payment.id, &Captured { reference, amount: *captured, fee: *fee })
        }
        Outcome::Declined { reference, code, message } => {
            if !unchanged(tx, asked)? {
                return Ok(());
            }
            calls::answered(tx, &asked.asked(), code)?;
            name(tx, asked, reference)?;
            // Whoever was given the means to go on at the provider still has them.
            let was_handed_out = asked.payment.transaction_id.is_some() || asked.payment.confirmed;
            let payment = match was_handed_out {
                true => abandon(tx, &asked.payment, code)?,
                false => fail(tx, &asked.payment, code)?,
            };
            tell(tx, actor, "payment_failed", &payment, None, Some(message))
        }
        Outcome::RequiresAction { reference, .. } => {
            // It may be known already: a look tells so again.
            if asked.payment.status == Status::RequiresAction || !unchanged(tx, asked)? {
                return Ok(());
            }
            calls::answered(tx, &asked.asked(), "requires_action")?;
            name(tx, asked, reference)?;
            // Nobody will act for an order that was cancelled while the outcome was unknown.
            if order_of(tx, &asked.payment)?.status != orders::Status::Pending {
                return abandon(tx, &asked.payment, "order_cancelled").map(drop);
            }
            tx.execute(
                "update payments set status = 'requires_action', version = version + 1, updated_at = $2 where id = $1",
                params![asked.payment.id, tx.now()],
            )?;
            events::cancel(tx, PAYMENT_ASK, asked.payment.id)?;
            let payment = queries::payment_of(tx, asked.payment.id)?;
            list_charge(tx, &payment, MovementStatus::Pending)?;
            tell(tx, actor, "payment_requires_action", &payment, None, None)
        }
        Outcome::Pending { reference, ask_after } => {
            if !unchanged(tx, asked)? {
                return Ok(());
            }
            calls::answered(tx, &asked.asked(), "pending")?;
            name(tx, asked, reference)?;
            // The buyer has acted, at the provider: no other payment replaces this one any more.
            tx.execute(
                "update payments set status = 'pending', version = version + 1, updated_at = $2
                 where id = $1 and status = 'requires_action'",
                params![asked.payment.id, tx.now()],
            )?;
            events::schedule(tx, PAYMENT_ASK, asked.payment.id, tx.now().plus(*ask_after))
        }
        Outcome::Strange { reference, what } => {
            name(tx, asked, reference)?;
            let payment = &asked.payment;
            cases::open(
                tx,
                cases::Kind::Strange,
                payment.id,
                Some(payment.order_id),
                &json!({ "said": what }),
            )?;
            events::schedule(tx, PAYMENT_ASK, payment.id, tx.now().plus(STRANGE_AGAIN_AFTER))
        }
    }
}

/// What a provider has taken.
struct Captured<'a> {
    reference: &'a str,
    amount: Money,
    fee: Option<Money>,
}

/// Whether the payment is open and still stands as it stood when the provider was asked.
fn unchanged(tx: &Tx, asked: &Attempt) -> Result<bool> {
    tx.exists(
        "select 1 from payments where id = $1 and status in ('pending', 'requires_action') and version = $2",
        params![asked.payment.id, asked.payment.version],
    )
}

/// Notes the provider's id of the charge, if it has made one.
fn name(tx: &Tx, asked: &Attempt, reference: &str) -> Result<()> {
    if reference.is_empty() {
        return Ok(());
    }
    tx.execute(
        "update payments set transaction_id = $2, version = version + 1, updated_at = $3
         where id = $1 and transaction_id is null",
        params![asked.payment.id, reference, tx.now()],
    )?;
    Ok(())
}

/// The charge succeeded: the money is in escrow, or goes straight back if the order no longer waits for it.
fn succeed(tx: &Tx, actor: &Actor, id: PaymentId, taken: &Captured) -> Result<()> {
    let before = queries::payment_of(tx, id)?;
    if taken.amount != before.amount {
        // Booking either amount would be a guess.
        let said = json!({ "reference": taken.reference, "captured": taken.amount, "currency": taken.amount.currency() });
        cases::open(tx, cases::Kind::IntegrityFailure, id, Some(before.order_id), &said)?;
        return events::schedule(tx, PAYMENT_ASK, id, tx.now().plus(STRANGE_AGAIN_AFTER));
    }
    let changed = tx.execute(
        "update payments set status = 'success', transaction_id = $2, version = version + 1, updated_at = $3
         where id = $1 and status in ('pending', 'requires_action')",
        params![id, taken.reference, tx.now()],
    )?;
    let payment = queries::payment_of(tx, id)?;
    if changed == 0 {
        return match payment.status {
            Status::Failed => captured_late(tx, &payment, taken),
            _ => Ok(()),
        };
    }
    events::cancel(tx, PAYMENT_ASK, id)?;
    book(tx, &payment, taken)?;
    list_charge(tx, &payment, MovementStatus::Success)?;
    tell(tx, actor, "payment_succeeded", &payment, None, None)?;
    if !orders::mark_paid(tx, payment.order_id)? {
        let order = order_of(tx, &payment)?;
        let reason = format!("The payment arrived when the order was {} already.", order.status);
        reserve(tx, &Actor::System, &payment, &order, payment.amount, &reason)?;
    }
    Ok(())
}

/// The money is in escrow, less what the provider keeps of it, which the house bears.
fn book(tx: &Tx, payment: &Payment, taken: &Captured) -> Result<()> {
    let (order, minor) = (payment.order_id.cast(), payment.amount.minor());
    ledger::post(
        tx,
        &Journal {
            order_id: order,
            kind: "charge",
            cause_id: payment.id.cast(),
            currency: payment.amount.currency(),
            lines: &[(Account::Provider, -minor), (Account::Escrow(order), minor)],
        },
    )?;
    let own = |fee: &Money| fee.minor() > 0 && fee.currency() == payment.amount.currency();
    let Some(fee) = taken.fee.filter(own) else { return Ok(()) };
    ledger::post(
        tx,
        &Journal {
            order_id: order,
            kind: "provider_fee",
            cause_id: payment.id.cast(),
            currency: fee.currency(),
            lines: &[(Account::Costs, -fee.minor()), (Account::Provider, fee.minor())],
        },
    )
}

/// A charge succeeded whose payment had failed here, which is final: another may have paid the order since. The money is
/// booked, goes back in the same transaction, and a person learns of it.
fn captured_late(tx: &Tx, payment: &Payment, taken: &Captured) -> Result<()> {
    let first = tx.execute(
        "update payments set late_capture = true, transaction_id = coalesce(transaction_id, $2), version = version + 1,
             updated_at = $3
         where id = $1 and status = 'failed' and late_capture = false",
        params![payment.id, taken.reference, tx.now()],
    )?;
    if first == 0 {
        return Ok(());
    }
    book(tx, payment, taken)?;
    let payment = queries::payment_of(tx, payment.id)?;
    let why = payment.failure.as_deref().unwrap_or("failed");
    let held = Sources { escrow: payment.amount.minor(), ..Sources::default() };
    // Why it had failed is between the buyer and the provider: both parties read this.
    let reason = "The charge succeeded after its payment had failed.";
    let part = Part { amount: payment.amount, taken: held, reason };
    let refund = set_aside(tx, &Actor::System, &payment, &order_of(tx, &payment)?, &part)?;
    let said = json!({ "reference": taken.reference, "failure": why, "refund_id": refund.id });
    cases::open(tx, cases::Kind::CapturedAfterFailure, payment.id, Some(payment.order_id), &said)?;
    metrics::counter!("payments_captured_after_failure_total").increment(1);
    Ok(())
}

/// The attempt is over without money; the order may be paid by another. The payment as it is then.
fn fail(tx: &Tx, payment: &Payment, why: &str) -> Result<Payment> {
    tx.execute(
        "update payments set status = 'failed', failure = $2, version = version + 1, updated_at = $3
         where id = $1 and status in ('pending', 'requires_action')",
        params![payment.id, why, tx.now()],
    )?;
    events::cancel(tx, PAYMENT_ASK, payment.id)?;
    let payment = queries::payment_of(tx, payment.id)?;
    list_charge(tx, &payment, MovementStatus::Failed)?;
    Ok(payment)
}

/// The same for one that the provider has not decided: it is told to give it up as well.
fn abandon(tx: &Tx, payment: &Payment, why: &str) -> Result<Payment> {
    events::schedule(tx, PAYMENT_VOID, payment.id, tx.now())?;
    fail(tx, payment, why)
}

/// Gives up a payment that waits for its buyer's action on an order that was cancelled.
pub fn void_unconfirmed(tx: &Tx, order: OrderId) -> Result<()> {
    match queries::live(tx, order)? {
        Some(payment) if payment.status == Status::RequiresAction => {
            abandon(tx, &payment, "order_cancelled").map(drop)
        }
        _ => Ok(()),
    }
}

/// 402 with the payment that was recorded as failed.
pub fn declined(payment: SeenPayment) -> Error {
    let why = payment.failure.as_deref().unwrap_or("declined").replace('_', " ");
    PAYMENT_DECLINED
        .error(format!("the payment was declined ({why}): nothing was charged, pay with another method"))
        .with("payment", payment)
}
