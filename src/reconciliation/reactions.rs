//! A run: our side is read, the provider is asked with no transaction open, both are compared, and what differs is kept.
//! The daily timer does it for the days since the last one.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::id::Id;
use crate::money::Money;
use crate::payments::cases::Kind;
use crate::providers::{Record, Unanswered, summed};
use crate::time::Time;

use super::compare::{Balances, Comparison, balance as balances_differ};
use super::model::{Decided, Difference, Entry, Known, Ours, Standing, Window};
use super::report::Report;
use super::{RECONCILE_DAILY, commands, queries};

const DAY: Duration = Duration::from_secs(86_400);
/// What is younger may be known to one side only.
const SETTLED_AFTER: Duration = Duration::from_secs(3_600);
/// The provider is asked about so much more before and after: both sides seldom note the same moment.
const OVERLAP: Duration = DAY;
/// Open differences are looked at again for so long, whatever the window.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(35 * 86_400);
/// Those that are older than this only once a week: what the provider has to list does not grow by a case that stays open.
const EACH_NIGHT: Duration = Duration::from_secs(7 * 86_400);
/// The day is over everywhere, and not many people are awake.
const DAILY_AT: Duration = Duration::from_secs(3 * 3_600);
/// A run that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// A day's records may take many pages.
const PATIENCE: Duration = Duration::from_secs(600);
/// Balances move while they are read: a riddle is looked at again before it is one.
const LOOKS: usize = 3;

/// Compares a window and keeps what differs.
pub async fn run(app: &App, window: Window) -> Result<Report> {
    let id = app.db().write(move |tx| commands::begin(tx, &window)).await?;
    let (report, gone) = match look(app, window).await {
        Ok(found) => found,
        Err(error) => {
            let why = error.to_string();
            app.db().write(move |tx| commands::failed(tx, id, &why)).await?;
            return Err(error);
        }
    };
    let (found, json) = (report.differences.clone(), report.to_json());
    app.db().write(move |tx| commands::finish(tx, id, &found, &gone, &json)).await?;
    metrics::gauge!("reconciliation_differences")
        .set(u32::try_from(report.differences.len()).unwrap_or(u32::MAX));
    let now = u64::try_from(app.db().clock().now().as_micros()).unwrap_or(0);
    metrics::gauge!("reconciled_timestamp_seconds").set(Duration::from_micros(now));
    Ok(report)
}

/// The name of a difference.
type Named = (Kind, Id<()>);

/// What a look has found, and what of earlier finds is there no more.
type Look = (Report, Vec<Named>);

async fn look(app: &App, window: Window) -> Result<Look> {
    let mut found = look_once(app, window).await?;
    for _ in 1..LOOKS {
        if found.0.differences.iter().all(|found| found.kind != Kind::BalanceDiffers || found.is_summary) {
            break;
        }
        found = look_once(app, window).await?;
    }
    Ok(found)
}

async fn look_once(app: &App, window: Window) -> Result<Look> {
    let provider = app.provider();
    let name = provider.name();
    let (asked, now) = app.db().read_long(move |tx| reach(tx, &window, name)).await?;
    let theirs = in_time(provider.records(asked.from, asked.to)).await?;
    let their_balance = match window.to.plus(OVERLAP) >= now {
        true => Some(in_time(provider.balance()).await?),
        false => None,
    };
    let records = theirs.clone();
    let (ours, known, held) =
        app.db().read_long(move |tx| our_side(tx, &window, asked, name, &records)).await?;
    let found = Comparison::of(&ours, &theirs);
    let again: Vec<Named> = found.differences.iter().map(name_of).collect();
    let left = left_of(&found.differences, &known);
    let differences = undecided(found.differences, &known);
    let balance = their_balance.map(|theirs| (held, theirs));
    let mut reported: Vec<Difference> =
        differences.iter().filter(|found| window.contains(found.at)).cloned().collect();
    if let Some((ours, theirs)) = &balance {
        let sides = Balances {
            ours,
            theirs,
            under_way: &found.under_way,
            accepted: &effects_of(&known, &again, &asked),
        };
        reported.extend(undecided(balances_differ(&sides, &differences, now), &known));
    }
    let gone = known
        .iter()
        .filter(|case| case.decided.is_none() && !again.contains(&(case.kind, case.subject)))
        .filter(|case| match case.kind {
            Kind::BalanceDiffers => {
                balance.is_some() && !reported.iter().any(|found| found.subject == case.subject)
            }
            // Told by a notice too, which no later record repeats: somebody decides it.
            Kind::PayoutFailed => false,
            _ => asked.contains(case.at),
        })
        .map(|case| (case.kind, case.subject))
        .collect();
    let days = Report::days_of(found.days);
    Ok((Report { window, provider: name, days, balance, differences: reported, left }, gone))
}

