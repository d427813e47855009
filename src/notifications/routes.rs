//! The operations on inboxes.

use serde_json::json;

use crate::error::{FORBIDDEN, NOT_FOUND, Result};
use crate::http::{Access, Answer, Call, Operation, Param, RateClass, get, patch, post, put};

use super::model::{Inbox, Mark, Notification, ReadAll, Send, Unread};
use super::{commands, queries};

const EXAMPLE_ID: &str = "018f2b6a-7c1e-7a10-8f00-3d1f6c2b9a01";

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/notifications", send)
            .named("sendNotification", "Write to somebody")
            .about("Between people the type is `message`, and the recipient sees who wrote it. An administrator speaks for the house.")
            .access(Access::Signed, "an administrator to anyone; others to those they share an order with")
            .rate(RateClass::Message)
            .body::<Send>(json!({ "user_id": EXAMPLE_ID, "message": "Could the oven be a little larger?" }))
            .answers::<Notification>(201, "The notification, as its recipient sees it.")
            .problems(&[&FORBIDDEN, &NOT_FOUND]),
        get("/notifications/{userId}", list)
            .named("listNotifications", "Read an inbox")
            .access(Access::Signed, "the owner; 404 to others, administrators included")
            .query(vec![Param::new("unread", "`true`: only what is unread. Read and unread otherwise.", json!({ "type": "boolean" }))])
            .paged()
            .answers::<Inbox>(200, "The notifications, newest first."),
        put("/notifications/{userId}/{id}", mark)
            .named("updateNotification", "Mark as read or unread")
            .access(Access::Signed, "the owner; 404 to others")
            .body::<Mark>(json!({ "read": true }))
            .answers::<Notification>(200, "The notification."),
        patch("/notifications/{userId}/{id}", mark)
            .named("patchNotification", "Mark as read or unread")
            .access(Access::Signed, "the owner; 404 to others")
            .body::<Mark>(json!({ "read": true }))
            .answers::<Notification>(200, "The notification."),
        post("/notifications/{userId}/read-all", read_all)
            .named("readAllNotifications", "Mark everything as read")
            .about("What arrives afterwards stays unread; with `up_to_id`, also what had arrived but was not shown yet.")
            .access(Access::Signed, "the owner; 404 to others")
            .body::<ReadAll>(json!({}))
            .answers::<Unread>(200, "How much is left unread."),
    ];
    operations.into_iter().map(|operation| operation.tagged("Notifications")).collect()
}

async fn send(call: Call<Send>) -> Result<Answer> {
    call.write(|tx, call| Answer::created(&commands::send(tx, &call.actor, &call.body)?)).await
}

async fn list(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let unread = call.query.parsed("unread", "true or false", |text| text.parse::<bool>().ok())?;
        let owner = call.user_id("userId")?;
        let inbox = queries::list(tx, &call.actor, owner, unread.unwrap_or(false), &call.page()?)?;
        call.list(&inbox, inbox.next_cursor.as_deref())
    })
    .await
}

async fn mark(call: Call<Mark>) -> Result<Answer> {
    call.write(|tx, call| {
        let owner = call.user_id("userId")?;
        Answer::ok(&commands::mark(tx, &call.actor, owner, call.id("id"), &call.body)?)
    })
    .await
}

async fn read_all(call: Call<ReadAll>) -> Result<Answer> {
    call.write(|tx, call| {
        let unread_count = commands::read_all(tx, &call.actor, call.user_id("userId")?, &call.body)?;
        Answer::ok(&Unread { unread_count })
    })
    .await
}
