//! How to get to the server, and whether it can be trusted with data.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, NoTls};

use super::engine::on_a_thread;
use super::fault::{Outcome, chain, outcome};
use super::line::{Line, first_column, log_end, takes_no_writes};
use super::migrate;
use super::position;
use super::tls::{self, Roots, Trust};
use super::url::ServerUrl;
use crate::error::{Error, Result};

/// The oldest server whose answers the tests have seen.
const OLDEST_MAJOR: i64 = 15;
/// A statement of a request that runs longer is cancelled by the server …
const STATEMENT_MS: u32 = 2_500;
/// … sooner by a replica, in whose place the primary is asked …
const REPLICA_STATEMENT_MS: u32 = 500;
/// … as is one that waits longer for a lock. A transaction that its program left open is ended.
const LOCK_MS: u32 = 2_000;
const IDLE_IN_TRANSACTION_MS: u32 = 10_000;
/// No server is on this one.
pub(super) const UNKNOWN_TIMELINE: u32 = 0;
/// Of several servers the others are waited for so long, once one of them takes writes.
const OTHERS_ANSWER_WITHIN: Duration = Duration::from_millis(100);
/// Sessions, and questions to each, with which a pooler is tried.
const TRIED_SESSIONS: i64 = 4;
const TRIED_QUESTIONS: i64 = 50;

/// A server, and how it is used.
#[derive(Debug, Clone)]
pub struct Server {
    pub url: ServerUrl,
    /// Connections that answer requests; the worker uses them too.
    pub connections: usize,
    /// Whether a pooler hands each transaction to another connection of its own.
    pub pooler: bool,
    /// Whether a server is accepted that may lose what it has acknowledged.
    pub allow_unsafe: bool,
    pub role: Role,
    /// Where else the same data can be read.
    pub replicas: Vec<ServerUrl>,
    /// The newest timeline that a primary was found on.
    pub timeline: Arc<AtomicU32>,
}

/// What a server is in its cluster. One that is something else now is not talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows the primary and answers reads.
    Replica,
    /// Either will do: nothing is written.
    Any,
}

/// A transaction that is to be opened. One that writes is told the server's time once its snapshot is taken: whatever it
/// sees happened before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    Read,
    Write,
    /// A write beside which no other one runs. It locks before it looks, so nobody can have been faster.
    Alone,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody waits.
    Request,
    /// The same, for statements that an index and a limit bound, whatever their values are.
    Glances,
    /// It takes as long as it takes.
    Long,
}

impl Server {
    /// How many of the connections glances share; none behind a pooler, which knows no prepared statements.
    pub(super) fn for_glances(&self) -> usize {
        if self.pooler { 0 } else { self.connections / 4 }
    }

    pub(super) async fn connect(&self, purpose: Purpose) -> Result<Opened, Outcome> {
        let opened = match &self.url.hosts[..] {
            [host] => {
                reach(self.settings(host, purpose), self.url.trust, self.url.roots.clone(), self.pooler)
                    .await?
            }
            hosts => self.connect_to_one_of(hosts, purpose).await?,
        };
        self.timeline.fetch_max(opened.timeline, Ordering::Relaxed);
        match self.is_outdated(opened.timeline) {
            true => Err(Outcome::Lost(format!(
                "the primary is on timeline {}, and an earlier one was on {}: what was acknowledged there is missing; docs/replicas.md says how to go on",
                opened.timeline,
                self.timeline.load(Ordering::Relaxed)
            ))),
            false => Ok(opened),
        }
    }

    /// Each is asked at once: one that is frozen keeps nobody from the one that was promoted. Where an old primary came back
    /// and takes writes, too, the one that was promoted last is meant.
    async fn connect_to_one_of(&self, hosts: &[Config], purpose: Purpose) -> Result<Opened, Outcome> {
        let mut asked = JoinSet::new();
        for host in hosts {
            let (trust, roots) = (self.url.trust, self.url.roots.clone());
            asked.spawn(reach(self.settings(host, purpose), trust, roots, self.pooler));
        }
        let mut found: Option<Opened> = None;
        let mut failed = Outcome::Lost("none of the servers takes writes".to_owned());
        let mut patience = Duration::MAX;
        while let Ok(Some(answer)) = tokio::time::timeout(patience, asked.join_next()).await {
            match answer {
                Ok(Ok(opened)) => {
                    patience = OTHERS_ANSWER_WITHIN;
                    if found.as_ref().is_none_or(|found| found.timeline < opened.timeline) {
                        found = Some(opened);
                    }
                }
                // Standbys are as they should be: what is wrong with the others says more.
                Ok(Err(error)) if takes_no_writes(&chain(&error)) => {}
                Ok(Err(error)) => failed = outcome(&error),
                Err(_) => {}
            }
        }
        found.ok_or(failed)
    }

