//! Where transactions run. A read begins where it is asked for, and one that turns out long begins again on a thread of
//! its own; writes have one thread, and one commit for many. A bounded queue stands before each thread.

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
use super::reads::{InPlace, Limit, Reader};
use super::writes::{Pending, WriteJob, Writer};
use crate::db::{self, Fault, Shared, Tx};
use crate::error::{Error, Result};

/// Jobs that may wait for each kind of thread; the next one is refused with 503.
const QUEUE: usize = 4_096;
/// A read that takes longer is interrupted: open snapshots keep the log from being recycled.
const READ_DEADLINE: Duration = Duration::from_secs(5);
/// How long a write waits for another process (a backup, `admin create`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const CACHED_STATEMENTS: usize = 256;
/// Pages that a connection keeps. What it does not have it asks the system for, which has most of them too; but an order
/// touches fifty pages at random places of the indexes, and with a million listings few were still there in 8 MiB.
const READER_CACHE_KIB: i32 = 8_192;
const WRITER_CACHE_KIB: i32 = 32_768;
/// Pages in the log before the writer moves them into the database.
const CHECKPOINT_PAGES: u32 = 2_000;
/// Pages that a backup copies before it tells how far it is.
const COPIED_AT_ONCE: i32 = 1_024;
/// Older libraries can lose a commit when the log is reset (fixed in 3.51.3).
const OLDEST_SAFE: i32 = 3_051_003;

type ReadJob = Box<dyn FnOnce(&Reader, &Shared) + Send>;

pub(in crate::db) struct Engine {
    file: PathBuf,
    shared: Arc<Shared>,
    in_place: Arc<InPlace>,
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
        let in_place = Arc::new(InPlace::open(file)?);
        let writer = Writer {
            connection: connect(file, Kind::Writer)?,
            shared: Arc::clone(&shared),
            in_place: Arc::clone(&in_place),
        };
        spawn("db-writer", move || writer.run(&write_queue))?;
        for _ in 0..processors().clamp(2, 4) {
            let reader = Reader::open(file)?;
            let (queue, shared): (Receiver<ReadJob>, _) = (read_queue.clone(), Arc::clone(&shared));
            spawn("db-reader", move || {
                while let Ok(job) = queue.recv() {
                    job(&reader, &shared);
                }
            })?;
        }
        Ok(Self { file: file.to_owned(), shared, in_place, reads, writes })
    }

    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        match self.in_place.read(&self.shared, &work) {
            Some(outcome) => outcome,
            None => self.read_aside(work).await,
        }
    }

    pub async fn read_aside<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |reader, shared| {
            // The caller has gone away: its answer is not needed.
            if reply.is_closed() {
                return;
            }
            let until = Limit::Until(Instant::now() + READ_DEADLINE);
            let _ = reply.send(reader.read(shared, until, work));
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
            let reader = Reader::open(&file)?;
            // What it sorts may be larger than the memory.
            reader.connection.pragma_update(None, "temp_store", "file").map_err(Fault::from)?;
            reader.read(&shared, Limit::None, work)
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(Box::new(error)))?
    }

    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn WriteJob> = Box::new(Pending::new(work, reply));
        self.writes.try_send(job).map_err(refused)?;
        answer.await.map_err(|_| Error::broken("the writer thread went away"))?
    }

    pub async fn migrate(&self) -> Result<Vec<&'static str>> {
        let file = self.file.clone();
        let run = move || migrate::run(&connect(&file, Kind::Writer)?);
        let ran = tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(Box::new(error)))?;
        self.in_place.outdate();
        ran
    }

    /// Moves the log into the database as far as nobody else is reading, so that who opens it next has no log to read.
    pub async fn settle(&self) -> Result<()> {
        self.in_place.let_go();
        let file = self.file.clone();
        let run = move || {
            let connection = connect(&file, Kind::Writer)?;
            connection.busy_timeout(Duration::ZERO)?;
            Ok::<_, Fault>(connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?)
        };
        Ok(tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(Box::new(error)))??)
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

