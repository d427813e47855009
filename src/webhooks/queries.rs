//! Finding events that are not applied yet, and where the last listing ended.

use crate::db::Tx;
use crate::error::Result;
use crate::params;
use crate::time::Time;

use super::model::{EventId, Told};

/// The event, while it waits.
pub fn open(tx: &Tx, id: EventId) -> Result<Option<Told>> {
    tx.first(
        "select id, kind, said, reference, key, account, order_id, happened_at, received_at, tries from webhook_inbox
         where id = $1 and state in ('waiting', 'parked')",
        params![id],
        |row| {
            Ok(Told {
                id: row.next()?,
                kind: row.next()?,
                said: row.next()?,
                reference: row.next()?,
                key: row.next()?,
                account: row.next()?,
                order_id: row.next()?,
                happened_at: row.next()?,
                received_at: row.next()?,
                tries: row.next()?,
            })
        },
    )
}

/// The setting that holds up to when a provider's events were listed.
pub(super) fn cursor_of(provider: &str) -> String {
    format!("webhook_cursor_{provider}")
}

/// Up to when this provider's events were listed.
pub fn cursor(tx: &Tx, provider: &str) -> Result<Option<Time>> {
    let setting: Option<String> =
        tx.first("select value from settings where name = $1", params![cursor_of(provider)], |row| {
            row.next()
        })?;
    Ok(setting.and_then(|text| Time::parse(&text)))
}
