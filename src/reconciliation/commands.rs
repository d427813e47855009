//! What a reconciliation writes: its run, the cases of what it found, and the journals that an administrator approved.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::db::{Json, Tx};
use crate::error::{Error, Result, not_found};
use crate::events;
use crate::form::Unchecked;
use crate::id::Id;
use crate::ledger::{self, Journal};
use crate::money::{Currency, Money};
use crate::orders;
use crate::params;
use crate::payments::{self, GivenBack, cases};
use crate::payouts;
use crate::providers::{ChargebackState, ChargebackStatus, Outcome};

use super::model::{Approve, Decision, Difference, Proposal, Run, Window};
use super::queries::{self, ACCEPTED, BOOKED, Found, GONE};
use super::{DIFFERENCE_DECIDED, DIFFERENCE_GONE};

/// Notes that a run begins.
pub fn begin(tx: &Tx, window: &Window) -> Result<Id<Run>> {
    let id = tx.new_id();
    tx.execute(
        "insert into reconciliations (id, window_from, window_to, started_at, differences) values ($1, $2, $3, $4, 0)",
        params![id, window.from, window.to, tx.now()],
    )?;
    Ok(id)
}

/// Keeps what a run has found: its report, a case for each difference that somebody has to decide, and that some are gone.
pub fn finish(
    tx: &Tx,
    id: Id<Run>,
    found: &[Difference],
    gone: &[(cases::Kind, Id<()>)],
    report: &Value,
) -> Result<()> {
    for (kind, subject) in gone {
        tx.execute(
            "update cases set resolved_at = $3, resolution = $4
             where kind = $1 and subject_id = $2 and resolved_at is null",
            params![kind, subject, tx.now(), GONE],
        )?;
    }
    for difference in found.iter().filter(|difference| !difference.is_summary) {
        let order = difference.order_id.map(Id::cast);
        tell_of_bank(tx, difference)?;
        cases::open_once(tx, difference.kind, difference.subject, order, &difference.detail())?;
        // What nobody has decided is told as it is now, and what was gone is there again.
        tx.execute(
            "update cases set detail = $3, resolved_at = null, resolution = null
             where kind = $1 and subject_id = $2 and (resolved_at is null or resolution = $4)",
            params![difference.kind, difference.subject, Json(difference.detail()), GONE],
        )?;
    }
    let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
    tx.execute(
        "update reconciliations set finished_at = $2, differences = $3, report = $4 where id = $1",
        params![id, tx.now(), count, Json(report)],
    )?;
    Ok(())
}

/// A freelancer whose bank did not take a payout can mend that himself: he is told with the case, once.
fn tell_of_bank(tx: &Tx, difference: &Difference) -> Result<()> {
    let known = "select 1 from cases where kind = $1 and subject_id = $2";
    if difference.kind != cases::Kind::PayoutFailed
        || tx.exists(known, params![difference.kind, difference.subject])?
    {
        return Ok(());
    }
    let order = difference.order_id.map(|order| orders::find(tx, order.cast())).transpose()?.flatten();
    let (Some(order), Some(theirs)) = (order, &difference.theirs) else { return Ok(()) };
    let body = json!({
        "freelancer_id": order.freelancer_id, "order_id": order.id, "title": order.title, "amount": theirs["amount"],
        "currency": theirs["currency"],
        "message": "The money is in your account at the payment provider. Mend your bank details there.",
    });
    events::append(tx, &Actor::System, "payout_bank_refused", order.id, body).map(drop)
}

/// Decides a difference: what is proposed is booked; one for which nothing can be booked is accepted as it is.
/// `stands` is how the provider says that the chargeback stands which it is about, if it is about one.
pub fn approve(
    tx: &Tx,
    actor: &Actor,
    id: Id<()>,
    input: &Unchecked<Approve>,
    stands: Option<&ChargebackState>,
) -> Result<Decision> {
    let administrator = actor.require_admin()?;
    let found = queries::case(tx, id)?.ok_or_else(not_found)?;
    let input = input.check()?;
    if let Some(resolution) = found.resolution {
        return Err(DIFFERENCE_DECIDED
            .error(format!("this difference was decided before: {resolution}"))
            .with("resolution", resolution));
    }
    let resolution = if found.detail.get("proposed").is_some() { BOOKED } else { ACCEPTED };
    if resolution == BOOKED {
        post(tx, actor, id, &found, stands)?;
    }
    tx.execute(
        "update cases set resolved_at = $2, resolution = $3, reason = $4, resolved_by = $5
         where id = $1 and resolved_at is null",
        params![id, tx.now(), resolution, input.reason.as_str(), administrator],
    )?;
    tracing::info!(case = %id, kind = %found.kind, resolution, by = %administrator, "a difference was decided");
    Ok(Decision {
        id: id.cast(),
        resolution: resolution.to_owned(),
        reason: input.reason.into_string(),
        resolved_at: tx.now(),
    })
}

