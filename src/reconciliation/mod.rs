//! Reconciliation: the provider's records against our ledger and rows, day by day. Names every difference, opens a case for
//! it and proposes what to book; books nothing that an administrator has not approved. Statements of freelancers stand
//! here too, for they are read from the same ledger.

mod commands;
mod compare;
mod csv;
mod model;
mod queries;
mod reactions;
mod report;
mod routes;
mod statements;

use crate::problems;

pub use commands::approve;
pub use compare::compare;
pub use model::{Difference, Entry, KINDS, OrderBooks, Ours, Proposal, Standing, Window, subject_of};
pub use reactions::{daily, run, start};
pub use report::Report;
pub use routes::operations;

/// The timer of the daily run.
pub const RECONCILE_DAILY: &str = "reconcile_daily";

problems! {
    DIFFERENCE_DECIDED = 409 "difference_decided" "The difference was decided before" "Its case is closed; `resolution` says how. Nothing more was booked." with ["resolution"];
    DIFFERENCE_GONE = 409 "difference_gone" "The difference is no longer what it was" "The books have changed since it was found, so what was proposed would be wrong now. Run `guildhall reconcile` again and look at what it finds.";
}