async fn in_time<T>(answering: impl Future<Output = Result<T, Unanswered>>) -> Result<T> {
    let late = |_| Error::broken("the payment provider did not list everything within ten minutes");
    Ok(tokio::time::timeout(PATIENCE, answering).await.map_err(late)??)
}

/// The time that the provider has to be asked about: the window and some more, back to when what was booked in it was first
/// asked for, and to what is still open.
fn reach(tx: &Tx, window: &Window, provider: &str) -> Result<(Window, Time)> {
    let now = tx.now();
    let mut from = window.from.minus(OVERLAP);
    for order in queries::moved(tx, &around(window))? {
        let entries = queries::books(tx, order, provider)?.map(|books| books.entries).unwrap_or_default();
        let was_booked = |entry: &&Entry| entry.standing == Standing::Booked && window.contains(entry.at);
        from = entries.iter().filter(was_booked).map(|entry| entry.since).fold(from, Ord::min);
    }
    let old = now.minus(if is_weekly(window.to) { LOOKED_AT_AGAIN } else { EACH_NIGHT });
    let open = queries::known(tx)?.into_iter().filter(|known| known.decided.is_none() && known.at >= old);
    let from = open.map(|known| known.at).fold(from, Ord::min);
    let to = window.to.plus(OVERLAP);
    // The last seconds too: what has moved up to now is in the balance.
    Ok((Window { from, to: if to >= now { now.plus(Duration::from_secs(60)) } else { to } }, now))
}

/// Whether the window ends on the one day of the week.
fn is_weekly(to: Time) -> bool {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    to.as_micros().div_euclid(day).rem_euclid(7) == 4
}

fn around(window: &Window) -> Window {
    Window { from: window.from.minus(OVERLAP), to: window.to.plus(OVERLAP) }
}

/// Our books of every order that moved or that a record names, what is known already, and what the provider should hold.
fn our_side(
    tx: &Tx,
    window: &Window,
    asked: Window,
    provider: &str,
    theirs: &[Record],
) -> Result<(Ours, Vec<Known>, Vec<Money>)> {
    let mut ids = queries::moved(tx, &asked)?;
    for record in theirs {
        ids.extend(queries::order_of(tx, record)?);
    }
    let mut orders = Vec::new();
    for id in ids {
        orders.extend(queries::books(tx, id, provider)?);
    }
    let ours = Ours { orders, window: *window, asked, settled_before: tx.now().minus(SETTLED_AFTER) };
    Ok((ours, queries::known(tx)?, queries::held(tx, provider)?))
}

fn name_of(found: &Difference) -> Named {
    (found.kind, found.subject)
}

/// Those that were decided without a journal: both sides go on differing by them.
fn left_of(found: &[Difference], known: &[Known]) -> Vec<Difference> {
    let is_left = |found: &&Difference| {
        known.iter().any(|case| {
            (case.kind, case.subject) == name_of(found) && matches!(case.decided, Some(Decided::Accepted))
        })
    };
    found.iter().filter(is_left).cloned().collect()
}

/// Without those that were booked or accepted.
fn undecided(found: Vec<Difference>, known: &[Known]) -> Vec<Difference> {
    let decided = |found: &Difference| {
        known.iter().any(|case| {
            (case.kind, case.subject) == name_of(found)
                && matches!(case.decided, Some(Decided::Booked | Decided::Accepted))
        })
    };
    found.into_iter().filter(|found| !decided(found)).collect()
}

