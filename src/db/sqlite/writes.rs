//! The one thread that writes: many jobs, one commit, and only then their answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::engine::{execute, transaction};
use super::reads::InPlace;
use crate::db::{Fault, Shared, Tx, catching};
use crate::error::{Error, Result};

/// A commit holds at most this many jobs, and begins no further one after this long.
const BATCH_JOBS: usize = 64;
const BATCH_TIME: Duration = Duration::from_millis(20);

/// A write: it says whether its effects stay, may be run again, and is answered once the commit is durable.
pub(super) trait WriteJob: Send {
    fn run(&mut self, tx: &Tx) -> bool;
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// A write that somebody waits for.
pub(super) struct Pending<T, F> {
    work: F,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Pending<T, F> {
    pub fn new(work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { work, outcome: None, reply }
    }
}

impl<T: Send, F: Fn(&Tx) -> Result<T> + Send> WriteJob for Pending<T, F> {
    fn run(&mut self, tx: &Tx) -> bool {
        let outcome = catching(|| (self.work)(tx));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let outcome = match committed {
            Ok(()) => {
                self.outcome.unwrap_or_else(|| Err(Error::broken("a write was answered before it ran")))
            }
            Err(fault) => Err(fault.into()),
        };
        let _ = self.reply.send(outcome);
    }
}

/// The one thread that writes.
pub(super) struct Writer {
    pub connection: Connection,
    pub shared: Arc<Shared>,
    pub in_place: Arc<InPlace>,
}

impl Writer {
    pub fn run(&self, queue: &Receiver<Box<dyn WriteJob>>) {
        while let Ok(first) = queue.recv() {
            self.write_batch(first, queue);
        }
    }

    /// Runs as many jobs as are waiting, commits once, and only then answers them.
    fn write_batch(&self, first: Box<dyn WriteJob>, queue: &Receiver<Box<dyn WriteJob>>) {
        self.in_place.let_go();
        let mut jobs = Vec::new();
        let written = self.write_all(first, queue, &mut jobs);
        let state = written.and_then(|left_work| self.execute("commit").map(|()| left_work));
        // Also where it failed: what became of it is known only once it is looked at.
        self.in_place.outdate();
        if let Err(fault) = &state {
            tracing::error!(%fault, jobs = jobs.len(), "a batch of writes was not committed");
            metrics::counter!("db_commit_failures_total").increment(1);
            if !self.connection.is_autocommit() {
                let _ = self.execute("rollback");
            }
        }
        metrics::histogram!("db_commit_jobs").record(jobs.len() as f64);
        for job in jobs {
            job.answer(state.as_ref().map(drop).map_err(Fault::for_another));
        }
        if state.is_ok_and(|left_work| left_work) {
            self.shared.due.notify_one();
        }
    }

    /// Begins a transaction and runs in it what is waiting; whether any of it left work for the events worker.
    ///
    /// The jobs run without savepoints, which would have every page copied that a job changes. Nearly all of those that
    /// fail do so before they have changed anything. If one does later, all is undone and they run again, a savepoint each.
    fn write_all(
        &self,
        first: Box<dyn WriteJob>,
        queue: &Receiver<Box<dyn WriteJob>>,
        jobs: &mut Vec<Box<dyn WriteJob>>,
    ) -> Result<bool, Fault> {
        let begun = Instant::now();
        let mut left_work = false;
        let mut next = Some(first);
        let mut state = self.execute("begin immediate");
        while let Some(mut job) = next {
            let before = self.connection.total_changes();
            let run = state.and_then(|()| self.run_one(job.as_mut()));
            jobs.push(job);
            match run {
                Ok(Some(left)) => left_work |= left,
                Ok(None) if self.connection.total_changes() == before => {}
                Ok(None) => return self.write_again(jobs),
                Err(fault) => return Err(fault),
            }
            state = Ok(());
            let full = jobs.len() >= BATCH_JOBS || begun.elapsed() > BATCH_TIME;
            next = if full { None } else { queue.try_recv().ok() };
        }
        Ok(left_work)
    }

    fn write_again(&self, jobs: &mut [Box<dyn WriteJob>]) -> Result<bool, Fault> {
        metrics::counter!("db_batches_rerun_total").increment(1);
        self.execute("rollback")?;
        self.execute("begin immediate")?;
        let mut left_work = false;
        for job in jobs {
            self.execute("savepoint job")?;
            match self.run_one(job.as_mut())? {
                Some(left) => left_work |= left,
                None => self.execute("rollback to job")?,
            }
            self.execute("release job")?;
        }
        Ok(left_work)
    }

    /// Runs one job: whether it left work for the events worker, or `None` where nothing of it may stay. An error is one of
    /// the whole batch.
    fn run_one(&self, job: &mut dyn WriteJob) -> Result<Option<bool>, Fault> {
        let tx = transaction(&self.connection, &self.shared);
        let stays = job.run(&tx);
        // A full disk or an I/O error makes SQLite roll back everything: then the batch is lost, not just this job.
        if self.connection.is_autocommit() {
            return Err(Fault::Storage("the transaction was rolled back by the database".to_owned()));
        }
        Ok(stays.then(|| tx.left_work.get()))
    }

    fn execute(&self, sql: &str) -> Result<(), Fault> {
        execute(&self.connection, sql)
    }
}
