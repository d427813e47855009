//! The stream: what stands on each line, written and read. docs/export-format.md describes it. It knows the tables, and
//! never a database. Reading is strict: a line is either what writing would have made, or the stream is refused.

use std::io::{BufRead, BufReader, Read, Write};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::db::MIGRATIONS;
use crate::error::{Error, Result};
use crate::time::Time;

use super::cell::Cell;
use super::manifest::{TABLES, Table};

const FORMAT: &str = "guildhall-export";
const FORMAT_VERSION: u64 = 1;
/// No row comes near it: a file without line ends is refused before it fills the memory.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// What a stream holds. The digest covers all but the header: equal contents have equal digests, whenever and wherever
/// they were exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub rows: u64,
    pub digest: String,
}

fn header_line(at: Time) -> String {
    json!({
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "schema": schema(),
        "program": env!("CARGO_PKG_VERSION"),
        "at": at,
    })
    .to_string()
}

fn schema() -> Vec<&'static str> {
    MIGRATIONS.iter().map(|step| step.name).collect()
}

fn opening(table: &Table) -> String {
    let columns: Map<String, Value> =
        table.columns.iter().map(|(name, kind)| ((*name).to_owned(), kind.as_str().into())).collect();
    json!({ "table": table.name, "columns": columns }).to_string()
}

fn closing(table: &Table, rows: u64, digest: &Sha256) -> String {
    json!({ "end_of": table.name, "rows": rows, "sha256": hex(digest) }).to_string()
}

fn last_line(header: &str, contents: &Contents) -> String {
    let header = hex(&Sha256::new().chain_update(header));
    json!({
        "end_of": FORMAT,
        "tables": TABLES.len(),
        "rows": contents.rows,
        "header_sha256": header,
        "contents_sha256": contents.digest,
    })
    .to_string()
}

