//! What buyers pay at the sandbox, what goes back to them, and what their banks take.

use std::time::Duration;

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::money::Money;
use crate::params;
use crate::time::Time;
use crate::words;

use super::super::{Charge, ChargebackState, ChargebackStatus, Outcome, RefundOutcome, RefundRequest};
use super::telling::{self, Happening, tell};
use super::{SETTLES_AFTER, reference};

/// When to ask after what never settles by itself.
const NEVER: Duration = Duration::from_secs(3_600);

words! {
    pub enum Status {
        Succeeded = "succeeded",
        Declined = "declined",
        RequiresAction = "requires_action",
        Pending = "pending",
    }
}

struct Entry {
    id: String,
    amount: Money,
    status: Status,
    failure: Option<String>,
    settles_at: Option<Time>,
}

fn entry(tx: &Tx, key: &str) -> Result<Option<Entry>> {
    tx.first(
        "select id, amount_minor, currency, status, failure, settles_at from sandbox_charges where key = $1",
        params![key],
        |row| {
            Ok(Entry {
                id: row.next()?,
                amount: Money::new(row.next()?, row.next()?),
                status: row.next()?,
                failure: row.next()?,
                settles_at: row.next()?,
            })
        },
    )
}

pub(super) fn take(tx: &Tx, charge: &Charge) -> Result<Outcome> {
    if entry(tx, &charge.key)?.is_none() {
        let (status, failure) = match charge.payment_method.as_str() {
            "pm_card_visa"
            | "pm_sandbox_delay"
            | "pm_sandbox_dropAfterCommit"
            | "pm_sandbox_500AfterCommit"
            | "pm_sandbox_refundFails"
            | "pm_sandbox_refundPending"
            | CHARGED_BACK => (Status::Succeeded, None),
            "pm_sandbox_never" => (Status::Pending, None),
            "pm_card_authenticationRequired" => (Status::RequiresAction, None),
            "pm_sandbox_pending" => (Status::Pending, None),
            "pm_card_visa_chargeDeclinedInsufficientFunds" => (Status::Declined, Some("insufficient_funds")),
            _ => (Status::Declined, Some("card_declined")),
        };
        let settles = status == Status::Pending && charge.payment_method != "pm_sandbox_never";
        let settles_at = settles.then(|| tx.now().plus(SETTLES_AFTER));
        let id = reference(tx, "ch");
        tx.send(
            "insert into sandbox_charges (id, key, amount_minor, currency, method, status, failure, settles_at, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                id,
                charge.key,
                charge.amount.minor(),
                charge.amount.currency(),
                charge.payment_method,
                status,
                failure,
                settles_at,
                tx.now()
            ],
        )?;
        tell_charge(tx, &id, &charge.key, Some(charge.order_id), status)?;
        if let Some(settles_at) = settles_at {
            telling::settle_at(tx, &id, settles_at)?;
        }
        if charge.payment_method == CHARGED_BACK {
            charge_back(tx, &id, charge.amount)?;
        }
    }
    outcome(tx, &charge.key)
}

/// The method whose bank takes the money back.
const CHARGED_BACK: &str = "pm_sandbox_chargeback";

fn charge_back(tx: &Tx, charge: &str, amount: Money) -> Result<()> {
    let (id, opens_at) = (reference(tx, "dp"), tx.now().plus(SETTLES_AFTER));
    tx.send(
        "insert into sandbox_chargebacks (id, charge_id, amount_minor, currency, status, opened_at)
         values ($1, $2, $3, $4, 'open', $5)",
        params![id, charge, amount.minor(), amount.currency(), opens_at],
    )?;
    telling::settle_at(tx, &id, opens_at)
}

/// A chargeback shows from the moment it is opened on.
pub(super) fn chargeback(tx: &Tx, reference: &str) -> Result<Option<ChargebackState>> {
    tx.first(
        "select id, charge_id, amount_minor, currency, status from sandbox_chargebacks
         where id = $1 and opened_at <= $2",
        params![reference, tx.now()],
        |row| {
            Ok(ChargebackState {
                reference: row.next()?,
                charge: row.next()?,
                amount: Money::new(row.next()?, row.next()?),
                status: match row.next::<String>()?.as_str() {
                    "won" => ChargebackStatus::Won,
                    "lost" => ChargebackStatus::Lost,
                    _ => ChargebackStatus::Open,
                },
                reason: "fraudulent".to_owned(),
                evidence_due: None,
            })
        },
    )
}

