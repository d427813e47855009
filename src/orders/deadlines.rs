//! What happens when a deadline of an order passes. Every timer looks at the order again: it may have moved on.

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::id::Id;

use super::commands::{Step, call_off, complete, told};
use super::model::{AUTO_COMPLETE, DUE, Order, PAY_BY, Status};
use super::queries::find;

/// The pay-by deadline: an order that nobody pays is cancelled.
pub fn cancel_unpaid(tx: &Tx, order: Id<()>) -> Result<()> {
    match waiting(tx, order, PAY_BY)? {
        Some(order) => call_off(tx, &Actor::System, &order, Some("It was not paid in time.")).map(drop),
        None => Ok(()),
    }
}

/// The work is due and not delivered: both are told, once.
pub fn tell_late(tx: &Tx, order: Id<()>) -> Result<()> {
    match waiting(tx, order, DUE)? {
        Some(order) => {
            let body = told(&order, None);
            events::append(tx, &Actor::System, "order_overdue", order.id, body).map(drop)
        }
        None => Ok(()),
    }
}

/// The review deadline: a delivery that nobody answers is accepted.
pub fn accept_unanswered(tx: &Tx, order: Id<()>) -> Result<()> {
    match waiting(tx, order, AUTO_COMPLETE)? {
        Some(order) => {
            let message = "The delivery was not answered in time, so it counts as accepted.";
            complete(tx, &Actor::System, &order, &Step::to(Status::Completed, Some(message))).map(drop)
        }
        None => Ok(()),
    }
}

/// The order, if it still waits for this deadline and the deadline has passed.
fn waiting(tx: &Tx, order: Id<()>, kind: &str) -> Result<Option<Order>> {
    let passed = |order: &Order| order.deadline().is_some_and(|(due, at)| due == kind && at <= tx.now());
    Ok(find(tx, order.cast())?.filter(passed))
}
