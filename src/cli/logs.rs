//! The log on standard error: for people on a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal, Write, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Whether people read along.
pub fn is_human(config: &Config) -> bool {
    match config.log_format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    }
}

/// Standard error, where nobody may be reading any more: lines are lost then, and nothing else.
struct Lossy;

impl Write for Lossy {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says something to whoever reads along, if anybody does.
pub fn tell(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// Starts logging. A second call in one process changes nothing.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lossy).log_internal_errors(false);
    let _ = match is_human(config) {
        true => log.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
        false => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
}
