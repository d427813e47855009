//! What is due when. One timer per kind and subject: scheduling again moves it. Of several who want a row, the one whose
//! compare-and-set of `due_at` succeeds has it.

use std::time::Duration;

use crate::db::{Sql, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::params;
use crate::time::Time;

use super::nodes::{Node, NodeId};

/// The worker looks this often by itself; only what is due sooner needs to wake it.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// A row that is due.
#[derive(Debug, Clone)]
pub(super) struct Timer {
    pub kind: String,
    pub subject: Id<()>,
    pub due_at: Time,
    pub attempts: i64,
}

/// Lets the handler of `kind` run for `subject` at `due_at`, in place of whenever it was due before.
pub fn schedule<K>(tx: &Tx, kind: &'static str, subject: Id<K>, due_at: Time) -> Result<()> {
    set(tx, kind, subject, due_at, None)
}

/// The same for something that this process is at: the handler runs earlier if the process is found dead.
pub fn lease<K>(tx: &Tx, kind: &'static str, subject: Id<K>, until: Time) -> Result<()> {
    set(tx, kind, subject, until, Some(tx.wired::<Node>().id))
}

/// The same as [`schedule`], unless another process is at it: then that one decides.
pub fn put_off<K>(tx: &Tx, kind: &'static str, subject: Id<K>, due_at: Time) -> Result<()> {
    let elsewhere = tx.exists(
        "select 1 from timers where kind = $1 and subject_id = $2 and leased_by is not null and leased_by <> $3",
        params![kind, subject, tx.wired::<Node>().id],
    )?;
    if elsewhere { Ok(()) } else { schedule(tx, kind, subject, due_at) }
}

fn set<K>(
    tx: &Tx,
    kind: &'static str,
    subject: Id<K>,
    due_at: Time,
    leased_by: Option<NodeId>,
) -> Result<()> {
    tx.send(
        "insert into timers (kind, subject_id, due_at, leased_by) values ($1, $2, $3, $4)
         on conflict (kind, subject_id) do update
         set due_at = excluded.due_at, leased_by = excluded.leased_by, attempts = 0",
        params![kind, subject, due_at, leased_by],
    )?;
    if due_at <= tx.now().plus(LOOKS_EVERY) {
        tx.leave_work();
    }
    Ok(())
}

/// Takes it back.
pub fn cancel<K>(tx: &Tx, kind: &'static str, subject: Id<K>) -> Result<()> {
    tx.send("delete from timers where kind = $1 and subject_id = $2", params![kind, subject])
}

/// Lets everything that `node` held be due now: it is gone.
pub(super) fn free(tx: &Tx, node: NodeId) -> Result<u64> {
    let freed = tx.execute(
        "update timers set due_at = $2, leased_by = null where leased_by = $1",
        params![node, tx.now()],
    )?;
    tx.leave_work();
    Ok(freed)
}

/// The oldest that are due, of these kinds.
pub(super) fn due(tx: &Tx, kinds: &[&'static str], most: i64) -> Result<Vec<Timer>> {
    let mut oldest = Sql::new("select kind, subject_id, due_at, attempts from timers where ");
    among(&mut oldest, kinds).push(" and due_at <= ").bind(tx.now());
    oldest.push(" order by due_at, kind, subject_id limit ").bind(most);
    oldest.all(tx, |row| {
        Ok(Timer { kind: row.next()?, subject: row.next()?, due_at: row.next()?, attempts: row.next()? })
    })
}

/// When the next one of these kinds is due.
pub(super) fn next_due(tx: &Tx, kinds: &[&'static str]) -> Result<Option<Time>> {
    let mut next = Sql::new("select due_at from timers where ");
    among(&mut next, kinds).push(" order by due_at limit 1");
    tx.first(next.text(), &next.params(), |row| row.next())
}

/// Wrapped, so that the kinds do not choose the index: walked by time, only what is due is read.
fn among<'s>(sql: &'s mut Sql, kinds: &[&'static str]) -> &'s mut Sql {
    sql.push("kind || '' in (");
    for (place, kind) in kinds.iter().enumerate() {
        if place > 0 {
            sql.push(", ");
        }
        sql.bind(*kind);
    }
    sql.push(")")
}

impl Timer {
    /// Takes it, if nobody else has; the caller acts in the same transaction.
    pub fn take(&self, tx: &Tx) -> Result<bool> {
        let taken = tx.execute(
            "delete from timers where kind = $1 and subject_id = $2 and due_at = $3",
            params![self.kind, self.subject, self.due_at],
        )?;
        Ok(taken == 1)
    }

    /// Holds it until `until` for this process, if nobody else does; it fires again then, or earlier if the process is
    /// found dead, unless it is [`Self::take`]n.
    pub fn lease(&self, tx: &Tx, until: Time) -> Result<bool> {
        self.move_to(tx, until, Some(tx.wired::<Node>().id), self.attempts)
    }

    /// Lets it fire at `until`, if nobody else has it: an attempt has failed.
    pub fn put_off(&self, tx: &Tx, until: Time) -> Result<bool> {
        self.move_to(tx, until, None, self.attempts + 1)
    }

    fn move_to(&self, tx: &Tx, until: Time, leased_by: Option<NodeId>, attempts: i64) -> Result<bool> {
        let moved = tx.execute(
            "update timers set due_at = $4, leased_by = $5, attempts = $6
             where kind = $1 and subject_id = $2 and due_at = $3",
            params![self.kind, self.subject, self.due_at, until, leased_by, attempts],
        )?;
        Ok(moved == 1)
    }
}
