//! A log line as one JSON object: when, how bad, what, its fields, and where in the program it was said.
//!
//! The subscriber's own way there goes through a map of serde's and takes three times as long, which every answer waited for.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        out.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut out)?;
        write!(out, "\",\"level\":\"{}\"", event.metadata().level())?;
        let mut members = Members { out: &mut out, written: Ok(()) };
        event.record(&mut members);
        members.text("target", event.metadata().target());
        members.written?;
        out.write_str("}\n")
    }
}

/// Writes each field as a member of the object; the first failure is kept.
struct Members<'o, 'w> {
    out: &'o mut Writer<'w>,
    written: fmt::Result,
}

impl Members<'_, '_> {
    fn text(&mut self, name: &str, text: &str) {
        self.member(name, |out| {
            out.write_char('"')?;
            Escaped(out).write_str(text)?;
            out.write_char('"')
        });
    }

    /// Names of fields are words of the program.
    fn member(&mut self, name: &str, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let write = |out: &mut Writer<'_>| {
            out.write_str(",\"")?;
            out.write_str(name)?;
            out.write_str("\":")?;
            value(out)
        };
        if self.written.is_ok() {
            self.written = write(self.out);
        }
    }
}

impl Visit for Members<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field.name(), |out| {
            out.write_char('"')?;
            write!(Escaped(out), "{value:?}")?;
            out.write_char('"')
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), |out| write!(out, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), |out| write!(out, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), |out| write!(out, "{value}"));
    }
}

/// The inside of a JSON string.
struct Escaped<'o, 'w>(&'o mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(place) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            let (plain, from) = rest.split_at(place);
            let (special, after) = from.split_at(1);
            self.0.write_str(plain)?;
            match special {
                "\"" => self.0.write_str("\\\"")?,
                "\\" => self.0.write_str("\\\\")?,
                "\n" => self.0.write_str("\\n")?,
                control => write!(self.0, "\\u{:04x}", control.as_bytes()[0])?,
            }
            rest = after;
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_an_object_whatever_its_fields_hold() {
        let kept = Kept::default();
        let into = kept.clone();
        let log = tracing_subscriber::fmt().event_format(Json).with_writer(move || into.clone()).finish();
        let wild = "\"quoted\" \\ \n\t\u{1} ünder\u{7f}";
        tracing::subscriber::with_default(log, || {
            tracing::warn!(text = wild, shown = %wild, count = 3_u64, below = -3, sure = true, list = ?[1, 2], "said {wild}");
        });
        let bytes = kept.0.lock().expect("nobody panicked").clone();
        let line = String::from_utf8(bytes).expect("text");
        assert_eq!(line.matches('\n').count(), 1);
        let mut object: Value = serde_json::from_str(&line).expect("a JSON object");
        let said_at = object["timestamp"].take();
        assert!(said_at.as_str().and_then(crate::time::Time::parse).is_some());
        let expected = serde_json::json!({
            "timestamp": null, "level": "WARN", "message": format!("said {wild}"), "text": wild, "shown": wild, "count": 3,
            "below": -3, "sure": true, "list": "[1, 2]", "target": module_path!(),
        });
        assert_eq!(object, expected);
    }
}
