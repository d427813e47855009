//! When each request is due: at a rate of its own that waits for nobody, or as soon as there is room.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// More than are ever under way at half of the peak; as many as a closed loop has at rate 0.
const CONNECTIONS: usize = 256;
const CLOSED: usize = 64;

pub struct Pace {
    next: AtomicU64,
    began: Instant,
    until: Instant,
    /// Between two requests.
    pause: Option<Duration>,
}

impl Pace {
    /// From now on for `time`, `rate` a second; 0 is as fast as answers come.
    pub fn new(time: Duration, rate: f64) -> Self {
        let began = Instant::now();
        let pause = (rate > 0.0).then(|| Duration::from_secs_f64(1.0 / rate));
        Self { next: AtomicU64::new(0), began, until: began + time, pause }
    }

    pub fn connections(&self) -> usize {
        if self.pause.is_some() { CONNECTIONS } else { CLOSED }
    }

    /// Waits for the next request; its number, and since when it was due. `None` at the end.
    pub async fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.pause {
            Some(pause) => self.began + pause.mul_f64(number as f64),
            None => Instant::now(),
        };
        if due >= self.until {
            return None;
        }
        sleep_until(due).await;
        Some((number, due))
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
