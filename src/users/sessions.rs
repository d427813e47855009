//! Tokens: opaque, recognisable, 256 bits, stored as SHA-256. A session is one login; ending it ends every token of it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::actor::{Actor, Role, SessionId, UserId};
use crate::db::Tx;
use crate::error::{Error, INVALID_TOKEN, Result, TOKEN_EXPIRED};
use crate::params;
use crate::time::Time;

pub(super) const ACCESS_LIFE: Duration = Duration::from_secs(15 * 60);
/// A login lasts this long, however often it is refreshed …
const SESSION_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// … and ends when it is not refreshed for this long.
const IDLE_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// A refresh token that was used may be sent again for this long: the answer may have been lost on its way.
const RETRY_WITHIN: Duration = Duration::from_secs(10);

/// A pair of tokens that were just made; only their hashes are stored.
pub(super) struct Pair {
    pub access: String,
    pub refresh: String,
}

/// Starts a session.
pub(super) fn start(tx: &Tx, user: UserId) -> Result<Pair> {
    let session: SessionId = tx.new_id();
    let ends = tx.now().plus(SESSION_LIFE);
    tx.execute(
        "insert into sessions (id, user_id, created_at, expires_at) values ($1, $2, $3, $4)",
        params![session, user, tx.now(), ends],
    )?;
    issue(tx, user, session, ends)
}

/// The next pair of a session.
pub(super) fn issue(tx: &Tx, user: UserId, session: SessionId, ends: Time) -> Result<Pair> {
    let pair = Pair { access: token("gh_at_")?, refresh: token("gh_rt_")? };
    tx.execute(
        "insert into access_tokens (hash, session_id, user_id, expires_at) values ($1, $2, $3, $4)",
        params![hash(&pair.access), session, user, tx.now().plus(ACCESS_LIFE).min(ends)],
    )?;
    tx.execute(
        "insert into refresh_tokens (hash, session_id, user_id, expires_at) values ($1, $2, $3, $4)",
        params![hash(&pair.refresh), session, user, tx.now().plus(IDLE_LIFE).min(ends)],
    )?;
    Ok(pair)
}

/// What a refresh token is worth.
pub(super) enum Refreshed {
    Next(UserId, Pair),
    /// It was used before: somebody else holds a copy, so the session has been ended.
    Reused(UserId),
    Unknown,
}

/// Spends a refresh token for the next pair of its session.
pub(super) fn refresh(tx: &Tx, token: &str) -> Result<Refreshed> {
    let spent = hash(token);
    let found = tx.first(
        "select r.user_id, r.session_id, s.expires_at, r.used_at, r.successor_hash
         from refresh_tokens r join sessions s on s.id = r.session_id join users u on u.id = r.user_id
         where r.hash = $1 and r.expires_at > $2 and u.status = 'active'",
        params![spent, tx.now()],
        |row| {
            let (user, session, ends): (UserId, SessionId, Time) = (row.next()?, row.next()?, row.next()?);
            let (used_at, successor): (Option<Time>, Option<Vec<u8>>) = (row.next()?, row.next()?);
            Ok((user, session, ends, used_at.zip(successor)))
        },
    )?;
    let Some((user, session, ends, used)) = found else { return Ok(Refreshed::Unknown) };
    if let Some((used_at, successor)) = used {
        let retried = tx.now().since(used_at) <= RETRY_WITHIN;
        if !retried || !void(tx, &successor)? {
            end(tx, session)?;
            return Ok(Refreshed::Reused(user));
        }
    }
    let pair = issue(tx, user, session, ends)?;
    tx.execute(
        "update refresh_tokens set used_at = coalesce(used_at, $2), successor_hash = $3 where hash = $1",
        params![spent, tx.now(), hash(&pair.refresh)],
    )?;
    Ok(Refreshed::Next(user, pair))
}

/// Takes a refresh token back, unless it was used.
fn void(tx: &Tx, hash: &[u8]) -> Result<bool> {
    Ok(tx.execute("delete from refresh_tokens where hash = $1 and used_at is null", params![hash])? == 1)
}

/// The caller behind an access token.
pub fn authenticate(tx: &Tx, token: &str) -> Result<Actor> {
    let found = tx.first(
        "select t.expires_at, t.session_id, u.id, u.role from access_tokens t join users u on u.id = t.user_id
         where t.hash = $1 and u.status = 'active'",
        params![hash(token)],
        |row| {
            let expires_at: Time = row.next()?;
            let session: SessionId = row.next()?;
            Ok((expires_at, Actor::User { session, id: row.next()?, role: row.next::<Role>()? }))
        },
    )?;
    match found {
        None => Err(INVALID_TOKEN.error(
            "the access token is unknown or its session has ended: log in again with POST /users/login",
        )),
        Some((expires_at, _)) if expires_at <= tx.now() => Err(TOKEN_EXPIRED.error(
            "the access token has expired: POST /users/refresh with your refresh_token gives a new one",
        )),
        Some((_, actor)) => Ok(actor),
    }
}

/// The same caller inside a write: his session may have ended since, his role may be another.
pub fn still_valid(tx: &Tx, actor: &Actor) -> Result<Actor> {
    let Actor::User { id, session, .. } = *actor else { return Ok(*actor) };
    let role = tx.first(
        "select u.role from sessions s join users u on u.id = s.user_id
         where s.id = $1 and u.id = $2 and u.status = 'active'",
        params![session, id],
        |row| row.next::<Role>(),
    )?;
    match role {
        Some(role) => Ok(Actor::User { id, role, session }),
        None => Err(INVALID_TOKEN.error("the session has ended: log in again with POST /users/login")),
    }
}

/// Ends one session.
pub(super) fn end(tx: &Tx, session: SessionId) -> Result<()> {
    tx.execute("delete from sessions where id = $1", params![session])?;
    Ok(())
}

/// Ends every session of an account but `kept`.
pub(super) fn end_all(tx: &Tx, user: UserId, kept: Option<SessionId>) -> Result<()> {
    match kept {
        Some(kept) => {
            tx.execute("delete from sessions where user_id = $1 and id <> $2", params![user, kept])?
        }
        None => tx.execute("delete from sessions where user_id = $1", params![user])?,
    };
    Ok(())
}

/// Forgets sessions that are over and tokens that expired a day ago, `most` of each; whether that was all.
pub fn forget_expired(tx: &Tx, most: u32) -> Result<bool> {
    let yesterday = tx.now().minus(Duration::from_secs(86_400));
    let sessions = tx.execute(
        "delete from sessions where id in (select id from sessions where expires_at <= $1 limit $2)",
        params![tx.now(), most],
    )?;
    let access_tokens = tx.execute(
        "delete from access_tokens where hash in (select hash from access_tokens where expires_at <= $1 limit $2)",
        params![yesterday, most],
    )?;
    let refresh_tokens = tx.execute(
        "delete from refresh_tokens where hash in (select hash from refresh_tokens where expires_at <= $1 limit $2)",
        params![yesterday, most],
    )?;
    Ok(sessions.max(access_tokens).max(refresh_tokens) < u64::from(most))
}

fn token(prefix: &str) -> Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::broken(format!("no randomness: {error}")))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(secret)))
}

pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
