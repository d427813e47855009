//! Reading an inbox: its owner only, not even an administrator.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::actor::{Actor, UserId};
use crate::db::{Json, Row, Sql, Tx};
use crate::error::{self, Result};
use crate::page::PageRequest;
use crate::users::{self, Card};

use super::model::{Inbox, Notification, NotificationId};
use crate::params;

const COLUMNS: &str = "id, user_id, type, message, data, sender_id, read, created_at";

/// A row, and whose name belongs to it.
fn notification(row: &Row) -> Result<(Notification, Option<UserId>)> {
    let (id, user_id, kind, message) = (row.next()?, row.next()?, row.next()?, row.next()?);
    let data = row.next::<Json<_>>()?.0;
    let sender = row.next()?;
    Ok((
        Notification { id, user_id, kind, message, data, read: row.next()?, created_at: row.next()? },
        sender,
    ))
}

/// 404 for everybody but the owner: an inbox is private, and so is whether there is one.
pub(super) fn require_owner(actor: &Actor, owner: UserId) -> Result<()> {
    if actor.is(owner) { Ok(()) } else { Err(error::not_found()) }
}

/// One page of the actor's inbox, newest first.
pub fn list(tx: &Tx, actor: &Actor, owner: UserId, unread_only: bool, page: &PageRequest) -> Result<Inbox> {
    let after = page.after::<NotificationId>("newest")?;
    require_owner(actor, owner)?;
    let mut sql = Sql::new("");
    if unread_only {
        walk(&mut sql, owner, false, after, page.rows());
    } else {
        // Read and unread stand apart in the index: a walk down each, merged.
        for (name, read) in [("new", false), ("old", true)] {
            sql.push(if read { " union all select " } else { "select " }).push(COLUMNS).push(" from (");
            walk(&mut sql, owner, read, after, page.rows());
            sql.push(") as ").push(name);
        }
        sql.push(" order by id desc limit ").bind(page.rows());
    }
    let found = page.page("newest", sql.all(tx, notification)?, |(row, _)| row.id)?;
    let mut cards: HashMap<UserId, Card> = HashMap::new();
    let mut data = Vec::with_capacity(found.data.len());
    for (mut row, sender) in found.data {
        if let Some(sender) = sender {
            let card = match cards.entry(sender) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(users::card(tx, sender)?),
            };
            row.data.sender = Some(card.clone());
        }
        data.push(row);
    }
    Ok(Inbox { data, next_cursor: found.next_cursor, unread_count: unread_count(tx, owner)? })
}

fn walk(sql: &mut Sql, owner: UserId, read: bool, after: Option<NotificationId>, rows: i64) {
    sql.push("select ").push(COLUMNS).push(" from notifications where user_id = ").bind(owner);
    sql.push(" and read = ").bind(read);
    if let Some(last) = after {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(rows);
}

/// One notification, if it stands in that inbox.
pub(super) fn in_inbox(tx: &Tx, owner: UserId, id: NotificationId) -> Result<Option<Notification>> {
    let sql = format!("select {COLUMNS} from notifications where user_id = $1 and id = $2");
    let Some((mut found, sender)) = tx.first(&sql, params![owner, id], notification)? else {
        return Ok(None);
    };
    found.data.sender = sender.map(|sender| users::card(tx, sender)).transpose()?;
    Ok(Some(found))
}

pub(super) fn unread_count(tx: &Tx, owner: UserId) -> Result<i64> {
    let sql = "select count(*) from notifications where user_id = $1 and read = $2";
    tx.one(sql, params![owner, false], |row| row.next())
}
