//! Where a database is, and what can be known of it before it is opened.

use std::fmt;
use std::path::PathBuf;

use super::{Server, migrate, postgres, sqlite};
use crate::error::Result;

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Place {
    /// The embedded one, in this file.
    File(PathBuf),
    /// On a server.
    Server(Box<Server>),
}

impl Place {
    /// Whether a process has it for itself, so that nobody else can be at work on it.
    pub fn is_embedded(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The migrations that the database lacks; all of them where there is none. Looks without changing anything; an
    /// error says why it is of no use to this version.
    pub fn pending_migrations(&self) -> Result<Vec<&'static str>> {
        match self {
            Self::File(file) if !file.exists() => Ok(migrate::all_names()),
            Self::File(file) => sqlite::pending_migrations(file),
            Self::Server(server) => postgres::pending_migrations(server),
        }
    }

    /// Lets others open the database without each reading its log: the only one that has it open does so anew.
    pub fn hold(&self) -> Held {
        match self {
            Self::File(file) if file.exists() => Held(sqlite::hold(file).ok()),
            Self::File(_) | Self::Server(_) => Held(None),
        }
    }

    /// What runs the database, for `doctor`; an error says what is wrong with it.
    pub fn engine(&self) -> Result<String> {
        match self {
            Self::File(_) => Ok(format!("SQLite {}, compiled in", sqlite::version())),
            Self::Server(server) => postgres::version(server),
        }
    }

    /// Each server that may answer in its place: where it is, and what runs there; an error says why it is of no use.
    pub fn replicas(&self) -> Vec<(String, Result<String>)> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Server(server) => postgres::look_at_replicas(server),
        }
    }
}

/// See [`Place::hold`]; until it is dropped.
pub struct Held(#[expect(dead_code, reason = "it is there to be dropped")] Option<rusqlite::Connection>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Server(server) => server.url.fmt(f),
        }
    }
}
