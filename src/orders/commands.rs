//! What people and payments do with orders. Every move goes through [`step`].

use serde_json::{Value, json};

use crate::actor::{Actor, UserId};
use crate::config::Market;
use crate::db::Tx;
use crate::error::{self, Error, FORBIDDEN, NOT_FOUND, Result, TOO_MANY_REQUESTS};
use crate::events;
use crate::fees::{self, Sale};
use crate::form::{Amount, Change, Text, Unchecked};
use crate::listings::{self, Listing};
use crate::params;
use crate::profiles;
use crate::time::Time;
use crate::version::Expected;

use super::model::{
    ChangeOrder, Order, OrderId, PlaceOrder, Side, Status, Words, event_of, legal, sides_asking,
};
use super::queries::{self, find};
use super::shares::service_fee;
use super::{Hooks, INVALID_TRANSITION, OWN_SERVICE, REQUIREMENTS_FROZEN, Terms};

/// Places an order for a listing at its present price.
pub fn place(tx: &Tx, actor: &Actor, input: &Unchecked<PlaceOrder>) -> Result<Order> {
    let buyer = actor.require_buyer()?;
    let offered = input.id("service_id").map(|id| listings::orderable(tx, id));
    let offered = match offered {
        Some(Err(absent)) if absent.is(&NOT_FOUND) => return Err(absent),
        offered => offered,
    };
    let input = input.check()?;
    let listing = offered.ok_or_else(|| Error::broken("an order that was checked without its service"))??;
    if listing.freelancer_id == buyer {
        return Err(OWN_SERVICE.error("this service is your own: look for another with GET /services"));
    }
    require_few_unpaid(tx, buyer)?;
    let order = drawn_up(tx, buyer, listing, input.requirements.map(Text::into_string))?;
    insert(tx, &order)?;
    wait_for_deadline(tx, None, &order)?;
    record(tx, actor, &order, None, &Step::to(order.status, None))?;
    Ok(order)
}

/// The order: the listing as it is now, under today's terms.
fn drawn_up(tx: &Tx, buyer_id: UserId, listing: Listing, requirements: Option<String>) -> Result<Order> {
    let market = tx.wired::<Market>();
    let now = tx.now();
    let (freelancer_id, amount) = (listing.freelancer_id, listing.price);
    let owed = fees::quote(tx, &Sale { category: &listing.category, freelancer_id, amount })?;
    let mut order = Order {
        id: tx.new_id(),
        buyer_id,
        freelancer_id,
        service_id: listing.id,
        service_version: listing.version,
        title: listing.title,
        amount,
        fee_rate: owed.rate,
        fee_fixed: owed.fixed,
        fee_reason: owed.reason,
        fee: amount.with_minor(0),
        service_fee_rate: market.service_fee,
        service_fee: service_fee(market.service_fee, amount),
        given_back: amount.with_minor(0),
        delivery_days: listing.delivery_days,
        requirements,
        status: Status::Pending,
        pay_by: now.plus(market.pay_within),
        due_at: None,
        auto_complete_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    order.fee = order.agreed_fee();
    Ok(order)
}

fn require_few_unpaid(tx: &Tx, buyer: UserId) -> Result<()> {
    let Some(most) = tx.wired::<Terms>().most_unpaid else { return Ok(()) };
    // Unpaid orders end with the time to pay, and ids begin with their time: those are among his newest.
    let oldest = OrderId::first_at(tx.now().minus(tx.wired::<Market>().pay_within));
    let (unpaid, soonest) = tx.one(
        "select count(*), min(pay_by) from orders where buyer_id = $1 and id >= $2 and status = 'pending'",
        params![buyer, oldest],
        |row| Ok((row.next::<i64>()?, row.next::<Option<Time>>()?)),
    )?;
    if unpaid < most {
        return Ok(());
    }
    let wait = soonest.map_or(0, |pay_by| pay_by.since(tx.now()).as_secs());
    Err(TOO_MANY_REQUESTS
        .error(format!("{unpaid} of your orders are unpaid: pay or cancel some before you place another"))
        .retry_after(wait))
}

fn insert(tx: &Tx, order: &Order) -> Result<()> {
    tx.send(
        "insert into orders (id, buyer_id, freelancer_id, service_id, service_version, title, amount_minor, currency,
             fee_rate_bp, fee_minor, fee_fixed_minor, fee_rule_id, fee_basis, fee_category, service_fee_rate_bp,
             service_fee_minor, delivery_days, requirements, status, pay_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $21)",
        params![
            order.id,
            order.buyer_id,
            order.freelancer_id,
            order.service_id,
            order.service_version,
            order.title,
            order.amount.minor(),
            order.amount.currency(),
            order.fee_rate.basis_points(),
            order.fee.minor(),
            order.fee_fixed.minor(),
            order.fee_reason.rule_id,
            order.fee_reason.basis,
            order.fee_reason.category,
            order.service_fee_rate.basis_points(),
            order.service_fee.minor(),
            order.delivery_days,
            order.requirements,
            order.status,
            order.pay_by,
            order.created_at,
        ],
    )
}