    /// Whether a session goes to a primary that another one was promoted after, behind a balancer, too. It lacks what that one
    /// has acknowledged: nobody goes on without it before a person has looked.
    pub(super) fn is_outdated(&self, timeline: u32) -> bool {
        timeline != UNKNOWN_TIMELINE && timeline < self.timeline.load(Ordering::Relaxed)
    }

    /// How a session with one of the hosts begins.
    fn settings(&self, host: &Config, purpose: Purpose) -> Config {
        let mut config = host.clone();
        config.connect_timeout(Duration::from_secs(5)).keepalives_idle(Duration::from_secs(30));
        // One that was demoted would answer with what was, and one that was promoted is not what we think.
        config.target_session_attrs(match self.role {
            Role::Primary => TargetSessionAttrs::ReadWrite,
            Role::Replica => TargetSessionAttrs::ReadOnly,
            // One of several may lag.
            Role::Any if self.url.hosts.len() > 1 => TargetSessionAttrs::ReadWrite,
            Role::Any => TargetSessionAttrs::Any,
        });
        // A pooler refuses settings that it would have to carry over: it is told them in every transaction.
        if self.pooler {
            return config;
        }
        let options = config.get_options().unwrap_or_default();
        let (statement, lock) = match purpose {
            Purpose::Request | Purpose::Glances if self.role == Role::Replica => {
                (REPLICA_STATEMENT_MS, LOCK_MS)
            }
            Purpose::Request | Purpose::Glances => (STATEMENT_MS, LOCK_MS),
            Purpose::Long => (0, 0),
        };
        let idle = if purpose == Purpose::Long { 0 } else { IDLE_IN_TRANSACTION_MS };
        // For a common value the server thinks that to plan anew each time pays, which takes longer than the answer. A plan
        // for any limit reckons with a tenth of all rows, and would have other processes started for them.
        let plans = match purpose {
            Purpose::Glances => "-c plan_cache_mode=force_generic_plan -c max_parallel_workers_per_gather=0",
            Purpose::Request | Purpose::Long => "",
        };
        // What is looked up lies in memory or on flash: by the server's default of 4 a plan for any values would walk an
        // index in the order of the answer past what the narrower one leaves out. Nothing runs for long enough to be
        // compiled. Whoever names the server may say otherwise.
        let options = format!(
            "-c random_page_cost=1.1 -c jit=off {plans} {options} -c statement_timeout={statement} -c lock_timeout={lock} -c idle_in_transaction_session_timeout={idle}"
        );
        config.options(options);
        config
    }

