//! The whole story before it happens: who does what in which hour.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::content::Crowd;
use super::orders::{Course, Scene, Step, course};
use super::people::{Member, Offered};
use super::{Deed, HOURS, Made, STEP_HOURS};
use crate::actor::{Actor, Role};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::listings;
use crate::money::{Currency, Money};

/// Something that one person does; whom or what it is about, by its place in the story.
#[derive(Debug)]
pub enum Act {
    Join(usize),
    WritePage(usize),
    Offer(usize),
    /// A step of an order; the number tells it from the other steps.
    Order(usize, Step, u64),
}

/// What the provider is asked for after an act.
pub enum Ask {
    /// The payment that was begun.
    Charge,
    /// An account for this freelancer to be paid to.
    Account(Actor),
}

pub struct Story {
    seed: u64,
    currency: Currency,
    password_hash: String,
    people: Vec<Member>,
    offers: Vec<Offered>,
    courses: Vec<Course>,
    calendar: BTreeMap<u32, Vec<Act>>,
}

impl Story {
    pub fn plan(scale: u32, seed: u64, currency: Currency, password_hash: String) -> Self {
        // The content's prices have two digits.
        let currency =
            Some(currency).filter(|currency| currency.digits() == 2).or_else(|| Currency::parse("USD"));
        let mut story = Self {
            seed,
            currency: currency.expect("USD is in ISO 4217"),
            password_hash,
            people: vec![Member::keeper()],
            offers: Vec::new(),
            courses: Vec::new(),
            calendar: BTreeMap::new(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        story.plan_people(&mut rng, scale);
        story.plan_orders(&mut rng, 500 * scale);
        story
    }

    fn plan_people(&mut self, rng: &mut ChaCha8Rng, scale: u32) {
        let mut crowd = Crowd::default();
        for (count, sells) in [(50 * scale, true), (80 * scale, false)] {
            for nth in 0..count {
                self.people.push(Member::arrive(rng, &mut crowd, nth, count, sells));
            }
        }
        for (seller, member) in self.people.iter().enumerate() {
            self.offers.extend(Offered::range(rng, seller, member));
        }
        for index in 0..self.people.len() {
            let Member { joins_at, ref page, .. } = self.people[index];
            let has_page = page.is_some();
            self.enter(joins_at, Act::Join(index));
            if has_page {
                self.enter(joins_at + STEP_HOURS, Act::WritePage(index));
            }
        }
        for index in 0..self.offers.len() {
            self.enter(self.offers[index].at, Act::Offer(index));
        }
    }

    /// Every order goes to an offer and a buyer who are there by then; those who came early have more of them.
    fn plan_orders(&mut self, rng: &mut ChaCha8Rng, count: u32) {
        let on_sale = |offer: &Offered| offer.status == listings::Status::Published;
        let mut offers: Vec<usize> =
            (0..self.offers.len()).filter(|index| on_sale(&self.offers[*index])).collect();
        offers.sort_by_key(|index| self.offers[*index].at);
        let mut buyers: Vec<usize> =
            (0..self.people.len()).filter(|index| self.people[*index].role == Role::Buyer).collect();
        buyers.sort_by_key(|index| self.people[*index].joins_at);
        for nth in 0..count {
            // The offer decides how long the work takes, so the first guess at the hour may have to move.
            let offer = offers[early(rng, offers.len())];
            let days = u32::from(self.offers[offer].offer.delivery_days);
            let (placed_at, steps) = course(rng, nth, days);
            let placed_at = placed_at.max(self.offers[offer].at + STEP_HOURS);
            let there =
                buyers.partition_point(|index| self.people[*index].joins_at + STEP_HOURS <= placed_at);
            let course = Course { buyer: buyers[early(rng, there)], offer, order: None, payment: None };
            let index = self.courses.len();
            self.courses.push(course);
            for (number, (after, step)) in (0..).zip(steps) {
                self.enter(placed_at + after, Act::Order(index, step, number));
            }
        }
    }

    /// What would happen after the end does not happen.
    fn enter(&mut self, hour: u32, act: Act) {
        let hour = hour / STEP_HOURS * STEP_HOURS;
        if hour < HOURS {
            self.calendar.entry(hour).or_default().push(act);
        }
    }

    /// How many acts there are.
    pub fn len(&self) -> u64 {
        self.calendar.values().map(|acts| acts.len() as u64).sum()
    }

    pub fn next_acts(&mut self) -> Option<(u32, Vec<Act>)> {
        self.calendar.pop_first()
    }

    /// Nobody acts on the stroke of the hour.
    pub fn minutes(&self, hour: u32) -> Duration {
        Duration::from_millis(
            self.words(u64::from(hour) << 32).random_range(0..STEP_HOURS * 3_500_000).into(),
        )
    }

    /// A generator for one act, so that what is said there depends on nothing else.
    fn words(&self, act: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(act + 1);
        rng
    }

    pub fn deed(&self, app: &App, act: &Act) -> Result<Deed> {
        match *act {
            Act::Join(person) => self.people[person].join(&self.password_hash),
            Act::WritePage(person) => self.people[person].write_page(),
            Act::Offer(offer) => {
                let offered = &self.offers[offer];
                Ok(offered.publish(self.people[offered.seller].actor()?, self.currency))
            }
            Act::Order(index, step, number) => {
                let mut rng = self.words((index as u64) << 8 | number);
                self.scene(&self.courses[index])?.deed(app, &mut rng, step)
            }
        }
    }

    fn scene<'s>(&'s self, course: &'s Course) -> Result<Scene<'s>> {
        let offered = &self.offers[course.offer];
        let actor = |person: usize| -> Result<Actor> { self.people[person].actor() };
        Ok(Scene {
            course,
            topic: &offered.offer.topic,
            listing: offered.id.ok_or_else(|| Error::broken("an order comes before its listing"))?.cast(),
            amount: Money::new(offered.offer.price_minor, self.currency),
            buyer: actor(course.buyer)?,
            freelancer: actor(offered.seller)?,
            admin: actor(0)?,
        })
    }

    /// Keeps the id of what an act made; what the provider is to be asked for then.
    pub fn note(&mut self, act: &Act, made: Id<()>) -> Result<Option<Ask>> {
        match *act {
            Act::Join(person) => self.people[person].id = Some(made.cast()),
            Act::Offer(offer) => self.offers[offer].id = Some(made.cast()),
            Act::Order(index, Step::Place, _) => self.courses[index].order = Some(made.cast()),
            Act::Order(index, Step::Pay(_), _) => {
                self.courses[index].payment = Some(made.cast());
                return Ok(Some(Ask::Charge));
            }
            Act::WritePage(person) => return Ok(Some(Ask::Account(self.people[person].actor()?))),
            Act::Order(..) => {}
        }
        Ok(None)
    }

    pub fn made(self) -> Made {
        let named = |role: Role| {
            let some =
                self.people.iter().filter(|member| member.role == role && member.joins_at < 24).take(2);
            some.map(|member| member.person.username.clone()).collect()
        };
        Made {
            people: self.people.len(),
            listings: self.offers.len(),
            orders: self.courses.len(),
            admin: self.people[0].person.username.clone(),
            freelancers: named(Role::Freelancer),
            buyers: named(Role::Buyer),
        }
    }
}

/// One of `there`, and rather one of the first.
fn early(rng: &mut ChaCha8Rng, there: usize) -> usize {
    rng.random_range(0..there).min(rng.random_range(0..there))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seed: u64) -> String {
        let usd = Currency::parse("USD").expect("a listed currency");
        let mut story = Story::plan(1, seed, usd, String::new());
        let mut text = String::new();
        while let Some((hour, acts)) = story.next_acts() {
            text += &format!("{hour} {acts:?}\n");
        }
        let people = story.people.iter().map(|member| &member.person);
        let offers = story.offers.iter().map(|offered| (offered.seller, &offered.offer));
        text + &format!("{:?}{:?}", people.collect::<Vec<_>>(), offers.collect::<Vec<_>>())
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        assert_eq!(told(3), told(3));
        assert_ne!(told(3), told(4));
    }
}
