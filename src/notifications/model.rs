//! What stands in an inbox.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::actor::{UserId, UserKind};
use crate::form;
use crate::form::{Change, Field, IdRef, Node, Read, Text, TextLimits, Wrong};
use crate::id::Id;
use crate::listings::ListingId;
use crate::money::Money;
use crate::orders::OrderId;
use crate::time::Time;
use crate::users::Card;

pub type NotificationId = Id<Notification>;

/// What one person writes to another has this type.
pub const MESSAGE: &str = "message";
/// What an administrator sends has this type unless they say another.
pub const ANNOUNCEMENT: &str = "announcement";

/// Something that its owner was told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Notification {
    pub id: NotificationId,
    pub user_id: UserId,
    /// The event (`order_placed`, `payment_succeeded`, `review_submitted` …), `message` or `announcement`.
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    pub data: Data,
    pub read: bool,
    pub created_at: Time,
}

/// What a notification is about, for clients to link.
#[derive(Debug, Default, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<ListingId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<Id<()>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<Id<()>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<Id<()>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<Id<()>>,
    /// What an administrator has to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_id: Option<Id<()>>,
    /// What was said with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What goes back to the buyer, in the order's currency: of a refund, or of a dispute that was split.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Money>")]
    pub refund_amount: Option<String>,
    /// Who wrote the message, or did what it tells of.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub sender: Option<Card>,
}

/// One page of an inbox.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Inbox {
    pub data: Vec<Notification>,
    /// Give it back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// Of the whole inbox, not of this page.
    pub unread_count: i64,
}

/// How much is left unread.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unread {
    pub unread_count: i64,
}

/// What people write to each other.
pub struct Words;
impl TextLimits for Words {
    const MIN: usize = 1;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}

/// What a notification is sorted by: a short word such as `announcement`.
#[derive(Debug)]
pub struct Slug(String);

impl Slug {
    pub fn parse(text: &str) -> Option<Self> {
        let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let good = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(rest);
        good.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Field for Slug {
    fn read(node: &Node) -> Read<Self> {
        let Node::String(text) = node else { return Err(Wrong::kind("a string", node)) };
        Self::parse(text).ok_or_else(|| {
            let detail = "send 1 to 64 of a-z, 0-9 and `_`, a letter first: \"announcement\"";
            vec![Wrong::new("invalid_value", detail)]
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$" })
    }
}

form! {
    /// Something to tell one person.
    pub struct Send {
        /// To whom. An administrator may write to anyone, others to those they share an order with.
        user_id: IdRef<UserKind>,
        message: Text<Words>,
        /// `announcement` unless an administrator says otherwise; `message` from everybody else.
        r#type: Option<Slug>,
    }
    server_sets {
        id: "by the server", created_at: "by the server", read: "by the recipient",
        data: "by the server", sender: "from your token", sender_id: "from your token"
    }
}

form! {
    /// Whether it has been read.
    pub struct Mark {
        read: Change<bool>,
    }
}

form! {
    /// How far the owner has read.
    pub struct ReadAll {
        /// The newest notification that was shown: later ones stay unread. Left out: all there are.
        up_to_id: Option<IdRef<Notification>>,
    }
}

#[cfg(test)]
mod tests {
    use super::Slug;

    #[test]
    fn types_are_short_words() {
        for good in ["a", "order_update", "v2_notice", &"x".repeat(64)] {
            assert!(Slug::parse(good).is_some(), "{good}");
        }
        for bad in ["", "_a", "2a", "A", "a b", "a-b", "é", "a\n", &"x".repeat(65)] {
            assert!(Slug::parse(bad).is_none(), "{bad}");
        }
    }
}
