//! The built-in provider, for trying things out: no money moves. It plays a peer outside, so it keeps books of its own in
//! transactions of its own, and nobody else reads them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;

use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::money::Money;
use crate::params;
use crate::time::Time;
use crate::words;

use super::{
    AccountState, Answering, Charge, ChargebackState, ChargebackStatus, Forged, Notice, Onboarded,
    Onboarding, Outcome, Provider, Record, Recorded, RefundOutcome, RefundRequest, TransferOutcome,
    TransferRequest, Unanswered,
    knobs::{self, Mishap, Tries},
    notice, signature, summed, telling,
};
use telling::{Happening, tell};

/// What each method does.
const METHODS: &[&str] = &[
    "pm_card_visa",
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_authenticationRequired",
    "pm_sandbox_pending",
    "pm_sandbox_delay",
    "pm_sandbox_dropAfterCommit",
    "pm_sandbox_500AfterCommit",
    "pm_sandbox_never",
    "pm_sandbox_refundFails",
    "pm_sandbox_refundPending",
    "pm_sandbox_chargeback",
];

/// Longer than a transaction waits for its turn and for the fate of its commit.
const TRANSACTION_ENDS_WITHIN: Duration = Duration::from_secs(3);

/// `pm_sandbox_pending` settles by itself after it, so does a refund of `pm_sandbox_refundPending`, and
/// `pm_sandbox_chargeback` is taken back.
const SETTLES_AFTER: Duration = Duration::from_secs(2);
/// How late the answer to `pm_sandbox_delay` is.
const DELAY: Duration = Duration::from_secs(3);
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

/// The sandbox.
pub struct Sandbox {
    db: Db,
    tries: Tries,
}

impl Sandbox {
    pub fn new(db: Db) -> Self {
        Self { db, tries: Tries::default() }
    }
}

impl Sandbox {
    /// Makes a call over a line that may be bad.
    fn call<T: Send + 'static>(
        &self,
        name: String,
        act: impl Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    ) -> Answering<'_, T> {
        let tries = self.tries.clone();
        Box::pin(async move {
            let (mishap, delay, answer) = self
                .db
                .write(move |tx| {
                    let (mishap, delay) = knobs::mishap(tx, &tries, &name)?;
                    let answer = if mishap == Mishap::Before { None } else { Some(act(tx)?) };
                    Ok((mishap, delay, answer))
                })
                .await
                .map_err(unknown)?;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            mishap.answer(answer)
        })
    }

    fn read<T: Send + 'static>(
        &self,
        look: impl Fn(&Tx) -> Result<T> + Send + Sync + 'static,
    ) -> Answering<'_, T> {
        Box::pin(async move { self.db.read(look).await.map_err(unknown) })
    }
}

impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    /// Its transaction has ended by then, one way or the other.
    fn arrives_within(&self) -> Duration {
        TRANSACTION_ENDS_WITHIN
    }

    fn methods(&self) -> &[&'static str] {
        METHODS
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        let taken = charge.clone();
        let answering = self.call(format!("charge:{}", charge.key), move |tx| take(tx, &taken));
        let lost = match charge.payment_method.as_str() {
            "pm_sandbox_delay" => {
                return Box::pin(async move {
                    let answer = answering.await;
                    tokio::time::sleep(DELAY).await;
                    answer
                });
            }
            "pm_sandbox_dropAfterCommit" => Mishap::After,
            "pm_sandbox_500AfterCommit" => Mishap::Error,
            _ => return answering,
        };
        Box::pin(async move { lost.answer(Some(answering.await?)) })
    }

    fn confirm<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        let key = charge.key.clone();
        self.call(format!("confirm:{key}"), move |tx| confirm(tx, &key))
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        let charge = charge.clone();
        self.call(format!("void:{}", charge.key), move |tx| void(tx, &charge))
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        let key = charge.key.clone();
        self.call(format!("look:{key}"), move |tx| entry(tx, &key)?.map(|_| outcome(tx, &key)).transpose())
    }

    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        let refund = refund.clone();
        self.call(format!("refund:{}", refund.key), move |tx| give_back(tx, &refund))
    }

    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        let key = refund.key.clone();
        self.call(format!("look_for_refund:{key}"), move |tx| refunded(tx, &key))
    }

    fn onboard<'a>(&'a self, onboarding: &'a Onboarding) -> Answering<'a, Onboarded> {
        let onboarding = onboarding.clone();
        self.call(format!("onboard:{}", onboarding.key), move |tx| {
            Ok(Onboarded { account: open_account(tx, &onboarding)?, url: None })
        })
    }

    fn look_at_account<'a>(&'a self, reference: &'a str) -> Answering<'a, AccountState> {
        let reference = reference.to_owned();
        self.read(move |tx| {
            require_account(tx, &reference)?;
            Ok(ready(reference.clone()))
        })
    }

    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        let transfer = transfer.clone();
        self.call(format!("transfer:{}", transfer.key), move |tx| send(tx, &transfer))
    }

    fn look_for_transfer<'a>(
        &'a self,
        transfer: &'a TransferRequest,
    ) -> Answering<'a, Option<TransferOutcome>> {
        let key = transfer.key.clone();
        self.call(format!("look_for_transfer:{key}"), move |tx| {
            let known = transferred(tx, &key)?;
            Ok(known.map(|reference| TransferOutcome::Paid { reference }))
        })
    }

    fn look_at_chargeback<'a>(&'a self, reference: &'a str) -> Answering<'a, Option<ChargebackState>> {
        let reference = reference.to_owned();
        self.read(move |tx| chargeback(tx, &reference))
    }

    fn read_event<'a>(
        &'a self,
        headers: &'a HeaderMap,
        raw: &'a [u8],
        now: Time,
    ) -> Answering<'a, Result<Notice, Forged>> {
        Box::pin(async move {
            // Before the first is signed there is no secret, and whatever comes is forged.
            let secret: Option<String> = self.db.read(known_secret).await.map_err(unknown)?;
            Ok(notice::read(&Vec::from_iter(secret), SIGNATURE, headers, raw, now))
        })
    }

    fn notices<'a>(&'a self, since: Time) -> Answering<'a, Vec<Notice>> {
        self.read(move |tx| telling::since(tx, since))
    }

    fn records<'a>(&'a self, from: Time, to: Time) -> Answering<'a, Vec<Record>> {
        self.read(move |tx| records(tx, from, to))
    }

    fn balance<'a>(&'a self) -> Answering<'a, Vec<Money>> {
        self.read(|tx| {
            let everything = records(tx, Time::from_micros(0), tx.now().plus(SETTLES_AFTER))?;
            Ok(summed(everything.into_iter().map(|record| match record.what {
                Recorded::Charge | Recorded::Reversal | Recorded::Reinstatement => record.amount,
                Recorded::FailedPayout => record.amount.with_minor(0),
                Recorded::Refund | Recorded::Transfer | Recorded::Chargeback => {
                    record.amount.with_minor(-record.amount.minor())
                }
            })))
        })
    }
}

