//! One at a time on a data directory: `serve`, and what must not run beside it. The system lets go when the process ends,
//! however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::{Failure, make_data_dir};
use crate::config::Config;

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] Option<File>);

impl Lock {
    /// Takes the data directory, or says who has it. A database on a server is shared: there is nothing to take.
    pub fn take(config: &Config) -> Result<Self, Failure> {
        if !config.place().is_embedded() {
            return Ok(Self(None));
        }
        make_data_dir(config)?;
        let path = path(config);
        let failed = |error: std::io::Error| Failure::new(format!("cannot lock {}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(format!(
                    "the data directory {} is in use by another guildhall{}: stop it first, or give another --data-dir",
                    config.data_dir.display(),
                    holder(&mut file)
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let name_us = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        };
        name_us(&mut file).map_err(failed)?;
        Ok(Self(Some(file)))
    }
}

/// Who holds the lock, if anybody does; takes nothing.
pub fn held_by(config: &Config) -> Option<String> {
    let mut file = File::open(path(config)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
        _ => None,
    }
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join("guildhall.lock")
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!(" (process {})", text.trim()),
        _ => String::new(),
    }
}
