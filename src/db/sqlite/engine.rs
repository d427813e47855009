//! The threads: a bounded queue before each, a deadline on every read, a savepoint per write, one commit for many.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::backup::StepResult;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::conn::Conn;
use super::migrate;
use crate::db::{self, Fault, Shared, Tx, catching};
use crate::error::{Error, Result};

/// Jobs that may wait for each kind of thread; the next one is refused with 503.
const QUEUE: usize = 4_096;
/// A commit holds at most this many jobs, and begins no further one after this long.
const BATCH_JOBS: usize = 64;
const BATCH_TIME: Duration = Duration::from_millis(20);
/// A read that takes longer is interrupted: open snapshots keep the log from being recycled.
const READ_DEADLINE: Duration = Duration::from_secs(5);
/// How long a write waits for another process (a backup, `admin create`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const CACHED_STATEMENTS: usize = 256;
/// Pages in the log before the writer moves them into the database.
const CHECKPOINT_PAGES: u32 = 2_000;
/// Pages that a backup copies before it tells how far it is.
const COPIED_AT_ONCE: i32 = 1_024;
/// Older libraries can lose a commit when the log is reset (fixed in 3.51.3).
const OLDEST_SAFE: i32 = 3_051_003;

type ReadJob = Box<dyn FnOnce(&mut Connection, &Shared) + Send>;

/// A write: it runs inside its savepoint, says whether its effects stay, and is answered once the commit is durable.
trait WriteJob: Send {
    fn run(&mut self, tx: &Tx) -> bool;
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

struct Pending<T, F> {
    work: F,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
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

pub(in crate::db) struct Engine {
    file: PathBuf,
    reads: Sender<ReadJob>,
    writes: Sender<Box<dyn WriteJob>>,
}

impl Engine {
    pub fn open(file: &Path, shared: Arc<Shared>) -> Result<Self> {
        if rusqlite::version_number() < OLDEST_SAFE {
            return Err(Error::broken(format!(
                "SQLite {} can lose commits: 3.51.3 or newer is needed",
                version()
            )));
        }
        let (writes, write_queue) = bounded(QUEUE);
        let (reads, read_queue) = bounded(QUEUE);
        let writer = connect(file, Kind::Writer)?;
        let for_writer = Arc::clone(&shared);
        spawn("db-writer", move || write_loop(&writer, &write_queue, &for_writer))?;
        let readers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        for _ in 0..readers {
            let mut connection = connect(file, Kind::Reader)?;
            let (queue, shared): (Receiver<ReadJob>, _) = (read_queue.clone(), Arc::clone(&shared));
            spawn("db-reader", move || {
                while let Ok(job) = queue.recv() {
                    job(&mut connection, &shared);
                }
            })?;
        }
        Ok(Self { file: file.to_owned(), reads, writes })
    }

    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection, shared| {
            // The caller has gone away: its answer is not needed.
            if reply.is_closed() {
                return;
            }
            let _ = reply.send(catching(|| read_in(connection, shared, Some(READ_DEADLINE), work)));
        });
        self.reads.try_send(job).map_err(refused)?;
        answer.await.map_err(|_| Error::broken("a reader thread went away"))?
    }

    /// A read without a deadline, on a thread and a connection of its own.
    pub async fn read_long<T, F>(&self, shared: Arc<Shared>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        let file = self.file.clone();
        let run = move || {
            let mut connection = connect(&file, Kind::Reader)?;
            // What it sorts may be larger than the memory.
            connection.pragma_update(None, "temp_store", "file").map_err(Fault::from)?;
            read_in(&mut connection, &shared, None, work)
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(Box::new(error)))?
    }

    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn WriteJob> = Box::new(Pending { work, outcome: None, reply });
        self.writes.try_send(job).map_err(refused)?;
        answer.await.map_err(|_| Error::broken("the writer thread went away"))?
    }

    pub async fn migrate(&self) -> Result<Vec<&'static str>> {
        let file = self.file.clone();
        let run = move || migrate::run(&connect(&file, Kind::Writer)?);
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(Box::new(error)))?
    }

    pub fn backup(&self, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
        let source = connect(&self.file, Kind::Reader)?;
        // An open snapshot: writers go on, and what they write does not start the copy again.
        source.execute_batch("begin; select count(*) from sqlite_schema").map_err(Fault::from)?;
        copy(&source, to, progress)
    }
}

pub(in crate::db) fn restore(from: &Path, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
    copy(&look_into(from)?, to, progress)
}

pub(in crate::db) fn pending_migrations(file: &Path) -> Result<Vec<&'static str>> {
    migrate::pending(&look_into(file)?)
}

pub(in crate::db) fn check_file(file: &Path) -> Result<Vec<String>> {
    Conn(&look_into(file)?).check_integrity()
}

