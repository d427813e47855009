//! `guildhall backup` and `guildhall restore`: a copy of the embedded database's file, an export of one on a server.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::bar::{bar, show};
use super::whole::{Whole, beside, size_of};
use super::{Failure, Lock, moving, open, require_database, say};
use crate::app::Parts;
use crate::config::Config;
use crate::db::{self, Place};

/// Copies the database to `to` while others read and write.
pub async fn backup(config: Config, to: &Path) -> Result<(), Failure> {
    if !config.place().is_embedded() {
        return moving::export(config, to).await;
    }
    require_database(&config)?;
    let whole = Whole::begin_new(to, "backups")?;
    let app = open(config, Parts::default())?;
    let bar = bar("copying");
    app.db().backup(whole.partial(), |done, all| show(&bar, done, all)).map_err(whole.failed())?;
    bar.finish_and_clear();
    whole.keep()?;
    say(format!("backed up {} to {}", size_of(to), to.display()))
}

fn begins_with(file: &Path, start: &[u8]) -> bool {
    let mut found = vec![0; start.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut found)).is_ok() && found == start
}

/// Puts a backup in the place of no database.
pub async fn restore(config: Config, from: &Path) -> Result<(), Failure> {
    if !config.place().is_embedded() {
        if begins_with(from, b"SQLite format 3") {
            return Err(Failure::new(format!(
                "{} is a backup of an embedded database: restore it with --data-dir DIR --database-url embedded, then export it there and import that here",
                from.display()
            )));
        }
        return moving::import(config, from).await;
    }
    if begins_with(from, b"{") {
        return Err(Failure::new(format!("{} is an export: use `guildhall import`", from.display())));
    }
    let _lock = Lock::take(&config)?;
    let to = config.database_file();
    // A log without its database would be played back into whatever lies there later.
    for taken in [to.clone(), beside(&to, "-wal")] {
        if taken.exists() {
            return Err(Failure::new(format!(
                "{} exists: restore into an empty --data-dir, or move the old database and its -wal file away",
                taken.display()
            )));
        }
    }
    if !from.is_file() {
        return Err(Failure::new(format!("there is no file {}", from.display())));
    }
    let useless = Failure::of(format!("{} cannot be restored, use another backup", from.display()));
    let lacking = Place::File(from.to_owned()).pending_migrations().map_err(useless)?;
    if lacking.len() == db::MIGRATIONS.len() {
        return Err(Failure::new(format!(
            "{} cannot be restored, use another backup: it is empty",
            from.display()
        )));
    }
    let wrong = db::check_file(from).map_err(Failure::of(format!("{} cannot be checked", from.display())))?;
    if !wrong.is_empty() {
        return Err(Failure::new(format!(
            "{} is damaged, use another backup:\n{}",
            from.display(),
            wrong.join("\n")
        )));
    }
    let whole = Whole::begin(&to)?;
    let bar = bar("restoring");
    db::restore(from, whole.partial(), |done, all| show(&bar, done, all)).map_err(whole.failed())?;
    bar.finish_and_clear();
    whole.keep()?;
    say(format!("restored {} into {}: `guildhall serve` opens it", size_of(&to), config.data_dir.display()))
}
