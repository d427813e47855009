//! What Stripe's objects say, in our words. A status that this version does not know decides nothing.

use crate::money::Money;
use crate::time::Time;

use super::super::{
    AccountState, Charge, ChargebackState, ChargebackStatus, Outcome, Record, Recorded, RefundOutcome,
    TransferOutcome, Unanswered,
};
use super::objects::{Account, BalanceTransaction, Dispute, PaymentIntent, Refund, Source, Transfer};
use super::{ASK_AFTER, amounts};

pub(super) fn seconds(at: Time) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

pub(super) fn moment(seconds: i64) -> Time {
    Time::from_micros(seconds.saturating_mul(1_000_000))
}

pub(super) fn money(number: i64, currency: &str) -> Result<Money, Unanswered> {
    amounts::read(number, currency)
        .ok_or_else(|| Unanswered::Unknown(format!("an amount that means nothing here: {number} {currency}")))
}

pub(super) fn declined(reference: &str, code: &str, message: String) -> Outcome {
    Outcome::Declined { reference: reference.to_owned(), code: code.to_owned(), message }
}

/// What an intent says of its charge.
pub(super) fn standing(intent: &PaymentIntent, charge: &Charge) -> Result<Outcome, Unanswered> {
    let reference = intent.id.clone();
    let strange = |what: String| Outcome::Strange { reference: intent.id.clone(), what };
    if let Some(other) = intent.metadata("key").filter(|key| *key != charge.key) {
        return Ok(strange(format!("the intent has the key {other}")));
    }
    Ok(match intent.status.as_str() {
        "succeeded" => {
            let received = intent.amount_received.unwrap_or(intent.amount);
            let Some(captured) = amounts::read(received, &intent.currency) else {
                return Ok(strange(format!("it captured {received} {}", intent.currency)));
            };
            Outcome::Succeeded { reference, captured, fee: fee(intent) }
        }
        "requires_payment_method" => match &intent.last_payment_error {
            Some(refusal) => declined(&reference, &refusal.code(), refusal.message()),
            None => declined(&reference, "no_payment_method", "the payment has no usable method".to_owned()),
        },
        "canceled" => declined(&reference, "canceled", "the payment was given up".to_owned()),
        "requires_action" => {
            Outcome::RequiresAction { reference, client_secret: intent.client_secret(), url: intent.url() }
        }
        "processing" | "requires_confirmation" => Outcome::Pending { reference, ask_after: ASK_AFTER },
        other => strange(format!("its status is {other}")),
    })
}

/// What Stripe keeps of a charge; `None` until its books say so.
fn fee(intent: &PaymentIntent) -> Option<Money> {
    let line = intent.latest_charge.as_ref()?.object()?.balance_transaction.as_ref()?.object()?;
    amounts::read(line.fee, &line.currency)
}

/// A status that nobody knows decides nothing: the money stays reserved.
pub(super) fn refunded(refund: &Refund) -> Result<RefundOutcome, Unanswered> {
    let reference = refund.id.clone();
    match refund.status.as_str() {
        "succeeded" => Ok(RefundOutcome::Succeeded { reference }),
        "pending" | "requires_action" => Ok(RefundOutcome::Pending { reference, ask_after: ASK_AFTER }),
        "failed" | "canceled" => Ok(RefundOutcome::Failed {
            reference: Some(reference),
            code: refund.failure_reason.clone().unwrap_or_else(|| refund.status.clone()),
            message: "the refund did not arrive at the buyer's bank".to_owned(),
        }),
        other => Err(Unanswered::Unknown(format!("refund {reference} has the status {other}"))),
    }
}

/// Stripe's transfers happen at once; what can follow is that one is taken back.
pub(super) fn transferred(transfer: &Transfer) -> TransferOutcome {
    let reference = transfer.id.clone();
    match transfer.is_taken_back() {
        false => TransferOutcome::Paid { reference },
        true => TransferOutcome::Returned {
            reference: Some(reference),
            code: "reversed".to_owned(),
            message: "the transfer was taken back".to_owned(),
        },
    }
}

pub(super) fn state(account: &Account) -> AccountState {
    AccountState { reference: account.id.clone(), enabled: account.is_enabled(), wanted: account.wanted() }
}

