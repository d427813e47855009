//! The only place that names a database engine. Everyone else sees [`Db`], [`Tx`] and [`Row`], and writes SQL that
//! every engine understands: parameters are `$1`, `$2` …, bound by name; times and ids are passed in.

mod fault;
mod fresh;
mod heard;
mod migrate;
mod place;
mod postgres;
pub mod search;
mod sqlite;
mod values;

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell};
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::id::{Id, Mint};
use crate::params;
use crate::time::{Clock, Time};

pub use fault::Fault;
pub use fresh::Freshness;
pub use heard::Statement;
pub use migrate::{MIGRATIONS, Migration};
pub use place::{Held, Place};
pub use postgres::{Role, Server, ServerUrl};
pub use values::{BoxedError, FromDb, Json, Param, Sql, Stored};

/// What commands need beside the database: terms from the configuration, and hooks that a lower service declares and
/// `app.rs` fills. Keyed by type.
#[derive(Default)]
pub struct Wiring(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Wiring {
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
        self
    }
}

/// The database: reads on their own threads, writes one after the other as far as anybody can tell, and durable when they
/// return.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    shared: Arc<Shared>,
    /// What its reads have to see.
    fresh: Freshness,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<sqlite::Engine>),
    Postgres(Arc<postgres::Engine>),
}

tokio::task_local! {
    /// How long the request that this task answers may still wait for a server, in all its transactions.
    static PATIENCE: Cell<Duration>;
}

/// Answers a request that may wait this long for a database that does not answer, however often it asks.
pub async fn with_patience<T>(work: impl Future<Output = T>) -> T {
    PATIENCE.scope(Cell::new(postgres::DEADLINE), work).await
}

/// What every transaction carries.
struct Shared {
    clock: Arc<Clock>,
    mint: Mint,
    wiring: Wiring,
    /// Told after each commit that left work for the events worker.
    due: tokio::sync::Notify,
    ear: heard::Ear,
}

impl Shared {
    fn new(clock: Arc<Clock>, wiring: Wiring) -> Self {
        let (due, ear) = (tokio::sync::Notify::new(), heard::Ear::default());
        Self { clock, mint: Mint::default(), wiring, due, ear }
    }
}

impl Db {
    /// Opens the database; creates the file of an embedded one. Migrations are separate.
    pub fn open(place: &Place, clock: Arc<Clock>, wiring: Wiring) -> Result<Self> {
        let shared = Arc::new(Shared::new(clock, wiring));
        let engine = match place {
            Place::File(file) => Engine::Sqlite(Arc::new(sqlite::Engine::open(file, Arc::clone(&shared))?)),
            Place::Server(server) => {
                Engine::Postgres(Arc::new(postgres::Engine::open(server, Arc::clone(&shared))?))
            }
        };
        Ok(Self { engine, shared, fresh: Freshness::Present })
    }