/// A connection that has read the log.
pub(in crate::db) fn hold(file: &Path) -> Result<Connection, Fault> {
    let connection = look_into(file)?;
    connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
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
pub(super) enum Kind {
    Writer,
    Reader,
}

pub(super) fn connect(file: &Path, kind: Kind) -> Result<Connection, Fault> {
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
    let cache_kib = if kind == Kind::Writer { WRITER_CACHE_KIB } else { READER_CACHE_KIB };
    connection.pragma_update(None, "cache_size", -cache_kib)?;
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

pub(super) fn processors() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// A transaction on a connection that has begun one.
pub(super) fn transaction<'c>(connection: &'c Connection, shared: &'c Shared) -> Tx<'c> {
    Tx::new(db::Conn::Sqlite(Conn(connection)), shared, Some(shared.clock.now()))
}

pub(super) fn execute(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::db::Wiring;

    #[test]
    fn a_deadline_that_passes_as_a_read_ends_leaves_no_snapshot_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let reader = Reader::open(&dir.path().join("a.db")).expect("opens");
        let shared = shared();
        for _ in 0..10_000 {
            let _ = reader.read(&shared, Limit::Until(Instant::now()), |_| Ok(()));
            assert!(reader.connection.is_autocommit());
        }
    }

    fn shared() -> Shared {
        Shared::new(Arc::default(), Wiring::default())
    }

    fn count(tx: &Tx) -> Result<i64> {
        tx.one("select count(*) from t", &[], |row| row.next())
    }

    fn engine(dir: &tempfile::TempDir) -> Engine {
        let file = dir.path().join("a.db");
        connect(&file, Kind::Writer).expect("opens").execute_batch("create table t (a)").expect("a table");
        Engine::open(&file, Arc::new(shared())).expect("opens")
    }

    #[tokio::test]
    async fn whoever_was_answered_reads_what_he_wrote() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = engine(&dir);
        for round in 1..500 {
            engine.write(|tx| tx.execute("insert into t (a) values (1)", &[])).await.expect("writes");
            assert_eq!(engine.read(count).await.expect("reads"), round);
            assert_eq!(engine.read(count).await.expect("reads"), round);
        }
    }

    #[tokio::test]
    async fn what_another_in_this_process_was_answered_is_read_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, other) =
            (engine(&dir), Engine::open(&dir.path().join("a.db"), Arc::new(shared())).expect("opens"));
        for round in 1..500 {
            assert_eq!(other.read(count).await.expect("reads"), round - 1);
            engine.write(|tx| tx.execute("insert into t (a) values (1)", &[])).await.expect("writes");
            assert_eq!(other.read(count).await.expect("reads"), round);
        }
    }

    #[tokio::test]
    async fn reads_in_place_share_a_snapshot_until_the_next_batch_of_writes() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = engine(&dir);
        let open = |engine: &Engine| engine.in_place.open_snapshots();
        engine.read(count).await.expect("reads");
        assert_eq!(open(&engine), 1);
        engine.write(|tx| tx.execute("insert into t (a) values (1)", &[])).await.expect("writes");
        assert_eq!(open(&engine), 0);
    }

    #[tokio::test]
    async fn what_fails_leaves_nothing_behind_and_spoils_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Arc::new(engine(&dir));
        let mut writing = tokio::task::JoinSet::new();
        for number in 0..300_i64 {
            let engine = Arc::clone(&engine);
            writing.spawn(async move {
                // A third stays, a third fails before it has written, a third after.
                let write = move |tx: &Tx| {
                    if number % 3 != 1 {
                        tx.execute("insert into t (a) values ($1)", crate::params![number])?;
                    }
                    if number % 3 == 0 { Ok(()) } else { Err(Error::broken("on purpose")) }
                };
                engine.write(write).await.is_ok()
            });
        }
        let succeeded = writing.join_all().await.into_iter().filter(|succeeded| *succeeded).count();
        assert_eq!(succeeded, 100);
        let kept = engine.read(|tx| tx.all("select a from t order by a", &[], |row| row.next::<i64>()));
        let expected: Vec<i64> = (0..300).filter(|number| number % 3 == 0).collect();
        assert_eq!(kept.await.expect("reads"), expected);
    }

    #[tokio::test]
    async fn a_read_that_turns_out_long_begins_again_on_another_thread() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = engine(&dir);
        let here = thread::current().id();
        let tried = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&tried);
        let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select count(*) from n";
        let counted = engine.read(move |tx| {
            seen.lock().expect("no panic").push(thread::current().id() == here);
            tx.one(many, &[], |row| row.next::<i64>())
        });
        assert_eq!(counted.await.expect("reads"), 100_000);
        assert_eq!(*tried.lock().expect("no panic"), [true, false]);
    }
}
