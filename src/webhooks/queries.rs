//! Finding events that are not applied yet, and where the last listing ended.

use std::time::Duration;

use crate::db::Tx;
use crate::error::Result;
use crate::params;
use crate::time::Time;

use super::model::{EventId, Listing, Told};

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

/// The setting that holds where a listing goes on that is not at its end.
pub(super) fn rest_of(provider: &str) -> String {
    format!("webhook_listing_{provider}")
}

/// Listed again each time: events become visible out of order.
const OVERLAP: Duration = Duration::from_secs(600);
/// How far the first listing goes back.
const AT_FIRST: Duration = Duration::from_secs(86_400);
/// A listing that was cut off goes on for so long: later than that a provider may not know any more where it was.
const GOES_ON_FOR: Duration = Duration::from_secs(86_400);

/// The listing that is under way, or else a new one from where the last ended.
pub fn listing(tx: &Tx, provider: &str, now: Time) -> Result<Listing> {
    let setting = |name: String| -> Result<Option<String>> {
        tx.first("select value from settings where name = $1", params![name], |row| row.next())
    };
    let under_way = setting(rest_of(provider))?.and_then(|words| {
        let mut words = words.splitn(3, ' ');
        let (began, from) = (Time::parse(words.next()?)?, Time::parse(words.next()?)?);
        Some(Listing { began, from, rest: words.next().map(str::to_owned) })
    });
    if let Some(listing) = under_way.filter(|listing| now.since(listing.began) < GOES_ON_FOR) {
        return Ok(listing);
    }
    let cursor = setting(cursor_of(provider))?.and_then(|text| Time::parse(&text));
    let from = cursor.map_or(now.minus(AT_FIRST), |cursor| cursor.minus(OVERLAP));
    Ok(Listing { began: now, from, rest: None })
}
