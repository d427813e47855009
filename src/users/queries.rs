//! Who someone is.

use crate::actor::{Actor, UserId};
use crate::db::{Row, Sql, Tx};
use crate::error::{self, Result};
use crate::form::fold;
use crate::params;

use super::model::{Account, Card, LoginName};

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

/// The account, or 404; a deleted one cannot be changed any more.
pub(super) fn standing(tx: &Tx, id: UserId) -> Result<Account> {
    find(tx, id)?.filter(|account| !account.is_deleted()).ok_or_else(error::not_found)
}

/// What is embedded of an account elsewhere.
pub fn card(tx: &Tx, id: UserId) -> Result<Card> {
    Ok(find(tx, id)?.map_or(Card::Deleted { id, deleted: true }, |account| account.card()))
}

/// The account that a login names; a deleted one has no names.
pub fn named(tx: &Tx, name: &LoginName) -> Result<Option<Account>> {
    let (column, folded) = match name {
        LoginName::Email(folded) => ("email_folded", folded),
        LoginName::Username(folded) => ("username_folded", folded),
    };
    tx.first(&format!("select {COLUMNS} from users where {column} = $1"), params![folded], account)
}

/// Whether anybody can administrate.
pub fn has_administrator(tx: &Tx) -> Result<bool> {
    tx.exists("select 1 from users where role = 'admin' and status = 'active'", params![])
}

/// Everybody who can administrate.
pub fn administrators(tx: &Tx) -> Result<Vec<UserId>> {
    tx.all("select id from users where role = 'admin' and status = 'active' order by id", params![], |row| {
        row.next()
    })
}

/// The hash of an account's password; a deleted one has none.
pub(super) fn password_hash(tx: &Tx, id: UserId) -> Result<Option<String>> {
    let hash = tx.first("select password_hash from users where id = $1", params![id], |row| row.next())?;
    Ok(hash.flatten())
}

/// Accounts whose username or e-mail address starts with `start`, or all of them: `most` from before `after` on, newest
/// first. For administrators.
pub fn search(
    tx: &Tx,
    actor: &Actor,
    start: Option<&str>,
    after: Option<UserId>,
    most: i64,
) -> Result<Vec<Account>> {
    actor.require_admin()?;
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(" from users where status <> 'deleted'");
    if let Some(last) = after {
        sql.push(" and id < ").bind(last);
    }
    if let Some(start) = start.map(fold) {
        // No text that starts with `start` sorts after this.
        let end = format!("{start}\u{10FFFF}");
        sql.push(" and (username_folded >= ").bind(start.clone());
        sql.push(" and username_folded < ").bind(end.clone());
        sql.push(" or email_folded >= ").bind(start).push(" and email_folded < ").bind(end).push(")");
    }
    sql.push(" order by id desc limit ").bind(most);
    sql.all(tx, account)
}
