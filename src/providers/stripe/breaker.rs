//! Spares a provider that is down, and our callers the wait for it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures in a row …
const TOLERATED: u32 = 5;
/// … and nothing is sent for so long.
const PAUSE: Duration = Duration::from_secs(30);

/// Closed while answers come; open for a while after several in a row did not.
#[derive(Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// How long nothing is to be sent yet.
    pub fn open_for(&self, now: Instant) -> Option<Duration> {
        let until = self.state().open_until?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    pub fn answered(&self) {
        *self.state() = State::default();
    }

    pub fn failed(&self, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= TOLERATED {
            state.open_until = Some(now + PAUSE);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_five_failures_in_a_row_and_tries_again_after_the_pause() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..4 {
            breaker.failed(now);
        }
        breaker.answered();
        for _ in 0..4 {
            breaker.failed(now);
        }
        assert_eq!(breaker.open_for(now), None);
        breaker.failed(now);
        assert_eq!(breaker.open_for(now), Some(PAUSE));
        assert_eq!(breaker.open_for(now + PAUSE), None);
        breaker.failed(now + PAUSE);
        assert_eq!(breaker.open_for(now + PAUSE), Some(PAUSE));
        breaker.answered();
        assert_eq!(breaker.open_for(now + PAUSE), None);
    }
}
