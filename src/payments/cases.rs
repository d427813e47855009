//! What a person must look at: money whose fate the program may not decide. A case is opened once for each thing and stays
//! until an administrator closes it with a reason.

use serde_json::Value;

use crate::db::{Json, Tx};
use crate::error::Result;
use crate::id::Id;
use crate::orders::OrderId;
use crate::params;
use crate::words;

words! {
    /// Why somebody has to look.
    pub enum Kind {
        /// Nobody could find out whether it happened.
        UnknownOutcome = "unknown_outcome",
        /// The provider captured another amount or currency than was asked for.
        IntegrityFailure = "integrity_failure",
        /// A charge succeeded after its payment had failed here.
        CapturedAfterFailure = "captured_after_failure",
        /// The provider said what this version does not understand.
        Strange = "strange_answer",
        /// A charge that succeeded names an order here and belongs to no payment of ours.
        UnknownCharge = "unknown_charge",
        /// The provider refuses a refund that is owed.
        RefundRefused = "refund_refused",
    }
}

/// Opens a case about `subject`, unless there is one of this kind already.
pub fn open<S>(tx: &Tx, kind: Kind, subject: Id<S>, order: Option<OrderId>, detail: &Value) -> Result<()> {
    let opened = tx.execute(
        "insert into cases (id, kind, subject_id, order_id, detail, opened_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (kind, subject_id) do nothing",
        params![tx.new_id::<Kind>(), kind, subject, order, Json(detail), tx.now()],
    )?;
    if opened == 1 {
        tracing::error!(%kind, %subject, %detail, "a person has to look at this");
        metrics::counter!("cases_opened_total", "kind" => kind.as_str()).increment(1);
    }
    Ok(())
}
