//! Servers that follow the primary and answer reads which may be a moment old. Whatever one of them cannot answer well, the
//! primary is asked; one that lags, fails or is no replica any more is left alone until a look finds it in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use metrics::Counter;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::engine::{Job, on_a_thread, spawn, work_through};
use super::fault::Outcome;
use super::glance::{Glances, Need};
use super::health::{Health, LOOKS_EVERY, LOOKS_FOR};
use super::line::{self, Line};
use super::position;
use super::question::Question;
use super::server::{Purpose, Role, Server};
use super::transaction::read_in;
use super::url::ServerUrl;
use crate::db::fresh::{Freshness, Position};
use crate::db::{Fault, Shared, Tx};
use crate::error::{Error, Result};

/// What is older is not shown to anybody.
const OLDEST: Duration = Duration::from_secs(2);
/// From the moment that a replica is asked until the primary is asked instead.
const PATIENCE: Duration = Duration::from_millis(500);
/// Jobs that may wait for one; the next one goes to the primary.
const QUEUE: usize = 512;

const PROMOTED: &str = "it takes writes, so it follows no other server";
const ASTRAY: &str = "it has what the primary has not: it followed another one";
const NOT_OURS: &str = "it does not follow the server of database_url, or is another database there";

/// All of them, looked at until this is dropped.
pub(super) struct Replicas {
    each: Vec<Arc<Replica>>,
    health: Arc<Health>,
    unasked: Counter,
    _looking: Vec<Sender<()>>,
}

pub(super) struct Replica {
    name: String,
    server: Arc<Server>,
    health: Arc<Health>,
    glances: Glances,
    reads: Sender<Job>,
    /// Reads on their way.
    busy: AtomicUsize,
    standing: AtomicU8,
    /// The turn of the primary that it was compared with.
    turn: AtomicU64,
    /// How far it has certainly come, and how far it did not come in time.
    reached: AtomicI64,
    missed: AtomicI64,
    served: Counter,
    behind: Counter,
    failed: Counter,
}

/// Counts reads that one of them could have answered, by who did.
fn counted(outcome: &'static str) -> Counter {
    metrics::counter!("db_replica_reads_total", "outcome" => outcome)
}

/// How a replica stands.
const UNKNOWN: u8 = 0;
const IN_ORDER: u8 = 1;
const LEFT_ALONE: u8 = 2;

/// What was seen of one at a look.
struct Glimpse {
    at: Instant,
    position: Position,
    turn: u64,
}

/// What a replica had to say: `None` is nothing of use.
type Told<T> = Option<T>;

/// The server at `url`, as one that follows `primary`. A pooler before that one says nothing of this one.
fn following(primary: &Server, url: &ServerUrl) -> Server {
    Server {
        url: url.clone(),
        role: Role::Replica,
        pooler: false,
        replicas: Vec::new(),
        timeline: Arc::default(),
        ..primary.clone()
    }
}

/// Looks once at each replica: what it calls itself, or why it is of no use.
pub(in crate::db) fn look_at_replicas(primary: &Server) -> Vec<(String, Result<String>)> {
    let ask = |server: Server, text| {
        on_a_thread("db-look", Arc::new(server), Purpose::Request, |line| Ok(line.simple(text, None)?))
    };
    let cluster = ask(primary.clone(), position::CLUSTER);
    let look = |url: &ServerUrl| {
        let server = following(primary, url);
        let theirs = ask(server.clone(), position::CLUSTER)?;
        if cluster.as_ref().is_ok_and(|ours| *ours != theirs) {
            return Err(Error::broken(NOT_OURS));
        }
        match ask(server.clone(), position::OF_REPLICA)? {
            Some(_) => Ok(ask(server, "select current_setting('server_version')")?.unwrap_or_default()),
            None => Err(Error::broken(PROMOTED)),
        }
    };
    primary.replicas.iter().map(|url| (url.to_string(), look(url))).collect()
}

