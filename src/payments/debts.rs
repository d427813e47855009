//! What freelancers owe the house, for administrators to read: money that went back after it had been paid out. Decides
//! nothing.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::{Row, Sql, Tx};
use crate::error::{FORBIDDEN, Result};
use crate::http::{Access, Answer, Call, Operation, Param, get};
use crate::id::Id;
use crate::money::{Currency, Money};
use crate::orders::OrderId;
use crate::page::{Page, PageRequest};
use crate::time::Time;

use super::model::Debt;

/// What somebody owes since money of one order went back.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenDebt {
    pub id: Id<Debt>,
    pub freelancer_id: UserId,
    /// The order whose money went back.
    pub order_id: OrderId,
    /// The refund or chargeback that took it.
    pub cause_id: Id<()>,
    pub amount: Money,
    /// What later earnings have paid of it.
    pub paid_amount: Money,
    /// What is left to set off.
    pub owed: Money,
    pub currency: Currency,
    pub created_at: Time,
}

/// The table of this operation.
pub fn operations() -> Vec<Operation> {
    vec![
        get("/admin/debts", list)
            .named("listDebts", "List what freelancers owe")
            .about("Money that went back to buyers after it had been paid out. The next releases of the same freelancer in the same currency pay it, the oldest first. Newest first.")
            .access(Access::Signed, "an administrator")
            .query(vec![
                Param::new("open", "Only those of which something is left, or only those that are paid.", json!({ "type": "string", "enum": ["true", "false"] })),
                Param::new("user_id", "Only those of this freelancer.", json!({ "type": "string" })),
            ])
            .paged()
            .answers::<Page<SeenDebt>>(200, "A page of debts.")
            .problems(&[&FORBIDDEN]),
    ]
}

async fn list(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let open = call.query.parsed("open", "true or false", |text| text.parse::<bool>().ok())?;
        let of = call.query.text("user_id").map(|text| call.resolve_user(text)).transpose()?;
        let page = debts(tx, &call.actor, open, of, &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}

fn debts(
    tx: &Tx,
    actor: &Actor,
    open: Option<bool>,
    of: Option<UserId>,
    page: &PageRequest,
) -> Result<Page<SeenDebt>> {
    actor.require_admin()?;
    let mut sql = Sql::new(
        "select id, freelancer_id, order_id, cause_id, amount_minor, currency, paid_minor, created_at from debts
         where 1 = 1",
    );
    match open {
        Some(true) => drop(sql.push(" and paid_minor < amount_minor")),
        Some(false) => drop(sql.push(" and paid_minor = amount_minor")),
        None => {}
    }
    if let Some(freelancer) = of {
        sql.push(" and freelancer_id = ").bind(freelancer);
    }
    if let Some(last) = page.after::<Id<Debt>>("debts")? {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    page.page("debts", sql.all(tx, debt)?, |debt| debt.id)
}

fn debt(row: &Row) -> Result<SeenDebt> {
    let (id, freelancer_id, order_id, cause_id) = (row.next()?, row.next()?, row.next()?, row.next()?);
    let amount = Money::new(row.next()?, row.next()?);
    let paid = amount.with_minor(row.next()?);
    Ok(SeenDebt {
        id,
        freelancer_id,
        order_id,
        cause_id,
        amount,
        paid_amount: paid,
        owed: amount.with_minor(amount.minor() - paid.minor()),
        currency: amount.currency(),
        created_at: row.next()?,
    })
}
