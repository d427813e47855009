//! What the two sides and administrators do in a dispute. Its end is the order's move: [`super::reactions`] closes it.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{self, Error, FORBIDDEN, Result};
use crate::events;
use crate::form::{Text, Unchecked};
use crate::money::{MAX_MINOR, Money};
use crate::orders::{self, Order, OrderId, Side};
use crate::params;

use super::model::{
    AcceptSettlement, DecideDispute, Dispute, DisputeMessage, OfferSettlement, OpenDispute, Status,
    WriteInDispute, other, parsed, part_of,
};
use super::{DISPUTE_CLOSED, OFFER_CHANGED, queries};

/// An order and the dispute about it, as a command leaves them.
pub(super) type Left = (Order, Dispute);

/// Opens a dispute: the order is frozen in the same step.
pub(super) fn open(tx: &Tx, actor: &Actor, id: OrderId, input: &Unchecked<OpenDispute>) -> Result<Left> {
    let order = orders::seen(tx, actor, id)?;
    require_party(&order, actor, "only the buyer or the freelancer opens a dispute")?;
    let input = input.check()?;
    let currency = order.amount.currency();
    let wanted = input.wants.as_ref().map(|wants| parsed(wants, currency, "wants")).transpose()?;
    let order = orders::dispute(tx, actor, &order, Some(input.reason.as_str()))?;
    if let Some(wants) = &input.wants {
        part_of(queries::held(tx, &order)?, wants, "wants")?;
    }
    tx.send(
        "update disputes set wanted_minor = $2 where order_id = $1 and status = 'open'",
        params![order.id, wanted.map(Money::minor)],
    )?;
    left(tx, order.id)
}

/// Says something about the dispute to everybody whom it concerns.
pub(super) fn write(
    tx: &Tx,
    actor: &Actor,
    id: OrderId,
    input: &Unchecked<WriteInDispute>,
) -> Result<DisputeMessage> {
    let author_id = actor.require_user()?;
    let (order, dispute) = queries::seen(tx, actor, id)?;
    let message = input.check()?.message;
    let side = queries::side_of(&order, author_id);
    speak(tx, &order, &dispute, side)?;
    let said = DisputeMessage {
        id: tx.new_id(),
        author_id,
        side,
        message: message.as_str().to_owned(),
        created_at: tx.now(),
    };
    tx.send(
        "insert into dispute_messages (id, dispute_id, author_id, message, created_at)
         values ($1, $2, $3, $4, $5)",
        params![said.id, dispute.id, author_id, said.message, said.created_at],
    )?;
    events::append(tx, actor, "dispute_message", order.id, orders::told(&order, Some(message.as_str())))?;
    Ok(said)
}

/// Offers a split, in place of what the same side offered before.
pub(super) fn offer(tx: &Tx, actor: &Actor, id: OrderId, input: &Unchecked<OfferSettlement>) -> Result<Left> {
    let (order, dispute) = queries::seen(tx, actor, id)?;
    let side = require_party(&order, actor, SETTLED_BY_SIDES)?;
    let input = input.check()?;
    parsed(&input.refund_amount, order.amount.currency(), "refund_amount")?;
    require_open(&dispute)?;
    let refund = part_of(queries::held(tx, &order)?, &input.refund_amount, "refund_amount")?;
    speak(tx, &order, &dispute, side)?;
    let message = input.message.as_ref().map(Text::as_str);
    tx.send(
        "insert into dispute_offers (dispute_id, side, refund_minor, message, offered_at)
         values ($1, $2, $3, $4, $5)
         on conflict (dispute_id, side) do update
         set refund_minor = excluded.refund_minor, message = excluded.message, offered_at = excluded.offered_at",
        params![dispute.id, side, refund.minor(), message, tx.now()],
    )?;
    events::append(tx, actor, "settlement_offered", order.id, told(&order, refund, message))?;
    left(tx, order.id)
}

/// Takes one's offer back.
pub(super) fn withdraw(tx: &Tx, actor: &Actor, id: OrderId) -> Result<()> {
    let (order, dispute) = queries::seen(tx, actor, id)?;
    let side = require_party(&order, actor, SETTLED_BY_SIDES)?;
    require_open(&dispute)?;
    let offers = queries::offers(tx, dispute.id, order.amount.currency())?;
    let standing = offers.of(side).ok_or_else(|| error::NOT_FOUND.error("you offer nothing now"))?;
    speak(tx, &order, &dispute, side)?;
    tx.send(
        "delete from dispute_offers where dispute_id = $1 and side = $2 and accepted_at is null",
        params![dispute.id, side],
    )?;
    let body = told(&order, standing.refund_amount, None);
    events::append(tx, actor, "settlement_withdrawn", order.id, body).map(drop)
}

