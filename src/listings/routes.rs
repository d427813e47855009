//! The operations on listings.

use serde_json::json;

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::{ROLE_REQUIRED, Result};
use crate::http::{Access, Answer, Call, Operation, RateClass, delete, get, patch, post, put};

use super::model::{ChangeListing, CreateListing, ListingId, SeenListing};
use super::{commands, queries};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        post("/services", offer)
            .named("createService", "Offer a service")
            .access(Access::Signed, "an account with role freelancer or both")
            .rate(RateClass::CreateListing)
            .body::<CreateListing>(json!({
                "title": "A logo that fits on a coin", "description": "Three drafts, then two rounds of changes.",
                "category": "Design", "price": "49.90", "delivery_days": 5, "tags": ["logo", "branding"]
            }))
            .answers::<SeenListing>(201, "The service.")
            .problems(&[&ROLE_REQUIRED])
            .versioned(),
        get("/services/{id}", show)
            .named("getService", "Read a service")
            .access(Access::Anyone, "anyone; a draft only its freelancer and an administrator")
            .answers::<SeenListing>(200, "The service.")
            .versioned(),
        changing(put("/services/{id}", change).named("updateService", "Change a service")),
        changing(patch("/services/{id}", change).named("patchService", "Change a service")),
        delete("/services/{id}", archive)
            .named("deleteService", "Archive a service")
            .about("It can no longer be found or ordered. Open orders go on and its reviews stay readable.")
            .access(Access::Signed, "its freelancer, an administrator")
            .answers_nothing("It is archived.")
            .versioned(),
    ];
    operations.into_iter().map(|operation| operation.tagged("Services")).collect()
}

fn changing(operation: Operation) -> Operation {
    operation
        .about("Changes the fields given and leaves the others. Orders already placed keep what they were placed with.")
        .access(Access::Signed, "its freelancer")
        .body::<ChangeListing>(json!({ "price": "59.90", "status": "paused" }))
        .answers::<SeenListing>(200, "The service.")
        .versioned()
}

async fn offer(call: Call<CreateListing>) -> Result<Answer> {
    call.write(|tx, call| {
        let id = commands::create(tx, &call.actor, &call.body)?;
        seen(tx, &call.actor, id, Answer::created).map(|answer| answer.at(format!("/services/{id}")))
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| seen(tx, &call.actor, call.id("id"), Answer::ok)).await
}

async fn change(call: Call<ChangeListing>) -> Result<Answer> {
    call.write(|tx, call| {
        let id = call.id("id");
        commands::change(tx, &call.actor, id, &call.body, &call.expected())?;
        seen(tx, &call.actor, id, Answer::ok)
    })
    .await
}

async fn archive(call: Call) -> Result<Answer> {
    call.write(|tx, call| {
        commands::archive(tx, &call.actor, call.id("id"), &call.expected())?;
        Answer::no_content()
    })
    .await
}

/// The answer with one listing: its version is its owner's, the digest covers the freelancer's card and the rating.
fn seen(tx: &Tx, actor: &Actor, id: ListingId, answer: fn(&SeenListing) -> Result<Answer>) -> Result<Answer> {
    let (listing, card) = queries::visible(tx, actor, id)?;
    let version = listing.version;
    let seen = SeenListing::new(listing, card);
    Ok(answer(&seen)?.etag(version, &(&seen.freelancer, &seen.rating)))
}
