//! What became of the parts of a payout: each is booked once. What comes back is free for another payout.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::ledger::{self, Account, Journal};
use crate::params;
use crate::payments::{self, MovementStatus, cases, releases};
use crate::providers::TransferOutcome;

use super::super::model::{Item, ItemId, ItemStatus, Payout, PayoutId, Status, status_of};
use super::super::{PAYOUT_ACCOUNT, TRANSFER_SEND, queries};
use super::account::restrict;

/// Books what the provider says of a transfer, once. One that was paid can still come back.
pub fn apply_transfer(tx: &Tx, id: ItemId, outcome: &TransferOutcome) -> Result<()> {
    let Some(item) = queries::item(tx, id)? else { return Ok(()) };
    match (outcome, item.status) {
        (TransferOutcome::Paid { reference }, ItemStatus::Pending) => {
            pay(tx, &Actor::System, &item, Some(reference))
        }
        (TransferOutcome::Paid { reference }, ItemStatus::Paid) => {
            // An administrator knew only that it had arrived.
            tx.execute(
                "update payout_items set transaction_id = $2 where id = $1 and transaction_id is null and order_id = $3",
                params![id, reference, item.order_id],
            )?;
            Ok(())
        }
        (TransferOutcome::Paid { reference }, ItemStatus::Returned) => {
            if item.transaction_id.as_ref() == Some(reference) {
                return Ok(());
            }
            // Its money may be on its way a second time by now.
            let said =
                json!({ "reference": reference, "amount": item.amount, "currency": item.amount.currency() });
            cases::open(tx, cases::Kind::IntegrityFailure, id, Some(item.order_id), &said)
        }
        (TransferOutcome::Pending { reference, ask_after }, ItemStatus::Pending) => {
            tx.execute(
                "update payout_items set transaction_id = $2, updated_at = $3
                 where id = $1 and transaction_id is null and order_id = $4",
                params![id, reference, tx.now(), item.order_id],
            )?;
            events::schedule(tx, TRANSFER_SEND, id, tx.now().plus(*ask_after))
        }
        (TransferOutcome::Pending { .. }, ItemStatus::Paid | ItemStatus::Returned) => Ok(()),
        (TransferOutcome::Returned { reference, code, message }, ItemStatus::Pending) => {
            let item =
                Item { transaction_id: item.transaction_id.clone().or_else(|| reference.clone()), ..item };
            give_back(tx, &Actor::System, &item, code, message)?;
            // The reason may lie with the account: the provider knows.
            let payout = queries::payout_of(tx, item.payout_id)?;
            match queries::account(tx, payout.freelancer_id, &payout.provider)? {
                Some(account) => events::schedule(tx, PAYOUT_ACCOUNT, account.user_id, tx.now()),
                None => Ok(()),
            }
        }
        (TransferOutcome::Returned { code, message, .. }, ItemStatus::Paid) => {
            bounce(tx, &Actor::System, &item, code, message)
        }
        (TransferOutcome::Returned { .. }, ItemStatus::Returned) => Ok(()),
    }
}

/// A transfer did not arrive, or was taken back, after all. Whether there is such a transfer.
pub fn returned(tx: &Tx, reference: &str, code: &str, message: &str) -> Result<bool> {
    let Some(item) = queries::item_named(tx, reference)? else { return Ok(false) };
    let outcome = TransferOutcome::Returned {
        reference: Some(reference.to_owned()),
        code: code.to_owned(),
        message: message.to_owned(),
    };
    apply_transfer(tx, item.id, &outcome).map(|()| true)
}

/// A part has reached its freelancer.
pub(super) fn pay(tx: &Tx, actor: &Actor, item: &Item, reference: Option<&str>) -> Result<()> {
    decide(tx, item, ItemStatus::Paid, reference, None)?;
    book(tx, item, "payout_sent", |payouts| [(payouts, -1), (Account::Provider, 1)])?;
    relist(tx, item, MovementStatus::Success, reference)?;
    settle(tx, actor, item.payout_id)
}

/// A part that was on its way is not any more.
pub(super) fn give_back(tx: &Tx, actor: &Actor, item: &Item, code: &str, message: &str) -> Result<()> {
    let payable = Account::Payable(freelancer_of(tx, item)?.freelancer_id.cast());
    take_back(tx, actor, item, code, message, |payouts| [(payouts, -1), (payable, 1)])
}

