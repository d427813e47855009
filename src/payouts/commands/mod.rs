//! What changes accounts, settings and payouts.

mod account;
mod mark;
mod send;
mod settings;
mod start;

pub use account::{account_told, apply_account, begin, change, forget, onboarding};
pub use mark::mark;
pub use send::{apply_transfer, go_on, returned, take_up, transfer_to_send};
pub use settings::change as change_settings;
pub use start::{by_schedule, request};
