//! PostgreSQL on a server: connections, each on a thread of its own, serializable writes that are run again when others
//! were faster, a deadline on everything a request waits for, and a record of each commit that can be looked up when its
//! answer was lost.

mod conn;
mod engine;
mod fault;
mod glance;
mod health;
mod line;
mod migrate;
mod question;
pub(super) mod search;
mod server;
mod tls;
mod url;

pub(super) use conn::{Conn, FORGET_COMMITS, column};
pub(super) use engine::{DEADLINE, Engine};
pub use server::Server;
pub(super) use server::{pending_migrations, version};
pub use url::ServerUrl;
