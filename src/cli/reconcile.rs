//! `guildhall reconcile`.

use std::time::Duration;

use super::{Failure, open_beside, require_current, require_same_money, say};
use crate::config::Config;
use crate::reconciliation::{self, Window};
use crate::time::Time;

const DAY_S: i64 = 86_400;

/// A day, from its beginning, or a moment.
pub fn moment(text: &str) -> Result<Time, String> {
    let day = || Time::parse(&format!("{text}T00:00:00Z"));
    Time::parse(text)
        .or_else(day)
        .ok_or_else(|| "write a day such as 2026-10-31, or a moment such as 2026-10-31T12:00:00Z".to_owned())
}

/// Prints both sides and every difference; a failure when there is one.
pub async fn reconcile(config: Config, from: Option<Time>, to: Option<Time>) -> Result<(), Failure> {
    require_current(&config)?;
    let app = open_beside(config).await?;
    require_same_money(&app).await?;
    let now = app.db().read(|tx| Ok(tx.now())).await?;
    if let Some(later) = to.filter(|to| *to > now) {
        say(format!("{later} is to come: compared up to now."))?;
    }
    let to = to.unwrap_or(now).min(now);
    let window = Window { from: from.unwrap_or_else(|| yesterday(to)), to };
    if window.from >= window.to {
        return Err(Failure::Usage("--from must be before --to, and before now".to_owned()));
    }
    let report = reconciliation::run(&app, window).await?;
    say(report.text().trim_end())?;
    match report.differences.len() {
        0 => Ok(()),
        _ => Err(Failure::new(
            "the books differ from the payment provider's: GET /admin/reconciliation lists what waits for a decision",
        )),
    }
}

/// The beginning of the day before.
fn yesterday(to: Time) -> Time {
    let day = to.minus(Duration::from_secs(DAY_S.unsigned_abs())).as_micros() / 1_000_000;
    Time::from_micros(day.div_euclid(DAY_S) * DAY_S * 1_000_000)
}
