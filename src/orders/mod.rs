//! Orders: the promise between a buyer and a freelancer, from placement to completion, with its deadlines. Owns the order
//! machine; promises that an order moves along its edges only, once, and that money follows in the same transaction.

mod commands;
mod deadlines;
mod model;
mod queries;
mod routes;
mod shares;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::problems;

pub use commands::{cancel_refunded, change, dispute, mark_paid, place, refunded, resolve, told};
pub use deadlines::{accept_unanswered, cancel_unpaid, tell_late};
pub use model::{
    AUTO_COMPLETE, ChangeOrder, DUE, EDGES, Edge, Order, OrderId, PAY_BY, PlaceOrder, Side, Status, When,
    legal, sides_asking,
};
pub use queries::{
    blocking_deletion, completed_of, find, needed_to_buy, needed_to_sell, seen, share_an_order,
};
pub use routes::operations;
pub use shares::Shares;

problems! {
    OWN_SERVICE = 409 "own_service" "The service is your own" "Nobody orders from themselves. Look for another with GET /services.";
    INVALID_TRANSITION = 409 "invalid_transition" "The order cannot take this step now" "`current` is where it stands, `allowed` are the statuses that you may ask for from there." with ["current", "allowed"];
    CHARGEBACK_OPEN = 409 "chargeback_open" "The buyer's bank takes the money back" "The money of the order is frozen until the bank decides. If it decides for the house, the order goes on from where it stands; if not, the money is gone and nothing is left to move. Wait for it, GET /orders/{id}/timeline tells.";
    REQUIREMENTS_FROZEN = 409 "requirements_frozen" "The requirements can no longer be changed" "They are fixed once the order is paid, for the freelancer works by them; `current` is where the order stands. Agree on changes in messages, or ask for a revision of the delivery." with ["current"];
}

/// Sends money of an order back to its buyer: that many minor units, or all that escrow holds. Says why.
pub type Refund = fn(&Tx, &Actor, &Order, Option<i64>, &str) -> Result<()>;
/// Pays what escrow holds to the freelancer, less the fees; how much the fee of the amount was, in minor units.
pub type Release = fn(&Tx, &Order) -> Result<i64>;
/// What escrow holds of an order, in minor units.
pub type Held = fn(&Tx, &Order) -> Result<i64>;

/// What was given back or is on its way back of what was paid for an order, in minor units; `None` when nothing was paid.
pub type GivenBack = fn(&Tx, &Order) -> Result<Option<i64>>;

/// Whether a bank has taken money of an order and not decided: until then nothing of it moves.
pub type Contested = fn(&Tx, OrderId) -> Result<bool>;

/// What payments do when an order moves. Filled in `app.rs`.
pub struct Hooks {
    pub refund: Refund,
    pub release: Release,
    pub held: Held,
    pub given_back: GivenBack,
    pub contested: Contested,
}

/// What the operator lets buyers do. Filled in `app.rs`.
pub struct Terms {
    /// How many orders of one buyer may be unpaid at a time; `None`: any number.
    pub most_unpaid: Option<i64>,
}
