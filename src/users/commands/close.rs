//! Deleting an account: the row stays, so that what refers to it still does, with nothing personal in it.

use serde_json::json;

use crate::actor::{Actor, Role, UserId};
use crate::db::Tx;
use crate::error::{FORBIDDEN, Result};
use crate::events;
use crate::params;
use crate::version::Expected;

use super::super::model::Account;
use super::super::{Blocker, DELETION_BLOCKED, Hooks, queries, sessions, throttle};

/// Ends the caller's account: its sessions, what the services above keep of it, its words.
pub fn close(tx: &Tx, actor: &Actor, id: UserId, expected: &Expected) -> Result<()> {
    let account = queries::standing(tx, id)?;
    if !actor.is(id) {
        return Err(FORBIDDEN.error("only its owner deletes an account: DELETE /users/me deletes yours"));
    }
    expected.check(account.version)?;
    let blockers = blockers(tx, &account)?;
    if !blockers.is_empty() {
        return Err(DELETION_BLOCKED
            .error("the account is still needed: `blockers` lists what is in the way, each with its mend")
            .with("blockers", blockers));
    }
    sessions::end_all(tx, id, None)?;
    for deleted in &tx.wired::<Hooks>().deleted {
        deleted(tx, id)?;
    }
    throttle::lift(tx, &account)?;
    throttle::forget_addresses(tx, id)?;
    tx.execute(
        "update users set username = null, username_folded = null, email = null, email_folded = null, email_verified = $2,
             password_hash = null, status = 'deleted', version = version + 1, updated_at = $3
         where id = $1",
        params![id, false, tx.now()],
    )?;
    events::append(tx, actor, "account_deleted", id, json!({}))?;
    Ok(())
}

fn blockers(tx: &Tx, account: &Account) -> Result<Vec<Blocker>> {
    let mut blockers = Vec::new();
    if account.role == Role::Admin && !other_admin(tx, account.id)? {
        blockers.push(Blocker {
            kind: "administrator",
            id: account.id.to_string(),
            hint: "it is the only administrator: make another with `guildhall admin create` first".to_owned(),
        });
    }
    for blocking in &tx.wired::<Hooks>().deletion_blockers {
        blockers.extend(blocking(tx, account.id)?);
    }
    Ok(blockers)
}

fn other_admin(tx: &Tx, id: UserId) -> Result<bool> {
    tx.exists(
        "select 1 from users where role = 'admin' and status = 'active' and id <> $1 limit 1",
        params![id],
    )
}