/// What the balances differ by for reasons that were accepted, or that are open and older than the provider was asked about.
fn effects_of(known: &[Known], again: &[Named], asked: &Window) -> Vec<Money> {
    let counts = |case: &&Known| {
        let again = again.contains(&(case.kind, case.subject));
        let is_older = !asked.contains(case.at);
        match case.decided {
            Some(Decided::Booked | Decided::Gone) => false,
            Some(Decided::Accepted) => case.kind == Kind::BalanceDiffers || again || is_older,
            None => case.kind != Kind::BalanceDiffers && !again && is_older,
        }
    };
    summed(known.iter().filter(counts).flat_map(|case| case.effect.iter().copied()))
}

/// Lets the daily run be due at its hour.
pub fn start(tx: &Tx) -> Result<()> {
    events::schedule(tx, RECONCILE_DAILY, nobody(), next_hour(tx.now()))
}

/// The timer without a subject.
fn nobody() -> Id<()> {
    Id::from_uuid(uuid::Uuid::nil())
}

fn midnight(at: Time) -> Time {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    Time::from_micros(at.as_micros().div_euclid(day) * day)
}

fn next_hour(now: Time) -> Time {
    let today = midnight(now).plus(DAILY_AT);
    if today > now { today } else { today.plus(DAY) }
}

/// The days since the first that no run has compared, yesterday at least.
fn days_since(tx: &Tx) -> Result<Window> {
    let to = midnight(tx.now());
    let (yesterday, oldest) = (to.minus(DAY), to.minus(LOOKED_AT_AGAIN));
    let compared = compared_until(&queries::windows(tx)?, oldest).map_or(yesterday, midnight);
    Ok(Window { from: compared.min(yesterday).max(oldest), to })
}

/// Up to when everything since `oldest` was compared without a gap; `windows` in their order. `None` before the first run:
/// what was before it is nobody's gap.
fn compared_until(windows: &[Window], oldest: Time) -> Option<Time> {
    let mut until = windows.first()?.from.max(oldest);
    for window in windows {
        if window.from <= until {
            until = until.max(window.to);
        }
    }
    Some(until)
}

/// What the timer does: it is set for tomorrow first, and the run goes on by itself, for it may take long.
pub fn daily(app: App, _: Id<()>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        let window = app
            .db()
            .write(|tx| {
                start(tx)?;
                days_since(tx)
            })
            .await?;
        tokio::spawn(async move {
            match run(&app, window).await {
                Ok(report) if report.differences.is_empty() => {}
                Ok(report) => {
                    tracing::error!(
                        differences = report.differences.len(),
                        "the payment provider's books differ from ours"
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "the books could not be compared with the payment provider's: tried again");
                    let again =
                        |tx: &Tx| events::schedule(tx, RECONCILE_DAILY, nobody(), tx.now().plus(AGAIN_AFTER));
                    if let Err(error) = app.db().write(again).await {
                        tracing::warn!(%error, "it could not be set either: it is tried tomorrow");
                    }
                }
            }
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_is_always_to_come() {
        let at = |text| Time::parse(text).expect("a moment");
        assert_eq!(next_hour(at("2026-10-05T02:59:59Z")), at("2026-10-05T03:00:00Z"));
        assert_eq!(next_hour(at("2026-10-05T03:00:00Z")), at("2026-10-06T03:00:00Z"));
        assert_eq!(midnight(at("2026-10-05T03:00:00Z")), at("2026-10-05T00:00:00Z"));
    }

    #[test]
    fn a_run_by_hand_does_not_hide_the_days_that_none_compared() {
        let at = |day: i64| Time::from_micros(day * 86_400_000_000);
        let window = |from, to| Window { from: at(from), to: at(to) };
        assert_eq!(compared_until(&[], at(0)), None);
        assert_eq!(compared_until(&[window(10, 11), window(11, 12)], at(0)), Some(at(12)));
        let with_gap = [window(10, 11), window(15, 17)];
        assert_eq!(compared_until(&with_gap, at(0)), Some(at(11)), "four days are missing");
        assert_eq!(compared_until(&[window(2, 40), with_gap[0], with_gap[1]], at(0)), Some(at(40)));
        assert_eq!(compared_until(&[window(1, 2), window(40, 41)], at(20)), Some(at(20)));
    }

    #[test]
    fn what_is_old_is_looked_at_once_a_week() {
        let day = |day: i64| Time::from_micros(day * 86_400_000_000);
        assert_eq!((100..107).filter(|at| is_weekly(day(*at))).count(), 1);
    }
}
