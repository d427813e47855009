//! One connection: statements are prepared once, parameters are bound by name, rows are read in order.

use rusqlite::Connection;
use rusqlite::types::ToSqlOutput;

use crate::db::{Fault, FromDb, Param, Row};
use crate::error::Result;

/// A connection that a transaction is open on.
pub(in crate::db) struct Conn<'c>(pub &'c Connection);

impl Conn<'_> {
    pub fn execute(&self, sql: &str, params: &[&dyn Param]) -> Result<u64, Fault> {
        let mut statement = self.0.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        Ok(self.0.changes())
    }

    /// Hands over row by row until `take` says that it wants no more.
    pub fn each(
        &self,
        sql: &str,
        params: &[&dyn Param],
        mut take: impl FnMut(&Row) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql).map_err(Fault::from)?;
        bind(&mut statement, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(Fault::from)? {
            if !take(&Row::sqlite(row))? {
                break;
            }
        }
        Ok(())
    }

    /// A statement that fails undoes itself here; what came before it in `part` is undone by the savepoint.
    pub fn attempt<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<T> {
        let mark = |sql: &str| self.0.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        mark("savepoint attempt").map_err(Fault::from)?;
        let outcome = part();
        if outcome.is_err() {
            mark("rollback to attempt").map_err(Fault::from)?;
        }
        mark("release attempt").map_err(Fault::from)?;
        outcome
    }

    pub fn check_integrity(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        self.each("pragma integrity_check", &[], |row| {
            wrong.push(row.next::<String>()?);
            Ok(true)
        })?;
        wrong.retain(|line| line != "ok");
        self.each("pragma foreign_key_check", &[], |row| {
            let (table, _row, parent): (String, Option<i64>, String) =
                (row.next()?, row.next()?, row.next()?);
            wrong.push(format!("a row of {table} refers to a missing row of {parent}"));
            Ok(true)
        })?;
        Ok(wrong)
    }
}

/// Binds `$n` to the n-th parameter. SQLite numbers `$2` by first appearance, so only the name is trusted.
fn bind(statement: &mut rusqlite::Statement<'_>, params: &[&dyn Param]) -> Result<(), Fault> {
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let Some(value) = number.and_then(|number| params.get(number.checked_sub(1)?)) else {
            return Err(rusqlite::Error::InvalidParameterCount(index, params.len()).into());
        };
        statement.raw_bind_parameter(index, Bound(value.sqlite()?))?;
    }
    Ok(())
}

/// A column of a row.
pub(in crate::db) fn column<T: FromDb>(row: &rusqlite::Row, index: usize) -> Result<T> {
    let value = row.get_ref(index).map_err(Fault::from)?;
    T::from_sqlite(value).map_err(|error| Fault::Other(format!("column {index}: {error}").into()).into())
}

/// A value on its way into a statement.
struct Bound<'v>(ToSqlOutput<'v>);

impl rusqlite::types::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match &self.0 {
            ToSqlOutput::Borrowed(value) => ToSqlOutput::Borrowed(*value),
            ToSqlOutput::Owned(value) => ToSqlOutput::Borrowed(value.into()),
            _ => return Err(rusqlite::Error::ToSqlConversionFailure("an unknown kind of value".into())),
        })
    }
}