/// Accepts what the other side offers, if it offers exactly that: the money moves at once.
pub(super) fn accept(
    tx: &Tx,
    actor: &Actor,
    id: OrderId,
    input: &Unchecked<AcceptSettlement>,
) -> Result<Left> {
    let (order, dispute) = queries::seen(tx, actor, id)?;
    let side = require_party(&order, actor, SETTLED_BY_SIDES)?;
    let refund = parsed(&input.check()?.refund_amount, order.amount.currency(), "refund_amount")?;
    require_open(&dispute)?;
    let held = queries::held(tx, &order)?;
    let offers = queries::offers(tx, dispute.id, order.amount.currency())?;
    let is_offered = offers.of(other(side)).is_some_and(|offer| offer.refund_amount == refund);
    if !is_offered || refund.minor() > held.minor() {
        return Err(changed(tx, &order, &dispute, other(side), held)?);
    }
    let reason = format!("Both sides agreed that {refund} {} goes back to the buyer.", refund.currency());
    orders::resolve(tx, actor, &order, refund.minor(), &reason)?;
    // Behind the dispute, which whoever offers takes first, too: so the two do not wait for each other.
    let taken = tx.execute(
        "update dispute_offers set accepted_at = $4
         where dispute_id = $1 and side = $2 and refund_minor = $3 and accepted_at is null",
        params![dispute.id, other(side), refund.minor(), tx.now()],
    )?;
    if taken == 0 {
        return Err(changed(tx, &order, &dispute, other(side), held)?);
    }
    left(tx, order.id)
}

/// Ends a dispute on the word of an administrator.
pub(super) fn decide(tx: &Tx, actor: &Actor, id: OrderId, input: &Unchecked<DecideDispute>) -> Result<Left> {
    let (order, dispute) = queries::seen(tx, actor, id)?;
    actor.require_admin()?;
    let input = input.check()?;
    input.part_of(order.amount.with_minor(MAX_MINOR))?;
    require_open(&dispute)?;
    let refund = input.part_of(queries::held(tx, &order)?)?;
    orders::resolve(tx, actor, &order, refund.minor(), input.reason.as_str())?;
    left(tx, order.id)
}

const SETTLED_BY_SIDES: &str =
    "a settlement is between the buyer and the freelancer: POST /orders/{id}/dispute/decision decides";

fn require_party(order: &Order, actor: &Actor, why: &'static str) -> Result<Side> {
    order
        .side_of(actor)
        .filter(|side| matches!(side, Side::Buyer | Side::Freelancer))
        .ok_or_else(|| FORBIDDEN.error(why))
}

fn require_open(dispute: &Dispute) -> Result<()> {
    if dispute.status == Status::Open { Ok(()) } else { Err(closed(dispute.status)) }
}

fn closed(status: Status) -> Error {
    DISPUTE_CLOSED
        .error(format!("the dispute is {status}: GET /orders/{{id}}/dispute tells how it ended"))
        .with("current", status)
}

/// Notes that `side` has spoken, if the dispute is still open.
fn speak(tx: &Tx, order: &Order, dispute: &Dispute, side: Side) -> Result<()> {
    let answered_at = dispute.is_answered_by(order, side).then(|| tx.now());
    let noted = tx.execute(
        "update disputes set answered_at = coalesce(answered_at, $2), version = version + 1
         where id = $1 and status = 'open' and order_id = $3",
        params![dispute.id, answered_at, dispute.order_id],
    )?;
    match noted {
        0 => Err(closed(queries::find(tx, dispute.id)?.map_or(dispute.status, |dispute| dispute.status))),
        _ => Ok(()),
    }
}

/// 409: what `side` offers now. More than is `held` since a bank took some of it is no offer.
fn changed(tx: &Tx, order: &Order, dispute: &Dispute, side: Side, held: Money) -> Result<Error> {
    let offers = queries::offers(tx, dispute.id, order.amount.currency())?;
    let standing = offers.of(side);
    let offer = standing.filter(|offer| offer.refund_amount.minor() <= held.minor());
    let detail = match (standing, offer) {
        (_, Some(offer)) => {
            format!("the {side} offers {}: accept that, or make another offer", offer.refund_amount)
        }
        (Some(_), None) => format!(
            "the {side} offered more than the {held} {} that is held now: make an offer with POST /orders/{{id}}/settlement",
            held.currency()
        ),
        (None, None) => {
            format!("the {side} offers nothing now: make an offer with POST /orders/{{id}}/settlement")
        }
    };
    Ok(OFFER_CHANGED.error(detail).with("offer", offer))
}

/// The body of an event about a part of the money.
pub(super) fn told(order: &Order, refund: Money, message: Option<&str>) -> Value {
    let mut body = orders::told(order, message);
    body["refund_amount"] = json!(refund);
    body
}

fn left(tx: &Tx, order: OrderId) -> Result<Left> {
    let order = orders::find(tx, order)?.ok_or_else(error::not_found)?;
    let dispute = queries::of_order(tx, order.id)?
        .ok_or_else(|| Error::broken(format!("order {} is disputed without a dispute", order.id)))?;
    Ok((order, dispute))
}
