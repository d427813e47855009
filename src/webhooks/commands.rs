//! Keeping events once, and noting what became of them.

use std::time::Duration;

use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::params;
use crate::providers::{Notice, NoticeKind};

use super::WEBHOOK_APPLY;
use super::model::{EventId, Listing, State, Told};
use super::queries::{cursor_of, rest_of};

/// How long events are remembered: longer than any provider repeats one.
const KEPT_FOR: Duration = Duration::from_secs(90 * 86_400);

/// Keeps what `provider` told, unless it is kept already, and lets it be applied; `live` says whose events are meant for
/// this deployment.
pub fn receive(tx: &Tx, provider: &str, live: bool, notice: &Notice) -> Result<()> {
    let ignored = if notice.live != live {
        Some(if live {
            "about play money, and this deployment is live"
        } else {
            "about real money, and this deployment is not live"
        })
    } else if notice.kind == NoticeKind::Other {
        Some("of no concern here")
    } else {
        None
    };
    let id: EventId = tx.new_id();
    let state = if ignored.is_some() { State::Ignored } else { State::Waiting };
    let kept = tx.execute(
        "insert into webhook_inbox (provider, event_id, id, kind, said, reference, key, account, order_id, live,
             happened_at, received_at, state, note, done_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (provider, event_id) do nothing",
        params![
            provider,
            notice.id,
            id,
            notice.kind,
            notice.said,
            notice.reference,
            notice.key,
            notice.account,
            notice.order_id,
            notice.live,
            notice.at,
            tx.now(),
            state,
            ignored,
            ignored.map(|_| tx.now())
        ],
    )?;
    if kept == 0 {
        count("known");
        return Ok(());
    }
    if notice.live != live {
        tracing::error!(
            provider,
            event = notice.id,
            said = notice.said,
            live = notice.live,
            "an event is not for this deployment: the provider's endpoint and the settings differ in mode"
        );
        count("other_mode");
        return Ok(());
    }
    if ignored.is_some() {
        count("ignored");
        return Ok(());
    }
    count("kept");
    events::schedule(tx, WEBHOOK_APPLY, id, tx.now())
}

/// Counts an event by what became of it at the door.
pub(super) fn count(outcome: &'static str) {
    metrics::counter!("webhooks_received_total", "outcome" => outcome).increment(1);
}

/// It is applied, whatever that changed.
pub fn done(tx: &Tx, id: EventId) -> Result<()> {
    close(tx, id, State::Done, None)
}

/// What it is about is not known here: it is looked for again, unless it is given up.
pub fn park(tx: &Tx, told: &Told, note: &str, is_given_up: bool) -> Result<()> {
    if is_given_up {
        tracing::warn!(event = %told.id, said = told.said, note, "an event is given up");
        metrics::counter!("webhooks_given_up_total").increment(1);
        return close(tx, told.id, State::Ignored, Some(note));
    }
    tx.execute(
        "update webhook_inbox set state = 'parked', tries = tries + 1, note = $2
         where id = $1 and state in ('waiting', 'parked')",
        params![told.id, note],
    )?;
    events::schedule(tx, WEBHOOK_APPLY, told.id, told.again_at(tx.now()))
}

/// What it is about changed while it was looked at: it is looked at again.
pub fn again(tx: &Tx, id: EventId) -> Result<()> {
    events::schedule(tx, WEBHOOK_APPLY, id, tx.now())
}

fn close(tx: &Tx, id: EventId, state: State, note: Option<&str>) -> Result<()> {
    tx.execute(
        "update webhook_inbox set state = $2, note = $3, done_at = $4
         where id = $1 and state in ('waiting', 'parked')",
        params![id, state, note, tx.now()],
    )?;
    Ok(())
}

/// Notes how far a listing of the provider's events has come: where the rest goes on, or that there is none.
pub fn listed(tx: &Tx, provider: &str, listing: &Listing) -> Result<()> {
    let set = "insert into settings (name, value) values ($1, $2)
         on conflict (name) do update set value = excluded.value";
    match &listing.rest {
        Some(rest) => {
            let words = format!("{} {} {rest}", listing.began, listing.from);
            tx.execute(set, params![rest_of(provider), words])?;
        }
        None => {
            tx.execute("delete from settings where name = $1", params![rest_of(provider)])?;
            tx.execute(set, params![cursor_of(provider), listing.began.to_string()])?;
        }
    }
    Ok(())
}

/// Forgets events that nobody repeats any more, `most` of them; whether that was all.
pub fn forget_old(tx: &Tx, most: u32) -> Result<bool> {
    let forgotten = tx.execute(
        "delete from webhook_inbox where id in
         (select id from webhook_inbox where received_at < $1 order by received_at limit $2)",
        params![tx.now().minus(KEPT_FOR), most],
    )?;
    Ok(forgotten < u64::from(most))
}
