//! What an order is, and the one table of how it may move.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::actor::{Actor, UserId};
use crate::events::{Event, EventId};
use crate::fees::Reason;
use crate::form;
use crate::form::{Amount, Change, IdRef, Text, TextLimits};
use crate::id::Id;
use crate::listings::{Listing, ListingId};
use crate::money::{Currency, Money, Rate};
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

impl Status {
    /// Nothing follows: the work is accepted or off, the money is paid out or back.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

words! {
    /// On which side of an order somebody stands.
    pub enum Side {
        Buyer = "buyer",
        Freelancer = "freelancer",
        Admin = "admin",
        /// A payment, a refund or a deadline: nobody can ask for what it does.
        House = "house",
    }
}

/// What must be true besides, for a side to take an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// The order is late by more than the terms allow: [`Order::is_late`].
    Late,
}

/// One way an order may move, and who may ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    pub from: Status,
    pub to: Status,
    pub by: Side,
    pub when: When,
}

const fn edge(from: Status, to: Status, by: Side) -> Edge {
    Edge { from, to, by, when: When::Always }
}

/// The order machine. There is no other place that knows it: commands, the `transitions` that a caller is shown, the
/// refusals, `guildhall verify` and the tests read this table.
pub const EDGES: &[Edge] = {
    use Side::{Admin, Buyer, Freelancer, House};
    use Status::{Active, Cancelled, Completed, Delivered, Disputed, Pending};
    &[
        edge(Pending, Active, House),
        edge(Pending, Cancelled, Buyer),
        edge(Pending, Cancelled, Freelancer),
        edge(Pending, Cancelled, House),
        edge(Active, Delivered, Freelancer),
        edge(Active, Completed, Buyer),
        edge(Active, Cancelled, Freelancer),
        edge(Active, Cancelled, Admin),
        Edge { from: Active, to: Cancelled, by: Buyer, when: When::Late },
        edge(Active, Cancelled, House),
        edge(Active, Disputed, Buyer),
        edge(Active, Disputed, Freelancer),
        edge(Active, Disputed, House),
        edge(Delivered, Active, Buyer),
        edge(Delivered, Completed, Buyer),
        edge(Delivered, Completed, House),
        edge(Delivered, Cancelled, House),
        edge(Delivered, Disputed, Buyer),
        edge(Delivered, Disputed, Freelancer),
        edge(Delivered, Disputed, House),
        edge(Disputed, Completed, Admin),
        edge(Disputed, Cancelled, Admin),
        edge(Disputed, Completed, House),
        edge(Disputed, Cancelled, House),
    ]
};

/// Whether an order may move so, whoever asks.
pub fn legal(from: Status, to: Status) -> bool {
    EDGES.iter().any(|edge| edge.from == from && edge.to == to)
}

