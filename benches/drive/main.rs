//! The loads that a generator of single requests cannot make, for `scripts/bench`:
//!
//! - `drive life CAST SECONDS`: 64 buyers at once, each from one order to its review again and again;
//! - `drive mixed CAST SECONDS RATE LOGINS`: nine reads to one write at RATE requests a second, every hundredth a login if
//!   LOGINS is `yes`; RATE 0 is as fast as answers come;
//! - `drive steady ADDRESS REQUESTS SECONDS RATE`: the requests of a file in turn, in the form that `turns.lua` reads.
//!
//! CAST is a file in JSON ([`Cast`]). Prints one line of JSON. A request of `mixed` or `steady` counts from the moment it was
//! due, so that a stall shows in every request that it kept waiting.

#![allow(clippy::float_arithmetic, reason = "rates and times; no money is counted here")]

mod life;
mod mixed;
mod pace;
mod peer;
mod steady;
mod times;

use std::error::Error;
use std::time::Duration;

use serde::Deserialize;

/// Who takes part, on a server at `address`.
#[derive(Deserialize)]
pub struct Cast {
    pub address: String,
    /// Tokens.
    pub buyers: Vec<String>,
    pub sellers: Vec<Seller>,
    /// Paths that are read in turn, with nobody's token.
    pub reads: Vec<String>,
    /// Paths that are read in turn, with a buyer's token.
    pub own_reads: Vec<String>,
    /// Of an account that logs in.
    pub username: String,
    pub password: String,
}

#[derive(Deserialize)]
pub struct Seller {
    pub token: String,
    /// The id of what the seller offers.
    pub listing: String,
}

pub type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = match words[..] {
        ["life", cast, seconds] => life::run(read(cast)?, duration(seconds)?).await?,
        ["mixed", cast, seconds, rate, logins] => {
            mixed::run(read(cast)?, duration(seconds)?, rate.parse()?, logins == "yes").await?
        }
        ["steady", address, requests, seconds, rate] => {
            let requests = std::fs::read_to_string(requests)?;
            steady::run(address, &requests, duration(seconds)?, rate.parse()?).await?
        }
        _ => {
            return Err("usage: drive life CAST SECONDS | drive mixed CAST SECONDS RATE LOGINS | \
                        drive steady ADDRESS REQUESTS SECONDS RATE"
                .into());
        }
    };
    println!("{report}");
    Ok(())
}

fn read(file: &str) -> Result<Cast, Failure> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

fn duration(seconds: &str) -> Result<Duration, Failure> {
    Ok(Duration::from_secs_f64(seconds.parse()?))
}
