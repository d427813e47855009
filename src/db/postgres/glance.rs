//! Glances: reads of one statement that an index and a limit bound. A statement is its own snapshot, so it needs no
//! transaction; and no thread waits for its answer, for the work runs twice: first it says what it asks, then it is given
//! the rows. Many are on their way over one connection, whose answers come back in order.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row, Statement};

use super::fault::Outcome;
use super::health::Health;
use super::line::CACHED_STATEMENTS;
use super::position;
use super::question::Question;
use super::server::{Opened, Purpose, Server};
use crate::db::fresh::Position;
use crate::db::{Fault, Param};

/// Questions that may be on their way over one connection; the next one is refused with 503.
const MOST_WAITING: usize = 4_096;
/// A connection over which nothing came for so long is lost; before, a question that is late is only late.
const SILENT: Duration = Duration::from_millis(1_000);
/// So many answers in a row that were of no use, and another connection may lead to a better server.
const MOST_MISSED: u32 = 3;

/// What the work of a glance asks its transaction, and is answered the next time that it runs.
#[derive(Default)]
pub(in crate::db) struct Glance(RefCell<State>);

#[derive(Default)]
enum State {
    #[default]
    Unasked,
    Asked(Question),
    Answered(String, Vec<Row>),
    /// The rows were taken.
    Seen,
    /// There was a second statement.
    AskedMore,
}

impl Glance {
    pub(super) fn answered(text: String, rows: Vec<Row>) -> Self {
        Self(RefCell::new(State::Answered(text, rows)))
    }

    /// The rows of the statement, if they are there. If not, the work is to end here, and runs again.
    pub(super) fn rows(&self, text: &str, params: &[&dyn Param]) -> Result<Vec<Row>, Fault> {
        let mut state = self.0.borrow_mut();
        match std::mem::take(&mut *state) {
            State::Unasked => {
                *state = State::Asked(Question::new(text, params)?);
                Err(Fault::Busy)
            }
            State::Answered(asked, rows) if asked == text => {
                *state = State::Seen;
                Ok(rows)
            }
            // Work that goes on after its first statement gave no rows is no different: it runs again.
            State::Asked(question) => {
                *state = State::Asked(question);
                Err(Fault::Busy)
            }
            State::Answered(..) | State::Seen | State::AskedMore => {
                *state = State::AskedMore;
                Err(Fault::Busy)
            }
        }
    }

    /// What was asked and is not answered.
    pub(super) fn question(self) -> Option<Question> {
        match self.0.into_inner() {
            State::Asked(question) => Some(question),
            _ => None,
        }
    }

    /// Whether one statement was not enough.
    pub(super) fn asked_more(&self) -> bool {
        matches!(&*self.0.borrow(), State::AskedMore)
    }
}

/// The connections that glances share. They are opened when they are needed.
pub(super) struct Glances {
    server: Arc<Server>,
    channels: Vec<Channel>,
    /// Told of each connection to a primary.
    health: Option<Arc<Health>>,
}

#[derive(Default)]
struct Channel {
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
    /// Questions on their way.
    waiting: AtomicUsize,
}

