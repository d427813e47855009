//! One connection and the thread's runtime that drives it. It is opened when it is needed and opened anew when it was
//! lost; prepared statements live as long as it does.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::fault::{Outcome, chain, outcome};
use super::question::{Bound, Question};
use super::search;
use super::server::{Begin, Opened, Purpose, Server, UNKNOWN_TIMELINE};
use crate::db::Param;
use crate::db::fresh::Position;
use crate::error::Result;

/// The texts that Sql builders make are many, but not without end.
pub(super) const CACHED_STATEMENTS: usize = 512;
/// Statements that are sent without waiting, at most.
const SENT_AHEAD: usize = 64;
/// How long opening a connection may take where nobody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Line {
    // Before the runtime: it is dropped first.
    session: RefCell<Option<Session>>,
    runtime: Runtime,
    server: Arc<Server>,
    purpose: Purpose,
    /// Whether a transaction that only read is still to be ended.
    owes_rollback: Cell<bool>,
}

struct Session {
    client: Rc<Client>,
    driver: tokio::task::JoinHandle<()>,
    statements: RefCell<HashMap<String, Statement>>,
    /// What was sent and not heard of.
    sent: RefCell<Vec<Sent>>,
    /// How far a replica had come when it was last asked.
    reached: Cell<Option<Position>>,
    timeline: u32,
}

