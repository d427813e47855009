//! The operations on reconciliations and statements.

use serde_json::json;

use crate::error::{FORBIDDEN, INVALID_PARAMETER, Result};
use crate::form::Nothing;
use crate::http::{Access, Answer, Call, Operation, Param, get, post};

use super::model::{Approve, Decision, Overview};
use super::statements::{self, Month, Statements};
use super::{DIFFERENCE_DECIDED, DIFFERENCE_GONE, commands, queries};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let statements = get("/payouts/statements", statement)
        .named("getStatement", "Read the statement of a month")
        .about("What a freelancer earned, was charged and was paid, line by line as the ledger has it, with the balances before and after. CSV with `Accept: text/csv` or `format=csv`.")
        .access(Access::Signed, "anyone, their own; an administrator with freelancer_id")
        .query(vec![
            Param::new("period", "A month of UTC.", json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$", "examples": ["2026-10"] })),
            Param::new("freelancer_id", "Whose; only for administrators.", json!({ "type": "string" })),
            Param::new("format", "`json` unless said, or unless `Accept` asks for CSV.", json!({ "type": "string", "enum": ["json", "csv"] })),
        ])
        .answers::<Statements>(200, "A statement per currency.")
        .also_as("text/csv")
        .tagged("Payouts");
    let operations = vec![
        get("/admin/reconciliation", overview)
            .named("getReconciliation", "Read how the books stand with the payment provider's")
            .about("Differences that nobody has decided yet, and the last runs. `guildhall reconcile` and a daily timer make them.")
            .access(Access::Signed, "administrators")
            .answers::<Overview>(200, "What is open, and the last runs."),
        post("/admin/reconciliation/{id}/approve", approve)
            .named("approveDifference", "Decide a difference")
            .about("Books exactly the lines that its case proposes, with the refund, payout or chargeback that they belong to where there is one, or closes a case for which nothing can be booked.")
            .access(Access::Signed, "administrators")
            .body::<Approve>(json!({ "reason": "Given back at the provider by us, on the buyer's call." }))
            .answers::<Decision>(200, "How it was decided.")
            .problems(&[&DIFFERENCE_DECIDED, &DIFFERENCE_GONE]),
    ];
    let tagged = operations.into_iter().map(|operation| operation.tagged("Reconciliation"));
    std::iter::once(statements).chain(tagged).collect()
}

async fn overview(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        call.actor.require_admin()?;
        Answer::ok(&queries::overview(tx)?)
    })
    .await
}

async fn approve(call: Call<Approve>) -> Result<Answer> {
    // How it stands, where the provider can be asked: what the bank has decided since is booked with it.
    call.actor.require_admin()?;
    let id = call.id("id");
    let named = call.app.db().read(move |tx| queries::chargeback_named(tx, id)).await?;
    let stands = match named {
        Some(reference) => call.app.provider().look_at_chargeback(&reference).await.ok().flatten(),
        None => None,
    };
    call.write(move |tx, call| {
        Answer::ok(&commands::approve(tx, &call.actor, call.id("id"), &call.body, stands.as_ref())?)
    })
    .await
}

async fn statement(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let caller = call.actor.require_user()?;
        let freelancer = match call.query.text("freelancer_id") {
            Some(text) => call.resolve_user(text)?,
            None if call.actor.is_admin() => {
                return Err(INVALID_PARAMETER.error("say whose statement it is: add `freelancer_id`"));
            }
            None => caller,
        };
        if freelancer != caller && !call.actor.is_admin() {
            return Err(FORBIDDEN.error("a statement is its freelancer's own: leave out `freelancer_id`"));
        }
        let statements = statements::of(tx, freelancer, &period(call)?)?;
        match wants_csv(call)? {
            true => Ok(Answer::text("text/csv; charset=utf-8; header=present", statements.csv())),
            false => Answer::ok(&statements),
        }
    })
    .await
}

fn period(call: &Call<Nothing>) -> Result<Month> {
    let month = call.query.parsed("period", "a month such as 2026-10", Month::parse)?;
    month.ok_or_else(|| {
        INVALID_PARAMETER.error("the query parameter `period` is missing: add a month such as 2026-10")
    })
}

fn wants_csv(call: &Call<Nothing>) -> Result<bool> {
    let format = call.query.parsed("format", "json or csv", |text| match text {
        "csv" => Some(true),
        "json" => Some(false),
        _ => None,
    })?;
    Ok(format.unwrap_or_else(|| call.prefers("text/csv")))
}
