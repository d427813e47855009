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
mod position;
mod question;
mod replicas;
pub(super) mod search;
mod server;
mod tide;
mod tls;
mod transaction;
mod url;

pub(super) use conn::{Conn, FORGET_COMMITS, column};
pub(super) use engine::{DEADLINE, Engine};
pub(super) use replicas::look_at_replicas;
pub use server::{Role, Server};
pub(super) use server::{pending_migrations, version};
pub use url::ServerUrl;
