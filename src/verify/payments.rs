//! How payments and refunds were decided, and who looks after those that are not.

use std::collections::HashMap;

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// What is decided was decided once and stays so, and what is not is asked for or waits for a person.
pub(super) fn are_decided_once(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    are_looked_after(tx, found)?;
    let told = "select p.id from payments p where p.status = 'success' and not exists (
             select 1 from events e where e.subject_id = p.order_id and e.kind = 'payment_succeeded')";
    found.search(tx, told, params![], |row| {
        Ok(Some(format!("payment {} succeeded without an event", row.next::<Id<()>>()?)))
    })?;
    histories_agree(tx, found)?;
    let alive =
        "select order_id, count(*) from payments where status in ('pending', 'requires_action', 'success')
         group by order_id having count(*) > 1";
    found.search(tx, alive, params![], |row| {
        let (order, payments): (Id<()>, i64) = (row.next()?, row.next()?);
        Ok(Some(format!("order {order} has {payments} payments that succeeded or still may")))
    })
}

/// Nothing that is open is forgotten: its timer is set, or somebody was asked to look at it.
fn are_looked_after(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let forgotten = [
        (
            "payment",
            "select p.id from payments p where p.status = 'pending'
             and not exists (select 1 from timers t where t.kind = 'payment_ask' and t.subject_id = p.id)
             and not exists (select 1 from cases c where c.subject_id = p.id and c.resolved_at is null)",
        ),
        (
            "refund",
            "select r.id from refunds r where r.status = 'pending'
             and not exists (select 1 from timers t where t.kind = 'refund_send' and t.subject_id = r.id)
             and not exists (select 1 from cases c where c.subject_id = r.id and c.resolved_at is null)",
        ),
        (
            "unconfirmed payment of an order that no longer waits, ",
            "select p.id from payments p join orders o on o.id = p.order_id
             where p.status = 'requires_action' and o.status <> 'pending'",
        ),
    ];
    for (what, sql) in forgotten {
        found.search(tx, sql, params![], |row| {
            Ok(Some(format!("{what} {} is open, and nothing asks how it ends", row.next::<Id<()>>()?)))
        })?;
    }
    Ok(())
}

/// What happened to the payments and refunds of one order: the words of their events, by the id that these name.
struct History {
    order: Id<()>,
    payments: HashMap<String, Vec<String>>,
    refunds: HashMap<String, Vec<String>>,
}

impl History {
    fn of(order: Id<()>) -> Self {
        Self { order, payments: HashMap::new(), refunds: HashMap::new() }
    }

    fn verdict(&self, tx: &Tx) -> Result<Option<String>> {
        for (payment, kinds) in &self.payments {
            let succeeded = kinds.iter().position(|kind| kind == "payment_succeeded");
            if succeeded.is_some_and(|at| at + 1 < kinds.len()) {
                return Ok(Some(format!(
                    "payment {payment} went on after it had succeeded: {}",
                    kinds.join(", ")
                )));
            }
        }
        let rows =
            "select id, status, exists (select 1 from refunds n where n.replaces_id = r.id and n.order_id = r.order_id) from refunds r
             where order_id = $1";
        let refunds = tx.all(rows, params![self.order], |row| {
            Ok((row.next::<Id<()>>()?, row.next::<String>()?, row.next::<bool>()?))
        })?;
        for (refund, status, came_back) in refunds {
            let kinds = self.refunds.get(&refund.to_string()).map_or(&[][..], Vec::as_slice);
            let decided: Vec<&str> =
                kinds.iter().map(String::as_str).filter(|kind| *kind != "refund_requested").collect();
            let expected: &[&str] = match status.as_str() {
                "success" => &["refund_succeeded"],
                "failed" if came_back => &["refund_succeeded", "refund_failed"],
                "failed" => &["refund_failed"],
                _ => &[],
            };
            if decided != expected {
                return Ok(Some(format!(
                    "refund {refund} is {status}, its events say: {}",
                    kinds.join(", ")
                )));
            }
        }
        Ok(None)
    }
}

/// Once a payment has succeeded it stays so, and a refund is decided once, as its row says; one that came back after
/// it had succeeded has another in its place.
fn histories_agree(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let events = "select e.subject_id, e.kind, e.body ->> 'payment_id', e.body ->> 'refund_id' from events e
         where e.kind in ('payment_requires_action', 'payment_failed', 'payment_succeeded', 'refund_requested',
             'refund_succeeded', 'refund_failed')
         order by e.subject_id, e.id";
    let mut current: Option<History> = None;
    found.search(tx, events, params![], |row| {
        let (order, kind): (Id<()>, String) = (row.next()?, row.next()?);
        let (payment, refund): (Option<String>, Option<String>) = (row.next()?, row.next()?);
        let mut verdict = None;
        if current.as_ref().is_none_or(|history| history.order != order)
            && let Some(last) = current.replace(History::of(order))
        {
            verdict = last.verdict(tx)?;
        }
        if let Some(history) = &mut current {
            let (of, id) = if kind.starts_with("refund") {
                (&mut history.refunds, refund)
            } else {
                (&mut history.payments, payment)
            };
            of.entry(id.unwrap_or_default()).or_default().push(kind);
        }
        Ok(verdict)
    })?;
    if let Some(last) = current
        && let Some(wrong) = last.verdict(tx)?
    {
        found.add(wrong);
    }
    Ok(())
}
