//! SQLite inside the process: reads where they are asked for, one writer thread that commits many jobs at once, WAL, fsync
//! before every answer.

mod conn;
mod engine;
mod fault;
mod migrate;
mod reads;
pub(super) mod search;
mod writes;

pub(super) use conn::{Conn, column};
pub(super) use engine::{Engine, check_file, hold, pending_migrations, restore, version};
