//! Finding disputes, what is offered in them and what was said.

use crate::actor::{Actor, UserId};
use crate::db::{Row, Sql, Tx};
use crate::error::{self, Result};
use crate::money::{Currency, Money};
use crate::orders::{self, Hooks, Order, OrderId, Side};
use crate::page::{Page, PageRequest};
use crate::params;
use crate::time::Time;

use super::model::{
    Dispute, DisputeId, DisputeMessage, End, MessageId, Offer, Offers, Outcome, SeenDispute, Status,
};

const COLUMNS: &str = "id, order_id, opened_by, reason, wanted_minor, status, answered_at, reminded_at, decide_by, \
     version, opened_at, refund_minor, decided_by, decision, closed_at";

fn dispute(row: &Row) -> Result<Dispute> {
    let mut dispute = Dispute {
        id: row.next()?,
        order_id: row.next()?,
        opened_by: row.next()?,
        reason: row.next()?,
        wanted: row.next()?,
        status: row.next()?,
        answered_at: row.next()?,
        reminded_at: row.next()?,
        decide_by: row.next()?,
        version: row.next()?,
        opened_at: row.next()?,
        end: None,
    };
    let (refund, by, reason, at): (Option<i64>, _, _, Option<Time>) =
        (row.next()?, row.next()?, row.next()?, row.next()?);
    dispute.end = refund.zip(at).map(|(refund, at)| End { refund, by, reason, at });
    Ok(dispute)
}

/// The dispute, if there is one.
pub(super) fn find(tx: &Tx, id: DisputeId) -> Result<Option<Dispute>> {
    tx.first(&format!("select {COLUMNS} from disputes where id = $1"), params![id], dispute)
}

/// The latest dispute about an order, if there ever was one.
pub fn of_order(tx: &Tx, order: OrderId) -> Result<Option<Dispute>> {
    let sql = format!("select {COLUMNS} from disputes where order_id = $1 order by id desc limit 1");
    tx.first(&sql, params![order], dispute)
}

/// The order and the latest dispute about it, if they concern `actor`; otherwise 404.
pub(super) fn seen(tx: &Tx, actor: &Actor, id: OrderId) -> Result<(Order, Dispute)> {
    let order = orders::seen(tx, actor, id)?;
    let dispute = of_order(tx, order.id)?.ok_or_else(|| {
        let why =
            "nobody disputes this order: POST /orders/{id}/dispute does, while it is active or delivered";
        error::NOT_FOUND.error(why)
    })?;
    Ok((order, dispute))
}

/// What escrow holds of the order now.
pub(super) fn held(tx: &Tx, order: &Order) -> Result<Money> {
    Ok(order.amount.with_minor((tx.wired::<Hooks>().held)(tx, order)?))
}

/// What each side offers at present.
pub(super) fn offers(tx: &Tx, dispute: DisputeId, currency: Currency) -> Result<Offers> {
    let mut offers = Offers::default();
    let rows = tx.all(
        "select side, refund_minor, message, offered_at from dispute_offers where dispute_id = $1",
        params![dispute],
        |row| {
            let (side, minor): (Side, i64) = (row.next()?, row.next()?);
            let refund_amount = Money::new(minor, currency);
            Ok((side, Offer { refund_amount, message: row.next()?, offered_at: row.next()? }))
        },
    )?;
    for (side, offer) in rows {
        match side {
            Side::Buyer => offers.buyer = Some(offer),
            _ => offers.freelancer = Some(offer),
        }
    }
    Ok(offers)
}

/// The dispute with everything that belongs to it.
pub(super) fn whole(tx: &Tx, order: &Order, dispute: Dispute) -> Result<SeenDispute> {
    let currency = order.amount.currency();
    Ok(SeenDispute {
        id: dispute.id,
        order_id: order.id,
        opened_by: dispute.opened_by,
        reason: dispute.reason,
        wanted: dispute.wanted.map(|minor| Money::new(minor, currency)),
        status: dispute.status,
        held: held(tx, order)?,
        currency,
        decide_by: (dispute.status == Status::Open).then_some(dispute.decide_by),
        offers: offers(tx, dispute.id, currency)?,
        outcome: dispute.end.map(|end| Outcome {
            refund_amount: Money::new(end.refund, currency),
            by: end.by,
            reason: end.reason,
            at: end.at,
        }),
        opened_at: dispute.opened_at,
    })
}

/// What was written about the latest dispute of an order, newest first.
pub(super) fn messages(
    tx: &Tx,
    actor: &Actor,
    id: OrderId,
    page: &PageRequest,
) -> Result<Page<DisputeMessage>> {
    let after: Option<MessageId> = page.after("newest")?;
    let (order, dispute) = seen(tx, actor, id)?;
    let mut sql =
        Sql::new("select id, author_id, message, created_at from dispute_messages where dispute_id = ");
    sql.bind(dispute.id);
    if let Some(last) = after {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    let rows = sql.all(tx, |row| {
        let (id, author_id) = (row.next()?, row.next()?);
        let side = side_of(&order, author_id);
        Ok(DisputeMessage { id, author_id, side, message: row.next()?, created_at: row.next()? })
    })?;
    page.page("newest", rows, |message| message.id)
}

/// Where somebody stands who may write about an order.
pub(super) fn side_of(order: &Order, author: UserId) -> Side {
    match author {
        author if author == order.buyer_id => Side::Buyer,
        author if author == order.freelancer_id => Side::Freelancer,
        _ => Side::Admin,
    }
}
