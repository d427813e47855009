//! Whether the server can be reached, looked at all the time so that readiness need not ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::fault::Outcome;
use super::line::Line;
use super::position;
use super::server::{Purpose, Role, Server};
use super::tide::Tide;
use crate::db::Fault;
use crate::error::Result;

/// How often the server is looked at, and how long that may take: readiness is known within two seconds.
pub(super) const LOOKS_EVERY: Duration = Duration::from_millis(400);
pub(super) const LOOKS_FOR: Duration = Duration::from_millis(1_000);

/// What was last heard of the server.
#[derive(Default)]
pub(super) struct Health {
    away: Mutex<Option<String>>,
    /// How often it went away.
    outages: AtomicU64,
    /// How far it had come, where it has replicas.
    tide: Tide,
}

impl Health {
    /// An error says why requests cannot be answered.
    pub fn check(&self) -> Result<()> {
        match self.away().as_ref() {
            None => Ok(()),
            Some(why) => Err(Fault::Away(why.clone()).into()),
        }
    }

    pub fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    /// Looks on a connection of its own, so that something is known even while every other one waits; until `stop`'s sender
    /// is dropped.
    pub fn watch(&self, server: Arc<Server>, stop: &Receiver<()>) {
        let Ok(line) = Line::new(server, Purpose::Request) else { return };
        loop {
            let seen = self.look(&line).or_else(|_| {
                // That its own connection was cut says nothing of the server yet.
                line.close();
                self.look(&line)
            });
            let why = seen.err().map(|outcome| outcome.into_fault().to_string());
            if why.is_some() {
                line.close();
            }
            metrics::gauge!("db_available").set(if why.is_none() { 1.0 } else { 0.0 });
            let before = std::mem::replace(&mut *self.away(), why.clone());
            match (before, why) {
                (None, Some(why)) => {
                    self.outages.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(why, "the database is away");
                }
                (Some(_), None) => tracing::info!("the database is back"),
                _ => {}
            }
            if stop.recv_timeout(LOOKS_EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn look(&self, line: &Line) -> Result<(), Outcome> {
        let asked = Instant::now();
        let until = Some(asked + LOOKS_FOR);
        if line.open(until)? {
            self.tide.connected(line.timeline());
        }
        // Behind a pooler a connection outlives its server's role.
        let standby = line.simple("select pg_is_in_recovery()", until)?;
        if standby.as_deref() == Some("t") && line.server().role == Role::Primary {
            return Err(Outcome::Lost("it is a standby, which takes no writes".to_owned()));
        }
        if line.server().replicas.is_empty() {
            return Ok(());
        }
        let cluster = line.simple(position::CLUSTER, until).or_else(unless_refused)?;
        let told = line.simple(position::OF_PRIMARY, until).or_else(unless_refused)?;
        if let (Some(cluster), Some(position)) = (cluster, position::parse(told.as_deref())) {
            self.tide.note(&cluster, position, asked);
        }
        Ok(())
    }

    pub fn tide(&self) -> &Tide {
        &self.tide
    }

    fn away(&self) -> MutexGuard<'_, Option<String>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who may not ask this can do without: then no replica answers.
fn unless_refused(outcome: Outcome) -> Result<Option<String>, Outcome> {
    match outcome {
        Outcome::Refused(_) => Ok(None),
        other => Err(other),
    }
}
