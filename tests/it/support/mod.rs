//! A Guildhall of one's own for each test, and the people in it.

mod app;
mod cast;
mod reply;
mod users;

pub use app::TestApp;
pub use cast::{PASSWORD, Person};
pub use reply::Reply;