/// The sides that can ask for `to` from some state.
pub fn sides_asking(to: Status) -> Vec<Side> {
    let asks =
        |side: &Side| *side != Side::House && EDGES.iter().any(|edge| edge.to == to && edge.by == *side);
    Side::ALL.iter().copied().filter(asks).collect()
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
    /// The listing's price. The buyer pays the [`Self::total`].
    pub amount: Money,
    pub fee_rate: Rate,
    /// Beside the rate's share; together they are never more than the amount.
    pub fee_fixed: Money,
    /// Why rate and fixed part are what they are.
    pub fee_reason: Reason,
    /// What the house keeps of the amount: less when some of it is given back, nothing once it is cancelled.
    pub fee: Money,
    pub service_fee_rate: Rate,
    /// What the buyer pays the house beside the amount, as it was placed.
    pub service_fee: Money,
    /// What of the total went back to the buyer, is on its way, or was taken back by the bank.
    pub given_back: Money,
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

impl Order {
    /// Where `actor` stands; `None` for those whom the order does not concern.
    pub fn side_of(&self, actor: &Actor) -> Option<Side> {
        match actor {
            Actor::System => Some(Side::House),
            _ if actor.is(self.buyer_id) => Some(Side::Buyer),
            _ if actor.is(self.freelancer_id) => Some(Side::Freelancer),
            _ if actor.is_admin() => Some(Side::Admin),
            _ => None,
        }
    }

    /// Whether the work is outstanding by more than `late_after`, so that the buyer need not wait any longer.
    pub fn is_late(&self, now: Time, late_after: Duration) -> bool {
        self.status == Status::Active && self.due_at.is_some_and(|due| now > due.plus(late_after))
    }

    /// The statuses that `side` may ask for now.
    pub fn transitions(&self, side: Side, late: bool) -> Vec<Status> {
        EDGES
            .iter()
            .filter(|edge| edge.from == self.status && edge.by == side && (edge.when == When::Always || late))
            .map(|edge| edge.to)
            .collect()
    }

    /// The same order after it has moved: the status, and the clocks and the fee that go with it.
    #[must_use]
    pub fn moved_to(&self, to: Status, now: Time, review_within: Duration) -> Self {
        let due_at = if to == Status::Active { Some(now.plus_days(self.delivery_days)) } else { self.due_at };
        let auto_complete_at = (to == Status::Delivered).then(|| now.plus(review_within));
        let fee = if to == Status::Cancelled { self.fee.with_minor(0) } else { self.fee };
        Self {
            status: to,
            due_at,
            auto_complete_at,
            fee,
            version: self.version + 1,
            updated_at: now,
            ..self.clone()
        }
    }

    /// The deadline that this state waits for, by the kind of its timer.
    pub fn deadline(&self) -> Option<(&'static str, Time)> {
        match self.status {
            Status::Pending => Some((PAY_BY, self.pay_by)),
            Status::Active => self.due_at.map(|at| (DUE, at)),
            Status::Delivered => self.auto_complete_at.map(|at| (AUTO_COMPLETE, at)),
            Status::Completed | Status::Cancelled | Status::Disputed => None,
        }
    }

    /// As `side` sees it. `late`: [`Self::is_late`] now.
    pub fn seen_from(&self, side: Side, late: bool) -> SeenOrder {
        SeenOrder {
            id: self.id,
            buyer_id: self.buyer_id,
            freelancer_id: self.freelancer_id,
            service_id: self.service_id,
            title: self.title.clone(),
            amount: self.amount,
            currency: self.amount.currency(),
            service_fee: self.service_fee,
            total: self.total(),
            refunded_amount: self.given_back,
            fee: (side != Side::Buyer).then_some(self.fee),
            status: self.status,
            requirements: self.requirements.clone(),
            pay_by: self.pay_by,
            due_at: self.due_at,
            auto_complete_at: self.auto_complete_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            transitions: self.transitions(side, late),
        }
    }
}

/// The timer that cancels what is not paid.
pub const PAY_BY: &str = "order_pay_by";
/// The timer that tells both that the work is late.
pub const DUE: &str = "order_due";
/// The timer that accepts a delivery nobody answered.
pub const AUTO_COMPLETE: &str = "order_auto_complete";

/// The event of coming to `to`; from nowhere when the order is placed.
pub fn event_of(from: Option<Status>, to: Status) -> &'static str {
    match to {
        Status::Pending => "order_placed",
        Status::Active if from == Some(Status::Delivered) => "order_revision_requested",
        Status::Active => "order_paid",
        Status::Delivered => "order_delivered",
        Status::Completed => "order_completed",
        Status::Cancelled => "order_cancelled",
        Status::Disputed => "order_disputed",
    }
}

/// An order as a caller sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenOrder {
    pub id: OrderId,
    pub buyer_id: UserId,
    pub freelancer_id: UserId,
    pub service_id: ListingId,
    /// The listing's title when it was ordered, like the amount and the days.
    pub title: String,
    pub amount: Money,
    pub currency: Currency,
    /// What the buyer pays the house beside the amount.
    pub service_fee: Money,
    /// What the buyer pays: the amount and the service fee.
    pub total: Money,
    /// What of the total went back to the buyer, by refunds or by the buyer's bank, or is on its way.
    pub refunded_amount: Money,
    /// What the house keeps of the amount, less when some of it is refunded; shown to the freelancer and to administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<Money>,
    pub status: Status,
    pub requirements: Option<String>,
    /// Unpaid by then, it is cancelled.
    pub pay_by: Time,
    /// When the work is due; null until it is paid for.
    pub due_at: Option<Time>,
    /// When the delivery counts as accepted; null unless it waits for the buyer's answer.
    pub auto_complete_at: Option<Time>,
    pub created_at: Time,
    pub updated_at: Time,
    /// The statuses that this caller may ask for now.
    pub transitions: Vec<Status>,
}

/// Something that happened to an order.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Happening {
    pub id: EventId,
    /// What, for instance `order_delivered` or `payment_succeeded`.
    pub event: String,
    /// Who did it; null for a deadline or the house.
    pub actor_id: Option<UserId>,
    /// Where the order stood from then on, when it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    pub at: Time,
    pub message: Option<String>,
}

impl From<Event> for Happening {
    fn from(event: Event) -> Self {
        let text = |member: &str| event.body.get(member).and_then(Value::as_str).map(str::to_owned);
        let (status, message) = (text("status"), text("message"));
        Self { id: event.id, event: event.kind, actor_id: event.actor_id, status, at: event.at, message }
    }
}

/// What buyer and freelancer write to each other, and what a buyer asks for.
pub struct WordsLimits;
impl TextLimits for WordsLimits {
    const MIN: usize = 0;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}
