//! A Guildhall of one's own for each test, and the people in it.

mod app;
mod cast;
mod finished;
mod home;
mod listings;
mod orders;
pub mod payments;
mod payouts;
mod profiles;
mod program;
mod reply;
mod users;

pub use app::TestApp;
pub use cast::{PASSWORD, Person};
pub use home::Home;
pub use listings::path_of;
pub use orders::{Cast, order_path};
pub use payments::{Trouble, Troubles};
pub use payouts::CLEARANCE;
pub use program::{Answered, Program, read_answer};
pub use reply::Reply;
