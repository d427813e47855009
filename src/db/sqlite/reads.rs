//! Reads on snapshots: in place, on connections that a thread takes for as long as it reads, or by a thread of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::engine::{Kind, connect, execute, processors, transaction};
use crate::db::{Fault, Shared, Tx, catching};
use crate::error::Result;

/// Steps of the database's machine that a read may take where it was asked for, some 200 µs. A page of a list takes two
/// thousand; what takes more waits for a reader thread, and keeps nobody else waiting.
const STEPS_IN_PLACE: u32 = 20_000;
/// After so many steps a statement looks whether it may go on.
const STEPS_BETWEEN_LOOKS: u32 = 1_000;
/// How long reads in place share one snapshot while this process commits nothing. Opening one takes a lock that all
/// connections share; and what another process commits (`admin create`) is seen before that process has ended.
const SNAPSHOT_LIFE: Duration = Duration::from_millis(1);

/// Connections for reads that run where they are asked for, as many as there are threads that answer requests.
pub(super) struct InPlace {
    idle: Mutex<Vec<Reader>>,
    /// How often this process has committed to the file, whoever in it has it open: a snapshot is the newest as long as this
    /// has not moved.
    commits: Arc<AtomicU64>,
}

/// The count of a file's commits, one for all that have it open in this process.
fn commits_to(file: &Path) -> Arc<AtomicU64> {
    static OPEN: Mutex<BTreeMap<PathBuf, Weak<AtomicU64>>> = Mutex::new(BTreeMap::new());
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|_, commits| commits.strong_count() > 0);
    open.get(&file).and_then(Weak::upgrade).unwrap_or_else(|| {
        let commits = Arc::default();
        open.insert(file, Arc::downgrade(&commits));
        commits
    })
}

impl InPlace {
    pub fn open(file: &Path) -> Result<Self, Fault> {
        let idle = (0..processors()).map(|_| Reader::open(file)).collect::<Result<_, Fault>>()?;
        Ok(Self { idle: Mutex::new(idle), commits: commits_to(file) })
    }

    /// Runs `work` here and now; `None` where it takes too long for that, and has to begin again elsewhere.
    pub fn read<T>(&self, shared: &Shared, work: &impl Fn(&Tx) -> Result<T>) -> Option<Result<T>> {
        let mut reader = self.idle().pop()?;
        let outcome = reader.read_in_place(shared, &self.commits, work);
        let mut idle = self.idle();
        // Asked with the lock in hand: what the writer lets go of next is not older than this.
        if !reader.is_current(&self.commits) {
            reader.let_go();
        }
        idle.push(reader);
        outcome
    }

    /// Says that something was committed: whoever reads from now on sees it.
    pub fn outdate(&self) {
        self.commits.fetch_add(1, Ordering::Release);
    }

    /// Lets go of every snapshot that nobody reads just now, so that the log can begin anew.
    pub fn let_go(&self) {
        self.idle().iter_mut().for_each(Reader::let_go);
    }

    #[cfg(test)]
    pub fn open_snapshots(&self) -> usize {
        self.idle().iter().filter(|reader| !reader.connection.is_autocommit()).count()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that reads, and for how long the read that runs on it may go on.
pub(super) struct Reader {
    pub connection: Connection,
    limit: Arc<Mutex<Limit>>,
    /// The snapshot that is open, by the commits before it and the moment of its opening.
    snapshot: Option<(u64, Instant)>,
}

/// When a read has had its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    None,
    Until(Instant),
    /// After so many more steps.
    Steps(u32),
    /// It has.
    Reached,
}

impl Limit {
    /// Whether it is reached, now that some more steps were taken.
    fn look(&mut self) -> bool {
        *self = match *self {
            Self::Until(then) if Instant::now() >= then => Self::Reached,
            Self::Steps(left) if left <= STEPS_BETWEEN_LOOKS => Self::Reached,
            Self::Steps(left) => Self::Steps(left - STEPS_BETWEEN_LOOKS),
            other => other,
        };
        *self == Self::Reached
    }
}

impl Reader {
    pub fn open(file: &Path) -> Result<Self, Fault> {
        let mut connection = connect(file, Kind::Reader)?;
        let limit = Arc::new(Mutex::new(Limit::None));
        let looked_at = Arc::clone(&limit);
        let look = move || looked_at.lock().is_ok_and(|mut limit| limit.look());
        connection.progress_handler(STEPS_BETWEEN_LOOKS as i32, Some(look))?;
        Ok(Self { connection, limit, snapshot: None })
    }

    /// Runs `work` on a snapshot of its own.
    pub fn read<T>(&self, shared: &Shared, limit: Limit, work: impl FnOnce(&Tx) -> Result<T>) -> Result<T> {
        execute(&self.connection, "begin")?;
        let (outcome, _) = self.run(shared, limit, work);
        execute(&self.connection, "commit")?;
        outcome
    }

    /// Runs `work` on the newest snapshot and keeps it open for the next; `None` where its steps did not suffice.
    fn read_in_place<T>(
        &mut self,
        shared: &Shared,
        commits: &AtomicU64,
        work: impl FnOnce(&Tx) -> Result<T>,
    ) -> Option<Result<T>> {
        if !self.is_current(commits) {
            self.let_go();
            // Counted before it is opened: a commit between the two makes it look older than it is, never newer.
            let opened = (commits.load(Ordering::Acquire), Instant::now());
            if let Err(fault) = execute(&self.connection, "begin") {
                return Some(Err(fault.into()));
            }
            self.snapshot = Some(opened);
        }
        let (outcome, was_cut) = self.run(shared, Limit::Steps(STEPS_IN_PLACE), work);
        if outcome.is_err() {
            self.let_go();
        }
        (!was_cut).then_some(outcome)
    }

    /// Whether its snapshot is open and shows all that was committed.
    fn is_current(&self, commits: &AtomicU64) -> bool {
        self.snapshot.is_some_and(|(seen, opened)| {
            seen == commits.load(Ordering::Acquire) && opened.elapsed() < SNAPSHOT_LIFE
        })
    }

    fn let_go(&mut self) {
        if self.snapshot.take().is_some()
            && let Err(fault) = execute(&self.connection, "commit")
        {
            tracing::error!(%fault, "a snapshot could not be closed");
        }
    }

    /// The outcome, and whether `work` was cut at its limit, so that it has not seen everything whatever it made of that.
    /// The limit is for `work` alone: a `begin` or `commit` that was interrupted would leave the connection in a snapshot.
    fn run<T>(
        &self,
        shared: &Shared,
        limit: Limit,
        work: impl FnOnce(&Tx) -> Result<T>,
    ) -> (Result<T>, bool) {
        *self.limit() = limit;
        let outcome = catching(|| work(&transaction(&self.connection, shared)));
        let was_cut = std::mem::replace(&mut *self.limit(), Limit::None) == Limit::Reached;
        (outcome, was_cut)
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