    /// The words that open a transaction here: a pooler may have given it a connection that knows no deadlines.
    pub(super) fn begin(&self, begin: Begin, purpose: Purpose) -> &'static str {
        macro_rules! writing {
            ($deadlines:expr, $lock:expr) => {
                concat!(
                    "begin isolation level serializable read write",
                    $deadlines,
                    "; lock table settings in ",
                    $lock,
                    " mode; select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)"
                )
            };
        }
        macro_rules! deadlines {
            () => {
                "; set local statement_timeout = 2500; set local lock_timeout = 2000;
                 set local idle_in_transaction_session_timeout = 10000"
            };
        }
        // Whoever waits longer to be alone keeps too many others waiting behind him, and so does one that falls silent.
        macro_rules! soon {
            () => {
                "; set local lock_timeout = 300; set local idle_in_transaction_session_timeout = 1000"
            };
        }
        match (self.pooler && purpose != Purpose::Long, begin) {
            (false, Begin::Read) => "begin isolation level repeatable read read only",
            // A server behind a pooler may have become a standby since: that refuses what could write, so nobody reads from it.
            (true, Begin::Read) => concat!(
                "begin isolation level repeatable read read write; set transaction read only",
                deadlines!()
            ),
            (false, Begin::Write) => writing!("", "row share"),
            (true, Begin::Write) => writing!(deadlines!(), "row share"),
            (false, Begin::Alone) => writing!(soon!(), "exclusive"),
            (true, Begin::Alone) => writing!(concat!(deadlines!(), soon!()), "exclusive"),
        }
    }

    /// Refuses a server that may lose data, is too old, or stands behind a pooler without our knowing.
    pub(super) fn require_safe(&self, line: &Line) -> Result<()> {
        let told = line.simple(
            "select concat_ws('|', current_setting('server_version_num'), current_setting('fsync'),
                 current_setting('full_page_writes'), current_setting('synchronous_commit'),
                 current_setting('server_encoding'), pg_is_in_recovery())",
            None,
        )?;
        let told = told.unwrap_or_default();
        let settings: Vec<&str> = told.split('|').collect();
        let [version, fsync, full_page_writes, synchronous_commit, encoding, recovering] = settings[..]
        else {
            return Err(Error::broken("the server did not tell its settings"));
        };
        let major = version.parse::<i64>().unwrap_or(0) / 10_000;
        if major < OLDEST_MAJOR {
            return refuse(format!("PostgreSQL {major} is too old: {OLDEST_MAJOR} or newer is needed"));
        }
        if encoding != "UTF8" {
            return refuse(format!("the database is encoded in {encoding}: create one with encoding 'UTF8'"));
        }
        if recovering == "t" && self.role == Role::Primary {
            return refuse("the server is a standby, which takes no writes: name the primary".to_owned());
        }
        let risky: Vec<&str> = [
            ("fsync", fsync),
            ("full_page_writes", full_page_writes),
            ("synchronous_commit", synchronous_commit),
        ]
        .iter()
        .filter(|(_, value)| *value == "off")
        .map(|(name, _)| *name)
        .collect();
        if !risky.is_empty() && !self.allow_unsafe {
            return refuse(format!(
                "the server has {} off and can lose payments that were acknowledged: turn it on, or set allow_unsafe_database where data may be lost",
                risky.join(" and ")
            ));
        }
        match self.pooler {
            true => self.try_pooler(line),
            false => self.require_own_session(line),
        }
    }

    /// Two sessions that share one connection of the server are behind a transaction pooler, where prepared statements of
    /// one client can answer another.
    fn require_own_session(&self, line: &Line) -> Result<()> {
        let process = "select pg_backend_pid()";
        let mine = line.simple(process, None)?;
        let other = line.block_on(async {
            let other = self.connect(Purpose::Request).await?;
            Ok::<_, Outcome>(other.client.simple_query(process).await?)
        })?;
        let same = other.iter().any(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == mine.as_deref(),
            _ => false,
        });
        if same {
            return refuse(
                "the server is behind a transaction pooler: set database_pooler to true, or name the server itself".to_owned(),
            );
        }
        Ok(())
    }

    /// Asks in many sessions at once and compares every answer with its question.
    fn try_pooler(&self, line: &Line) -> Result<()> {
        let asked = line.block_on(async {
            let mut sessions = Vec::new();
            for number in 0..TRIED_SESSIONS {
                let session = self.connect(Purpose::Request).await?;
                sessions.push(tokio::spawn(ask(session.client, number * TRIED_QUESTIONS)));
            }
            let mut right = true;
            for session in sessions {
                right &= session.await.unwrap_or(Ok(false))?;
            }
            Ok::<bool, Outcome>(right)
        });
        match asked {
            Ok(true) => Ok(()),
            Ok(false) => refuse(
                "the pooler gives one session the answers of another: use another pooler, or none".to_owned(),
            ),
            Err(outcome) => refuse(format!("the pooler cannot be used: {}", outcome.into_fault())),
        }
    }
}

