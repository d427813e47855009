//! Payouts by hand: whoever pays says how it went.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::events;
use crate::form::Unchecked;

use super::super::model::{Item, ItemStatus, Mark, MarkPayout, Payout, PayoutId, Status};
use super::super::{PAYOUT_DECIDED, PAYOUT_NOT_MANUAL, queries};
use super::send::{bounce, give_back, pay};

/// Says that a payout by hand was paid or came back. What it says already changes nothing.
pub fn mark(tx: &Tx, actor: &Actor, id: PayoutId, input: &Unchecked<MarkPayout>) -> Result<Payout> {
    actor.require_admin()?;
    let payout = queries::find(tx, id)?.ok_or_else(error::not_found)?;
    let input = input.check()?;
    if !payout.is_by_hand() {
        return Err(PAYOUT_NOT_MANUAL.error(format!(
            "{} makes this payout and tells how it ends: GET /payouts/{id}",
            payout.provider
        )));
    }
    if input.status == Mark::Paid && matches!(payout.status, Status::Failed | Status::PartlyPaid) {
        return Err(PAYOUT_DECIDED
            .error(format!(
                "this payout is {}: its money is free for another, which the freelancer starts with POST /payouts",
                payout.status
            ))
            .with("current", payout.status));
    }
    let reference = input.reference.as_ref().map(|reference| reference.as_str());
    let reason = input.reason.as_ref().map_or("The payout did not arrive.", |reason| reason.as_str());
    let mut returned = 0_i64;
    for item in queries::items(tx, id)? {
        if input.status == Mark::Returned && item.status != ItemStatus::Returned {
            returned = returned.saturating_add(item.amount.minor());
        }
        match (input.status, item.status) {
            (Mark::Paid, ItemStatus::Pending) => pay(tx, actor, &item, reference)?,
            (Mark::Returned, ItemStatus::Pending) => {
                let item = Item { transaction_id: reference.map(str::to_owned), ..item };
                give_back(tx, actor, &item, "returned", reason)?;
            }
            (Mark::Returned, ItemStatus::Paid) => bounce(tx, actor, &item, "returned", reason)?,
            (Mark::Paid, ItemStatus::Paid | ItemStatus::Returned)
            | (Mark::Returned, ItemStatus::Returned) => {}
        }
    }
    if returned > 0 {
        let body = json!({
            "payout_id": id, "freelancer_id": payout.freelancer_id, "amount": payout.amount.with_minor(returned),
            "currency": payout.amount.currency(), "message": reason,
        });
        events::append(tx, actor, "payout_returned", id, body)?;
    }
    queries::payout_of(tx, id)
}
