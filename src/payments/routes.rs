//! The operations on payments.

use std::time::Duration;

use serde_json::json;

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::form::{Form, Nothing};
use crate::http::{Access, Answer, Begun, Call, Operation, Param, RateClass, get, post};
use crate::id::Id;
use crate::orders;
use crate::page::Page;
use crate::time::Time;

use super::model::{
    AcceptedPayment, Filter, MovementKind, MovementStatus, NextAction, Pay, Payment, PaymentId,
    RequestRefund, SeenPayment, SeenRefund, Status, Transaction,
};
use super::{
    ALREADY_PAID, ALREADY_RELEASED, AMOUNT_MISMATCH, Attempt, NOT_CONFIRMABLE, ORDER_DISPUTED,
    ORDER_NOT_PAYABLE, PAID_OUT_ALREADY, PAYMENT_DECLINED, PAYMENT_IN_PROGRESS, PAYMENT_NOT_REFUNDABLE,
    REFUND_EXCEEDS_CAPTURED, REFUND_IN_PROGRESS, cases, chargebacks, commands, debts, queries, rehearsal,
};
use crate::failpoint;
use crate::providers::patiently;

const EXAMPLE_ID: &str = "01990000-0000-7000-8000-000000000001";

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/payments", pay)
            .named("pay", "Pay an order")
            .about("Two at once, or one retried, never charge twice: an order has one payment under way at most. A new payment replaces one that requires_action.")
            .access(Access::Signed, "the order's buyer")
            .rate(RateClass::Pay)
            .body::<Pay>(json!({ "order_id": EXAMPLE_ID, "payment_method": "pm_card_visa" }))
            .answers::<SeenPayment>(201, "The payment succeeded; the money is held until the order is completed.")
            .answers::<AcceptedPayment>(202, "The payment is pending, or requires_action of the buyer.")
            .located()
            .problems(&[&PAYMENT_DECLINED, &AMOUNT_MISMATCH, &ALREADY_PAID, &PAYMENT_IN_PROGRESS, &ORDER_NOT_PAYABLE]),
        get("/payments/transactions", list)
            .named("listTransactions", "List movements of money")
            .about("Every movement and every attempted charge, newest first: charges and refunds for the buyer, releases, fees, payouts, and what was taken back or set off for the freelancer.")
            .access(Access::Signed, "anyone, their own; an administrator all")
            .query(filters())
            .paged()
            .answers::<Page<Transaction>>(200, "A page of transactions."),
        get("/payments/{id}", show)
            .named("getPayment", "Read a payment")
            .access(Access::Signed, "the order's buyer and freelancer, administrators")
            .answers::<SeenPayment>(200, "The payment.")
            .versioned(),
        post("/payments/{id}/confirm", confirm)
            .named("confirmPayment", "Confirm a payment that requires_action")
            .access(Access::Signed, "the order's buyer")
            .rate(RateClass::Pay)
            .answers::<SeenPayment>(200, "The payment succeeded.")
            .answers::<AcceptedPayment>(202, "The provider has not decided yet, or requires another action.")
            .problems(&[&PAYMENT_DECLINED, &NOT_CONFIRMABLE, &ORDER_NOT_PAYABLE]),
        get("/payments/{id}/refunds", list_refunds)
            .named("listRefunds", "List the refunds of a payment")
            .about("Newest first: how each stands, and why it was ordered.")
            .access(Access::Signed, "the order's buyer and freelancer, administrators")
            .paged()
            .answers::<Page<SeenRefund>>(200, "A page of refunds."),
        post("/payments/{id}/refunds", refund)
            .named("refundPayment", "Give money back")
            .about("A full refund of an active or delivered order cancels it. Of a completed one with `after_release`: the freelancer's part comes out of what the order earned and is not paid out yet, and the house gives its fees back pro rata. What was paid out only an administrator gives back: it becomes a debt that is set off against the next releases. One such refund of an order is under way at a time.")
            .access(Access::Signed, "the order's freelancer, administrators")
            .rate(RateClass::Refund)
            .body::<RequestRefund>(json!({ "amount": "10.00", "reason": "One of the two drafts was not needed." }))
            .answers::<SeenRefund>(201, "The refund; the money is reserved and on its way.")
            .problems(&[&REFUND_EXCEEDS_CAPTURED, &ALREADY_RELEASED, &PAID_OUT_ALREADY, &REFUND_IN_PROGRESS, &ORDER_DISPUTED, &orders::CHARGEBACK_OPEN, &PAYMENT_NOT_REFUNDABLE]),
    ];
    let operations = operations
        .into_iter()
        .chain(cases::routes::operations())
        .chain(chargebacks::operations())
        .chain(debts::operations())
        .chain(rehearsal::operations());
    operations.map(|operation| operation.tagged("Payments")).collect()
}

