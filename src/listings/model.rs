//! What a listing is, and the rules of its parts.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::actor::{Actor, UserId};
use crate::form;
use crate::form::{Amount, Change, Field, Node, Read, Text, TextLimits, Wrong, fold, integer};
use crate::id::Id;
use crate::money::{Currency, Money};
use crate::rating::Rating;
use crate::time::Time;
use crate::users::Card;
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

/// A headline: one line.
pub struct TitleLimits;
impl TextLimits for TitleLimits {
    const MIN: usize = 3;
    const MAX: usize = 120;
}
pub type Title = Text<TitleLimits>;

pub struct DescriptionLimits;
impl TextLimits for DescriptionLimits {
    const MIN: usize = 1;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}
pub type Description = Text<DescriptionLimits>;

/// A word or two: a category, a tag.
pub struct LabelLimits;
impl TextLimits for LabelLimits {
    const MIN: usize = 1;
    const MAX: usize = 64;
}
pub type Label = Text<LabelLimits>;

/// The form in which categories and tags are compared.
pub fn folded(label: &str) -> String {
    fold(label.trim())
}

/// Days from payment to delivery, 1 to 365.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliveryDays(pub u32);

impl DeliveryDays {
    pub const DEFAULT: Self = Self(7);
}

impl Field for DeliveryDays {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 1..=365).map(|days| Self(u32::try_from(days).unwrap_or(365)))
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": 365 })
    }
}

/// At most ten tags; one that differs only in case is kept once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tags(pub Vec<String>);

/// More tags than this are refused.
const MAX_TAGS: usize = 10;

impl Field for Tags {
    fn read(node: &Node) -> Read<Self> {
        let labels = Vec::<Label>::read(node)?;
        if labels.len() > MAX_TAGS {
            let detail = format!("send at most {MAX_TAGS} tags; these are {}", labels.len());
            return Err(vec![Wrong::new("too_many", detail)]);
        }
        let mut seen = HashSet::new();
        let given = labels.into_iter().map(Label::into_string);
        Ok(Self(given.filter(|label| seen.insert(folded(label))).collect()))
    }

    fn schema() -> Value {
        json!({ "type": "array", "maxItems": MAX_TAGS, "items": Label::schema() })
    }
}

form! {
    /// A new listing.
    pub struct CreateListing {
        /// What is offered, in one line.
        title: Title,
        description: Description,
        category: Label,
        /// An exact decimal, with at most the currency's digits.
        price: Amount,
        /// The marketplace's own currency unless said.
        currency: Option<Currency>,
        /// Days from payment to delivery, 7 unless said.
        delivery_days: Option<DeliveryDays>,
        /// At most ten.
        tags: Option<Tags>,
        /// `published` unless said; `paused` is readable, neither listed nor orderable.
        status: Option<Status>,
    }
    server_sets {
        id: "by the server", freelancer_id: "from your token", freelancer: "from your token",
        user_id: "from your token", rating: "by the reviews", created_at: "by the server",
        updated_at: "by the server"
    }
}

form! {
    /// Changes to a listing. Orders already placed keep what they were placed with.
    pub struct ChangeListing {
        title: Change<Title>,
        description: Change<Description>,
        category: Change<Label>,
        /// In the listing's currency, unless another is given with it.
        price: Change<Amount>,
        currency: Change<Currency>,
        delivery_days: Change<DeliveryDays>,
        tags: Change<Tags>,
        status: Change<Status>,
    }
    server_sets { user_id: "from your token" }
}

/// A listing as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
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

impl Listing {
    /// An archived listing is nobody's any more; a draft is its owner's, and an administrator's to read.
    pub fn is_visible_to(&self, actor: &Actor) -> bool {
        !self.archived && (self.status != Status::Draft || actor.is(self.freelancer_id) || actor.is_admin())
    }
}

/// A listing as everyone sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenListing {
    pub id: ListingId,
    pub freelancer_id: UserId,
    pub freelancer: Card,
    pub title: String,
    pub description: String,
    pub category: String,
    pub price: Money,
    pub currency: Currency,
    /// Days from payment to delivery.
    pub delivery_days: u32,
    pub tags: Vec<String>,
    pub status: Status,
    pub rating: Rating,
    pub created_at: Time,
    pub updated_at: Time,
}

impl SeenListing {
    pub fn new(listing: Listing, freelancer: Card) -> Self {
        Self {
            id: listing.id,
            freelancer_id: listing.freelancer_id,
            freelancer,
            title: listing.title,
            description: listing.description,
            category: listing.category,
            price: listing.price,
            currency: listing.price.currency(),
            delivery_days: listing.delivery_days,
            tags: listing.tags,
            status: listing.status,
            rating: listing.rating,
            created_at: listing.created_at,
            updated_at: listing.updated_at,
        }
    }
}
