//! What a dispute is, what may be said in it, and when it is looked at.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::actor::UserId;
use crate::error::{Error, Result};
use crate::form;
use crate::form::{Amount, Percent, Text, TextLimits};
use crate::id::Id;
use crate::money::{Currency, Money};
use crate::orders::{Order, OrderId, Side};
use crate::time::Time;
use crate::words;

pub type DisputeId = Id<Dispute>;
pub type MessageId = Id<DisputeMessage>;

words! {
    /// Where a dispute stands.
    pub enum Status {
        Open = "open",
        /// One side accepted what the other offered.
        Settled = "settled",
        /// By an administrator, by the silence of one side, or by the buyer's bank.
        Decided = "decided",
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// Both sides are told what silence will lead to so long before it does.
const REMINDERS: [Duration; 2] = [Duration::from_secs(3 * 86_400), DAY];
/// Nobody is surprised: a dispute that nobody was reminded of goes on for this long after the reminder.
pub(super) const GRACE: Duration = DAY;
/// How long administrators have before they are told again.
pub(super) const ESCALATES_EVERY: Duration = Duration::from_secs(3 * 86_400);

/// A dispute as it is stored. Amounts are minor units of the order's currency.
#[derive(Debug, Clone)]
pub struct Dispute {
    pub id: DisputeId,
    pub order_id: OrderId,
    /// `None`: the house, because the money is contested.
    pub opened_by: Option<UserId>,
    pub reason: Option<String>,
    /// What should go back to the buyer, in the view of whoever opened it.
    pub wanted: Option<i64>,
    pub status: Status,
    /// When the other side first said or offered something.
    pub answered_at: Option<Time>,
    pub reminded_at: Option<Time>,
    pub decide_by: Time,
    pub end: Option<End>,
    pub version: i64,
    pub opened_at: Time,
}

/// How a dispute ended.
#[derive(Debug, Clone)]
pub struct End {
    pub refund: i64,
    pub by: Option<UserId>,
    pub reason: Option<String>,
    pub at: Time,
}

impl Dispute {
    /// The side that opened it; `None` for the house.
    pub fn opener(&self, order: &Order) -> Option<Side> {
        match self.opened_by {
            Some(user) if user == order.buyer_id => Some(Side::Buyer),
            Some(user) if user == order.freelancer_id => Some(Side::Freelancer),
            _ => None,
        }
    }

    /// Whether a word of `side` is the answer that its opener waits for.
    pub(super) fn is_answered_by(&self, order: &Order, side: Side) -> bool {
        let party = matches!(side, Side::Buyer | Side::Freelancer);
        party && self.opener(order).is_some_and(|opener| opener != side)
    }

    /// What goes back of `held` if the other side stays silent; `None` when somebody must decide, because both have
    /// spoken or the house opened it.
    pub(super) fn silence_gives(&self, order: &Order, held: i64) -> Option<i64> {
        let opener = self.opener(order).filter(|_| self.answered_at.is_none())?;
        let unsaid = if opener == Side::Buyer { held } else { 0 };
        Some(self.wanted.unwrap_or(unsaid).min(held))
    }

    /// When it is looked at next: at the reminder that is to come, else at the deadline.
    pub(super) fn next_look(now: Time, decide_by: Time) -> Time {
        REMINDERS.iter().map(|before| decide_by.minus(*before)).find(|at| *at > now).unwrap_or(decide_by)
    }
}

/// The side that `side` deals with.
pub(super) fn other(side: Side) -> Side {
    if side == Side::Buyer { Side::Freelancer } else { Side::Buyer }
}

/// What goes back of `held`, as a client wrote it.
pub(super) fn part_of(held: Money, given: &Amount, field: &str) -> Result<Money> {
    let part = parsed(given, held.currency(), field)?;
    if part.minor() > held.minor() {
        let detail = format!("{held} {} is held: send from 0 to that", held.currency());
        return Err(Error::field(field, "out_of_range", detail));
    }
    Ok(part)
}

/// The amount, whatever is held.
pub(super) fn parsed(given: &Amount, currency: Currency, field: &str) -> Result<Money> {
    given.or_nothing(currency, field).map_err(|wrong| Error::Invalid(vec![wrong]))
}

/// A dispute as its two sides and administrators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SeenDispute {
    pub id: DisputeId,
    pub order_id: OrderId,
    /// The buyer or the freelancer; null where the house froze the order.
    pub opened_by: Option<UserId>,
    pub reason: Option<String>,
    /// What should go back to the buyer, in the view of whoever opened it; null where they did not say.
    pub wanted: Option<Money>,
    pub status: Status,
    /// What is frozen now.
    pub held: Money,
    pub currency: Currency,
    /// If the other side says nothing until then, it ends as its opener wishes: `wanted` goes back or, where that is null,
    /// everything to whoever opened it. If both have spoken, administrators are told again then. It moves on while a bank
    /// decides about the payment. Null once it is over.
    pub decide_by: Option<Time>,
    pub offers: Offers,
    /// How it ended; null while it is open.
    pub outcome: Option<Outcome>,
    pub opened_at: Time,
}

/// What each side offers at present.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Offers {
    pub buyer: Option<Offer>,
    pub freelancer: Option<Offer>,
}

