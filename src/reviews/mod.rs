//! Reviews: what buyers say of completed orders, once each, and what it adds up to. A review is never edited; an
//! administrator may hide one, and then it counts nowhere.

pub mod commands;
mod model;
pub mod queries;
mod routes;

use crate::problems;

pub use model::{Review, ReviewId, Summary};
pub use routes::operations;

problems! {
    NO_COMPLETED_ORDER = 403 "no_completed_order" "There is no completed order to review" "Only the buyer of a completed order reviews it. Accept the delivery first: PUT /orders/{id} {\"status\": \"completed\"}.";
    ALREADY_REVIEWED = 409 "already_reviewed" "The order has been reviewed" "An order is reviewed once, and a review stays as it is.";
}
