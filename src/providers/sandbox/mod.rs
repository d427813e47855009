//! The built-in provider, for trying things out: no money moves. It plays a peer outside, so it keeps books of its own,
//! and what is asked of it is done in transactions of its own; nobody else reads them. Only the operations of rehearsals and
//! its timers change them in the transaction that they are in.

mod charges;
pub mod knobs;
pub mod telling;
mod transfers;

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

use super::{
    AccountState, Answering, Charge, ChargebackState, Forged, Notice, NoticePage, Onboarded, Onboarding,
    Outcome, Provider, Record, Recorded, RefundOutcome, RefundRequest, TransferOutcome, TransferRequest,
    Unanswered, notice, signature, summed,
};
use charges::{chargeback, confirm, give_back, look, outcome, refunded, take, void};
use knobs::{Mishap, Tries};
use telling::{Happening, tell};
use transfers::{open_account, ready, require_account, send, transferred};

pub use charges::{end_chargeback, settle};

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
        self.call(format!("look:{key}"), move |tx| look(tx, &key))
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

    fn notices<'a>(&'a self, from: Time, rest: Option<&'a str>) -> Answering<'a, NoticePage> {
        let from = rest.and_then(Time::parse).unwrap_or(from);
        self.read(move |tx| telling::since(tx, from))
    }

    fn records<'a>(&'a self, from: Time, to: Time) -> Answering<'a, Vec<Record>> {
        self.read(move |tx| records(tx, from, to))
    }

    fn balance<'a>(&'a self) -> Answering<'a, Vec<Money>> {
        self.read(|tx| {
            let everything = records(tx, Time::from_micros(0), tx.now().plus(SETTLES_AFTER))?;
            Ok(summed(everything.into_iter().map(|record| match record.what {
                Recorded::Charge | Recorded::Reversal | Recorded::Reinstatement | Recorded::PutIn => {
                    record.amount
                }
                Recorded::FailedPayout => record.amount.with_minor(0),
                Recorded::Refund | Recorded::Transfer | Recorded::Chargeback | Recorded::TakenOut => {
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
            tx.send("insert into settings (name, value) values ($1, $2)", params![SECRET, secret])?;
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
    let taken_back = [
        (
            Recorded::Chargeback,
            "select id, charge_id, amount_minor, currency, opened_at from sandbox_chargebacks
             where opened_at >= $1 and opened_at < $2 and opened_at <= $3 order by opened_at, id",
        ),
        (
            Recorded::Reinstatement,
            "select id, charge_id, amount_minor, currency, closed_at from sandbox_chargebacks
             where status = 'won' and closed_at >= $1 and closed_at < $2 and closed_at <= $3 order by closed_at, id",
        ),
    ];
    let mut records = Vec::new();
    for (what, sql) in taken_back {
        records.extend(tx.all(sql, params![from, to, tx.now()], |row| {
            Ok(Record {
                what,
                reference: row.next()?,
                of: row.next()?,
                key: None,
                amount: Money::new(row.next()?, row.next()?),
                fee: None,
                at: row.next()?,
            })
        })?);
    }
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
