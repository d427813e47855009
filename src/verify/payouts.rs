//! What is on its way to freelancers, against what they earned and what the ledger holds for them.

use std::collections::BTreeMap;

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// A payout is the sum of its parts and stands as they do; what was earned is in one of them at most, and what is in none
/// is what the ledger owes; what is pending is what the ledger has on its way, and somebody is at it.
pub(super) fn add_up(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    parts_make_the_whole(tx, found)?;
    releases_are_claimed_once(tx, found)?;
    movements_are_listed(tx, found)?;
    somebody_is_at_it(tx, found)?;
    balance(tx, found, "payable:", UNCLAIMED)?;
    balance(tx, found, "payouts:", PENDING)
}

fn parts_make_the_whole(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let sums = "select p.id, p.status, p.amount_minor, cast(coalesce(sum(i.amount_minor), 0) as bigint),
            coalesce(sum(case when i.currency <> p.currency then 1 else 0 end), 0),
            coalesce(sum(case i.status when 'pending' then 1 else 0 end), 0),
            coalesce(sum(case i.status when 'paid' then 1 else 0 end), 0), count(i.id)
         from payouts p left join payout_items i on i.payout_id = p.id group by p.id, p.status, p.amount_minor";
    found.search(tx, sums, params![], |row| {
        let (payout, status): (Id<()>, String) = (row.next()?, row.next()?);
        let (whole, parts, strange): (i64, i64, i64) = (row.next()?, row.next()?, row.next()?);
        let (pending, paid, all): (i64, i64, i64) = (row.next()?, row.next()?, row.next()?);
        let expected = match (pending, paid) {
            (1.., _) => "pending",
            (_, paid) if paid == all => "paid",
            (_, 0) => "failed",
            _ => "partly_paid",
        };
        Ok(if whole != parts || strange != 0 {
            Some(format!(
                "payout {payout} is of {whole}, its parts sum to {parts}, {strange} of another currency"
            ))
        } else if status != expected {
            Some(format!("payout {payout} is {status}, by its parts it is {expected}"))
        } else {
            None
        })
    })
}

fn releases_are_claimed_once(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let claims = "select r.id, r.payout_id, count(i.id) from releases r
         left join payout_items i on i.release_id = r.id and i.order_id = r.order_id and i.status <> 'returned'
         group by r.id, r.payout_id
         having count(i.id) <> case when r.payout_id is null then 0 else 1 end";
    found.search(tx, claims, params![], |row| {
        let (release, payout, live): (Id<()>, Option<Id<()>>, i64) = (row.next()?, row.next()?, row.next()?);
        let payout = payout.map_or("no payout".to_owned(), |payout| format!("payout {payout}"));
        Ok(Some(format!(
            "release {release} belongs to {payout} and is in {live} parts that were not returned"
        )))
    })?;
    let strangers = "select i.id, i.payout_id from payout_items i
         join releases r on r.id = i.release_id join payouts p on p.id = i.payout_id
         where i.order_id <> r.order_id or p.freelancer_id <> r.freelancer_id or i.currency <> r.currency
             or (i.status <> 'returned' and (r.payout_id is null or r.payout_id <> p.id
                 or i.amount_minor <> r.net_minor - r.taken_minor))";
    found.search(tx, strangers, params![], |row| {
        let (item, payout): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        Ok(Some(format!("part {item} of payout {payout} is not what its order's release left")))
    })?;
    let transfers = "select i.transaction_id, count(*) from payout_items i join payouts p on p.id = i.payout_id
         where i.transaction_id is not null and p.provider <> 'manual' group by i.transaction_id having count(*) > 1";
    found.search(tx, transfers, params![], |row| {
        let (transfer, parts): (String, i64) = (row.next()?, row.next()?);
        Ok(Some(format!("transfer {transfer} paid {parts} parts")))
    })
}

fn movements_are_listed(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let unlisted = "select i.id, i.status from payout_items i join payouts p on p.id = i.payout_id
         left join transactions t on t.cause_id = i.id and t.order_id = i.order_id and t.type = 'payout'
         where t.id is null or t.amount_minor <> i.amount_minor or t.currency <> i.currency
            or t.user_id <> p.freelancer_id or t.order_id <> i.order_id
            or t.status <> case i.status when 'paid' then 'success' when 'returned' then 'failed' else 'pending' end";
    found.search(tx, unlisted, params![], |row| {
        let (item, status): (Id<()>, String) = (row.next()?, row.next()?);
        Ok(Some(format!("part {item} of a payout, {status}, is not listed so among the transactions")))
    })
}

fn somebody_is_at_it(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let forgotten = "select i.id, i.payout_id from payout_items i join payouts p on p.id = i.payout_id
         where i.status = 'pending' and p.provider <> 'manual'
         and not exists (select 1 from timers t where t.kind = 'transfer_send' and t.subject_id = i.id)
         and not exists (select 1 from cases c where c.subject_id = i.id and c.resolved_at is null)";
    found.search(tx, forgotten, params![], |row| {
        let (item, payout): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        Ok(Some(format!("part {item} of payout {payout} is pending, and nothing will send it")))
    })?;
    let unscheduled = "select s.user_id, s.schedule from payout_settings s where s.schedule <> 'manual'
         and not exists (select 1 from timers t where t.kind = 'payout_schedule' and t.subject_id = s.user_id)";
    found.search(tx, unscheduled, params![], |row| {
        let (user, schedule): (Id<()>, String) = (row.next()?, row.next()?);
        Ok(Some(format!("{user} wants to be paid {schedule}, and nothing will start it")))
    })
}

/// What freelancers earned and no payout has.
const UNCLAIMED: &str =
    "select freelancer_id, currency, cast(sum(net_minor - taken_minor) as bigint) from releases
     where payout_id is null group by freelancer_id, currency";

/// What payouts have on its way.
const PENDING: &str = "select p.freelancer_id, i.currency, cast(sum(i.amount_minor) as bigint)
     from payout_items i join payouts p on p.id = i.payout_id
     where i.status = 'pending' group by p.freelancer_id, i.currency";

/// The accounts that begin with `kind` hold what `rows` say, freelancer by freelancer.
fn balance(tx: &Tx, found: &mut Witnesses, kind: &'static str, rows: &'static str) -> Result<()> {
    let mut differences: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    let held = "select account, currency, cast(sum(amount_minor) as bigint) from ledger_lines
         where account like 'pay%' group by account, currency";
    tx.each(held, params![], |row| {
        let (account, currency, minor): (String, String, i64) = (row.next()?, row.next()?, row.next()?);
        if account.starts_with(kind) {
            differences.entry((account, currency)).or_default().0 = minor;
        }
        Ok(true)
    })?;
    tx.each(rows, params![], |row| {
        let (freelancer, currency, minor): (Id<()>, String, i64) = (row.next()?, row.next()?, row.next()?);
        differences.entry((format!("{kind}{freelancer}"), currency)).or_default().1 = minor;
        Ok(true)
    })?;
    for ((account, currency), (held, wanted)) in differences {
        if held != wanted
            && !found.add(format!("{account} holds {held} {currency}, and should hold {wanted}"))
        {
            break;
        }
    }
    Ok(())
}
