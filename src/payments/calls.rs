//! Operations at the provider whose outcome may be unknown. Each is written down before a byte of it leaves, goes out under
//! one key with the same words every time, is looked for before it is sent again, and ends by evidence: found, proven
//! absent, or a case for a person. Never asks for anything under another key.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::id::Id;
use crate::orders::OrderId;
use crate::params;
use crate::providers::{Answering, Unanswered, patiently};
use crate::time::Time;
use crate::words;

use super::cases;

words! {
    /// What the provider is asked to do.
    pub enum Kind {
        Charge = "charge",
        Refund = "refund",
        Transfer = "transfer",
        Account = "account",
    }
}

/// How long after a question without an answer the next one is put; the last one again and again.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(3_600),
];
/// A key is good for a day at providers; after this it is sent no more.
pub(super) const KEY_LIVES: Duration = Duration::from_secs(23 * 3_600);
/// So many identical errors in a row are the provider's memory of one, not tries.
const REPLAYS: i64 = 3;
/// Two looks that are so far apart and find nothing prove that there is nothing.
const PROOF_TAKES: Duration = Duration::from_secs(600);

/// One operation as it is asked for, every time.
#[derive(Debug, Clone)]
pub struct Asked {
    pub key: String,
    kind: Kind,
    subject: Id<()>,
    order: Option<OrderId>,
    /// Fires when the provider is to be turned to again; its subject is the operation's.
    timer: &'static str,
    hash: Vec<u8>,
}

impl Asked {
    /// `words`: everything that is asked for. Under one key they never change.
    pub fn new<S>(
        kind: Kind,
        key: impl Into<String>,
        subject: Id<S>,
        order: Option<OrderId>,
        timer: &'static str,
        words: &[&str],
    ) -> Self {
        let mut hash = Sha256::new();
        for word in words {
            hash.update(word.len().to_le_bytes());
            hash.update(word);
        }
        let hash = hash.finalize().to_vec();
        Self { key: key.into(), kind, subject: subject.cast(), order, timer, hash }
    }
}

/// What is known of an operation.
struct Known {
    first_sent_at: Option<Time>,
    last_sent_at: Option<Time>,
    tries: i64,
    same_failures: i64,
    absent_since: Option<Time>,
    last_answer: Option<String>,
}

impl Known {
    /// Whether the provider would still do what it is sent, or say what became of it.
    fn may_be_sent(&self, now: Time) -> bool {
        self.same_failures < REPLAYS && self.first_sent_at.is_none_or(|first| now < first.plus(KEY_LIVES))
    }

    /// The pause after the last try.
    fn pause(&self) -> Duration {
        let last = PAUSES.len() - 1;
        PAUSES[usize::try_from(self.tries - 1).unwrap_or(0).min(last)]
    }

    /// Whether only the hourly look is left.
    fn is_hopeless(&self, now: Time) -> bool {
        !self.may_be_sent(now) && self.tries >= PAUSES.len() as i64
    }
}

fn known(tx: &Tx, key: &str) -> Result<Option<Known>> {
    tx.first(
        "select first_sent_at, last_sent_at, tries, same_failures, absent_since, last_answer
         from provider_calls where key = $1",
        params![key],
        |row| {
            Ok(Known {
                first_sent_at: row.next()?,
                last_sent_at: row.next()?,
                tries: row.next()?,
                same_failures: row.next()?,
                absent_since: row.next()?,
                last_answer: row.next()?,
            })
        },
    )
}

/// What was written down of `asked`, which is by now.
fn noted(tx: &Tx, asked: &Asked) -> Result<Known> {
    known(tx, &asked.key)?
        .ok_or_else(|| Error::broken(format!("{} was sent and not written down", asked.key)))
}

/// Writes an operation down that is sent as soon as the transaction is over. Fails when its key stands for other words. One
/// that was answered is asked for anew: a buyer who confirmed too early confirms again.
pub fn begin(tx: &Tx, asked: &Asked) -> Result<()> {
    tx.send(
        "insert into provider_calls (key, kind, subject_id, order_id, params_hash, begun_at, state)
         values ($1, $2, $3, $4, $5, $6, 'open')
         on conflict (key) do update
         set state = 'open', begun_at = excluded.begun_at, first_sent_at = null, last_sent_at = null, tries = 0,
             last_answer = null
         where provider_calls.state = 'answered'",
        params![asked.key, asked.kind, asked.subject, asked.order, asked.hash, tx.now()],
    )?;
    send(tx, asked)
}

/// Notes that `asked` leaves now.
fn send(tx: &Tx, asked: &Asked) -> Result<()> {
    let same = tx.execute(
        "update provider_calls set first_sent_at = coalesce(first_sent_at, $3), last_sent_at = $3, tries = tries + 1,
             absent_since = null
         where key = $1 and params_hash = $2",
        params![asked.key, asked.hash, tx.now()],
    )?;
    if same == 1 {
        return Ok(());
    }
    Err(Error::broken(format!("{} stands for something else: it is not sent with other words", asked.key)))
}

