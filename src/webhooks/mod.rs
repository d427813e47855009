//! What payment providers tell by themselves: events at our door, signed, each kept once. An event says only that something
//! has changed: the object is read again and its state applied through the service that owns it, so duplicates, any order,
//! late and unknown events all end the same. Never believes what an event says of money.

mod commands;
mod model;
mod postman;
mod queries;
mod reactions;
mod routes;

use crate::problems;

pub use commands::{forget_old, receive};
pub use postman::deliver;
pub use reactions::{apply, catch_up};
pub use routes::operations;

/// The timer that applies an event of the inbox.
pub const WEBHOOK_APPLY: &str = "webhook_apply";
/// The timer that asks for events that did not arrive. It has no subject and schedules itself again.
pub const WEBHOOK_CATCH_UP: &str = "webhook_catch_up";

problems! {
    INVALID_SIGNATURE = 400 "invalid_signature" "The event is not signed by the provider" "It carries no signature, or none that was made over exactly these bytes with a secret of this deployment. Check the signing secret in the settings; nothing was kept.";
    PROVIDER_MISCONFIGURED = 503 "provider_misconfigured" "The payment provider is not set up here" "The settings of this deployment's payment provider cannot be used; `guildhall doctor` says what is wrong. Nothing was kept: send the event again once they are mended.";
    STALE_SIGNATURE = 400 "stale_signature" "The event was signed too long ago" "A signature is believed for five minutes. Let the provider send the event again, which signs it anew; check the clocks if that does not help.";
}
