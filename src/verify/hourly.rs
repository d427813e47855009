//! The checks each hour, for the metrics: one process runs them, each on a snapshot of its own, beside everything else.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::id::Id;

use super::{CHECKS, Violation, run_one_by_one};

/// The timer of the checks.
pub const VERIFY_HOURLY: &str = "verify_hourly";

const HOUR: Duration = Duration::from_secs(3_600);
/// A process that starts has other things to do first.
const FIRST_AFTER: Duration = Duration::from_secs(60);

static RUNNING: AtomicBool = AtomicBool::new(false);

/// Checks that take longer than the hour are not begun a second time. However they end, the next may begin.
struct Running<'f>(&'f AtomicBool);

impl<'f> Running<'f> {
    /// `None` while others run.
    fn begin(flag: &'f AtomicBool) -> Option<Self> {
        (!flag.swap(true, Ordering::SeqCst)).then_some(Self(flag))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Sets the timer, or takes it back.
pub fn start(tx: &Tx, wanted: bool) -> Result<()> {
    match wanted {
        true => events::schedule(tx, VERIFY_HOURLY, nobody(), tx.now().plus(FIRST_AFTER)),
        false => events::cancel(tx, VERIFY_HOURLY, nobody()),
    }
}

/// The timer without a subject.
fn nobody() -> Id<()> {
    Id::from_uuid(uuid::Uuid::nil())
}

/// What the timer does: it is set for the next hour first, and the checks go on by themselves.
pub fn hourly(app: App, _: Id<()>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        let wanted = app.config().verify_hourly;
        app.db()
            .write(move |tx| match wanted {
                true => events::schedule(tx, VERIFY_HOURLY, nobody(), tx.now().plus(HOUR)),
                false => Ok(()),
            })
            .await?;
        if wanted && let Some(running) = Running::begin(&RUNNING) {
            tokio::spawn(async move {
                measure(&app).await;
                drop(running);
            });
        }
        Ok(())
    })
}

/// Runs every check and tells the metrics.
async fn measure(app: &App) {
    let found = match run_one_by_one(app.db()).await {
        Ok(found) => found,
        Err(error) => return tracing::warn!(%error, "the invariants could not be checked"),
    };
    for check in CHECKS {
        let broken = |violation: &&Violation| violation.invariant == check.invariant;
        let count = u32::try_from(found.iter().filter(broken).count()).unwrap_or(u32::MAX);
        metrics::gauge!("invariant_violations", "invariant" => check.invariant).set(count);
    }
    let now = u64::try_from(app.db().clock().now().as_micros()).unwrap_or(0);
    metrics::gauge!("invariants_checked_timestamp_seconds").set(Duration::from_micros(now));
    for violation in &found {
        tracing::error!(
            invariant = violation.invariant,
            witness = violation.witness,
            "an invariant is broken"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn checks_that_panic_do_not_keep_the_next_from_beginning() {
        static FLAG: AtomicBool = AtomicBool::new(false);
        let running = Running::begin(&FLAG).expect("nothing runs");
        assert!(Running::begin(&FLAG).is_none(), "one at a time");
        let checks = tokio::spawn(async move {
            let _running = running;
            panic!("a check that nobody foresaw");
        });
        assert!(checks.await.is_err());
        assert!(Running::begin(&FLAG).is_some());
    }
}
