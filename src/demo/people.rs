//! Who comes to the marketplace, and what the freelancers among them offer.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::content::{self, Crowd, Freelancer, Offer, Person, PortfolioItem};
use super::{Deed, HOURS, STEP_HOURS};
use crate::actor::{Actor, Role, UserId};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::listings::{self, ListingId};
use crate::money::{Currency, Money};
use crate::payouts;
use crate::profiles;
use crate::users::commands::{NewAccount, register};
use crate::users::{Email, Username};
use crate::version::Expected;

/// Somebody, from the hour they join.
pub struct Member {
    pub person: Person,
    pub role: Role,
    pub joins_at: u32,
    pub id: Option<UserId>,
    /// Of a freelancer.
    pub page: Option<Freelancer>,
}

/// An offer of one member, from the hour it is published.
pub struct Offered {
    pub seller: usize,
    pub offer: Offer,
    pub status: listings::Status,
    pub at: u32,
    pub id: Option<ListingId>,
}

impl Member {
    pub fn keeper() -> Self {
        let text = str::to_owned;
        let person = Person {
            first_name: text("Guild"),
            last_name: text("Keeper"),
            username: text("keeper"),
            email: text("keeper@example.com"),
        };
        Self { person, role: Role::Admin, joins_at: 0, id: None, page: None }
    }

    /// The first of `count` come on the first day, the others over most of the story.
    pub fn arrive(rng: &mut ChaCha8Rng, crowd: &mut Crowd, nth: u32, count: u32, sells: bool) -> Self {
        let person = crowd.newcomer(rng);
        let joins_at =
            if nth <= count / 4 { rng.random_range(2..24) } else { rng.random_range(24..HOURS * 7 / 10) };
        let role = match sells {
            true if rng.random_ratio(1, 6) => Role::Both,
            true => Role::Freelancer,
            false => Role::Buyer,
        };
        let page = sells.then(|| content::freelancer(rng, person.clone()));
        Self { person, role, joins_at, id: None, page }
    }

    pub fn actor(&self) -> Result<Actor> {
        let id = self.id.ok_or_else(|| Error::broken("somebody acts before they have joined"))?;
        Ok(Actor::User { id, role: self.role, session: Id::from_uuid(uuid::Uuid::nil()) })
    }

    pub fn join(&self, password_hash: &str) -> Result<Deed> {
        let wrong = |what| move |_| Error::broken(format!("the demo made up an unusable {what}"));
        let new = NewAccount {
            username: Username::parse(&self.person.username).map_err(wrong("username"))?,
            email: Email::parse(&self.person.email).map_err(wrong("e-mail address"))?,
            password_hash: password_hash.to_owned(),
            role: self.role,
        };
        Ok(Box::new(move |tx| Ok(register(tx, &new)?.id.cast())))
    }

    /// A freelancer's page with its portfolio, and when to be paid.
    pub fn write_page(&self) -> Result<Deed> {
        let actor = self.actor()?;
        let user = actor.require_user()?;
        let page = self.page.as_ref().ok_or_else(|| Error::broken("a buyer has no page"))?;
        let body = json!({
            "first_name": self.person.first_name, "last_name": self.person.last_name, "bio": page.bio,
            "skills": page.skills, "experience": page.experience,
        });
        let work = |item: &PortfolioItem| json!({ "title": item.title, "description": item.description, "url": item.url });
        let weekly = json!({ "schedule": "weekly", "minimum": "20" });
        let works: Vec<Value> = page.portfolio.iter().map(work).collect();
        Ok(Box::new(move |tx| {
            profiles::commands::change(tx, &actor, user, &body.clone().into(), &Expected::any())?;
            for work in &works {
                profiles::commands::add_item(tx, &actor, user, &work.clone().into())?;
            }
            payouts::commands::change_settings(tx, &actor, &weekly.clone().into(), &Expected::any())?;
            Ok(user.cast())
        }))
    }
}

impl Offered {
    /// What a freelancer offers, some days after they joined.
    pub fn range(rng: &mut ChaCha8Rng, seller: usize, member: &Member) -> Vec<Self> {
        let Some(page) = &member.page else { return Vec::new() };
        let count = rng.random_range(2..=6);
        let offers = content::offers(rng, page.trade, count);
        let offered = |(nth, offer): (u32, Offer)| {
            let wait = if nth == 0 { STEP_HOURS } else { rng.random_range(STEP_HOURS..400) };
            let status = match rng.random_range(0..25) {
                0 if nth > 0 => listings::Status::Draft,
                1 if nth > 0 => listings::Status::Paused,
                _ => listings::Status::Published,
            };
            Self { seller, offer, status, at: (member.joins_at + wait).min(HOURS - 1), id: None }
        };
        (0..).zip(offers).map(offered).collect()
    }

    pub fn publish(&self, seller: Actor, currency: Currency) -> Deed {
        let Offer { title, description, category, tags, price_minor, delivery_days, .. } = &self.offer;
        let body = json!({
            "title": title, "description": description, "category": category, "tags": tags,
            "price": Money::new(*price_minor, currency), "currency": currency,
            "delivery_days": delivery_days, "status": self.status,
        });
        Box::new(move |tx| Ok(listings::commands::create(tx, &seller, &body.clone().into())?.cast()))
    }
}
