//! What the sandbox tells by itself, as a provider outside does: an event for each thing that happens in its books, signed
//! and sent until it is heard. Who carries it stands above: [`to_send`] is what, [`heard`] says that it arrived.

use std::time::Duration;

use serde_json::json;

use crate::db::{Row, Tx};
use crate::error::Result;
use crate::events;
use crate::id::Id;
use crate::params;
use crate::time::Time;

use super::super::{Notice, NoticeKind, NoticePage, signature};
use super::{knobs, sign};

/// How much later than it should an event comes that is overtaken by others, and one that is late.
const OVERTAKEN_AFTER: Duration = Duration::from_secs(3);
const LATE_AFTER: Duration = Duration::from_secs(600);

/// The timer that delivers an event of the sandbox's.
pub const SANDBOX_TELL: &str = "sandbox_tell";
/// The timer that lets something at the sandbox settle by itself.
pub const SANDBOX_SETTLE: &str = "sandbox_settle";

/// As Stripe does, it gives up after three days.
const GIVES_UP_AFTER: Duration = Duration::from_secs(3 * 86_400);
/// And lists what happened within thirty.
const LISTED_FOR: Duration = Duration::from_secs(30 * 86_400);

/// Whether the sandbox tells anything by itself; wired in `app.rs`.
#[derive(Debug, Clone, Copy)]
pub struct Telling(pub bool);

/// Something that happened at the sandbox.
pub(super) struct Happening<'a> {
    /// In a provider's words: `charge.succeeded`.
    pub said: &'a str,
    /// What it happened to: `charge`, `refund`, `transfer`, `account`, `dispute`.
    pub object: &'a str,
    /// The sandbox's id of that.
    pub reference: &'a str,
    /// The key that it was asked for with.
    pub key: Option<&'a str>,
    pub order_id: Option<Id<()>>,
}

/// Notes what happened and lets it be told.
pub(super) fn tell(tx: &Tx, happening: &Happening) -> Result<()> {
    if !tx.wired::<Telling>().0 {
        return Ok(());
    }
    let id: Id<Happening> = tx.new_id();
    tx.send(
        "insert into sandbox_events (id, said, object, reference, key, order_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        params![
            id,
            happening.said,
            happening.object,
            happening.reference,
            happening.key,
            happening.order_id,
            tx.now()
        ],
    )?;
    let mishaps = Mishaps::of(tx, happening.said, happening.reference)?;
    match mishaps.delay() {
        Some(delay) => events::schedule(tx, SANDBOX_TELL, id, tx.now().plus(delay)),
        None => Ok(()),
    }
}

/// What goes wrong with one event, by the knobs.
#[derive(Default)]
struct Mishaps {
    never: bool,
    late: bool,
    overtaken: bool,
    forged: bool,
    twice: bool,
}

impl Mishaps {
    fn of(tx: &Tx, said: &str, reference: &str) -> Result<Self> {
        let Some(knobs) = knobs::read(tx)? else { return Ok(Self::default()) };
        let key = format!("{said}:{reference}");
        let struck = |what: &str, percent: i64| knobs.strike(what, &key, 1, percent);
        Ok(Self {
            never: struck("never", knobs.never),
            late: struck("late", knobs.late),
            overtaken: struck("reorder", knobs.reorder),
            forged: struck("forge", knobs.forge),
            twice: struck("duplicate", knobs.duplicate),
        })
    }

    /// How long it stays on its way; `None` for ever.
    fn delay(&self) -> Option<Duration> {
        match self {
            Self { never: true, .. } => None,
            Self { late: true, .. } => Some(LATE_AFTER),
            Self { overtaken: true, .. } => Some(OVERTAKEN_AFTER),
            _ => Some(Duration::ZERO),
        }
    }
}

/// An event on its way to this program's own door.
pub struct Sending {
    pub raw: Vec<u8>,
    /// The header that signs it.
    pub signature: String,
    /// One that somebody else made, who sends it as well.
    pub forged: Option<String>,
    /// Whether it is sent again when it was heard.
    pub twice: bool,
}

