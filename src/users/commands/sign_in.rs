//! Sessions begin, go on and end. Where a refusal has an effect (a failure is counted, a session ends), the refusal is the
//! inner result, so that the effect is committed.

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::form::Unchecked;
use crate::params;

use super::super::model::{Account, LoginName, Logout, Status, Tokens};
use super::super::queries::{self, account_of};
use super::super::sessions::{self, Refreshed};
use super::super::throttle::Guess;
use super::super::{ACCOUNT_SUSPENDED, INVALID_CREDENTIALS, INVALID_REFRESH_TOKEN};

/// What a password is compared with; nothing, where a name has no account.
pub struct Candidate {
    pub user: Option<UserId>,
    pub password_hash: Option<String>,
}

/// How the comparison ended.
pub struct Verdict {
    pub right: bool,
    /// The same password under today's costs, where it was stored under others.
    pub rehashed: Option<String>,
}

/// Whom a login is about, unless too many have failed.
pub fn candidate(tx: &Tx, name: &LoginName, guess: &Guess) -> Result<Candidate> {
    let user = queries::named(tx, name)?.map(|account| account.id);
    guess.admit(tx, user)?;
    let password_hash = user.map_or(Ok(None), |user| queries::password_hash(tx, user))?;
    Ok(Candidate { user, password_hash })
}

/// Starts a session for whoever knew the password, and counts a failure otherwise. Guesses that were compared side by
/// side are counted one after the other here, so none beyond the allowed ones learns anything.
pub fn log_in(tx: &Tx, guess: &Guess, tried: &Candidate, verdict: &Verdict) -> Result<Result<Tokens>> {
    guess.admit(tx, tried.user)?;
    let account = match tried.user {
        Some(user) if verdict.right && queries::password_hash(tx, user)? == tried.password_hash => {
            account_of(tx, user)?
        }
        _ => {
            guess.failed(tx, tried.user)?;
            return Ok(Err(INVALID_CREDENTIALS.error("unknown account or wrong password: check both")));
        }
    };
    if account.status == Status::Suspended {
        return Err(ACCOUNT_SUSPENDED
            .error("this account is suspended: ask whoever runs this marketplace to reinstate it"));
    }
    if let Some(hash) = &verdict.rehashed {
        tx.execute("update users set password_hash = $2 where id = $1", params![account.id, hash])?;
    }
    guess.succeeded(tx, &account)?;
    Ok(Ok(tokens(sessions::start(tx, account.id)?, &account)))
}

/// The next pair of tokens. A token that was used before ends its session: somebody else holds a copy.
pub fn refresh(tx: &Tx, token: &str) -> Result<Result<Tokens>> {
    match sessions::refresh(tx, token)? {
        Refreshed::Next(user, pair) => Ok(Ok(tokens(pair, &account_of(tx, user)?))),
        Refreshed::Reused(user) => {
            events::append(tx, &Actor::System, "refresh_token_reused", user, json!({}))?;
            Ok(Err(invalid(
                "this refresh token was used before, so its session has been ended: log in again with POST /users/login",
            )))
        }
        Refreshed::Unknown => Ok(Err(invalid(
            "this refresh token is unknown or its session has ended: log in again with POST /users/login",
        ))),
    }
}

fn invalid(detail: &'static str) -> Error {
    INVALID_REFRESH_TOKEN.error(detail)
}

/// Ends this session, or every one of the caller's.
pub fn log_out(tx: &Tx, actor: &Actor, input: &Unchecked<Logout>) -> Result<()> {
    let user = actor.require_user()?;
    match (input.check()?.all, actor) {
        (Some(true), _) => sessions::end_all(tx, user, None),
        (_, Actor::User { session, .. }) => sessions::end(tx, *session),
        _ => Ok(()),
    }
}

fn tokens(pair: sessions::Pair, account: &Account) -> Tokens {
    Tokens {
        access_token: pair.access,
        token_type: "Bearer",
        expires_in: sessions::ACCESS_LIFE.as_secs(),
        refresh_token: pair.refresh,
        user: account.own(),
    }
}
