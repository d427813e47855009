//! What the event log says, against what is stored.

use serde_json::Value;

use crate::actor::UserId;
use crate::db::{Json, Tx};
use crate::error::Result;
use crate::events::EventId;
use crate::id::Id;
use crate::notifications::recipients;
use crate::orders::{self, Status};
use crate::params;

use super::Witnesses;

/// An order on the way through its history.
struct Replay {
    order: Id<()>,
    stored: String,
    reached: Option<String>,
    wrong: Option<String>,
}

impl Replay {
    fn step(&mut self, kind: &str, from: Option<String>, to: Option<String>) {
        let problem = match (&self.reached, from, to) {
            (None, _, _) if kind == "order_placed" => {
                self.reached = Some("pending".to_owned());
                return;
            }
            (Some(reached), Some(from), Some(to)) if *reached == from => {
                let edge = Status::parse(&from).zip(Status::parse(&to));
                let legal = edge.is_some_and(|(from, to)| orders::legal(from, to));
                self.reached = Some(to.clone());
                if legal {
                    return;
                }
                format!("{kind} moves it from {from} to {to}, which is no legal move")
            }
            (None, _, _) => format!("{kind} comes before order_placed"),
            (Some(reached), from, to) => {
                let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
                format!("{kind} moves it from `{from}` to `{to}` while it is {reached}")
            }
        };
        self.wrong.get_or_insert(problem);
    }

    fn verdict(self) -> Option<String> {
        let Self { order, stored, reached, wrong } = self;
        let reached = reached.unwrap_or_else(|| "nothing".to_owned());
        let wrong = wrong.or_else(|| {
            (reached != stored).then(|| format!("its events lead to {reached}, it is stored as {stored}"))
        });
        wrong.map(|wrong| format!("order {order}: {wrong}"))
    }
}

/// Replaying an order's events gives its status, through legal moves only.
pub(super) fn replays(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let moves = "select o.id, o.status, e.kind, e.body ->> 'from', e.body ->> 'status'
         from orders o left join events e on e.subject_id = o.id and e.kind in ('order_placed', 'order_paid',
             'order_delivered', 'order_revision_requested', 'order_completed', 'order_cancelled', 'order_disputed')
         order by o.id, e.id";
    let mut current: Option<Replay> = None;
    let mut wants_more = true;
    tx.each(moves, params![], |row| {
        let (order, stored): (Id<()>, String) = (row.next()?, row.next()?);
        if current.as_ref().is_none_or(|replay| replay.order != order) {
            let next = Replay { order, stored, reached: None, wrong: None };
            let verdict = current.replace(next).and_then(Replay::verdict);
            wants_more = verdict.is_none_or(|wrong| found.add(wrong));
        }
        if let (Some(replay), Some(kind)) = (&mut current, row.next::<Option<String>>()?) {
            replay.step(&kind, row.next()?, row.next()?);
        }
        Ok(wants_more)
    })?;
    if let Some(wrong) = current.filter(|_| wants_more).and_then(Replay::verdict) {
        found.add(wrong);
    }
    let strays = "select e.id, e.kind from events e
         where (e.kind like 'order^_%' escape '^' or e.kind like 'dispute^_%' escape '^' or e.kind like 'settlement^_%' escape '^')
             and not exists (select 1 from orders o where o.id = e.subject_id)";
    found.search(tx, strays, params![], |row| {
        let (event, kind): (Id<()>, String) = (row.next()?, row.next()?);
        Ok(Some(format!("event {event}, {kind}, happened to no order")))
    })
}

/// One event with whom it should have told and whom it told.
struct Telling {
    event: EventId,
    kind: String,
    expected: Vec<UserId>,
    told: Vec<UserId>,
}

impl Telling {
    /// An account that was deleted is told nothing more, and its inbox went with it.
    fn verdict(mut self, tx: &Tx) -> Result<Option<String>> {
        self.expected.sort_unstable();
        self.told.sort_unstable();
        if self.expected != self.told {
            let mut expected = Vec::new();
            for user in self.expected {
                let gone = "select 1 from users where id = $1 and status = 'deleted'";
                if !tx.exists(gone, params![user])? {
                    expected.push(user);
                }
            }
            self.expected = expected;
        }
        let Self { event, kind, expected, told } = self;
        Ok((expected != told).then(|| {
            format!("{kind} {event} concerns {expected:?}, each to be told once, and told {told:?}")
        }))
    }
}

/// Every event that must notify did so once.
pub(super) fn told_once(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let tellings = "select e.id, e.kind, e.actor_id, e.body, n.user_id
         from events e left join notifications n on n.event_id = e.id order by e.id";
    let mut current: Option<Telling> = None;
    let mut wants_more = true;
    tx.each(tellings, params![], |row| {
        let event: EventId = row.next()?;
        let kind: String = row.next()?;
        let (actor, body): (Option<UserId>, Json<Value>) = (row.next()?, row.next()?);
        if current.as_ref().is_none_or(|telling| telling.event != event) {
            let expected = recipients(&kind, &body.0, actor);
            let next = Telling { event, kind, expected, told: Vec::new() };
            if let Some(last) = current.replace(next) {
                wants_more = last.verdict(tx)?.is_none_or(|wrong| found.add(wrong));
            }
        }
        if let (Some(telling), Some(user)) = (&mut current, row.next()?) {
            telling.told.push(user);
        }
        Ok(wants_more)
    })?;
    if let Some(last) = current.filter(|_| wants_more)
        && let Some(wrong) = last.verdict(tx)?
    {
        found.add(wrong);
    }
    Ok(())
}
