//! Refunds that somebody made at the provider itself: taken in as our own are booked, and never sent.

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::money::Money;
use crate::orders;

use super::super::model::Status;
use super::super::{REFUND_SEND, queries};
use super::refund::{Part, set_aside, succeeded};
use super::{held, order_of, recovery};

/// What went back of a charge without our doing.
pub struct GivenBack<'a> {
    /// The provider's id of the charge.
    pub charge: &'a str,
    /// The provider's id of the refund.
    pub reference: &'a str,
    pub amount: Money,
    pub reason: &'a str,
}

/// Takes it in as a refund that has succeeded: out of escrow, or, once that was released, of what freelancer and house
/// have of it. An order of which nothing is left is off. `false`, and nothing is booked, where no payment has as much left.
pub fn given_back_elsewhere(tx: &Tx, actor: &Actor, given: &GivenBack) -> Result<bool> {
    let Some(payment) = queries::charged(tx, given.charge)? else { return Ok(false) };
    let order = order_of(tx, &payment)?;
    let (minor, currency) = (given.amount.minor(), given.amount.currency());
    let is_left = payment.status == Status::Success
        && currency == payment.amount.currency()
        && (1..=payment.left()).contains(&minor);
    if !is_left {
        return Ok(false);
    }
    let taken = recovery::sources(tx, &order, &payment, minor)?;
    if taken.escrow > held(tx, &order)? {
        return Ok(false);
    }
    let part = Part { amount: given.amount, taken, reason: given.reason };
    let refund = set_aside(tx, actor, &payment, &order, &part)?;
    events::cancel(tx, REFUND_SEND, refund.id)?;
    succeeded(tx, &queries::payment_of(tx, payment.order_id, payment.id)?, refund, given.reference)?;
    if minor == payment.left() {
        let order = order_of(tx, &payment)?;
        match order.status {
            orders::Status::Active | orders::Status::Delivered => {
                orders::cancel_refunded(tx, actor, &order, given.reason)?;
            }
            orders::Status::Disputed if !queries::is_charged_back(tx, order.id)? => {
                orders::resolve(tx, actor, &order, 0, given.reason)?;
            }
            _ => {}
        }
    }
    Ok(true)
}