struct Session {
    client: Client,
    driver: JoinHandle<()>,
    statements: Mutex<HashMap<String, Statement>>,
    /// How far the server had come when it was last asked.
    reached: AtomicI64,
    timeline: u32,
    /// When an answer came last.
    heard: Mutex<Instant>,
    /// Answers of no use since.
    missed: AtomicU32,
    /// Nobody asks anything more over it.
    given_up: AtomicBool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Glances {
    pub fn new(server: Arc<Server>, connections: usize, health: Option<Arc<Health>>) -> Self {
        Self { server, channels: (0..connections).map(|_| Channel::default()).collect(), health }
    }

    /// Whether there is a connection for them.
    pub fn are_possible(&self) -> bool {
        !self.channels.is_empty()
    }

    /// The rows that answer `question`, by `until`.
    pub async fn ask(&self, question: &Question, until: Instant) -> Result<Vec<Row>, Fault> {
        Ok(self.ask_for(question, Need::Rows, until).await?.0)
    }

    /// The same, and a position behind everything that was committed before: `None` where the server has none.
    pub async fn ask_with_position(
        &self,
        question: &Question,
        until: Instant,
    ) -> Result<(Vec<Row>, Option<Position>), Fault> {
        self.ask_for(question, Need::Position, until).await
    }

    async fn ask_for(
        &self,
        question: &Question,
        need: Need,
        until: Instant,
    ) -> Result<(Vec<Row>, Option<Position>), Fault> {
        match self.ask_once(question, need, until).await {
            // A connection was cut, and nothing was changed: once more on a new one.
            Err(Outcome::Lost(_)) if Instant::now() < until => {
                self.ask_once(question, need, until).await.map_err(Outcome::into_fault)
            }
            answer => answer.map_err(Outcome::into_fault),
        }
    }

    pub async fn ask_once(
        &self,
        question: &Question,
        need: Need,
        until: Instant,
    ) -> Result<(Vec<Row>, Option<Position>), Outcome> {
        let idlest = self.channels.iter().min_by_key(|channel| channel.waiting.load(Ordering::Relaxed));
        let counted = idlest.and_then(|channel| Some((channel, channel.count()?)));
        let (channel, _counted) = counted.ok_or(Outcome::Refused(Fault::Overloaded))?;
        channel.ask(self, question, need, until).await
    }
}

/// What is wanted beside an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Rows,
    /// Where the server stands.
    Position,
    /// That the server has come this far.
    Since(Position),
}

/// One of those that wait, until it is dropped.
struct Counted<'c>(&'c AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Glances {
    /// Lets go of every connection: whoever waits on one is told at once.
    pub fn close(&self) {
        for channel in &self.channels {
            // One that is just being opened is new.
            if let Some(session) = channel.session.try_lock().ok().and_then(|mut present| present.take()) {
                session.cut();
            }
        }
    }
}

impl Channel {
    /// `None` when too many wait already.
    fn count(&self) -> Option<Counted<'_>> {
        let counted = Counted(&self.waiting);
        (self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING).then_some(counted)
    }

    async fn ask(
        &self,
        all: &Glances,
        question: &Question,
        need: Need,
        until: Instant,
    ) -> Result<(Vec<Row>, Option<Position>), Outcome> {
        let too_late = || Outcome::Lost("it did not answer in time".to_owned());
        let session =
            tokio::time::timeout_at(until.into(), self.session(all)).await.map_err(|_| too_late())??;
        let asked = Instant::now();
        let answer = match tokio::time::timeout_at(until.into(), session.answer(question, need)).await {
            Ok(answer) => answer,
            // What others have asked over this connection is not lost for it.
            Err(_) if session.silence_since(asked) < SILENT => Err(Outcome::Refused(Fault::TooSlow)),
            Err(_) => Err(too_late()),
        };
        match &answer {
            Ok(_) => session.hear(),
            Err(Outcome::Lost(_)) => session.cut(),
            Err(Outcome::Behind | Outcome::Refused(Fault::TooSlow)) => session.miss(),
            Err(_) => {}
        }
        answer
    }

    async fn session(&self, all: &Glances) -> Result<Arc<Session>, Outcome> {
        let mut present = self.session.lock().await;
        let is_of_use = |session: &&Arc<Session>| {
            !session.given_up.load(Ordering::Relaxed)
                && !session.client.is_closed()
                && !all.server.is_outdated(session.timeline)
        };
        if let Some(session) = present.as_ref().filter(is_of_use) {
            return Ok(Arc::clone(session));
        }
        let Opened { client, driver, timeline } = all.server.connect(Purpose::Glances).await?;
        if let Some(health) = &all.health {
            health.tide().connected(timeline);
        }
        metrics::counter!("db_connections_opened_total").increment(1);
        let session = Arc::new(Session {
            client,
            driver,
            statements: Mutex::default(),
            reached: AtomicI64::new(0),
            timeline,
            heard: Mutex::new(Instant::now()),
            missed: AtomicU32::new(0),
            given_up: AtomicBool::new(false),
        });
        *present = Some(Arc::clone(&session));
        Ok(session)
    }
}

