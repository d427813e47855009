//! SQLite inside the process: one writer thread that commits many jobs at once, a few reader threads, WAL, fsync before
//! every answer.

mod conn;
mod engine;
mod fault;
mod migrate;
pub(super) mod search;

pub(super) use conn::{Conn, column};
pub(super) use engine::{Engine, check_file, pending_migrations, restore, version};
