//! A file that has its name only when all of it is on the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Failure;

/// `FILE.partial`, readable for its owner only. Dropping it removes it.
pub struct Whole {
    file: PathBuf,
    partial: PathBuf,
    kept: bool,
}

impl Whole {
    /// Begins the file anew.
    pub fn begin(file: &Path) -> Result<Self, Failure> {
        let partial = beside(file, ".partial");
        start_anew(&partial).map_err(failed(file))?;
        Ok(Self { file: file.to_owned(), partial, kept: false })
    }

    /// Begins a file that must not be there; `kind` names what is never overwritten.
    pub fn begin_new(file: &Path, kind: &str) -> Result<Self, Failure> {
        match file.exists() {
            true => Err(Failure::new(format!(
                "{} exists: choose another name, {kind} are never overwritten",
                file.display()
            ))),
            false => Self::begin(file),
        }
    }

    /// Where to write.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Why it cannot be written.
    pub fn failed<E: std::fmt::Display>(&self) -> impl FnOnce(E) -> Failure {
        failed(&self.file)
    }

    /// Gives it its name when all of it is on the disk.
    pub fn keep(mut self) -> Result<(), Failure> {
        let synced = File::open(&self.partial).and_then(|partial| partial.sync_all());
        let done = synced
            .and_then(|()| fs::rename(&self.partial, &self.file))
            .and_then(|()| sync_directory_of(&self.file));
        self.kept = done.is_ok();
        done.map_err(failed(&self.file))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn failed<E: std::fmt::Display>(file: &Path) -> impl FnOnce(E) -> Failure {
    Failure::of(format!("cannot write {}", file.display()))
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

/// The file with `suffix` after its name.
pub fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub fn size_of(file: &Path) -> String {
    let bytes = fs::metadata(file).map_or(0, |metadata| metadata.len());
    format!("{} KiB", bytes.div_ceil(1_024))
}
