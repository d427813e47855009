//! Listings: what freelancers offer. In paths and tables they keep their specified name, services.

pub mod commands;
mod model;
mod queries;
mod routes;
mod search;

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::users::Blocker;
use crate::{params, problems};

pub use commands::{archive_all_of, index_all, seller_suspended};
pub use model::{CreateListing, Listing, ListingId, SeenListing, Status};
pub use queries::find;
pub use routes::operations;

problems! {
    SERVICE_UNAVAILABLE = 409 "service_unavailable" "The service cannot be ordered now" "It is paused, or its freelancer does not sell at the moment. Look for another with GET /services.";
}

/// A listing that can be ordered: 404 for what the buyer cannot see, 409 for what is not on sale.
pub fn orderable(tx: &Tx, id: ListingId) -> Result<Listing> {
    let listing = find(tx, id)?
        .filter(|listing| listing.status != Status::Draft && !listing.archived)
        .ok_or_else(error::not_found)?;
    if listing.listed {
        return Ok(listing);
    }
    Err(SERVICE_UNAVAILABLE.error("this service is not on sale now: look for another with GET /services"))
}

/// Adds a review of the listing (`count` 1), or takes a hidden one away (`count` -1, `sum` negative). The listing's
/// version stays: its owner changed nothing.
pub fn record_rating(tx: &Tx, id: ListingId, sum: i64, count: i64) -> Result<()> {
    tx.execute(
        "update services set rating_sum = rating_sum + $2, rating_count = rating_count + $3,
             rating_centi = case when rating_count + $3 = 0 then 0
                 else ((rating_sum + $2) * 200 + rating_count + $3) / ((rating_count + $3) * 2) end
         where id = $1",
        params![id, sum, count],
    )?;
    Ok(())
}

/// What keeps a freelancer from giving up selling: listings that are not archived.
pub fn needed_to_sell(tx: &Tx, freelancer: UserId) -> Result<Vec<Blocker>> {
    let offered: Vec<ListingId> = tx.all(
        "select id from services where freelancer_id = $1 and archived_at is null order by id desc limit 100",
        params![freelancer],
        |row| row.next(),
    )?;
    let blocker = |id: ListingId| Blocker {
        kind: "service",
        id: id.to_string(),
        hint: format!("archive it: DELETE /services/{id}"),
    };
    Ok(offered.into_iter().map(blocker).collect())
}
