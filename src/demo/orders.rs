//! How orders go: most of them well, some slowly, some badly. A course is planned before anything happens; what is said on
//! the way is made up when it is said.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::content::{self, Side, Topic};
use super::{Deed, HOURS, STEP_HOURS};
use crate::actor::Actor;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::money::Money;
use crate::orders::OrderId;
use crate::payments::PaymentId;
use crate::version::Expected;
use crate::{notifications, orders, payments, reviews};

/// A step that somebody takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    Place,
    Pay(&'static str),
    Say(Side),
    Deliver,
    Revise,
    Accept,
    Cancel(Side),
    Dispute(Side),
    Settle(Verdict),
    Refund,
    Review,
}

/// How the administrator settles a dispute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    ForBuyer,
    ForFreelancer,
    /// That many hundredths of the amount go back.
    Split(i64),
}

/// One order: who, what, and what came of it.
pub struct Course {
    pub buyer: usize,
    pub offer: usize,
    pub order: Option<OrderId>,
    pub payment: Option<PaymentId>,
}

/// Notes the steps of a course with their hours since its order was placed.
struct Pen<'r> {
    rng: &'r mut ChaCha8Rng,
    at: u32,
    steps: Vec<(u32, Step)>,
}

impl Pen<'_> {
    fn after(&mut self, hours: std::ops::Range<u32>, step: Step) {
        self.at += self.rng.random_range(hours).max(STEP_HOURS);
        self.steps.push((self.at, step));
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    /// Some messages within the coming hours.
    fn chat(&mut self, hours: u32) {
        for _ in 0..self.rng.random_range(0..=3) {
            let side = if self.chance(50) { Side::Buyer } else { Side::Freelancer };
            let at = self.at + self.rng.random_range(STEP_HOURS..=hours);
            self.steps.push((at, Step::Say(side)));
        }
    }

    fn pay(&mut self) {
        let first = match self.rng.random_range(0..100) {
            0..5 => Some("pm_card_visa_chargeDeclined"),
            5..7 => Some("pm_card_visa_chargeDeclinedInsufficientFunds"),
            7..10 => Some("pm_card_authenticationRequired"),
            _ => None,
        };
        if let Some(method) = first {
            self.after(2..6, Step::Pay(method));
        }
        let method = if self.chance(4) { "pm_sandbox_pending" } else { "pm_card_visa" };
        self.after(2..10, Step::Pay(method));
    }

    /// From payment to a delivery that needs no further change.
    fn work(&mut self, days: u32) {
        let hours = days * 24;
        self.chat(hours);
        let late = self.chance(10);
        let range = if late { hours + 4..hours + 40 } else { hours * 3 / 10 + 2..hours };
        self.after(range, Step::Deliver);
        if self.chance(18) {
            self.after(4..40, Step::Revise);
            self.after(4..hours.clamp(12, 72), Step::Deliver);
        }
    }

    fn dispute(&mut self) {
        let side = if self.chance(70) { Side::Buyer } else { Side::Freelancer };
        self.after(2..48, Step::Dispute(side));
    }

    fn settle(&mut self) {
        let verdict = match self.rng.random_range(0..4) {
            0 => Verdict::ForBuyer,
            1 => Verdict::ForFreelancer,
            _ => Verdict::Split(self.rng.random_range(2..=6) * 10),
        };
        self.after(24..120, Step::Settle(verdict));
        if verdict != Verdict::ForBuyer && self.chance(60) {
            self.after(2..48, Step::Review);
        }
    }

    /// The buyer accepts, or three days go by.
    fn finish(&mut self) {
        if self.chance(75) {
            self.after(2..48, Step::Accept);
        } else {
            self.at += 78;
        }
        if self.chance(72) {
            self.after(2..96, Step::Review);
        }
    }
}

/// The hour from which on people order.
const OPENS: u32 = 72;

/// What becomes of the `nth` order, and the hour when it is placed.
pub fn course(rng: &mut ChaCha8Rng, nth: u32, days: u32) -> (u32, Vec<(u32, Step)>) {
    let mut pen = Pen { rng, at: 0, steps: vec![(0, Step::Place)] };
    // So many are never left to chance: orders that wait for their payment, and disputes that wait for a decision.
    if nth.is_multiple_of(50) {
        return (HOURS - pen.rng.random_range(STEP_HOURS..20), pen.steps);
    }
    let undecided = nth % 50 == 1;
    let fate = if undecided { 100 } else { pen.rng.random_range(0..100) };
    match fate {
        0..4 => {}
        4..7 => pen.after(2..20, Step::Cancel(Side::Buyer)),
        _ => {
            pen.chat(12);
            pen.pay();
            match fate {
                7..10 => pen.after(2..24, Step::Cancel(Side::Freelancer)),
                10..12 => pen.after(days * 24 + 36..days * 24 + 72, Step::Cancel(Side::Buyer)),
                12..14 => {
                    pen.after(4..20, Step::Accept);
                    pen.after(2..48, Step::Review);
                }
                _ => {
                    pen.work(days);
                    match fate {
                        14..18 => pen.after(2..10, Step::Refund),
                        18..22 | 100 => pen.dispute(),
                        _ => {}
                    }
                    match fate {
                        18..22 => pen.settle(),
                        100 => {}
                        _ => pen.finish(),
                    }
                }
            }
        }
    }
    let (length, steps) = (pen.at, pen.steps);
    let placed_at = match undecided {
        true => HOURS.saturating_sub(length + rng.random_range(4..100)).max(OPENS),
        // The later, the busier.
        false => rng.random_range(OPENS..HOURS).max(rng.random_range(OPENS..HOURS)),
    };
    (placed_at, steps)
}

