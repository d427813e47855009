//! Disputes, and the orders and timers that they must agree with.

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// Every disputed order has exactly one open dispute, which waits for a deadline; no other order has one.
pub(super) fn are_open(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let orders = "select o.id, o.status, count(d.id) from orders o
         left join disputes d on d.order_id = o.id and d.status = 'open'
         group by o.id, o.status
         having count(d.id) <> case o.status when 'disputed' then 1 else 0 end";
    found.search(tx, orders, params![], |row| {
        let (order, status, open): (Id<()>, String, i64) = (row.next()?, row.next()?, row.next()?);
        Ok(Some(format!("order {order} is {status} and has {open} open disputes")))
    })?;
    let endless = "select d.id, d.order_id from disputes d where d.status = 'open' and not exists
         (select 1 from timers t where t.kind = 'dispute_deadline' and t.subject_id = d.id
          and t.due_at <= d.decide_by)";
    found.search(tx, endless, params![], |row| {
        let (dispute, order): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        Ok(Some(format!("dispute {dispute} of order {order} waits for no deadline")))
    })?;
    let strays = "select t.subject_id from timers t where t.kind = 'dispute_deadline' and not exists
         (select 1 from disputes d where d.id = t.subject_id and d.status = 'open')";
    found.search(tx, strays, params![], |row| {
        let dispute: Id<()> = row.next()?;
        Ok(Some(format!("a deadline waits for dispute {dispute}, which is not open")))
    })?;
    let offers = "select o.side, d.id, d.status from dispute_offers o join disputes d on d.id = o.dispute_id
         where o.accepted_at is not null and (d.status <> 'settled' or d.refund_minor <> o.refund_minor)";
    found.search(tx, offers, params![], |row| {
        let (side, dispute, status): (String, Id<()>, String) = (row.next()?, row.next()?, row.next()?);
        Ok(Some(format!("what the {side} offered does not belong to how dispute {dispute} stands: {status}")))
    })?;
    let settled = "select d.id, count(o.side) from disputes d
         left join dispute_offers o on o.dispute_id = d.id and o.accepted_at is not null
         where d.status = 'settled' group by d.id having count(o.side) <> 1";
    found.search(tx, settled, params![], |row| {
        let (dispute, accepted): (Id<()>, i64) = (row.next()?, row.next()?);
        Ok(Some(format!("dispute {dispute} is settled and has {accepted} accepted offers")))
    })
}
