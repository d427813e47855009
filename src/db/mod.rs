//! The only place that names a database engine. Everyone else sees [`Db`], [`Tx`] and [`Row`], and writes SQL that
//! every engine understands: parameters are `$1`, `$2` …, bound by name; times and ids are passed in.

mod migrate;
pub mod search;
mod sqlite;
mod values;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::{Id, Mint};
use crate::time::{Clock, Time};

pub use migrate::{MIGRATIONS, Migration};
pub use sqlite::{Fault, Row};
pub use values::{FromDb, Json, Param, Sql};

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

/// The database: reads on their own threads, writes one after the other and durable when they return.
#[derive(Clone)]
pub struct Db {
    engine: Arc<sqlite::Engine>,
    shared: Arc<Shared>,
}

/// What every transaction carries.
struct Shared {
    clock: Arc<Clock>,
    mint: Mint,
    wiring: Wiring,
    /// Told after each commit that left work for the events worker.
    due: tokio::sync::Notify,
}

impl Db {
    /// Opens (and creates) the embedded database at `file`; migrations are separate.
    pub fn open(file: &Path, clock: Arc<Clock>, wiring: Wiring) -> Result<Self> {
        let shared =
            Arc::new(Shared { clock, mint: Mint::default(), wiring, due: tokio::sync::Notify::new() });
        let engine = Arc::new(sqlite::Engine::open(file, Arc::clone(&shared))?);
        Ok(Self { engine, shared })
    }

    /// Runs `work` on one consistent snapshot.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        self.engine.read(work).await
    }

    /// Runs `work` on one consistent snapshot for as long as it takes, without keeping other reads waiting. The log grows
    /// meanwhile: not for requests.
    pub async fn read_long<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        self.engine.read_long(Arc::clone(&self.shared), work).await
    }

    /// Runs `work` in a transaction: all of it is durable when this returns `Ok`, none of it otherwise. `work` may run
    /// again after a serialization failure, so it must not have effects of its own. It is finished even when the caller
    /// goes away.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        self.engine.write(work).await
    }

    pub fn clock(&self) -> &Arc<Clock> {
        &self.shared.clock
    }

    /// Resolves when a commit has left something due.
    pub async fn work_is_due(&self) {
        self.shared.due.notified().await;
    }

    /// Wakes the events worker: the clock was moved.
    pub fn wake_worker(&self) {
        self.shared.due.notify_one();
    }

    /// Brings the schema to this version; says which migrations ran.
    pub async fn migrate(&self) -> Result<Vec<&'static str>> {
        self.engine.migrate().await
    }

    /// Copies a consistent state to `to` while others read and write. `progress` is told pages done, and of how many.
    pub fn backup(&self, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
        self.engine.backup(to, progress)
    }

    /// What the engine itself finds wrong with its file and its foreign keys.
    pub async fn check_integrity(&self) -> Result<Vec<String>> {
        self.read_long(|tx| tx.check_integrity()).await
    }
}

/// Copies the database in `from` to `to`, which must not exist or be empty. Both are files of the embedded engine.
pub fn restore(from: &Path, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
    sqlite::restore(from, to, progress)
}

/// The migrations that the database in `file` lacks. Looks without changing anything; an error says why the file is of
/// no use to this version.
pub fn pending_migrations(file: &Path) -> Result<Vec<&'static str>> {
    sqlite::pending_migrations(file)
}

/// What the engine finds wrong with the database in `file`, which nobody else needs to have open.
pub fn check_file(file: &Path) -> Result<Vec<String>> {
    sqlite::check_file(file)
}

/// The embedded engine's version, for `doctor`.
pub fn engine_version() -> &'static str {
    sqlite::version()
}

/// An open transaction. Its time stands still.
pub struct Tx<'c> {
    conn: sqlite::Conn<'c>,
    shared: &'c Shared,
    now: Time,
    left_work: std::cell::Cell<bool>,
}

impl Tx<'_> {
    /// The moment of this transaction: one for everything it writes.
    pub fn now(&self) -> Time {
        self.now
    }

    pub fn new_id<K>(&self) -> Id<K> {
        self.shared.mint.mint(self.now)
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
        Ok(self.conn.execute(sql, params)?)
    }

    /// Every row, mapped.
    pub fn all<T>(
        &self,
        sql: &str,
        params: &[&dyn Param],
        map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.conn.query(sql, params, map)
    }

    /// Hands over row by row until `take` says that it wants no more: for what is too much to hold.
    pub fn each(
        &self,
        sql: &str,
        params: &[&dyn Param],
        take: impl FnMut(&Row) -> Result<bool>,
    ) -> Result<()> {
        self.conn.each(sql, params, take)
    }

    /// What the engine itself finds wrong with its file and its foreign keys.
    pub fn check_integrity(&self) -> Result<Vec<String>> {
        self.conn.check_integrity()
    }

    /// The first row, if there is one.
    pub fn first<T>(
        &self,
        sql: &str,
        params: &[&dyn Param],
        mut map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.conn.each(sql, params, |row| {
            found = Some(map(row)?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// The only row of a statement that always has one, an aggregate for instance.
    pub fn one<T>(&self, sql: &str, params: &[&dyn Param], map: impl FnMut(&Row) -> Result<T>) -> Result<T> {
        self.first(sql, params, map)?.ok_or_else(|| Error::broken(format!("no row from: {sql}")))
    }

    /// Whether the statement has a row.
    pub fn exists(&self, sql: &str, params: &[&dyn Param]) -> Result<bool> {
        Ok(self.first(sql, params, |_| Ok(()))?.is_some())
    }
}

/// The parameters of a statement: `params![id, status]` are `$1` and `$2`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::db::Param),*] };
}
