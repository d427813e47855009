//! Moving house: everything that the marketplace knows in one stream, out of one database and into another, whatever their
//! engines. Nothing is left out but what the new house makes by itself, and nothing is changed on the way.

mod cell;
mod manifest;
mod stream;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::db::{Db, MIGRATIONS, Param, Tx};
use crate::error::{Error, Result};
use crate::{listings, params};

use cell::Cell;

pub use cell::Kind;
pub use manifest::{STAYS, TABLES, Table};
pub use stream::Contents;

/// About so many values go into one statement.
const VALUES_AT_ONCE: usize = 512;

/// Told how many bytes are read, and of how many.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Writes one consistent snapshot to `out`, also while others read and write. `progress` is told the rows so far. The
/// sink is given back, flushed.
pub async fn export<W: Write + Send + 'static>(
    db: &Db,
    out: W,
    progress: impl Fn(u64) + Send + 'static,
) -> Result<(Contents, W)> {
    db.read_long(move |tx| {
        require_this_schema(tx)?;
        let mut writer = stream::Writer::begin(out, tx.now())?;
        let mut rows = 0;
        for table in TABLES {
            writer.table(table, |add| {
                tx.each(&table.select(), params![], |row| {
                    add(&table.read(row)?)?;
                    rows += 1;
                    progress(rows);
                    Ok(true)
                })
            })?;
        }
        writer.end()
    })
    .await
}

/// An export that was read from its first line to its last and is whole.
#[derive(Debug)]
pub struct Checked {
    file: Arc<File>,
    contents: Contents,
}

impl Checked {
    /// Reads all of `file`; refuses what is damaged, cut off, or of a version that this program does not know.
    pub fn new(file: File, progress: &Progress) -> Result<Self> {
        let contents = read(&file, progress, |_, _| Ok(()))?;
        Ok(Self { file: Arc::new(file), contents })
    }

    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}

/// Fills an empty, migrated database: all of the export or none of it. What is exported from there has equal contents.
pub async fn import(db: &Db, export: Checked, progress: Progress) -> Result<Contents> {
    let at = Arc::new(AtomicUsize::new(0));
    let reached = Arc::clone(&at);
    let moved = db.write_long(move |tx| {
        require_this_schema(tx)?;
        require_empty(tx)?;
        let mut load = Load { tx, table: &TABLES[0], waiting: Vec::new(), reached: &reached };
        let contents = read(&export.file, &progress, |table, row| load.take(table, row))?;
        load.write()?;
        if contents != export.contents {
            return Err(Error::broken("the file was changed while it was read: nothing was imported"));
        }
        listings::index_all(tx)?;
        tx.leave_work();
        Ok(contents)
    });
    moved.await.map_err(|error| match error {
        Error::Database(fault) => {
            let table = TABLES[at.load(Ordering::Relaxed)].name;
            Error::broken(format!("the rows of {table} cannot be written, so nothing was imported: {fault}"))
        }
        other => other,
    })
}

/// Refuses a schema that has more than this program knows of: a server's may, while its programs are replaced.
fn require_this_schema(tx: &Tx) -> Result<()> {
    let version: i64 =
        tx.one("select coalesce(max(version), 0) from schema_migrations", params![], |row| row.next())?;
    let ours = MIGRATIONS.last().map_or(0, |step| step.version);
    match version == i64::from(ours) {
        true => Ok(()),
        false => Err(Error::broken(format!(
            "the database is at schema version {version}, this program at {ours}: nothing may be left behind, use the \
             guildhall of that version"
        ))),
    }
}

/// Refuses a database in which anything is stored.
pub fn require_empty(tx: &Tx) -> Result<()> {
    let mut taken = Vec::new();
    for table in TABLES {
        if tx.exists(&format!("select 1 from {} limit 1", table.name), params![])? {
            taken.push(table.name);
        }
    }
    match taken.is_empty() {
        true => Ok(()),
        false => Err(Error::broken(format!(
            "the database is not empty, there are rows in {}: import into a new one, an export is never mixed with what \
             is there",
            taken.join(", ")
        ))),
    }
}

/// Rows on their way into the tables, some at once.
struct Load<'a, 'c> {
    tx: &'a Tx<'c>,
    table: &'static Table,
    waiting: Vec<Vec<Cell>>,
    /// Which table it is at, for whoever has to explain a refusal.
    reached: &'a AtomicUsize,
}

impl Load<'_, '_> {
    fn take(&mut self, table: &'static Table, row: Vec<Cell>) -> Result<()> {
        if self.table != table {
            self.write()?;
            self.table = table;
        }
        self.waiting.push(row);
        if self.waiting.len() * table.columns.len() < VALUES_AT_ONCE { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let place = TABLES.iter().position(|table| table == self.table).unwrap_or_default();
        self.reached.store(place, Ordering::Relaxed);
        let params: Vec<&dyn Param> = self.waiting.iter().flatten().map(Cell::param).collect();
        self.tx.execute(&self.table.insert(self.waiting.len()), &params)?;
        self.waiting.clear();
        Ok(())
    }
}

/// Reads the file from its start.
fn read(
    mut file: &File,
    progress: &Progress,
    take: impl FnMut(&'static Table, Vec<Cell>) -> Result<()>,
) -> Result<Contents> {
    let all = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    stream::read(Counted { file, done: 0, all, progress }, take)
}

/// A file that tells how far it was read.
struct Counted<'a> {
    file: &'a File,
    done: u64,
    all: u64,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done += read as u64;
        (self.progress)(self.done, self.all);
        Ok(read)
    }
}
