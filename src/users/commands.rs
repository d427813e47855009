//! What people do with their accounts. Passwords are hashed before a transaction opens: nothing waits inside one.

use serde_json::json;

use crate::actor::{Actor, Role, UserId};
use crate::db::Tx;
use crate::error::{Error, OnConstraint, Result};
use crate::events;
use crate::params;

use super::model::{Account, Email, Register, Tokens, Username};
use super::queries::account_of;
use super::{EMAIL_TAKEN, USERNAME_TAKEN, sessions};

/// An account that may be opened: its words were checked and its password hashed.
pub struct NewAccount {
    pub username: Username,
    pub email: Email,
    pub password_hash: String,
    pub role: Role,
}

impl NewAccount {
    pub fn new(input: Register, password_hash: String) -> Self {
        let role = input.role.map_or(Role::Buyer, Role::from);
        Self { username: input.username, email: input.email, password_hash, role }
    }
}

/// Opens an account.
pub fn register(tx: &Tx, new: &NewAccount) -> Result<Account> {
    let id: UserId = tx.new_id();
    tx.execute(
        "insert into users (id, username, username_folded, email, email_folded, password_hash, role, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        params![id, new.username.as_str(), new.username.folded(), new.email.as_str(), new.email.folded(), new.password_hash, new.role, tx.now()],
    )
    .on_unique("users_email_folded", email_taken)
    .on_unique("users_username_folded", username_taken)?;
    events::append(tx, &Actor::System, "account_registered", id, json!({ "role": new.role }))?;
    account_of(tx, id)
}

pub(super) fn email_taken() -> Error {
    EMAIL_TAKEN.error("this e-mail address has an account: log in, or register another address")
}

pub(super) fn username_taken() -> Error {
    USERNAME_TAKEN.error("this username is taken: choose another")
}

/// Starts a session for someone whose password was right.
pub fn start_session(tx: &Tx, user: UserId) -> Result<Tokens> {
    let account = account_of(tx, user)?;
    let pair = sessions::start(tx, user)?;
    Ok(tokens(pair, &account))
}

pub(super) fn tokens(pair: sessions::Pair, account: &Account) -> Tokens {
    Tokens {
        access_token: pair.access,
        token_type: "Bearer",
        expires_in: sessions::ACCESS_LIFE.as_secs(),
        refresh_token: pair.refresh,
        user: account.own(),
    }
}
