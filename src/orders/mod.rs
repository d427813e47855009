//! Orders: the promise between a buyer and a freelancer, from placement to completion, with its deadlines.

mod model;
mod queries;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::http::Operation;

pub use model::{Order, OrderId, Status};
pub use queries::find;

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    Vec::new()
}

/// Sends money of an order back to its buyer: that many minor units, or all that escrow holds. Says why.
pub type Refund = fn(&Tx, &Actor, &Order, Option<i64>, &str) -> Result<()>;
/// Pays what escrow holds to the freelancer, less the fee; how much the fee was, in minor units.
pub type Release = fn(&Tx, &Order) -> Result<i64>;

/// What payments do when an order moves. Filled in `app.rs`.
pub struct Hooks {
    pub refund: Refund,
    pub release: Release,
}