fn filters() -> Vec<Param> {
    let words = |words: Vec<&str>| json!({ "type": "string", "enum": words });
    let moment = || json!({ "type": "string", "format": "date-time" });
    vec![
        Param::new(
            "type",
            "Only movements of this type.",
            words(MovementKind::ALL.iter().map(|kind| kind.as_str()).collect()),
        ),
        Param::new(
            "status",
            "Only movements that stand so.",
            words(MovementStatus::ALL.iter().map(|status| status.as_str()).collect()),
        ),
        Param::new("order_id", "Only those of this order.", json!({ "type": "string" })),
        Param::new("from", "Only from this moment on.", moment()),
        Param::new("to", "Only before this moment.", moment()),
    ]
}

async fn pay(call: Call<Pay>) -> Result<Answer> {
    let limited = !call.app.rate_limits().are_off();
    let begun = call
        .begin(move |tx, call| {
            attempted(tx, commands::begin(tx, &call.actor, &call.body, call.app.provider(), limited)?)
        })
        .await?;
    go_on(call, begun, |payment| Ok(Answer::created(payment)?.at(format!("/payments/{}", payment.id)))).await
}

async fn confirm(call: Call) -> Result<Answer> {
    let begun = call
        .begin(|tx, call| {
            let id = commands::begin_confirmation(tx, &call.actor, call.id("id"), call.app.provider())?;
            attempted(tx, id)
        })
        .await?;
    go_on(call, begun, Answer::ok).await
}

async fn refund(call: Call<RequestRefund>) -> Result<Answer> {
    call.write(|tx, call| {
        let refund = commands::request_refund(tx, &call.actor, call.id("id"), &call.body)?;
        let payment = queries::payment_of(tx, refund.order_id, refund.payment_id)?;
        Answer::created(&queries::seen_refund(tx, &call.actor, &payment, &refund)?)
    })
    .await
}

async fn list_refunds(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let page = queries::refunds(tx, &call.actor, call.id("id"), &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let payment = queries::seen(tx, &call.actor, call.id("id"))?;
        Ok(Answer::ok(&payment.seen_by(&call.actor))?.etag(payment.version, &payment.needs_review))
    })
    .await
}

