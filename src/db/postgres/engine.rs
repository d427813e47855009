//! The threads: a connection each, a bounded queue of reads and one of writes before them, a deadline on everything that a
//! request waits for.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvError, Sender, TrySendError, bounded, select};
use tokio::sync::oneshot;

use super::conn::{Conn, Ended, moment};
use super::fault::Outcome;
use super::glance::{Glance, Glances};
use super::health::Health;
use super::line::{Around, Ask, Line};
use super::migrate;
use super::server::{Begin, Purpose, Server};
use crate::db::{self, Fault, PATIENCE, Shared, Tx, catching};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::params;

/// Jobs that may wait of each kind, so that a crowd of readers refuses no write; the next one is refused with 503.
const QUEUE: usize = 4_096;
/// From the moment that a request asks until it is told that the database does not answer.
pub(in crate::db) const DEADLINE: Duration = Duration::from_millis(2_000);
/// How much longer it may take to find out what became of a commit.
const LOOKING: Duration = Duration::from_millis(400);
/// How often others may be faster where nobody waits.
const MOST_TRIES: u32 = 100;
type Job = Box<dyn FnOnce(&Line, &Shared) + Send>;

pub(in crate::db) struct Engine {
    server: Arc<Server>,
    reads: Sender<Job>,
    writes: Sender<Job>,
    glances: Glances,
    health: Arc<Health>,
    /// The thread that looks ends when this is dropped.
    _looking: Sender<()>,
}

impl Engine {
    /// Looks whether the server can be trusted with data, and starts the threads; they connect when they are needed.
    pub fn open(server: &Server, shared: Arc<Shared>) -> Result<Self> {
        let server = Arc::new(server.clone());
        on_a_thread("db-check", Arc::clone(&server), Purpose::Request, |line| {
            line.server().require_safe(line)?;
            set_the_clock(line, &shared)
        })?;
        let (reads, read_queue) = bounded::<Job>(QUEUE);
        let (writes, write_queue) = bounded::<Job>(QUEUE);
        let shared_by_glances = server.for_glances();
        for number in 0..server.connections - shared_by_glances {
            let line_server = Arc::clone(&server);
            let (reads, writes) = (read_queue.clone(), write_queue.clone());
            let shared = Arc::clone(&shared);
            // Reads never hold all of them: a write that applies a payment's outcome must not wait behind a crowd. Nor do
            // writes: those that wait for a lock keep no reader waiting.
            let kept = if server.connections > 1 { number % 4 } else { 2 };
            spawn("db-line", move || {
                let Ok(line) = Line::new(line_server, Purpose::Request) else { return };
                let waiting = || match kept {
                    0 => writes.try_recv().ok(),
                    1 => reads.try_recv().ok(),
                    _ => waiting(&reads, &writes),
                };
                let next = || match kept {
                    0 => writes.recv(),
                    1 => reads.recv(),
                    _ => either(&reads, &writes),
                };
                loop {
                    let job = waiting().map_or_else(
                        || {
                            line.pay(Instant::now() + LOOKING);
                            next()
                        },
                        Ok,
                    );
                    let Ok(job) = job else { return };
                    job(&line, &shared);
                }
            })?;
        }
        let health = Arc::<Health>::default();
        let (looking, stop) = bounded(0);
        let (of_server, told) = (Arc::clone(&server), Arc::clone(&health));
        spawn("db-look", move || told.watch(of_server, &stop))?;
        let glances = Glances::new(Arc::clone(&server), shared_by_glances);
        Ok(Self { server, reads, writes, glances, health, _looking: looking })
    }

    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        let (began, until) = patience();
        let (reply, answer) = oneshot::channel();
        send(
            &self.reads,
            Box::new(move |line, shared| {
                // The caller has gone away: its answer is not needed.
                if reply.is_closed() {
                    return;
                }
                let mut reply = Some(reply);
                read_in(line, shared, Some(until), work, |outcome| {
                    if let Some(reply) = reply.take() {
                        let _ = reply.send(outcome);
                    }
                });
            }),
        )?;
        let outcome = answer.await;
        waited(began);
        outcome.map_err(|_| Error::broken("a database thread went away"))?
    }

    /// Runs `work`, which asks one statement, twice: to hear it, and with its answer.
    pub async fn glance<T, F>(&self, shared: &Shared, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        if !self.glances.are_possible() {
            return self.read(work).await;
        }
        let (began, until) = patience();
        let now = shared.clock.now();
        let run = |glance: &Glance| {
            let tx = Tx::new(db::Conn::Postgres(Conn::glance(glance)), shared, Some(now));
            catching(|| work(&tx))
        };
        let question = {
            let glance = Glance::default();
            let outcome = run(&glance);
            match glance.question() {
                Some(question) => question,
                None => return outcome,
            }
        };
        let rows = self.glances.ask(&question, until).await;
        waited(began);
        let (outcome, asked_more) = {
            let glance = Glance::answered(question, rows?);
            (run(&glance), glance.asked_more())
        };
        if asked_more {
            debug_assert!(false, "a glance asks one statement");
            return self.read(work).await;
        }
        outcome
    }

    /// A read without a deadline, on a thread and a connection of its own.
    pub async fn read_long<T, F>(&self, shared: Arc<Shared>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx) -> Result<T> + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        aside(move || {
            let line = Line::new(server, Purpose::Long)?;
            let mut answer = None;
            read_in(&line, &shared, None, work, |outcome| answer = Some(outcome));
            answer.unwrap_or_else(|| Err(Error::broken("a read gave no answer")))
        })
        .await
    }

    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        let (began, until) = patience();
        let (reply, answer) = oneshot::channel();
        send(
            &self.writes,
            Box::new(move |line, shared| {
                let _ = reply.send(write_in(line, shared, Some(until), &work));
            }),
        )?;
        let outcome = answer.await;
        waited(began);
        outcome.map_err(|_| Error::broken("a database thread went away"))?
    }

    /// A write without a deadline, on a thread and a connection of its own.
    pub async fn write_long<T, F>(&self, shared: Arc<Shared>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        aside(move || write_in(&Line::new(server, Purpose::Long)?, &shared, None, &work)).await
    }

    pub async fn migrate(&self) -> Result<Vec<&'static str>> {
        let server = Arc::clone(&self.server);
        aside(move || migrate::run(&Line::new(server, Purpose::Long)?)).await
    }

    /// What was last heard of the server.
    pub fn check(&self) -> Result<()> {
        self.health.check()
    }

    pub fn outages(&self) -> u64 {
        self.health.outages()
    }
}

