//! One connection: statements are prepared once, parameters are bound by name, rows are read in order.

use std::cell::Cell;

use rusqlite::Connection;

use super::fault::Fault;
use crate::db::{FromDb, Param};
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

    pub fn query<T>(
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
            if !take(&Row { row, next: Cell::new(0) })? {
                break;
            }
        }
        Ok(())
    }

    pub fn check_integrity(&self) -> Result<Vec<String>> {
        let mut wrong = self.query("pragma integrity_check", &[], |row| row.next::<String>())?;
        wrong.retain(|line| line != "ok");
        let orphans = self.query("pragma foreign_key_check", &[], |row| {
            let (table, _row, parent): (String, Option<i64>, String) =
                (row.next()?, row.next()?, row.next()?);
            Ok(format!("a row of {table} refers to a missing row of {parent}"))
        })?;
        wrong.extend(orphans);
        Ok(wrong)
    }
}

/// Binds `$n` to the n-th parameter. SQLite numbers `$2` by first appearance, so only the name is trusted.
fn bind(statement: &mut rusqlite::Statement<'_>, params: &[&dyn Param]) -> Result<(), Fault> {
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let Some(value) = number.and_then(|number| params.get(number.checked_sub(1)?)) else {
            return Err(Fault::Other(rusqlite::Error::InvalidParameterCount(index, params.len())));
        };
        statement.raw_bind_parameter(index, *value)?;
    }
    Ok(())
}

/// A row of a result.
pub struct Row<'r> {
    row: &'r rusqlite::Row<'r>,
    next: Cell<usize>,
}

impl Row<'_> {
    /// The next column: reading a struct's fields in the order of the select list needs no numbers.
    pub fn next<T: FromDb>(&self) -> Result<T> {
        let index = self.next.get();
        self.next.set(index + 1);
        Ok(self.row.get(index).map_err(Fault::from)?)
    }
}
