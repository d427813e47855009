//! SQLite's errors in the words of [`Fault`].

use rusqlite::ErrorCode;

use crate::db::Fault;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(cause, message) = &error else { return Self::Other(error.into()) };
        match cause.code {
            ErrorCode::ConstraintViolation => match unique_constraint(message.as_deref().unwrap_or_default())
            {
                Some(name) => Self::Unique(name),
                None => Self::Other(error.into()),
            },
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen => Self::Storage(error.to_string()),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::OperationInterrupted => Self::TooSlow,
            _ => Self::Other(error.into()),
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