pub type Words = Text<WordsLimits>;

form! {
    /// An order for a listing, at its present price.
    pub struct PlaceOrder {
        /// Which listing.
        service_id: IdRef<Listing>,
        /// What the freelancer should know; it can be changed until the order is paid.
        requirements: Option<Words>,
    }
    server_sets {
        buyer_id: "from your token", freelancer_id: "from the service", amount: "from the service",
        price: "from the service", currency: "from the service", title: "from the service",
        delivery_days: "from the service", fee: "by the marketplace", service_fee: "by the marketplace",
        total: "from the service and the marketplace", status: "to pending: PUT /orders/{id} changes it",
        id: "by the server", created_at: "by the server", updated_at: "by the server"
    }
}

form! {
    /// A step of an order, or other requirements for it.
    pub struct ChangeOrder {
        /// The status asked for: one of `transitions`.
        status: Option<Status>,
        /// Said with the step, to the other side; only with `status`.
        message: Option<Words>,
        /// Only by the buyer, only while `pending`.
        requirements: Change<Option<Words>>,
        /// Only with `completed`, by the administrator who settles a dispute: this part goes back, the rest is released.
        refund_amount: Option<Amount>,
    }
    server_sets {
        fee: "by the marketplace", service_fee: "by the marketplace", price: "from the service",
        delivery_days: "from the service"
    }
}

/// An active order over 49.90 USD, for tests.
#[cfg(test)]
pub(super) fn example() -> Order {
    let amount = Money::new(4_990, Currency::parse("USD").expect("a listed currency"));
    let (nobody, now) = (Id::from_uuid(uuid::Uuid::nil()), Time::from_micros(0));
    Order {
        id: Id::from_uuid(uuid::Uuid::nil()),
        buyer_id: nobody,
        freelancer_id: nobody,
        service_id: Id::from_uuid(uuid::Uuid::nil()),
        service_version: 1,
        title: "A logo".to_owned(),
        amount,
        fee_rate: Rate::from_basis_points(1_000).expect("ten per cent"),
        fee_fixed: amount.with_minor(0),
        fee_reason: Reason::default(),
        fee: amount.with_minor(499),
        service_fee_rate: Rate::NONE,
        service_fee: amount.with_minor(0),
        given_back: amount.with_minor(0),
        delivery_days: 7,
        requirements: None,
        status: Status::Active,
        pay_by: now,
        due_at: None,
        auto_complete_at: None,
        version: 2,
        created_at: now,
        updated_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(due_at: Time) -> Order {
        Order { due_at: Some(due_at), ..example() }
    }

    #[test]
    fn nothing_follows_a_final_state_and_something_every_other() {
        for status in Status::ALL {
            let goes_on = EDGES.iter().any(|edge| edge.from == *status);
            assert_eq!(goes_on, !status.is_final(), "{status}");
        }
    }

    #[test]
    fn nobody_may_begin_the_work_unpaid() {
        assert!(EDGES.iter().all(|edge| edge.from != Status::Pending
            || edge.to == Status::Cancelled
            || edge.by == Side::House));
        assert!(!legal(Status::Pending, Status::Completed));
    }

    #[test]
    fn each_edge_stands_once() {
        for (index, edge) in EDGES.iter().enumerate() {
            let same = |other: &Edge| (other.from, other.to, other.by) == (edge.from, edge.to, edge.by);
            assert!(!EDGES[..index].iter().any(same), "{edge:?}");
        }
    }

    #[test]
    fn late_is_more_than_the_terms_after_the_due_moment() {
        let (due, day) = (Time::from_micros(1_000), Duration::from_secs(86_400));
        let order = active(due);
        assert!(!order.is_late(due.plus(day), day));
        assert!(order.is_late(due.plus(day).plus(Duration::from_micros(1)), day));
        let delivered = order.moved_to(Status::Delivered, due.plus(3 * day), day);
        assert!(!delivered.is_late(due.plus(9 * day), day), "the work is there");
    }

    #[test]
    fn clocks_run_only_where_somebody_is_waited_for() {
        let (now, day) = (Time::from_micros(5_000_000), Duration::from_secs(86_400));
        let delivered = active(now).moved_to(Status::Delivered, now, day);
        assert_eq!(delivered.deadline(), Some((AUTO_COMPLETE, now.plus(day))));
        let revised = delivered.moved_to(Status::Active, now.plus(day), day);
        assert_eq!(revised.deadline(), Some((DUE, now.plus(day).plus_days(7))));
        assert_eq!(revised.auto_complete_at, None);
        for to in [Status::Disputed, Status::Completed, Status::Cancelled] {
            assert_eq!(delivered.moved_to(to, now, day).deadline(), None, "{to}");
        }
    }
}
