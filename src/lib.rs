//! The backend of a freelance marketplace: seven services over one database.

// Values that know nothing of the marketplace.
pub mod id;
pub mod money;
pub mod rating;
pub mod secret;
mod short;
pub mod time;

// What every service stands on.
pub mod actor;
pub mod config;
pub mod db;
pub mod error;
pub mod events;
pub mod failpoint;
pub mod form;
pub mod http;
pub mod ledger;
pub mod page;
pub mod providers;
pub mod tls;
pub mod version;

// The services, each above the ones before it.
pub mod disputes;
pub mod fees;
pub mod listings;
pub mod notifications;
pub mod orders;
pub mod payments;
pub mod payouts;
pub mod profiles;
pub mod reconciliation;
pub mod reviews;
pub mod users;
pub mod webhooks;

// What is put together from them.
pub mod app;
pub mod cli;
pub mod demo;
pub mod moving;
pub mod test_clock;
pub mod verify;
