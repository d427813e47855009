//! What a listing is.

use crate::actor::UserId;
use crate::id::Id;
use crate::money::Money;
use crate::rating::Rating;
use crate::time::Time;
use crate::words;

pub type ListingId = Id<Listing>;

words! {
    /// Whether a listing can be seen and ordered. `paused` is readable, neither listed nor orderable.
    pub enum Status {
        Draft = "draft",
        Published = "published",
        Paused = "paused",
    }
}

/// A listing as it is stored.
#[derive(Debug, Clone)]
pub struct Listing {
    pub search_key: i64,
    pub id: ListingId,
    pub freelancer_id: UserId,
    pub title: String,
    pub description: String,
    pub category: String,
    pub price: Money,
    pub delivery_days: u32,
    pub tags: Vec<String>,
    pub status: Status,
    /// Published, and its seller is not suspended.
    pub listed: bool,
    pub rating: Rating,
    pub version: i64,
    pub archived: bool,
    pub created_at: Time,
    pub updated_at: Time,
}
