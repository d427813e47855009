//! How many files the system lets this process have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http::server::Limits;

/// Beside the connections of clients: the database and its journals, the connections to its server and to payment
/// providers, the metrics' readers.
const SPARE: usize = 64;

/// What the most connections need.
pub fn wanted() -> usize {
    Limits::default().max_connections + SPARE
}

/// What the process may ask for without the system's consent.
pub fn attainable() -> usize {
    count(getrlimit(Resource::Nofile).maximum)
}

/// Asks for as many as are wanted, and admits no more connections than there are files for: when the last is gone the
/// database cannot open its own.
pub fn allow(limits: Limits) -> Limits {
    let held = getrlimit(Resource::Nofile);
    let (wanted, attainable) = (wanted(), count(held.maximum));
    let mut allowed = count(held.current);
    if allowed < wanted {
        let asked = wanted.min(attainable);
        match setrlimit(Resource::Nofile, Rlimit { current: Some(asked as u64), ..held }) {
            Ok(()) => allowed = asked,
            Err(error) => tracing::warn!(%error, asked, "cannot raise the number of open files"),
        }
    }
    let limits = within(limits, allowed);
    if allowed < wanted {
        let max_connections = limits.max_connections;
        tracing::warn!(
            allowed,
            wanted,
            max_connections,
            "few open files are allowed: further connections wait"
        );
    }
    limits
}

fn within(limits: Limits, allowed: usize) -> Limits {
    let max_connections = limits.max_connections.min(allowed.saturating_sub(SPARE).max(1));
    Limits { max_connections, ..limits }
}

fn count(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_files_for_every_connection_that_is_let_in() {
        let admitted = |allowed| within(Limits::default(), allowed).max_connections;
        assert_eq!(admitted(usize::MAX), Limits::default().max_connections);
        assert_eq!(admitted(wanted()), Limits::default().max_connections);
        assert_eq!(admitted(wanted() - 1), Limits::default().max_connections - 1);
        assert_eq!(admitted(1_024), 1_024 - SPARE);
        assert_eq!(admitted(SPARE), 1);
        assert_eq!(count(None), usize::MAX);
    }
}
