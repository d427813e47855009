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
/// A login lasts this long, however often it is refreshed.
const SESSION_LIFE: Duration = Duration::from_secs(30 * 86_400);

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
        params![hash(&pair.refresh), session, user, ends],
    )?;
    Ok(pair)
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
    tx.execute("delete from sessions where user_id = $1 and ($2 is null or id <> $2)", params![user, kept])?;
    Ok(())
}

/// Forgets sessions that are over and access tokens that expired a day ago.
pub fn forget_expired(tx: &Tx) -> Result<()> {
    tx.execute("delete from sessions where expires_at <= $1", params![tx.now()])?;
    let yesterday = tx.now().minus(Duration::from_secs(86_400));
    tx.execute("delete from access_tokens where expires_at <= $1", params![yesterday])?;
    Ok(())
}

fn token(prefix: &str) -> Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::broken(format!("no randomness: {error}")))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(secret)))
}

pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
