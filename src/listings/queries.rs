//! Finding one listing.

use crate::actor::Actor;
use crate::db::{Json, Row, Tx};
use crate::error::{self, Result};
use crate::money::Money;
use crate::params;
use crate::rating::Rating;
use crate::users::Card;

use super::model::{Listing, ListingId};

pub(super) const COLUMNS: &str = "s.id, s.freelancer_id, s.title, s.description, s.category, s.price_minor, s.currency, \
     s.delivery_days, s.tags, s.status, s.listed, s.rating_sum, s.rating_count, s.version, \
     s.archived_at is not null, s.created_at, s.updated_at";

/// What a card is made of, from the freelancer's account `u`.
pub(super) const CARD_COLUMNS: &str = "u.username, u.role, u.created_at";

pub(super) fn listing(row: &Row) -> Result<Listing> {
    Ok(Listing {
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

/// A listing followed by [`CARD_COLUMNS`].
pub(super) fn listing_with_card(row: &Row) -> Result<(Listing, Card)> {
    let listing = listing(row)?;
    let (id, username, role, created_at) =
        (listing.freelancer_id, row.next::<Option<String>>()?, row.next()?, row.next()?);
    let card = match username {
        Some(username) => Card::Live { id, username, role, created_at },
        None => Card::Deleted { id, deleted: true },
    };
    Ok((listing, card))
}

/// The listing, if it was ever there; an archived one is found too and says so.
pub fn find(tx: &Tx, id: ListingId) -> Result<Option<Listing>> {
    tx.first(&format!("select {COLUMNS} from services s where s.id = $1"), params![id], listing)
}

/// The listing and its freelancer, where `actor` may see it, or 404.
pub fn visible(tx: &Tx, actor: &Actor, id: ListingId) -> Result<(Listing, Card)> {
    let sql = format!(
        "select {COLUMNS}, {CARD_COLUMNS} from services s join users u on u.id = s.freelancer_id where s.id = $1"
    );
    tx.first(&sql, params![id], listing_with_card)?
        .filter(|(listing, _)| listing.is_visible_to(actor))
        .ok_or_else(error::not_found)
}
