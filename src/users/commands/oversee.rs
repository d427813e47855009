//! Administrators suspend accounts and reinstate them.

use serde_json::json;

use crate::actor::{Actor, Role, UserId};
use crate::db::Tx;
use crate::error::{FORBIDDEN, Result};
use crate::events;
use crate::form::Unchecked;
use crate::params;

use super::super::model::{Account, Status, Suspend};
use super::super::{Hooks, queries, sessions};

/// Locks an account out: its sessions end at once.
pub fn suspend(tx: &Tx, actor: &Actor, id: UserId, input: &Unchecked<Suspend>) -> Result<Account> {
    put_into(tx, actor, id, input, Status::Suspended, "account_suspended")
}

/// Lets it in again.
pub fn reinstate(tx: &Tx, actor: &Actor, id: UserId, input: &Unchecked<Suspend>) -> Result<Account> {
    put_into(tx, actor, id, input, Status::Active, "account_reinstated")
}

fn put_into(
    tx: &Tx,
    actor: &Actor,
    id: UserId,
    input: &Unchecked<Suspend>,
    status: Status,
    kind: &'static str,
) -> Result<Account> {
    actor.require_admin()?;
    let account = queries::standing(tx, id)?;
    if account.role == Role::Admin {
        return Err(FORBIDDEN.error(
            "administrators do not suspend each other or themselves: DELETE /users/me ends one's own account",
        ));
    }
    let reason = input.check()?.reason;
    let moved = tx.execute(
        "update users set status = $2, version = version + 1, updated_at = $3 where id = $1 and status <> $2",
        params![id, status, tx.now()],
    )?;
    if moved == 0 {
        return Ok(account);
    }
    sessions::end_all(tx, id, None)?;
    for suspended in &tx.wired::<Hooks>().suspended {
        suspended(tx, id, status == Status::Suspended)?;
    }
    events::append(tx, actor, kind, id, json!({ "reason": reason.as_str() }))?;
    queries::account_of(tx, id)
}
