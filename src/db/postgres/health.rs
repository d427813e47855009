//! Whether the server can be reached, looked at all the time so that readiness need not ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::line::Line;
use super::server::{Purpose, Server};
use crate::db::Fault;
use crate::error::Result;

/// How often the server is looked at, and how long that may take: readiness is known within two seconds.
const LOOKS_EVERY: Duration = Duration::from_millis(400);
const LOOKS_FOR: Duration = Duration::from_millis(1_000);

/// What was last heard of the server.
#[derive(Default)]
pub(super) struct Health {
    away: Mutex<Option<String>>,
    /// How often it went away.
    outages: AtomicU64,
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
            let until = Some(Instant::now() + LOOKS_FOR);
            let ask = || line.open(until).and_then(|()| line.simple("select pg_is_in_recovery()", until));
            let seen = ask().or_else(|_| {
                // That its own connection was cut says nothing of the server yet.
                line.close();
                ask()
            });
            let why = match seen {
                Ok(Some(standby)) if standby == "t" => {
                    Some("it is a standby, which takes no writes".to_owned())
                }
                Ok(_) => None,
                Err(outcome) => Some(outcome.into_fault().to_string()),
            };
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

    fn away(&self) -> MutexGuard<'_, Option<String>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