/// Other requirements, a step, or both.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    id: OrderId,
    input: &Unchecked<ChangeOrder>,
    expected: &Expected,
) -> Result<Order> {
    let order = queries::seen(tx, actor, id)?;
    let side = order.side_of(actor).ok_or_else(error::not_found)?;
    if let Some(status) = input.peek::<Status>("status") {
        require_may_ask(&order, side, status)?;
    }
    if side != Side::Buyer && input.peek("requirements").is_none_or(|given| changes(&order, given)) {
        return Err(FORBIDDEN.error("the requirements are the buyer's to change: leave `requirements` out"));
    }
    let input = input.check_against(&order.seen_from(side, queries::is_late(tx, &order)))?;
    if input.message.is_some() && input.status.is_none() {
        let detail = "send `status` too, or write to the other side with POST /notifications";
        return Err(Error::field("message", "not_here", detail));
    }
    let to = input.status.filter(|status| *status != order.status);
    let refund = part_to_refund(tx, &order, side, to, input.refund_amount.as_ref())?;
    expected.check(order.version)?;
    let order = match input.requirements.given() {
        Some(requirements) => require(tx, actor, order, requirements.map(Text::into_string))?,
        None => order,
    };
    let message = input.message.as_ref().map(Text::as_str);
    to.map_or(Ok(order.clone()), |to| take_step(tx, actor, &order, &Step { to, message, refund }))
}

/// Whether the order would get other requirements.
fn changes(order: &Order, given: Change<Option<Words>>) -> bool {
    given.given().is_some_and(|given| given.as_ref().map(Text::as_str) != order.requirements.as_deref())
}

/// Cancels an order by the same table as every step.
pub fn cancel(tx: &Tx, actor: &Actor, id: OrderId, expected: &Expected) -> Result<Order> {
    let order = queries::seen(tx, actor, id)?;
    let side = order.side_of(actor).ok_or_else(error::not_found)?;
    require_may_ask(&order, side, Status::Cancelled)?;
    expected.check(order.version)?;
    match order.status {
        Status::Cancelled => Ok(order),
        _ => take_step(tx, actor, &order, &Step::to(Status::Cancelled, None)),
    }
}

/// 403 for a status that this side can ask for from no state; where the order stands is no matter here.
fn require_may_ask(order: &Order, side: Side, to: Status) -> Result<()> {
    let asking = sides_asking(to);
    if to == order.status || asking.contains(&side) {
        return Ok(());
    }
    let detail = match to {
        Status::Pending => "an order is pending only from its placing until it is paid".to_owned(),
        _ => {
            let who: Vec<&str> = asking.iter().map(|side| side.as_str()).collect();
            format!("only the {} may ask for {to}", who.join(" or "))
        }
    };
    Err(FORBIDDEN.error(detail))
}

/// What a settled dispute sends back of the escrow, in minor units. It is a split: something is left to release.
fn part_to_refund(
    tx: &Tx,
    order: &Order,
    side: Side,
    to: Option<Status>,
    given: Option<&Amount>,
) -> Result<Option<i64>> {
    let Some(given) = given else { return Ok(None) };
    let wrong = |code, detail: String| Err(Error::field("refund_amount", code, detail));
    if side != Side::Admin || to != Some(Status::Completed) {
        return wrong("not_here", "leave it out: an administrator gives it with `completed`, to split a disputed order; POST /payments/{id}/refunds refunds otherwise".to_owned());
    }
    let part =
        given.of(order.amount.currency(), "refund_amount").map_err(|wrong| Error::Invalid(vec![wrong]))?;
    if order.status != Status::Disputed {
        return Ok(Some(part.minor()));
    }
    let held = order.amount.with_minor((tx.wired::<Hooks>().held)(tx, order)?);
    if part.minor() >= held.minor() {
        return wrong(
            "out_of_range",
            format!("{held} is held: send less to split it, or ask for `cancelled` to refund all of it"),
        );
    }
    Ok(Some(part.minor()))
}

/// Sets the requirements, while the order can still be about something else.
fn require(tx: &Tx, actor: &Actor, order: Order, requirements: Option<String>) -> Result<Order> {
    if requirements == order.requirements {
        return Ok(order);
    }
    let changed = tx.execute(
        "update orders set requirements = $2, version = version + 1, updated_at = $3
         where id = $1 and status = 'pending'",
        params![order.id, requirements, tx.now()],
    )?;
    if changed == 0 {
        return Err(REQUIREMENTS_FROZEN
            .error(format!("the order is {}: requirements can be changed while it is pending", order.status))
            .with("current", order.status));
    }
    let order = Order { requirements, version: order.version + 1, updated_at: tx.now(), ..order };
    events::append(tx, actor, "order_requirements_changed", order.id, told(&order, None))?;
    Ok(order)
}

