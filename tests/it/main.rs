//! The application as its users meet it: in process, through the real router, on a real database.

#![allow(clippy::unwrap_used)]

mod support;

mod authz;
mod bad_input;
mod chargebacks;
mod cli;
mod demo;
mod disputes;
mod edge;
mod embedded;
mod fees;
mod listings;
mod metrics;
mod money_docs;
mod moving;
mod nodes;
mod notifications;
mod openapi;
mod orders;
mod payments;
mod payouts;
mod plans;
mod profiles;
mod races;
mod reconciliation;
mod refunds;
mod reviews;
mod schema;
mod search;
mod shards;
mod supervisor;
mod tidy;
mod transactions;
mod users;
mod verify;
mod walk;
mod webhooks;
