//! Payments: charges, escrow, refunds, and everything that moved. Stands on the ledger and on a provider outside.

use crate::http::Operation;

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    Vec::new()
}
