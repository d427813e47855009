//! Putting something into an inbox, and reading what is there.

use crate::actor::{Actor, UserId};
use crate::db::{Json, Tx};
use crate::error::{self, Error, FORBIDDEN, Result};
use crate::events::EventId;
use crate::form::Unchecked;
use crate::id::Id;
use crate::users::{self, Card};
use crate::{orders, params};

use super::model::{ANNOUNCEMENT, Data, MESSAGE, Mark, Notification, NotificationId, ReadAll, Send, Slug};
use super::queries;

/// Something that is about to stand in an inbox.
pub(super) struct New<'n> {
    pub user_id: UserId,
    pub kind: &'n str,
    pub message: &'n str,
    pub data: &'n Data,
    pub sender: Option<UserId>,
    /// The event it tells of; none when somebody sent it.
    pub event: Option<EventId>,
}

/// Puts it there; nobody's who has no account any more.
pub(super) fn deliver(tx: &Tx, new: &New) -> Result<NotificationId> {
    let id = tx.new_id();
    tx.send(
        "insert into notifications (id, user_id, type, message, data, sender_id, event_id, created_at)
         select $1, id, $3, $4, $5, $6, $7, $8 from users where id = $2 and status <> 'deleted'",
        params![id, new.user_id, new.kind, new.message, Json(new.data), new.sender, new.event, tx.now()],
    )?;
    Ok(id)
}

/// Writes to somebody: an administrator to anyone, others to those they share an order with.
pub fn send(tx: &Tx, actor: &Actor, input: &Unchecked<Send>) -> Result<Notification> {
    let sender = actor.require_user()?;
    if let Some(to) = input.id("user_id") {
        require_reachable(tx, actor, sender, to)?;
    }
    let input = input.check()?;
    let given = input.r#type.as_ref().map(Slug::as_str);
    let (kind, sender) = match given {
        _ if actor.is_admin() => (given.unwrap_or(ANNOUNCEMENT), None),
        None | Some(MESSAGE) => (MESSAGE, Some(sender)),
        Some(_) => {
            let detail = "send \"message\" or leave it out: other types are the house's";
            return Err(Error::field("type", "invalid_value", detail));
        }
    };
    let user_id = input.user_id.0;
    let message = input.message.as_str();
    let new = New { user_id, kind, message, data: &Data::default(), sender, event: None };
    let id = deliver(tx, &new)?;
    queries::in_inbox(tx, user_id, id)?.ok_or_else(|| Error::broken("a notification vanished"))
}

/// 404 for whom there is not, 403 for whom the sender may not write to.
fn require_reachable(tx: &Tx, actor: &Actor, sender: UserId, to: UserId) -> Result<()> {
    if matches!(users::card(tx, to)?, Card::Deleted { .. }) {
        return Err(error::not_found());
    }
    if to == sender {
        return Err(FORBIDDEN.error("you cannot write to yourself: name the other side of an order of yours"));
    }
    if actor.is_admin() || orders::share_an_order(tx, sender, to)? {
        return Ok(());
    }
    Err(FORBIDDEN.error("you may write only to those you share an order with: place one first"))
}

/// Marks a notification of the owner as read, or as unread again.
pub fn mark(
    tx: &Tx,
    actor: &Actor,
    owner: UserId,
    id: NotificationId,
    input: &Unchecked<Mark>,
) -> Result<Notification> {
    queries::require_owner(actor, owner)?;
    let mut present = queries::in_inbox(tx, owner, id)?.ok_or_else(error::not_found)?;
    let input = input.check_against(&present)?;
    present.read = input.read.or(present.read);
    tx.execute(
        "update notifications set read = $3 where user_id = $1 and id = $2 and read <> $3",
        params![owner, id, present.read],
    )?;
    Ok(present)
}

/// Marks what the owner has as read; what arrives later stays unread. How much is left.
pub fn read_all(tx: &Tx, actor: &Actor, owner: UserId, input: &Unchecked<ReadAll>) -> Result<i64> {
    queries::require_owner(actor, owner)?;
    if let Some(last) = input.id("up_to_id") {
        queries::in_inbox(tx, owner, last)?.ok_or_else(error::not_found)?;
    }
    let newest = Id::from_uuid(uuid::Uuid::max());
    let up_to = input.check()?.up_to_id.map_or(newest, |last| last.0);
    tx.execute(
        "update notifications set read = $3 where user_id = $1 and read = $4 and id <= $2",
        params![owner, up_to, true, false],
    )?;
    queries::unread_count(tx, owner)
}

/// Empties the inbox of an account that was deleted. What it wrote to others stays theirs, without its name.
pub fn forget(tx: &Tx, user: UserId) -> Result<()> {
    tx.execute("delete from notifications where user_id = $1", params![user])?;
    Ok(())
}
