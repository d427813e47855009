//! The log on standard error: for people on a terminal, JSON lines otherwise.

mod json;

use std::io::{self, IsTerminal, Write, stderr};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Config, LogFormat};
use crate::http;

use json::Json;

/// Whether people read along.
pub fn is_human(config: &Config) -> bool {
    match config.log_format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    }
}

/// Standard error, where nobody may be reading any more: lines are lost then, and nothing else.
///
/// A line about each answer would be a system call each, a tenth of what a short answer costs. So those wait for each other,
/// [`GATHERED_FOR`] at most; every other line goes out at once, and what waited goes before it.
#[derive(Clone, Copy)]
struct Log;

const GATHERED_FOR: Duration = Duration::from_millis(20);
/// Where more than this waits, nobody reads fast enough: further lines about answers are lost.
const GATHERED_BYTES: usize = 1024 * 1024;

static GATHERED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// What was written last, kept for its room; whoever has it is the one who writes.
static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static GATHERER: OnceLock<Thread> = OnceLock::new();

impl<'w> MakeWriter<'w> for Log {
    type Writer = Line;

    fn make_writer(&'w self) -> Line {
        Line { waits: false }
    }

    fn make_writer_for(&'w self, meta: &Metadata<'_>) -> Line {
        Line { waits: meta.target() == http::ANSWERED && *meta.level() == Level::INFO }
    }
}

/// One line on its way.
struct Line {
    waits: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match (self.waits, GATHERER.get()) {
            (true, Some(gatherer)) => gather(line, gatherer),
            _ => {
                write_gathered();
                let _ = stderr().write_all(line);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gather(line: &[u8], gatherer: &Thread) {
    let mut gathered = GATHERED.lock().unwrap_or_else(PoisonError::into_inner);
    let first = gathered.is_empty();
    if gathered.len() + line.len() <= GATHERED_BYTES {
        gathered.extend_from_slice(line);
    } else {
        metrics::counter!("log_lines_lost_total").increment(1);
    }
    drop(gathered);
    if first {
        gatherer.unpark();
    }
}

fn write_gathered() {
    // Whoever comes next waits until these are written, so that lines stay in order.
    let mut lines = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::swap(&mut *lines, &mut *GATHERED.lock().unwrap_or_else(PoisonError::into_inner));
    let _ = stderr().write_all(&lines);
    lines.clear();
}

/// Writes what has gathered, for as long as the process lives.
fn start_gatherer() -> io::Result<()> {
    let run = || {
        loop {
            thread::park();
            thread::sleep(GATHERED_FOR);
            write_gathered();
        }
    };
    let gatherer = thread::Builder::new().name("log".to_owned()).spawn(run)?;
    let _ = GATHERER.set(gatherer.thread().clone());
    Ok(())
}

/// Says something to whoever reads along, if anybody does.
pub fn tell(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// Starts logging. A second call in one process changes nothing.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Log).log_internal_errors(false);
    let started = match is_human(config) {
        true => log.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
        false => log.event_format(Json).try_init(),
    };
    // Without it each line is written by itself.
    if started.is_ok() {
        let _ = start_gatherer();
    }
}
