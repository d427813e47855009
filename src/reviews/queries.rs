//! Reading reviews. What is hidden is in no list.

use crate::actor::{Actor, UserId};
use crate::db::{Row, Sql, Tx};
use crate::error::{self, Result};
use crate::id::Id;
use crate::listings::{self, ListingId};
use crate::page::{Page, PageRequest};
use crate::{params, users};

use super::model::{Direction, Review, ReviewId, ServiceReviews, Summary, UserReviews};

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

/// The reviews of a service, newest first.
pub fn of_service(tx: &Tx, actor: &Actor, id: ListingId, page: &PageRequest) -> Result<ServiceReviews> {
    let found = list(tx, "service_id", id, page)?;
    require_seen(tx, actor, id)?;
    Ok(ServiceReviews { data: found.data, next_cursor: found.next_cursor, summary: summary(tx, id)? })
}

/// The reviews that a user wrote or received, newest first. Those of a deleted account stay.
pub fn of_user(tx: &Tx, user: UserId, direction: Direction, page: &PageRequest) -> Result<UserReviews> {
    let found = match direction {
        Direction::Written => list(tx, "reviewer_id", user, page)?,
        Direction::Received => list(tx, "freelancer_id", user, page)?,
    };
    users::find(tx, user)?.ok_or_else(error::not_found)?;
    let summary = match direction {
        Direction::Written => None,
        Direction::Received => Some(summary(tx, user)?),
    };
    Ok(UserReviews { data: found.data, next_cursor: found.next_cursor, summary })
}

fn list<K: 'static>(tx: &Tx, column: &'static str, of: Id<K>, page: &PageRequest) -> Result<Page<Review>> {
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(" from reviews where hidden_at is null and ").push(column).push(" = ").bind(of);
    if let Some(last) = page.after::<ReviewId>("newest")? {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    page.page("newest", sql.all(tx, row)?, |last| last.id)
}

fn summary<K>(tx: &Tx, of: Id<K>) -> Result<Summary> {
    let mut summary = Summary::default();
    let sql = "select rating, count from rating_tallies where subject_id = $1";
    for (rating, count) in tx.all(sql, params![of], |row| Ok((row.next()?, row.next()?)))? {
        summary.add(rating, count);
    }
    Ok(summary)
}
