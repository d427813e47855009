//! What accounts, schedules and payouts are.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::actor::UserId;
use crate::config::{Config, PayoutsBy};
use crate::form;
use crate::form::{Change, HttpUrl, Reason, Text, TextLimits};
use crate::id::Id;
use crate::money::{Currency, Money, Threshold};
use crate::orders::OrderId;
use crate::payments::releases::ReleaseId;
use crate::providers::Provider;
use crate::time::Time;
use crate::users::Attempt;
use crate::words;

pub type PayoutId = Id<Payout>;
pub type ItemId = Id<Item>;

/// The name of the provider where whoever runs the marketplace pays by hand.
pub const MANUAL: &str = "manual";

/// Through whom freelancers are paid: the name of a provider, or [`MANUAL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way(&'static str);

impl Way {
    pub fn of(config: &Config, provider: &dyn Provider) -> Self {
        match config.payouts {
            PayoutsBy::Provider => Self(provider.name()),
            PayoutsBy::Manual => Self(MANUAL),
        }
    }

    pub fn provider(self) -> &'static str {
        self.0
    }

    pub fn is_by_hand(self) -> bool {
        self.0 == MANUAL
    }
}

words! {
    /// How a freelancer's account stands.
    pub enum AccountStatus {
        /// There is none.
        None = "none",
        /// Begun: something is still missing.
        Pending = "pending",
        /// Money can be paid to it.
        Enabled = "enabled",
        /// It was enabled, and is not now.
        Restricted = "restricted",
    }
}

/// Where a freelancer is paid to.
#[derive(Debug, Clone)]
pub struct PayoutAccount {
    pub user_id: UserId,
    /// The provider's id of it, once it has answered.
    pub reference: Option<String>,
    pub status: AccountStatus,
    pub wanted: Vec<String>,
    /// Where to pay to by hand.
    pub details: Option<String>,
    pub looked_at: Option<Time>,
    pub version: i64,
    pub created_at: Time,
}

/// Where a freelancer is paid to, as the freelancer sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenPayoutAccount {
    /// At which payment provider; `manual` where the house pays by hand.
    pub provider: String,
    pub status: AccountStatus,
    /// What is still missing, in the provider's words.
    pub wanted: Vec<String>,
    /// Where to pay to, where the house pays by hand.
    pub details: Option<String>,
    /// Where to go on, in the answer to POST alone: it is good once and for minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl SeenPayoutAccount {
    pub fn new(way: Way, account: Option<&PayoutAccount>) -> Self {
        Self {
            provider: way.provider().to_owned(),
            status: account.map_or(AccountStatus::None, |account| account.status),
            wanted: account.map(|account| account.wanted.clone()).unwrap_or_default(),
            details: account.and_then(|account| account.details.clone()),
            url: None,
        }
    }
}

words! {
    /// When payouts are made.
    pub enum Schedule {
        /// When they are asked for.
        Manual = "manual",
        Daily = "daily",
        Weekly = "weekly",
    }
}

impl Schedule {
    /// How long from one payout to the next; `None` when nothing happens by itself.
    pub fn every(self) -> Option<Duration> {
        let day = Duration::from_secs(86_400);
        match self {
            Self::Manual => None,
            Self::Daily => Some(day),
            Self::Weekly => Some(7 * day),
        }
    }
}

/// How a freelancer wants to be paid.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PayoutSettings {
    /// `daily` and `weekly` count from the moment they are chosen.
    pub schedule: Schedule,
    /// Nothing less is paid out, in whichever currency; null for the house's minimum.
    pub minimum: Option<Threshold>,
    #[serde(skip)]
    pub chosen_at: Option<Time>,
    #[serde(skip)]
    pub version: i64,
}

words! {
    /// Where a payout stands. `partly_paid`: some of it came back; `failed`: all of it did.
    pub enum Status {
        Pending = "pending",
        Paid = "paid",
        PartlyPaid = "partly_paid",
        Failed = "failed",
    }
}

words! {
    /// Where one part of a payout stands. What was returned can be paid out again.
    pub enum ItemStatus {
        Pending = "pending",
        Paid = "paid",
        Returned = "returned",
    }
}