/// How an operation is turned to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    /// It was never sent.
    Send,
    /// It may have been: whoever sends it now without looking relies on the provider's memory of keys.
    Look,
    /// Nobody wants to know any more.
    Leave,
}

/// Whether it is still to be asked for, under this key: since it was read, a person may have decided it, or the provider
/// told how it stands.
fn is_wanted(tx: &Tx, asked: &Asked) -> Result<bool> {
    let sql = match asked.kind {
        Kind::Charge => {
            "select 1 from payments where id = $1 and status = 'pending'
                 and $2 = provider_key || case when confirmed then '-confirm' else '' end and order_id = $3"
        }
        Kind::Refund => {
            "select 1 from refunds where id = $1 and status = 'pending' and provider_key = $2 and order_id = $3"
        }
        // Whoever asks for these looks himself.
        Kind::Transfer | Kind::Account => return Ok(true),
    };
    tx.exists(sql, params![asked.subject, asked.key, asked.order])
}

fn turn(tx: &Tx, asked: &Asked) -> Result<Turn> {
    if !is_wanted(tx, asked)? {
        return Ok(Turn::Leave);
    }
    if known(tx, &asked.key)?.is_none_or(|known| known.first_sent_at.is_none()) {
        begin(tx, asked)?;
        return Ok(Turn::Send);
    }
    tx.send("update provider_calls set tries = tries + 1 where key = $1", params![asked.key])?;
    Ok(Turn::Look)
}

/// What follows from the provider having none.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Absence {
    /// It was written down that it is sent again.
    SendAgain,
    /// Too early to say; the timer is set.
    Later,
    Proven,
    /// Nobody wants to know any more.
    Leave,
}

/// The provider has none of it. While what was sent may still be on its way that says nothing.
fn absent(tx: &Tx, asked: &Asked, arrives_within: Duration) -> Result<Absence> {
    if !is_wanted(tx, asked)? {
        return Ok(Absence::Leave);
    }
    let (known, now) = (noted(tx, asked)?, tx.now());
    let arrived_by = known.last_sent_at.map_or(now, |sent| sent.plus(arrives_within));
    if known.may_be_sent(now) && arrived_by <= now {
        // One turn, although it is a look and a sending.
        tx.send("update provider_calls set tries = tries - 1 where key = $1", params![asked.key])?;
        send(tx, asked)?;
        return Ok(Absence::SendAgain);
    }
    let proven = known.absent_since.is_some_and(|since| since.plus(PROOF_TAKES) <= now);
    if proven && !known.may_be_sent(now) {
        return Ok(Absence::Proven);
    }
    if arrived_by <= now {
        tx.send(
            "update provider_calls set absent_since = coalesce(absent_since, $2) where key = $1",
            params![asked.key, now],
        )?;
    }
    let next = match known.may_be_sent(now) {
        true => now.plus(known.pause()).max(arrived_by),
        false => now.plus(known.pause()).max(now.plus(PROOF_TAKES)),
    };
    events::put_off(tx, asked.timer, asked.subject, next)?;
    Ok(Absence::Later)
}

/// Notes what the provider says. Whoever applies it calls this in the same transaction.
pub fn answered(tx: &Tx, asked: &Asked, what: &str) -> Result<()> {
    misconfigured(false);
    tx.send(
        "update provider_calls set state = 'answered', last_answer = $2, tries = 0, same_failures = 0, absent_since = null
         where key = $1",
        params![asked.key, what],
    )?;
    for kind in [cases::Kind::UnknownOutcome, cases::Kind::Strange, cases::Kind::OtherProvider] {
        cases::settle(tx, kind, asked.subject, "answered")?;
    }
    Ok(())
}

/// Notes that there is no answer to what was sent, or looked for, and sets the timer. A person has to look when only the
/// hourly look is left.
pub fn unanswered(tx: &Tx, asked: &Asked, why: &Unanswered, sent: bool) -> Result<()> {
    let (known, now) = (noted(tx, asked)?, tx.now());
    misconfigured(matches!(why, Unanswered::Misconfigured(_)));
    let pause = match why {
        Unanswered::Unknown(text) => {
            if sent {
                note_failure(tx, asked, &known, text)?;
            }
            known.pause()
        }
        Unanswered::NotNow { retry_after, .. } => {
            if sent {
                not_sent(tx, asked)?;
            }
            retry_after.unwrap_or(known.pause()).max(PAUSES[0])
        }
        Unanswered::Misconfigured(_) => {
            if sent {
                not_sent(tx, asked)?;
            }
            tx.send("update provider_calls set tries = tries - 1 where key = $1", params![asked.key])?;
            known.pause().max(PAUSES[2])
        }
    };
    if noted(tx, asked)?.is_hopeless(now) {
        review(tx, asked, &why.to_string())?;
    }
    events::put_off(tx, asked.timer, asked.subject, now.plus(jittered(pause)))
}

