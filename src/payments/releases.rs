//! What freelancers earned and were not paid yet. A release is claimed by one payout at a time, and free again when the
//! payout comes back; nobody decides here when or where money goes.

use crate::actor::UserId;
use crate::db::{Row, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::money::{Currency, Money};
use crate::orders::OrderId;
use crate::params;
use crate::time::Time;

pub type ReleaseId = Id<Earned>;

/// What is left of one order's release.
#[derive(Debug, Clone)]
pub struct Earned {
    pub id: ReleaseId,
    pub order_id: OrderId,
    pub title: String,
    /// The freelancer's share, less what was taken back, frozen or set off.
    pub amount: Money,
    pub available_at: Time,
}

fn earned(row: &Row) -> Result<Earned> {
    Ok(Earned {
        id: row.next()?,
        order_id: row.next()?,
        title: row.next()?,
        amount: Money::new(row.next()?, row.next()?),
        available_at: row.next()?,
    })
}

/// What can be paid out now in one currency, the oldest first, `most` of it. What a bank may take back waits, and what was
/// not paid `through` this provider stays: play money is not paid out with money of others.
pub fn cleared(
    tx: &Tx,
    freelancer: UserId,
    currency: Currency,
    through: &str,
    most: i64,
) -> Result<Vec<Earned>> {
    tx.all(
        "select r.id, r.order_id, o.title, r.net_minor - r.taken_minor, r.currency, r.available_at
         from releases r join orders o on o.id = r.order_id
         where r.freelancer_id = $1 and r.currency = $2 and r.payout_id is null and r.available_at <= $3
             and r.net_minor > r.taken_minor
             and not exists (select 1 from chargebacks c where c.order_id = r.order_id and c.status = 'open')
             and exists (select 1 from payments p where p.order_id = r.order_id and p.status = 'success' and p.provider = $4)
         order by r.available_at, r.id limit $5",
        params![freelancer, currency, tx.now(), through, most],
        earned,
    )
}

/// What can be paid out now, per currency.
pub fn cleared_in_all(tx: &Tx, freelancer: UserId, through: &str) -> Result<Vec<Money>> {
    tx.all(
        "select cast(sum(net_minor - taken_minor) as bigint), currency from releases r
         where freelancer_id = $1 and payout_id is null and available_at <= $2 and net_minor > taken_minor
             and not exists (select 1 from chargebacks c where c.order_id = r.order_id and c.status = 'open')
             and exists (select 1 from payments p where p.order_id = r.order_id and p.status = 'success' and p.provider = $3)
         group by currency order by currency",
        params![freelancer, tx.now(), through],
        |row| Ok(Money::new(row.next()?, row.next()?)),
    )
}

/// What is not cleared yet, and when it will be, the soonest first.
pub fn uncleared(tx: &Tx, freelancer: UserId, through: &str) -> Result<Vec<(Time, Money)>> {
    tx.all(
        "select available_at, net_minor - taken_minor, currency from releases r
         where freelancer_id = $1 and payout_id is null and available_at > $2 and net_minor > taken_minor
             and exists (select 1 from payments p where p.order_id = r.order_id and p.status = 'success' and p.provider = $3)
         order by available_at, id",
        params![freelancer, tx.now(), through],
        |row| Ok((row.next()?, Money::new(row.next()?, row.next()?))),
    )
}

/// Takes it for a payout, if it is still free and of that amount.
pub fn claim<P>(tx: &Tx, earned: &Earned, payout: Id<P>) -> Result<bool> {
    let claimed = tx.execute(
        "update releases set payout_id = $2
         where id = $1 and payout_id is null and net_minor - taken_minor = $3 and available_at <= $4 and order_id = $5",
        params![earned.id, payout, earned.amount.minor(), tx.now(), earned.order_id],
    )?;
    Ok(claimed == 1)
}

/// Lets another payout have it: this one's money came back.
pub fn free<P>(tx: &Tx, order: OrderId, release: ReleaseId, payout: Id<P>) -> Result<bool> {
    let freed = tx.execute(
        "update releases set payout_id = null where id = $1 and payout_id = $2 and order_id = $3",
        params![release, payout, order],
    )?;
    Ok(freed == 1)
}
