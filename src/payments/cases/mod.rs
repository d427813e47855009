//! What a person must look at: money whose fate the program may not decide. A case is opened once for each thing and stays
//! until an administrator closes it with a reason, or what it asked for becomes known; if that is so again, the case is back.

mod resolve;
pub(super) mod routes;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::actor::{Actor, UserId};
use crate::db::{Json, Row, Sql, Tx};
use crate::error::{self, Result};
use crate::events;
use crate::form;
use crate::form::Reason;
use crate::id::Id;
use crate::orders::OrderId;
use crate::page::{Page, PageRequest};
use crate::params;
use crate::time::Time;
use crate::users;
use crate::words;

words! {
    /// Why somebody has to look.
    pub enum Kind {
        /// Nobody could find out whether it happened.
        UnknownOutcome = "unknown_outcome",
        /// The provider captured another amount or currency than was asked for, sent a refund that was decided otherwise, or
        /// names a chargeback that cannot be right.
        IntegrityFailure = "integrity_failure",
        /// A charge succeeded after its payment had failed here.
        CapturedAfterFailure = "captured_after_failure",
        /// The provider said what this version does not understand.
        Strange = "strange_answer",
        /// A charge that succeeded names an order here and belongs to no payment of ours.
        UnknownCharge = "unknown_charge",
        /// The provider goes on saying that a charge is under way, long after its order is off.
        StillPending = "still_pending",
        /// The provider refuses a refund that is owed, or one came back after it had succeeded.
        RefundRefused = "refund_refused",
        /// It is open at a provider that this deployment does not use any more.
        OtherProvider = "other_provider",

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
        /// Money of the house itself came to the provider or left it: its bank, or what the provider charges the house.
        HouseMovement = "house_movement",
        /// A bank takes back more than is left of a payment: the house bears the rest.
        ChargebackExceeds = "chargeback_exceeds",
    }
}

/// Opens a case about `subject`. One that was closed is open again, for what it was about is so again, unless somebody has
/// accepted that; one that is open says what is known now.
pub fn open<S>(tx: &Tx, kind: Kind, subject: Id<S>, order: Option<OrderId>, detail: &Value) -> Result<()> {
    if open_once(tx, kind, subject, order, detail)? {
        return Ok(());
    }
    let reopened = tx.execute(
        "update cases set detail = $3, opened_at = $4, resolved_at = null, resolution = null, reason = null,
             resolved_by = null
         where kind = $1 and subject_id = $2 and resolved_at is not null and resolution <> $5",
        params![kind, subject, Json(detail), tx.now(), Resolution::Accept],
    )?;
    if reopened == 1 {
        return say(tx, kind, subject, order, detail);
    }
    tx.send(
        "update cases set detail = $3 where kind = $1 and subject_id = $2 and resolved_at is null",
        params![kind, subject, Json(detail)],
    )
}

/// The same where there is none yet, open or closed; whether that was so.
pub fn open_once<S>(
    tx: &Tx,
    kind: Kind,
    subject: Id<S>,
    order: Option<OrderId>,
    detail: &Value,
) -> Result<bool> {
    let opened = tx.execute(
        "insert into cases (id, kind, subject_id, order_id, detail, opened_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (kind, subject_id) do nothing",
        params![tx.new_id::<Kind>(), kind, subject, order, Json(detail), tx.now()],
    )?;
    if opened == 1 {
        say(tx, kind, subject, order, detail)?;
    }
    Ok(opened == 1)
}

/// Calls the administrators.
fn say<S>(tx: &Tx, kind: Kind, subject: Id<S>, order: Option<OrderId>, detail: &Value) -> Result<()> {
    tracing::error!(%kind, %subject, %detail, "a person has to look at this");
    metrics::counter!("cases_opened_total", "kind" => kind.as_str()).increment(1);
    let same = "select id from cases where kind = $1 and subject_id = $2";
    let id: Id<Kind> = tx.one(same, params![kind, subject], |row| row.next())?;
    let body = json!({
        "case_id": id, "case_kind": kind, "order_id": order, "admin_ids": users::administrators(tx)?,
        "message": format!("GET /admin/cases/{id} says what is known and what can be done."),
    });
    events::append(tx, &Actor::System, "case_opened", id, body).map(drop)
}

