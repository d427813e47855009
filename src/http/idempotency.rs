//! Idempotency keys: the first answer again, however often a POST is sent. The key is claimed in the effect's first
//! transaction and answered in its last, so a crash leaves neither an effect without its key nor a key without its effect.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderName, StatusCode};
use sha2::{Digest, Sha256};

use crate::actor::UserId;
use crate::db::{Json, Tx};
use crate::error::{IDEMPOTENCY_KEY_REUSED, INVALID_IDEMPOTENCY_KEY, Result};
use crate::id::Id;
use crate::params;

use super::Answer;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(72 * 3_600);

/// A caller's key, and a digest of the request that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    text: String,
    fingerprint: Vec<u8>,
}

/// What a key stands for already.
pub(super) enum Claim {
    /// Nothing: it is claimed now.
    Fresh,
    /// A request that was answered.
    Answered(Answer),
    /// A request of several transactions that made this and has no answer yet.
    Unanswered(Option<Id<()>>),
}

impl Key {
    pub fn parse(text: &str, method: &str, path: &str, body: &[u8]) -> Result<Self> {
        let usable = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !usable {
            return Err(INVALID_IDEMPOTENCY_KEY
                .error("send one Idempotency-Key of 1 to 255 visible ASCII characters"));
        }
        let digest = [method.as_bytes(), path.as_bytes(), body].iter().fold(Sha256::new(), |digest, part| {
            digest.chain_update(part.len().to_be_bytes()).chain_update(part)
        });
        Ok(Self { text: text.to_owned(), fingerprint: digest.finalize().to_vec() })
    }

    /// Looks the key up and claims it when it is new.
    pub fn claim(&self, tx: &Tx, caller: UserId) -> Result<Claim> {
        let forgotten = tx.now().minus(KEPT);
        let found = tx.first(
            "select fingerprint, status, headers, body, effect_id from idempotency_keys
             where user_id = $1 and key = $2 and claimed_at > $3",
            params![caller, self.text, forgotten],
            |row| {
                let fingerprint: Vec<u8> = row.next()?;
                let status: Option<i64> = row.next()?;
                let headers: Option<Json<Vec<(String, String)>>> = row.next()?;
                let body: Option<Vec<u8>> = row.next()?;
                Ok((fingerprint, status, headers, body, row.next::<Option<Id<()>>>()?))
            },
        )?;
        match found {
            None => {
                tx.send(
                    "insert into idempotency_keys (user_id, key, fingerprint, claimed_at) values ($1, $2, $3, $4)
                     on conflict (user_id, key) do update
                     set fingerprint = $3, claimed_at = $4, status = null, headers = null, body = null, effect_id = null",
                    params![caller, self.text, self.fingerprint, tx.now()],
                )?;
                Ok(Claim::Fresh)
            }
            Some((fingerprint, ..)) if fingerprint != self.fingerprint => Err(IDEMPOTENCY_KEY_REUSED
                .error("this Idempotency-Key was sent with another request: use a new key, or send the first body again")),
            Some((_, Some(status), headers, body, _)) => Ok(Claim::Answered(Answer {
                status: u16::try_from(status).ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK),
                headers: headers.map(|Json(headers)| named(headers)).unwrap_or_default(),
                body: body.unwrap_or_default(),
                replayed: true,
            })),
            Some((_, None, _, _, effect)) => Ok(Claim::Unanswered(effect)),
        }
    }

    /// Ties the key to the thing that the request is making.
    pub fn tie<K>(&self, tx: &Tx, caller: UserId, effect: Id<K>) -> Result<()> {
        tx.send(
            "update idempotency_keys set effect_id = $3 where user_id = $1 and key = $2",
            params![caller, self.text, effect],
        )
    }

    /// Keeps the answer.
    pub fn answer(&self, tx: &Tx, caller: UserId, answer: &Answer) -> Result<()> {
        let headers: Vec<(&str, &str)> =
            answer.headers.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
        tx.send(
            "update idempotency_keys set status = $3, headers = $4, body = $5 where user_id = $1 and key = $2 and status is null",
            params![caller, self.text, i64::from(answer.status.as_u16()), Json(headers), answer.body],
        )
    }
}

fn named(headers: Vec<(String, String)>) -> Vec<(HeaderName, Cow<'static, str>)> {
    headers.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.into()))).collect()
}

/// Forgets answers that are older than 72 hours, `most` of them; whether that was all.
pub fn forget_old(tx: &Tx, most: u32) -> Result<bool> {
    let forgotten = tx.execute(
        "delete from idempotency_keys where (user_id, key) in
             (select user_id, key from idempotency_keys where claimed_at <= $1 order by claimed_at limit $2)",
        params![tx.now().minus(KEPT), most],
    )?;
    Ok(forgotten < u64::from(most))
}

/// Forgets every answer that was kept for a caller: his account is gone.
pub fn forget_caller(tx: &Tx, caller: UserId) -> Result<()> {
    tx.execute("delete from idempotency_keys where user_id = $1", params![caller])?;
    Ok(())
}