impl Session {
    /// Whoever else waits for an answer over it is told at once, and nobody waits for anybody.
    fn cut(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.driver.abort();
    }

    fn hear(&self) {
        *self.heard() = Instant::now();
        self.missed.store(0, Ordering::Relaxed);
    }

    /// What others wait for may still come.
    fn miss(&self) {
        if self.missed.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_MISSED {
            self.given_up.store(true, Ordering::Relaxed);
        }
    }

    /// For how long nothing came of what was asked at `asked`, or before.
    fn silence_since(&self, asked: Instant) -> Duration {
        asked.max(*self.heard()).elapsed()
    }

    fn heard(&self) -> MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, question: &Question, need: Need) -> Result<(Vec<Row>, Option<Position>), Outcome> {
        match need {
            Need::Rows => Ok((self.ask(question).await?, None)),
            Need::Position => {
                let (rows, told) = tokio::join!(self.ask(question), self.position(position::OF_PRIMARY));
                Ok((rows?, told?))
            }
            Need::Since(needed) => Ok((self.ask_since(question, needed).await?, None)),
        }
    }

    /// Asks as soon as the server has come as far as `needed`, which it mostly has: so it is asked for both at once. A
    /// statement sees what was there when the answer before it was given.
    async fn ask_since(&self, question: &Question, needed: Position) -> Result<Vec<Row>, Outcome> {
        if self.reached.load(Ordering::Relaxed) >= needed.0 {
            return Ok(self.ask(question).await?);
        }
        // Both are prepared before either is sent: then they are sent in this order.
        let position = Question::bare(position::OF_REPLICA);
        let (first, second) = (self.prepared(&position).await?, self.prepared(question).await?);
        let require = |until| self.require(&first, &position, needed, until);
        let until = Instant::now() + position::PATIENCE;
        let rows = async { self.run(&second, question).await.map_err(Outcome::from) };
        match tokio::try_join!(require(until), rows) {
            Err(Outcome::Behind) => {}
            both => return both.map(|((), rows)| rows),
        }
        let mut asked = 1;
        while Instant::now() < until {
            match require(until).await {
                Err(Outcome::Behind) => {}
                Err(outcome) => return Err(outcome),
                Ok(()) => return Ok(self.run(&second, question).await?),
            }
            asked += 1;
            if asked > position::WITHOUT_PAUSE {
                tokio::time::sleep(position::PAUSE).await;
            }
        }
        Err(Outcome::Behind)
    }

    /// That the server has come as far as `needed`, and says so in time.
    async fn require(
        &self,
        statement: &Statement,
        question: &Question,
        needed: Position,
        until: Instant,
    ) -> Result<(), Outcome> {
        let answer = self.run(statement, question);
        let rows = tokio::time::timeout_at(until.into(), answer).await.map_err(|_| Outcome::Behind)??;
        let Some(told) = position::of_row(&rows) else { return Err(Outcome::Behind) };
        self.reached.fetch_max(told.0, Ordering::Relaxed);
        if told >= needed { Ok(()) } else { Err(Outcome::Behind) }
    }

    /// `None` where the server does not tell it.
    async fn position(&self, text: &str) -> Result<Option<Position>, Outcome> {
        match self.ask(&Question::bare(text)).await.map_err(Outcome::from) {
            Ok(rows) => Ok(position::of_row(&rows)),
            Err(Outcome::Refused(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn ask(&self, question: &Question) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.prepared(question).await?;
        self.run(&statement, question).await
    }

    async fn run(
        &self,
        statement: &Statement,
        question: &Question,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client.query(statement, &question.values()).await
    }

    async fn prepared(&self, question: &Question) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements().get(&question.text) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare_typed(&question.text, &question.types()).await?;
        let mut statements = self.statements();
        if statements.len() >= CACHED_STATEMENTS {
            statements.clear();
        }
        statements.insert(question.text.clone(), statement.clone());
        Ok(statement)
    }

    fn statements(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