async fn list(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let page = queries::transactions(tx, &call.actor, &filter(call)?, &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}

fn filter(call: &Call<Nothing>) -> Result<Filter> {
    let moment = "a moment as RFC 3339 writes it, such as 2026-01-31T00:00:00Z";
    Ok(Filter {
        kind: call.query.parsed(
            "type",
            "one of charge, refund, release, fee, payout, clawback, fee_return, offset",
            MovementKind::parse,
        )?,
        status: call.query.parsed("status", "one of pending, success, failed", MovementStatus::parse)?,
        order_id: call.query.text("order_id").map(Id::from_wire),
        from: call.query.parsed("from", moment, Time::parse)?,
        to: call.query.parsed("to", moment, Time::parse)?,
    })
}

/// How long the books are waited for when the provider gave no answer.
const UNTOLD: Duration = Duration::from_millis(500);

/// What a payment that succeeded is answered with.
type Succeeded = fn(&SeenPayment) -> Result<Answer>;

/// The second and third step of a charge. They run in a task of their own: a client that hangs up does not cut them off
/// between the provider's answer and our books.
async fn go_on<F: Form>(
    call: Call<F>,
    begun: Begun<Payment, Attempt>,
    succeeded: Succeeded,
) -> Result<Answer> {
    match begun {
        Begun::Replayed(answer) => Ok(answer),
        Begun::Resumed(id) => call.finish(move |tx, call| resumed(tx, call, id, succeeded)).await,
        Begun::Started(attempt) => {
            failpoint::reach("charge:begun");
            let begun = attempt.payment.seen_by(&call.actor);
            tokio::spawn(carry_out(call, attempt, succeeded)).await.unwrap_or_else(|failed| {
                tracing::error!(payment = %begun.id, %failed, "a payment was cut off; its outcome is asked for");
                accepted(&begun)
            })
        }
    }
}

/// A payment that was just begun, and what the provider is asked about it.
fn attempted(tx: &Tx, id: PaymentId) -> Result<(PaymentId, Attempt)> {
    let attempt = commands::attempt(tx, id)?;
    Ok((id, attempt.ok_or_else(|| Error::broken("a payment was decided as it was begun"))?))
}

async fn carry_out<F: Form>(call: Call<F>, attempt: Attempt, succeeded: Succeeded) -> Result<Answer> {
    let id = attempt.payment.id;
    let outcome = patiently(attempt.ask(call.app.provider())).await;
    failpoint::reach("charge:sent");
    if let Err(unknown) = &outcome {
        tracing::warn!(payment = %id, %unknown, "a payment stays pending");
    }
    // Whoever was told nothing need not wait until that is written down: it is, whether he waits or not.
    let patience = if outcome.is_ok() { Duration::MAX } else { UNTOLD };
    let next_action = outcome.as_ref().ok().and_then(NextAction::of);
    let asked = attempt.clone();
    let finished = call.finish(move |tx, call| {
        match &outcome {
            Ok(outcome) => commands::apply(tx, &call.actor, &asked, outcome)?,
            Err(why) => commands::no_answer(tx, &asked, why)?,
        }
        answer(tx, call, id, succeeded)
    });
    let finished = tokio::time::timeout(patience, finished)
        .await
        .unwrap_or_else(|late| Err(Error::Internal(late.into())));
    failpoint::reach("charge:applied");
    // The provider was asked, so whatever fails now is no reason to say that nothing was done: the timer asks again.
    let answer = finished.or_else(|error| {
        tracing::error!(payment = %id, %error, "the outcome of a payment could not be booked; it is asked for again");
        accepted(&attempt.payment.seen_by(&call.actor))
    })?;
    // Beside the answer that is kept: whoever has the buyer's secret can go on in his name, so it is stored nowhere.
    match next_action {
        Some(next_action) if answer.is_accepted() => answer.also("next_action", &next_action),
        _ => Ok(answer),
    }
}

/// The answer to a payment as it stands.
fn answer<F: Form>(tx: &Tx, call: &Call<F>, id: PaymentId, succeeded: Succeeded) -> Result<Answer> {
    let payment = queries::find(tx, id)?.ok_or_else(|| gone(id))?;
    let seen = payment.seen_by(&call.actor);
    match payment.status {
        Status::Success => Ok(succeeded(&seen)?.etag(payment.version, &payment.needs_review)),
        Status::Failed => Answer::refusal(&commands::declined(seen)),
        Status::Pending | Status::RequiresAction => accepted(&seen),
    }
}

fn gone(id: PaymentId) -> Error {
    Error::broken(format!("payment {id} is gone"))
}

/// The answer to a request that was cut off before its answer: only what is decided is one.
fn resumed<F: Form>(tx: &Tx, call: &Call<F>, id: PaymentId, succeeded: Succeeded) -> Result<Answer> {
    match queries::find(tx, id)?.ok_or_else(|| gone(id))?.status {
        Status::Pending => Err(crate::error::IDEMPOTENCY_IN_PROGRESS
            .error(format!("the outcome of payment {id} is being asked for: send it again in a second"))
            .retry_after(1)),
        _ => answer(tx, call, id, succeeded),
    }
}

fn accepted(payment: &SeenPayment) -> Result<Answer> {
    Ok(Answer::accepted(payment)?.at(format!("/payments/{}", payment.id)))
}
