//! How a transaction is run: read and put away, or written until it is known to be there, to have failed, or to be unknown.

use std::thread;
use std::time::{Duration, Instant};

use super::conn::{Conn, Ended};
use super::fault::Outcome;
use super::line::{Around, Ask, Line};
use super::server::Begin;
use crate::db::{self, Fault, Shared, Tx, catching};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::params;

/// How much longer it may take to find out what became of a commit.
pub(super) const LOOKING: Duration = Duration::from_millis(400);
/// How often others may be faster where nobody waits.
const MOST_TRIES: u32 = 100;

/// Runs `work` on a snapshot and hands its outcome to `answer` before the transaction is put away.
pub(super) fn read_in<T>(
    line: &Line,
    shared: &Shared,
    until: Option<Instant>,
    work: impl FnOnce(&Tx) -> Result<T>,
    answer: impl FnOnce(Result<T>),
) {
    if is_past(until) {
        return answer(Err(Fault::Overloaded.into()));
    }
    let tx = Tx::new(
        db::Conn::Postgres(Conn::lazy(line, line.begin(Begin::Read), until)),
        shared,
        Some(shared.clock.now()),
    );
    let outcome = catching(|| work(&tx));
    let conn = postgres(&tx);
    let cut = matches!(conn.ended(), Some(Ended::Cut(_)));
    answer(outcome);
    if cut {
        line.close();
    } else if conn.is_begun() {
        line.owe_rollback();
    }
}

/// Runs `work` in a transaction, again when others were faster or the connection was lost before the commit.
pub(super) fn write_in<T>(
    line: &Line,
    shared: &Shared,
    until: Option<Instant>,
    work: &impl Fn(&Tx) -> Result<T>,
) -> Result<T> {
    let (mut tries, mut overtaken) = (0_u32, 0_u32);
    loop {
        if is_past(until) && tries == 0 {
            return Err(Fault::Overloaded.into());
        }
        tries += 1;
        // The server's predicate locks hold whole pages of an index, and the newest rows lie side by side in them: a few
        // writes at once can overtake each other for ever. So whoever was overtaken thrice has the database to itself once:
        // all others wait for it meanwhile. A crowd that comes back after an outage has no need of it.
        let begin = if overtaken % 4 == 3 { Begin::Alone } else { Begin::Write };
        let again = match once(line, shared, begin, until, work) {
            Once::Done(outcome) => return outcome,
            Once::Again(fault) => fault,
            Once::Unknown(id, value) => match find_out(line, id, until) {
                Some(true) => {
                    // What it left is not known any more: looking once too often does no harm.
                    shared.due.notify_one();
                    return Ok(value);
                }
                Some(false) => Fault::Busy,
                None => {
                    metrics::counter!("db_unknown_commits_total").increment(1);
                    return Err(Fault::Unknown.into());
                }
            },
        };
        let pause = pause(tries);
        let over = until.map_or(tries >= MOST_TRIES, |until| Instant::now() + pause >= until);
        if over {
            return Err(again.into());
        }
        overtaken += u32::from(matches!(again, Fault::Busy));
        metrics::counter!("db_reruns_total").increment(1);
        thread::sleep(pause);
    }
}

/// How one try to run a transaction ended.
enum Once<T> {
    Done(Result<T>),
    /// Nothing was done, and another try may succeed.
    Again(Fault),
    /// The commit was sent, and no answer came.
    Unknown(Id<Commit>, T),
}

/// The row that a transaction leaves behind, so that its commit can be looked up.
pub(super) struct Commit;

fn once<T>(
    line: &Line,
    shared: &Shared,
    begin: Begin,
    until: Option<Instant>,
    work: &impl Fn(&Tx) -> Result<T>,
) -> Once<T> {
    let conn = Conn::timed(line, line.begin(begin), &shared.clock, until);
    let tx = Tx::new(db::Conn::Postgres(conn), shared, None);
    let outcome = catching(|| work(&tx));
    let ended = postgres(&tx).ended();
    let value = match (ended, outcome) {
        (None, Ok(value)) => value,
        (Some(Ended::Cut(why)), _) => {
            line.close();
            return Once::Again(Fault::Away(why));
        }
        (Some(Ended::Overtaken), _) => {
            put_away(line);
            return Once::Again(Fault::Busy);
        }
        (_, Err(error)) => {
            put_away(line);
            return Once::Done(Err(error));
        }
        (Some(Ended::Failed), Ok(_)) => {
            put_away(line);
            return Once::Done(Err(Error::broken("a statement failed and its transaction went on")));
        }
    };
    // Nothing was asked.
    if !postgres(&tx).is_begun() {
        return Once::Done(Ok(value));
    }
    if line.is_outdated() {
        line.close();
        return Once::Again(Fault::Away("another primary was promoted meanwhile".to_owned()));
    }
    let (id, now): (Id<Commit>, _) = (tx.new_id(), tx.now());
    match line.run(
        "insert into commits (id, at, done) values ($1, $2, true)",
        params![id, now],
        Ask::Changed,
        Around::Commit,
        until,
    ) {
        // It may be missing where everybody goes on.
        Ok(_) if line.is_outdated() => {
            line.close();
            Once::Unknown(id, value)
        }
        Ok(_) => {
            if tx.left_work.get() {
                shared.due.notify_one();
            }
            Once::Done(Ok(value))
        }
        Err(Outcome::Rerun | Outcome::Behind) => {
            put_away(line);
            Once::Again(Fault::Busy)
        }
        Err(Outcome::Refused(fault)) => {
            put_away(line);
            Once::Done(Err(fault.into()))
        }
        Err(Outcome::Lost(why)) => {
            tracing::warn!(why, "the answer to a commit was lost: looking it up");
            line.close();
            Once::Unknown(id, value)
        }
    }
}

/// Whether the transaction that leaves the row `id` was committed. Whoever asks puts down the opposite where there is no
/// such row, and waits for a transaction that may still write it: so the answer stays true. A row that is there is written
/// again, because a server that was just started shows commits that no standby has: this one waits for the standby.
fn find_out(line: &Line, id: Id<Commit>, until: Option<Instant>) -> Option<bool> {
    let until =
        until.map_or_else(|| Instant::now() + 20 * LOOKING, |until| until.max(Instant::now()) + LOOKING);
    while Instant::now() < until {
        let asked = line.open(Some(until)).and_then(|_| ask_for(line, id, until));
        match asked {
            Ok(done) => return Some(done),
            Err(_) => line.close(),
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

fn ask_for(line: &Line, id: Id<Commit>, until: Instant) -> Result<bool, Outcome> {
    let id = id.to_string();
    let text = format!(
        "insert into commits (id, at, done) values ('{id}', clock_timestamp(), false)
         on conflict (id) do update set at = excluded.at returning done"
    );
    Ok(line.simple(&text, Some(until))?.as_deref() == Some("t"))
}

fn put_away(line: &Line) {
    line.owe_rollback();
    line.pay(Instant::now() + LOOKING);
}

fn postgres<'t>(tx: &'t Tx) -> &'t Conn<'t> {
    match &tx.conn {
        db::Conn::Postgres(conn) => conn,
        db::Conn::Sqlite(_) => unreachable!("this engine opened it"),
    }
}

fn is_past(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

/// Longer with every try, and never the same for two.
fn pause(tries: u32) -> Duration {
    let most_us = 2_000_u32 << tries.min(6);
    Duration::from_micros(u64::from(getrandom::u32().unwrap_or(most_us) % most_us))
}