/// Lets the bank decide what it has taken back of a charge; whether there was something to decide.
pub fn end_chargeback(tx: &Tx, key: &str, won: bool) -> Result<bool> {
    let open = tx.first(
        "select b.id from sandbox_chargebacks b join sandbox_charges c on c.id = b.charge_id
         where c.key = $1 and b.status = 'open' and b.opened_at <= $2",
        params![key, tx.now()],
        |row| row.next::<String>(),
    )?;
    let Some(id) = open else { return Ok(false) };
    tx.send(
        "update sandbox_chargebacks set status = $2, closed_at = $3 where id = $1 and status = 'open'",
        params![id, if won { "won" } else { "lost" }, tx.now()],
    )?;
    let (said, object) = ("charge.dispute.closed", "dispute");
    tell(tx, &Happening { said, object, reference: &id, key: None, order_id: None })?;
    Ok(true)
}

/// Lets a charge that never settles by itself succeed, or be declined; whether there was one.
pub fn settle(tx: &Tx, key: &str, succeeds: bool) -> Result<bool> {
    let (status, failure) = match succeeds {
        true => (Status::Succeeded, None),
        false => (Status::Declined, Some("card_declined")),
    };
    let settled = tx.execute(
        "update sandbox_charges set status = $2, failure = $3, settles_at = null where key = $1 and status = 'pending'",
        params![key, status, failure],
    )?;
    told_if(tx, settled, key)?;
    Ok(settled == 1)
}

pub(super) fn confirm(tx: &Tx, key: &str) -> Result<Outcome> {
    let confirmed = tx.execute(
        "update sandbox_charges set status = 'succeeded' where key = $1 and status = 'requires_action'",
        params![key],
    )?;
    told_if(tx, confirmed, key)?;
    outcome(tx, key)
}

/// A charge that was never heard of is declined before it comes.
pub(super) fn void(tx: &Tx, charge: &Charge) -> Result<Outcome> {
    let voided = tx.execute(
        "insert into sandbox_charges (id, key, amount_minor, currency, method, status, failure, created_at)
         values ($1, $2, $3, $4, $5, 'declined', 'voided', $6)
         on conflict (key) do update set status = 'declined', failure = 'voided', settles_at = null
         where sandbox_charges.status in ('requires_action', 'pending')",
        params![
            reference(tx, "ch"),
            charge.key,
            charge.amount.minor(),
            charge.amount.currency(),
            charge.payment_method,
            tx.now()
        ],
    )?;
    told_if(tx, voided, &charge.key)?;
    outcome(tx, &charge.key)
}

/// How the charge with this key stands now, if there is one.
pub(super) fn look(tx: &Tx, key: &str) -> Result<Option<Outcome>> {
    entry(tx, key)?.map(|_| outcome(tx, key)).transpose()
}

/// The same for a charge that is there.
pub(super) fn outcome(tx: &Tx, key: &str) -> Result<Outcome> {
    let settled = tx.execute(
        "update sandbox_charges set status = 'succeeded' where key = $1 and status = 'pending' and settles_at <= $2",
        params![key, tx.now()],
    )?;
    told_if(tx, settled, key)?;
    let entry = entry(tx, key)?.ok_or_else(|| Error::broken(format!("the sandbox has no charge {key}")))?;
    let reference = entry.id;
    Ok(match entry.status {
        Status::Succeeded => Outcome::Succeeded { reference, captured: entry.amount, fee: None },
        Status::RequiresAction => Outcome::RequiresAction { reference, client_secret: None, url: None },
        Status::Pending => Outcome::Pending {
            reference,
            ask_after: entry.settles_at.map_or(NEVER, |settles_at| settles_at.since(tx.now())),
        },
        Status::Declined => {
            let code = entry.failure.unwrap_or_else(|| "card_declined".to_owned());
            let message = match code.as_str() {
                "insufficient_funds" => "the card has insufficient funds",
                "voided" => "the charge was given up",
                _ => "the card was declined",
            };
            Outcome::Declined { reference, code, message: message.to_owned() }
        }
    })
}

