//! The operations on profiles.

use serde_json::json;

use crate::db::Tx;
use crate::error::{ROLE_REQUIRED, Result};
use crate::http::{Access, Answer, Call, Operation, delete, get, patch, post, put};

use super::model::{AddItem, ChangeItem, ChangeProfile, PortfolioItem, Profile};
use super::{PORTFOLIO_FULL, commands, queries};

const PAGE: &str = "/profiles/{userId}";
const PORTFOLIO: &str = "/profiles/{userId}/portfolio";
const ITEM: &str = "/profiles/{userId}/portfolio/{itemId}";
const OWNER: &str = "the freelancer, with role freelancer or both";

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let operations = vec![
        get(PAGE, show)
            .named("getProfile", "Read a freelancer's profile")
            .about("A freelancer who wrote nothing has an empty one.")
            .access(Access::Anyone, "anyone")
            .public()
            .answers::<Profile>(200, "The profile.")
            .versioned(),
        changing(put(PAGE, change).named("updateProfile", "Write a profile")),
        changing(patch(PAGE, change).named("patchProfile", "Write a profile")),
        post(PORTFOLIO, add)
            .named("addPortfolioItem", "Show a work")
            .about("At most 50 items. The addresses are kept as given and never fetched.")
            .access(Access::Signed, OWNER)
            .body::<AddItem>(json!({
                "title": "Coins of a bakery", "description": "A set of twelve.", "url": "https://example.com/coins"
            }))
            .answers::<PortfolioItem>(201, "The item, with its id.")
            .problems(&[&ROLE_REQUIRED, &PORTFOLIO_FULL]),
        changing_item(put(ITEM, change_item).named("updatePortfolioItem", "Change a work")),
        changing_item(patch(ITEM, change_item).named("patchPortfolioItem", "Change a work")),
        delete(ITEM, remove)
            .named("deletePortfolioItem", "Take a work away")
            .access(Access::Signed, OWNER)
            .answers_nothing("It is gone.")
            .problems(&[&ROLE_REQUIRED]),
    ];
    operations.into_iter().map(|operation| operation.tagged("Profiles")).collect()
}

fn changing(operation: Operation) -> Operation {
    operation
        .about("Creates it or changes the fields given; null clears one.")
        .access(Access::Signed, OWNER)
        .body::<ChangeProfile>(
            json!({ "bio": "I draw small things.", "skills": ["logo design", "typography"] }),
        )
        .answers::<Profile>(200, "The profile.")
        .problems(&[&ROLE_REQUIRED])
        .versioned()
}

fn changing_item(operation: Operation) -> Operation {
    operation
        .about("Changes the fields given; null clears one.")
        .access(Access::Signed, OWNER)
        .body::<ChangeItem>(json!({ "title": "Coins of two bakeries" }))
        .answers::<PortfolioItem>(200, "The item.")
        .problems(&[&ROLE_REQUIRED])
}

async fn show(call: Call) -> Result<Answer> {
    call.glance(page).await
}

async fn change(call: Call<ChangeProfile>) -> Result<Answer> {
    call.write(|tx, call| {
        commands::change(tx, &call.actor, call.user_id("userId")?, &call.body, &call.expected())?;
        page(tx, call)
    })
    .await
}

/// Its version is its owner's; the digest covers the name and what others' deeds add up to.
fn page<F: crate::form::Form>(tx: &Tx, call: &Call<F>) -> Result<Answer> {
    let page = queries::profile(tx, call.user_id("userId")?)?;
    Ok(Answer::ok(&page)?.etag(page.version, &(&page.username, &page.rating, page.completed_orders)))
}

async fn add(call: Call<AddItem>) -> Result<Answer> {
    call.write(|tx, call| {
        let user = call.user_id("userId")?;
        Answer::created(&commands::add_item(tx, &call.actor, user, &call.body)?)
    })
    .await
}

async fn change_item(call: Call<ChangeItem>) -> Result<Answer> {
    call.write(|tx, call| {
        let item = (call.user_id("userId")?, call.id("itemId"));
        Answer::ok(&commands::change_item(tx, &call.actor, item, &call.body, &call.expected())?)
    })
    .await
}

async fn remove(call: Call) -> Result<Answer> {
    call.write(|tx, call| {
        let user = call.user_id("userId")?;
        commands::remove_item(tx, &call.actor, user, call.id("itemId"), &call.expected())?;
        Answer::no_content()
    })
    .await
}