/// The people and the price of a course, for one step of it.
pub struct Scene<'s> {
    pub course: &'s Course,
    pub topic: &'s Topic,
    pub listing: Id<()>,
    pub amount: Money,
    pub buyer: Actor,
    pub freelancer: Actor,
    pub admin: Actor,
}

impl Scene<'_> {
    pub fn deed(&self, app: &App, rng: &mut ChaCha8Rng, step: Step) -> Result<Deed> {
        let topic = self.topic;
        let moved = |by: Actor, status: &str, message: String| {
            self.moved(by, json!({ "status": status, "message": message }))
        };
        match step {
            Step::Place => {
                let buyer = self.buyer;
                let body =
                    json!({ "service_id": self.listing, "requirements": content::requirements(rng, topic) });
                Ok(Box::new(move |tx| Ok(orders::place(tx, &buyer, &body.clone().into())?.id.cast())))
            }
            Step::Pay(method) => {
                let (app, buyer) = (app.clone(), self.buyer);
                let body = json!({ "order_id": self.order()?, "payment_method": method });
                Ok(Box::new(move |tx| {
                    Ok(payments::begin(tx, &buyer, &body.clone().into(), app.provider(), false)?.cast())
                }))
            }
            Step::Say(side) => self.say(side, content::message(rng, topic, side)),
            Step::Deliver => moved(self.freelancer, "delivered", content::delivery_note(rng, topic)),
            Step::Revise => moved(self.buyer, "active", content::revision_request(rng, topic)),
            Step::Accept => self.moved(self.buyer, json!({ "status": "completed" })),
            Step::Cancel(side) => moved(self.of(side), "cancelled", content::cancel_reason(rng, topic, side)),
            Step::Dispute(side) => {
                moved(self.of(side), "disputed", content::dispute_reason(rng, topic, side))
            }
            Step::Settle(verdict) => self.settle(verdict),
            Step::Refund => self.refund(rng.random_range(10..=35)),
            Step::Review => {
                let (buyer, order) = (self.buyer, self.order()?);
                let rating = content::rating(rng);
                let body =
                    json!({ "order_id": order, "rating": rating, "comment": comment(rng, topic, rating) });
                Ok(Box::new(move |tx| {
                    Ok(reviews::commands::submit(tx, &buyer, &body.clone().into())?.id.cast())
                }))
            }
        }
    }

    fn order(&self) -> Result<OrderId> {
        self.course.order.ok_or_else(|| Error::broken("an order moves before it was placed"))
    }

    fn of(&self, side: Side) -> Actor {
        match side {
            Side::Buyer => self.buyer,
            Side::Freelancer => self.freelancer,
        }
    }

    fn moved(&self, by: Actor, body: Value) -> Result<Deed> {
        let order = self.order()?;
        let change = move |tx: &Tx| orders::change(tx, &by, order, &body.clone().into(), &Expected::any());
        Ok(Box::new(move |tx| Ok(change(tx)?.id.cast())))
    }

    fn say(&self, side: Side, message: String) -> Result<Deed> {
        let (by, to) = match side {
            Side::Buyer => (self.buyer, self.freelancer),
            Side::Freelancer => (self.freelancer, self.buyer),
        };
        let body = json!({ "user_id": to.require_user()?, "message": message });
        Ok(Box::new(move |tx| Ok(notifications::commands::send(tx, &by, &body.clone().into())?.id.cast())))
    }

    fn settle(&self, verdict: Verdict) -> Result<Deed> {
        let body = match verdict {
            Verdict::ForBuyer => json!({
                "status": "cancelled", "message": "What was delivered is not what was ordered: the buyer is refunded in full."
            }),
            Verdict::ForFreelancer => json!({
                "status": "completed", "message": "The delivery matches the order as it was placed: the freelancer is paid."
            }),
            Verdict::Split(hundredths) => json!({
                "status": "completed", "refund_amount": self.part(hundredths),
                "message": "Part of the work can be used: the buyer gets a part of the price back, the freelancer the rest."
            }),
        };
        self.moved(self.admin, body)
    }

    fn refund(&self, hundredths: i64) -> Result<Deed> {
        let payment = self.course.payment.ok_or_else(|| Error::broken("a refund of nothing"))?;
        let (freelancer, part) = (self.freelancer, self.part(hundredths));
        let body =
            json!({ "amount": part, "reason": "We agreed on a smaller scope while I was working on it." });
        Ok(Box::new(move |tx| {
            Ok(payments::request_refund(tx, &freelancer, payment, &body.clone().into())?.id.cast())
        }))
    }

    /// A part of the price, at least one unit and never all of it.
    fn part(&self, hundredths: i64) -> Money {
        self.amount.with_minor((self.amount.minor() * hundredths / 100).max(1))
    }
}

/// A comment, or null: not everybody has something to add.
fn comment(rng: &mut ChaCha8Rng, topic: &Topic, rating: u8) -> Option<String> {
    Some(content::review(rng, topic, rating)).filter(|text| !text.is_empty())
}
