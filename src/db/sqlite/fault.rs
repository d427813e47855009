//! What SQLite can say no with, in words that every engine shares.

use std::fmt;

use rusqlite::ErrorCode;

/// A refusal of the database.
#[derive(Debug)]
pub enum Fault {
    /// A unique constraint: its table and columns, joined by `_`.
    Unique(String),
    /// No room, no permission, a broken disk: nothing was written.
    Storage(String),
    /// Too many are waiting; nothing was done.
    Overloaded,
    /// Another process holds the lock longer than we wait.
    Busy,
    /// It ran past its deadline.
    TooSlow,
    /// Anything else is a bug.
    Other(rusqlite::Error),
}

impl Fault {
    /// The same fault for another job of the batch that it ended.
    pub(super) fn for_another(&self) -> Self {
        match self {
            Self::Unique(name) => Self::Unique(name.clone()),
            Self::Overloaded => Self::Overloaded,
            Self::Busy => Self::Busy,
            Self::TooSlow => Self::TooSlow,
            Self::Storage(what) => Self::Storage(what.clone()),
            Self::Other(error) => Self::Storage(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(cause, message) = &error else { return Self::Other(error) };
        match cause.code {
            ErrorCode::ConstraintViolation => match unique_constraint(message.as_deref().unwrap_or_default())
            {
                Some(name) => Self::Unique(name),
                None => Self::Other(error),
            },
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen => Self::Storage(error.to_string()),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::OperationInterrupted => Self::TooSlow,
            _ => Self::Other(error),
        }
    }
}

/// `UNIQUE constraint failed: orders.a, orders.b` names `orders_a_b`, as the constraint would be called elsewhere.
fn unique_constraint(message: &str) -> Option<String> {
    let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
    let mut name = String::new();
    for (index, column) in columns.split(", ").enumerate() {
        let (table, column) = column.split_once('.')?;
        if index == 0 {
            name.push_str(table);
        }
        name.push('_');
        name.push_str(column);
    }
    Some(name)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(name) => write!(f, "unique constraint {name} violated"),
            Self::Storage(what) => write!(f, "storage unavailable: {what}"),
            Self::Overloaded => f.write_str("the queue is full"),
            Self::Busy => f.write_str("locked by another process"),
            Self::TooSlow => f.write_str("a statement ran past its deadline"),
            Self::Other(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_named_by_table_and_columns() {
        assert_eq!(
            unique_constraint("UNIQUE constraint failed: users.email_folded").as_deref(),
            Some("users_email_folded")
        );
        assert_eq!(unique_constraint("UNIQUE constraint failed: t.a, t.b").as_deref(), Some("t_a_b"));
        assert_eq!(unique_constraint("FOREIGN KEY constraint failed"), None);
    }
}