/// Lets what the sandbox knows by this id settle by itself at that moment.
pub(super) fn settle_at(tx: &Tx, reference: &str, at: Time) -> Result<()> {
    let subject = reference.split_once('_').and_then(|(_, id)| uuid::Uuid::parse_str(id).ok());
    match subject {
        Some(subject) if tx.wired::<Telling>().0 => {
            events::schedule(tx, SANDBOX_SETTLE, Id::<()>::from_uuid(subject), at)
        }
        _ => Ok(()),
    }
}

/// What to send of an event; `None` when it was heard, is forgotten or was sent in vain for too long.
pub fn to_send(tx: &Tx, id: Id<()>) -> Result<Option<Sending>> {
    let since = tx.now().minus(GIVES_UP_AFTER);
    let noted = tx.first(
        "select id, said, object, reference, key, order_id, created_at from sandbox_events
         where id = $1 and heard_at is null and created_at > $2",
        params![id, since],
        noted,
    )?;
    let Some(noted) = noted else { return Ok(None) };
    let raw = noted.raw();
    let signature = sign(tx, &raw)?;
    let mishaps = Mishaps::of(tx, &noted.said, &noted.reference)?;
    let forged = mishaps.forged.then(|| signature::sign("whsec_of_somebody_else", &raw, tx.now()));
    Ok(Some(Sending { raw, signature, forged, twice: mishaps.twice }))
}

/// It arrived.
pub fn heard(tx: &Tx, id: Id<()>) -> Result<()> {
    tx.send(
        "update sandbox_events set heard_at = $2 where id = $1 and heard_at is null",
        params![id, tx.now()],
    )
}

/// So much is listed at once.
const PAGE: i64 = 1_000;

/// What happened since then, heard or not, the oldest first; the rest goes on at the moment of the last.
pub(super) fn since(tx: &Tx, since: Time) -> Result<NoticePage> {
    let noted = tx.all(
        "select id, said, object, reference, key, order_id, created_at from sandbox_events
         where created_at >= $1 order by created_at, id limit $2",
        params![since, PAGE],
        noted,
    )?;
    let is_full = i64::try_from(noted.len()).is_ok_and(|count| count == PAGE);
    let newest = noted.last().map(|last| last.at).filter(|newest| is_full && *newest > since);
    let notices = noted.into_iter().map(Noted::notice).collect();
    Ok(NoticePage { notices, rest: newest.map(|newest| newest.to_string()) })
}

/// Forgets what is no longer listed, `most` of it; whether that was all.
pub fn forget_told(tx: &Tx, most: u32) -> Result<bool> {
    let forgotten = tx.execute(
        "delete from sandbox_events where id in
         (select id from sandbox_events where created_at < $1 order by created_at limit $2)",
        params![tx.now().minus(LISTED_FOR), most],
    )?;
    Ok(forgotten < u64::from(most))
}

struct Noted {
    id: Id<()>,
    said: String,
    object: String,
    reference: String,
    key: Option<String>,
    order_id: Option<Id<()>>,
    at: Time,
}

fn noted(row: &Row) -> Result<Noted> {
    Ok(Noted {
        id: row.next()?,
        said: row.next()?,
        object: row.next()?,
        reference: row.next()?,
        key: row.next()?,
        order_id: row.next()?,
        at: row.next()?,
    })
}

impl Noted {
    fn event_id(&self) -> String {
        format!("evt_{}", self.id.as_uuid().simple())
    }

    /// The body of the event, the same bytes each time.
    fn raw(&self) -> Vec<u8> {
        let event = json!({
            "id": self.event_id(),
            "object": "event",
            "type": self.said,
            "created": self.at.as_micros().div_euclid(1_000_000),
            "livemode": false,
            "data": { "object": {
                "id": self.reference,
                "object": self.object,
                "metadata": { "key": self.key, "order_id": self.order_id },
            } },
        });
        event.to_string().into_bytes()
    }

    fn notice(self) -> Notice {
        Notice {
            id: self.event_id(),
            kind: NoticeKind::of_object(&self.object),
            said: self.said,
            reference: self.reference,
            key: self.key,
            order_id: self.order_id,
            account: None,
            live: false,
            at: self.at,
        }
    }
}
