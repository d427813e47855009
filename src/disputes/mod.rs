//! Disputes: what two sides of a frozen order want, say and offer, and how it ends. Promises that a disputed order has
//! exactly one open dispute, that an open one always waits for a deadline, and that nobody loses money by silence without
//! having been told. Never moves money itself: it asks orders to.

mod commands;
mod deadlines;
mod model;
mod queries;
mod reactions;
mod routes;

use crate::problems;

pub use deadlines::look;
pub use model::Status;
pub use reactions::follow_order;
pub use routes::operations;

/// The timer that every open dispute waits for.
pub const DEADLINE: &str = "dispute_deadline";

problems! {
    DISPUTE_CLOSED = 409 "dispute_closed" "The dispute is over" "It was settled or decided, `current` says which, and its money has moved: nothing more can be said or offered. GET /orders/{id}/dispute tells how it ended." with ["current"];
    OFFER_CHANGED = 409 "offer_changed" "The other side offers something else" "Only what the other side offers now can be accepted; `offer` is that, null when there is none or less is held than it would send back. Accept that amount, or offer another with POST /orders/{id}/settlement." with ["offer"];
}
