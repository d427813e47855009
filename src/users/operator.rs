//! What the operator does to accounts at the command line. Nobody is asked who they are: whoever can run the program on
//! its data owns them.

use serde_json::json;

use crate::actor::{Actor, Role, UserId};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::form::Unchecked;
use crate::params;

use super::commands::NewAccount;
use super::model::{Account, Password, Register, guessable};
use super::passwords::Hasher;
use super::routes::password_guessable;
use super::{queries, sessions};

/// An administrator to be, checked like everybody who registers.
pub async fn administrator(
    hasher: &Hasher,
    username: &str,
    email: &str,
    password: &str,
) -> Result<NewAccount> {
    let claims = json!({ "username": username, "email": email, "password": password });
    let input = Unchecked::<Register>::from(claims).check()?;
    refuse_guessable(&input.password, &[username, email])?;
    let hash = hasher.hash(input.password.as_str()).await?;
    Ok(NewAccount { role: Role::Admin, ..NewAccount::new(input, hash) })
}

/// The account that the operator names.
pub fn named(tx: &Tx, name: &str, by_email: bool) -> Result<UserId> {
    let found = queries::credentials(tx, name, by_email)?;
    let missing = || {
        Error::field("account", "unknown_account", format!("no account is called {name}: check the spelling"))
    };
    Ok(found.ok_or_else(missing)?.id)
}

/// Whether anybody can administrate.
pub fn has_administrator(tx: &Tx) -> Result<bool> {
    tx.exists("select 1 from users where role = 'admin' and status = 'active'", params![])
}

/// A new password for an account: its hash, or why it will not do.
pub async fn new_password(hasher: &Hasher, account: &Account, password: &str) -> Result<String> {
    let read = <Password as crate::form::Field>::read(&crate::form::Node::String(password.to_owned()));
    let password = read.map_err(|wrongs| {
        let why = wrongs.into_iter().next().map_or(String::new(), |wrong| wrong.detail);
        Error::field("password", "unusable_password", why)
    })?;
    let own_words =
        [account.username.as_deref().unwrap_or_default(), account.email.as_deref().unwrap_or_default()];
    refuse_guessable(&password, &own_words)?;
    hasher.hash(password.as_str()).await
}

fn refuse_guessable(password: &Password, own_words: &[&str]) -> Result<()> {
    if guessable(password.as_str(), own_words) { Err(password_guessable()) } else { Ok(()) }
}

/// Replaces the password and ends every session.
pub fn reset_password(tx: &Tx, id: UserId, hash: &str) -> Result<()> {
    tx.execute(
        "update users set password_hash = $2, version = version + 1, updated_at = $3 where id = $1",
        params![id, hash, tx.now()],
    )?;
    sessions::end_all(tx, id, None)?;
    events::append(tx, &Actor::System, "password_reset", id, json!({}))?;
    Ok(())
}
