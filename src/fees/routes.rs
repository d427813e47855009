//! The operations on fee rules.

use serde_json::json;

use crate::error::Result;
use crate::http::{Access, Answer, Call, Operation, delete, get, patch, post, put};
use crate::page::Page;

use super::model::{ChangeFeeRule, CreateFeeRule, Rule, SeenFeeRule};
use super::{POSITION_TAKEN, commands, queries};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        get("/admin/fees/rules", list)
            .named("listFeeRules", "List the fee rules")
            .about("In the order in which they are asked: the first active one that covers an order when it is placed counts. Where none does, the house keeps the configured `fee_percent`.")
            .paged()
            .answers::<Page<SeenFeeRule>>(200, "A page of rules, the lowest position first."),
        post("/admin/fees/rules", create)
            .named("createFeeRule", "Add a fee rule")
            .about("The fee is the percentage of the order's amount, rounded half to even, and the fixed part of its currency; never more than the amount. Orders that are placed already keep theirs.")
            .body::<CreateFeeRule>(json!({
                "scope": "category", "category": "Design", "percent": "7.5",
                "fixed": [{ "amount": "0.30", "currency": "USD" }]
            }))
            .answers::<SeenFeeRule>(201, "The rule.")
            .located()
            .problems(&[&POSITION_TAKEN])
            .versioned(),
        get("/admin/fees/rules/{id}", show)
            .named("getFeeRule", "Read a fee rule")
            .answers::<SeenFeeRule>(200, "The rule.")
            .versioned(),
        changing(put("/admin/fees/rules/{id}", change).named("updateFeeRule", "Change a fee rule")),
        changing(patch("/admin/fees/rules/{id}", change).named("patchFeeRule", "Change a fee rule")),
        delete("/admin/fees/rules/{id}", remove)
            .named("deleteFeeRule", "Delete a fee rule")
            .about("Orders keep what they were placed with, and why.")
            .answers_nothing("It is gone.")
            .versioned(),
    ];
    let admins = |operation: Operation| operation.tagged("Orders").access(Access::Signed, "administrators");
    operations.into_iter().map(admins).collect()
}

fn changing(operation: Operation) -> Operation {
    operation
        .about("Changes the fields given and leaves the others. Orders that are placed already keep the fee that they were placed with.")
        .body::<ChangeFeeRule>(json!({ "percent": "12", "active": false }))
        .answers::<SeenFeeRule>(200, "The rule as it is now.")
        .problems(&[&POSITION_TAKEN])
        .versioned()
}

async fn list(call: Call) -> Result<Answer> {
    let page = call.page()?;
    call.read(move |tx, call| {
        let rules = queries::list(tx, &call.actor, &page)?.map(|rule| rule.seen());
        call.list(&rules, rules.next_cursor.as_deref())
    })
    .await
}

async fn create(call: Call<CreateFeeRule>) -> Result<Answer> {
    call.write(|tx, call| {
        let rule = commands::create(tx, &call.actor, &call.body)?;
        Ok(answer(&rule, Answer::created)?.at(format!("/admin/fees/rules/{}", rule.id)))
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| answer(&queries::seen(tx, &call.actor, call.id("id"))?, Answer::ok)).await
}

async fn change(call: Call<ChangeFeeRule>) -> Result<Answer> {
    call.write(|tx, call| {
        let rule = commands::change(tx, &call.actor, call.id("id"), &call.body, &call.expected())?;
        answer(&rule, Answer::ok)
    })
    .await
}

async fn remove(call: Call) -> Result<Answer> {
    call.write(|tx, call| {
        commands::delete(tx, &call.actor, call.id("id"), &call.expected())?;
        Answer::no_content()
    })
    .await
}

fn answer(rule: &Rule, with: fn(&SeenFeeRule) -> Result<Answer>) -> Result<Answer> {
    Ok(with(&rule.seen())?.etag(rule.version, &()))
}
