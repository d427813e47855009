//! Fees: what the house keeps of an order, by rules that administrators keep as data. The first active rule that covers an
//! order counts, the configured share where none does. Knows listings and orders by their words only; what an order was
//! placed with is frozen there and never looked up here again.

mod commands;
mod model;
mod queries;
mod routes;

use crate::problems;

pub use model::{Basis, Quote, Reason, RuleId, Sale};
pub use queries::quote;
pub use routes::operations;

problems! {
    POSITION_TAKEN = 409 "position_taken" "Another rule stands at this position" "Rules are asked in the order of their positions, so each has its own; `rule_id` has this one. Send another, leave it out to stand last, or move that rule first." with ["rule_id"];
}