impl Replicas {
    /// Begins to look at each of the replicas of `primary`; they answer once they are found in order.
    pub fn start(primary: &Server, health: &Arc<Health>, shared: &Arc<Shared>) -> Result<Self> {
        let (mut each, mut looking) = (Vec::new(), Vec::new());
        for url in &primary.replicas {
            let replica = Arc::new(Replica::start(following(primary, url), health, shared)?);
            let (look, stop) = bounded(0);
            let looked_at = Arc::clone(&replica);
            spawn("db-look-replica", move || looked_at.watch(&stop))?;
            each.push(replica);
            looking.push(look);
        }
        Ok(Self { each, health: Arc::clone(health), unasked: counted("unasked"), _looking: looking })
    }

    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// The least busy of those that can be expected to answer.
    pub fn one(&self, freshness: Freshness) -> Option<(&Replica, Position)> {
        let needed = match freshness {
            Freshness::Present => return None,
            Freshness::Since(position) => Some(position),
            Freshness::Recent => self.health.tide().before(OLDEST),
        };
        let found = needed.and_then(|needed| {
            let able = self.each.iter().filter(|replica| replica.can_be_asked(needed));
            let idlest = able.min_by_key(|replica| replica.busy.load(Ordering::Relaxed))?;
            Some((idlest.as_ref(), needed))
        });
        if found.is_none() && !self.is_empty() {
            self.unasked.increment(1);
        }
        found
    }
}

impl Replica {
    fn start(server: Server, health: &Arc<Health>, shared: &Arc<Shared>) -> Result<Self> {
        let name = server.url.to_string();
        let server = Arc::new(server);
        let shared_by_glances = server.for_glances();
        let (reads, queue) = bounded::<Job>(QUEUE);
        for _ in 0..server.connections - shared_by_glances {
            let (server, shared, queue) = (Arc::clone(&server), Arc::clone(shared), queue.clone());
            spawn("db-replica", move || {
                work_through(server, &shared, || queue.try_recv().ok(), || queue.recv());
            })?;
        }
        Ok(Self {
            name,
            glances: Glances::new(Arc::clone(&server), shared_by_glances, None),
            server,
            health: Arc::clone(health),
            reads,
            busy: AtomicUsize::new(0),
            standing: AtomicU8::new(UNKNOWN),
            turn: AtomicU64::new(0),
            reached: AtomicI64::new(0),
            missed: AtomicI64::new(0),
            served: counted("served"),
            behind: counted("behind"),
            failed: counted("failed"),
        })
    }

    /// One that did not come far enough in time is not waited for again before it has.
    fn can_be_asked(&self, needed: Position) -> bool {
        let (reached, missed) = (self.reached.load(Ordering::Relaxed), self.missed.load(Ordering::Relaxed));
        self.standing.load(Ordering::Relaxed) == IN_ORDER
            && self.turn.load(Ordering::Relaxed) == self.health.tide().turns()
            && (reached >= missed || reached >= needed.0)
    }

    /// The rows that answer `question`.
    pub async fn glance(&self, question: &Question, needed: Position, until: Instant) -> Told<Vec<Row>> {
        let until = until.min(Instant::now() + PATIENCE);
        let _busy = Busy::one_more(&self.busy);
        let answer = self.glances.ask_once(question, Need::Since(needed), until).await;
        self.heard(needed, answer.map(|(rows, _)| rows))
    }

