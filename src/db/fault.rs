//! What a database can say no with, in words that every engine shares.

use std::fmt;

/// A refusal of the database.
#[derive(Debug)]
pub enum Fault {
    /// A unique constraint: its table and columns, joined by `_`.
    Unique(String),
    /// No room, no permission, a broken disk: nothing was written.
    Storage(String),
    /// Too many are waiting; nothing was done.
    Overloaded,
    /// Somebody else holds a lock longer than we wait, or is always faster; nothing was done.
    Busy,
    /// It ran past its deadline.
    TooSlow,
    /// It cannot be reached; nothing was done.
    Away(String),
    /// It went away while it committed, and has not said what became of that.
    Unknown,
    /// Anything else is a bug.
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    /// The same fault for another job of the batch that it ended.
    pub(super) fn for_another(&self) -> Self {
        match self {
            Self::Unique(name) => Self::Unique(name.clone()),
            Self::Overloaded => Self::Overloaded,
            Self::Busy => Self::Busy,
            Self::TooSlow => Self::TooSlow,
            Self::Away(why) => Self::Away(why.clone()),
            Self::Unknown => Self::Unknown,
            Self::Storage(what) => Self::Storage(what.clone()),
            Self::Other(error) => Self::Storage(error.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(name) => write!(f, "unique constraint {name} violated"),
            Self::Storage(what) => write!(f, "storage unavailable: {what}"),
            Self::Overloaded => f.write_str("the queue is full"),
            Self::Busy => f.write_str("others hold what it needs"),
            Self::TooSlow => f.write_str("a statement ran past its deadline"),
            Self::Away(why) => write!(f, "the database is not available: {why}"),
            Self::Unknown => f.write_str("the database went away while it committed"),
            Self::Other(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Fault {}
