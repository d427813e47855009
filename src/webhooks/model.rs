//! What an event in the inbox is.

use schemars::JsonSchema;
use serde::Serialize;

use std::time::Duration;

use crate::id::Id;
use crate::providers::NoticeKind;
use crate::time::Time;
use crate::words;

pub type EventId = Id<Told>;

words! {
    /// Where an event stands. `done` and `ignored` are final.
    pub enum State {
        Waiting = "waiting",
        /// What it is about is not known here yet.
        Parked = "parked",
        Done = "done",
        Ignored = "ignored",
    }
}

/// An event that waits for being applied.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: EventId,
    pub kind: NoticeKind,
    pub said: String,
    /// The provider's id of what it is about.
    pub reference: String,
    /// Our key of that, where the provider told it.
    pub key: Option<String>,
    /// The freelancer's account that it happened in; `None` for our own.
    pub account: Option<String>,
    /// The order that it names, ours or not.
    pub order_id: Option<Id<()>>,
    pub happened_at: Time,
    pub received_at: Time,
    /// How often what it is about was not known.
    pub tries: i64,
}

impl Told {
    /// When it is looked at next if what it is about is not known now either.
    pub fn again_at(&self, now: Time) -> Time {
        now.plus(pause(self.tries))
    }

    /// Whether that is too late. A program that was away for the day has not looked: it looks a few times first.
    pub fn is_given_up(&self, now: Time) -> bool {
        self.tries >= LEAST_TRIES && self.again_at(now) > self.received_at.plus(PARKED_FOR)
    }
}

/// A listing of what a provider has told, page by page: one that was cut off goes on where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What was told before it began is listed with it.
    pub began: Time,
    pub from: Time,
    /// Where the provider goes on; `None` at the first page, and after the last.
    pub rest: Option<String>,
}

/// What an event is looked for that is about nothing known here.
pub const PARKED_FOR: Duration = Duration::from_secs(86_400);

/// However late it is, so often it was looked for before it is given up.
const LEAST_TRIES: i64 = 5;

/// The pause before an unknown object is looked for again: 5, 10, 20 … seconds, an hour at most.
pub fn pause(tries: i64) -> Duration {
    Duration::from_secs(5 << tries.clamp(0, 12)).min(Duration::from_secs(3_600))
}

/// The answer to the provider.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Receipt {
    /// Always `true`: the event is kept, and need not be sent again.
    pub received: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<u64> = (0..12).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!((pause(-1).as_secs(), pause(i64::MAX).as_secs()), (5, 3_600));
    }
}