/// The header that its notices carry their signature in; the scheme is [`signature`]'s.
pub const SIGNATURE: &str = "guildhall-signature";

/// The setting that holds what its notices are signed with: each database has its own.
const SECRET: &str = "sandbox_webhook_secret";

/// The header that signs a notice of the sandbox's; the first one makes the secret. Its body is an event as Stripe writes
/// it: `{"id", "type", "created", "livemode": false, "data": {"object": {"id", "object", "metadata": {"key"}}}}`, where
/// the inner `object` is `charge`, `refund`, `transfer`, `account`, `dispute` or `payout`.
pub fn sign(tx: &Tx, raw: &[u8]) -> Result<String> {
    let secret = match known_secret(tx)? {
        Some(secret) => secret,
        None => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(|error| Error::broken(format!("no randomness: {error}")))?;
            let secret = format!("whsec_{}", URL_SAFE_NO_PAD.encode(secret));
            tx.execute("insert into settings (name, value) values ($1, $2)", params![SECRET, secret])?;
            secret
        }
    };
    Ok(signature::sign(&secret, raw, tx.now()))
}

fn known_secret(tx: &Tx) -> Result<Option<String>> {
    tx.first("select value from settings where name = $1", params![SECRET], |row| row.next())
}

fn unknown(error: Error) -> Unanswered {
    Unanswered::Unknown(error.to_string())
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

fn take(tx: &Tx, charge: &Charge) -> Result<Outcome> {
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
        tx.execute(
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
    tx.execute(
        "insert into sandbox_chargebacks (id, charge_id, amount_minor, currency, status, opened_at)
         values ($1, $2, $3, $4, 'open', $5)",
        params![id, charge, amount.minor(), amount.currency(), opens_at],
    )?;
    telling::settle_at(tx, &id, opens_at)
}

/// A chargeback shows from the moment it is opened on.
fn chargeback(tx: &Tx, reference: &str) -> Result<Option<ChargebackState>> {
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

fn confirm(tx: &Tx, key: &str) -> Result<Outcome> {
    let confirmed = tx.execute(
        "update sandbox_charges set status = 'succeeded' where key = $1 and status = 'requires_action'",
        params![key],
    )?;
    told_if(tx, confirmed, key)?;
    outcome(tx, key)
}

/// A charge that was never heard of is declined before it comes.
fn void(tx: &Tx, charge: &Charge) -> Result<Outcome> {
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

/// How the charge with this key stands now.
fn outcome(tx: &Tx, key: &str) -> Result<Outcome> {
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
fn refunded(tx: &Tx, key: &str) -> Result<Option<RefundOutcome>> {
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

fn give_back(tx: &Tx, refund: &RefundRequest) -> Result<RefundOutcome> {
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
    tx.execute(
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

/// A freelancer has one account, and it is ready at once.
fn open_account(tx: &Tx, onboarding: &Onboarding) -> Result<AccountState> {
    let opened = tx.execute(
        "insert into sandbox_accounts (id, key, created_at) values ($1, $2, $3) on conflict (key) do nothing",
        params![reference(tx, "acct"), onboarding.key, tx.now()],
    )?;
    let id: String =
        tx.one("select id from sandbox_accounts where key = $1", params![onboarding.key], |row| row.next())?;
    if opened > 0 {
        let key = Some(onboarding.key.as_str());
        tell(
            tx,
            &Happening { said: "account.updated", object: "account", reference: &id, key, order_id: None },
        )?;
    }
    Ok(ready(id))
}

fn ready(reference: String) -> AccountState {
    AccountState { reference, enabled: true, wanted: Vec::new() }
}

fn require_account(tx: &Tx, reference: &str) -> Result<()> {
    match tx.exists("select 1 from sandbox_accounts where id = $1", params![reference])? {
        true => Ok(()),
        false => Err(Error::broken(format!("the sandbox has no account {reference}"))),
    }
}

/// The provider's id of the transfer with this key.
fn transferred(tx: &Tx, key: &str) -> Result<Option<String>> {
    tx.first("select id from sandbox_transfers where key = $1", params![key], |row| row.next())
}

fn send(tx: &Tx, transfer: &TransferRequest) -> Result<TransferOutcome> {
    if let Some(reference) = transferred(tx, &transfer.key)? {
        return Ok(TransferOutcome::Paid { reference });
    }
    require_account(tx, &transfer.account)?;
    let reference = reference(tx, "tr");
    tx.execute(
        "insert into sandbox_transfers (id, key, account_id, charge_id, amount_minor, currency, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        params![
            reference,
            transfer.key,
            transfer.account,
            transfer.charge,
            transfer.amount.minor(),
            transfer.amount.currency(),
            tx.now()
        ],
    )?;
    tell(
        tx,
        &Happening {
            said: "transfer.created",
            object: "transfer",
            reference: &reference,
            key: Some(&transfer.key),
            order_id: Some(transfer.order_id),
        },
    )?;
    Ok(TransferOutcome::Paid { reference })
}

/// What the books say of that time.
fn records(tx: &Tx, from: Time, to: Time) -> Result<Vec<Record>> {
    let tables = [
        (
            Recorded::Charge,
            "select id, id, key, amount_minor, currency, created_at from sandbox_charges
             where status = 'succeeded' and created_at >= $1 and created_at < $2 order by created_at, id",
        ),
        (
            Recorded::Refund,
            "select r.id, r.charge_id, r.key, r.amount_minor, c.currency, r.created_at
             from sandbox_refunds r join sandbox_charges c on c.id = r.charge_id
             where r.status = 'succeeded' and r.created_at >= $1 and r.created_at < $2 order by r.created_at, r.id",
        ),
        (
            Recorded::Transfer,
            "select id, charge_id, key, amount_minor, currency, created_at from sandbox_transfers
             where created_at >= $1 and created_at < $2 order by created_at, id",
        ),
    ];
    let mut records = tx.all(
        "select id, charge_id, amount_minor, currency, opened_at from sandbox_chargebacks
         where opened_at >= $1 and opened_at < $2 and opened_at <= $3 order by opened_at, id",
        params![from, to, tx.now()],
        |row| {
            Ok(Record {
                what: Recorded::Chargeback,
                reference: row.next()?,
                of: row.next()?,
                key: None,
                amount: Money::new(row.next()?, row.next()?),
                fee: None,
                at: row.next()?,
            })
        },
    )?;
    for (what, sql) in tables {
        records.extend(tx.all(sql, params![from, to], |row| {
            Ok(Record {
                what,
                reference: row.next()?,
                of: row.next()?,
                key: Some(row.next()?),
                amount: Money::new(row.next()?, row.next()?),
                fee: None,
                at: row.next()?,
            })
        })?);
    }
    Ok(records)
}

/// Lets happen whose time has come, a charge, a refund or a chargeback: nobody needs to ask.
pub fn settle_due(tx: &Tx, subject: Id<()>) -> Result<()> {
    let named = |kind: &str| format!("{kind}_{}", subject.as_uuid().simple());
    let key_in = |sql: &str, id: String| tx.first(sql, params![id], |row| row.next::<String>());
    if let Some(key) = key_in("select key from sandbox_charges where id = $1", named("ch"))? {
        return outcome(tx, &key).map(drop);
    }
    if let Some(key) = key_in("select key from sandbox_refunds where id = $1", named("re"))? {
        return refunded(tx, &key).map(drop);
    }
    match chargeback(tx, &named("dp"))? {
        Some(ChargebackState { reference, .. }) => tell(
            tx,
            &Happening {
                said: "charge.dispute.created",
                object: "dispute",
                reference: &reference,
                key: None,
                order_id: None,
            },
        ),
        None => Ok(()),
    }
}

/// An id as providers write them.
fn reference(tx: &Tx, kind: &str) -> String {
    format!("{kind}_{}", tx.new_id::<Id<()>>().as_uuid().simple())
}
