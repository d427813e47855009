//! Runs what is due. A handler inside the database acts in the transaction that takes its timer, so it acts once; one that
//! reaches outside holds a lease meanwhile and may act again after a crash, so it carries a key of its own.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinSet;

use super::timers::{LOOKS_EVERY, Timer, due, next_due};
use crate::app::App;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::id::Id;

/// How long an outside handler may take before another process tries; if its process is found dead, that is sooner.
const LEASE: Duration = Duration::from_secs(60);
/// Looked at in one go.
const BATCH: i64 = 64;
/// What is due and cannot be taken, because the disk is full for instance, is not tried without end.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// How far apart several processes come to one timer, in milliseconds.
const SPREAD_MS: u32 = 100;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

type Outside = fn(App, Id<()>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What happens when a timer fires.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Acts in the transaction that takes the timer.
    Inside(fn(&Tx, Id<()>) -> Result<()>),
    /// Calls somebody outside, with no transaction open.
    Outside(Outside),
}

/// The handlers by the kind of their timer. Filled in `app.rs`.
#[derive(Default)]
pub struct Handlers {
    by_kind: HashMap<&'static str, Handler>,
    /// One round at a time: whoever settles waits for what the worker has already taken.
    round: tokio::sync::Mutex<()>,
}

impl Handlers {
    #[must_use]
    pub fn on(mut self, kind: &'static str, handler: Handler) -> Self {
        self.by_kind.insert(kind, handler);
        self
    }

    /// Other kinds are left alone: they are another service's, or a newer version's, to run where it is served.
    fn kinds(&self) -> Vec<&'static str> {
        self.by_kind.keys().copied().collect()
    }
}

/// Works until `stop` resolves.
pub async fn run_worker(app: App, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut failing = false;
    loop {
        let pause = match run_due(&app).await {
            Ok(0) => pause(&app).await,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "the events worker cannot look for work, and goes on trying");
                }
                failing = true;
                tokio::select! {
                    () = &mut stop => return,
                    () = tokio::time::sleep(LOOKS_EVERY) => continue,
                }
            }
        };
        if std::mem::take(&mut failing) {
            tracing::info!("the events worker finds its work again");
        }
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(pause) => {}
            () = app.db().work_is_due() => {}
        }
    }
}

/// Until the next timer. Of several processes each comes at its own moment, so that one finds the work and the others
/// find it done.
async fn pause(app: &App) -> Duration {
    let kinds = app.handlers().kinds();
    let now = app.db().clock().now();
    let next = app.db().read(move |tx| next_due(tx, &kinds)).await.ok().flatten();
    let pause = next.map_or(LOOKS_EVERY, |due| due.since(now)).clamp(SHORTEST_PAUSE, LOOKS_EVERY);
    match app.db().is_exclusive() {
        true => pause,
        false => pause + Duration::from_millis(u64::from(somewhere(SPREAD_MS))),
    }
}

/// A number below `end`, another one in each process and each time.
fn somewhere(end: u32) -> u32 {
    getrandom::u32().unwrap_or(0) % end
}

/// Runs everything that is due now and everything that this makes due, so that a test can look at the outcome.
pub async fn settle(app: &App) -> Result<usize> {
    let mut ran = 0;
    loop {
        match run_due(app).await? {
            0 => return Ok(ran),
            more => ran += more,
        }
    }
}

/// One round; how many timers fired.
async fn run_due(app: &App) -> Result<usize> {
    let _alone = app.handlers().round.lock().await;
    let kinds = app.handlers().kinds();
    let mut timers = db::with_patience(app.db().read(move |tx| due(tx, &kinds, BATCH))).await?;
    if !app.db().is_exclusive() && !timers.is_empty() {
        // Others see the same ones: whoever begins elsewhere meets them less often.
        let count = timers.len();
        timers.rotate_left(somewhere(u32::MAX) as usize % count);
    }
    let mut fired = 0;
    let mut outside = JoinSet::new();
    for timer in timers {
        match app.handlers().by_kind.get(timer.kind.as_str()).copied() {
            // A request that moves the clock has more to wait for than requests have.
            Some(Handler::Inside(act)) => {
                fired += usize::from(db::with_patience(fire_inside(app, timer, act)).await);
            }
            Some(Handler::Outside(act)) => {
                outside.spawn(fire_outside(app.clone(), timer, act));
            }
            None => {}
        }
    }
    while let Some(done) = outside.join_next().await {
        fired += usize::from(done.unwrap_or(false));
    }
    Ok(fired)
}

async fn fire_inside(app: &App, timer: Timer, act: fn(&Tx, Id<()>) -> Result<()>) -> bool {
    let taken = timer.clone();
    let outcome = app
        .db()
        .write(move |tx| {
            let mine = taken.take(tx)?;
            if mine {
                act(tx, taken.subject)?;
            }
            Ok(mine)
        })
        .await;
    match outcome {
        Ok(mine) => mine,
        Err(error) => {
            postpone(app, timer, &error.to_string()).await;
            false
        }
    }
}

async fn fire_outside(app: App, timer: Timer, act: Outside) -> bool {
    let leased = timer.clone();
    let until = app.db().clock().now().plus(LEASE);
    match app.db().write(move |tx| leased.lease(tx, until)).await {
        Ok(true) => {}
        _ => return false,
    }
    let held = Timer { due_at: until, ..timer };
    match act(app.clone(), held.subject).await {
        Ok(()) => {
            let done = held.clone();
            // Scheduled anew meanwhile, it has another time and stays.
            let _ = app.db().write(move |tx| done.take(tx)).await;
            true
        }
        Err(error) => {
            postpone(&app, held, &error.to_string()).await;
            false
        }
    }
}

/// Tries again later: after 1, 2, 4 … seconds, an hour at most. A timer that somebody else has by now is left to him.
async fn postpone(app: &App, timer: Timer, why: &str) {
    let exponent = u32::try_from(timer.attempts).unwrap_or(0).min(12);
    let wait = Duration::from_secs(1 << exponent).min(LONGEST_PAUSE);
    let moved = timer.clone();
    if let Ok(true) = app.db().write(move |tx| moved.put_off(tx, tx.now().plus(wait))).await {
        tracing::warn!(kind = timer.kind, subject = %timer.subject, why, wait_s = wait.as_secs(), "a timer is put off");
        metrics::counter!("timers_postponed_total", "kind" => timer.kind).increment(1);
    }
}
