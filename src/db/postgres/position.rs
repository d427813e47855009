//! Where a server stands in the write-ahead log that all of a cluster share. The primary is asked how far its commits are
//! safe, a replica how far it has come; the question has to be put to the very session that answers the read.

use std::time::{Duration, Instant};

use tokio_postgres::Row;

use super::fault::Outcome;
use super::line::Line;
use crate::db::fresh::Position;

/// What it tells of a primary, as text.
pub(super) const OF_PRIMARY: &str =
    "select cast(cast(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0') as bigint) as text)";
/// The same of a replica; null where it has been promoted.
pub(super) const OF_REPLICA: &str = "select case when pg_is_in_recovery()
    then cast(cast(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') as bigint) as text) end";
/// Which database of which cluster it is: the same of a primary and of all that were copied from it.
pub(super) const CLUSTER: &str = "select concat_ws('/', system_identifier, d.oid)
    from pg_control_system(), pg_database d where d.datname = current_database()";
/// Which promotion a primary goes back to, as the first eight hexadecimal digits.
pub(super) const TIMELINE: &str = "select pg_walfile_name(pg_current_wal_lsn())";
/// How long a replica is waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);
/// Between two questions: the first follow each other at once, since most replicas are less than a round trip behind.
pub(super) const PAUSE: Duration = Duration::from_millis(1);
pub(super) const WITHOUT_PAUSE: u32 = 2;

pub(super) fn of_row(rows: &[Row]) -> Option<Position> {
    let told: Option<&str> = rows.first().and_then(|row| row.try_get(0).ok()).flatten();
    parse(told)
}

pub(super) fn parse(told: Option<&str>) -> Option<Position> {
    told.and_then(|text| text.parse().ok()).map(Position)
}

/// Waits until the server behind `line` has come as far as `needed`.
pub(super) fn reach(line: &Line, needed: Position, until: Instant) -> Result<(), Outcome> {
    if line.reached() >= Some(needed) {
        return Ok(());
    }
    let until = until.min(Instant::now() + PATIENCE);
    let mut asked = 0;
    loop {
        let told = line.simple_between(OF_REPLICA, Some(until)).map_err(|outcome| match outcome {
            Outcome::Lost(_) if Instant::now() >= until => Outcome::Behind,
            other => other,
        })?;
        let reached = parse(told.as_deref());
        if reached >= Some(needed) {
            line.has_reached(reached);
            return Ok(());
        }
        asked += 1;
        if reached.is_none() || Instant::now() >= until {
            return Err(Outcome::Behind);
        }
        if asked > WITHOUT_PAUSE {
            std::thread::sleep(PAUSE);
        }
    }
}
