//! What happens when nobody speaks. Every timer looks at the dispute again: it may have been answered, or be over.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::id::Id;
use crate::orders::{self, Hooks, Order, Side};
use crate::params;
use crate::time::Time;
use crate::users;

use super::commands::told;
use super::model::{Dispute, ESCALATES_EVERY, GRACE, Status, other};
use super::{DEADLINE, queries};

/// Reminds both sides, ends the dispute as its opener wishes, or asks administrators to decide; while a bank decides it
/// only waits. Whatever it does, an open dispute waits for its next deadline afterwards.
pub fn look(tx: &Tx, dispute: Id<()>) -> Result<()> {
    let found = queries::find(tx, dispute.cast())?.filter(|dispute| dispute.status == Status::Open);
    let Some(dispute) = found else { return Ok(()) };
    let order = orders::find(tx, dispute.order_id)?
        .ok_or_else(|| Error::broken(format!("dispute {} has no order", dispute.id)))?;
    if (tx.wired::<Hooks>().contested)(tx, order.id)? {
        return wait(tx, &dispute);
    }
    let held = queries::held(tx, &order)?;
    let is_over = dispute.decide_by <= tx.now();
    match dispute.silence_gives(&order, held.minor()) {
        Some(refund) if is_over && dispute.reminded_at.is_some() => {
            let reason = "The other side did not answer in time, so it ends as its opener wishes.";
            orders::resolve(tx, &Actor::System, &order, refund, reason).map(drop)
        }
        Some(refund) => remind(tx, &order, &dispute, (refund, held.minor())),
        None if is_over => escalate(tx, &order, &dispute),
        None => events::schedule(tx, DEADLINE, dispute.id, dispute.decide_by),
    }
}

/// Nobody could end it now, so nobody is late: the deadline moves on, and silence counts only after another reminder.
fn wait(tx: &Tx, dispute: &Dispute) -> Result<()> {
    let decide_by = dispute.decide_by.max(tx.now()).plus(GRACE);
    move_on(tx, dispute, decide_by, None)
}

/// Tells both what silence will lead to, and when: a day from now at least.
fn remind(tx: &Tx, order: &Order, dispute: &Dispute, (refund, held): (i64, i64)) -> Result<()> {
    let decide_by = dispute.decide_by.max(tx.now().plus(GRACE));
    move_on(tx, dispute, decide_by, Some(tx.now()))?;
    let silent = dispute.opener(order).map_or(Side::Freelancer, other);
    let ends = match held - refund {
        0 => "all of it goes back to the buyer".to_owned(),
        _ if refund == 0 => "all of it is released".to_owned(),
        _ => format!(
            "{} {} goes back to the buyer and the rest is released",
            order.amount.with_minor(refund),
            order.amount.currency()
        ),
    };
    let refund = order.amount.with_minor(refund);
    let message = format!("Unless the {silent} answers until {decide_by}, {ends}.");
    let mut body = told(order, refund, Some(&message));
    body["decide_by"] = json!(decide_by);
    events::append(tx, &Actor::System, "dispute_reminder", order.id, body).map(drop)
}

/// Both have spoken and do not agree, or the house must decide: every administrator is told, again and again.
fn escalate(tx: &Tx, order: &Order, dispute: &Dispute) -> Result<()> {
    let decide_by = match dispute.decide_by.plus(ESCALATES_EVERY) {
        next if next > tx.now() => next,
        _ => tx.now().plus(ESCALATES_EVERY),
    };
    move_on(tx, dispute, decide_by, dispute.reminded_at)?;
    let mut body = orders::told(order, None);
    body["decide_by"] = json!(decide_by);
    body["admin_ids"] = json!(users::administrators(tx)?);
    events::append(tx, &Actor::System, "dispute_escalated", order.id, body).map(drop)
}

fn move_on(tx: &Tx, dispute: &Dispute, decide_by: Time, reminded_at: Option<Time>) -> Result<()> {
    tx.send(
        "update disputes set decide_by = $2, reminded_at = $3, version = version + 1
         where id = $1 and status = 'open' and order_id = $4",
        params![dispute.id, decide_by, reminded_at, dispute.order_id],
    )?;
    events::schedule(tx, DEADLINE, dispute.id, Dispute::next_look(tx.now(), decide_by))
}
