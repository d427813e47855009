//! What an order is.

use crate::actor::UserId;
use crate::id::Id;
use crate::listings::ListingId;
use crate::money::{Money, Rate};
use crate::time::Time;
use crate::words;

pub type OrderId = Id<Order>;

words! {
    /// Where an order stands.
    pub enum Status {
        Pending = "pending",
        Active = "active",
        Delivered = "delivered",
        Completed = "completed",
        Cancelled = "cancelled",
        Disputed = "disputed",
    }
}

/// An order as it is stored. What it was placed with never changes.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: OrderId,
    pub buyer_id: UserId,
    pub freelancer_id: UserId,
    pub service_id: ListingId,
    pub service_version: i64,
    pub title: String,
    pub amount: Money,
    pub fee_rate: Rate,
    /// At the frozen rate; after completion what was really kept.
    pub fee: Money,
    pub delivery_days: u32,
    pub requirements: Option<String>,
    pub status: Status,
    pub pay_by: Time,
    pub due_at: Option<Time>,
    pub auto_complete_at: Option<Time>,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}
