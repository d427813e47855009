//! Charges: the provider is asked with no transaction open about an attempt that was recorded, and its answer is applied
//! once, whoever brings it.

use std::time::Duration;

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::ledger::{self, Account, Journal};
use crate::money::Money;
use crate::orders::{self, OrderId};
use crate::params;

use super::super::calls::{self, Asked};
use super::super::cases;
use super::super::model::{MovementStatus, Payment, PaymentId, SeenPayment, Sources, Status};
use super::super::{PAYMENT_ASK, PAYMENT_DECLINED, PAYMENT_VOID, queries};
use super::refund::{Part, reserve, set_aside};
use super::{order_of, relist_charge, tell};
use crate::providers::{Answering, Charge, Outcome, Provider, Unanswered};

/// How soon an outcome is asked for again that a person has to look at.
const STRANGE_AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// What the provider is asked about a payment whose outcome is open, and of which state of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub payment: Payment,
    charge: Charge,
}

impl Attempt {
    pub(super) fn of(payment: Payment) -> Self {
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
    let payment = queries::payment_of(tx, asked.payment.order_id, asked.payment.id)?;
    Ok(payment.version == asked.payment.version)
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

/// A charge that is under way although its order is off may still take the buyer's money: after a day a person looks.
fn look_after(tx: &Tx, payment: &Payment) -> Result<()> {
    let order = order_of(tx, payment)?;
    if order.status != orders::Status::Cancelled || payment.created_at.plus(calls::KEY_LIVES) > tx.now() {
        return Ok(());
    }
    let said = json!({ "said": "still under way", "order": order.status, "begun_at": payment.created_at });
    cases::open(tx, cases::Kind::StillPending, payment.id, Some(order.id), &said)
}

/// Applies what the provider answered to `asked`. An answer that is no success counts only while the payment stands as
/// it stood when the question was put; a success always counts, for money has moved.
pub fn apply(tx: &Tx, actor: &Actor, asked: &Attempt, outcome: &Outcome) -> Result<()> {
    match outcome {
        Outcome::Succeeded { reference, captured, fee } => {
            calls::answered(tx, &asked.asked(), "succeeded")?;
            cases::settle(tx, cases::Kind::StillPending, asked.payment.id, "answered")?;
            succeed(tx, actor, asked, &Captured { reference, amount: *captured, fee: *fee })
        }
        Outcome::Declined { reference, code, message } => {
            if !unchanged(tx, asked)? {
                return Ok(());
            }
            calls::answered(tx, &asked.asked(), code)?;
            cases::settle(tx, cases::Kind::StillPending, asked.payment.id, "answered")?;
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
            tx.send(
                "update payments set status = 'requires_action', version = version + 1, updated_at = $2
                 where id = $1 and order_id = $3",
                params![asked.payment.id, tx.now(), asked.payment.order_id],
            )?;
            events::cancel(tx, PAYMENT_ASK, asked.payment.id)?;
            let payment = queries::payment_of(tx, asked.payment.order_id, asked.payment.id)?;
            relist_charge(tx, &payment, MovementStatus::Pending)?;
            tell(tx, actor, "payment_requires_action", &payment, None, None)
        }
        Outcome::Pending { reference, ask_after } => {
            if !unchanged(tx, asked)? {
                return Ok(());
            }
            calls::answered(tx, &asked.asked(), "pending")?;
            name(tx, asked, reference)?;
            // The buyer has acted, at the provider: no other payment replaces this one any more.
            tx.send(
                "update payments set status = 'pending', version = version + 1, updated_at = $2
                 where id = $1 and status = 'requires_action' and order_id = $3",
                params![asked.payment.id, tx.now(), asked.payment.order_id],
            )?;
            look_after(tx, &asked.payment)?;
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
        "select 1 from payments
         where id = $1 and status in ('pending', 'requires_action') and version = $2 and order_id = $3",
        params![asked.payment.id, asked.payment.version, asked.payment.order_id],
    )
}

/// Notes the provider's id of the charge, if it has made one.
fn name(tx: &Tx, asked: &Attempt, reference: &str) -> Result<()> {
    if reference.is_empty() {
        return Ok(());
    }
    tx.send(
        "update payments set transaction_id = $2, version = version + 1, updated_at = $3
         where id = $1 and transaction_id is null and order_id = $4",
        params![asked.payment.id, reference, tx.now(), asked.payment.order_id],
    )
}

/// The charge succeeded: the money is in escrow, or goes straight back if the order no longer waits for it.
fn succeed(tx: &Tx, actor: &Actor, asked: &Attempt, taken: &Captured) -> Result<()> {
    let (order, id) = (asked.payment.order_id, asked.payment.id);
    let before = queries::payment_of(tx, order, id)?;
    if taken.amount != before.amount {
        // Booking either amount would be a guess.
        let said = json!({ "reference": taken.reference, "captured": taken.amount, "currency": taken.amount.currency() });
        cases::open(tx, cases::Kind::IntegrityFailure, id, Some(before.order_id), &said)?;
        return events::schedule(tx, PAYMENT_ASK, id, tx.now().plus(STRANGE_AGAIN_AFTER));
    }
    let changed = tx.execute(
        "update payments set status = 'success', transaction_id = $2, version = version + 1, updated_at = $3
         where id = $1 and status in ('pending', 'requires_action') and order_id = $4",
        params![id, taken.reference, tx.now(), order],
    )?;
    let payment = queries::payment_of(tx, order, id)?;
    if changed == 0 {
        return match payment.status {
            Status::Failed => captured_late(tx, &payment, taken),
            _ => book_fee(tx, &payment, taken),
        };
    }
    events::cancel(tx, PAYMENT_ASK, id)?;
    book(tx, &payment, taken)?;
    relist_charge(tx, &payment, MovementStatus::Success)?;
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
    book_fee(tx, payment, taken)
}

/// What the provider keeps, once it says so: with the charge or later.
fn book_fee(tx: &Tx, payment: &Payment, taken: &Captured) -> Result<()> {
    let own = |fee: &Money| fee.minor() > 0 && fee.currency() == payment.amount.currency();
    let Some(fee) = taken.fee.filter(own) else { return Ok(()) };
    let is_known = tx.exists(
        "select 1 from ledger_journals where cause_id = $1 and kind = 'provider_fee' and order_id = $2
         union all select 1 from cases where order_id = $2 and kind = 'fee_drift' and resolution = 'booked'",
        params![payment.id, payment.order_id],
    )?;
    if is_known {
        return Ok(());
    }
    ledger::post(
        tx,
        &Journal {
            order_id: payment.order_id.cast(),
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
         where id = $1 and status = 'failed' and late_capture = false and order_id = $4",
        params![payment.id, taken.reference, tx.now(), payment.order_id],
    )?;
    if first == 0 {
        return Ok(());
    }
    book(tx, payment, taken)?;
    let payment = queries::payment_of(tx, payment.order_id, payment.id)?;
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
    tx.send(
        "update payments set status = 'failed', failure = $2, version = version + 1, updated_at = $3
         where id = $1 and status in ('pending', 'requires_action') and order_id = $4",
        params![payment.id, why, tx.now(), payment.order_id],
    )?;
    events::cancel(tx, PAYMENT_ASK, payment.id)?;
    let payment = queries::payment_of(tx, payment.order_id, payment.id)?;
    relist_charge(tx, &payment, MovementStatus::Failed)?;
    Ok(payment)
}

/// The same for one that the provider has not decided: it is told to give it up as well.
pub(super) fn abandon(tx: &Tx, payment: &Payment, why: &str) -> Result<Payment> {
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
