//! Saying what an order was like, and hiding what should not stand there.

use serde_json::{Value, json};

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{Error, FieldError, OnConstraint, Result};
use crate::events;
use crate::form::Unchecked;
use crate::id::Id;
use crate::listings::{self, ListingId};
use crate::orders::{self, Order};
use crate::{params, profiles};

use super::model::{Hide, Review, ReviewId, WriteReview};
use super::{ALREADY_REVIEWED, NO_COMPLETED_ORDER, queries};

/// Reviews a completed order of the actor.
pub fn submit(tx: &Tx, actor: &Actor, input: &Unchecked<WriteReview>) -> Result<Review> {
    let reviewer_id = actor.require_user()?;
    let orders = completed_orders(tx, actor, reviewer_id, input)?;
    let input = input.check()?;
    if input.service_id.is_some_and(|service| orders.iter().any(|order| order.service_id != service.0)) {
        let detail = "the order is of another service: leave `service_id` out";
        return Err(Error::field("service_id", "invalid_value", detail));
    }
    let order = first_unreviewed(tx, orders)?;
    let review = Review {
        id: tx.new_id(),
        service_id: order.service_id,
        order_id: order.id,
        reviewer_id,
        freelancer_id: order.freelancer_id,
        rating: input.rating.count(),
        comment: input.comment.map(|comment| comment.into_string()),
        created_at: tx.now(),
        hidden_at: None,
        hidden_reason: None,
    };
    tx.execute(
        "insert into reviews (id, service_id, order_id, reviewer_id, freelancer_id, rating, comment, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            review.id,
            review.service_id,
            review.order_id,
            review.reviewer_id,
            review.freelancer_id,
            review.rating,
            review.comment,
            review.created_at
        ],
    )
    .on_unique("reviews_order_id", already_reviewed)?;
    count(tx, &review, 1)?;
    events::append(tx, actor, "review_submitted", review.service_id, body(&review, &order))?;
    Ok(review)
}

/// Hides a review: it leaves lists and aggregates, and its order stays reviewed. A second time changes nothing.
pub fn hide(tx: &Tx, actor: &Actor, id: ReviewId, input: &Unchecked<Hide>) -> Result<Review> {
    actor.require_admin()?;
    let mut review = queries::review(tx, id)?;
    let reason = input.check()?.reason.into_string();
    let hidden = tx.execute(
        "update reviews set hidden_at = $2, hidden_reason = $3 where id = $1 and hidden_at is null and service_id = $4",
        params![id, tx.now(), reason, review.service_id],
    )?;
    if hidden == 0 {
        return Ok(review);
    }
    count(tx, &review, -1)?;
    let order =
        orders::find(tx, review.order_id)?.ok_or_else(|| Error::broken("a review without an order"))?;
    let mut body = body(&review, &order);
    body["reason"] = json!(reason);
    events::append(tx, actor, "review_hidden", review.service_id, body)?;
    review.hidden_at = Some(tx.now());
    review.hidden_reason = Some(reason);
    Ok(review)
}

/// The completed orders that the body may mean, oldest first and at least one: 404 for what is not there for the actor,
/// 403 when they completed none.
fn completed_orders(
    tx: &Tx,
    actor: &Actor,
    reviewer: UserId,
    input: &Unchecked<WriteReview>,
) -> Result<Vec<Order>> {
    let service: Option<ListingId> = input.id("service_id");
    if let Some(id) = input.id("order_id") {
        let order = orders::seen(tx, actor, id)?;
        if let Some(other) = service.filter(|service| *service != order.service_id) {
            queries::require_seen(tx, actor, other)?;
        }
        let mine = order.buyer_id == reviewer && order.status == orders::Status::Completed;
        return if mine { Ok(vec![order]) } else { Err(no_completed_order()) };
    }
    let Some(service) = service else { return Err(names_nothing(input)) };
    let orders = orders::completed_of(tx, reviewer, service)?;
    if orders.is_empty() {
        queries::require_seen(tx, actor, service)?;
        return Err(no_completed_order());
    }
    Ok(orders)
}

/// Everything that is wrong with a body that names neither a service nor an order.
fn names_nothing(input: &Unchecked<WriteReview>) -> Error {
    let mut errors = match input.check() {
        Err(Error::Invalid(errors)) => errors,
        Err(other) => return other,
        Ok(_) => Vec::new(),
    };
    if !errors.iter().any(|error| error.pointer == "/service_id" || error.pointer == "/order_id") {
        let detail = "send `service_id`, or the `order_id` of one order".to_owned();
        errors.push(FieldError { pointer: "/service_id".to_owned(), code: "required", detail });
    }
    Error::Invalid(errors)
}

const REVIEWED: &str = "select 1 from reviews where order_id = $1 and service_id = $2";

fn first_unreviewed(tx: &Tx, orders: Vec<Order>) -> Result<Order> {
    for order in orders {
        if !tx.exists(REVIEWED, params![order.id, order.service_id])? {
            return Ok(order);
        }
    }
    Err(already_reviewed())
}

/// Adds a review to what its service and its freelancer add up to, or with -1 takes it away.
fn count(tx: &Tx, review: &Review, by: i64) -> Result<()> {
    tally(tx, review.service_id.cast(), review.rating, by)?;
    tally(tx, review.freelancer_id.cast(), review.rating, by)?;
    listings::record_rating(tx, review.service_id, review.rating * by, by)?;
    profiles::record_rating(tx, review.freelancer_id, review.rating * by, by)
}

fn tally(tx: &Tx, subject: Id<()>, rating: i64, by: i64) -> Result<()> {
    let known = tx.execute(
        "update rating_tallies set count = count + $3 where subject_id = $1 and rating = $2",
        params![subject, rating, by],
    )?;
    if known == 0 {
        tx.send(
            "insert into rating_tallies (subject_id, rating, count) values ($1, $2, $3)",
            params![subject, rating, by],
        )?;
    }
    Ok(())
}

/// What the events of a review tell.
fn body(review: &Review, order: &Order) -> Value {
    json!({
        "service_id": review.service_id,
        "order_id": review.order_id,
        "review_id": review.id,
        "reviewer_id": review.reviewer_id,
        "freelancer_id": review.freelancer_id,
        "title": order.title,
        "rating": review.rating,
    })
}

fn no_completed_order() -> Error {
    NO_COMPLETED_ORDER.error("only the buyer of a completed order reviews it: complete your order first")
}

fn already_reviewed() -> Error {
    ALREADY_REVIEWED.error("each of your completed orders here has its review: order again to review again")
}
