//! How long things took.

use std::time::Duration;

use serde_json::{Value, json};

#[derive(Default)]
pub struct Times {
    micros: Vec<u64>,
}

impl Times {
    pub fn add(&mut self, took: Duration) {
        self.micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn join(&mut self, other: Self) {
        self.micros.extend(other.micros);
    }

    /// How many there were, and their percentiles in milliseconds.
    pub fn report(mut self) -> Value {
        self.micros.sort_unstable();
        let at = |part: f64| {
            let last = self.micros.len().checked_sub(1)?;
            let place = (last as f64 * part).round() as usize;
            Some(self.micros[place] as f64 / 1_000.0)
        };
        json!({ "count": self.micros.len(), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0) })
    }
}
