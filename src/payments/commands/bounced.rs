//! What the provider tells of a refund that was decided: one that had succeeded can still come back, weeks later, and money
//! can have moved a second time.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ledger::Account;
use crate::params;
use crate::providers::RefundOutcome;

use super::super::cases;
use super::super::model::{MovementStatus, Payment, Refund};
use super::refund::{book, reserved};
use super::{list_refund, recovery, relist_refund, tell};

/// Books what the provider says of a refund that is decided.
pub(super) fn told_again(tx: &Tx, payment: &Payment, refund: Refund, outcome: &RefundOutcome) -> Result<()> {
    match outcome {
        RefundOutcome::Failed { reference: Some(reference), code, message }
            if refund.status == MovementStatus::Success
                && refund.transaction_id.as_ref() == Some(reference) =>
        {
            came_back(tx, payment, refund, code, message)
        }
        // The buyer has the money from elsewhere, or it went back to where it had come from.
        RefundOutcome::Succeeded { reference } if refund.transaction_id.as_ref() != Some(reference) => {
            let said = json!({
                "reference": reference, "amount": refund.amount, "currency": refund.amount.currency(),
                "booked": refund.status,
            });
            cases::open(tx, cases::Kind::IntegrityFailure, refund.id, Some(refund.order_id), &said)
        }
        RefundOutcome::Succeeded { .. } | RefundOutcome::Pending { .. } | RefundOutcome::Failed { .. } => {
            Ok(())
        }
    }
}

/// The money is at the provider again and still its buyer's. Another refund stands for it from now on, which is sent when
/// a person says so: what the first was taken from may be paid out, or set off, by now.
fn came_back(tx: &Tx, payment: &Payment, refund: Refund, code: &str, message: &str) -> Result<()> {
    tracing::warn!(refund = %refund.id, code, message, "a refund that had succeeded came back");
    tx.send(
        "update refunds set status = 'failed', updated_at = $2 where id = $1 and status = 'success' and order_id = $3",
        params![refund.id, tx.now(), refund.order_id],
    )?;
    let failed = Refund { status: MovementStatus::Failed, ..refund };
    relist_refund(tx, &failed, None)?;
    recovery::relist_taken(tx, failed.order_id, failed.id.cast(), failed.status)?;
    tell(tx, &Actor::System, "refund_failed", payment, Some(&failed), Some(message))?;
    let owed = replacement(tx, payment, &failed)?;
    let minor = owed.amount.minor();
    book(tx, &owed, "refund_bounced", &[(Account::Provider, -minor), (reserved(&owed), minor)])?;
    let said = json!({
        "code": code, "message": message, "amount": owed.amount, "currency": owed.amount.currency(),
        "came_back": failed.transaction_id,
    });
    cases::open(tx, cases::Kind::RefundRefused, owed.id, Some(owed.order_id), &said)
}

/// A refund of the same money, taken from where that was.
fn replacement(tx: &Tx, payment: &Payment, failed: &Refund) -> Result<Refund> {
    let id = tx.new_id();
    let refund = Refund {
        id,
        status: MovementStatus::Pending,
        provider_key: format!("refund-{id}"),
        transaction_id: None,
        replaces: Some(failed.id),
        created_at: tx.now(),
        ..failed.clone()
    };
    let taken = &refund.taken;
    tx.send(
        "insert into refunds (id, payment_id, order_id, amount_minor, currency, status, reason, provider_key,
             requested_by, replaces_id, escrow_minor, fees_minor, payable_minor, owed_minor, created_at, updated_at)
         select $1, payment_id, order_id, amount_minor, currency, $2, reason, $3, requested_by, id, escrow_minor, fees_minor,
             payable_minor, owed_minor, $4, $4 from refunds where id = $5 and order_id = $6",
        params![id, refund.status, refund.provider_key, tx.now(), failed.id, failed.order_id],
    )?;
    if taken.owed > 0 {
        let moved = tx.execute(
            "update debts set cause_id = $2 where cause_id = $1 and order_id = $3",
            params![failed.id, id, failed.order_id],
        )?;
        if moved != 1 {
            return Err(Error::broken(format!("refund {} left no debt", failed.id)));
        }
    }
    list_refund(tx, payment, &refund)?;
    recovery::list_again(tx, failed, id.cast(), refund.status)?;
    Ok(refund)
}
