//! The schema on a server. Any number of programs may start at once: each step is applied under a lock on the table that
//! names the steps, which goes with the transaction, behind a pooler too.

use std::thread;
use std::time::Duration;

use super::fault::Outcome;
use super::line::{Around, Ask, Done, Line};
use crate::db::migrate::{Applied, Migration, all_names, checksum, missing};
use crate::db::{Fault, Row};
use crate::error::{Error, Result};
use crate::params;

/// How often a lock is asked for, and how long after another: for as long as an hourly check may read.
const MOST_TRIES: u32 = 600;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);

/// Applies what is missing; the names of what ran here.
pub(super) fn run(line: &Line) -> Result<Vec<&'static str>> {
    line.open(None)?;
    pending(line)?;
    // Two that create it at once: the second one is told of a duplicate.
    let create = "create table if not exists schema_migrations (
        version bigint primary key, name text not null, checksum text not null, applied_at timestamptz not null,
        needs bigint not null)";
    if line.simple(create, None).is_err() {
        line.open(None)?;
        line.simple(create, None)?;
    }
    let mut ran = Vec::new();
    for step in missing(&applied(line)?, |step| step.postgres)? {
        if apply(line, step)? {
            ran.push(step.name);
        }
    }
    Ok(ran)
}

/// The names of what [`run`] would apply, and its refusals; changes nothing.
pub(super) fn pending(line: &Line) -> Result<Vec<&'static str>> {
    // In one statement: another program may be making them just now.
    let found = line.simple(
        "select case
             when to_regclass('schema_migrations') is not null then 'ours'
             when exists (select 1 from pg_class where relkind = 'r'
                          and relnamespace = (select oid from pg_namespace where nspname = current_schema())) then 'foreign'
             else 'empty' end",
        None,
    )?;
    let missing: Vec<&'static str> = match found.as_deref() {
        Some("ours") => {
            missing(&applied(line)?, |step| step.postgres)?.iter().map(|step| step.name).collect()
        }
        Some("empty") => all_names(),
        _ => return Err(Error::broken("it is a database of another program: give Guildhall one of its own")),
    };
    if !missing.is_empty() {
        require_right(line)?;
    }
    Ok(missing)
}

/// Whether this role may make tables here.
fn require_right(line: &Line) -> Result<()> {
    let may = line.simple("select has_schema_privilege(current_schema(), 'create')", None)?;
    match may.as_deref() {
        Some("t") => Ok(()),
        _ => Err(Error::broken(
            "the role may not create tables in it: as a superuser, `alter database NAME owner to ROLE`",
        )),
    }
}

fn applied(line: &Line) -> Result<Vec<Applied>> {
    let text = "select version, checksum, needs from schema_migrations order by version";
    let Done::Rows(rows) = line.run(text, &[], Ask::Rows, Around::Nothing, None)? else {
        return Ok(Vec::new());
    };
    rows.iter().map(|row| read(&Row::postgres(row))).collect()
}

fn read(row: &Row) -> Result<Applied> {
    Ok(Applied { version: row.next()?, checksum: row.next()?, needs: row.next()? })
}

/// Whether it was applied here: another program may have been faster. A table that somebody reads for long is asked for again
/// and again, since whoever wants to write to it would wait behind us.
fn apply(line: &Line, step: &Migration) -> Result<bool> {
    let mut tries = 1;
    loop {
        let outcome = apply_in(line, step);
        if outcome.is_err() {
            let _ = line.simple("rollback", None);
        }
        match outcome {
            Err(Outcome::Rerun | Outcome::Refused(Fault::Busy)) if tries < MOST_TRIES => {
                if tries == 1 {
                    tracing::warn!(
                        name = step.name,
                        "others hold what the migration changes: it waits for them"
                    );
                }
                tries += 1;
                thread::sleep(BETWEEN_TRIES);
            }
            outcome => return Ok(outcome.map_err(Outcome::into_fault)?),
        }
    }
}

fn apply_in(line: &Line, step: &Migration) -> Result<bool, Outcome> {
    line.simple("begin read write; lock table schema_migrations in access exclusive mode", None)?;
    let there = format!("select exists (select 1 from schema_migrations where version = {})", step.version);
    if line.simple(&there, None)?.as_deref() == Some("t") {
        line.simple("rollback", None)?;
        return Ok(false);
    }
    line.simple("set local lock_timeout = 1000", None)?;
    line.simple(step.postgres, None)?;
    line.run(
        "insert into schema_migrations (version, name, checksum, applied_at, needs)
         values ($1, $2, $3, clock_timestamp(), $4)",
        params![step.version, step.name, checksum(step.postgres), step.needs],
        Ask::Changed,
        Around::Nothing,
        None,
    )?;
    line.simple("commit", None)?;
    Ok(true)
}
