//! Listings: what freelancers offer. In paths and tables they keep their specified name, services.

mod model;
mod queries;

use crate::db::Tx;
use crate::error::{self, Result};
use crate::http::Operation;
use crate::{params, problems};

pub use model::{Listing, ListingId, Status};
pub use queries::find;

problems! {
    SERVICE_UNAVAILABLE = 409 "service_unavailable" "The service cannot be ordered now" "It is paused, or its freelancer does not sell at the moment. Look for another with GET /services.";
}

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    Vec::new()
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
