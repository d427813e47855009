//! The inbox: what people are told, once per event, and what they write to each other. A row names nobody in its text:
//! who did it is looked up when it is read, so that a deleted account leaves no name behind.

pub mod commands;
mod model;
pub mod queries;
mod reactions;
mod routes;

pub use commands::forget;
pub use model::{Inbox, Notification, NotificationId};
pub use reactions::{on_event, recipients};
pub use routes::operations;
