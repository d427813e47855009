//! The words of a believable marketplace: people, what they offer, and what is said around an order. Pure functions
//! of a seeded generator; the same seed says the same things on every machine. Knows no database and no clock.

mod offers;
mod people;
mod talk;
#[cfg(test)]
mod tests;
mod trades;
mod voice;
mod words;

pub use offers::{Freelancer, Offer, PortfolioItem, Topic, freelancer, offer, offers};
pub use people::{Crowd, Person};
pub use talk::{
    Side, cancel_reason, delivery_note, dispute_reason, message, rating, requirements, review,
    revision_request,
};
pub use trades::{TRADES, Trade};
