//! Who moved orders, and when.

use std::time::Duration;

use crate::actor::UserId;
use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::orders::{EDGES, Side, Status};
use crate::params;
use crate::time::Time;

use super::Witnesses;

/// Of two processes within the same moment either may come first.
const NEARLY: Duration = Duration::from_millis(1);

/// An order is between two people, each of its steps was taken by somebody who may take it, and time runs forward.
pub(super) fn are_moved_rightly(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let alone = "select id from orders where buyer_id = freelancer_id or amount_minor <= 0";
    found.search(tx, alone, params![], |row| {
        Ok(Some(format!("order {} is not a sale between two people", row.next::<Id<()>>()?)))
    })?;
    taken_by_those_who_may(tx, found)?;
    time_runs_forward(tx, found)
}

/// Steps, with who took them. What nobody took the house did.
fn taken_by_those_who_may(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let steps = "select o.id, o.buyer_id, o.freelancer_id, e.kind, e.actor_id, e.body ->> 'from', e.body ->> 'status', u.role
         from events e join orders o on o.id = e.subject_id left join users u on u.id = e.actor_id
         where e.kind in ('order_paid', 'order_delivered', 'order_revision_requested', 'order_completed',
             'order_cancelled', 'order_disputed')";
    found.search(tx, steps, params![], |row| {
        let order: Id<()> = row.next()?;
        let (buyer, freelancer, kind): (UserId, UserId, String) = (row.next()?, row.next()?, row.next()?);
        let actor: Option<UserId> = row.next()?;
        let (from, to): (Option<String>, Option<String>) = (row.next()?, row.next()?);
        let role: Option<String> = row.next()?;
        let side = match actor {
            None => Side::House,
            Some(actor) if actor == buyer => Side::Buyer,
            Some(actor) if actor == freelancer => Side::Freelancer,
            Some(_) if role.as_deref() == Some("admin") => Side::Admin,
            Some(actor) => {
                return Ok(Some(format!(
                    "order {order} was moved by {actor}, whom it does not concern: {kind}"
                )));
            }
        };
        let step = from.as_deref().and_then(Status::parse).zip(to.as_deref().and_then(Status::parse));
        let Some((from, to)) = step else { return Ok(None) };
        // What the house does on somebody's word, a full refund for instance, is told with his name.
        let may = EDGES
            .iter()
            .any(|edge| (edge.from, edge.to) == (from, to) && (edge.by == side || edge.by == Side::House));
        Ok((!may).then(|| format!("order {order} was moved from {from} to {to} by its {side}: {kind}")))
    })
}

/// No event before the one before it, and no deadline before its time.
fn time_runs_forward(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let mut last: Option<(Id<()>, Time)> = None;
    let events =
        "select o.id, e.id, e.at from orders o join events e on e.subject_id = o.id order by o.id, e.id";
    found.search(tx, events, params![], |row| {
        let (order, event, at): (Id<()>, Id<()>, Time) = (row.next()?, row.next()?, row.next()?);
        let before = last.replace((order, at));
        let back = before.is_some_and(|(other, then)| other == order && then > at.plus(NEARLY));
        Ok(back.then(|| format!("event {event} of order {order} happened before the one before it")))
    })?;
    let early = "select o.id, e.id from events e join orders o on o.id = e.subject_id
         where e.kind = 'order_cancelled' and e.actor_id is null and e.body ->> 'from' = 'pending' and e.at < o.pay_by";
    found.search(tx, early, params![], |row| {
        let (order, event): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        Ok(Some(format!("order {order} was cancelled as unpaid before it was due, by event {event}")))
    })
}
