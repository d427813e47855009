//! The operations on orders.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{self, NOT_FOUND, Result, TOO_MANY_REQUESTS};
use crate::failpoint;
use crate::form::Nothing;
use crate::http::{Access, Answer, Call, Operation, Param, delete, get, patch, post, put};
use crate::id::Id;
use crate::listings;
use crate::page::Page;

use super::model::{ChangeOrder, Happening, Order, PlaceOrder, SeenOrder, Side, Status};
use super::queries::{self, Filter};
use super::shares::Explanation;
use super::{CHARGEBACK_OPEN, INVALID_TRANSITION, OWN_SERVICE, REQUIREMENTS_FROZEN, commands};

const CHANGE: &str = "Asks for the next status, or changes the requirements. The status that it has already changes nothing. \
    `transitions` lists what you may ask for now; a status that your side can never ask for is 403, one that is not \
    possible from here 409. An administrator's `completed` or `cancelled` of a disputed order decides the dispute, with \
    `message` as its reason if there is one; POST /orders/{id}/dispute/decision asks for the reason.";

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/orders", place)
            .named("placeOrder", "Place an order")
            .about("Price, fees, title and delivery days are those of this moment and stay. Pay with POST /payments before `pay_by`.")
            .access(Access::Signed, "accounts with role buyer or both")
            .body::<PlaceOrder>(json!({ "service_id": "018f2b6a-0000-7000-8000-000000000000", "requirements": "A logo with a heron." }))
            .answers::<SeenOrder>(201, "The order, waiting for its payment.")
            .located()
            .problems(&[&OWN_SERVICE, &listings::SERVICE_UNAVAILABLE, &TOO_MANY_REQUESTS]),
        get("/orders", list)
            .named("listOrders", "List your orders")
            .access(Access::Signed, "anyone, their own; administrators all")
            .query(vec![
                Param::new("role", "Only those where you are on this side.", json!({ "type": "string", "enum": ["buyer", "freelancer"] })),
                Param::new("status", "Only those that stand there.", <Status as crate::form::Field>::schema()),
                Param::new("service_id", "Only those of this service.", json!({ "type": "string" })),
            ])
            .paged()
            .answers::<Page<SeenOrder>>(200, "Orders, newest first."),
        get("/orders/{id}", show)
            .named("getOrder", "Read an order")
            .access(Access::Signed, "its buyer, its freelancer, administrators")
            .answers::<SeenOrder>(200, "The order.")
            .versioned(),
        changing(put("/orders/{id}", change)).named("updateOrder", "Move an order on"),
        changing(patch("/orders/{id}", change)).named("patchOrder", "Move an order on"),
        delete("/orders/{id}", cancel)
            .named("cancelOrder", "Cancel an order")
            .about("The same as asking for `cancelled`. What was paid goes back.")
            .access(Access::Signed, "its buyer, its freelancer, administrators")
            .answers::<SeenOrder>(200, "The cancelled order.")
            .problems(&[&INVALID_TRANSITION, &CHARGEBACK_OPEN])
            .versioned(),
        get("/orders/{id}/timeline", timeline)
            .named("getOrderTimeline", "Read what happened to an order")
            .access(Access::Signed, "its buyer, its freelancer, administrators")
            .paged()
            .answers::<Page<Happening>>(200, "What happened, newest first."),
        get("/admin/fees/explain", explain)
            .named("explainFees", "Explain the fees of an order")
            .about("What was agreed when it was placed and why, what was given back of it, and what is kept now. `sums` writes it out to be added up.")
            .access(Access::Signed, "administrators")
            .query(vec![Param::new("order", "The order; it must be given.", json!({ "type": "string" }))])
            .answers::<Explanation>(200, "The fees of the order.")
            .problems(&[&NOT_FOUND]),
    ];
    operations.into_iter().map(|operation| operation.tagged("Orders")).collect()
}

fn changing(operation: Operation) -> Operation {
    operation
        .about(CHANGE)
        .access(Access::Signed, "its buyer, its freelancer, administrators, each their own steps")
        .body::<ChangeOrder>(json!({ "status": "delivered", "message": "Here it is." }))
        .answers::<SeenOrder>(200, "The order as it stands now.")
        .problems(&[&INVALID_TRANSITION, &REQUIREMENTS_FROZEN, &CHARGEBACK_OPEN])
        .versioned()
}

async fn place(call: Call<PlaceOrder>) -> Result<Answer> {
    call.write(|tx, call| {
        let order = commands::place(tx, &call.actor, &call.body)?;
        Ok(answer(tx, &call.actor, &order, Answer::created)?.at(format!("/orders/{}", order.id)))
    })
    .await
}

async fn list(call: Call) -> Result<Answer> {
    let role = |word: &str| Side::parse(word).filter(|side| matches!(side, Side::Buyer | Side::Freelancer));
    let filter = Filter {
        side: call.query.parsed("role", "buyer or freelancer", role)?,
        status: call.query.parsed(
            "status",
            "the status of an order, `active` for instance",
            Status::parse,
        )?,
        service_id: call.query.text("service_id").map(Id::from_wire),
    };
    let page = call.page()?;
    call.read(move |tx, call| {
        let orders = queries::list(tx, &call.actor, &filter, &page)?;
        let orders = orders.try_map(|order| seen(tx, &call.actor, &order))?;
        call.list(&orders, orders.next_cursor.as_deref())
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let order = queries::seen(tx, &call.actor, call.id("id"))?;
        answer(tx, &call.actor, &order, Answer::ok)
    })
    .await
}

async fn change(call: Call<ChangeOrder>) -> Result<Answer> {
    let changed = call
        .write(|tx, call| {
            let order = commands::change(tx, &call.actor, call.id("id"), &call.body, &call.expected())?;
            answer(tx, &call.actor, &order, Answer::ok)
        })
        .await;
    failpoint::reach("release:committed");
    changed
}

async fn cancel(call: Call<Nothing>) -> Result<Answer> {
    call.write(|tx, call| {
        let order = commands::cancel(tx, &call.actor, call.id("id"), &call.expected())?;
        answer(tx, &call.actor, &order, Answer::ok)
    })
    .await
}

async fn timeline(call: Call) -> Result<Answer> {
    let page = call.page()?;
    call.read(move |tx, call| {
        let happenings = queries::timeline(tx, &call.actor, call.id("id"), &page)?;
        call.list(&happenings, happenings.next_cursor.as_deref())
    })
    .await
}

async fn explain(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let order = call.query.text("order").map(Id::from_wire);
        Answer::ok(&queries::explained(tx, &call.actor, order)?)
    })
    .await
}

/// The order for this caller. Its transitions depend on the time, so the ETag does too; not on who reads.
fn answer(tx: &Tx, actor: &Actor, order: &Order, with: fn(&SeenOrder) -> Result<Answer>) -> Result<Answer> {
    Ok(with(&seen(tx, actor, order)?)?.etag(order.version, &queries::is_late(tx, order)))
}

fn seen(tx: &Tx, actor: &Actor, order: &Order) -> Result<SeenOrder> {
    let side = order.side_of(actor).ok_or_else(error::not_found)?;
    Ok(order.seen_from(side, queries::is_late(tx, order)))
}
