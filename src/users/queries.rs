//! Who someone is.

use crate::actor::UserId;
use crate::db::{Row, Tx};
use crate::error::{self, Result};
use crate::form::fold;
use crate::params;

use super::model::{Account, Card, Email, Status};

const COLUMNS: &str = "id, username, email, email_verified, role, status, version, created_at, updated_at";

fn account(row: &Row) -> Result<Account> {
    Ok(Account {
        id: row.next()?,
        username: row.next()?,
        email: row.next()?,
        email_verified: row.next()?,
        role: row.next()?,
        status: row.next()?,
        version: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

/// The account, if there is one; a deleted one is found too.
pub fn find(tx: &Tx, id: UserId) -> Result<Option<Account>> {
    tx.first(&format!("select {COLUMNS} from users where id = $1"), params![id], account)
}

/// The account, or 404.
pub fn account_of(tx: &Tx, id: UserId) -> Result<Account> {
    find(tx, id)?.ok_or_else(error::not_found)
}

/// What is embedded of an account elsewhere.
pub fn card(tx: &Tx, id: UserId) -> Result<Card> {
    Ok(find(tx, id)?.map_or(Card::Deleted { id, deleted: true }, |account| account.card()))
}

/// What a login is compared with.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub id: UserId,
    pub password_hash: String,
    pub status: Status,
}

/// The credentials of whom a login names; a deleted account has none.
pub fn credentials(tx: &Tx, name: &str, by_email: bool) -> Result<Option<Credentials>> {
    let (column, folded) = match by_email {
        true => (
            "email_folded",
            Email::parse(name).map_or_else(|_| fold(name), |email| email.folded().to_owned()),
        ),
        false => ("username_folded", fold(name)),
    };
    let sql =
        format!("select id, password_hash, status from users where {column} = $1 and status <> 'deleted'");
    tx.first(&sql, params![folded], |row| {
        Ok(Credentials { id: row.next()?, password_hash: row.next()?, status: row.next()? })
    })
}
