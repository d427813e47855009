//! The append-only log: the order's timeline, the audit trail, the source of what people are told.

use serde_json::Value;

use crate::actor::{Actor, UserId};
use crate::db::{Json, Row, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::params;
use crate::time::Time;

pub enum EventKind {}
pub type EventId = Id<EventKind>;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub at: Time,
    /// Who did it; `None` is a deadline or the operator.
    pub actor_id: Option<UserId>,
    pub kind: String,
    /// The order, listing, account … it happened to.
    pub subject_id: Id<()>,
    pub body: Value,
}

/// Those who are told in the event's own transaction: inbox rows, aggregates. Filled in `app.rs`.
pub struct Subscribers(pub Vec<fn(&Tx, &Event) -> Result<()>>);

/// Writes the event and tells the subscribers. `body` carries everything they need to know.
pub fn append<K>(tx: &Tx, actor: &Actor, kind: &'static str, subject: Id<K>, body: Value) -> Result<Event> {
    write(tx, actor.id(), kind, subject, body)
}

/// The same for what `cause` entails: whoever did that did this.
pub fn append_after<K>(
    tx: &Tx,
    cause: &Event,
    kind: &'static str,
    subject: Id<K>,
    body: Value,
) -> Result<Event> {
    write(tx, cause.actor_id, kind, subject, body)
}

fn write<K>(
    tx: &Tx,
    actor_id: Option<UserId>,
    kind: &'static str,
    subject: Id<K>,
    body: Value,
) -> Result<Event> {
    let event = Event {
        id: tx.new_id(),
        at: tx.now(),
        actor_id,
        kind: kind.to_owned(),
        subject_id: subject.cast(),
        body,
    };
    tx.send(
        "insert into events (id, at, actor_id, kind, subject_id, body) values ($1, $2, $3, $4, $5, $6)",
        params![event.id, event.at, event.actor_id, event.kind, event.subject_id, Json(&event.body)],
    )?;
    for tell in &tx.wired::<Subscribers>().0 {
        tell(tx, &event)?;
    }
    Ok(event)
}

/// Everything that happened to one thing before `before`, newest first.
pub fn of_subject<K>(tx: &Tx, subject: Id<K>, before: Option<EventId>, limit: i64) -> Result<Vec<Event>> {
    let before = before.unwrap_or(Id::from_uuid(uuid::Uuid::max()));
    tx.all(
        "select id, at, actor_id, kind, subject_id, body from events
         where subject_id = $1 and id < $2 order by id desc limit $3",
        params![subject, before, limit],
        event,
    )
}

/// When the last thing happened.
pub fn newest_at(tx: &Tx) -> Result<Option<Time>> {
    tx.first("select at from events order by id desc limit 1", params![], |row| row.next())
}

fn event(row: &Row) -> Result<Event> {
    Ok(Event {
        id: row.next()?,
        at: row.next()?,
        actor_id: row.next()?,
        kind: row.next()?,
        subject_id: row.next()?,
        body: row.next::<Json<Value>>()?.0,
    })
}
