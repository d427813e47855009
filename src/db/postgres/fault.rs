//! PostgreSQL's errors in the words of [`Fault`], by SQLSTATE.

use std::error::Error;
use std::io;

use tokio_postgres::error::{Severity, SqlState};

use crate::db::Fault;

/// What to do about an error.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Others were faster: the whole transaction may run again.
    Rerun,
    /// The connection is of no use any more.
    Lost(String),
    /// The statement was refused.
    Refused(Fault),
    /// It is a replica, and has not come as far as it must.
    Behind,
}

impl Outcome {
    /// For whoever can do nothing about it.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Rerun | Self::Behind => Fault::Busy,
            Self::Lost(why) => Fault::Away(why),
            Self::Refused(fault) => fault,
        }
    }
}

impl From<tokio_postgres::Error> for Outcome {
    fn from(error: tokio_postgres::Error) -> Self {
        outcome(&error)
    }
}

impl From<Outcome> for crate::error::Error {
    fn from(outcome: Outcome) -> Self {
        outcome.into_fault().into()
    }
}

pub(super) fn outcome(error: &tokio_postgres::Error) -> Outcome {
    let Some(refusal) = error.as_db_error() else {
        let cut = error.is_closed() || error.source().is_some_and(|cause| cause.is::<io::Error>());
        return match cut || error.source().is_none() {
            true => Outcome::Lost(chain(error)),
            false => Outcome::Refused(Fault::Other(chain(error).into())),
        };
    };
    let state = refusal.code();
    let said = || format!("{} ({})", refusal.message(), state.code());
    // Whatever it was, it ended the session.
    if matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
        return Outcome::Lost(said());
    }
    match *state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Outcome::Rerun,
        SqlState::UNIQUE_VIOLATION => {
            Outcome::Refused(Fault::Unique(refusal.constraint().unwrap_or_default().to_owned()))
        }
        SqlState::QUERY_CANCELED => Outcome::Refused(Fault::TooSlow),
        SqlState::LOCK_NOT_AVAILABLE => Outcome::Refused(Fault::Busy),
        SqlState::DISK_FULL | SqlState::OUT_OF_MEMORY | SqlState::IO_ERROR => {
            Outcome::Refused(Fault::Storage(said()))
        }
        // A demoted primary: the one that was promoted is at another address, or behind the same one.
        SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::DATABASE_DROPPED
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Outcome::Lost(said()),
        // In whatever language: a standby refuses how the transaction was to begin, or a newer program has altered a table
        // under this one's prepared statements, and new ones are right again.
        SqlState::FEATURE_NOT_SUPPORTED => Outcome::Lost(said()),
        _ if refusal.message().contains("startup parameter") => {
            Outcome::Lost(format!("{}: set database_pooler to true where a pooler answers", said()))
        }
        _ if state.code().starts_with("08") => Outcome::Lost(said()),
        // Some other limit of the server was reached: of temporary files, for instance.
        _ if state.code().starts_with("53") => Outcome::Refused(Fault::Storage(said())),
        _ => Outcome::Refused(Fault::Other(chain(error).into())),
    }
}

/// The error and what caused it, on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(": ");
        text.push_str(&deeper.to_string().replace('\n', "; "));
        cause = deeper.source();
    }
    text
}
