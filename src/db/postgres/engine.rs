//! The threads: a connection each, a bounded queue of reads and one of writes before them, a deadline on everything that a
//! request waits for.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvError, Sender, TrySendError, bounded, select};
use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::conn::{Conn, moment};
use super::glance::{Glance, Glances};
use super::health::Health;
use super::line::Line;
use super::migrate;
use super::question::Question;
use super::replicas::{Replica, Replicas};
use super::server::{Purpose, Server};
use super::transaction::{LOOKING, read_in, write_in};
use crate::db::fresh::{Freshness, Position};
use crate::db::{self, Fault, PATIENCE, Shared, Tx, catching};
use crate::error::{Error, Result};
use crate::time::Time;

/// Jobs that may wait of each kind, so that a crowd of readers refuses no write; the next one is refused with 503.
const QUEUE: usize = 4_096;
/// From the moment that a request asks until it is told that the database does not answer.
pub(in crate::db) const DEADLINE: Duration = Duration::from_millis(2_000);

/// What a thread with a connection is to do.
pub(super) type Job = Box<dyn FnOnce(&Line, &Shared) + Send>;

pub(in crate::db) struct Engine {
    server: Arc<Server>,
    reads: Sender<Job>,
    writes: Sender<Job>,
    glances: Glances,
    health: Arc<Health>,
    /// Set once they may answer.
    replicas: OnceLock<Replicas>,
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
                work_through(line_server, &shared, waiting, next);
            })?;
        }
        let health = Arc::<Health>::default();
        let (looking, stop) = bounded(0);
        let (of_server, told) = (Arc::clone(&server), Arc::clone(&health));
        spawn("db-look", move || told.watch(of_server, &stop))?;
        let glances = Glances::new(Arc::clone(&server), shared_by_glances, Some(Arc::clone(&health)));
        Ok(Self { server, reads, writes, glances, health, replicas: OnceLock::new(), _looking: looking })
    }

    /// Lets replicas answer, where there are any.
    pub fn use_replicas(&self, shared: &Arc<Shared>) -> Result<()> {
        let replicas = Replicas::start(&self.server, &self.health, shared)?;
        self.replicas.set(replicas).map_err(|_| Error::broken("replicas answer already"))
    }

    /// One that may answer, and how far it has to have come.
    fn replica(&self, fresh: Freshness) -> Option<(&Replica, Position)> {
        self.replicas.get()?.one(fresh)
    }

    pub async fn read<T, F>(&self, fresh: Freshness, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        let Some((replica, needed)) = self.replica(fresh) else { return self.read_present(work).await };
        let (began, until) = patience();
        let work = Arc::new(work);
        let told = replica.read(Arc::clone(&work), needed, until).await;
        waited(began);
        match told {
            Some(value) => Ok(value),
            None => self.read_present(move |tx| work(tx)).await,
        }
    }

    async fn read_present<T, F>(&self, work: F) -> Result<T>
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
    pub async fn glance<T, F>(&self, shared: &Shared, fresh: Freshness, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        if !self.glances.are_possible() {
            return self.read(fresh, work).await;
        }
        let (began, until) = patience();
        let twice = Twice { shared, now: shared.clock.now(), work: &work };
        let question = match twice.hear() {
            Ok(question) => question,
            Err(outcome) => return outcome,
        };
        if let Some((replica, needed)) = self.replica(fresh)
            && let Some(rows) = replica.glance(&question, needed, until).await
            && let Some(Ok(value)) = twice.answer(question.text.clone(), rows)
        {
            waited(began);
            return Ok(value);
        }
        let rows = self.glances.ask(&question, until).await;
        waited(began);
        match twice.answer(question.text, rows?) {
            Some(outcome) => outcome,
            None => self.read_present(work).await,
        }
    }

    /// The same of the primary, and how fresh an answer is in which all that was committed before can be seen.
    pub async fn glance_with_freshness<T, F>(&self, shared: &Shared, work: F) -> Result<(T, Freshness)>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        let has_replicas = self.replicas.get().is_some_and(|replicas| !replicas.is_empty());
        if !has_replicas || !self.glances.are_possible() {
            return Ok((self.glance(shared, Freshness::Present, work).await?, Freshness::Present));
        }
        let (began, until) = patience();
        let twice = Twice { shared, now: shared.clock.now(), work: &work };
        let question = match twice.hear() {
            Ok(question) => question,
            Err(outcome) => return outcome.map(|value| (value, Freshness::Present)),
        };
        let told = self.glances.ask_with_position(&question, until).await;
        waited(began);
        let (rows, position) = told?;
        let fresh = position.map_or(Freshness::Present, Freshness::Since);
        match twice.answer(question.text, rows) {
            Some(outcome) => Ok((outcome?, fresh)),
            None => Ok((self.read_present(work).await?, fresh)),
        }
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

/// The work of a glance, which runs twice.
struct Twice<'g, F> {
    shared: &'g Shared,
    now: Time,
    work: &'g F,
}

impl<T, F: Fn(&Tx) -> Result<T>> Twice<'_, F> {
    /// What it asks; an error is its outcome, where it asks nothing.
    fn hear(&self) -> Result<Question, Result<T>> {
        let glance = Glance::default();
        let outcome = self.run(&glance);
        glance.question().ok_or(outcome)
    }

    /// What it makes of the answer; `None` if it asks more, which a glance does not.
    fn answer(&self, asked: String, rows: Vec<Row>) -> Option<Result<T>> {
        let glance = Glance::answered(asked, rows);
        let outcome = self.run(&glance);
        let asked_more = glance.asked_more();
        debug_assert!(!asked_more, "a glance asks one statement");
        (!asked_more).then_some(outcome)
    }

    fn run(&self, glance: &Glance) -> Result<T> {
        let tx = Tx::new(db::Conn::Postgres(Conn::glance(glance)), self.shared, Some(self.now));
        catching(|| (self.work)(&tx))
    }
}

/// Does one job after the other on a connection of its own, and ends the last transaction while none waits.
pub(super) fn work_through(
    server: Arc<Server>,
    shared: &Shared,
    waiting: impl Fn() -> Option<Job>,
    next: impl Fn() -> Result<Job, RecvError>,
) {
    let Ok(line) = Line::new(server, Purpose::Request) else { return };
    loop {
        let job = waiting().map_or_else(
            || {
                line.pay(Instant::now() + LOOKING);
                next()
            },
            Ok,
        );
        let Ok(job) = job else { return };
        job(&line, shared);
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

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
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
