//! Finding orders, and what happened to them.

use crate::actor::{Actor, UserId};
use crate::config::Market;
use crate::db::{Row, Sql, Tx};
use crate::error::{self, Error, INVALID_PARAMETER, Result};
use crate::events::{self, Event, EventId};
use crate::fees::Reason;
use crate::listings::ListingId;
use crate::money::{Money, Rate};
use crate::page::{Page, PageRequest};
use crate::params;
use crate::users::Blocker;

use super::Hooks;
use super::model::{Happening, Order, OrderId, Side, Status};
use super::shares::Explanation;

const COLUMNS: &str = "id, buyer_id, freelancer_id, service_id, service_version, title, amount_minor, currency, fee_rate_bp, \
     fee_minor, fee_fixed_minor, fee_rule_id, fee_basis, fee_category, service_fee_rate_bp, \
     service_fee_minor, given_back_minor, delivery_days, requirements, status, pay_by, due_at, auto_complete_at, version, created_at, \
     updated_at";

fn order(row: &Row) -> Result<Order> {
    let (id, buyer_id, freelancer_id) = (row.next()?, row.next()?, row.next()?);
    let (service_id, service_version, title) = (row.next()?, row.next()?, row.next()?);
    let amount = Money::new(row.next()?, row.next()?);
    let rate =
        |points| Rate::from_basis_points(points).ok_or_else(|| Error::broken("a fee rate above the whole"));
    let fee_rate = rate(row.next()?)?;
    Ok(Order {
        id,
        buyer_id,
        freelancer_id,
        service_id,
        service_version,
        title,
        amount,
        fee_rate,
        fee: amount.with_minor(row.next()?),
        fee_fixed: amount.with_minor(row.next()?),
        fee_reason: Reason { rule_id: row.next()?, basis: row.next()?, category: row.next()? },
        service_fee_rate: rate(row.next()?)?,
        service_fee: amount.with_minor(row.next()?),
        given_back: amount.with_minor(row.next()?),
        delivery_days: row.next()?,
        requirements: row.next()?,
        status: row.next()?,
        pay_by: row.next()?,
        due_at: row.next()?,
        auto_complete_at: row.next()?,
        version: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

/// The order, if there is one.
pub fn find(tx: &Tx, id: OrderId) -> Result<Option<Order>> {
    tx.first(&format!("select {COLUMNS} from orders where id = $1"), params![id], order)
}

/// The order, if it concerns `actor`; otherwise 404.
pub fn seen(tx: &Tx, actor: &Actor, id: OrderId) -> Result<Order> {
    find(tx, id)?.filter(|order| order.side_of(actor).is_some()).ok_or_else(error::not_found)
}

/// The fees of an order, for an administrator.
pub fn explained(tx: &Tx, actor: &Actor, id: Option<OrderId>) -> Result<Explanation> {
    actor.require_admin()?;
    let id =
        id.ok_or_else(|| INVALID_PARAMETER.error("say which order: /admin/fees/explain?order=<its id>"))?;
    let order = find(tx, id)?.ok_or_else(error::not_found)?;
    let given_back = (tx.wired::<Hooks>().given_back)(tx, &order)?;
    Ok(order.explained(given_back))
}

/// Whether the buyer need not wait any longer.
pub fn is_late(tx: &Tx, order: &Order) -> bool {
    order.is_late(tx.now(), tx.wired::<Market>().late_after)
}

/// Which orders a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    /// Only those where the caller is on this side.
    pub side: Option<Side>,
    pub status: Option<Status>,
    pub service_id: Option<ListingId>,
}

/// The orders that concern `actor`, newest first; every order for an administrator.
pub fn list(tx: &Tx, actor: &Actor, filter: &Filter, page: &PageRequest) -> Result<Page<Order>> {
    let caller = actor.require_user()?;
    let sides: &[&str] = match filter.side {
        Some(Side::Freelancer) => &["freelancer_id"],
        Some(_) => &["buyer_id"],
        None if actor.is_admin() => &[],
        None => &["buyer_id", "freelancer_id"],
    };
    let after: Option<OrderId> = page.after("newest")?;
    let mut sql = Sql::new("");
    match sides {
        [] => select(&mut sql, None, filter, after, page.rows()),
        [side] => select(&mut sql, Some((side, caller)), filter, after, page.rows()),
        // One walk down each index, merged: an `or` would sort all that the caller ever had.
        both => {
            for (index, side) in both.iter().enumerate() {
                sql.push(if index > 0 { " union all select " } else { "select " })
                    .push(COLUMNS)
                    .push(" from (");
                select(&mut sql, Some((side, caller)), filter, after, page.rows());
                sql.push(") as ").push(side);
            }
            sql.push(" order by id desc limit ").bind(page.rows());
        }
    }
    let rows = sql.all(tx, order)?;
    page.page("newest", rows, |order| order.id)
}

fn select(sql: &mut Sql, mine: Option<(&str, UserId)>, filter: &Filter, after: Option<OrderId>, rows: i64) {
    sql.push("select ").push(COLUMNS).push(" from orders where ");
    match mine {
        Some((side, caller)) => sql.push(side).push(" = ").bind(caller),
        None => sql.push("1 = 1"),
    };
    if let Some(status) = filter.status {
        sql.push(" and status = ").bind(status);
    }
    if let Some(listing) = filter.service_id {
        sql.push(" and service_id = ").bind(listing);
    }
    if let Some(after) = after {
        sql.push(" and id < ").bind(after);
    }
    sql.push(" order by id desc limit ").bind(rows);
}

/// What the two do with their payment methods is between the buyer and the house.
const BUYERS_OWN: [&str; 2] = ["payment_failed", "payment_requires_action"];
/// What becomes of what they earned is between the freelancer and the house.
const FREELANCERS_OWN: [&str; 6] = [
    "chargeback_warned",
    "chargeback_opened",
    "chargeback_won",
    "chargeback_lost",
    "clawback_returned",
    "debt_offset",
];

/// Everything that happened to an order and that `actor` may know, newest first; 404 where it does not concern them.
pub fn timeline(tx: &Tx, actor: &Actor, id: OrderId, page: &PageRequest) -> Result<Page<Happening>> {
    let mut before: Option<EventId> = page.after("timeline")?;
    let order = seen(tx, actor, id)?;
    let side = order.side_of(actor);
    let others: &[&str] = match side {
        Some(Side::Freelancer) => &BUYERS_OWN,
        Some(Side::Buyer) => &FREELANCERS_OWN,
        _ => &[],
    };
    let knows_all = side != Some(Side::Freelancer);
    let may_know = |event: &Event| !others.contains(&event.kind.as_str());
    let wanted = usize::try_from(page.rows()).unwrap_or(usize::MAX);
    let mut shown = Vec::new();
    while shown.len() < wanted {
        let events = events::of_subject(tx, order.id, before, page.rows())?;
        let more = events.len() == wanted;
        before = events.last().map(|event| event.id).or(before);
        shown.extend(events.into_iter().filter(may_know).map(|event| happening(event, knows_all)));
        if !more {
            break;
        }
    }
    page.page("timeline", shown, |happening| happening.id)
}

/// Why a refund failed is the provider's word on the buyer's card; the freelancer learns that it did.
fn happening(event: Event, knows_all: bool) -> Happening {
    let of_the_card = event.kind == "refund_failed";
    let mut happening = Happening::from(event);
    happening.message = happening.message.filter(|_| knows_all || !of_the_card);
    happening
}

/// Whether one of the two has ordered from the other, however it ended.
pub fn share_an_order(tx: &Tx, a: UserId, b: UserId) -> Result<bool> {
    tx.exists(
        "select 1 from orders where (buyer_id = $1 and freelancer_id = $2) or (buyer_id = $2 and freelancer_id = $1)
         limit 1",
        params![a, b],
    )
}

/// The buyer's completed orders of a listing, oldest first.
pub fn completed_of(tx: &Tx, buyer: UserId, listing: ListingId) -> Result<Vec<Order>> {
    let sql = format!(
        "select {COLUMNS} from orders where buyer_id = $1 and service_id = $2 and status = 'completed' order by id"
    );
    tx.all(&sql, params![buyer, listing], order)
}

/// Open orders that an account has placed.
pub fn needed_to_buy(tx: &Tx, user: UserId) -> Result<Vec<Blocker>> {
    open(tx, "buyer_id", user)
}

/// Open orders that an account works on.
pub fn needed_to_sell(tx: &Tx, user: UserId) -> Result<Vec<Blocker>> {
    open(tx, "freelancer_id", user)
}

/// Open orders on either side.
pub fn blocking_deletion(tx: &Tx, user: UserId) -> Result<Vec<Blocker>> {
    let mut blockers = needed_to_buy(tx, user)?;
    blockers.extend(needed_to_sell(tx, user)?);
    Ok(blockers)
}

/// The first hundred open orders of one side.
fn open(tx: &Tx, side: &str, user: UserId) -> Result<Vec<Blocker>> {
    let sql = format!(
        "select id, status from orders where {side} = $1 and status not in ('completed', 'cancelled')
         order by id limit 100"
    );
    tx.all(&sql, params![user], |row| {
        let (id, status): (OrderId, Status) = (row.next()?, row.next()?);
        let hint = match status {
            Status::Disputed => {
                format!("settle the dispute first: POST /orders/{id}/settlement offers a split")
            }
            Status::Pending => format!("DELETE /orders/{id} cancels it"),
            _ => format!("the order is {status}: finish it with PUT /orders/{id}"),
        };
        Ok(Blocker { kind: "order", id: id.to_string(), hint })
    })
}
