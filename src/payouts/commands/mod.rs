//! What changes accounts, settings and payouts.

mod account;
mod mark;
mod send;
mod settings;
mod start;
mod transfer;

pub use account::{account_told, apply_account, begin, change, forget, onboarding};
pub use mark::mark;
pub use send::{apply_transfer, returned};
pub use settings::change as change_settings;
pub use start::{by_schedule, request};
pub use transfer::{
    asked_transfer, awaits_transfer, resolve_transfer, take_up, transfer_answered, transfer_not_executed,
};