/// A part that was paid has come back: the account that it went to gets nothing more for now.
pub(super) fn bounce(tx: &Tx, actor: &Actor, item: &Item, code: &str, message: &str) -> Result<()> {
    let payout = freelancer_of(tx, item)?;
    let payable = Account::Payable(payout.freelancer_id.cast());
    take_back(tx, actor, item, code, message, |_| [(Account::Provider, -1), (payable, 1)])?;
    restrict(tx, actor, payout.freelancer_id, &payout.provider, message)
}

fn take_back(
    tx: &Tx,
    actor: &Actor,
    item: &Item,
    code: &str,
    message: &str,
    lines: impl Fn(Account) -> [(Account, i64); 2],
) -> Result<()> {
    decide(tx, item, ItemStatus::Returned, item.transaction_id.as_deref(), Some((code, message)))?;
    if !releases::free(tx, item.order_id, item.release_id, item.payout_id)? {
        return Err(Error::broken(format!("what payout {} returns was not its own", item.payout_id)));
    }
    book(tx, item, "payout_returned", lines)?;
    relist(tx, item, MovementStatus::Failed, item.transaction_id.as_deref())?;
    tracing::warn!(payout = %item.payout_id, item = %item.id, code, message, "a part of a payout came back");
    metrics::counter!("payout_items_returned_total").increment(1);
    let payout = freelancer_of(tx, item)?;
    let body = json!({
        "payout_id": payout.id, "freelancer_id": payout.freelancer_id, "order_id": item.order_id, "title": item.title,
        "amount": item.amount, "currency": item.amount.currency(), "message": message,
    });
    // Who pays by hand says it of the whole, and that is told once.
    let kind = if payout.is_by_hand() { "payout_item_returned" } else { "payout_returned" };
    events::append(tx, actor, kind, payout.id, body)?;
    settle(tx, actor, payout.id)?;
    payments::came_back(tx, item.order_id)
}

fn decide(
    tx: &Tx,
    item: &Item,
    to: ItemStatus,
    reference: Option<&str>,
    failure: Option<(&str, &str)>,
) -> Result<()> {
    let decided = tx.execute(
        "update payout_items set status = $3, transaction_id = coalesce($4, transaction_id), failure = $5,
             failure_message = $6, updated_at = $7
         where id = $1 and status = $2 and order_id = $8",
        params![
            item.id,
            item.status,
            to,
            reference,
            failure.map(|(code, _)| code),
            failure.map(|(_, message)| message),
            tx.now(),
            item.order_id
        ],
    )?;
    if decided != 1 {
        return Err(Error::broken("a part of a payout was decided twice"));
    }
    events::cancel(tx, TRANSFER_SEND, item.id)
}

/// Moves the part's amount, given the account of what is on its way to its freelancer.
fn book(
    tx: &Tx,
    item: &Item,
    kind: &'static str,
    lines: impl Fn(Account) -> [(Account, i64); 2],
) -> Result<()> {
    let payouts = Account::Payouts(freelancer_of(tx, item)?.freelancer_id.cast());
    let lines = lines(payouts).map(|(account, sign)| (account, sign * item.amount.minor()));
    ledger::post(
        tx,
        &Journal {
            order_id: item.order_id.cast(),
            kind,
            cause_id: item.id.cast(),
            currency: item.amount.currency(),
            lines: &lines,
        },
    )
}

fn relist(tx: &Tx, item: &Item, status: MovementStatus, reference: Option<&str>) -> Result<()> {
    payments::relist_payout(tx, item.order_id, item.id.cast(), status, reference)
}

fn freelancer_of(tx: &Tx, item: &Item) -> Result<Payout> {
    queries::payout_of(tx, item.payout_id)
}

/// Notes where the whole stands, and tells its freelancer when it is over.
fn settle(tx: &Tx, actor: &Actor, id: PayoutId) -> Result<()> {
    let before = queries::payout_of(tx, id)?;
    let status = status_of(&queries::standings(tx, id)?);
    tx.execute(
        "update payouts set status = $2, version = version + 1, updated_at = $3 where id = $1",
        params![id, status, tx.now()],
    )?;
    if status == Status::Pending || before.status != Status::Pending {
        return Ok(());
    }
    if status == Status::Failed {
        return Ok(());
    }
    let paid: i64 = tx.one(
        "select cast(coalesce(sum(amount_minor), 0) as bigint) from payout_items where payout_id = $1 and status = 'paid'",
        params![id],
        |row| row.next(),
    )?;
    let body = json!({
        "payout_id": id, "freelancer_id": before.freelancer_id, "amount": before.amount.with_minor(paid),
        "currency": before.amount.currency(),
    });
    events::append(tx, actor, "payout_paid", id, body).map(drop)
}
