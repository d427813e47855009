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
        /// The provider refuses a refund that is owed.
        RefundRefused = "refund_refused",

        // What the provider's records and our books do not agree on.
        /// The provider took money that no payment of ours knows.
        MissingLocalCharge = "missing_local_charge",
        /// A payment of ours succeeded, and the provider has no charge of it.
        MissingProviderCharge = "missing_provider_charge",
        AmountDiffers = "amount_differs",
        CurrencyDiffers = "currency_differs",
        /// The provider took money twice for one order.
        DuplicateCharge = "duplicate_charge",
        RefundOnlyAtProvider = "refund_only_at_provider",
        RefundOnlyLocal = "refund_only_local",
        TransferOnlyAtProvider = "transfer_only_at_provider",
        TransferOnlyLocal = "transfer_only_local",
        /// A transfer was taken back, and not by us.
        TransferReversedOutside = "transfer_reversed_outside",
        /// A bank withdrew money, or gave it back, and our books do not know.
        ChargebackUnseen = "chargeback_unseen",
        ChargebackOnlyLocal = "chargeback_only_local",
        /// The provider kept another fee than was booked.
        FeeDrift = "fee_drift",
        /// A transfer did not arrive at the freelancer's bank.
        PayoutFailed = "payout_failed",
        /// The provider holds another sum than our books say, and no difference explains it.
        BalanceDiffers = "balance_differs",
        /// A bank takes back more than is left of a payment: the house bears the rest.
        ChargebackExceeds = "chargeback_exceeds",
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

/// Closes a case that has settled itself; does nothing where there is none or somebody closed it.
pub fn settle<S>(tx: &Tx, kind: Kind, subject: Id<S>, resolution: &str) -> Result<()> {
    tx.execute(
        "update cases set resolved_at = $3, resolution = $4
         where kind = $1 and subject_id = $2 and resolved_at is null",
        params![kind, subject, tx.now(), resolution],
    )?;
    Ok(())
}