pub(super) fn charged_back(dispute: &Dispute) -> Result<ChargebackState, Unanswered> {
    let status = match dispute.status.as_str() {
        // `prevented`: it was settled before any money moved.
        "warning_needs_response" | "warning_under_review" | "warning_closed" | "prevented" => {
            ChargebackStatus::Warning
        }
        "needs_response" | "under_review" | "appeal_needs_response" | "appeal_under_review" => {
            ChargebackStatus::Open
        }
        "won" => ChargebackStatus::Won,
        "lost" => ChargebackStatus::Lost,
        other => ChargebackStatus::Strange(other.to_owned()),
    };
    Ok(ChargebackState {
        reference: dispute.id.clone(),
        charge: dispute.charge(),
        amount: money(dispute.amount, &dispute.currency)?,
        status,
        reason: dispute.reason.clone(),
        evidence_due: dispute.due_by().map(moment),
    })
}

/// A line of Stripe's books as a record; `None` for refunds that came back (both of their lines). The amount is that of the
/// object, in the currency that was paid; the line itself may be in the one that Stripe settles in. What is about none of our
/// objects is a movement of the house's own.
pub(super) fn recorded(line: BalanceTransaction) -> Result<Option<Record>, Unanswered> {
    let comes_in = line.amount > 0;
    let source = line.source.clone().and_then(|source| serde_json::from_value::<Source>(source).ok());
    let Some(source) = source else { return movement(&line) };
    let what = match source.object.as_str() {
        "charge" if comes_in => Recorded::Charge,
        // A bank's word that came late: what was a charge is none.
        "charge" => Recorded::Refund,
        "refund" => match source.status.as_deref() {
            Some("failed" | "canceled") => return Ok(None),
            _ => Recorded::Refund,
        },
        "transfer" if comes_in => Recorded::Reversal,
        "transfer" => Recorded::Transfer,
        "transfer_reversal" => Recorded::Reversal,
        "dispute" if comes_in => Recorded::Reinstatement,
        "dispute" => Recorded::Chargeback,
        _ => return movement(&line),
    };
    let of = match what {
        // One that was made by hand has no words of ours.
        Recorded::Transfer => source.metadata("charge").or(source.transfer_group.as_deref()),
        Recorded::Reversal => source.transfer(),
        _ => source.charge(),
    };
    let of = of.unwrap_or(&source.id).to_owned();
    let (number, currency) = match (source.amount, &source.currency) {
        (Some(number), Some(currency)) => (number, currency),
        _ => (line.amount, &line.currency),
    };
    let takes_back_a_charge = what == Recorded::Refund && source.object == "charge";
    let reference = match what {
        // A charge is known by its intent, what cancels it by its line.
        Recorded::Charge => of.clone(),
        _ if takes_back_a_charge => line.id.clone(),
        _ => source.id.clone(),
    };
    Ok(Some(Record {
        what,
        reference,
        key: source.metadata("key").filter(|_| !takes_back_a_charge).map(str::to_owned),
        amount: money(number.saturating_abs(), currency)?,
        fee: Some(money(line.fee, &line.currency)?).filter(|fee| fee.minor() != 0),
        at: moment(line.created),
        of,
    }))
}

/// What moved in the house's own account: to its bank or from it, or what Stripe charges for something else than a payment.
fn movement(line: &BalanceTransaction) -> Result<Option<Record>, Unanswered> {
    if line.amount == 0 && line.fee == 0 {
        return Ok(None);
    }
    let named = |source: &serde_json::Value| {
        source.as_str().or_else(|| source.get("id")?.as_str()).map(str::to_owned)
    };
    Ok(Some(Record {
        what: if line.amount > 0 { Recorded::PutIn } else { Recorded::TakenOut },
        reference: line.source.as_ref().and_then(named).unwrap_or_else(|| line.id.clone()),
        of: line.kind.clone(),
        key: None,
        amount: money(line.amount.saturating_abs(), &line.currency)?,
        fee: Some(money(line.fee, &line.currency)?).filter(|fee| fee.minor() != 0),
        at: moment(line.created),
    }))
}