    /// Lets replicas answer reads that need not see everything, where the server has any.
    pub fn use_replicas(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.use_replicas(&self.shared),
        }
    }

    /// The same database, whose reads of requests have to be no fresher than this.
    #[must_use]
    pub fn at(&self, fresh: Freshness) -> Self {
        Self { fresh, ..self.clone() }
    }

    /// Runs `work` on one consistent snapshot. It may begin again when it turns out long, so it must not have effects of
    /// its own.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(work).await,
            Engine::Postgres(engine) => engine.read(self.fresh, work).await,
        }
    }

    /// As [`Self::read`], for what is known to be long before it begins.
    pub async fn read_aside<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read_aside(work).await,
            Engine::Postgres(engine) => engine.read(self.fresh, work).await,
        }
    }

    /// As [`Self::read`], for what asks one statement that an index and a limit bound.
    pub async fn glance<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(work).await,
            Engine::Postgres(engine) => engine.glance(&self.shared, self.fresh, work).await,
        }
    }

    /// As [`Self::glance`], and how fresh a read has to be that sees all that was committed before, on whichever node.
    pub async fn glance_with_freshness<T, F>(&self, work: F) -> Result<(T, Freshness)>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => Ok((engine.read(work).await?, Freshness::Present)),
            Engine::Postgres(engine) => engine.glance_with_freshness(&self.shared, work).await,
        }
    }

    /// Runs `work` on one consistent snapshot for as long as it takes, without keeping other reads waiting. The log grows
    /// meanwhile: not for requests.
    pub async fn read_long<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        match &self.engine {
            Engine::Sqlite(engine) => engine.read_long(shared, work).await,
            Engine::Postgres(engine) => engine.read_long(shared, work).await,
        }
    }

    /// Runs `work` in a transaction: all of it is durable when this returns `Ok`, none of it otherwise. `work` may run
    /// again after a serialization failure, so it must not have effects of its own. It is finished even when the caller
    /// goes away.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.write(work).await,
            Engine::Postgres(engine) => engine.write(work).await,
        }
    }

    /// As [`Self::write`], for as long as it takes: for commands that have the database to themselves.
    pub async fn write_long<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.write(work).await,
            Engine::Postgres(engine) => engine.write_long(Arc::clone(&self.shared), work).await,
        }
    }

    /// Whether requests can be answered: an error says why not.
    pub async fn check(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(|tx| tx.exists("select 1", &[])).await.map(|_| ()),
            Engine::Postgres(engine) => engine.check(),
        }
    }

    /// How often the database was seen to be away since this process began.
    pub fn outages(&self) -> u64 {
        match &self.engine {
            Engine::Sqlite(_) => 0,
            Engine::Postgres(engine) => engine.outages(),
        }
    }

    /// Whether this process has the database for itself.
    pub fn is_exclusive(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    pub fn clock(&self) -> &Arc<Clock> {
        &self.shared.clock
    }

    /// Every statement that was run since this was last asked; from the first time on it is listened for. Only where debug
    /// assertions are compiled in.
    pub fn overheard(&self) -> BTreeSet<Statement> {
        self.shared.ear.take()
    }

    /// Resolves when a commit has left something due.
    pub async fn work_is_due(&self) {
        self.shared.due.notified().await;
    }

    /// Wakes the events worker: the clock was moved.
    pub fn wake_worker(&self) {
        self.shared.due.notify_one();
    }

    /// Brings the schema to this version; says which migrations ran here.
    pub async fn migrate(&self) -> Result<Vec<&'static str>> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.migrate().await,
            Engine::Postgres(engine) => engine.migrate().await,
        }
    }

    /// Leaves an embedded database so that it opens fast, however much was written last.
    pub async fn settle(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.settle().await,
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Copies a consistent state of an embedded database to `to` while others read and write. `progress` is told pages
    /// done, and of how many.
    pub fn backup(&self, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.backup(to, progress),
            Engine::Postgres(_) => Err(Error::broken("a database on a server has no file to copy")),
        }
    }

    /// What the engine itself finds wrong with what it stores and with its foreign keys.
    pub async fn check_integrity(&self) -> Result<Vec<String>> {
        self.read_long(|tx| tx.check_integrity()).await
    }
}

/// Copies the database in `from` to `to`, which must not exist or be empty. Both are files of the embedded engine.
pub fn restore(from: &Path, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
    sqlite::restore(from, to, progress)
}

/// What the engine finds wrong with the database in `file`, which nobody else needs to have open.
pub fn check_file(file: &Path) -> Result<Vec<String>> {
    sqlite::check_file(file)
}

/// Runs `work`; a panic becomes an error of this job alone.
fn catching<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        metrics::counter!("panics_total").increment(1);
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Error::broken(format!("panic: {}", message.unwrap_or_default())))
    })
}

/// An open transaction. Its time stands still.
pub struct Tx<'c> {
    conn: Conn<'c>,
    shared: &'c Shared,
    /// Set at first use where the server tells it with the beginning.
    now: OnceCell<Time>,
    left_work: Cell<bool>,
}

