//! What only the operator does, at the command line: the first administrator, a forgotten password.

use serde_json::json;

use crate::actor::{Actor, Role};
use crate::db::Tx;
use crate::error::{self, Error, FieldError, Result};
use crate::events;
use crate::form::{Field, Node};
use crate::params;

use super::super::model::{Account, Email, LoginName, Password, Username};
use super::super::queries::{self, account_of};
use super::super::{sessions, throttle};
use super::{NewAccount, guessable_password, wrong};

/// The words of a new account that were found to be good; only the password's hash is missing.
pub struct CheckedAccount {
    username: Username,
    email: Email,
    password: Password,
}

impl CheckedAccount {
    pub fn password(&self) -> &str {
        self.password.as_str()
    }

    pub fn with_hash(self, password_hash: String, role: Role) -> NewAccount {
        NewAccount { username: self.username, email: self.email, password_hash, role }
    }
}

/// Checks what the operator typed for a new account; [`Error::Invalid`] has every mistake.
pub fn check_account(username: &str, email: &str, password: &str) -> Result<CheckedAccount> {
    let mut wrongs = Vec::new();
    let read_username = Username::parse(username);
    let read_email = Email::parse(email);
    let read_password = read_password(password, &[username, email]);
    wrongs
        .extend(read_username.as_ref().err().map(|mistake| wrong("username", mistake.code, &mistake.detail)));
    wrongs.extend(read_email.as_ref().err().map(|mistake| wrong("email", mistake.code, &mistake.detail)));
    wrongs.extend(read_password.as_ref().err().cloned());
    match (read_username, read_email, read_password) {
        (Ok(username), Ok(email), Ok(password)) => Ok(CheckedAccount { username, email, password }),
        _ => Err(Error::Invalid(wrongs)),
    }
}

/// Checks a new password for an account.
pub fn check_password(account: &Account, password: &str) -> Result<()> {
    match read_password(password, &account.own_words()) {
        Ok(_) => Ok(()),
        Err(mistake) => Err(Error::Invalid(vec![mistake])),
    }
}

fn read_password(text: &str, own_words: &[&str]) -> Result<Password, FieldError> {
    let node = Node::String(text.to_owned());
    let password = Password::read(&node).map_err(|mistakes| {
        let first = mistakes.into_iter().next();
        first.map_or_else(
            || wrong("password", "invalid_value", "send another password"),
            |mistake| wrong("password", mistake.code, mistake.detail),
        )
    })?;
    match guessable_password(text, own_words) {
        Some(mistake) => Err(mistake),
        None => Ok(password),
    }
}

/// Gives an account a new password, ends its sessions and forgives it every failed guess. 404 when nobody has this
/// username or e-mail address.
pub fn reset_password(tx: &Tx, name_or_email: &str, hash: &str) -> Result<Account> {
    let account = queries::named(tx, &LoginName::either(name_or_email))?.ok_or_else(error::not_found)?;
    tx.execute(
        "update users set password_hash = $2, version = version + 1, updated_at = $3 where id = $1",
        params![account.id, hash, tx.now()],
    )?;
    sessions::end_all(tx, account.id, None)?;
    throttle::lift(tx, &account)?;
    throttle::forget_addresses(tx, account.id)?;
    events::append(tx, &Actor::System, "account_changed", account.id, json!({ "fields": ["password"] }))?;
    account_of(tx, account.id)
}
