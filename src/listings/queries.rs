//! Finding listings.

use crate::db::{Json, Row, Tx};
use crate::error::Result;
use crate::money::Money;
use crate::params;
use crate::rating::Rating;

use super::model::{Listing, ListingId};

const COLUMNS: &str = "search_key, id, freelancer_id, title, description, category, price_minor, currency, delivery_days, \
     tags, status, listed, rating_sum, rating_count, version, archived_at is not null, created_at, updated_at";

fn listing(row: &Row) -> Result<Listing> {
    Ok(Listing {
        search_key: row.next()?,
        id: row.next()?,
        freelancer_id: row.next()?,
        title: row.next()?,
        description: row.next()?,
        category: row.next()?,
        price: Money::new(row.next()?, row.next()?),
        delivery_days: row.next()?,
        tags: row.next::<Json<Vec<String>>>()?.0,
        status: row.next()?,
        listed: row.next()?,
        rating: Rating { sum: row.next()?, count: row.next()? },
        version: row.next()?,
        archived: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

/// The listing, if it was ever there; an archived one is found too and says so.
pub fn find(tx: &Tx, id: ListingId) -> Result<Option<Listing>> {
    tx.first(&format!("select {COLUMNS} from services where id = $1"), params![id], listing)
}
