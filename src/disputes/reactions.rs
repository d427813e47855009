//! A dispute begins and ends with its order's moves, whoever made them.

use serde_json::Value;

use crate::config::Market;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::money::{Currency, Money};
use crate::orders;
use crate::params;

use super::commands::told;
use super::model::{Dispute, DisputeId, Status};
use super::{DEADLINE, queries};

/// Subscribed to events: an order that becomes disputed gets its dispute, one that was loses it, in the same transaction.
pub fn follow_order(tx: &Tx, event: &Event) -> Result<()> {
    match event.kind.as_str() {
        "order_disputed" => open(tx, event),
        "order_completed" | "order_cancelled" if event.body["from"] == "disputed" => close(tx, event),
        _ => Ok(()),
    }
}

fn open(tx: &Tx, event: &Event) -> Result<()> {
    let id: DisputeId = tx.new_id();
    let decide_by = tx.now().plus(tx.wired::<Market>().dispute_within);
    tx.send(
        "insert into disputes (id, order_id, opened_by, reason, status, decide_by, opened_at)
         values ($1, $2, $3, $4, 'open', $5, $6)",
        params![id, event.subject_id, event.actor_id, event.body["message"].as_str(), decide_by, tx.now()],
    )?;
    events::schedule(tx, DEADLINE, id, Dispute::next_look(tx.now(), decide_by))
}

/// Writes down how it ended. Only by accepting an offer can one of the two sides end it.
fn close(tx: &Tx, event: &Event) -> Result<()> {
    let missing = || Error::broken(format!("order {} was disputed without a dispute", event.subject_id));
    let order = orders::find(tx, event.subject_id.cast())?.ok_or_else(missing)?;
    let dispute = queries::of_order(tx, order.id)?.ok_or_else(missing)?;
    let refund = refunded(&event.body, order.amount.currency())?;
    let reason = event.body["message"].as_str();
    let agreed = event.actor_id.is_some_and(|actor| actor == order.buyer_id || actor == order.freelancer_id);
    let (status, kind) = match agreed {
        true => (Status::Settled, "dispute_settled"),
        false => (Status::Decided, "dispute_decided"),
    };
    let closed = tx.execute(
        "update disputes set status = $2, refund_minor = $3, decided_by = $4, decision = $5, closed_at = $6,
             version = version + 1
         where id = $1 and status = 'open' and order_id = $7",
        params![dispute.id, status, refund.minor(), event.actor_id, reason, tx.now(), dispute.order_id],
    )?;
    if closed == 0 {
        return Err(missing());
    }
    events::cancel(tx, DEADLINE, dispute.id)?;
    events::append_after(tx, event, kind, order.id, told(&order, refund, reason)).map(drop)
}

/// What the move sent back to the buyer.
fn refunded(body: &Value, currency: Currency) -> Result<Money> {
    match body["refund_amount"].as_str() {
        Some(text) => Money::parse(text, currency)
            .map_err(|why| Error::broken(format!("a refund of `{text}` {currency}: {why:?}"))),
        None => Ok(Money::new(0, currency)),
    }
}
