//! What is due when. One timer per kind and subject: scheduling again moves it.

use std::time::Duration;

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;
use crate::time::Time;

/// The worker looks this often by itself; only what is due sooner needs to wake it.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// A row that is due.
#[derive(Debug, Clone)]
pub(super) struct Timer {
    pub id: Id<Timer>,
    pub kind: String,
    pub subject: Id<()>,
    pub due_at: Time,
    pub attempts: i64,
}

/// Lets the handler of `kind` run for `subject` at `due_at`, in place of whenever it was due before.
pub fn schedule<K>(tx: &Tx, kind: &'static str, subject: Id<K>, due_at: Time) -> Result<()> {
    tx.execute(
        "insert into timers (id, kind, subject_id, due_at) values ($1, $2, $3, $4)
         on conflict (kind, subject_id) do update set due_at = excluded.due_at, attempts = 0",
        params![tx.new_id::<Timer>(), kind, subject, due_at],
    )?;
    if due_at <= tx.now().plus(LOOKS_EVERY) {
        tx.leave_work();
    }
    Ok(())
}

/// Takes it back.
pub fn cancel<K>(tx: &Tx, kind: &'static str, subject: Id<K>) -> Result<()> {
    tx.execute("delete from timers where kind = $1 and subject_id = $2", params![kind, subject])?;
    Ok(())
}

/// Lets everything of `kind` be due now: whoever was at it when the program ended is gone.
pub fn hasten(tx: &Tx, kind: &'static str) -> Result<()> {
    tx.execute("update timers set due_at = $2 where kind = $1 and due_at > $2", params![kind, tx.now()])?;
    tx.leave_work();
    Ok(())
}

pub(super) fn due(tx: &Tx, most: i64) -> Result<Vec<Timer>> {
    tx.all(
        "select id, kind, subject_id, due_at, attempts from timers where due_at <= $1 order by due_at, id limit $2",
        params![tx.now(), most],
        |row| {
            Ok(Timer {
                id: row.next()?,
                kind: row.next()?,
                subject: row.next()?,
                due_at: row.next()?,
                attempts: row.next()?,
            })
        },
    )
}

/// When the next one is due.
pub(super) fn next_due(tx: &Tx) -> Result<Option<Time>> {
    tx.one("select min(due_at) from timers", params![], |row| row.next())
}

impl Timer {
    /// Takes it, if nobody else has; the caller acts in the same transaction.
    pub fn take(&self, tx: &Tx) -> Result<bool> {
        Ok(tx.execute("delete from timers where id = $1 and due_at = $2", params![self.id, self.due_at])?
            == 1)
    }

    /// Holds it until `until`, if nobody else does; it fires again then unless it is [`Self::take`]n.
    pub fn lease(&self, tx: &Tx, until: Time) -> Result<bool> {
        let moved = tx.execute(
            "update timers set due_at = $3, attempts = attempts + 1 where id = $1 and due_at = $2",
            params![self.id, self.due_at, until],
        )?;
        Ok(moved == 1)
    }
}
