//! The schema in a file.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::db::Fault;
use crate::db::migrate::{Applied, Migration, all_names, checksum, missing};
use crate::error::{Error, Result};

/// Applies what is missing; the names of what ran.
///
/// A step may rewrite the text of the schema: <https://sqlite.org/lang_altertable.html#otheralter>. So `connection` is used
/// for nothing else afterwards.
pub(super) fn run(connection: &Connection) -> Result<Vec<&'static str>> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).map_err(Fault::from)?;
    connection
        .execute_batch(
            "create table if not exists schema_migrations (
                version integer primary key, name text not null, checksum text not null, applied_at integer not null,
                needs integer not null
            ) strict",
        )
        .map_err(Fault::from)?;
    let mut ran = Vec::new();
    for step in missing(&applied(connection)?, |step| step.sqlite)? {
        apply(connection, step)?;
        ran.push(step.name);
    }
    Ok(ran)
}

/// The names of what [`run`] would apply, and its refusals; changes nothing.
pub(super) fn pending(connection: &Connection) -> Result<Vec<&'static str>> {
    if connection.table_exists(None, "schema_migrations").map_err(Fault::from)? {
        let missing = missing(&applied(connection)?, |step| step.sqlite)?;
        return Ok(missing.iter().map(|step| step.name).collect());
    }
    let foreign = connection
        .query_row("select exists (select 1 from sqlite_schema where type = 'table')", [], |row| row.get(0))
        .map_err(Fault::from)?;
    match foreign {
        true => Err(Error::broken("it is a database of another program")),
        false => Ok(all_names()),
    }
}

fn applied(connection: &Connection) -> Result<Vec<Applied>, Fault> {
    let mut statement =
        connection.prepare("select version, checksum, needs from schema_migrations order by version")?;
    let rows = statement.query_map([], |row| {
        Ok(Applied { version: row.get(0)?, checksum: row.get(1)?, needs: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn apply(connection: &Connection, step: &Migration) -> Result<(), Fault> {
    connection.execute_batch("begin immediate")?;
    let done = connection.execute_batch(step.sqlite).and_then(|()| {
        connection.execute(
            "insert into schema_migrations (version, name, checksum, applied_at, needs)
             values (?, ?, ?, unixepoch() * 1000000, ?)",
            (step.version, step.name, checksum(step.sqlite), step.needs),
        )
    });
    match done {
        Ok(_) => Ok(connection.execute_batch("commit")?),
        Err(error) => {
            connection.execute_batch("rollback")?;
            Err(error.into())
        }
    }
}
