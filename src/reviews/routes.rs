//! The operations on reviews.

use serde_json::json;

use crate::error::{FORBIDDEN, NOT_FOUND, Result};
use crate::http::{Access, Answer, Call, Operation, Param, RateClass, get, post};

use super::model::{Direction, Hide, Review, ServiceReviews, UserReviews, WriteReview};
use super::{ALREADY_REVIEWED, NO_COMPLETED_ORDER, commands, queries};

const EXAMPLE_ID: &str = "018f2b6a-7c1e-7a10-8f00-3d1f6c2b9a01";

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let direction = json!({ "type": "string", "enum": ["written", "received"], "default": "written" });
    let operations = vec![
        post("/reviews", submit)
            .named("submitReview", "Review a completed order")
            .about("Once per order. With `service_id` the oldest completed order of it that has no review yet is meant.")
            .access(Access::Signed, "the buyer of a completed order")
            .rate(RateClass::Review)
            .body::<WriteReview>(json!({ "service_id": EXAMPLE_ID, "rating": 5, "comment": "Quick, kind and exactly what we needed." }))
            .answers::<Review>(201, "The review.")
            .problems(&[&NOT_FOUND, &NO_COMPLETED_ORDER, &ALREADY_REVIEWED]),
        get("/reviews/{serviceId}", of_service)
            .named("listServiceReviews", "List the reviews of a service")
            .about("An archived service keeps its reviews.")
            .access(Access::Anyone, "anyone")
            .public()
            .paged()
            .answers::<ServiceReviews>(200, "The reviews, newest first, and what they add up to."),
        get("/reviews/user/{userId}", of_user)
            .named("listUserReviews", "List the reviews by or about a user")
            .access(Access::Anyone, "anyone")
            .public()
            .query(vec![Param::new("direction", "Those the user wrote, or those about the user's work.", direction)])
            .paged()
            .answers::<UserReviews>(200, "The reviews, newest first; received ones with what they add up to."),
        post("/reviews/{id}/hide", hide)
            .named("hideReview", "Hide a review")
            .about("It leaves lists and aggregates; its order stays reviewed. Hiding it again changes nothing.")
            .access(Access::Signed, "an administrator")
            .body::<Hide>(json!({ "reason": "It names a private person." }))
            .answers::<Review>(200, "The review, with when and why it was hidden.")
            .problems(&[&FORBIDDEN]),
    ];
    operations.into_iter().map(|operation| operation.tagged("Reviews")).collect()
}

async fn submit(call: Call<WriteReview>) -> Result<Answer> {
    call.write(|tx, call| Answer::created(&commands::submit(tx, &call.actor, &call.body)?)).await
}

async fn of_service(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let found = queries::of_service(tx, &call.actor, call.id("serviceId"), &call.page()?)?;
        call.list(&found, found.next_cursor.as_deref())
    })
    .await
}

async fn of_user(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let direction = call.query.parsed("direction", "written or received", Direction::parse)?;
        let (user, page) = (call.user_id("userId")?, call.page()?);
        let found = queries::of_user(tx, user, direction.unwrap_or(Direction::Written), &page)?;
        call.list(&found, found.next_cursor.as_deref())
    })
    .await
}

async fn hide(call: Call<Hide>) -> Result<Answer> {
    call.write(|tx, call| Answer::ok(&commands::hide(tx, &call.actor, call.id("id"), &call.body)?)).await
}