/// Tells how a charge stands now, if it was `changed`.
fn told_if(tx: &Tx, changed: u64, key: &str) -> Result<()> {
    match entry(tx, key)? {
        Some(entry) if changed > 0 => tell_charge(tx, &entry.id, key, None, entry.status),
        _ => Ok(()),
    }
}

fn tell_charge(tx: &Tx, id: &str, key: &str, order_id: Option<Id<()>>, status: Status) -> Result<()> {
    let said = match status {
        Status::Succeeded => "charge.succeeded",
        Status::Declined => "charge.failed",
        Status::RequiresAction => "charge.requires_action",
        Status::Pending => "charge.pending",
    };
    tell(tx, &Happening { said, object: "charge", reference: id, key: Some(key), order_id })
}

fn tell_refund(tx: &Tx, id: &str, key: &str, order_id: Option<Id<()>>, status: &str) -> Result<()> {
    let said = match status {
        "succeeded" => "refund.succeeded",
        "failed" => "refund.failed",
        _ => "refund.created",
    };
    tell(tx, &Happening { said, object: "refund", reference: id, key: Some(key), order_id })
}

/// How the refund with this key stands now.
pub(super) fn refunded(tx: &Tx, key: &str) -> Result<Option<RefundOutcome>> {
    let settled = tx.execute(
        "update sandbox_refunds set status = 'succeeded' where key = $1 and status = 'pending' and settles_at <= $2",
        params![key, tx.now()],
    )?;
    let known =
        tx.first("select id, status, settles_at from sandbox_refunds where key = $1", params![key], |row| {
            Ok((row.next::<String>()?, row.next::<String>()?, row.next::<Option<Time>>()?))
        })?;
    if let (1, Some((reference, ..))) = (settled, &known) {
        tell_refund(tx, reference, key, None, "succeeded")?;
    }
    Ok(known.map(|(reference, status, settles_at)| match status.as_str() {
        "failed" => RefundOutcome::Failed {
            reference: Some(reference),
            code: "expired_or_canceled_card".to_owned(),
            message: "the card takes no money back".to_owned(),
        },
        "pending" => RefundOutcome::Pending {
            reference,
            ask_after: settles_at.map_or(SETTLES_AFTER, |settles_at| settles_at.since(tx.now())),
        },
        _ => RefundOutcome::Succeeded { reference },
    }))
}

pub(super) fn give_back(tx: &Tx, refund: &RefundRequest) -> Result<RefundOutcome> {
    if let Some(known) = refunded(tx, &refund.key)? {
        return Ok(known);
    }
    let left = tx.first(
        "select amount_minor - (select cast(coalesce(sum(amount_minor), 0) as bigint) from sandbox_refunds
             where charge_id = $1 and status <> 'failed'), method
         from sandbox_charges where id = $1 and status = 'succeeded'",
        params![refund.charge],
        |row| Ok((row.next::<i64>()?, row.next::<String>()?)),
    )?;
    let Some((_, method)) = left.filter(|(left, _)| *left >= refund.amount.minor()) else {
        let message = "the charge has not that much left to give back".to_owned();
        return Ok(RefundOutcome::Failed { reference: None, code: "charge_exceeded".to_owned(), message });
    };
    let (status, settles_at) = match method.as_str() {
        "pm_sandbox_refundFails" => ("failed", None),
        "pm_sandbox_refundPending" => ("pending", Some(tx.now().plus(SETTLES_AFTER))),
        _ => ("succeeded", None),
    };
    let reference = reference(tx, "re");
    tx.send(
        "insert into sandbox_refunds (id, key, charge_id, amount_minor, created_at, status, settles_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        params![reference, refund.key, refund.charge, refund.amount.minor(), tx.now(), status, settles_at],
    )?;
    tell_refund(tx, &reference, &refund.key, Some(refund.order_id), status)?;
    if let Some(settles_at) = settles_at {
        telling::settle_at(tx, &reference, settles_at)?;
    }
    refunded(tx, &refund.key)?.ok_or_else(|| Error::broken("the sandbox has lost a refund"))
}
