//! The statements of one transaction.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use tokio_postgres::types::{FromSql, Type};

use super::fault::Outcome;
use super::glance::Glance;
use super::line::{Around, Ask, Done, Line};
use crate::db::{BoxedError, Fault, FromDb, Param, Row};
use crate::error::{Error, Result};
use crate::time::{Clock, Time};

/// Rows that a long read holds at a time.
const SLICE: &str = "1000";

/// Forgets commits that are older than `$1`, `$2` of them.
pub(in crate::db) const FORGET_COMMITS: &str =
    "delete from commits where id in (select id from commits where at < $1 order by at limit $2)";

/// For each foreign key, of one column as all of ours are, the search for rows that refer to nothing.
const REFERENCES: &str = "
    select format(
        'select ''a row of %1$s refers to a missing row of %2$s'' from %1$s c
         where c.%3$I is not null and not exists (select 1 from %2$s p where p.%4$I = c.%3$I)',
        k.conrelid::regclass, k.confrelid::regclass, child.attname, parent.attname)
    from pg_constraint k
    join pg_attribute child on child.attrelid = k.conrelid and child.attnum = k.conkey[1]
    join pg_attribute parent on parent.attrelid = k.confrelid and parent.attnum = k.confkey[1]
    where k.contype = 'f' and k.connamespace = current_schema()::regnamespace";

/// Why a transaction cannot be committed.
#[derive(Debug)]
pub(super) enum Ended {
    /// Others were faster.
    Overtaken,
    /// The connection was lost.
    Cut(String),
    /// A statement of it was refused.
    Failed,
}

/// A connection that a transaction is open on, or is opened by its first statement.
pub(in crate::db) struct Conn<'c> {
    way: Way<'c>,
    until: Option<Instant>,
    /// What opens the transaction, as long as nothing was asked.
    begin: Cell<Option<&'static str>>,
    /// What went wrong first: the transaction is over with it, whatever its work makes of the error.
    ended: RefCell<Option<Ended>>,
    cursors: Cell<u32>,
    /// What the server's time of the transaction is heard by.
    clock: Option<&'c Clock>,
    now: Cell<Option<Time>>,
}

