//! Every journal and the one thing that it was booked for.

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// Each kind of journal, and from where its cause is.
const CAUSES: &[(&str, &str)] = &[
    ("charge", "from payments c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("provider_fee", "from payments c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("refund_reserved", "from refunds c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("refund", "from refunds c where c.id = j.cause_id and c.order_id = j.order_id"),
    (
        "refund_bounced",
        "from refunds c where c.id = j.cause_id and c.order_id = j.order_id and c.replaces_id is not null",
    ),
    ("refund_by_hand", "from refunds c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("refund_returned", "from refunds c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("release", "from orders c where c.id = j.cause_id and c.id = j.order_id"),
    ("offset", "from offsets c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("chargeback_withdrawn", CHARGEBACK),
    ("chargeback_reinstated", CHARGEBACK),
    ("chargeback_frozen", CHARGEBACK),
    ("chargeback_thawed", CHARGEBACK),
    ("chargeback_lost", CHARGEBACK),
    ("payout", "from payout_items c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("payout_sent", "from payout_items c where c.id = j.cause_id and c.order_id = j.order_id"),
    ("payout_returned", "from payout_items c where c.id = j.cause_id and c.order_id = j.order_id"),
    (
        "adjustment",
        "from cases c where c.id = j.cause_id and c.order_id = j.order_id and c.resolution = 'booked'",
    ),
];

const CHARGEBACK: &str = "from chargebacks c where c.id = j.cause_id and c.order_id = j.order_id";

/// Every journal has the cause that its kind has, and every reserve at most one end, as large as itself.
pub(super) fn has_causes(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    for (kind, cause) in CAUSES {
        let causeless = format!(
            "select j.id, j.cause_id from ledger_journals j where j.kind = '{kind}' and not exists (select 1 {cause})"
        );
        found.search(tx, &causeless, params![], |row| {
            let (journal, cause): (Id<()>, Id<()>) = (row.next()?, row.next()?);
            Ok(Some(format!("journal {journal}, {kind}, has the cause {cause}, which is none")))
        })?;
    }
    reserves_end_once(tx, found)?;
    earned_as_released(tx, found)?;
    adjusted_as_proposed(tx, found)
}

/// What was reserved for a refund went to the buyer or was put back, whole and not both; what did neither is pending.
fn reserves_end_once(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let reserves = "select r.id, r.status, r.amount_minor,
            cast(coalesce(sum(case when j.kind in ('refund_reserved', 'refund_bounced') and l.account like 'refunds:%' then l.amount_minor end), 0) as bigint),
            cast(coalesce(sum(case when j.kind in ('refund', 'refund_by_hand') and l.account like 'refunds:%' then -l.amount_minor end), 0) as bigint),
            cast(coalesce(sum(case when j.kind = 'refund_returned' and l.account like 'refunds:%' then -l.amount_minor end), 0) as bigint),
            exists (select 1 from refunds n where n.replaces_id = r.id and n.order_id = r.order_id and n.amount_minor = r.amount_minor)
         from refunds r left join ledger_journals j on j.cause_id = r.id and j.order_id = r.order_id
         left join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id
         group by r.id, r.order_id, r.status, r.amount_minor";
    found.search(tx, reserves, params![], |row| {
        let (refund, status): (Id<()>, String) = (row.next()?, row.next()?);
        let (amount, reserved): (i64, i64) = (row.next()?, row.next()?);
        let (sent, returned): (i64, i64) = (row.next()?, row.next()?);
        let came_back: bool = row.next()?;
        let expected = match status.as_str() {
            "success" => (amount, amount, 0),
            // It went to the buyer, and what came back is reserved for another.
            "failed" if came_back => (amount, amount, 0),
            "failed" => (amount, 0, amount),
            _ => (amount, 0, 0),
        };
        Ok(((reserved, sent, returned) != expected).then(|| {
            format!("refund {refund} of {amount} is {status}, yet {reserved} was reserved, {sent} sent and {returned} returned")
        }))
    })
}

/// What freelancers and the house earned by an order is what its release moved.
fn earned_as_released(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let releases = "select r.order_id, r.net_minor, r.fee_minor + r.service_fee_minor,
            cast(coalesce(sum(case when l.account like 'payable:%' then l.amount_minor end), 0) as bigint),
            cast(coalesce(sum(case when l.account = 'fees' then l.amount_minor end), 0) as bigint)
         from releases r left join ledger_journals j on j.order_id = r.order_id and j.kind = 'release'
         left join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id
         group by r.order_id, r.net_minor, r.fee_minor, r.service_fee_minor";
    found.search(tx, releases, params![], |row| {
        let order: Id<()> = row.next()?;
        let said: (i64, i64) = (row.next()?, row.next()?);
        let moved: (i64, i64) = (row.next()?, row.next()?);
        Ok((said != moved).then(|| {
            format!("order {order} earned (net, fees) {said:?} by its row, {moved:?} by its journal")
        }))
    })?;
    let unlisted = "select j.order_id from ledger_journals j
         where j.kind = 'release' and not exists (select 1 from releases r where r.order_id = j.order_id)";
    found.search(tx, unlisted, params![], |row| {
        Ok(Some(format!("order {} was released, and nobody earned it", row.next::<Id<()>>()?)))
    })
}

/// Where the journal of a difference is that was booked: mostly its own; a refund, a charge or a transfer that was taken back
/// has the one that payments and payouts have for it.
const ADJUSTED: &[(&str, &str)] = &[
    ("'refund_only_at_provider'", "left join refunds r on r.transaction_id = c.detail -> 'theirs' ->> 'reference' and r.status = 'success'
         left join ledger_journals j on j.cause_id = r.id and j.kind = 'refund'"),
    ("'transfer_reversed_outside'", "left join payout_items i on i.transaction_id = c.detail -> 'theirs' ->> 'of' and i.status = 'returned'
         left join ledger_journals j on j.cause_id = i.id and j.kind = 'payout_returned'"),
];

/// A difference that was booked has its journal, of exactly the lines that its case proposes.
fn adjusted_as_proposed(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let own = "c.kind not in ('refund_only_at_provider', 'transfer_reversed_outside', 'chargeback_unseen', 'missing_local_charge',
         'duplicate_charge')";
    as_proposed(
        tx,
        found,
        "left join ledger_journals j on j.cause_id = c.id and j.kind = 'adjustment'",
        own,
    )?;
    for (kind, journal) in ADJUSTED {
        as_proposed(tx, found, journal, &format!("c.kind = {kind}"))?;
    }
    taken_by_bank(tx, found)?;
    given_back(tx, found)
}

fn as_proposed(tx: &Tx, found: &mut Witnesses, journal: &str, of: &str) -> Result<()> {
    let adjusted =
        format!("select c.id, c.detail, j.id from cases c {journal} where c.resolution = 'booked' and {of}");
    found.search(tx, &adjusted, params![], |row| {
        let (case, detail): (Id<()>, crate::db::Json<serde_json::Value>) = (row.next()?, row.next()?);
        differs_from_proposed(tx, case, &detail.0, row.next()?)
    })
}

fn differs_from_proposed(
    tx: &Tx,
    case: Id<()>,
    detail: &serde_json::Value,
    journal: Option<Id<()>>,
) -> Result<Option<String>> {
    let Some(journal) = journal else {
        return Ok(Some(format!("case {case} is booked, and there is no journal of it")));
    };
    let lines = tx.all(
        "select account, amount_minor from ledger_lines where journal_id = $1 order by line",
        params![journal],
        |row| Ok(serde_json::json!({ "account": row.next::<String>()?, "amount_minor": row.next::<i64>()? })),
    )?;
    let proposed = detail.get("proposed").and_then(|proposed| proposed.get("lines")?.as_array().cloned());
    Ok((proposed.as_ref() != Some(&lines))
        .then(|| format!("journal {journal} of case {case} is not what was proposed")))
}

/// What a bank took, or gave back, is booked as a chargeback; where no payment can have one, as a difference.
fn taken_by_bank(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let booked =
        "select id, order_id, detail from cases where resolution = 'booked' and kind = 'chargeback_unseen'";
    found.search(tx, booked, params![], |row| {
        let (case, order): (Id<()>, Option<Id<()>>) = (row.next()?, row.next()?);
        let detail = row.next::<crate::db::Json<serde_json::Value>>()?.0;
        let theirs = |name: &str| Some(detail.get("theirs")?.get(name)?.as_str()?.to_owned());
        let adjusted = tx.first(
            "select id from ledger_journals where cause_id = $1 and order_id = $2 and kind = 'adjustment'",
            params![case, order],
            |row| row.next(),
        )?;
        let journal = match adjusted {
            Some(journal) => Some(journal),
            None => tx.first(
                "select j.id from chargebacks b join ledger_journals j on j.cause_id = b.id and j.order_id = b.order_id
                 where b.reference = $1 and b.order_id = $2 and j.kind = $3",
                params![
                    theirs("reference"),
                    order,
                    match theirs("what").as_deref() {
                        Some("chargeback") => "chargeback_withdrawn",
                        _ => "chargeback_reinstated",
                    }
                ],
                |row| row.next(),
            )?,
        };
        differs_from_proposed(tx, case, &detail, journal)
    })
}

/// A charge that nobody knew of was booked for its payment, and all of it goes back.
fn given_back(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let charges = "select c.id from cases c
         where c.resolution = 'booked' and c.kind in ('missing_local_charge', 'duplicate_charge') and not exists (
             select 1 from payments p join ledger_journals j on j.cause_id = p.id and j.order_id = p.order_id and j.kind = 'charge'
             where p.order_id = c.order_id and p.late_capture = true and p.refunded_minor = p.amount_minor)";
    found.search(tx, charges, params![], |row| {
        Ok(Some(format!("case {} is booked, and no charge goes back for it", row.next::<Id<()>>()?)))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::JOURNALS;

    #[test]
    fn every_kind_of_journal_has_a_cause_to_look_for() {
        let charted: BTreeSet<&str> = JOURNALS.iter().map(|kind| kind.name).collect();
        let looked_for: BTreeSet<&str> = CAUSES.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(looked_for, charted);
    }
}