fn look_into(file: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// The whole of `source` in a file that needs no log beside it, durable when this returns.
fn copy(source: &Connection, to: &Path, mut progress: impl FnMut(u64, u64)) -> Result<()> {
    let mut target = Connection::open(to).map_err(Fault::from)?;
    {
        let copy = rusqlite::backup::Backup::new(source, &mut target).map_err(Fault::from)?;
        loop {
            let step = copy.step(COPIED_AT_ONCE).map_err(Fault::from)?;
            let pages = |count: std::ffi::c_int| u64::try_from(count).unwrap_or(0);
            let state = copy.progress();
            progress(pages(state.pagecount - state.remaining), pages(state.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(Fault::Busy.into()),
            }
        }
    }
    target.pragma_update(None, "journal_mode", "delete").map_err(Fault::from)?;
    target.close().map_err(|(_, error)| Fault::from(error))?;
    Ok(std::fs::File::open(to)?.sync_all()?)
}

pub(in crate::db) fn version() -> &'static str {
    rusqlite::version()
}

#[derive(PartialEq)]
enum Kind {
    Writer,
    Reader,
}

fn connect(file: &Path, kind: Kind) -> Result<Connection, Fault> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Without it a list statement is prepared anew at every execution once `analyze` has run (STAT4).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -8_192)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if kind == Kind::Writer {
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    } else {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(connection)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(())
}

fn refused<T>(error: TrySendError<T>) -> Error {
    match error {
        TrySendError::Full(_) => Fault::Overloaded.into(),
        TrySendError::Disconnected(_) => Error::broken("the database threads have ended"),
    }
}

fn transaction<'c>(connection: &'c Connection, shared: &'c Shared) -> Tx<'c> {
    Tx::new(db::Conn::Sqlite(Conn(connection)), shared, shared.clock.now())
}

fn read_in<T>(
    connection: &mut Connection,
    shared: &Shared,
    within: Option<Duration>,
    work: impl FnOnce(&Tx) -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    let too_slow = within.map(|within| move || started.elapsed() > within);
    // The deadline is the work's alone: a `begin` or `commit` that was interrupted would leave the connection in a
    // snapshot, and every later read on it would be refused.
    execute(connection, "begin")?;
    connection.progress_handler(10_000, too_slow).map_err(Fault::from)?;
    let outcome = catching(|| work(&transaction(connection, shared)));
    connection.progress_handler(0, None::<fn() -> bool>).map_err(Fault::from)?;
    execute(connection, "commit")?;
    outcome
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn write_loop(connection: &Connection, queue: &Receiver<Box<dyn WriteJob>>, shared: &Shared) {
    while let Ok(first) = queue.recv() {
        write_batch(connection, first, queue, shared);
    }
}

/// Runs as many jobs as are waiting, commits once, and only then answers them.
fn write_batch(
    connection: &Connection,
    first: Box<dyn WriteJob>,
    queue: &Receiver<Box<dyn WriteJob>>,
    shared: &Shared,
) {
    let begun = Instant::now();
    let mut jobs = Vec::new();
    let mut left_work = false;
    let mut state = execute(connection, "begin immediate");
    let mut next = Some(first);
    while let Some(mut job) = next {
        if state.is_ok() {
            state = write_one(connection, job.as_mut(), shared).map(|left| left_work |= left);
        }
        jobs.push(job);
        let full = jobs.len() >= BATCH_JOBS || begun.elapsed() > BATCH_TIME || state.is_err();
        next = if full { None } else { queue.try_recv().ok() };
    }
    if state.is_ok() {
        state = execute(connection, "commit");
    }
    if let Err(fault) = &state {
        tracing::error!(%fault, jobs = jobs.len(), "a batch of writes was not committed");
        metrics::counter!("db_commit_failures_total").increment(1);
        if !connection.is_autocommit() {
            let _ = execute(connection, "rollback");
        }
    }
    metrics::histogram!("db_commit_jobs").record(jobs.len() as f64);
    for job in jobs {
        job.answer(state.as_ref().copied().map_err(Fault::for_another));
    }
    if left_work && state.is_ok() {
        shared.due.notify_one();
    }
}

/// One job inside its savepoint; whether it left work for the events worker. An error is one of the whole batch.
fn write_one(connection: &Connection, job: &mut dyn WriteJob, shared: &Shared) -> Result<bool, Fault> {
    let tx = transaction(connection, shared);
    execute(connection, "savepoint job")?;
    let keep = job.run(&tx);
    // A full disk or an I/O error makes SQLite roll back everything: then the batch is lost, not just this job.
    if connection.is_autocommit() {
        return Err(Fault::Storage("the transaction was rolled back by the database".to_owned()));
    }
    if !keep {
        execute(connection, "rollback to job")?;
    }
    execute(connection, "release job")?;
    Ok(keep && tx.left_work.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Wiring;
    use crate::id::Mint;

    #[test]
    fn a_deadline_that_passes_as_a_read_ends_leaves_no_snapshot_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connect(&dir.path().join("a.db"), Kind::Writer).expect("opens");
        let due = tokio::sync::Notify::new();
        let shared = Shared { clock: Arc::default(), mint: Mint::default(), wiring: Wiring::default(), due };
        for _ in 0..10_000 {
            let _ = read_in(&mut connection, &shared, Some(Duration::ZERO), |_| Ok(()));
            assert!(connection.is_autocommit());
        }
    }
}