/// The connection that a transaction is open on.
enum Conn<'c> {
    Sqlite(sqlite::Conn<'c>),
    Postgres(postgres::Conn<'c>),
}

impl<'c> Tx<'c> {
    fn new(conn: Conn<'c>, shared: &'c Shared, now: Option<Time>) -> Self {
        let now = now.map_or_else(OnceCell::new, OnceCell::from);
        Self { conn, shared, now, left_work: Cell::new(false) }
    }

    /// The moment of this transaction: one for everything it writes.
    pub fn now(&self) -> Time {
        let told = || match &self.conn {
            Conn::Sqlite(_) => None,
            Conn::Postgres(conn) => conn.now(),
        };
        *self.now.get_or_init(|| told().unwrap_or_else(|| self.shared.clock.now()))
    }

    pub fn new_id<K>(&self) -> Id<K> {
        self.shared.mint.mint(self.now())
    }

    /// The terms or hooks of type `T` that `app.rs` put there.
    pub fn wired<T: Any + Send + Sync>(&self) -> &T {
        let found = self.shared.wiring.0.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        found.unwrap_or_else(|| panic!("{} is not wired in app.rs", std::any::type_name::<T>()))
    }

    /// Says that the events worker has something to do once this commits.
    pub fn leave_work(&self) {
        self.left_work.set(true);
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute(&self, sql: &str, params: &[&dyn Param]) -> Result<u64> {
        self.shared.ear.hear(sql, params);
        match &self.conn {
            Conn::Sqlite(conn) => Ok(conn.execute(sql, params)?),
            Conn::Postgres(conn) => Ok(conn.execute(sql, params)?),
        }
    }

    /// Runs a statement that nothing is expected of: how many rows it changes is no matter, and if it fails, that is a bug
    /// or the engine's trouble. It may still be on its way when this returns; then a later statement or the commit fails.
    pub fn send(&self, sql: &str, params: &[&dyn Param]) -> Result<()> {
        self.shared.ear.hear(sql, params);
        match &self.conn {
            Conn::Sqlite(conn) => conn.execute(sql, params).map(drop)?,
            Conn::Postgres(conn) => conn.send(sql, params)?,
        }
        Ok(())
    }

    /// Every row, mapped.
    pub fn all<T>(
        &self,
        sql: &str,
        params: &[&dyn Param],
        mut map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(map(row)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// Hands over row by row until `take` says that it wants no more: for what is too much to hold.
    pub fn each(
        &self,
        sql: &str,
        params: &[&dyn Param],
        take: impl FnMut(&Row) -> Result<bool>,
    ) -> Result<()> {
        self.shared.ear.hear(sql, params);
        match &self.conn {
            Conn::Sqlite(conn) => conn.each(sql, params, take),
            Conn::Postgres(conn) => conn.each(sql, params, take),
        }
    }

    /// What the engine itself finds wrong with its file and its foreign keys.
    pub fn check_integrity(&self) -> Result<Vec<String>> {
        match &self.conn {
            Conn::Sqlite(conn) => conn.check_integrity(),
            Conn::Postgres(conn) => conn.check_integrity(),
        }
    }

    /// The first row, if there is one.
    pub fn first<T>(
        &self,
        sql: &str,
        params: &[&dyn Param],
        mut map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.each(sql, params, |row| {
            found = Some(map(row)?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// The only row of a statement that always has one, an aggregate for instance.
    pub fn one<T>(&self, sql: &str, params: &[&dyn Param], map: impl FnMut(&Row) -> Result<T>) -> Result<T> {
        self.first(sql, params, map)?.ok_or_else(|| Error::broken(format!("no row from: {sql}")))
    }

    /// Runs `part`, and goes on in this transaction when a statement of it fails: none of it has happened then.
    pub fn attempt<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.conn {
            Conn::Sqlite(conn) => conn.attempt(part),
            Conn::Postgres(conn) => conn.attempt(part),
        }
    }

    /// Forgets by which commits before `then` could be looked up, where they can be, `most` of them; whether that was all.
    pub fn forget_commits(&self, then: Time, most: u32) -> Result<bool> {
        match &self.conn {
            Conn::Sqlite(_) => Ok(true),
            Conn::Postgres(_) => {
                Ok(self.execute(postgres::FORGET_COMMITS, params![then, most])? < u64::from(most))
            }
        }
    }

    /// Whether the statement has a row.
    pub fn exists(&self, sql: &str, params: &[&dyn Param]) -> Result<bool> {
        Ok(self.first(sql, params, |_| Ok(()))?.is_some())
    }
}

/// A row of a result.
pub struct Row<'r> {
    columns: Columns<'r>,
    next: Cell<usize>,
}

enum Columns<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl<'r> Row<'r> {
    fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self { columns: Columns::Sqlite(row), next: Cell::new(0) }
    }

    fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Self { columns: Columns::Postgres(row), next: Cell::new(0) }
    }

    /// The next column: reading a struct's fields in the order of the select list needs no numbers.
    pub fn next<T: FromDb>(&self) -> Result<T> {
        let index = self.next.get();
        self.next.set(index + 1);
        match self.columns {
            Columns::Sqlite(row) => sqlite::column(row, index),
            Columns::Postgres(row) => postgres::column(row, index),
        }
    }
}

/// The parameters of a statement: `params![id, status]` are `$1` and `$2`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::db::Param),*] };
}
