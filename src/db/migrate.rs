//! Brings the schema to this version. A migration runs once, in a transaction of its own, and is never edited after a
//! release: its checksum is kept.

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::sqlite::Fault;
use crate::error::{Error, Result};

/// One step of the schema, in the dialect of the engine.
pub struct Migration {
    pub version: u32,
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        /// Every step, in order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $name, ".sqlite.sql")),
        }),*];
    };
}

migrations! {
    1 "0001_foundation",
    2 "0002_users",
    3 "0003_profiles",
    4 "0004_services",
    5 "0005_orders",
    6 "0006_payments",
    7 "0007_notifications",
    8 "0008_reviews",
}

/// Applies what is missing; the names of what ran. Refuses a schema that is newer than the program or was altered.
pub(super) fn run(connection: &Connection) -> Result<Vec<&'static str>> {
    connection
        .execute_batch(
            "create table if not exists schema_migrations (
                version integer primary key, name text not null, checksum text not null, applied_at integer not null
            ) strict",
        )
        .map_err(Fault::from)?;
    let mut ran = Vec::new();
    for step in missing(connection)? {
        apply(connection, step, &checksum(step.sql))?;
        ran.push(step.name);
    }
    Ok(ran)
}

/// The names of what [`run`] would apply, and its refusals; changes nothing.
pub(super) fn pending(connection: &Connection) -> Result<Vec<&'static str>> {
    if connection.table_exists(None, "schema_migrations").map_err(Fault::from)? {
        return Ok(missing(connection)?.iter().map(|step| step.name).collect());
    }
    let foreign = connection
        .query_row("select exists (select 1 from sqlite_schema where type = 'table')", [], |row| row.get(0))
        .map_err(Fault::from)?;
    match foreign {
        true => Err(Error::broken("it is a database of another program")),
        false => Ok(MIGRATIONS.iter().map(|step| step.name).collect()),
    }
}

fn missing(connection: &Connection) -> Result<Vec<&'static Migration>> {
    let applied = applied(connection)?;
    if let Some((version, _)) =
        applied.iter().find(|(version, _)| MIGRATIONS.iter().all(|step| step.version != *version))
    {
        return Err(Error::broken(format!(
            "the database is at schema version {version}, this program knows {}: start a newer guildhall",
            MIGRATIONS.len()
        )));
    }
    let mut missing = Vec::new();
    for step in MIGRATIONS {
        match applied.iter().find(|(version, _)| *version == step.version) {
            Some((_, stored)) if *stored == checksum(step.sql) => {}
            Some(_) => {
                return Err(Error::broken(format!("migration {} was altered after it ran", step.name)));
            }
            None => missing.push(step),
        }
    }
    Ok(missing)
}

fn applied(connection: &Connection) -> Result<Vec<(u32, String)>, Fault> {
    let mut statement =
        connection.prepare("select version, checksum from schema_migrations order by version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn apply(connection: &Connection, step: &Migration, checksum: &str) -> Result<(), Fault> {
    connection.execute_batch("begin immediate")?;
    let done = connection.execute_batch(step.sql).and_then(|()| {
        connection.execute(
            "insert into schema_migrations (version, name, checksum, applied_at) values (?, ?, ?, unixepoch() * 1000000)",
            (step.version, step.name, checksum),
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

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