    /// What `work` makes of a snapshot.
    pub async fn read<T, F>(&self, work: Arc<F>, needed: Position, until: Instant) -> Told<T>
    where
        T: Send + 'static,
        F: Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    {
        let until = until.min(Instant::now() + PATIENCE);
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |line, shared| {
            if !reply.is_closed() {
                let _ = reply.send(answer_in(line, shared, work.as_ref(), needed, until));
            }
        });
        let _busy = Busy::one_more(&self.busy);
        if self.reads.try_send(job).is_err() {
            self.failed.increment(1);
            return None;
        }
        let answer = match tokio::time::timeout_at(until.into(), answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(Outcome::Lost("its thread went away".to_owned()))),
            Err(_) => Err(Outcome::Refused(Fault::TooSlow)),
        };
        self.heard(needed, answer)?
    }

    /// Learns from an answer, and lets through what is of use.
    fn heard<T>(&self, needed: Position, answer: Result<T, Outcome>) -> Told<T> {
        match answer {
            Ok(value) => {
                self.served.increment(1);
                self.reached.fetch_max(needed.0, Ordering::Relaxed);
                return Some(value);
            }
            Err(Outcome::Behind) => {
                self.behind.increment(1);
                self.missed.fetch_max(needed.0, Ordering::Relaxed);
            }
            Err(outcome) => {
                self.failed.increment(1);
                if let Outcome::Lost(why) = outcome {
                    self.judge(Err(why));
                }
            }
        }
        None
    }

    fn watch(&self, stop: &Receiver<()>) {
        let Ok(line) = Line::new(Arc::clone(&self.server), Purpose::Request) else { return };
        let (mut before, mut current_at) = (None, Instant::now());
        loop {
            // Before the primary was seen there is nothing to compare with.
            if self.health.tide().is_known() {
                let seen = self.look(&line, &mut before);
                match &seen {
                    Ok(age) => {
                        current_at = Instant::now() - *age;
                        // Behind a balancer another connection may lead to another one.
                        if *age > OLDEST {
                            line.close();
                        }
                    }
                    Err(_) => {
                        line.close();
                        self.glances.close();
                    }
                }
                // One that takes writes lags behind nobody: all servers may be named, and one of them is the primary.
                if seen.as_ref().is_err_and(|why| line::takes_writes(why)) {
                    current_at = Instant::now();
                }
                metrics::gauge!("db_replica_lag_seconds", "replica" => self.name.clone())
                    .set(current_at.elapsed());
                self.judge(seen);
            }
            if stop.recv_timeout(LOOKS_EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// How old what it shows is at most; an error says why it cannot be asked.
    fn look(&self, line: &Line, before: &mut Option<Glimpse>) -> Result<Duration, String> {
        let tide = self.health.tide();
        let turn = tide.turns();
        let until = Some(Instant::now() + LOOKS_FOR);
        let fail = |outcome: Outcome| outcome.into_fault().to_string();
        line.open(until).map_err(fail)?;
        let cluster = line.simple(position::CLUSTER, until).map_err(fail)?.unwrap_or_default();
        let told = line.simple(position::OF_REPLICA, until).map_err(fail)?;
        let Some(position) = position::parse(told.as_deref()) else { return Err(PROMOTED.to_owned()) };
        if !tide.is_of(&cluster) {
            return Err(NOT_OURS.to_owned());
        }
        // What a replica has, its primary had before. One that has more followed another that was not promoted.
        let last = before.replace(Glimpse { at: Instant::now(), position, turn });
        let last = last.filter(|last| last.turn == turn);
        let compared = last.and_then(|last| Some((last.position, tide.after(last.at)?)));
        match compared {
            Some((had, primary)) if had > primary => return Err(ASTRAY.to_owned()),
            Some(_) => self.turn.store(turn, Ordering::Relaxed),
            None => {}
        }
        let age = tide.age(position).ok_or_else(|| "it lags by more than is known".to_owned())?;
        self.reached.store(position.0, Ordering::Relaxed);
        if age.is_zero() {
            self.missed.store(0, Ordering::Relaxed);
        }
        Ok(age)
    }

    /// Whether it is asked from now on.
    fn judge(&self, seen: Result<Duration, String>) {
        let why = match seen {
            Ok(age) if age <= OLDEST => None,
            Ok(age) => Some(format!("it lags by {:.1} s", age.as_secs_f32())),
            Err(why) => Some(why),
        };
        let stands = if why.is_none() { IN_ORDER } else { LEFT_ALONE };
        let stood = self.standing.swap(stands, Ordering::Relaxed);
        metrics::gauge!("db_replica_available", "replica" => self.name.clone())
            .set(u8::from(stands == IN_ORDER));
        let replica = self.name.as_str();
        match why {
            Some(why) if stood != LEFT_ALONE => tracing::warn!(replica, why, "a replica is left alone"),
            Some(why) => tracing::debug!(replica, why, "a replica is still left alone"),
            None if stood != IN_ORDER => tracing::info!(replica, "a replica answers"),
            None => {}
        }
    }
}

/// Runs `work` on a snapshot that has `needed` in it; `None` where it refuses.
fn answer_in<T>(
    line: &Line,
    shared: &Shared,
    work: &impl Fn(&Tx) -> Result<T>,
    needed: Position,
    until: Instant,
) -> Result<Option<T>, Outcome> {
    line.open(Some(until))?;
    // One that is behind, or says nothing: behind a balancer, or at the same address, there may be a better one by now.
    position::reach(line, needed, until).inspect_err(|_| line.close())?;
    let mut told = None;
    read_in(line, shared, Some(until), work, |outcome| told = Some(outcome));
    match told {
        // Where the connection was lost, it was another one that answered.
        Some(Ok(value)) if line.reached() >= Some(needed) => Ok(Some(value)),
        Some(Ok(_)) => Err(Outcome::Behind),
        Some(Err(Error::Database(Fault::Away(why)))) => Err(Outcome::Lost(why)),
        Some(Err(Error::Database(fault))) => Err(Outcome::Refused(fault)),
        // What is not there may be there by now.
        Some(Err(_)) | None => Ok(None),
    }
}

/// One of those that wait, until it is dropped.
struct Busy<'c>(&'c AtomicUsize);

impl<'c> Busy<'c> {
    fn one_more(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
