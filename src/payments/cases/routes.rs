//! The operations on cases.

use serde_json::json;

use crate::error::{FORBIDDEN, NOT_FOUND, Result};
use crate::http::{Access, Answer, Call, Operation, Param, get, post};
use crate::page::Page;

use super::super::{CASE_CLOSED, RESOLUTION_NOT_OFFERED};
use super::{Case, Resolve, resolve};

/// The table of these operations.
pub fn operations() -> Vec<Operation> {
    vec![
        get("/admin/cases", list)
            .named("listCases", "List what a person must look at")
            .about("Money whose fate the program may not decide: unknown outcomes, amounts that differ, refunds that the provider refuses. Newest first.")
            .access(Access::Signed, "an administrator")
            .query(vec![
                Param::new("open", "Only those that are open, or only those that are closed.", json!({ "type": "string", "enum": ["true", "false"] })),
                Param::new("kind", "Only those of this kind.", json!({ "type": "string" })),
            ])
            .paged()
            .answers::<Page<Case>>(200, "A page of cases.")
            .problems(&[&FORBIDDEN]),
        get("/admin/cases/{id}", show)
            .named("getCase", "Read a case")
            .access(Access::Signed, "an administrator")
            .answers::<Case>(200, "The case, with what can be done about it.")
            .problems(&[&FORBIDDEN, &NOT_FOUND])
            .versioned(),
        post("/admin/cases/{id}/resolve", close)
            .named("resolveCase", "Resolve a case")
            .about("`look_again` asks the provider at once, and the case comes back if nobody knows then either. `fail_payment` gives the payment up, here and at the provider; what the provider captured all the same is booked and goes back, unless that is another amount than was asked for: then the case is back, and the charge is yours to give back at the provider. `send_refund_anew` sends the refund under a new key: look at the provider first, for it can be given back twice. `settled_by_hand` says that the buyer has the money from elsewhere. `transfer_arrived` says that the freelancer has the money, `transfer_failed` that it never left and never will, so that another payout can take it. `leave` closes one for which the reconciliation proposes a journal, and books nothing: POST /admin/reconciliation/{id}/approve books it. `accept` only closes the case, for good; any other is open again when it is so again. The reason is kept with the case and told to nobody else.")
            .access(Access::Signed, "an administrator")
            .body::<Resolve>(json!({ "resolution": "look_again", "reason": "The provider has mended its outage." }))
            .answers::<Case>(200, "The case, closed.")
            .problems(&[&FORBIDDEN, &NOT_FOUND, &CASE_CLOSED, &RESOLUTION_NOT_OFFERED]),
    ]
}

async fn list(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        call.actor.require_admin()?;
        let open = call.query.parsed("open", "true or false", |text| text.parse::<bool>().ok())?;
        let page = super::list(tx, open, call.query.text("kind"), &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        call.actor.require_admin()?;
        let case = super::find(tx, call.id("id"))?;
        Ok(Answer::ok(&case)?.etag(if case.resolved_at.is_some() { 2 } else { 1 }, &case))
    })
    .await
}

async fn close(call: Call<Resolve>) -> Result<Answer> {
    call.write(|tx, call| Answer::ok(&resolve::resolve(tx, &call.actor, call.id("id"), &call.body)?)).await
}
