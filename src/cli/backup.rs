//! `guildhall backup` and `guildhall restore`. A file has its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Lock, open, require_database, say};
use crate::app::Parts;
use crate::config::Config;
use crate::db::{self, Place};

/// Copies the database to `to` while others read and write.
pub fn backup(config: Config, to: &Path) -> Result<(), Failure> {
    require_database(&config)?;
    if to.exists() {
        return Err(Failure::new(format!(
            "{} exists: choose another name, backups are never overwritten",
            to.display()
        )));
    }
    let app = open(config, Parts::default())?;
    let bar = bar("copying");
    whole_or_not(to, |partial| app.db().backup(partial, |done, all| show(&bar, done, all)))?;
    bar.finish_and_clear();
    say(format!("backed up {} to {}", size_of(to), to.display()))
}

/// Puts a backup in the place of no database.
pub fn restore(config: &Config, from: &Path) -> Result<(), Failure> {
    let _lock = Lock::take(config)?;
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
    let useless = Failure::of(format!("{} cannot be restored", from.display()));
    let lacking = Place::File(from.to_owned()).pending_migrations().map_err(useless)?;
    if lacking.len() == db::MIGRATIONS.len() {
        return Err(Failure::new(format!("{} cannot be restored: it is empty", from.display())));
    }
    let wrong = db::check_file(from).map_err(Failure::of(format!("{} cannot be checked", from.display())))?;
    if !wrong.is_empty() {
        return Err(Failure::new(format!(
            "{} is damaged, use another backup:\n{}",
            from.display(),
            wrong.join("\n")
        )));
    }
    let bar = bar("restoring");
    whole_or_not(&to, |partial| db::restore(from, partial, |done, all| show(&bar, done, all)))?;
    bar.finish_and_clear();
    say(format!("restored {} into {}: `guildhall serve` opens it", size_of(&to), config.data_dir.display()))
}

/// Lets `write` fill `FILE.partial`, readable for its owner only, and renames it when all of it is on the disk.
fn whole_or_not(file: &Path, write: impl FnOnce(&Path) -> crate::error::Result<()>) -> Result<(), Failure> {
    let partial = beside(file, ".partial");
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("cannot write {}: {error}", file.display()));
    start_anew(&partial).map_err(|error| failed(&error))?;
    if let Err(error) = write(&partial) {
        let _ = fs::remove_file(&partial);
        return Err(failed(&error));
    }
    let done = fs::rename(&partial, file).and_then(|()| sync_directory_of(file));
    done.map_err(|error| failed(&error))
}

fn start_anew(partial: &Path) -> io::Result<()> {
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial).map(|_| ())
}

/// A rename is durable once its directory is.
fn sync_directory_of(file: &Path) -> io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Drawn on a terminal only.
fn bar(verb: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:40} {percent}%").unwrap_or(ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(verb)
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

fn size_of(file: &Path) -> String {
    let bytes = fs::metadata(file).map_or(0, |metadata| metadata.len());
    format!("{} KiB", bytes.div_ceil(1_024))
}