fn hex(digest: &Sha256) -> String {
    digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a stream: every table of the manifest once, in its order.
pub(super) struct Writer<W> {
    out: W,
    header: String,
    digest: Sha256,
    rows: u64,
}

impl<W: Write> Writer<W> {
    pub fn begin(mut out: W, at: Time) -> Result<Self> {
        let header = header_line(at);
        writeln!(out, "{header}")?;
        Ok(Self { out, header, digest: Sha256::new(), rows: 0 })
    }

    /// Writes one table; `fill` is given what takes its rows.
    pub fn table(
        &mut self,
        table: &Table,
        fill: impl FnOnce(&mut dyn FnMut(&[Cell]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        self.line(opening(table).into_bytes())?;
        let mut rows = 0;
        fill(&mut |cells| {
            rows += 1;
            self.line(serde_json::to_vec(cells)?)
        })?;
        self.rows += rows;
        self.line(closing(table, rows, &self.digest).into_bytes())
    }

    /// Writes the last line.
    pub fn end(mut self) -> Result<(Contents, W)> {
        let contents = Contents { rows: self.rows, digest: hex(&self.digest) };
        writeln!(self.out, "{}", last_line(&self.header, &contents))?;
        self.out.flush()?;
        Ok((contents, self.out))
    }

    fn line(&mut self, mut line: Vec<u8>) -> Result<()> {
        line.push(b'\n');
        self.digest.update(&line);
        Ok(self.out.write_all(&line)?)
    }
}

/// Reads a whole stream and hands over row by row. What was handed over counts only when this returns `Ok`.
pub(super) fn read(
    from: impl Read,
    mut take: impl FnMut(&'static Table, Vec<Cell>) -> Result<()>,
) -> Result<Contents> {
    let mut lines = Lines { from: BufReader::with_capacity(1 << 16, from), number: 0, line: Vec::new() };
    lines.next()?;
    let header = understood(&lines)?;
    let (mut digest, mut rows) = (Sha256::new(), 0);
    for table in TABLES {
        lines.next()?;
        if lines.line != opening(table).as_bytes() {
            return Err(lines.wrong(format!("the table {} does not begin here", table.name)));
        }
        let before = rows;
        loop {
            lines.digest_into(&mut digest);
            lines.next()?;
            if !lines.line.starts_with(b"[") {
                break;
            }
            take(table, row(table, &lines)?)?;
            rows += 1;
        }
        if lines.line != closing(table, rows - before, &digest).as_bytes() {
            return Err(lines.wrong(format!("the rows of {} are not those that were exported", table.name)));
        }
        lines.digest_into(&mut digest);
    }
    let contents = Contents { rows, digest: hex(&digest) };
    lines.next()?;
    if lines.line != last_line(&header, &contents).as_bytes() {
        return Err(lines.wrong("it does not end as it should"));
    }
    match lines.from.fill_buf()?.is_empty() {
        true => Ok(contents),
        false => Err(lines.wrong("something follows its end")),
    }
}

/// The header, if this program can read what follows it.
fn understood(lines: &Lines<impl Read>) -> Result<String> {
    let foreign = || {
        Error::broken(
            "it is no export of a guildhall: if it was compressed, decompress it into `guildhall import -`",
        )
    };
    let text = std::str::from_utf8(&lines.line).map_err(|_| foreign())?;
    let header: Value = serde_json::from_str(text).map_err(|_| foreign())?;
    if header["format"] != FORMAT {
        return Err(foreign());
    }
    let maker = format!("guildhall {}", header["program"].as_str().unwrap_or("of an unknown version"));
    if header["format_version"] != FORMAT_VERSION {
        return Err(Error::broken(format!(
            "its format_version is {}, this program reads {FORMAT_VERSION}: import it with {maker}, which wrote it",
            header["format_version"]
        )));
    }
    let (theirs, ours) = (names(&header["schema"]), schema());
    if theirs == ours {
        return Ok(text.to_owned());
    }
    let (newest, known) = (theirs.last().unwrap_or(&"none"), ours.last().unwrap_or(&"none"));
    Err(Error::broken(if ours.starts_with(&theirs) {
        format!(
            "its schema ends with {newest}, this program's with {known}: import it with {maker}, which wrote it, then \
             run `guildhall migrate` with this program and export again"
        )
    } else {
        format!(
            "its schema ends with {newest}, which this program does not know: import it with {maker}, which wrote it"
        )
    }))
}

fn names(schema: &Value) -> Vec<&str> {
    schema.as_array().map(|names| names.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn row(table: &Table, lines: &Lines<impl Read>) -> Result<Vec<Cell>> {
    let spelled: Vec<Value> = serde_json::from_slice(&lines.line)
        .map_err(|_| lines.wrong(format!("this is no row of {}", table.name)))?;
    if spelled.len() != table.columns.len() {
        return Err(lines.wrong(format!("a row of {} has {} columns", table.name, table.columns.len())));
    }
    let columns = table.columns.iter().zip(spelled);
    columns
        .map(|((column, kind), value)| {
            let wrong = || lines.wrong(format!("{}.{column} holds no {}", table.name, kind.as_str()));
            kind.parse(value).ok_or_else(wrong)
        })
        .collect()
}

/// The lines of a stream, one at a time, without their ends.
struct Lines<R> {
    from: BufReader<R>,
    number: u64,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn next(&mut self) -> Result<()> {
        self.number += 1;
        self.line.clear();
        (&mut self.from).take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        match self.line.pop() {
            Some(b'\n') => Ok(()),
            _ => Err(Error::broken(format!(
                "it breaks off in line {}: it was not copied whole, use another copy or export again",
                self.number
            ))),
        }
    }

    fn digest_into(&self, digest: &mut Sha256) {
        digest.update(&self.line);
        digest.update(b"\n");
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::broken(format!(
            "line {}: {what}: it is damaged, use another copy or export again",
            self.number
        ))
    }
}