/// Closes a case, if it is open: what it asked for is known by now.
pub fn settle<S>(tx: &Tx, kind: Kind, subject: Id<S>, how: &str) -> Result<()> {
    tx.send(
        "update cases set resolved_at = $3, resolution = $4
         where kind = $1 and subject_id = $2 and resolved_at is null",
        params![kind, subject, tx.now(), how],
    )
}

words! {
    /// What an administrator does about a case.
    pub enum Resolution {
        /// The provider is asked again at once; the case comes back if nobody knows then either.
        LookAgain = "look_again",
        /// The payment is given up, here and at the provider. What the provider captured all the same goes back, if that is
        /// the amount that was asked for.
        FailPayment = "fail_payment",
        /// The refund is sent under a new key: for one that the provider has refused or never carried out.
        SendRefundAnew = "send_refund_anew",
        /// The buyer was given the money in another way.
        SettledByHand = "settled_by_hand",
        /// The freelancer has the money of the transfer.
        TransferArrived = "transfer_arrived",
        /// The transfer never happened and never will: its money is free for another payout.
        TransferFailed = "transfer_failed",
        /// It was looked at and stays as it is, also when it is so again.
        Accept = "accept",
        /// What is proposed is not booked: the books go on differing from the provider's by it.
        Leave = "leave",
    }
}

/// A case as administrators see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Case {
    pub id: Id<Kind>,
    pub kind: String,
    /// The payment, refund, payout or difference that it is about.
    pub subject_id: Id<()>,
    pub order_id: Option<OrderId>,
    /// What is known.
    pub detail: Value,
    pub opened_at: Time,
    pub resolved_at: Option<Time>,
    /// How it was closed: a resolution, or `answered` when the provider said in the end how it stands.
    pub resolution: Option<String>,
    pub reason: Option<String>,
    pub resolved_by: Option<UserId>,
    /// The resolutions that can be chosen now; none when it is closed.
    pub resolutions: Vec<Resolution>,
}

form! {
    /// Closes a case.
    pub struct Resolve {
        /// One of the case's `resolutions`.
        resolution: Resolution,
        /// Why, for the audit.
        reason: Reason,
    }
    server_sets {
        resolved_at: "by the server", resolved_by: "from your token"
    }
}

const COLUMNS: &str =
    "id, kind, subject_id, order_id, detail, opened_at, resolved_at, resolution, reason, resolved_by";

fn case(row: &Row) -> Result<Case> {
    Ok(Case {
        id: row.next()?,
        kind: row.next()?,
        subject_id: row.next()?,
        order_id: row.next()?,
        detail: row.next::<Json<Value>>()?.0,
        opened_at: row.next()?,
        resolved_at: row.next()?,
        resolution: row.next()?,
        reason: row.next()?,
        resolved_by: row.next()?,
        resolutions: Vec::new(),
    })
}

/// The case; otherwise 404.
fn find(tx: &Tx, id: Id<Kind>) -> Result<Case> {
    let found = tx.first(&format!("select {COLUMNS} from cases where id = $1"), params![id], case)?;
    offering(tx, found.ok_or_else(error::not_found)?)
}

fn offering(tx: &Tx, case: Case) -> Result<Case> {
    let resolutions = resolve::offered(tx, &case)?;
    Ok(Case { resolutions, ..case })
}

/// The cases, newest first.
fn list(tx: &Tx, open: Option<bool>, kind: Option<&str>, page: &PageRequest) -> Result<Page<Case>> {
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(" from cases where 1 = 1");
    match open {
        Some(true) => drop(sql.push(" and resolved_at is null")),
        Some(false) => drop(sql.push(" and resolved_at is not null")),
        None => {}
    }
    if let Some(kind) = kind {
        // Wrapped, so that the order of the answer is walked.
        sql.push(" and kind || '' = ").bind(kind.to_owned());
    }
    if let Some(last) = page.after::<Id<Kind>>("cases")? {
        sql.push(" and id < ").bind(last);
    }
    sql.push(" order by id desc limit ").bind(page.rows());
    page.page("cases", sql.all(tx, case)?, |case| case.id)?.try_map(|case| offering(tx, case))
}
