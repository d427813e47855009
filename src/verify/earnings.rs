//! What was taken back of what freelancers earned, and what they owe: rows and ledger must say the same.

use std::collections::BTreeMap;

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// Releases, debts, refunds, chargebacks and offsets agree with each other, with the ledger, and with what is listed.
pub(super) fn add_up(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    balances(tx, found)?;
    for (what, sql) in DISAGREEMENTS {
        found.search(tx, sql, params![], |row| Ok(Some(format!("{what}: {}", row.next::<Id<()>>()?))))?;
    }
    Ok(())
}

/// What rows say that an account holds: what is owed, what is frozen.
const BY_ROWS: &[(&str, &str)] = &[
    (
        "owed",
        "select freelancer_id, currency, cast(sum(paid_minor - amount_minor) as bigint) from debts
         group by freelancer_id, currency",
    ),
    (
        "chargebacks",
        "select order_id, currency, cast(sum(frozen_minor) as bigint) from chargebacks group by order_id, currency",
    ),
];

fn balances(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let mut sums: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for (kind, sql) in BY_ROWS {
        tx.each(sql, params![], |row| {
            let (whose, currency, minor): (Id<()>, String, i64) = (row.next()?, row.next()?, row.next()?);
            sums.entry((format!("{kind}:{whose}"), currency)).or_default().0 = minor;
            Ok(true)
        })?;
    }
    let ledger = "select account, currency, cast(sum(amount_minor) as bigint) from ledger_lines
         where account like 'owed:%' or account like 'chargebacks:%'
         group by account, currency";
    tx.each(ledger, params![], |row| {
        let (account, currency, minor): (String, String, i64) = (row.next()?, row.next()?, row.next()?);
        sums.entry((account, currency)).or_default().1 = minor;
        Ok(true)
    })?;
    for ((account, currency), (rows, ledger)) in sums {
        if rows != ledger
            && !found.add(format!("{account} holds {ledger} {currency}, by its debts or chargebacks {rows}"))
        {
            break;
        }
    }
    Ok(())
}

/// What must not be, and the rows that are so.
const DISAGREEMENTS: &[(&str, &str)] = &[
    (
        "the release is not taken from as refunds, chargebacks and offsets say",
        "select l.id from releases l where l.taken_minor <>
             (select coalesce(sum(o.amount_minor), 0) from offsets o where o.release_id = l.id and o.order_id = l.order_id)
             + (select coalesce(sum(r.payable_minor), 0) from refunds r
                where r.order_id = l.order_id and r.status <> 'failed')
             + (select coalesce(sum(c.frozen_minor + c.payable_minor), 0) from chargebacks c
                where c.order_id = l.order_id)",
    ),
    (
        "the debt is not paid as its offsets say",
        "select d.id from debts d where d.paid_minor <>
             (select coalesce(sum(o.amount_minor), 0) from offsets o where o.debt_id = d.id)",
    ),
    (
        "the debt is not what its refund or chargeback says",
        "select d.id from debts d left join refunds r on r.id = d.cause_id and r.order_id = d.order_id
         left join chargebacks c on c.id = d.cause_id and c.order_id = d.order_id
         where d.amount_minor <> coalesce(case when r.status <> 'failed' then r.owed_minor end, c.owed_minor, 0)",
    ),
    (
        "the refund left no debt",
        "select r.id from refunds r where r.owed_minor > 0 and r.status <> 'failed'
             and not exists (select 1 from debts d where d.cause_id = r.id and d.order_id = r.order_id)",
    ),
    (
        "the chargeback left no debt",
        "select c.id from chargebacks c where c.owed_minor > 0
             and not exists (select 1 from debts d where d.cause_id = c.id and d.order_id = c.order_id)",
    ),
    (
        "the offset pays another's debt, or in another currency",
        "select o.id from offsets o join debts d on d.id = o.debt_id join releases l on l.id = o.release_id
         where d.freelancer_id <> o.freelancer_id or l.freelancer_id <> o.freelancer_id or l.order_id <> o.order_id
             or d.currency <> o.currency or l.currency <> o.currency",
    ),
    (
        "the refund was not taken from where it says",
        "select r.id from refunds r
         where r.amount_minor <> r.escrow_minor + r.fees_minor + r.payable_minor + r.owed_minor",
    ),
    (
        "the payment was charged back otherwise than its chargebacks say",
        "select p.id from payments p where p.charged_back_minor <>
             (select coalesce(sum(c.escrow_minor + c.fees_minor + c.payable_minor + c.owed_minor), 0)
              from chargebacks c where c.payment_id = p.id and c.order_id = p.order_id)",
    ),
    (
        "the chargeback took more than the bank did, or before it was lost",
        "select c.id from chargebacks c
         where c.escrow_minor + c.fees_minor + c.payable_minor + c.owed_minor
                 > case c.status when 'lost' then c.amount_minor else 0 end
             or (c.status <> 'open' and c.frozen_minor <> 0)",
    ),
    (
        "the bank took the money otherwise than the chargeback says",
        "select c.id from chargebacks c
         left join ledger_journals j on j.cause_id = c.id and j.order_id = c.order_id and j.kind = 'chargeback_withdrawn'
         where c.withdrawn <> (j.id is not null)",
    ),
    (
        "what the refund took of the freelancer is not listed so",
        "select r.id from refunds r left join transactions t on t.cause_id = r.id and t.order_id = r.order_id and t.type = 'clawback'
         where coalesce(t.amount_minor, 0) <> r.payable_minor + r.owed_minor
             or coalesce(t.status, r.status) <> r.status",
    ),
    (
        "what the chargeback took of the freelancer is not listed so",
        "select c.id from chargebacks c left join transactions t on t.cause_id = c.id and t.order_id = c.order_id and t.type = 'clawback'
         where coalesce(t.amount_minor, 0) <> c.payable_minor + c.owed_minor",
    ),
    (
        "the offset is not listed so",
        "select o.id from offsets o left join transactions t on t.cause_id = o.id and t.order_id = o.order_id and t.type = 'offset'
         where t.id is null or t.amount_minor <> o.amount_minor or t.user_id <> o.freelancer_id
             or t.status <> 'success'",
    ),
];
