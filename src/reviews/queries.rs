//! Reading reviews. What is hidden is in no list.

use crate::actor::{Actor, UserId};
use crate::db::{Row, Sql, Tx};
use crate::error::{self, Result};
use crate::id::Id;
use crate::listings::{self, ListingId};
use crate::page::{Page, PageRequest};
use crate::{params, users};

use super::model::{Review, ReviewId, Summary};

const COLUMNS: &str = "id, service_id, order_id, reviewer_id, freelancer_id, rating, comment, created_at, hidden_at, \
     hidden_reason";

fn row(row: &Row) -> Result<Review> {
    Ok(Review {
        id: row.next()?,
        service_id: row.next()?,
        order_id: row.next()?,
        reviewer_id: row.next()?,
        freelancer_id: row.next()?,
        rating: row.next()?,
        comment: row.next()?,
        created_at: row.next()?,
        hidden_at: row.next()?,
        hidden_reason: row.next()?,
    })
}

/// The review, hidden or not, or 404.
pub(super) fn review(tx: &Tx, id: ReviewId) -> Result<Review> {
    tx.first(&format!("select {COLUMNS} from reviews where id = $1"), params![id], row)?
        .ok_or_else(error::not_found)
}

/// 404 for a service that never was, and for the draft of somebody else. An archived one is seen: its reviews stay.
pub(super) fn require_seen(tx: &Tx, actor: &Actor, id: ListingId) -> Result<()> {
    let listing = listings::find(tx, id)?.ok_or_else(error::not_found)?;
    let private = listing.status == listings::Status::Draft;
    if private && !actor.is(listing.freelancer_id) && !actor.is_admin() {
        return Err(error::not_found());
    }
    Ok(())
}

/// Whose reviews.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    Service(ListingId),
    Writer(UserId),
    Freelancer(UserId),
}

/// 404 when they are not there for `actor`. Those of a deleted account stay.
pub(super) fn require_there(tx: &Tx, actor: &Actor, of: Of) -> Result<()> {
    match of {
        Of::Service(id) => require_seen(tx, actor, id),
        Of::Writer(user) | Of::Freelancer(user) => {
            users::find(tx, user)?.map(drop).ok_or_else(error::not_found)
        }
    }
}

/// The reviews, newest first, from those older than `after` on.
pub fn list(tx: &Tx, of: Of, after: Option<ReviewId>, rows: i64) -> Result<Vec<Review>> {
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(" from reviews where hidden_at is null");
    match of {
        Of::Service(id) => sql.push(" and service_id = ").bind(id),
        Of::Writer(user) => sql.push(" and reviewer_id = ").bind(user),
        Of::Freelancer(user) => sql.push(" and freelancer_id = ").bind(user),
    };
    if let Some(last) = after {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(rows);
    sql.all(tx, row)
}

/// What the reviews of a service or of a freelancer add up to.
pub fn summary<K>(tx: &Tx, subject: Id<K>) -> Result<Summary> {
    let mut summary = Summary::default();
    let sql = "select rating, count from rating_tallies where subject_id = $1";
    for (rating, count) in tx.all(sql, params![subject], |row| Ok((row.next()?, row.next()?)))? {
        summary.add(rating, count);
    }
    Ok(summary)
}