/// What was sent may have happened. An error that is told again to the letter is remembered, not tried anew.
fn note_failure(tx: &Tx, asked: &Asked, known: &Known, text: &str) -> Result<()> {
    let is_error = text.starts_with('5') && text.bytes().take(3).all(|byte| byte.is_ascii_digit());
    let again = known.last_answer.as_deref() == Some(text);
    let same = match (is_error, again) {
        (true, true) => known.same_failures + 1,
        (true, false) => 1,
        (false, _) => 0,
    };
    tx.send(
        "update provider_calls set last_answer = $2, same_failures = $3 where key = $1",
        params![asked.key, text, same],
    )
}

/// What was sent did not happen: if it was the first time, it is as if it had never left.
fn not_sent(tx: &Tx, asked: &Asked) -> Result<()> {
    tx.send(
        "update provider_calls set
             first_sent_at = case when first_sent_at = last_sent_at then null else first_sent_at end,
             last_sent_at = case when first_sent_at = last_sent_at then null else first_sent_at end
         where key = $1",
        params![asked.key],
    )
}

/// Nobody could find out: a person has to look.
pub fn review(tx: &Tx, asked: &Asked, why: &str) -> Result<()> {
    tx.send("update provider_calls set state = 'needs_review' where key = $1", params![asked.key])?;
    let said = json!({ "operation": asked.kind, "key": asked.key, "said": why });
    cases::open(tx, cases::Kind::UnknownOutcome, asked.subject, asked.order, &said)
}

/// Lets the provider be turned to at once, as if for the first time since it was sent.
pub fn ask_now<S>(tx: &Tx, timer: &'static str, subject: Id<S>) -> Result<()> {
    tx.send(
        "update provider_calls set state = 'open', tries = case when tries > 1 then 1 else tries end
         where subject_id = $1 and state = 'needs_review'",
        params![subject],
    )?;
    events::schedule(tx, timer, subject, tx.now())
}

/// Whether it may have left: what was certainly not done counts as never sent.
pub fn was_sent(tx: &Tx, key: &str) -> Result<bool> {
    Ok(known(tx, key)?.is_some_and(|known| known.first_sent_at.is_some()))
}

/// It ended without the provider, because an administrator says how or because it is not wanted any more: nobody sends it
/// or looks for it.
pub fn end<S>(tx: &Tx, timer: &'static str, subject: Id<S>) -> Result<()> {
    tx.send(
        "update provider_calls set state = 'answered' where subject_id = $1 and state <> 'answered'",
        params![subject],
    )?;
    events::cancel(tx, timer, subject)
}

fn misconfigured(is: bool) {
    metrics::gauge!("payment_provider_misconfigured").set(u8::from(is));
}

/// A little longer, so that those who were sent away together do not come back together.
fn jittered(pause: Duration) -> Duration {
    if pause <= PAUSES[1] {
        return pause;
    }
    let most_ms = u32::try_from(pause.as_millis() / 8).unwrap_or(u32::MAX);
    pause + Duration::from_millis(u64::from(getrandom::u32().unwrap_or(0) % most_ms.max(1)))
}

/// How the provider stands to an operation.
#[derive(Debug)]
pub enum Found<T> {
    /// It says so.
    Answer(T),
    /// It is proven that it has none, and it is sent no more.
    Absent,
    /// Nobody knows, and it is written down and the timer set; or nobody wants to know any more.
    Nothing,
}

/// Turns to the provider about `asked`: sends it if it was never sent; otherwise looks for it, and sends it again, under
/// its key and with its words, only where the provider has none.
pub async fn resolve<'a, T>(
    app: &App,
    asked: &Asked,
    look: impl FnOnce() -> Answering<'a, Option<T>>,
    send: impl FnOnce() -> Answering<'a, T>,
) -> Result<Found<T>> {
    let turned = asked.clone();
    let turn = app.db().write(move |tx| turn(tx, &turned)).await?;
    if turn == Turn::Leave {
        return Ok(Found::Nothing);
    }
    if turn == Turn::Look {
        match patiently(look()).await {
            Ok(Some(found)) => return Ok(Found::Answer(found)),
            Err(why) => return unknown(app, asked, why, false).await,
            Ok(None) => {}
        }
        let (missing, arrives_within) = (asked.clone(), app.provider().arrives_within());
        match app.db().write(move |tx| absent(tx, &missing, arrives_within)).await? {
            Absence::SendAgain => {}
            Absence::Later | Absence::Leave => return Ok(Found::Nothing),
            Absence::Proven => return Ok(Found::Absent),
        }
    }
    match patiently(send()).await {
        Ok(answer) => Ok(Found::Answer(answer)),
        Err(why) => unknown(app, asked, why, true).await,
    }
}

async fn unknown<T>(app: &App, asked: &Asked, why: Unanswered, sent: bool) -> Result<Found<T>> {
    tracing::warn!(key = asked.key, %why, "the payment provider gave no answer");
    let asked = asked.clone();
    app.db().write(move |tx| unanswered(tx, &asked, &why, sent)).await?;
    Ok(Found::Nothing)
}
