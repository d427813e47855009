//! The built-in provider, for trying things out: no money moves. It plays a peer outside, so it keeps books of its own in
//! transactions of its own, and nobody else reads them.

use std::time::Duration;

use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::params;
use crate::time::Time;
use crate::words;

use super::provider::{Answering, Charge, Outcome, Provider, RefundOutcome, RefundRequest, Unknown};

/// What each method does.
const METHODS: &[&str] = &[
    "pm_card_visa",
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_authenticationRequired",
    "pm_sandbox_pending",
];

/// `pm_sandbox_pending` settles by itself after it.
const SETTLES_AFTER: Duration = Duration::from_secs(2);

words! {
    pub enum Status {
        Succeeded = "succeeded",
        Declined = "declined",
        RequiresAction = "requires_action",
        Pending = "pending",
    }
}

/// The sandbox.
pub struct Sandbox {
    db: Db,
}

impl Sandbox {
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn methods(&self) -> &[&'static str] {
        METHODS
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        let charge = charge.clone();
        Box::pin(async move { self.db.write(move |tx| take(tx, &charge)).await.map_err(unknown) })
    }

    fn confirm<'a>(&'a self, key: &'a str) -> Answering<'a, Outcome> {
        let key = key.to_owned();
        Box::pin(async move { self.db.write(move |tx| confirm(tx, &key)).await.map_err(unknown) })
    }

    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        let refund = refund.clone();
        Box::pin(async move { self.db.write(move |tx| give_back(tx, &refund)).await.map_err(unknown) })
    }
}

fn unknown(error: Error) -> Unknown {
    Unknown(error.to_string())
}

struct Entry {
    id: String,
    status: Status,
    failure: Option<String>,
    settles_at: Option<Time>,
}

fn entry(tx: &Tx, key: &str) -> Result<Option<Entry>> {
    tx.first(
        "select id, status, failure, settles_at from sandbox_charges where key = $1",
        params![key],
        |row| {
            Ok(Entry { id: row.next()?, status: row.next()?, failure: row.next()?, settles_at: row.next()? })
        },
    )
}

fn take(tx: &Tx, charge: &Charge) -> Result<Outcome> {
    if entry(tx, &charge.key)?.is_none() {
        let (status, failure) = match charge.payment_method.as_str() {
            "pm_card_visa" => (Status::Succeeded, None),
            "pm_card_authenticationRequired" => (Status::RequiresAction, None),
            "pm_sandbox_pending" => (Status::Pending, None),
            "pm_card_visa_chargeDeclinedInsufficientFunds" => (Status::Declined, Some("insufficient_funds")),
            _ => (Status::Declined, Some("card_declined")),
        };
        let settles_at = (status == Status::Pending).then(|| tx.now().plus(SETTLES_AFTER));
        tx.execute(
            "insert into sandbox_charges (id, key, amount_minor, currency, method, status, failure, settles_at, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                reference(tx, "ch"),
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
    }
    outcome(tx, &charge.key)
}

fn confirm(tx: &Tx, key: &str) -> Result<Outcome> {
    tx.execute(
        "update sandbox_charges set status = 'succeeded' where key = $1 and status = 'requires_action'",
        params![key],
    )?;
    outcome(tx, key)
}

/// How the charge with this key stands now.
fn outcome(tx: &Tx, key: &str) -> Result<Outcome> {
    tx.execute(
        "update sandbox_charges set status = 'succeeded' where key = $1 and status = 'pending' and settles_at <= $2",
        params![key, tx.now()],
    )?;
    let entry = entry(tx, key)?.ok_or_else(|| Error::broken(format!("the sandbox has no charge {key}")))?;
    let reference = entry.id;
    Ok(match entry.status {
        Status::Succeeded => Outcome::Succeeded { reference },
        Status::RequiresAction => Outcome::RequiresAction { reference },
        Status::Pending => Outcome::Pending {
            reference,
            ask_after: entry.settles_at.map_or(SETTLES_AFTER, |settles_at| settles_at.since(tx.now())),
        },
        Status::Declined => {
            let code = entry.failure.unwrap_or_else(|| "card_declined".to_owned());
            let message = match code.as_str() {
                "insufficient_funds" => "the card has insufficient funds",
                _ => "the card was declined",
            };
            Outcome::Declined { reference, code, message: message.to_owned() }
        }
    })
}

fn give_back(tx: &Tx, refund: &RefundRequest) -> Result<RefundOutcome> {
    let known =
        tx.first("select id from sandbox_refunds where key = $1", params![refund.key], |row| row.next())?;
    if let Some(reference) = known {
        return Ok(RefundOutcome::Succeeded { reference });
    }
    let left = tx.first(
        "select amount_minor - (select cast(coalesce(sum(amount_minor), 0) as bigint) from sandbox_refunds where charge_id = $1)
         from sandbox_charges where id = $1 and status = 'succeeded'",
        params![refund.charge],
        |row| row.next::<i64>(),
    )?;
    if left.is_none_or(|left| left < refund.amount.minor()) {
        let message = "the charge has not that much left to give back".to_owned();
        return Ok(RefundOutcome::Failed { code: "charge_exceeded".to_owned(), message });
    }
    let reference = reference(tx, "re");
    tx.execute(
        "insert into sandbox_refunds (id, key, charge_id, amount_minor, created_at) values ($1, $2, $3, $4, $5)",
        params![reference, refund.key, refund.charge, refund.amount.minor(), tx.now()],
    )?;
    Ok(RefundOutcome::Succeeded { reference })
}

/// An id as providers write them.
fn reference(tx: &Tx, kind: &str) -> String {
    format!("{kind}_{}", tx.new_id::<Id<()>>().as_uuid().simple())
}
