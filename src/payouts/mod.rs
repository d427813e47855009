//! Payouts: freelancers' accounts at the provider, what they may be paid and when, and every payout with the orders that
//! it pays for. Stands on payments; promises that what an order earned is on its way once at most, that a payout is tried
//! again as the same payout, and that what comes back can be paid out again.

pub mod commands;
mod model;
mod queries;
mod reactions;
mod routes;

use crate::money::Threshold;
use crate::problems;

pub use commands::{
    account_told, apply_account, apply_transfer, awaits_transfer, forget, resolve_transfer, returned,
    transfer_answered,
};
pub use model::{AccountStatus, ItemId, ItemStatus, MANUAL, Payout, PayoutId, Status, Way};
pub use queries::{money_due, needed_to_sell, transfer_known_as};
pub use reactions::{look_at_account, send, start_by_schedule};
pub use routes::operations;

/// The timer that sends a part of a payout, or finds out what became of it.
pub const TRANSFER_SEND: &str = "transfer_send";
/// The timer that starts the payouts of a freelancer who wants them daily or weekly.
pub const PAYOUT_SCHEDULE: &str = "payout_schedule";
/// The timer that looks how a freelancer's account stands at the provider.
pub const PAYOUT_ACCOUNT: &str = "payout_account";

/// How the house pays. Filled in `app.rs`.
pub struct Terms {
    /// Nothing less is paid out to freelancers who say no other.
    pub minimum: Threshold,
    /// The provider that buyers pay: what others charged is not paid out.
    pub paid_through: &'static str,
}

problems! {
    PAYOUT_ACCOUNT_REQUIRED = 409 "payout_account_required" "There is no account to pay to" "`account` says how yours stands. POST /payouts/account opens one at the payment provider or goes on with it; where the house pays by hand, PUT /payouts/account says where to." with ["account"];
    NOTHING_TO_PAY_OUT = 409 "nothing_to_pay_out" "Nothing can be paid out yet" "What an order earned can be paid out some days after its completion; `available_at` is when the next of it can, null when nothing is coming." with ["available_at"];
    BELOW_MINIMUM = 409 "below_minimum" "It is less than the minimum" "`available` is what could be paid out, `minimum` what it has to reach. Wait for more, or change yours with PUT /payouts/settings." with ["available", "minimum"];
    BALANCE_OWED = 409 "balance_owed" "You owe the house money" "Money of yours went back to buyers after you had been paid; `owed` is how much is left to settle. What your next orders earn settles it first." with ["owed"];
    PAYOUTS_FROZEN = 409 "payouts_frozen" "Payouts are frozen" "The account is suspended. Its money stays where it is until whoever runs this marketplace has reinstated it.";
    PAYOUTS_BY_HAND = 409 "payouts_by_hand" "Payouts are made by hand here" "There is no account to open at a provider: say where to pay to with PUT /payouts/account {\"details\": …}.";
    PAYOUTS_BY_PROVIDER = 409 "payouts_by_provider" "Payouts are made through the payment provider" "The provider asks for the details itself: open an account with POST /payouts/account.";
    PAYOUT_NOT_MANUAL = 409 "payout_not_manual" "The provider makes this payout" "Only a payout by hand is marked; the provider tells how this one ends: GET /payouts/{id}.";
    PAYOUT_DECIDED = 409 "payout_decided" "The payout is over" "It came back and its money can be paid out again, by another payout; `current` is where this one stands." with ["current"];
}
