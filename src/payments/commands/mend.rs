//! Refunds as operations at the provider, and what an administrator does about one that went wrong.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::id::Id;
use crate::ledger::Account;
use crate::orders::OrderId;
use crate::params;
use crate::providers::{RefundOutcome, RefundRequest};

use super::super::calls::{self, Asked};
use super::super::model::{MovementStatus, Refund, RefundId};
use super::super::{REFUND_SEND, cases, queries};
use super::refund::{apply_refund, book, decide, reserved};
use super::{debt, recovery, relist_refund, tell};

/// What both parties read of a refund that was not the provider's doing.
const BY_HAND: &str = "The money was given back in another way than it was paid.";

/// The operation that a refund is, as it is written down before it is sent.
pub fn asked_refund(request: &RefundRequest) -> Asked {
    let minor = request.amount.minor().to_string();
    let order = request.order_id.to_string();
    let words = ["refund", &order, &request.charge, &minor, request.amount.currency().code()];
    let (kind, order) = (calls::Kind::Refund, Some(request.order_id.cast()));
    Asked::new(kind, request.key.clone(), request.refund_id, order, REFUND_SEND, &words)
}

/// Books what the provider says of a refund; `false` asks to try again.
pub fn refund_answered(tx: &Tx, asked: &Asked, id: RefundId, outcome: &RefundOutcome) -> Result<bool> {
    let said = match outcome {
        RefundOutcome::Succeeded { .. } => "succeeded",
        RefundOutcome::Pending { .. } => "pending",
        RefundOutcome::Failed { code, .. } => code,
    };
    calls::answered(tx, asked, said)?;
    apply_refund(tx, id, outcome)
}

/// It is proven that the provider never carried a refund out. It stays owed; whether it is sent anew is a person's word.
pub fn refund_not_executed(tx: &Tx, asked: &Asked) -> Result<()> {
    calls::review(tx, asked, "the provider has no such refund: it was never carried out")
}

/// Notes that `what` is open at a provider that is not `running`: asked there, the answer would be about nothing, and sent
/// there it would happen a second time.
pub fn asked_elsewhere<S>(
    tx: &Tx,
    subject: Id<S>,
    order: OrderId,
    provider: &str,
    running: &str,
) -> Result<()> {
    let said = json!({ "provider": provider, "running": running });
    cases::open(tx, cases::Kind::OtherProvider, subject, Some(order), &said)
}

/// The provider that a refund is to be sent by: the one that has the charge.
pub fn sent_by(tx: &Tx, id: RefundId) -> Result<String> {
    tx.one(
        "select p.provider from refunds r join payments p on p.id = r.payment_id and p.order_id = r.order_id
         where r.id = $1",
        params![id],
        |row| row.next(),
    )
}

/// Sends a refund that is owed under a new key: the old one is spent.
pub fn send_refund_anew(tx: &Tx, refund: &Refund) -> Result<()> {
    let used: i64 = tx.one(
        "select count(*) from provider_calls where subject_id = $1 and kind = 'refund'",
        params![refund.id],
        |row| row.next(),
    )?;
    tx.send(
        "update refunds set provider_key = $2, updated_at = $3
         where id = $1 and status = 'pending' and order_id = $4",
        params![refund.id, format!("refund-{}-{}", refund.id, used + 1), tx.now(), refund.order_id],
    )?;
    tx.send(
        "update provider_calls set state = 'answered' where subject_id = $1 and state <> 'answered'",
        params![refund.id],
    )?;
    for kind in [cases::Kind::UnknownOutcome, cases::Kind::RefundRefused] {
        cases::settle(tx, kind, refund.id, "send_refund_anew")?;
    }
    events::schedule(tx, REFUND_SEND, refund.id, tx.now())
}

/// The buyer has the money from elsewhere: what the provider still holds for him is the house's.
pub fn refunded_by_hand(tx: &Tx, actor: &Actor, refund: Refund) -> Result<()> {
    events::cancel(tx, REFUND_SEND, refund.id)?;
    let refund = decide(tx, refund, MovementStatus::Success, None)?;
    let minor = refund.amount.minor();
    book(tx, &refund, "refund_by_hand", &[(reserved(&refund), -minor), (Account::Losses, minor)])?;
    let payment = queries::payment_of(tx, refund.order_id, refund.payment_id)?;
    for kind in [cases::Kind::UnknownOutcome, cases::Kind::RefundRefused] {
        cases::settle(tx, kind, refund.id, "settled_by_hand")?;
    }
    relist_refund(tx, &refund, None)?;
    recovery::relist_taken(tx, refund.order_id, refund.id.cast(), refund.status)?;
    tell(tx, actor, "refund_succeeded", &payment, Some(&refund), Some(BY_HAND))?;
    debt::set_off(tx, payment.freelancer_id, refund.amount.currency())
}