/// Books what the case of a difference proposes, if the books still are as they were. What has a home of its own in
/// payments or payouts is booked there; the rest is a journal of exactly the proposed lines.
fn post(tx: &Tx, actor: &Actor, case: Id<()>, found: &Found, stands: Option<&ChargebackState>) -> Result<()> {
    let proposal = found.detail.get("proposed").and_then(Proposal::from_json);
    let proposal = proposal.ok_or_else(|| Error::broken(format!("case {case} proposes nothing to book")))?;
    if !queries::still_stands(tx, found.kind, &found.detail)? {
        return Err(gone());
    }
    match found.kind {
        cases::Kind::TransferReversedOutside => return taken_back(tx, &found.detail),
        cases::Kind::RefundOnlyAtProvider => return refunded(tx, actor, &found.detail),
        cases::Kind::MissingLocalCharge | cases::Kind::DuplicateCharge => {
            return captured(tx, actor, &found.detail);
        }
        cases::Kind::ChargebackUnseen if charged_back(tx, found, stands)? => return Ok(()),
        _ if !is_covered(tx, &proposal)? => return Err(gone()),
        _ => {}
    }
    ledger::post(
        tx,
        &Journal {
            order_id: proposal.order_id,
            kind: "adjustment",
            cause_id: case,
            currency: proposal.currency,
            lines: &proposal.lines,
        },
    )
}

fn gone() -> Error {
    DIFFERENCE_GONE.error(
        "the books have changed since this was found: run `guildhall reconcile` again and look at what it finds",
    )
}

/// What the provider says of a record.
fn told<'d>(detail: &'d Value, member: &str) -> &'d str {
    detail.get("theirs").and_then(|theirs| theirs.get(member)?.as_str()).unwrap_or_default()
}

fn told_money(detail: &Value, member: &str) -> Result<Money> {
    let currency = Currency::parse(told(detail, "currency"));
    let amount = currency.and_then(|currency| Money::parse(told(detail, member), currency).ok());
    amount.ok_or_else(|| Error::broken(format!("a difference without its {member}")))
}

/// A refund that was made elsewhere becomes one of the payment. Buyer and freelancer read its reason: the administrator's
/// is for the audit.
fn refunded(tx: &Tx, actor: &Actor, detail: &Value) -> Result<()> {
    let given = GivenBack {
        charge: told(detail, "of"),
        reference: told(detail, "reference"),
        amount: told_money(detail, "amount")?,
        reason: "It was given back at the payment provider.",
    };
    match payments::given_back_elsewhere(tx, actor, &given)? {
        true => Ok(()),
        false => Err(gone()),
    }
}

/// A charge of a payment that had failed is booked as one that came too late: it goes back.
fn captured(tx: &Tx, actor: &Actor, detail: &Value) -> Result<()> {
    let (key, reference) = (told(detail, "key"), told(detail, "reference"));
    let Some(attempt) = payments::attempt_known_as(tx, Some(key), reference)? else { return Err(gone()) };
    let fee = detail.get("theirs").filter(|theirs| theirs.get("fee").is_some_and(Value::is_string));
    let outcome = Outcome::Succeeded {
        reference: reference.to_owned(),
        captured: told_money(detail, "amount")?,
        fee: fee.map(|_| told_money(detail, "fee")).transpose()?,
    };
    payments::apply(tx, actor, &attempt, &outcome)?;
    // Somebody has looked already.
    cases::settle(tx, cases::Kind::CapturedAfterFailure, attempt.payment.id, "approved")
}

/// What a bank took becomes a chargeback of the payment, and what it gave back the end of one: whoever tells of it later tells
/// nothing new. `false` where no payment can have it, or where something of it was booked against losses before.
fn charged_back(tx: &Tx, found: &Found, stands: Option<&ChargebackState>) -> Result<bool> {
    let detail = &found.detail;
    let reference = told(detail, "reference");
    if queries::is_adjusted(tx, found.kind, reference)? {
        return Ok(false);
    }
    let is_back = queries::is_reinstatement(detail);
    let agrees = |stands: &&ChargebackState| match stands.status {
        ChargebackStatus::Won => true,
        ChargebackStatus::Open | ChargebackStatus::Lost => !is_back,
        ChargebackStatus::Warning | ChargebackStatus::Strange(_) => false,
    };
    let as_recorded = ChargebackState {
        reference: reference.to_owned(),
        charge: told(detail, "of").to_owned(),
        amount: told_money(detail, "amount")?,
        status: if is_back { ChargebackStatus::Won } else { ChargebackStatus::Open },
        reason: String::new(),
        evidence_due: None,
    };
    payments::charged_back_elsewhere(tx, stands.filter(agrees).unwrap_or(&as_recorded))
}

/// A transfer that was reversed comes back as payouts take it back: the same lines, and it can be paid out again.
fn taken_back(tx: &Tx, detail: &Value) -> Result<()> {
    let transfer = told(detail, "of");
    let why = "it was taken back at the provider";
    match payouts::returned(tx, transfer, "reversed", why)? {
        true => Ok(()),
        false => Err(Error::broken(format!("no payout has the transfer {transfer}"))),
    }
}

/// Whether every account may have the balance that it would have then.
fn is_covered(tx: &Tx, proposal: &Proposal) -> Result<bool> {
    for (account, minor) in &proposal.lines {
        if !account.may_hold(ledger::balance(tx, account, proposal.currency)?.saturating_add(*minor)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A report that says why a run came to nothing.
pub fn failed(tx: &Tx, id: Id<Run>, why: &str) -> Result<()> {
    tx.execute(
        "update reconciliations set report = $2 where id = $1",
        params![id, Json(json!({ "failed": why }))],
    )?;
    Ok(())
}