/// How statements get to the server.
#[derive(Clone, Copy)]
enum Way<'c> {
    Line(&'c Line),
    Glance(&'c Glance),
}

impl<'c> Conn<'c> {
    /// A transaction that `begin` opens together with its first statement.
    pub(super) fn lazy(line: &'c Line, begin: &'static str, until: Option<Instant>) -> Self {
        Self { begin: Cell::new(Some(begin)), ..Self::over(Way::Line(line), until) }
    }

    /// The same for one whose beginning tells the time.
    pub(super) fn timed(
        line: &'c Line,
        begin: &'static str,
        clock: &'c Clock,
        until: Option<Instant>,
    ) -> Self {
        Self { clock: Some(clock), ..Self::lazy(line, begin, until) }
    }

    /// A single statement, which is its own transaction.
    pub(super) fn glance(glance: &'c Glance) -> Self {
        Self::over(Way::Glance(glance), None)
    }

    fn over(way: Way<'c>, until: Option<Instant>) -> Self {
        Self {
            way,
            until,
            begin: Cell::new(None),
            ended: RefCell::new(None),
            cursors: Cell::new(0),
            clock: None,
            now: Cell::new(None),
        }
    }

    /// Whether something was asked.
    pub fn is_begun(&self) -> bool {
        self.begin.get().is_none()
    }

    /// Why the transaction cannot be committed, if it cannot.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.take()
    }

    /// The moment that the server told for the transaction, which is opened for it if need be. One that could not be
    /// opened can do nothing, and has no moment.
    pub fn now(&self) -> Option<Time> {
        if let (Way::Line(line), Some(begin)) = (self.way, self.begin.take()) {
            let opened = line.open(self.until).and_then(|_| line.open_transaction(begin, self.until));
            if let Err(outcome) = opened.and_then(|told| self.hear(told)) {
                self.end(&outcome);
            }
        }
        self.now.get()
    }

    /// Takes the time from what the beginning told.
    fn hear(&self, told: Option<String>) -> Result<(), Outcome> {
        let Some(clock) = self.clock else { return Ok(()) };
        self.now.set(Some(clock.follow(moment(told)?)));
        Ok(())
    }

    fn end(&self, outcome: &Outcome) {
        let ended = match outcome {
            Outcome::Rerun | Outcome::Behind | Outcome::Refused(Fault::Busy) => Ended::Overtaken,
            Outcome::Lost(why) => Ended::Cut(why.clone()),
            Outcome::Refused(_) => Ended::Failed,
        };
        self.ended.borrow_mut().get_or_insert(ended);
    }

    pub fn execute(&self, sql: &str, params: &[&dyn Param]) -> Result<u64, Fault> {
        match self.run(sql, params, Ask::Changed)? {
            Done::Changed(count) => Ok(count),
            Done::Rows(_) => Ok(0),
        }
    }

    /// Hands over row by row until `take` says that it wants no more.
    pub fn each(
        &self,
        sql: &str,
        params: &[&dyn Param],
        mut take: impl FnMut(&Row) -> Result<bool>,
    ) -> Result<()> {
        let is_long = matches!(self.way, Way::Line(line) if line.is_long());
        if !is_long {
            take_rows(&self.rows(sql, params)?, &mut take)?;
            return Ok(());
        }
        let cursor = format!("slices_{}", self.cursors.get());
        self.cursors.set(self.cursors.get() + 1);
        self.execute(&format!("declare {cursor} no scroll cursor for {sql}"), params)?;
        loop {
            let rows = self.rows(&format!("fetch {SLICE} from {cursor}"), &[])?;
            if rows.is_empty() || !take_rows(&rows, &mut take)? {
                break;
            }
        }
        self.execute(&format!("close {cursor}"), &[])?;
        Ok(())
    }

    /// Within a savepoint, since a statement that fails ends the transaction otherwise.
    pub fn attempt<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<T> {
        self.execute("savepoint attempt", &[])?;
        match part().and_then(|value| self.settle().map(|()| value).map_err(Error::from)) {
            Ok(value) => {
                self.execute("release savepoint attempt", &[])?;
                Ok(value)
            }
            Err(error) => {
                if let Way::Line(line) = self.way {
                    // Whatever else was sent goes with the savepoint.
                    let _ = line.settle(self.until);
                }
                if matches!(&*self.ended.borrow(), Some(Ended::Failed) | None) {
                    self.ended.take();
                    self.execute("rollback to savepoint attempt", &[])?;
                }
                Err(error)
            }
        }
    }

    /// What the server knows to be unchecked or broken, and rows that came in while its foreign keys were not looked at:
    /// by a restore or a replica.
    pub fn check_integrity(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        self.each(
            "select 'constraint ' || conname || ' was never checked' from pg_constraint where not convalidated
             union all
             select 'index ' || c.relname || ' is not usable: reindex it' from pg_index i
             join pg_class c on c.oid = i.indexrelid where not i.indisvalid",
            &[],
            |row| {
                wrong.push(row.next::<String>()?);
                Ok(true)
            },
        )?;
        let mut searches: Vec<String> = Vec::new();
        self.each(REFERENCES, &[], |row| {
            searches.push(row.next()?);
            Ok(true)
        })?;
        for search in searches {
            self.each(&search, &[], |row| {
                wrong.push(row.next::<String>()?);
                Ok(true)
            })?;
        }
        Ok(wrong)
    }

    fn rows(&self, sql: &str, params: &[&dyn Param]) -> Result<Vec<tokio_postgres::Row>, Fault> {
        match self.run(sql, params, Ask::Rows)? {
            Done::Rows(rows) => Ok(rows),
            Done::Changed(_) => Ok(Vec::new()),
        }
    }

    fn run(&self, sql: &str, params: &[&dyn Param], ask: Ask) -> Result<Done, Fault> {
        let line = match self.way {
            Way::Line(line) => line,
            Way::Glance(glance) => return glance.rows(sql, params).map(Done::Rows),
        };
        let outcome = match self.begin.take() {
            None => line.run(sql, params, ask, Around::Nothing, self.until),
            Some(begin) => match self.first(line, sql, params, ask, begin) {
                // Nothing was done on a connection that had been cut while it was idle: once more on a new one.
                Err(Outcome::Lost(_)) if self.has_time() => {
                    line.close();
                    self.first(line, sql, params, ask, begin)
                }
                outcome => outcome,
            },
        };
        outcome.map_err(|outcome| self.failed(outcome))
    }

    /// Runs a statement that nobody waits for.
    pub fn send(&self, sql: &str, params: &[&dyn Param]) -> Result<(), Fault> {
        match self.way {
            Way::Line(line) if self.is_begun() => {
                line.send(sql, params, self.until).map_err(|outcome| self.failed(outcome))
            }
            _ => self.execute(sql, params).map(drop),
        }
    }

    fn settle(&self) -> Result<(), Fault> {
        match self.way {
            Way::Line(line) => line.settle(self.until).map_err(|outcome| self.failed(outcome)),
            Way::Glance(_) => Ok(()),
        }
    }

    fn failed(&self, outcome: Outcome) -> Fault {
        self.end(&outcome);
        outcome.into_fault()
    }

    fn first(
        &self,
        line: &Line,
        sql: &str,
        params: &[&dyn Param],
        ask: Ask,
        begin: &'static str,
    ) -> Result<Done, Outcome> {
        line.open(self.until)?;
        let (told, done) = line.run_first(begin, sql, params, ask, self.until)?;
        self.hear(told)?;
        Ok(done)
    }

    fn has_time(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// What the server's clock showed, in microseconds.
pub(super) fn moment(told: Option<String>) -> Result<Time, Outcome> {
    let micros = told.and_then(|text| text.parse().ok());
    let untold = || Outcome::Refused(Fault::Other("the server did not tell its time".into()));
    micros.map(Time::from_micros).ok_or_else(untold)
}

/// Whether `take` wants more.
fn take_rows(rows: &[tokio_postgres::Row], take: &mut impl FnMut(&Row) -> Result<bool>) -> Result<bool> {
    for row in rows {
        if !take(&Row::postgres(row))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A column of a row.
pub(in crate::db) fn column<T: FromDb>(row: &tokio_postgres::Row, index: usize) -> Result<T> {
    let value: Column<T> = row.try_get(index).map_err(|error| {
        Error::from(Fault::Other(format!("column {index}: {}", super::fault::chain(&error)).into()))
    })?;
    Ok(value.0)
}

struct Column<T>(T);

impl<'r, T: FromDb> FromSql<'r> for Column<T> {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, BoxedError> {
        T::from_postgres(kind, raw).map(Self)
    }
    fn from_sql_null(_: &Type) -> Result<Self, BoxedError> {
        T::from_postgres_null().map(Self)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}
