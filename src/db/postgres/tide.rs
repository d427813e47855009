//! How far the primary had come, and when: so what a replica lacks is told as a time, by one clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::server::UNKNOWN_TIMELINE;
use crate::db::fresh::Position;

/// Positions that are remembered; with a look every 0.4 s, of the last minute.
const REMEMBERED: usize = 150;

/// A primary that was not heard for so long is looked for; one that lives is looked at more often.
const SILENT: Duration = Duration::from_millis(2_500);

#[derive(Default)]
pub(super) struct Tide {
    seen: Mutex<Seen>,
    /// Counts the primaries that there were.
    turns: AtomicU64,
}

#[derive(Default)]
struct Seen {
    /// Which cluster it is: copies of another are no replicas.
    cluster: Option<String>,
    /// The one that was connected to last.
    timeline: u32,
    marks: VecDeque<Mark>,
}

impl Seen {
    /// What something is old against: now, or when the primary that is silent was last heard.
    fn as_of(&self) -> Option<Instant> {
        let newest = self.marks.back()?.last;
        Some(if newest.elapsed() > SILENT { newest } else { Instant::now() })
    }
}

struct Mark {
    position: Position,
    /// When the primary had certainly come no further.
    last: Instant,
}

impl Tide {
    /// The primary of `cluster` was asked at `asked`, and stood at `position` a moment later.
    pub fn note(&self, cluster: &str, position: Position, asked: Instant) {
        let mut seen = self.seen();
        if seen.cluster.as_deref() != Some(cluster) {
            *seen = Seen { cluster: Some(cluster.to_owned()), marks: VecDeque::new(), ..*seen };
        }
        // One that was promoted may stand before what its predecessor had written and no replica had.
        seen.marks.retain(|mark| mark.position <= position);
        match seen.marks.back_mut() {
            Some(mark) if mark.position == position => mark.last = asked,
            _ => seen.marks.push_back(Mark { position, last: asked }),
        }
        if seen.marks.len() > REMEMBERED {
            seen.marks.pop_front();
        }
    }

    /// A connection to a primary was opened. On another timeline than before it is one that was promoted, and where that is not
    /// told it may be: until replicas were compared with it, nothing is known of them.
    pub fn connected(&self, timeline: u32) {
        let mut seen = self.seen();
        if timeline == UNKNOWN_TIMELINE || seen.timeline != timeline {
            seen.timeline = timeline;
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    pub fn is_known(&self) -> bool {
        self.seen().cluster.is_some()
    }

    /// Where the primary stood when it was last asked, if that was after `then`.
    pub fn after(&self, then: Instant) -> Option<Position> {
        self.seen().marks.back().filter(|mark| mark.last > then).map(|mark| mark.position)
    }

    pub fn is_of(&self, cluster: &str) -> bool {
        self.seen().cluster.as_deref() == Some(cluster)
    }

    /// How old what lies at `position` is at most; `None` when that is longer than is known. Nothing is added while the primary
    /// is silent: then it is measured against its last word.
    pub fn age(&self, position: Position) -> Option<Duration> {
        let seen = self.seen();
        let newest = seen.marks.back()?;
        if newest.position <= position {
            return Some(Duration::ZERO);
        }
        let reached = seen.marks.iter().rev().find(|mark| mark.position <= position)?;
        Some(seen.as_of()?.saturating_duration_since(reached.last))
    }

    /// Where the primary was at most, so long ago: whoever has come this far lacks nothing that is older.
    pub fn before(&self, age: Duration) -> Option<Position> {
        let seen = self.seen();
        let as_of = seen.as_of()?;
        let since = seen.marks.iter().find(|mark| as_of.saturating_duration_since(mark.last) <= age);
        since.or(seen.marks.back()).map(|mark| mark.position)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tide(marks: &[(i64, u64)]) -> Tide {
        let (tide, now) = (Tide::default(), Instant::now());
        for (position, seconds_ago) in marks {
            let asked =
                now.checked_sub(Duration::from_secs(*seconds_ago)).expect("the machine runs for longer");
            tide.note("ours", Position(*position), asked);
        }
        tide
    }

    fn age_s(tide: &Tide, position: i64) -> Option<u64> {
        tide.age(Position(position)).map(|age| age.as_secs())
    }

    #[test]
    fn what_a_replica_lacks_is_told_as_a_time() {
        let tide = tide(&[(10, 9), (20, 6), (30, 1)]);
        assert_eq!(
            [30, 29, 20, 15, 9].map(|at| age_s(&tide, at)),
            [Some(0), Some(6), Some(6), Some(9), None]
        );
    }

    #[test]
    fn a_primary_that_is_silent_adds_nothing() {
        let tide = tide(&[(10, 69), (20, 66), (30, 63)]);
        assert_eq!([30, 29, 15].map(|at| age_s(&tide, at)), [Some(0), Some(3), Some(6)]);
        let before = |seconds| tide.before(Duration::from_secs(seconds)).map(|Position(at)| at);
        assert_eq!([6, 4, 2].map(before), [Some(10), Some(20), Some(30)]);
    }

    #[test]
    fn only_another_primary_is_a_turn() {
        let tide = Tide::default();
        let turns = |timeline| {
            tide.connected(timeline);
            tide.turns()
        };
        assert_eq!([4, 4, 5, 5, UNKNOWN_TIMELINE, UNKNOWN_TIMELINE].map(turns), [1, 1, 2, 2, 3, 4]);
        tide.note("ours", Position(1), Instant::now());
        assert_eq!([UNKNOWN_TIMELINE, 5, 5].map(turns), [5, 6, 6]);
    }

    #[test]
    fn a_primary_that_rested_was_there_until_it_was_last_asked() {
        assert_eq!(age_s(&tide(&[(10, 9), (10, 2), (20, 1)]), 10), Some(2));
    }

    #[test]
    fn what_is_old_lies_before_where_the_primary_was_then() {
        let tide = tide(&[(10, 9), (20, 6), (30, 1)]);
        let before = |seconds| tide.before(Duration::from_secs(seconds)).map(|Position(at)| at);
        assert_eq!([12, 7, 5, 2].map(before), [Some(10), Some(20), Some(30), Some(30)]);
        // Before it is silent for certain its last word counts.
        assert_eq!(before(0), Some(30));
        assert_eq!(Tide::default().before(Duration::ZERO), None);
    }

    #[test]
    fn what_the_primary_says_after_a_moment_is_told_apart() {
        let tide = tide(&[(10, 9), (20, 6)]);
        let ago = |seconds| {
            Instant::now().checked_sub(Duration::from_secs(seconds)).expect("the machine runs for longer")
        };
        assert_eq!(tide.after(ago(7)), Some(Position(20)));
        assert_eq!(tide.after(ago(5)), None);
    }

    #[test]
    fn a_primary_that_was_promoted_starts_where_it_stands() {
        let tide = tide(&[(10, 9), (30, 6), (20, 1)]);
        assert_eq!([20, 10].map(|at| age_s(&tide, at)), [Some(0), Some(9)]);
    }

    #[test]
    fn nothing_is_known_of_another_cluster() {
        let tide = tide(&[(10, 9)]);
        assert!(tide.is_of("ours") && !tide.is_of("theirs"));
        tide.note("theirs", Position(5), Instant::now());
        assert!(tide.is_of("theirs"));
        assert_eq!(age_s(&tide, 4), None);
    }

    #[test]
    fn before_the_primary_was_seen_nothing_is_known() {
        assert_eq!(age_s(&Tide::default(), 10), None);
    }
}