/// Now, and how long it may take: all that a request asks for shares one deadline.
fn patience() -> (Instant, Instant) {
    let now = Instant::now();
    (now, now + PATIENCE.try_with(Cell::get).unwrap_or(DEADLINE))
}

fn waited(since: Instant) {
    let _ = PATIENCE.try_with(|left| left.set(left.get().saturating_sub(since.elapsed())));
}

/// Whatever is there.
fn waiting(reads: &Receiver<Job>, writes: &Receiver<Job>) -> Option<Job> {
    select! {
        recv(reads) -> job => job.ok(),
        recv(writes) -> job => job.ok(),
        default => None,
    }
}

/// Whatever comes first; where both kinds wait, either.
fn either(reads: &Receiver<Job>, writes: &Receiver<Job>) -> Result<Job, RecvError> {
    select! {
        recv(reads) -> job => job,
        recv(writes) -> job => job,
    }
}

fn send(queue: &Sender<Job>, job: Job) -> Result<()> {
    queue.try_send(job).map_err(|error| match error {
        TrySendError::Full(_) => Fault::Overloaded.into(),
        TrySendError::Disconnected(_) => Error::broken("the database threads have ended"),
    })
}

/// Runs `work` with a connection on a thread of its own and waits for it: for what must be known before anything starts.
pub(super) fn on_a_thread<T: Send>(
    name: &str,
    server: Arc<Server>,
    purpose: Purpose,
    work: impl FnOnce(&Line) -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let run = || {
            let line = Line::new(server, purpose)?;
            line.open(None)?;
            work(&line)
        };
        let ran = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, run)?;
        ran.join().map_err(|_| Error::broken("a database thread panicked"))?
    })
}

/// Runs `work` on a new thread while the caller is free.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    spawn("db-long", move || {
        let _ = reply.send(work());
    })?;
    answer.await.map_err(|_| Error::broken("a database thread went away"))?
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(())
}

/// Every node tells the time by the server's clock, so that theirs need not agree.
fn set_the_clock(line: &Line, shared: &Shared) -> Result<()> {
    let until = Some(Instant::now() + DEADLINE);
    let told =
        line.simple("select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)", until)?;
    shared.clock.follow(moment(told)?);
    Ok(())
}

/// Runs `work` on a snapshot and hands its outcome to `answer` before the transaction is put away.
fn read_in<T>(
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
fn write_in<T>(
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
    let (id, now): (Id<Commit>, _) = (tx.new_id(), tx.now());
    match line.run(
        "insert into commits (id, at, done) values ($1, $2, true)",
        params![id, now],
        Ask::Changed,
        Around::Commit,
        until,
    ) {
        Ok(_) => {
            if tx.left_work.get() {
                shared.due.notify_one();
            }
            Once::Done(Ok(value))
        }
        Err(Outcome::Rerun) => {
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
        let asked = line.open(Some(until)).and_then(|()| ask_for(line, id, until));
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
