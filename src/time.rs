//! Moments in UTC with microseconds, and the clock that every deadline is read from.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::short;

/// A moment: whole microseconds since 1970-01-01T00:00:00Z. On the wire RFC 3339 with `Z` and six digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time(i64);

impl Time {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Parses any RFC 3339 moment; digits past the microsecond are cut.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|stamp| Self(stamp.as_microsecond()))
    }

    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn plus_days(self, days: u32) -> Self {
        self.plus(Duration::from_secs(u64::from(days) * 86_400))
    }

    /// How long from `earlier` to this moment; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.6}"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        short::serialize(self, serializer)
    }
}

impl schemars::JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Tells the time and never steps back, whatever the system clock does. Tests and the test clock move it forward.
#[derive(Default)]
pub struct Clock {
    ahead_micros: AtomicI64,
    /// How far the clock that it follows is ahead of the system's.
    skew_micros: AtomicI64,
    last_micros: AtomicI64,
}

impl Clock {
    /// A clock that begins `span` ago, for a story that leads up to now.
    pub fn behind(span: Duration) -> Self {
        let clock = Self::default();
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4);
        clock.ahead_micros.store(-micros, Ordering::SeqCst);
        clock
    }

    pub fn now(&self) -> Time {
        self.at(system_micros() + self.skew_micros.load(Ordering::SeqCst))
    }

    /// What it is now by a clock that says `told`, which this one follows from here on: that of a database that several
    /// programs share.
    pub fn follow(&self, told: Time) -> Time {
        self.skew_micros.store(told.0 - system_micros(), Ordering::SeqCst);
        self.at(told.0)
    }

    fn at(&self, micros: i64) -> Time {
        let shifted = micros + self.ahead_micros.load(Ordering::SeqCst);
        Time(self.last_micros.fetch_max(shifted, Ordering::SeqCst).max(shifted))
    }

    /// Moves every later answer forward by `span`.
    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4);
        self.ahead_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Moves every later answer to at least `ahead` of the system's time.
    pub fn reach(&self, ahead: Duration) {
        let micros = i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX / 4);
        self.ahead_micros.fetch_max(micros, Ordering::SeqCst);
    }

    /// How far the clock was moved in all, so that a restart can move it there again.
    pub fn ahead(&self) -> Duration {
        Duration::from_micros(self.ahead_micros.load(Ordering::SeqCst).max(0).unsigned_abs())
    }
}

fn system_micros() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_and_z() {
        assert_eq!(Time::from_micros(1_790_000_000_000_000).to_string(), "2026-09-21T14:13:20.000000Z");
        assert_eq!(
            Time::parse("2026-09-21T16:13:20.5+02:00"),
            Some(Time::from_micros(1_790_000_000_500_000))
        );
        assert_eq!(Time::parse("yesterday"), None);
    }

    #[test]
    fn a_clock_that_is_behind_reaches_the_present() {
        let clock = Clock::behind(Duration::from_secs(3_600));
        let present = Clock::default().now();
        assert!(present.since(clock.now()) > Duration::from_secs(3_500));
        clock.reach(Duration::ZERO);
        assert!(clock.now() >= present);
    }

    #[test]
    fn the_clock_only_moves_forward() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_secs(60));
        assert!(clock.now().since(before) >= Duration::from_secs(60));
    }
}