/// Where an order goes, and what is said with it.
pub(super) struct Step<'a> {
    to: Status,
    message: Option<&'a str>,
    /// What a dispute sends back, in minor units; the rest is released.
    refund: Option<i64>,
}

impl<'a> Step<'a> {
    pub(super) fn to(to: Status, message: Option<&'a str>) -> Self {
        Self { to, message, refund: None }
    }
}

/// Takes the step if the table has it for this side from here, and moves the money that goes with it.
fn take_step(tx: &Tx, actor: &Actor, order: &Order, asked: &Step) -> Result<Order> {
    let side = order.side_of(actor).ok_or_else(error::not_found)?;
    if !order.transitions(side, queries::is_late(tx, order)).contains(&asked.to) {
        return Err(not_from_here(tx, actor, order, asked.to));
    }
    go(tx, actor, order, asked)
}

/// Takes a step that the caller has found to be due, with the money that goes with it.
fn go(tx: &Tx, actor: &Actor, order: &Order, asked: &Step) -> Result<Order> {
    let order = match asked.refund {
        Some(part) => {
            let reason =
                asked.message.filter(|text| !text.is_empty()).unwrap_or("the dispute was settled by a split");
            &give_back(tx, actor, order, Some(part), reason)?
        }
        None => order,
    };
    match asked.to {
        Status::Completed => complete(tx, actor, order, asked),
        Status::Cancelled => call_off(tx, actor, order, asked.message),
        _ => step(tx, actor, order, asked),
    }
}

/// Freezes an order on the word of one of its sides, or of the house when its money is contested.
pub fn dispute(tx: &Tx, actor: &Actor, order: &Order, reason: Option<&str>) -> Result<Order> {
    take_step(tx, actor, order, &Step::to(Status::Disputed, reason))
}

/// Ends a dispute: `refund` minor units of what is held go back to the buyer and the rest is released; the order is off
/// when nothing is left to release. Whoever calls has found that `actor` may.
pub fn resolve(tx: &Tx, actor: &Actor, order: &Order, refund: i64, reason: &str) -> Result<Order> {
    if order.status != Status::Disputed {
        return Err(not_from_here(tx, actor, order, Status::Completed));
    }
    let held = (tx.wired::<Hooks>().held)(tx, order)?;
    if !(0..=held).contains(&refund) {
        return Err(Error::broken(format!("{refund} of {held} would go back of order {}", order.id)));
    }
    let to = if refund == held { Status::Cancelled } else { Status::Completed };
    let part = (refund > 0 && refund < held).then_some(refund);
    go(tx, actor, order, &Step { to, message: Some(reason), refund: part })
}

