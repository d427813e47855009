//! The freelancer's page: who they are, what they have made, how they are rated. What they
//! write is stored as text and given back as text; its addresses are never fetched.

pub mod commands;
mod model;
mod queries;
mod routes;

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::Result;
use crate::{params, problems};

pub use commands::erase;
pub use model::{AddItem, ChangeProfile, PortfolioItem, Profile};
pub use queries::profile;
pub use routes::operations;

problems! {
    PORTFOLIO_FULL = 409 "portfolio_full" "The portfolio is full" "It holds 50 items. Remove one with DELETE /profiles/me/portfolio/{itemId}, or change one.";
}

/// Adds a review of the freelancer (`count` 1), or takes a hidden one away (`count` -1, `sum` negative).
pub fn record_rating(tx: &Tx, freelancer: UserId, sum: i64, count: i64) -> Result<()> {
    tx.execute(
        "insert into freelancer_stats (user_id, rating_sum, rating_count) values ($1, $2, $3)
         on conflict (user_id) do update set rating_sum = freelancer_stats.rating_sum + excluded.rating_sum,
             rating_count = freelancer_stats.rating_count + excluded.rating_count",
        params![freelancer, sum, count],
    )?;
    Ok(())
}

/// Counts an order that the freelancer has completed.
pub fn record_completed_order(tx: &Tx, freelancer: UserId) -> Result<()> {
    tx.execute(
        "insert into freelancer_stats (user_id, completed_orders) values ($1, 1)
         on conflict (user_id) do update set completed_orders = freelancer_stats.completed_orders + 1",
        params![freelancer],
    )?;
    Ok(())
}
