//! The operations on disputes.

use serde_json::json;

use crate::db::Tx;
use crate::error::{FORBIDDEN, NOT_FOUND, Result};
use crate::form::Nothing;
use crate::http::{Access, Answer, Call, Operation, RateClass, delete, get, post};
use crate::orders::{INVALID_TRANSITION, Order};
use crate::page::Page;

use super::model::{
    AcceptSettlement, DecideDispute, Dispute, DisputeMessage, OfferSettlement, OpenDispute, SeenDispute,
    WriteInDispute,
};
use super::{DISPUTE_CLOSED, OFFER_CHANGED, commands, queries};

const SIDES: &str = "the order's buyer and its freelancer";
const CONCERNED: &str = "the order's buyer, its freelancer, administrators";

/// The operations that orders serve too.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/orders/{id}/dispute", open)
            .named("openDispute", "Open a dispute")
            .about("Freezes the money and the deadlines of an active or delivered order. Agree on a split with the settlement operations; if the other side says nothing until `decide_by`, it ends as you wish; if you cannot agree, an administrator decides.")
            .access(Access::Signed, SIDES)
            .body::<OpenDispute>(json!({ "reason": "Half of the drawings are missing.", "wants": "20.00" }))
            .answers::<SeenDispute>(201, "The dispute.")
            .located()
            .problems(&[&FORBIDDEN, &NOT_FOUND, &INVALID_TRANSITION]),
        get("/orders/{id}/dispute", show)
            .named("getDispute", "Read a dispute")
            .about("The latest about this order; 404 when there never was one.")
            .access(Access::Signed, CONCERNED)
            .answers::<SeenDispute>(200, "The dispute.")
            .versioned(),
        post("/orders/{id}/dispute/messages", write)
            .named("writeInDispute", "Write about a dispute")
            .access(Access::Signed, CONCERNED)
            .rate(RateClass::Message)
            .body::<WriteInDispute>(json!({ "message": "The files are in the second archive." }))
            .answers::<DisputeMessage>(201, "The message.")
            .problems(&[&NOT_FOUND, &DISPUTE_CLOSED]),
        get("/orders/{id}/dispute/messages", messages)
            .named("listDisputeMessages", "Read what was written about a dispute")
            .access(Access::Signed, CONCERNED)
            .paged()
            .answers::<Page<DisputeMessage>>(200, "The messages, newest first."),
        post("/orders/{id}/dispute/decision", decide)
            .named("decideDispute", "Decide a dispute")
            .about("Any split from nothing to everything, by `refund_amount` or by `refund_percent` of what is held. The order is cancelled when everything goes back, completed otherwise.")
            .access(Access::Signed, "administrators")
            .body::<DecideDispute>(json!({ "refund_percent": 40, "reason": "Two of five drawings were not delivered." }))
            .answers::<SeenDispute>(200, "The dispute, decided.")
            .problems(&[&FORBIDDEN, &NOT_FOUND, &DISPUTE_CLOSED]),
        post("/orders/{id}/settlement", offer)
            .named("offerSettlement", "Offer a split")
            .about("Replaces what you offered before. The other side accepts it, or offers something else.")
            .access(Access::Signed, SIDES)
            .body::<OfferSettlement>(json!({ "refund_amount": "15.00", "message": "For the two that are missing." }))
            .answers::<SeenDispute>(201, "The dispute with your offer.")
            .problems(&[&FORBIDDEN, &NOT_FOUND, &DISPUTE_CLOSED]),
        delete("/orders/{id}/settlement", withdraw)
            .named("withdrawSettlement", "Take your offer back")
            .access(Access::Signed, SIDES)
            .answers_nothing("It can no longer be accepted.")
            .problems(&[&FORBIDDEN, &NOT_FOUND, &DISPUTE_CLOSED]),
        post("/orders/{id}/settlement/accept", accept)
            .named("acceptSettlement", "Accept a split")
            .about("Names the amount, so that an offer which was replaced meanwhile is not accepted by mistake. The money moves at once.")
            .access(Access::Signed, SIDES)
            .body::<AcceptSettlement>(json!({ "refund_amount": "15.00" }))
            .answers::<SeenDispute>(200, "The dispute, settled.")
            .problems(&[&FORBIDDEN, &NOT_FOUND, &DISPUTE_CLOSED, &OFFER_CHANGED]),
    ];
    operations.into_iter().map(|operation| operation.tagged("Orders")).collect()
}

async fn open(call: Call<OpenDispute>) -> Result<Answer> {
    call.write(|tx, call| {
        let left = commands::open(tx, &call.actor, call.id("id"), &call.body)?;
        let location = format!("/orders/{}/dispute", left.0.id);
        Ok(answer(tx, left, Answer::created)?.at(location))
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| answer(tx, queries::seen(tx, &call.actor, call.id("id"))?, Answer::ok)).await
}

async fn write(call: Call<WriteInDispute>) -> Result<Answer> {
    call.write(|tx, call| Answer::created(&commands::write(tx, &call.actor, call.id("id"), &call.body)?))
        .await
}

async fn messages(call: Call) -> Result<Answer> {
    let page = call.page()?;
    call.read(move |tx, call| {
        let messages = queries::messages(tx, &call.actor, call.id("id"), &page)?;
        call.list(&messages, messages.next_cursor.as_deref())
    })
    .await
}

async fn decide(call: Call<DecideDispute>) -> Result<Answer> {
    call.write(|tx, call| {
        answer(tx, commands::decide(tx, &call.actor, call.id("id"), &call.body)?, Answer::ok)
    })
    .await
}

async fn offer(call: Call<OfferSettlement>) -> Result<Answer> {
    call.write(|tx, call| {
        answer(tx, commands::offer(tx, &call.actor, call.id("id"), &call.body)?, Answer::created)
    })
    .await
}

async fn withdraw(call: Call<Nothing>) -> Result<Answer> {
    call.write(|tx, call| {
        commands::withdraw(tx, &call.actor, call.id("id"))?;
        Answer::no_content()
    })
    .await
}

async fn accept(call: Call<AcceptSettlement>) -> Result<Answer> {
    call.write(|tx, call| {
        answer(tx, commands::accept(tx, &call.actor, call.id("id"), &call.body)?, Answer::ok)
    })
    .await
}

/// The dispute; what is held belongs to payments, so the ETag covers it beside the version.
fn answer(
    tx: &Tx,
    (order, dispute): (Order, Dispute),
    with: fn(&SeenDispute) -> Result<Answer>,
) -> Result<Answer> {
    let version = dispute.version;
    let whole = queries::whole(tx, &order, dispute)?;
    Ok(with(&whole)?.etag(version, &whole.held))
}
