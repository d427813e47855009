//! Opening an account.

use serde_json::json;

use crate::actor::{Actor, Role, UserId};
use crate::db::Tx;
use crate::error::{OnConstraint, Result};
use crate::events;
use crate::params;

use super::super::model::{Account, Email, Register, Username};
use super::super::queries::account_of;
use super::super::throttle;
use super::{email_taken, username_taken};

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

/// Opens an account. What strangers tried under its names before does not count against it.
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
    let account = account_of(tx, id)?;
    throttle::lift(tx, &account)?;
    Ok(account)
}
