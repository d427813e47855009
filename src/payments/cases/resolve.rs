//! What an administrator can do about a case. Each way does what it says in the transaction that closes the case.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::form::Unchecked;
use crate::id::Id;
use crate::params;

use super::super::model::{MovementStatus, Payment, Refund, Status};
use super::super::{
    CASE_CLOSED, Hooks, PAYMENT_ASK, REFUND_SEND, RESOLUTION_NOT_OFFERED, calls, commands, queries,
};
use super::{Case, Kind, Resolution, Resolve, find};

/// What a case is about, as far as payments know it.
enum Subject {
    Payment(Payment),
    Refund(Refund),
    /// A transfer to a freelancer that has not ended.
    Transfer(Id<()>),
    /// Somebody else's, or gone.
    Other,
}

fn subject(tx: &Tx, case: &Case) -> Result<Subject> {
    if let Some(payment) = queries::find(tx, case.subject_id.cast())? {
        return Ok(Subject::Payment(payment));
    }
    if let Some(refund) = queries::refund(tx, case.subject_id.cast())? {
        return Ok(Subject::Refund(refund));
    }
    Ok(match (tx.wired::<Hooks>().awaits_transfer)(tx, case.subject_id)? {
        true => Subject::Transfer(case.subject_id),
        false => Subject::Other,
    })
}

/// What can be done about it now.
pub(super) fn offered(tx: &Tx, case: &Case) -> Result<Vec<Resolution>> {
    if case.resolved_at.is_some() {
        return Ok(Vec::new());
    }
    Ok(match subject(tx, case)? {
        Subject::Payment(payment) => match payment.status {
            Status::Pending => vec![Resolution::LookAgain, Resolution::FailPayment],
            Status::RequiresAction => vec![Resolution::FailPayment],
            Status::Success | Status::Failed => vec![Resolution::Accept],
        },
        Subject::Refund(refund) if refund.status == MovementStatus::Pending => {
            let mut ways = vec![Resolution::SendRefundAnew, Resolution::SettledByHand];
            // What was never sent is not there to be looked for.
            if calls::was_sent(tx, &refund.provider_key)? {
                ways.insert(0, Resolution::LookAgain);
            }
            ways
        }
        Subject::Transfer(_) => {
            vec![Resolution::LookAgain, Resolution::TransferArrived, Resolution::TransferFailed]
        }
        Subject::Other if proposes(case) => vec![Resolution::Leave],
        Subject::Refund(_) | Subject::Other => vec![Resolution::Accept],
    })
}

/// Whether the reconciliation has proposed what to book for it.
fn proposes(case: &Case) -> bool {
    case.detail.get("proposed").is_some()
}

/// Closes a case.
pub(super) fn resolve(tx: &Tx, actor: &Actor, id: Id<Kind>, input: &Unchecked<Resolve>) -> Result<Case> {
    let admin = actor.require_admin()?;
    let case = find(tx, id)?;
    let input = input.check()?;
    if case.resolved_at.is_some() {
        return Err(CASE_CLOSED
            .error("the case is closed already: GET /admin/cases/{id} tells how")
            .with("resolution", &case.resolution));
    }
    if !case.resolutions.contains(&input.resolution) {
        let words: Vec<&str> = case.resolutions.iter().map(|resolution| resolution.as_str()).collect();
        let mend = match proposes(&case) {
            true => format!(
                "a journal is proposed for this case: POST /admin/reconciliation/{id}/approve books it, and {} closes the case without",
                words.join(", ")
            ),
            false => format!("this case can be resolved by {}: choose one of them", words.join(", ")),
        };
        return Err(RESOLUTION_NOT_OFFERED.error(mend).with("offered", &case.resolutions));
    }
    let reason = input.reason.as_str();
    // Closed first: what is done about it may find that it is so again.
    tx.execute(
        "update cases set resolved_at = $2, resolution = $3, reason = $4, resolved_by = $5
         where id = $1 and resolved_at is null",
        params![id, tx.now(), input.resolution, reason, admin],
    )?;
    act(tx, actor, &case, input.resolution)?;
    let told = json!({
        "case_id": id, "case_kind": case.kind, "about": case.subject_id, "order_id": case.order_id,
        "resolution": input.resolution, "reason": reason,
    });
    events::append(tx, actor, "case_resolved", id, told)?;
    find(tx, id)
}

/// What the buyer and the freelancer are told of it; the reason is for the audit.
const GIVEN_UP: &str =
    "The marketplace has given the payment up. Whatever was captured of it goes back: pay again.";

fn act(tx: &Tx, actor: &Actor, case: &Case, resolution: Resolution) -> Result<()> {
    match (resolution, subject(tx, case)?) {
        (Resolution::LookAgain, Subject::Payment(payment)) => calls::ask_now(tx, PAYMENT_ASK, payment.id),
        (Resolution::LookAgain, Subject::Refund(refund)) => calls::ask_now(tx, REFUND_SEND, refund.id),
        (Resolution::FailPayment, Subject::Payment(payment)) => {
            commands::give_up(tx, actor, &payment, "given_up", GIVEN_UP)
        }
        (Resolution::SendRefundAnew, Subject::Refund(refund)) => commands::send_refund_anew(tx, &refund),
        (Resolution::SettledByHand, Subject::Refund(refund)) => commands::refunded_by_hand(tx, actor, refund),
        (resolution, Subject::Transfer(transfer)) => {
            (tx.wired::<Hooks>().resolve_transfer)(tx, actor, transfer, resolution)
        }
        _ => Ok(()),
    }
}