type Sent = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>>>>;

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What a statement came to.
pub(super) enum Done {
    Rows(Vec<Row>),
    Changed(u64),
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Ask {
    Rows,
    Changed,
}

impl Line {
    pub fn new(server: Arc<Server>, purpose: Purpose) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { session: RefCell::new(None), runtime, server, purpose, owes_rollback: Cell::new(false) })
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn begin(&self, begin: Begin) -> &'static str {
        self.server.begin(begin, self.purpose)
    }

    /// Lets the transaction be ended with the beginning of the next one; if none comes at once, by [`Self::pay`].
    pub fn owe_rollback(&self) {
        self.owes_rollback.set(true);
    }

    /// Ends the transaction that is still open, if one is.
    pub fn pay(&self, until: Instant) {
        if self.owes_rollback.take() && self.simple("rollback", Some(until)).is_err() {
            self.close();
        }
    }

    fn opening(&self, begin: &'static str) -> Cow<'static, str> {
        match self.owes_rollback.take() {
            true => Cow::Owned(format!("rollback; {begin}")),
            false => Cow::Borrowed(begin),
        }
    }

    pub fn is_long(&self) -> bool {
        self.purpose == Purpose::Long
    }

    /// There is a connection afterwards; it may still turn out to be cut. Whether it is a new one.
    pub fn open(&self, until: Option<Instant>) -> Result<bool, Outcome> {
        // The runtime stood still while nothing was asked: let it see whether the connection was closed meanwhile. One that
        // was used a moment ago is taken to be open.
        if !self.owes_rollback.get() {
            self.runtime.block_on(async {
                // Once to look at the socket, once to let the driver read from it.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            });
        }
        let is_of_use =
            |session: &Session| !session.client.is_closed() && !self.server.is_outdated(session.timeline);
        if self.session.borrow().as_ref().is_some_and(is_of_use) {
            return Ok(false);
        }
        self.close();
        let until = until.unwrap_or_else(|| Instant::now() + PATIENCE);
        let opened = self.within(Some(until), self.server.connect(self.purpose));
        let Opened { client, driver, timeline } = opened.map_err(|outcome| match outcome {
            Outcome::Refused(fault) => Outcome::Lost(fault.to_string()),
            Outcome::Lost(why) => Outcome::Lost(with_mend(why)),
            other => other,
        })?;
        metrics::counter!("db_connections_opened_total").increment(1);
        let (statements, sent) = (RefCell::default(), RefCell::default());
        let session =
            Session { client: Rc::new(client), driver, statements, sent, reached: Cell::default(), timeline };
        self.session.replace(Some(session));
        Ok(true)
    }

    /// How far the server of this connection is known to have come, where it is a replica.
    pub fn reached(&self) -> Option<Position> {
        self.session.borrow().as_ref().and_then(|session| session.reached.get())
    }

    /// That of the connection; unknown without one.
    pub fn timeline(&self) -> u32 {
        self.session.borrow().as_ref().map_or(UNKNOWN_TIMELINE, |session| session.timeline)
    }

    /// Whether another primary was seen that was promoted after that of the connection.
    pub fn is_outdated(&self) -> bool {
        self.server.is_outdated(self.timeline())
    }

    pub fn has_reached(&self, position: Option<Position>) {
        if let Some(session) = self.session.borrow().as_ref() {
            session.reached.set(position);
        }
    }

    /// Lets go of the connection.
    pub fn close(&self) {
        self.owes_rollback.set(false);
        if let Some(session) = self.session.take() {
            // What its driver holds is let go when it runs once more.
            drop(session);
            self.runtime.block_on(async { tokio::task::yield_now().await });
        }
    }

    /// Several statements without parameters in one round trip; the first column of the first row, if there is one.
    pub fn simple(&self, text: &str, until: Option<Instant>) -> Result<Option<String>, Outcome> {
        let session = self.session.borrow();
        let session = session.as_ref().ok_or_else(not_open)?;
        // Whatever was sent is over with the transaction that is ended here.
        session.sent.take();
        self.within(until, session.client.simple_query(text)).map(|messages| first_column(&messages))
    }

    /// The same between two transactions: the last one is over then.
    pub fn simple_between(
        &self,
        text: &'static str,
        until: Option<Instant>,
    ) -> Result<Option<String>, Outcome> {
        self.simple(&self.opening(text), until)
    }

    /// Opens a transaction; what its beginning tells, if it tells anything.
    pub fn open_transaction(
        &self,
        begin: &'static str,
        until: Option<Instant>,
    ) -> Result<Option<String>, Outcome> {
        self.simple_between(begin, until)
    }

    /// The same together with the first statement.
    pub fn run_first(
        &self,
        begin: &'static str,
        text: &str,
        params: &[&dyn Param],
        ask: Ask,
        until: Option<Instant>,
    ) -> Result<(Option<String>, Done), Outcome> {
        if self.names_nothing() {
            let told = self.open_transaction(begin, until)?;
            return Ok((told, self.run(text, params, ask, Around::Nothing, until)?));
        }
        let session = self.session.borrow();
        let session = session.as_ref().ok_or_else(not_open)?;
        let statement = match search::depends_on_words(text) {
            true => None,
            false => Some(self.statement(session, text, params, until)?),
        };
        let work = async {
            match &statement {
                Some(statement) => session.prepared(statement, params, ask).await,
                None => session.unprepared(text, params, ask).await,
            }
        };
        let opening = self.opening(begin);
        // Both are on their way before the first answer is back; if the first fails, so does the second.
        let both = async { Ok::<_, Outcome>(tokio::join!(session.client.simple_query(&opening), work)) };
        let (begun, done) = self.within(until, both)?;
        let told = begun.map_err(|error| outcome(&error))?;
        Ok((first_column(&told), done.map_err(|error| outcome(&error))?))
    }

    /// One statement, and what was sent before; `commit` may travel with it.
    pub fn run(
        &self,
        text: &str,
        params: &[&dyn Param],
        ask: Ask,
        around: Around,
        until: Option<Instant>,
    ) -> Result<Done, Outcome> {
        let session = self.session.borrow();
        let session = session.as_ref().ok_or_else(not_open)?;
        if self.names_nothing() || search::depends_on_words(text) {
            self.settle(until)?;
            let done = self.within(until, session.unprepared(text, params, ask))?;
            if let Around::Commit = around {
                self.within(until, session.client.batch_execute("commit"))?;
            }
            return Ok(done);
        }
        let statement = self.statement(session, text, params, until)?;
        let client = &session.client;
        let work = session.prepared(&statement, params, ask);
        let sent = all(session.sent.take());
        match around {
            Around::Nothing => {
                let (sent, done) =
                    self.within(until, async { Ok::<_, Outcome>(tokio::join!(sent, work)) })?;
                sent.map_err(|error| outcome(&error))?;
                done.map_err(|error| outcome(&error))
            }
            // Where one fails, those behind it do, and the commit is none.
            Around::Commit => {
                let all =
                    async { Ok::<_, Outcome>(tokio::join!(sent, work, client.batch_execute("commit"))) };
                let (sent, done, committed) = self.within(until, all)?;
                sent.map_err(|error| outcome(&error))?;
                let done = done.map_err(|error| outcome(&error))?;
                committed.map_err(|error| outcome(&error))?;
                Ok(done)
            }
        }
    }

    /// Sends a statement and does not wait: if it fails, so does the one that is run next.
    pub fn send(&self, text: &str, params: &[&dyn Param], until: Option<Instant>) -> Result<(), Outcome> {
        if self.names_nothing() {
            return self.run(text, params, Ask::Changed, Around::Nothing, until).map(drop);
        }
        let session = self.session.borrow();
        let session = session.as_ref().ok_or_else(not_open)?;
        let statement = self.statement(session, text, params, until)?;
        let question = Question::new(text, params).map_err(Outcome::Refused)?;
        let client = Rc::clone(&session.client);
        let mut sent: Sent =
            Box::pin(async move { client.execute(&statement, &question.values()).await.map(drop) });
        // It is sent when it is first looked at.
        match self.runtime.block_on(poll_fn(|context| Poll::Ready(sent.as_mut().poll(context)))) {
            Poll::Ready(done) => return done.map_err(|error| outcome(&error)),
            Poll::Pending => session.sent.borrow_mut().push(sent),
        }
        let many = session.sent.borrow().len() >= SENT_AHEAD;
        if many { self.settle(until) } else { Ok(()) }
    }

    /// Waits for everything that was sent.
    pub fn settle(&self, until: Option<Instant>) -> Result<(), Outcome> {
        let session = self.session.borrow();
        let session = session.as_ref().ok_or_else(not_open)?;
        let sent = session.sent.take();
        if sent.is_empty() { Ok(()) } else { self.within(until, all(sent)) }
    }

    /// Where a name could be another session's, or is used once.
    fn names_nothing(&self) -> bool {
        self.server.pooler || self.is_long()
    }

    fn statement(
        &self,
        session: &Session,
        text: &str,
        params: &[&dyn Param],
        until: Option<Instant>,
    ) -> Result<Statement, Outcome> {
        match session.known(text) {
            Some(statement) => Ok(statement),
            None => {
                // In a transaction that has failed nothing is prepared, and that would be told instead of why.
                self.within(until, all(session.sent.take()))?;
                if self.owes_rollback.take() {
                    self.within(until, session.client.batch_execute("rollback"))?;
                }
                self.within(until, session.prepare(text, params))
            }
        }
    }

    fn within<T, E: Into<Outcome>>(
        &self,
        until: Option<Instant>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Outcome> {
        let answered = self.runtime.block_on(async {
            match until {
                Some(until) => tokio::time::timeout_at(until.into(), work).await.ok(),
                None => Some(work.await),
            }
        });
        match answered {
            Some(answer) => answer.map_err(Into::into),
            None => Err(Outcome::Lost("it did not answer in time".to_owned())),
        }
    }

    /// Runs anything on the thread's runtime, for checks at start.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// What travels with a statement in the same round trip.
#[derive(Clone, Copy)]
pub(super) enum Around {
    Nothing,
    /// `commit` behind it.
    Commit,
}

/// The first column of the first row, if there is one.
pub(super) fn first_column(messages: &[SimpleQueryMessage]) -> Option<String> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

/// What was sent, to the end or to the first that fails.
async fn all(sent: Vec<Sent>) -> Result<(), tokio_postgres::Error> {
    for one in sent {
        one.await?;
    }
    Ok(())
}

/// What TLS says of a certificate helps those who know TLS, and what a standby says those who know which one is.
fn with_mend(why: String) -> String {
    if takes_no_writes(&why) {
        return format!(
            "{why}: it is a standby, or its default_transaction_read_only is on; name the primary, or every server"
        );
    }
    if takes_writes(&why) {
        return format!("{why}: it takes writes, so it follows no other server");
    }
    if why.contains("password missing") {
        return format!("{why}: write it into the URL, as postgres://USER:PASSWORD@HOST:PORT/DATABASE");
    }
    match ["UnknownIssuer", "CaUsedAsEndEntity"].iter().any(|word| why.contains(word)) {
        true => format!(
            "{why}: name the authority that issued it with sslrootcert=FILE (one that signed itself is no server's)"
        ),
        false => why,
    }
}

/// Whether this is how the driver tells of a standby where a primary is wanted.
pub(super) fn takes_no_writes(why: &str) -> bool {
    why.contains("does not allow writes")
}

/// Whether it tells of a primary where a standby is wanted.
pub(super) fn takes_writes(why: &str) -> bool {
    why.contains("is not read only") || why.contains("it takes writes")
}

fn not_open() -> Outcome {
    Outcome::Lost("the connection was closed".to_owned())
}

impl Session {
    fn known(&self, text: &str) -> Option<Statement> {
        self.statements.borrow().get(text).cloned()
    }

    async fn prepare(&self, text: &str, params: &[&dyn Param]) -> Result<Statement, tokio_postgres::Error> {
        let kinds: Vec<Type> = params.iter().map(|value| value.postgres_type()).collect();
        let statement = self.client.prepare_typed(text, &kinds).await?;
        let mut known = self.statements.borrow_mut();
        if known.len() >= CACHED_STATEMENTS {
            known.clear();
        }
        known.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn prepared(
        &self,
        statement: &Statement,
        params: &[&dyn Param],
        ask: Ask,
    ) -> Result<Done, tokio_postgres::Error> {
        let bound: Vec<Bound> = params.iter().map(|value| Bound(*value)).collect();
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| value as _).collect();
        match ask {
            Ask::Rows => self.client.query(statement, &bound).await.map(Done::Rows),
            Ask::Changed => self.client.execute(statement, &bound).await.map(Done::Changed),
        }
    }

    /// In one round trip and without a name that another session behind the same pooler could hold.
    async fn unprepared(
        &self,
        text: &str,
        params: &[&dyn Param],
        ask: Ask,
    ) -> Result<Done, tokio_postgres::Error> {
        let bound: Vec<Bound> = params.iter().map(|value| Bound(*value)).collect();
        let bound: Vec<(&(dyn ToSql + Sync), Type)> =
            bound.iter().map(|value| (value as _, value.0.postgres_type())).collect();
        match ask {
            Ask::Rows => self.client.query_typed(text, &bound).await.map(Done::Rows),
            Ask::Changed => self.client.execute_typed(text, &bound).await.map(Done::Changed),
        }
    }
}

/// The words of an error that ended a connection's driver.
pub(super) fn log_end(error: &tokio_postgres::Error) {
    tracing::debug!(error = chain(error), "a connection to the database ended");
}
