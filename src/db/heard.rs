//! What is asked of the database, written down for tests that look at how the engine answers it. Only where debug
//! assertions are compiled in: a release listens to nobody.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Param;

/// A statement as it was run; never what its parameters were.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    pub sql: String,
    /// The type that each parameter is sent to a server with.
    pub types: Vec<String>,
}

/// Deaf until somebody asks for the first time.
#[derive(Default)]
pub(super) struct Ear(Mutex<Option<BTreeSet<Statement>>>);

impl Ear {
    pub fn hear(&self, sql: &str, params: &[&dyn Param]) {
        if cfg!(debug_assertions)
            && let Some(heard) = self.heard().as_mut()
        {
            let types = params.iter().map(|value| value.postgres_type().name().to_owned()).collect();
            heard.insert(Statement { sql: sql.to_owned(), types });
        }
    }

    pub fn take(&self) -> BTreeSet<Statement> {
        self.heard().replace(BTreeSet::new()).unwrap_or_default()
    }

    fn heard(&self) -> MutexGuard<'_, Option<BTreeSet<Statement>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
