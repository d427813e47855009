//! One connection and the thread's runtime that drives it. It is opened when it is needed and opened anew when it was
//! lost; prepared statements live as long as it does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::runtime::Runtime;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row, Statement};

use super::fault::{Outcome, chain, outcome};
use super::server::{Begin, Purpose, Server};
use crate::db::{Fault, Param};
use crate::error::{Error, Result};

/// The texts that Sql builders make are many, but not without end.
const CACHED_STATEMENTS: usize = 512;
/// How long opening a connection may take where nobody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Line {
    // Before the runtime: it is dropped first.
    session: RefCell<Option<Session>>,
    runtime: Runtime,
    server: Arc<Server>,
    purpose: Purpose,
}

struct Session {
    client: Client,
    driver: tokio::task::JoinHandle<()>,
    statements: RefCell<HashMap<String, Statement>>,
}

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
        Ok(Self { session: RefCell::new(None), runtime, server, purpose })
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn begin(&self, begin: Begin) -> &'static str {
        self.server.begin(begin, self.purpose)
    }

    pub fn is_long(&self) -> bool {
        self.purpose == Purpose::Long
    }

    /// There is a connection afterwards; it may still turn out to be cut.
    pub fn open(&self, until: Option<Instant>) -> Result<(), Outcome> {
        // The runtime stood still while nothing was asked: let it see whether the connection was closed meanwhile.
        self.runtime.block_on(async {
            // Once to look at the socket, once to let the driver read from it.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        if self.session.borrow().as_ref().is_some_and(|session| !session.client.is_closed()) {
            return Ok(());
        }
        self.close();
        let until = until.unwrap_or_else(|| Instant::now() + PATIENCE);
        let opened = self.within(Some(until), self.server.connect(self.purpose));
        let (client, driver) = opened.map_err(|outcome| match outcome {
            Outcome::Refused(fault) => Outcome::Lost(fault.to_string()),
            Outcome::Lost(why) => Outcome::Lost(with_mend(why)),
            other => other,
        })?;
        metrics::counter!("db_connections_opened_total").increment(1);
        let session = Session { client, driver, statements: RefCell::default() };
        self.session.replace(Some(session));
        Ok(())
    }

    /// Lets go of the connection.
    pub fn close(&self) {
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
        let messages = self.within(until, session.client.simple_query(text))?;
        Ok(messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// One statement; `before` and `after` travel with it.
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
        if self.server.pooler || self.is_long() {
            if let Around::Begin(begin) = around {
                self.within(until, session.client.batch_execute(begin))?;
            }
            let done = self.within(until, session.unprepared(text, params, ask))?;
            if let Around::Commit = around {
                self.within(until, session.client.batch_execute("commit"))?;
            }
            return Ok(done);
        }
        let statement = match session.known(text) {
            Some(statement) => statement,
            None => self.within(until, session.prepare(text, params))?,
        };
        let client = &session.client;
        let work = session.prepared(&statement, params, ask);
        match around {
            Around::Nothing => self.within(until, work),
            // Both are on their way before the first answer is back; if the first fails, so does the second.
            Around::Begin(begin) => {
                let (begun, done) =
                    self.within(until, async { Ok(tokio::join!(client.batch_execute(begin), work)) })?;
                begun.map_err(|error| outcome(&error))?;
                done.map_err(|error| outcome(&error))
            }
            Around::Commit => {
                let (done, committed) =
                    self.within(until, async { Ok(tokio::join!(work, client.batch_execute("commit"))) })?;
                let done = done.map_err(|error| outcome(&error))?;
                committed.map_err(|error| outcome(&error))?;
                Ok(done)
            }
        }
    }

    fn within<T>(
        &self,
        until: Option<Instant>,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Outcome> {
        let answered = self.runtime.block_on(async {
            match until {
                Some(until) => tokio::time::timeout_at(until.into(), work).await.ok(),
                None => Some(work.await),
            }
        });
        match answered {
            Some(answer) => answer.map_err(|error| outcome(&error)),
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
    /// This text before it.
    Begin(&'static str),
    /// `commit` behind it.
    Commit,
}

/// What TLS says of a certificate helps those who know TLS.
fn with_mend(why: String) -> String {
    match ["UnknownIssuer", "CaUsedAsEndEntity"].iter().any(|word| why.contains(word)) {
        true => format!(
            "{why}: name the authority that issued it with sslrootcert=FILE (one that signed itself is no server's)"
        ),
        false => why,
    }
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

/// A value on its way to the server, which was told its type before.
struct Bound<'v>(&'v dyn Param);

impl fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.postgres(out)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

impl Outcome {
    /// For whoever can do nothing about it.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Rerun => Fault::Busy,
            Self::Lost(why) => Fault::Away(why),
            Self::Refused(fault) => fault,
        }
    }
}

impl From<Outcome> for Error {
    fn from(outcome: Outcome) -> Self {
        outcome.into_fault().into()
    }
}

/// The words of an error that ended a connection's driver.
pub(super) fn log_end(error: &tokio_postgres::Error) {
    tracing::debug!(error = chain(error), "a connection to the database ended");
}
