//! Finding orders.

use crate::db::{Row, Tx};
use crate::error::{Error, Result};
use crate::money::{Money, Rate};
use crate::params;

use super::model::{Order, OrderId};

const COLUMNS: &str = "id, buyer_id, freelancer_id, service_id, service_version, title, amount_minor, currency, fee_rate_bp, \
     fee_minor, delivery_days, requirements, status, pay_by, due_at, auto_complete_at, version, created_at, updated_at";

fn order(row: &Row) -> Result<Order> {
    let (id, buyer_id, freelancer_id) = (row.next()?, row.next()?, row.next()?);
    let (service_id, service_version, title) = (row.next()?, row.next()?, row.next()?);
    let amount = Money::new(row.next()?, row.next()?);
    let fee_rate =
        Rate::from_basis_points(row.next()?).ok_or_else(|| Error::broken("a fee rate above the whole"))?;
    Ok(Order {
        id,
        buyer_id,
        freelancer_id,
        service_id,
        service_version,
        title,
        amount,
        fee_rate,
        fee: amount.with_minor(row.next()?),
        delivery_days: row.next()?,
        requirements: row.next()?,
        status: row.next()?,
        pay_by: row.next()?,
        due_at: row.next()?,
        auto_complete_at: row.next()?,
        version: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

/// The order, if there is one.
pub fn find(tx: &Tx, id: OrderId) -> Result<Option<Order>> {
    tx.first(&format!("select {COLUMNS} from orders where id = $1"), params![id], order)
}
