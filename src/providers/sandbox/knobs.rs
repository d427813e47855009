//! What goes wrong on the line to the sandbox, for rehearsals: seeded, so that the same call goes wrong again in the same
//! way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::db::Tx;
use crate::error::Result;
use crate::params;

use super::super::Unanswered;

/// What goes wrong, in percent of the calls or notices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Knobs {
    /// The same seed lets the same calls go wrong.
    pub seed: i64,
    /// How late every answer is.
    pub delay_ms: i64,
    /// Calls that the provider never hears of.
    pub drop_before: i64,
    /// Calls that are carried out and whose answer is lost.
    pub drop_after: i64,
    /// Calls that are carried out and answered with an error.
    pub error_after: i64,
    /// Notices that are sent twice.
    pub duplicate: i64,
    /// Notices that are overtaken by later ones.
    pub reorder: i64,
    /// Notices that come late.
    pub late: i64,
    /// Notices that never come.
    pub never: i64,
    /// Notices that are sent with a wrong signature as well.
    pub forge: i64,
}

impl Knobs {
    /// Whether the so-manyth try of something named `key` is among the `percent` that `what` happens to.
    pub fn strike(&self, what: &str, key: &str, nth: u64, percent: i64) -> bool {
        if percent <= 0 {
            return false;
        }
        let drawn = Sha256::digest(format!("{} {what} {key} {nth}", self.seed));
        i64::from(u16::from_be_bytes([drawn[0], drawn[1]]) % 100) < percent
    }
}

/// How they stand; `None` when all is well.
pub fn read(tx: &Tx) -> Result<Option<Knobs>> {
    tx.first(
        "select seed, delay_ms, drop_before, drop_after, error_after, duplicate, reorder, late, never, forge
         from sandbox_knobs where one = 1",
        params![],
        |row| {
            Ok(Knobs {
                seed: row.next()?,
                delay_ms: row.next()?,
                drop_before: row.next()?,
                drop_after: row.next()?,
                error_after: row.next()?,
                duplicate: row.next()?,
                reorder: row.next()?,
                late: row.next()?,
                never: row.next()?,
                forge: row.next()?,
            })
        },
    )
}

/// Turns them.
pub fn turn(tx: &Tx, knobs: &Knobs) -> Result<()> {
    tx.send("delete from sandbox_knobs where one = 1", params![])?;
    if *knobs == Knobs::default() {
        return Ok(());
    }
    let Knobs {
        seed,
        delay_ms,
        drop_before,
        drop_after,
        error_after,
        duplicate,
        reorder,
        late,
        never,
        forge,
    } = knobs;
    tx.send(
        "insert into sandbox_knobs (one, seed, delay_ms, drop_before, drop_after, error_after, duplicate, reorder, late,
             never, forge)
         values (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![seed, delay_ms, drop_before, drop_after, error_after, duplicate, reorder, late, never, forge],
    )
}

/// How often each call was made over this line.
#[derive(Clone, Default)]
pub(super) struct Tries(Arc<Mutex<HashMap<String, u64>>>);

/// More than anybody counts by hand; then they are counted anew.
const MOST_COUNTED: usize = 100_000;

impl Tries {
    fn count(&self, call: &str) -> u64 {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MOST_COUNTED {
            tries.clear();
        }
        let count = tries.entry(call.to_owned()).or_default();
        *count += 1;
        *count
    }
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mishap {
    #[default]
    None,
    /// It is lost on the way.
    Before,
    /// Its answer is.
    After,
    /// It is carried out, and answered with an error.
    Error,
}

/// What happens to this call, and how late its answer is.
pub(super) fn mishap(tx: &Tx, tries: &Tries, call: &str) -> Result<(Mishap, Duration)> {
    let Some(knobs) = read(tx)? else { return Ok((Mishap::None, Duration::ZERO)) };
    let nth = tries.count(call);
    let struck = |what: &str, percent: i64| knobs.strike(what, call, nth, percent);
    let mishap = if struck("drop_before", knobs.drop_before) {
        Mishap::Before
    } else if struck("drop_after", knobs.drop_after) {
        Mishap::After
    } else if struck("error_after", knobs.error_after) {
        Mishap::Error
    } else {
        Mishap::None
    };
    Ok((mishap, Duration::from_millis(u64::try_from(knobs.delay_ms).unwrap_or(0))))
}

impl Mishap {
    /// The answer, or that there is none.
    pub(super) fn answer<T>(self, answer: Option<T>) -> std::result::Result<T, Unanswered> {
        let lost = |why: &str| Err(Unanswered::Unknown(why.to_owned()));
        match (self, answer) {
            (Self::None, Some(answer)) => Ok(answer),
            (Self::Error, _) => lost("500 internal error of the sandbox"),
            _ => lost("the connection to the sandbox was lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_lets_the_same_calls_go_wrong_and_as_many_as_it_says() {
        let knobs = Knobs { seed: 7, ..Knobs::default() };
        let struck = |knobs: &Knobs, percent| -> Vec<u64> {
            (0..10_000).filter(|nth| knobs.strike("drop_after", "charge:a", *nth, percent)).collect()
        };
        let of_seven = struck(&knobs, 30);
        assert_eq!(of_seven, struck(&knobs, 30));
        assert_ne!(of_seven, struck(&Knobs { seed: 8, ..Knobs::default() }, 30));
        assert!((2_700..3_300).contains(&of_seven.len()), "{}", of_seven.len());
        assert_eq!((struck(&knobs, 0).len(), struck(&knobs, 100).len()), (0, 10_000));
    }
}
