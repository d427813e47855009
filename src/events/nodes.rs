//! The processes that share the database. Each keeps a row that moves while it lives; what one held when it fell silent is
//! freed by another, once. Silence is counted in the beats of whoever listens: clocks that differ, a database that was away
//! and a listener that was frozen itself make nobody look dead.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;
use crate::time::Time;

use super::timers;

pub enum NodeKind {}
pub type NodeId = Id<NodeKind>;

/// How often a process says that it lives.
pub const BEAT: Duration = Duration::from_secs(1);
/// One that has not moved for this many beats of another is dead.
const SILENT_BEATS: u32 = 12;

/// This process, as the others and the operator see it.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: NodeId,
    /// Where it answers.
    pub listen: String,
    /// What it answers for, and whose timers it runs.
    pub services: String,
}

impl Node {
    pub fn new(listen: impl ToString, services: impl Into<String>) -> Self {
        Self { id: Id::from_uuid(Uuid::now_v7()), listen: listen.to_string(), services: services.into() }
    }
}

/// Joins the others. Where nobody else can be there, whoever left a row behind is dead.
pub async fn enter(app: &App) -> Result<()> {
    let alone = app.db().is_exclusive();
    app.db()
        .write(move |tx| {
            if alone {
                for (left_behind, seen_at) in others(tx)? {
                    bury(tx, left_behind, seen_at)?;
                }
            }
            register(tx)
        })
        .await
}

/// Leaves in order: what this process still holds is anybody's at once.
pub async fn leave(app: &App) -> Result<()> {
    app.db()
        .write(|tx| {
            let own = tx.wired::<Node>().id;
            tx.execute("delete from nodes where id = $1", params![own])?;
            timers::free(tx, own).map(drop)
        })
        .await
}

/// Frees what this process holds itself: while the database was away, its work may have ended without being able to say
/// so. What is still at work may be done twice, which its key makes harmless.
pub async fn let_go(app: &App) -> Result<()> {
    let freed = app.db().write(|tx| timers::free(tx, tx.wired::<Node>().id)).await?;
    if freed > 0 {
        tracing::info!(freed, "what was cut off while the database was away is due now");
    }
    Ok(())
}

/// What a process has heard of the others.
#[derive(Default)]
pub struct Watch {
    heard: HashMap<NodeId, Heard>,
}

#[derive(Clone, Copy)]
struct Heard {
    seen_at: Time,
    /// Beats of this process since the other one moved.
    silent_beats: u32,
}

impl Watch {
    /// Says that this process lives, and frees what the dead held.
    pub async fn beat(&mut self, app: &App) -> Result<()> {
        if app.db().write(renew).await? {
            tracing::warn!(
                "the other nodes had given this one up, for it was silent: they took over what it held"
            );
        }
        let others = app.db().read(others).await?;
        metrics::gauge!("nodes").set(u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1));
        for (node, seen_at) in self.listen(others) {
            if let Some(freed) = app.db().write(move |tx| bury(tx, node, seen_at)).await? {
                tracing::warn!(%node, freed, "a node is dead: what it held is due now");
                metrics::counter!("nodes_buried_total").increment(1);
            }
        }
        Ok(())
    }

    /// Notes who has moved; those who have not for too long.
    fn listen(&mut self, others: Vec<(NodeId, Time)>) -> Vec<(NodeId, Time)> {
        let before = std::mem::take(&mut self.heard);
        self.heard = others
            .iter()
            .map(|(node, seen_at)| {
                let silent_beats = match before.get(node) {
                    Some(heard) if heard.seen_at == *seen_at => heard.silent_beats + 1,
                    _ => 0,
                };
                (*node, Heard { seen_at: *seen_at, silent_beats })
            })
            .collect();
        let is_dead = |(node, _): &(NodeId, Time)| self.heard[node].silent_beats >= SILENT_BEATS;
        others.into_iter().filter(is_dead).collect()
    }
}

fn register(tx: &Tx) -> Result<()> {
    let node = tx.wired::<Node>();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    tx.execute(
        "insert into nodes (id, host, listen, services, version, started_at, seen_at)
         values ($1, $2, $3, $4, $5, $6, $6)",
        params![node.id, host, node.listen, node.services, env!("CARGO_PKG_VERSION"), tx.now()],
    )?;
    Ok(())
}

/// Moves this process's row, also while the clock stands still because the database's was set back; whether it was gone
/// and had to be made anew.
fn renew(tx: &Tx) -> Result<bool> {
    let own = tx.wired::<Node>().id;
    let before: Option<Time> =
        tx.first("select seen_at from nodes where id = $1", params![own], |row| row.next())?;
    let Some(before) = before else {
        register(tx)?;
        return Ok(true);
    };
    let moved = tx.now().max(before.plus(Duration::from_micros(1)));
    tx.execute("update nodes set seen_at = $2 where id = $1", params![own, moved])?;
    Ok(false)
}

fn others(tx: &Tx) -> Result<Vec<(NodeId, Time)>> {
    tx.all("select id, seen_at from nodes where id <> $1", params![tx.wired::<Node>().id], |row| {
        Ok((row.next()?, row.next()?))
    })
}

/// Frees what a node held that was last seen at `seen_at`; how much that was. `None` when it moved since, or when
/// somebody else has buried it.
fn bury(tx: &Tx, node: NodeId, seen_at: Time) -> Result<Option<u64>> {
    let gone = tx.execute("delete from nodes where id = $1 and seen_at = $2", params![node, seen_at])?;
    if gone == 0 {
        return Ok(None);
    }
    timers::free(tx, node).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u128) -> NodeId {
        Id::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_node_is_dead_when_it_has_not_moved_for_twelve_beats() {
        let mut watch = Watch::default();
        let (silent, lively) = (node(1), node(2));
        let at = |beat: u32| {
            vec![(silent, Time::from_micros(0)), (lively, Time::from_micros(i64::from(beat / 2)))]
        };
        for beat in 0..SILENT_BEATS {
            assert_eq!(watch.listen(at(beat)), [], "beat {beat}");
        }
        assert_eq!(watch.listen(at(SILENT_BEATS)), [(silent, Time::from_micros(0))]);
    }

    #[test]
    fn a_node_that_comes_back_is_counted_anew() {
        let mut watch = Watch::default();
        let gone_since = vec![(node(1), Time::from_micros(0))];
        for _ in 0..SILENT_BEATS {
            watch.listen(gone_since.clone());
        }
        watch.listen(Vec::new());
        assert_eq!(watch.listen(gone_since), []);
    }
}