/// Whether every question got its own answer.
async fn ask(client: Client, first: i64) -> Result<bool, tokio_postgres::Error> {
    use tokio_postgres::types::Type;
    for question in first..first + TRIED_QUESTIONS {
        client.batch_execute("begin").await?;
        let text = client.query_typed("select $1, 'text'", &[(&question, Type::INT8)]).await?;
        let twice = client.query_typed("select $1 + $1", &[(&question, Type::INT8)]).await?;
        client.batch_execute("commit").await?;
        let answers = [&text, &twice].map(|rows| rows.first().map(|row| row.try_get::<_, i64>(0)));
        let [Some(Ok(same)), Some(Ok(double))] = answers else { return Ok(false) };
        if same != question || double != 2 * question {
            return Ok(false);
        }
    }
    Ok(true)
}

fn refuse<T>(why: String) -> Result<T> {
    Err(Error::broken(why))
}

/// A session, whose driver runs by itself.
pub(super) struct Opened {
    pub client: Client,
    pub driver: JoinHandle<()>,
    /// Of a primary that tells it.
    pub timeline: u32,
}

async fn reach(
    config: Config,
    trust: Trust,
    roots: Roots,
    pooler: bool,
) -> Result<Opened, tokio_postgres::Error> {
    let (client, driver) = match trust {
        Trust::Disable => {
            let (client, connection) = config.connect(NoTls).await?;
            (client, drive(connection))
        }
        trust => {
            let (client, connection) = config.connect(tls::connector(trust, &roots)).await?;
            (client, drive(connection))
        }
    };
    let is_primary = config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
    // Behind a pooler a session is not one with a server.
    let timeline = if is_primary && !pooler { timeline(&client).await? } else { UNKNOWN_TIMELINE };
    Ok(Opened { client, driver, timeline })
}

async fn timeline(client: &Client) -> Result<u32, tokio_postgres::Error> {
    let told = match client.simple_query(position::TIMELINE).await {
        // One that does not tell it is as good as any.
        Err(refused) if refused.as_db_error().is_some() => Vec::new(),
        told => told?,
    };
    let file = first_column(&told).unwrap_or_default();
    Ok(file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(UNKNOWN_TIMELINE))
}

fn drive<S, T>(connection: tokio_postgres::Connection<S, T>) -> JoinHandle<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            log_end(&error);
        }
    })
}

/// The names of the migrations that the database lacks.
pub(in crate::db) fn pending_migrations(server: &Server) -> Result<Vec<&'static str>> {
    on_a_thread("db-look", Arc::new(server.clone()), Purpose::Request, migrate::pending)
}

/// What the server calls itself, if it can be used.
pub(in crate::db) fn version(server: &Server) -> Result<String> {
    on_a_thread("db-look", Arc::new(server.clone()), Purpose::Request, |line| {
        line.server().require_safe(line)?;
        require_standby_that_is_waited_for(line)?;
        let told = line.simple("select current_setting('server_version')", None)?;
        Ok(format!("PostgreSQL {}", told.unwrap_or_default()))
    })
}

/// Looked at before the start only: later one may be away for a moment.
fn require_standby_that_is_waited_for(line: &Line) -> Result<()> {
    let waits_for_nobody = "select current_setting('synchronous_standby_names') <> ''
        and not exists (select from pg_stat_replication where coalesce(sync_state, 'sync') in ('sync', 'quorum'))";
    match line.simple(waits_for_nobody, None)?.as_deref() {
        Some("t") => refuse(
            "synchronous_standby_names lets each commit wait for a standby, and none of those follows: start one, or take the setting back until it has one".to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooled_transaction_has_the_deadlines_of_a_session_of_our_own() {
        let url = ServerUrl::parse("postgres://localhost/a").expect("a URL");
        let server = Server {
            url,
            connections: 1,
            pooler: true,
            allow_unsafe: false,
            role: Role::Primary,
            replicas: Vec::new(),
            timeline: Arc::default(),
        };
        for begin in [Begin::Read, Begin::Write, Begin::Alone] {
            let text = server.begin(begin, Purpose::Request);
            for deadline in [
                format!("set local statement_timeout = {STATEMENT_MS};"),
                format!("set local lock_timeout = {LOCK_MS};"),
                format!("set local idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}"),
            ] {
                assert!(text.contains(&deadline), "{begin:?}: {deadline}");
            }
        }
    }
}
