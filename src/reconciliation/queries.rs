//! Our side of a comparison, out of ledger and rows; and what earlier runs have found.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::db::{Json, Sql, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::ledger::{self, Account};
use crate::money::{Currency, Money};
use crate::params;
use crate::payments::cases::Kind;
use crate::providers::{Record, Recorded, summed};
use crate::time::Time;

use super::model::{
    Decided, Entry, KINDS, Known, OpenDifference, OrderBooks, Overview, Run, Standing, Window, against,
    named_in, subject_of_record, word,
};

/// Ids begin with the millisecond in which they were made: this one is before all of them.
fn first_id_of(at: Time) -> Id<()> {
    let millis = u64::try_from(at.as_micros().div_euclid(1_000)).unwrap_or(0);
    let mut bytes = [0_u8; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    Id::from_uuid(uuid::Uuid::from_bytes(bytes))
}

/// The orders for which something moved at the provider within the window, by our books.
pub fn moved(tx: &Tx, window: &Window) -> Result<BTreeSet<Id<()>>> {
    let orders = tx.all(
        "select j.order_id from ledger_journals j
         where j.id >= $1 and j.at >= $2 and j.at < $3 and exists (
             select 1 from ledger_lines l where l.journal_id = j.id and l.order_id = j.order_id and l.account = 'provider')",
        params![first_id_of(window.from), window.from, window.to],
        |row| row.next::<Id<()>>(),
    )?;
    Ok(orders.into_iter().collect())
}

/// The order that a record names, by our key in it or by the charge or transfer that it belongs to.
pub fn order_of(tx: &Tx, record: &Record) -> Result<Option<Id<()>>> {
    if let Some(id) = record.key.as_deref().and_then(named_in) {
        let named = "select order_id from payments where id = $1
             union all select order_id from refunds where id = $1
             union all select order_id from payout_items where id = $1";
        if let Some(order) = tx.first(named, params![id], |row| row.next())? {
            return Ok(Some(order));
        }
    }
    let known = "select order_id from payments where transaction_id = $1
         union all select order_id from payout_items where transaction_id = $1";
    if let Some(order) = tx.first(known, params![record.of], |row| row.next())? {
        return Ok(Some(order));
    }
    match named_in(&record.of).filter(|_| record.what == Recorded::Transfer) {
        Some(order) => tx.first("select id from orders where id = $1", params![order], |row| row.next()),
        None => Ok(None),
    }
}

/// What the ledger says that the provider did for an order: by kind and cause, how much came in, and when.
type Booked = HashMap<(String, Id<()>), (Money, Time)>;

/// What our books say of an order that was paid through `provider`; `None` when it was not.
pub fn books(tx: &Tx, order: Id<()>, provider: &str) -> Result<Option<OrderBooks>> {
    let charges = charges(tx, order, provider)?;
    let Some(first) = charges.first() else { return Ok(None) };
    let currency = first.amount.currency();
    let charge = charges.iter().find(|charge| charge.standing == Standing::Booked);
    let charge = charge.and_then(|charge| charge.reference.clone());
    let freelancer_id =
        tx.one("select freelancer_id from orders where id = $1", params![order], |row| row.next())?;
    let booked = booked(tx, order)?;
    let mut entries = refunds(tx, order, &booked)?;
    entries.extend(transfers(tx, order, provider, charge.as_deref(), &booked)?);
    entries.extend(chargebacks(charge.as_deref(), &booked));
    entries.extend(charges);
    let left: i64 = tx.one(
        "select cast(coalesce(sum(amount_minor - refunded_minor - charged_back_minor), 0) as bigint)
         from payments where order_id = $1 and status = 'success'",
        params![order],
        |row| row.next(),
    )?;
    Ok(Some(OrderBooks { id: order, freelancer_id, left: Money::new(left, currency), entries }))
}

fn booked(tx: &Tx, order: Id<()>) -> Result<Booked> {
    let lines = tx.all(
        "select j.kind, j.cause_id, l.amount_minor, l.currency, j.at
         from ledger_journals j join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id
         where j.order_id = $1 and l.account = 'provider'",
        params![order],
        |row| {
            let cause: (String, Id<()>) = (row.next()?, row.next()?);
            Ok((cause, (against(Money::new(row.next()?, row.next()?)), row.next()?)))
        },
    )?;
    Ok(lines.into_iter().collect())
}

fn charges(tx: &Tx, order: Id<()>, provider: &str) -> Result<Vec<Entry>> {
    tx.all(
        "select p.id, p.transaction_id, p.amount_minor, p.currency, p.status, p.created_at, j.at,
             (select cast(coalesce(sum(f.amount_minor), 0) as bigint) from ledger_journals k
              join ledger_lines f on f.journal_id = k.id and f.order_id = k.order_id and f.account = 'provider'
              where k.cause_id = p.id and k.order_id = p.order_id and k.kind = 'provider_fee')
         from payments p left join ledger_journals j on j.cause_id = p.id and j.order_id = p.order_id and j.kind = 'charge'
         where p.order_id = $1 and p.provider = $2 order by p.id",
        params![order, provider],
        |row| {
            let (id, reference): (Id<()>, Option<String>) = (row.next()?, row.next()?);
            let amount = Money::new(row.next()?, row.next()?);
            let (status, since): (String, Time) = (row.next()?, row.next()?);
            let at: Option<Time> = row.next()?;
            let standing = match (at, status.as_str()) {
                (Some(_), _) => Standing::Booked,
                (None, "pending" | "requires_action") => Standing::UnderWay,
                (None, _) => Standing::Off,
            };
            Ok(Entry {
                what: Recorded::Charge,
                id,
                of: reference.clone(),
                reference,
                amount,
                fee_minor: row.next()?,
                standing,
                since,
                at: at.unwrap_or(since),
            })
        },
    )
}

fn refunds(tx: &Tx, order: Id<()>, booked: &Booked) -> Result<Vec<Entry>> {
    tx.all(
        "select r.id, r.transaction_id, p.transaction_id, r.amount_minor, r.currency, r.status, r.created_at
         from refunds r join payments p on p.id = r.payment_id and p.order_id = r.order_id where p.order_id = $1 order by r.id",
        params![order],
        |row| {
            let (id, reference, of) = (row.next()?, row.next()?, row.next()?);
            let amount = Money::new(row.next()?, row.next()?);
            let (status, since): (String, Time) = (row.next()?, row.next()?);
            let done = booked.get(&("refund".to_owned(), id));
            let standing = match (done, status.as_str()) {
                // It was sent and came back.
                (_, "failed") => Standing::Off,
                (Some(_), _) => Standing::Booked,
                (None, "pending") => Standing::UnderWay,
                (None, _) => Standing::Off,
            };
            let at = done.map_or(since, |(_, at)| *at);
            Ok(Entry { what: Recorded::Refund, id, reference, of, amount, fee_minor: 0, standing, since, at })
        },
    )
}

/// What was paid by hand the provider knows nothing of.
fn transfers(
    tx: &Tx,
    order: Id<()>,
    provider: &str,
    charge: Option<&str>,
    booked: &Booked,
) -> Result<Vec<Entry>> {
    let listed = tx.all(
        "select i.id, i.transaction_id, i.amount_minor, i.currency, i.status, i.created_at
         from transactions t join payout_items i on i.id = t.cause_id and i.order_id = t.order_id join payouts p on p.id = i.payout_id
         where t.order_id = $1 and t.type = 'payout' and p.provider = $2 order by i.id",
        params![order, provider],
        |row| {
            let (id, reference): (Id<()>, Option<String>) = (row.next()?, row.next()?);
            let amount = Money::new(row.next()?, row.next()?);
            let (status, since): (String, Time) = (row.next()?, row.next()?);
            Ok((id, reference, amount, status, since))
        },
    )?;
    let mut entries = Vec::new();
    for (id, reference, amount, status, since) in listed {
        let sent = booked.get(&("payout_sent".to_owned(), id));
        let standing = match (sent, status.as_str()) {
            (Some(_), _) => Standing::Booked,
            (None, "pending") => Standing::UnderWay,
            (None, _) => Standing::Off,
        };
        if let Some((back, at)) = booked.get(&("payout_returned".to_owned(), id)) {
            entries.push(Entry {
                what: Recorded::Reversal,
                id,
                reference: None,
                of: reference.clone(),
                amount: *back,
                fee_minor: 0,
                standing: Standing::Booked,
                since,
                at: *at,
            });
        }
        entries.push(Entry {
            what: Recorded::Transfer,
            id,
            of: charge.map(str::to_owned),
            reference,
            amount,
            fee_minor: 0,
            standing,
            since,
            at: sent.map_or(since, |(_, at)| *at),
        });
    }
    Ok(entries)
}

fn chargebacks(charge: Option<&str>, booked: &Booked) -> Vec<Entry> {
    let entry = |((kind, id), (came_in, at)): (&(String, Id<()>), &(Money, Time))| {
        let (what, amount) = match kind.as_str() {
            "chargeback_withdrawn" => (Recorded::Chargeback, against(*came_in)),
            "chargeback_reinstated" => (Recorded::Reinstatement, *came_in),
            _ => return None,
        };
        Some(Entry {
            what,
            id: *id,
            reference: None,
            of: charge.map(str::to_owned),
            amount,
            fee_minor: 0,
            standing: Standing::Booked,
            since: *at,
            at: *at,
        })
    };
    booked.iter().filter_map(entry).collect()
}

/// What the provider should hold for us, by the ledger: per currency, nothing of orders that others were paid for, and
/// whatever was paid out by others.
pub fn held(tx: &Tx, provider: &str) -> Result<Vec<Money>> {
    let all = ledger::balances(tx, &Account::Provider)?;
    let mut sums: Vec<Money> =
        all.into_iter().map(|(currency, minor)| Money::new(-minor, currency)).collect();
    sums.extend(tx.all(
        "select l.currency, cast(sum(l.amount_minor) as bigint)
         from payments p join ledger_journals j on j.order_id = p.order_id
         join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id and l.account = 'provider'
         where p.provider <> $1 and p.status = 'success' group by l.currency",
        params![provider],
        |row| {
            let (currency, minor): (Currency, i64) = (row.next()?, row.next()?);
            Ok(Money::new(minor, currency))
        },
    )?);
    sums.extend(tx.all(
        "select l.currency, cast(sum(l.amount_minor) as bigint)
         from payouts o join payout_items i on i.payout_id = o.id
         join payments p on p.order_id = i.order_id and p.status = 'success' and p.provider = $1
         join ledger_journals j on j.cause_id = i.id and j.order_id = i.order_id
         join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id and l.account = 'provider'
         where o.provider <> $1 group by l.currency",
        params![provider],
        |row| {
            let (currency, minor): (Currency, i64) = (row.next()?, row.next()?);
            Ok(Money::new(minor, currency))
        },
    )?);
    Ok(summed(sums))
}

/// Every difference that was ever found.
pub fn known(tx: &Tx) -> Result<Vec<Known>> {
    let mut sql = of_our_kinds("select kind, subject_id, resolution, detail, opened_at from cases where ");
    sql.push(" order by id");
    sql.all(tx, |row| {
        let (kind, subject): (Kind, Id<()>) = (row.next()?, row.next()?);
        let resolution: Option<String> = row.next()?;
        let (detail, opened_at): (Json<Value>, Time) = (row.next()?, row.next()?);
        let at = detail.0.get("at").and_then(Value::as_str).and_then(Time::parse);
        Ok(Known {
            kind,
            subject,
            decided: resolution.map(|word| match word.as_str() {
                BOOKED => Decided::Booked,
                GONE => Decided::Gone,
                _ => Decided::Accepted,
            }),
            at: at.unwrap_or(opened_at),
            effect: Known::effect_of(&detail.0),
        })
    })
}

/// The resolution of a case whose journal was posted.
pub const BOOKED: &str = "booked";
/// The resolution of one for which nothing could be booked.
pub const ACCEPTED: &str = "accepted";

/// The resolution of one that was mended elsewhere.
pub const GONE: &str = "gone";

/// `… kind in (…)`, wrapped: by kind there are those that were closed long ago too.
fn of_our_kinds(select: &'static str) -> Sql {
    let mut sql = Sql::new(select);
    sql.push("kind || '' in (");
    for (place, kind) in KINDS.iter().enumerate() {
        if place > 0 {
            sql.push(", ");
        }
        sql.bind(*kind);
    }
    sql.push(")");
    sql
}

/// A case as it is decided.
pub struct Found {
    pub kind: Kind,
    pub detail: Value,
    pub resolution: Option<String>,
}

/// The case of a difference, if it is one.
pub fn case(tx: &Tx, id: Id<()>) -> Result<Option<Found>> {
    let mut sql = of_our_kinds("select kind, detail, resolution from cases where ");
    sql.push(" and id = ").bind(id);
    tx.first(sql.text(), &sql.params(), |row| {
        let kind = row.next()?;
        Ok(Found { kind, detail: row.next::<Json<Value>>()?.0, resolution: row.next()? })
    })
}

/// What the runs that were finished have compared, the earliest first.
pub fn windows(tx: &Tx) -> Result<Vec<Window>> {
    tx.all(
        "select window_from, window_to from reconciliations where finished_at is not null
         order by window_from, window_to",
        params![],
        |row| Ok(Window { from: row.next()?, to: row.next()? }),
    )
}

/// How the books stand.
pub fn overview(tx: &Tx) -> Result<Overview> {
    let mut open = of_our_kinds(
        "select id, kind, order_id, detail, opened_at from cases where resolved_at is null and ",
    );
    open.push(" order by opened_at, id limit 100");
    let open = open.all(tx, |row| {
        Ok(OpenDifference {
            id: row.next()?,
            kind: row.next()?,
            order_id: row.next()?,
            detail: row.next::<Json<Value>>()?.0,
            opened_at: row.next()?,
        })
    })?;
    let runs = tx.all(
        "select id, window_from, window_to, started_at, finished_at, differences, report from reconciliations
         order by id desc limit 20",
        params![],
        |row| {
            Ok(Run {
                id: row.next()?,
                from: row.next()?,
                to: row.next()?,
                started_at: row.next()?,
                finished_at: row.next()?,
                differences: row.next()?,
                report: row.next::<Option<Json<Value>>>()?.map(|report| report.0),
            })
        },
    )?;
    Ok(Overview { open, runs })
}

/// Whether it is about money that a bank gave back.
pub fn is_reinstatement(detail: &Value) -> bool {
    let what = detail.get("theirs").and_then(|theirs| theirs.get("what")?.as_str());
    what.is_some_and(|what| what == word(Recorded::Reinstatement))
}

/// The chargeback that a case is about, by the provider's name of it.
pub fn chargeback_named(tx: &Tx, case: Id<()>) -> Result<Option<String>> {
    let found = self::case(tx, case)?.filter(|found| found.kind == Kind::ChargebackUnseen);
    Ok(found.and_then(|found| Some(found.detail.get("theirs")?.get("reference")?.as_str()?.to_owned())))
}

/// Whether what a bank took, or gave back, was booked as it stands in its case, and not as a chargeback.
pub fn is_adjusted(tx: &Tx, kind: Kind, reference: &str) -> Result<bool> {
    for what in [Recorded::Chargeback, Recorded::Reinstatement] {
        let booked = "select id, order_id from cases where kind = $1 and subject_id = $2 and resolution = $3";
        let params = params![kind, subject_of_record(reference, what), BOOKED];
        let decided =
            tx.first(booked, params, |row| Ok((row.next::<Id<()>>()?, row.next::<Option<Id<()>>>()?)))?;
        let Some((case, order)) = decided else { continue };
        let journal =
            "select 1 from ledger_journals where cause_id = $1 and order_id = $2 and kind = 'adjustment'";
        if tx.exists(journal, params![case, order])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the books still say what they said when the difference was found: what it would book is not booked meanwhile.
pub fn still_stands(tx: &Tx, kind: Kind, detail: &Value) -> Result<bool> {
    let text = |side: &str, member: &str| {
        detail.get(side).and_then(|side| side.get(member)?.as_str()).unwrap_or_default().to_owned()
    };
    let (reference, of) = (text("theirs", "reference"), text("theirs", "of"));
    let money = || {
        Some(
            Money::parse(&text("theirs", "amount"), Currency::parse(&text("theirs", "currency"))?)
                .ok()?
                .minor(),
        )
    };
    let booked_since = match kind {
        Kind::MissingLocalCharge | Kind::DuplicateCharge => !tx.exists(
            "select 1 from payments where id = $1 and status = 'failed' and late_capture = false and amount_minor = $2",
            params![Id::<()>::from_wire(&text("ours", "id")), money()],
        )?,
        Kind::RefundOnlyAtProvider => tx.exists(
            "select 1 from refunds where transaction_id = $1 and status = 'success'",
            params![reference],
        )?,
        // Only the whole of it can be paid out again.
        Kind::TransferReversedOutside => !tx.exists(
            "select 1 from payout_items where transaction_id = $1 and status = 'paid' and amount_minor = $2",
            params![of, money()],
        )?,
        Kind::ChargebackUnseen => {
            let journal = if is_reinstatement(detail) { "chargeback_reinstated" } else { "chargeback_withdrawn" };
            let booked: i64 = tx.one(
                "select count(*) from payments p join ledger_journals j on j.order_id = p.order_id
                 where p.transaction_id = $1 and j.kind = $2",
                params![of, journal],
                |row| row.next(),
            )?;
            let before = detail.get("ours").and_then(|ours| ours.get("booked_before")?.as_i64());
            before != Some(booked)
        }
        Kind::FeeDrift => {
            let payment: Id<()> = Id::from_wire(&text("ours", "id"));
            let fees: i64 = tx.one(
                "select cast(coalesce(sum(l.amount_minor), 0) as bigint) from ledger_journals j
                 join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id and l.account = 'provider'
                 where j.cause_id = $1 and j.kind = 'provider_fee'",
                params![payment],
                |row| row.next(),
            )?;
            let currency = Currency::parse(&text("ours", "currency"));
            currency.is_none_or(|currency| Money::new(fees, currency).to_string() != text("ours", "fee"))
        }
        _ => false,
    };
    Ok(!booked_since)
}