/// A payment has succeeded: the work begins. False when the order no longer waits for one; then the money goes back.
pub fn mark_paid(tx: &Tx, id: OrderId) -> Result<bool> {
    match find(tx, id)? {
        Some(order) if order.status == Status::Pending => {
            step(tx, &Actor::System, &order, &Step::to(Status::Active, None))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Money of an order has gone back, or a refund has failed and returned it: it is noted how much, and the fee is its share of what is left of the
/// order's money, held or kept, in minor units. A cancelled order has none.
pub fn refunded(tx: &Tx, id: OrderId, left: i64) -> Result<()> {
    let order = find(tx, id)?.ok_or_else(|| Error::broken("a refund without its order"))?;
    tx.send(
        "update orders set fee_minor = case when status = 'cancelled' then fee_minor else $2 end, given_back_minor = $3,
             version = version + 1, updated_at = $4
         where id = $1 and (given_back_minor <> $3 or (fee_minor <> $2 and status <> 'cancelled'))",
        params![id, order.shares_of(left).fee, (order.total().minor() - left).max(0), tx.now()],
    )
}

/// All of the money has gone back by a refund: the order is off. Moves no money itself.
pub fn cancel_refunded(tx: &Tx, actor: &Actor, order: &Order, message: &str) -> Result<()> {
    match order.status {
        Status::Active | Status::Delivered => {
            step(tx, actor, order, &Step::to(Status::Cancelled, Some(message))).map(drop)
        }
        _ => Err(not_from_here(tx, actor, order, Status::Cancelled)),
    }
}

/// Moves an order along an edge: its row, its clocks, its event. Whoever calls has found that `actor` may, and moves
/// the money.
fn step(tx: &Tx, actor: &Actor, order: &Order, taken: &Step) -> Result<Order> {
    let to = taken.to;
    if !legal(order.status, to) {
        return Err(Error::broken(format!("order {} would move from {} to {to}", order.id, order.status)));
    }
    let next = order.moved_to(to, tx.now(), tx.wired::<Market>().review_within);
    let moved_on = tx.execute(
        "update orders set status = $3, due_at = $4, auto_complete_at = $5, fee_minor = $6, version = version + 1,
             updated_at = $7
         where id = $1 and status = $2",
        params![order.id, order.status, next.status, next.due_at, next.auto_complete_at, next.fee.minor(), tx.now()],
    )?;
    if moved_on == 0 {
        let current = find(tx, order.id)?.ok_or_else(error::not_found)?;
        return Err(not_from_here(tx, actor, &current, to));
    }
    wait_for_deadline(tx, Some(order), &next)?;
    if to == Status::Completed {
        profiles::record_completed_order(tx, order.freelancer_id)?;
    }
    record(tx, actor, &next, Some(order.status), taken)?;
    Ok(next)
}

/// Completes an order: what escrow holds goes to the freelancer, less the fees.
pub(super) fn complete(tx: &Tx, actor: &Actor, order: &Order, taken: &Step) -> Result<Order> {
    let fee = (tx.wired::<Hooks>().release)(tx, order)?;
    let order = Order { fee: order.fee.with_minor(fee), ..order.clone() };
    step(tx, actor, &order, taken)
}

/// Cancels an order: what escrow holds goes back to the buyer.
pub(super) fn call_off(tx: &Tx, actor: &Actor, order: &Order, message: Option<&str>) -> Result<Order> {
    if order.status == Status::Pending {
        return step(tx, actor, order, &Step::to(Status::Cancelled, message));
    }
    let reason = message.filter(|text| !text.is_empty()).unwrap_or("the order was cancelled");
    let back = match order.status {
        Status::Disputed => Some((tx.wired::<Hooks>().held)(tx, order)?).filter(|held| *held > 0),
        _ => None,
    };
    let order = give_back(tx, actor, order, None, reason)?;
    step(tx, actor, &order, &Step { to: Status::Cancelled, message, refund: back })
}

/// Sends money back to the buyer; the order as it is then, for its fee follows.
fn give_back(tx: &Tx, actor: &Actor, order: &Order, part: Option<i64>, reason: &str) -> Result<Order> {
    (tx.wired::<Hooks>().refund)(tx, actor, order, part, reason)?;
    find(tx, order.id)?.ok_or_else(error::not_found)
}

/// An order waits for one deadline at most: the one that it waited for before goes.
fn wait_for_deadline(tx: &Tx, before: Option<&Order>, order: &Order) -> Result<()> {
    let next = order.deadline();
    let over = before.and_then(Order::deadline).map(|(kind, _)| kind);
    if let Some(kind) = over.filter(|kind| next.is_none_or(|(due, _)| due != *kind)) {
        events::cancel(tx, kind, order.id)?;
    }
    next.map_or(Ok(()), |(kind, at)| events::schedule(tx, kind, order.id, at))
}

/// 409: where the order stands, what brings it to `to`, and what this caller may ask for from there.
fn not_from_here(tx: &Tx, actor: &Actor, order: &Order, to: Status) -> Error {
    let side = order.side_of(actor).unwrap_or(Side::House);
    let allowed = order.transitions(side, queries::is_late(tx, order));
    let words: Vec<&str> = allowed.iter().map(|status| status.as_str()).collect();
    let mend = match words.as_slice() {
        _ if (order.status, to, side) == (Status::Pending, Status::Active, Side::Buyer) => {
            "pay it with POST /payments, and it becomes active".to_owned()
        }
        [] => "there is nothing that you can ask for now".to_owned(),
        words => format!("you may ask for {}", words.join(", ")),
    };
    INVALID_TRANSITION
        .error(format!("the order is {}: {mend}", order.status))
        .with("current", order.status)
        .with("allowed", allowed)
}

/// The body of every event of an order and its payments: who and what it concerns, and what was said.
pub fn told(order: &Order, message: Option<&str>) -> Value {
    json!({
        "buyer_id": order.buyer_id,
        "freelancer_id": order.freelancer_id,
        "service_id": order.service_id,
        "title": order.title,
        "amount": order.amount,
        "currency": order.amount.currency(),
        "message": message.filter(|text| !text.is_empty()),
    })
}

/// Writes down that the order has come to where it stands.
fn record(tx: &Tx, actor: &Actor, order: &Order, from: Option<Status>, taken: &Step) -> Result<()> {
    let mut body = told(order, taken.message);
    body["from"] = json!(from);
    body["status"] = json!(order.status);
    if let Some(part) = taken.refund {
        body["refund_amount"] = json!(order.amount.with_minor(part));
    }
    events::append(tx, actor, event_of(from, order.status), order.id, body).map(drop)
}