/// Money on its way to a freelancer.
#[derive(Debug, Clone)]
pub struct Payout {
    pub id: PayoutId,
    pub freelancer_id: UserId,
    pub provider: String,
    /// The provider's id of the account that it goes to.
    pub account: Option<String>,
    /// Where to pay to by hand: what the freelancer wrote when it was started, whatever they write later.
    pub details: Option<String>,
    pub amount: Money,
    pub status: Status,
    pub version: i64,
    pub created_at: Time,
}

/// What one order earned, as a part of a payout.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: ItemId,
    pub payout_id: PayoutId,
    pub release_id: ReleaseId,
    pub order_id: OrderId,
    pub title: String,
    pub amount: Money,
    pub status: ItemStatus,
    pub provider_key: String,
    /// The provider's id of the transfer, once it is known.
    pub transaction_id: Option<String>,
    pub failure: Option<String>,
    pub failure_message: Option<String>,
    /// Whether a bank takes the order's payment back, and has not decided.
    pub charged_back: bool,
    pub created_at: Time,
}

impl Payout {
    pub fn is_by_hand(&self) -> bool {
        self.provider == MANUAL
    }

    pub fn seen(&self, items: &[Item]) -> SeenPayout {
        SeenPayout {
            id: self.id,
            freelancer_id: self.freelancer_id,
            provider: self.provider.clone(),
            status: self.status,
            amount: self.amount,
            currency: self.amount.currency(),
            items: items.iter().map(SeenItem::from).collect(),
            created_at: self.created_at,
        }
    }
}

/// Where a payout stands whose parts stand so.
pub fn status_of(items: &[ItemStatus]) -> Status {
    let count = |status| items.iter().filter(|item| **item == status).count();
    match (count(ItemStatus::Pending), count(ItemStatus::Paid), count(ItemStatus::Returned)) {
        (1.., _, _) => Status::Pending,
        (0, _, 0) => Status::Paid,
        (0, 0, _) => Status::Failed,
        (0, 1.., 1..) => Status::PartlyPaid,
    }
}

/// A payout as its freelancer or an administrator sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenPayout {
    pub id: PayoutId,
    pub freelancer_id: UserId,
    /// Through which payment provider; `manual` where the house pays by hand.
    pub provider: String,
    pub status: Status,
    pub amount: Money,
    pub currency: Currency,
    /// What it pays for.
    pub items: Vec<SeenItem>,
    pub created_at: Time,
}

/// What a payout pays for one order.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PayoutItem")]
pub struct SeenItem {
    pub order_id: OrderId,
    pub title: String,
    pub amount: Money,
    pub status: ItemStatus,
    /// The provider's id of the transfer, or the reference of a payment by hand.
    pub transaction_id: Option<String>,
    /// Why it came back.
    pub failure: Option<String>,
    /// Whether the buyer's bank takes the order's payment back, and has not decided.
    pub charged_back: bool,
}

impl SeenPayout {
    /// What its version does not count: how banks stand to its orders.
    pub fn embedded(&self) -> Vec<OrderId> {
        self.items.iter().filter(|item| item.charged_back).map(|item| item.order_id).collect()
    }
}

impl From<&Item> for SeenItem {
    fn from(item: &Item) -> Self {
        Self {
            order_id: item.order_id,
            title: item.title.clone(),
            amount: item.amount,
            status: item.status,
            transaction_id: item.transaction_id.clone(),
            failure: item.failure_message.clone().or_else(|| item.failure.clone()),
            charged_back: item.charged_back,
        }
    }
}

/// A payout as an administrator makes it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PayoutToMake {
    #[serde(flatten)]
    pub payout: SeenPayout,
    /// Whether a bank takes the payment of one of its orders back, so that it should not be made: marked `returned`, that
    /// order's part is frozen, and the rest can be paid out by another payout.
    pub charged_back: bool,
    /// Where to pay to by hand, in the freelancer's words when the payout was started. What they write later is for later
    /// payouts; a payout that did not arrive is marked `returned`.
    pub details: Option<String>,
}

/// What a freelancer has with the house, in one currency.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Balance {
    pub currency: Currency,
    /// Earned, and not cleared yet.
    pub pending: Money,
    /// Can be paid out now.
    pub available: Money,
    /// What the freelancer owes, for money that went back to buyers after it was paid out.
    pub owed: Money,
    /// In payouts that are not decided yet.
    pub on_its_way: Money,
    /// What waits for the end of a dispute, or for a bank that takes a payment back; whose it is depends on that.
    pub frozen: Money,
    /// When what is pending can be paid out, day by day.
    pub next: Vec<Clearing>,
}