impl Offers {
    pub(super) fn of(&self, side: Side) -> Option<&Offer> {
        if side == Side::Buyer { self.buyer.as_ref() } else { self.freelancer.as_ref() }
    }
}

/// A split that one side would agree to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Offer {
    /// What would go back to the buyer; the rest is released.
    pub refund_amount: Money,
    pub message: Option<String>,
    pub offered_at: Time,
}

/// How a dispute ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// What went back to the buyer; the rest was released.
    pub refund_amount: Money,
    /// Who accepted the offer or decided; null where the deadline did or the buyer's bank, `reason` says which.
    pub by: Option<UserId>,
    pub reason: Option<String>,
    pub at: Time,
}

/// Something that was written about a dispute.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DisputeMessage {
    pub id: MessageId,
    pub author_id: UserId,
    /// On which side its author stands.
    pub side: Side,
    pub message: String,
    pub created_at: Time,
}

/// What is said in a dispute.
pub struct SaidLimits;
impl TextLimits for SaidLimits {
    const MIN: usize = 1;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}
pub type Said = Text<SaidLimits>;

form! {
    /// Why the order is disputed, and what should become of the money.
    pub struct OpenDispute {
        /// What is wrong, for the other side and for whoever decides.
        reason: Said,
        /// What should go back to the buyer, from 0 to everything; the rest is released.
        wants: Option<Amount>,
    }
    server_sets {
        opened_by: "from your token", order_id: "by the path", status: "to open",
        refund_amount: "by an offer or a decision: send `wants` for what you wish"
    }
}

form! {
    /// Something to say about the dispute.
    pub struct WriteInDispute {
        message: Said,
    }
    server_sets { author_id: "from your token", side: "from your token" }
}

form! {
    /// A split that ends the dispute once the other side accepts it.
    pub struct OfferSettlement {
        /// What goes back to the buyer, from 0 to everything that is held; the rest is released.
        refund_amount: Amount,
        message: Option<Said>,
    }
    server_sets { side: "from your token" }
}

form! {
    /// The other side's offer, by its amount.
    pub struct AcceptSettlement {
        /// Exactly what the other side offers to send back.
        refund_amount: Amount,
    }
}

form! {
    /// The end of a dispute: `refund_amount` or `refund_percent`, and why.
    pub struct DecideDispute {
        /// What goes back to the buyer, from 0 to everything that is held; the rest is released.
        refund_amount: Option<Amount>,
        /// The same as a share of what is held.
        refund_percent: Option<Percent>,
        /// Told to both sides.
        reason: Said,
    }
}

impl DecideDispute {
    /// What goes back of `held`.
    pub(super) fn part_of(&self, held: Money) -> Result<Money> {
        match (&self.refund_amount, &self.refund_percent) {
            (Some(amount), None) => part_of(held, amount, "refund_amount"),
            (None, Some(percent)) => Ok(percent.0.of(held)),
            _ => {
                let detail = "send exactly one of `refund_amount` and `refund_percent`";
                Err(Error::field("refund_amount", "one_of", detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_is_looked_at_three_days_and_a_day_before_it_ends() {
        let days = |count: u32| Time::from_micros(0).plus_days(count);
        let looks = |now| Dispute::next_look(now, days(14));
        assert_eq!(looks(days(0)), days(11));
        assert_eq!(looks(days(11)), days(13));
        assert_eq!(looks(days(13)), days(14));
        assert_eq!(looks(days(20)), days(14), "at once");
    }
}
