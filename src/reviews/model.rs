//! What a review is.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::actor::UserId;
use crate::form;
use crate::form::{Field, IdRef, Node, Read, Reason, Text, TextLimits, integer};
use crate::id::Id;
use crate::listings::{Listing, ListingId};
use crate::orders::{Order, OrderId};
use crate::rating::Rating;
use crate::time::Time;
use crate::words;

pub type ReviewId = Id<Review>;

/// What the buyer of a completed order says of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Review {
    pub id: ReviewId,
    pub service_id: ListingId,
    pub order_id: OrderId,
    pub reviewer_id: UserId,
    pub freelancer_id: UserId,
    /// 1 to 5.
    pub rating: i64,
    pub comment: Option<String>,
    pub created_at: Time,
    /// Only of a review that was hidden, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_reason: Option<String>,
}

/// What the reviews of a service or of a freelancer add up to.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Summary {
    #[serde(flatten)]
    pub rating: Rating,
    pub histogram: Histogram,
}

/// How often each rating was given.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Histogram {
    #[serde(rename = "1")]
    pub one: i64,
    #[serde(rename = "2")]
    pub two: i64,
    #[serde(rename = "3")]
    pub three: i64,
    #[serde(rename = "4")]
    pub four: i64,
    #[serde(rename = "5")]
    pub five: i64,
}

impl Summary {
    /// Adds `count` reviews of `rating` stars.
    pub fn add(&mut self, rating: i64, count: i64) {
        self.rating.sum += rating * count;
        self.rating.count += count;
        let column = match rating {
            1 => &mut self.histogram.one,
            2 => &mut self.histogram.two,
            3 => &mut self.histogram.three,
            4 => &mut self.histogram.four,
            _ => &mut self.histogram.five,
        };
        *column += count;
    }
}

/// One page of the reviews of a service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceReviews {
    pub data: Vec<Review>,
    /// Give it back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    pub summary: Summary,
}

/// One page of the reviews that somebody wrote or received.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserReviews {
    pub data: Vec<Review>,
    /// Give it back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// Only with `direction=received`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

words! {
    /// Which reviews of a user.
    pub enum Direction {
        Written = "written",
        Received = "received",
    }
}

/// 1 to 5 stars.
#[derive(Debug, Clone, Copy)]
pub struct Stars(i64);

impl Stars {
    pub fn count(self) -> i64 {
        self.0
    }
}

impl Field for Stars {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 1..=5).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": 5 })
    }

    fn expected() -> String {
        "an integer from 1 to 5".to_owned()
    }
}

/// What a reviewer adds in words.
pub struct Comment;
impl TextLimits for Comment {
    const MIN: usize = 0;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}

form! {
    /// A review of a completed order: name the order, or the service for the oldest order of it that has no review yet.
    pub struct WriteReview {
        service_id: Option<IdRef<Listing>>,
        order_id: Option<IdRef<Order>>,
        rating: Stars,
        comment: Option<Text<Comment>>,
    }
    server_sets {
        id: "by the server", created_at: "by the server",
        reviewer_id: "from your token", freelancer_id: "from the order"
    }
}

form! {
    /// Why a review is hidden; kept in the event log for the audit.
    pub struct Hide {
        reason: Reason,
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn a_summary_adds_up() {
        let mut summary = Summary::default();
        summary.add(5, 2);
        summary.add(4, 1);
        let json = serde_json::to_string(&summary).expect("serializes");
        assert_eq!(json, r#"{"average":4.67,"count":3,"histogram":{"1":0,"2":0,"3":0,"4":1,"5":2}}"#);
    }
}