/// What clears within one day.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Clearing {
    /// From then on all of it can be paid out.
    pub available_at: Time,
    pub amount: Money,
}

/// What a freelancer has with the house.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Balances {
    /// One for each currency that there is something in.
    pub data: Vec<Balance>,
}

/// Day by day, the soonest first: amounts of one currency that clear on the same day (UTC) are one.
pub fn day_by_day(clearing: impl IntoIterator<Item = (Time, Money)>) -> Vec<Clearing> {
    let day = |at: Time| at.as_micros().div_euclid(86_400_000_000);
    let mut days: Vec<Clearing> = Vec::new();
    for (available_at, amount) in clearing {
        match days.last_mut().filter(|last| day(last.available_at) == day(available_at)) {
            Some(last) => {
                let sum = last.amount.minor().saturating_add(amount.minor());
                *last = Clearing { available_at, amount: amount.with_minor(sum) };
            }
            None => days.push(Clearing { available_at, amount }),
        }
    }
    days
}

/// The limits of what a freelancer writes to be paid by hand.
#[derive(Debug)]
pub enum Details {}
impl TextLimits for Details {
    const MIN: usize = 1;
    const MAX: usize = 500;
    const MULTILINE: bool = true;
}

/// The limits of a payment's reference.
#[derive(Debug)]
pub enum Reference {}
impl TextLimits for Reference {
    const MIN: usize = 1;
    const MAX: usize = 128;
}

form! {
    /// Opens an account at the payment provider, or goes on with it.
    pub struct OpenPayoutAccount {
        /// Where the provider sends the freelancer back to: a page of this house. Its front page unless said.
        return_url: Option<HttpUrl>,
    }
    server_sets { status: "by the provider", provider: "by the marketplace", wanted: "by the provider", url: "by the provider" }
}

form! {
    /// Where to pay to, where the house pays by hand.
    pub struct ChangePayoutAccount {
        /// Bank details, for whoever pays to read.
        details: Change<Text<Details>>,
        /// Needed to change the details that are there.
        current_password: Option<Attempt>,
    }
    server_sets { status: "by the marketplace", provider: "by the marketplace", wanted: "by the marketplace" }
}

form! {
    /// When to be paid.
    pub struct ChangePayoutSettings {
        /// `manual`, `daily` or `weekly`.
        schedule: Change<Schedule>,
        /// Nothing less is paid out, in whichever currency; null for the house's minimum.
        minimum: Change<Option<Threshold>>,
    }
}

form! {
    /// Pays out everything that is available in one currency.
    pub struct RequestPayout {
        /// Which; needed where money is available in several.
        currency: Option<Currency>,
    }
    server_sets {
        amount: "to all that is available", freelancer_id: "from your token", status: "by the provider's answer",
        items: "from your completed orders"
    }
}

words! {
    /// What became of a payout by hand.
    pub enum Mark {
        Paid = "paid",
        Returned = "returned",
    }
}

form! {
    /// Says what became of a payout by hand.
    pub struct MarkPayout {
        /// `paid`, or `returned` when it did not arrive.
        status: Mark,
        /// What the payment is found by at the bank.
        reference: Option<Text<Reference>>,
        /// Why it was returned, for the freelancer to read.
        reason: Option<Reason>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_is_over_when_all_its_parts_are() {
        use ItemStatus::{Paid, Pending, Returned};
        assert_eq!(status_of(&[Paid, Pending, Returned]), Status::Pending);
        assert_eq!(status_of(&[Paid, Paid]), Status::Paid);
        assert_eq!(status_of(&[Paid, Returned]), Status::PartlyPaid);
        assert_eq!(status_of(&[Returned, Returned]), Status::Failed);
    }

    #[test]
    fn what_clears_on_the_same_day_is_one() {
        let usd = |minor| Money::new(minor, Currency::parse("USD").expect("a currency"));
        let at = |hours: i64| Time::from_micros(hours * 3_600_000_000);
        let days = day_by_day([(at(1), usd(5)), (at(23), usd(7)), (at(24), usd(1))]);
        let expected = [(at(23), usd(12)), (at(24), usd(1))]
            .map(|(available_at, amount)| Clearing { available_at, amount });
        assert_eq!(days, expected);
    }
}
