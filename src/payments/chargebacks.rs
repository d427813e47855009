//! What buyers' banks took back or inquired about, for administrators to see. Decides nothing: that is the bank's.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::db::{Row, Sql, Tx};
use crate::error::{FORBIDDEN, Result};
use crate::http::{Access, Answer, Call, Operation, Param, get};
use crate::id::Id;
use crate::money::{Currency, Money};
use crate::orders::OrderId;
use crate::page::{Page, PageRequest};
use crate::time::Time;

use super::model::{ChargebackId, ChargebackStage, PaymentId};

/// A chargeback as administrators see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenChargeback {
    pub id: ChargebackId,
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    /// The provider's id of it.
    pub reference: String,
    /// What the bank takes back, or inquires about.
    pub amount: Money,
    pub currency: Currency,
    pub status: ChargebackStage,
    /// Why, in the provider's words.
    pub reason: String,
    /// Until when the provider takes evidence.
    pub evidence_due: Option<Time>,
    /// Whether the provider took the money; it may have given it back since.
    pub withdrawn: bool,
    /// What of the released money is frozen now.
    pub frozen_amount: Money,
    /// What the order and those who had earned it have borne of a lost one; the house bears the rest.
    pub covered_amount: Money,
    pub created_at: Time,
    pub updated_at: Time,
}

fn chargeback(row: &Row) -> Result<SeenChargeback> {
    let (id, payment_id, order_id, reference) = (row.next()?, row.next()?, row.next()?, row.next()?);
    let amount = Money::new(row.next()?, row.next()?);
    Ok(SeenChargeback {
        id,
        payment_id,
        order_id,
        reference,
        amount,
        currency: amount.currency(),
        status: row.next()?,
        reason: row.next()?,
        evidence_due: row.next()?,
        withdrawn: row.next()?,
        frozen_amount: amount.with_minor(row.next()?),
        covered_amount: amount.with_minor(row.next()?),
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

/// Which are listed.
struct Filter {
    status: Option<ChargebackStage>,
    order_id: Option<OrderId>,
}

/// The chargebacks, newest first.
fn list(tx: &Tx, filter: &Filter, page: &PageRequest) -> Result<Page<SeenChargeback>> {
    let mut sql = Sql::new(
        "select id, payment_id, order_id, reference, amount_minor, currency, status, reason, evidence_due, withdrawn,
             frozen_minor, escrow_minor + fees_minor + payable_minor + owed_minor, created_at, updated_at
         from chargebacks where 1 = 1",
    );
    if let Some(status) = filter.status {
        sql.push(" and status = ").bind(status);
    }
    if let Some(order) = filter.order_id {
        sql.push(" and order_id = ").bind(order);
    }
    if let Some(last) = page.after::<ChargebackId>("chargebacks")? {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    page.page("chargebacks", sql.all(tx, chargeback)?, |chargeback| chargeback.id)
}

/// The table of these operations.
pub fn operations() -> Vec<Operation> {
    let stages: Vec<&str> = ChargebackStage::ALL.iter().map(|stage| stage.as_str()).collect();
    vec![
        get("/admin/chargebacks", show_all)
            .named("listChargebacks", "List what buyers' banks take back")
            .about("Newest first. `status=open` is what a bank has not decided: the money of those orders is frozen.")
            .access(Access::Signed, "an administrator")
            .query(vec![
                Param::new("status", "Only those that stand so.", json!({ "type": "string", "enum": stages })),
                Param::new("order_id", "Only those of this order.", json!({ "type": "string" })),
            ])
            .paged()
            .answers::<Page<SeenChargeback>>(200, "A page of chargebacks.")
            .problems(&[&FORBIDDEN]),
    ]
}

async fn show_all(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        call.actor.require_admin()?;
        let filter = Filter {
            status: call.query.parsed("status", "one of warning, open, won, lost", ChargebackStage::parse)?,
            order_id: call.query.text("order_id").map(Id::from_wire),
        };
        let page = list(tx, &filter, &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}
