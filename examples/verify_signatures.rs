//! Says what this program thinks of signed notices, for `tests/stripe_signatures`: a line of JSON
//! `{"secrets": […], "header": "…", "body": "<hex>", "now": <microseconds>}` each, answered by `good`, `stale` or `refused`.

use std::io::{BufRead, Write, stdin, stdout};

use guildhall::providers::Forged;
use guildhall::providers::signature::{TOLERANCE, verify};
use guildhall::time::Time;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    secrets: Vec<String>,
    header: String,
    body: String,
    now: i64,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line?)?;
        let body: Vec<u8> = (0..case.body.len() / 2)
            .map(|at| u8::from_str_radix(&case.body[2 * at..2 * at + 2], 16))
            .collect::<Result<_, _>>()
            .map_err(std::io::Error::other)?;
        let verdict = verify(&case.secrets, &case.header, &body, Time::from_micros(case.now), TOLERANCE);
        let word = match verdict {
            Ok(()) => "good",
            Err(Forged::Stale { .. }) => "stale",
            Err(_) => "refused",
        };
        writeln!(out, "{word}")?;
    }
    out.flush()
}
