//! Listings: what freelancers offer, and how it is found.

mod changing;
mod finding;
mod offering;

use guildhall::error::{Error, Result};
use guildhall::events;
use guildhall::listings::{self, ListingId};
use http::Request;
use serde_json::{Value, json};

use crate::support::{Person, Reply, TestApp, path_of};

/// How often each kind of event happened to a listing.
async fn history(app: &TestApp, listing: &Value) -> Vec<String> {
    let id = ListingId::from_wire(listing["id"].as_str().unwrap());
    let events = app.app.db().read(move |tx| events::of_subject(tx, id, None, 100)).await.unwrap();
    events.into_iter().rev().map(|event| event.kind).collect()
}

/// POST /services with a body of exactly this text.
async fn post_text(app: &TestApp, seller: &Person, body: String) -> Reply {
    let request = Request::post("/services")
        .header("authorization", format!("Bearer {}", seller.token))
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(body.into())
        .unwrap();
    app.raw(request).await
}

async fn with_price(app: &TestApp, seller: &Person, price: &str, currency: Option<&str>) -> Reply {
    let currency = currency.map_or(String::new(), |code| format!(r#", "currency": "{code}""#));
    let body = format!(
        r#"{{"title": "A logo", "description": "Drafts", "category": "Design", "price": {price}{currency}}}"#
    );
    post_text(app, seller, body).await
}

/// The titles of a list, in its order.
async fn titles(app: &TestApp, query: &str, by: Option<&Person>) -> Vec<String> {
    let page = app.get(&format!("/services{query}"), by).await.expect(200).json();
    page["data"].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
}

/// Records a review as the reviews do.
async fn rate(app: &TestApp, listing: &Value, stars: i64) {
    let id = ListingId::from_wire(listing["id"].as_str().unwrap());
    app.app.db().write(move |tx| listings::record_rating(tx, id, stars, 1)).await.unwrap();
}

/// Five listings of two freelancers.
async fn market(app: &TestApp) -> (Person, Person) {
    let (ada, ben) = (app.person("ada", "freelancer").await, app.person("ben", "both").await);
    let offer = |title: &str, category: &str, price: &str, currency: &str, days: i64, tags: Value| {
        json!({
            "title": title, "category": category, "price": price, "currency": currency, "delivery_days": days,
            "tags": tags, "description": format!("All about {category}.")
        })
    };
    let logo =
        app.listing_with(&ada, offer("Logo", "Design", "50", "USD", 3, json!(["Brand", "Café"]))).await;
    let site = app.listing_with(&ada, offer("Site", "Web", "900", "USD", 30, json!(["brand"]))).await;
    app.listing_with(&ben, offer("Song", "Music", "120.50", "USD", 10, json!([]))).await;
    app.listing_with(&ben, offer("Icon", "design", "5", "USD", 1, json!(["logo"]))).await;
    app.listing_with(&ben, offer("Sumi-e", "Design", "9000", "JPY", 20, json!(["ink"]))).await;
    app.listing_with(&ben, json!({ "title": "Secret plan", "status": "draft" })).await;
    app.listing_with(&ben, json!({ "title": "Resting", "status": "paused" })).await;
    for (listing, stars) in [(&logo, 4), (&logo, 5), (&site, 5)] {
        rate(app, listing, stars).await;
    }
    (ada, ben)
}

#[tokio::test]
async fn a_draft_is_nobody_elses_business() {
    let app = TestApp::new().await;
    let (seller, stranger, admin) = (app.seller().await, app.stranger().await, app.admin().await);
    let path = path_of(&app.listing_with(&seller, json!({ "status": "draft" })).await);
    app.get(&path, &seller).await.expect(200);
    app.get(&path, &admin).await.expect(200);
    app.get(&path, None).await.problem(404, "not_found");
    app.get(&path, &stranger).await.problem(404, "not_found");
    app.put(&path, &stranger, json!({ "title": 5 })).await.problem(404, "not_found");
    app.delete(&path, &stranger).await.problem(404, "not_found");
    app.put(&path, &seller, json!({ "status": "published" })).await.expect(200);
    app.get(&path, None).await.expect(200);
}

#[tokio::test]
async fn an_archived_listing_is_gone_for_everyone() {
    let app = TestApp::new().await;
    let (seller, admin) = (app.seller().await, app.admin().await);
    let listing = app.listing(&seller).await;
    let path = path_of(&listing);
    app.delete(&path, &seller).await.expect(204);
    app.get(&path, &seller).await.problem(404, "not_found");
    app.get(&path, &admin).await.problem(404, "not_found");
    app.put(&path, &seller, json!({ "title": "Back again" })).await.problem(404, "not_found");
    app.delete(&path, &seller).await.problem(404, "not_found");
    assert_eq!(history(&app, &listing).await, ["listing_created", "listing_archived"]);
}

/// Whether a listing can be ordered, or the problem that says why not.
async fn orderable(app: &TestApp, listing: &Value) -> Result<(), String> {
    let id = ListingId::from_wire(listing["id"].as_str().unwrap());
    let outcome = app.app.db().read(move |tx| listings::orderable(tx, id).map(drop)).await;
    outcome.map_err(|error| match error {
        Error::Refused(refusal) => refusal.problem.code.to_owned(),
        other => other.to_string(),
    })
}

#[tokio::test]
async fn what_is_on_sale_can_be_ordered() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let listing = app.listing(&seller).await;
    assert_eq!(orderable(&app, &listing).await, Ok(()));
    for (status, outcome) in [
        ("paused", Err("service_unavailable".to_owned())),
        ("draft", Err("not_found".to_owned())),
        ("published", Ok(())),
    ] {
        app.put(&path_of(&listing), &seller, json!({ "status": status })).await.expect(200);
        assert_eq!(orderable(&app, &listing).await, outcome, "{status}");
    }
    app.delete(&path_of(&listing), &seller).await.expect(204);
    assert_eq!(orderable(&app, &listing).await, Err("not_found".to_owned()));
}

#[tokio::test]
async fn a_freelancer_lists_twenty_things_an_hour() {
    let app = TestApp::with(|config| config.rate_limit = true).await;
    let seller = app.seller().await;
    for _ in 0..20 {
        app.listing(&seller).await;
    }
    let body = json!({ "title": "One more", "description": "x", "category": "x", "price": 1 });
    let refused = app.post("/services", &seller, body).await.problem(429, "too_many_requests");
    assert_ne!(refused.header("retry-after"), "");
}

#[tokio::test]
async fn a_rating_changes_the_etag_and_not_the_version() {
    let app = TestApp::new().await;
    let listing = app.listing(&app.seller().await).await;
    let before = app.get(&path_of(&listing), None).await.header("etag").to_owned();
    rate(&app, &listing, 4).await;
    let after = app.get(&path_of(&listing), None).await.header("etag").to_owned();
    assert_ne!(before, after);
    assert!(before.starts_with("\"1.") && after.starts_with("\"1."));
}

#[tokio::test]
async fn what_a_suspended_freelancer_offers_is_hidden_until_he_is_back() {
    let app = TestApp::new().await;
    let (ada, _) = market(&app).await;
    let user = guildhall::users::UserId::from_wire(&ada.id);
    let resting = app.listing_with(&ada, json!({ "title": "Resting too", "status": "paused" })).await;
    let logo = app.get("/services?q=logo", None).await.json()["data"][0].clone();
    app.app.db().write(move |tx| listings::seller_suspended(tx, user, true)).await.unwrap();
    assert_eq!(titles(&app, "", None).await, ["Sumi-e", "Icon", "Song"]);
    assert_eq!(orderable(&app, &logo).await, Err("service_unavailable".to_owned()));
    app.app.db().write(move |tx| listings::seller_suspended(tx, user, false)).await.unwrap();
    assert_eq!(titles(&app, "", None).await, ["Sumi-e", "Icon", "Song", "Site", "Logo"]);
    assert_eq!(orderable(&app, &resting).await, Err("service_unavailable".to_owned()));
}

#[tokio::test]
async fn a_freelancer_who_leaves_takes_every_listing_along() {
    let app = TestApp::new().await;
    let (ada, ben) = market(&app).await;
    let user = guildhall::users::UserId::from_wire(&ben.id);
    let needed =
        || async { app.app.db().read(move |tx| listings::needed_to_sell(tx, user)).await.unwrap().len() };
    assert_eq!(needed().await, 5);
    app.app.db().write(move |tx| listings::archive_all_of(tx, user)).await.unwrap();
    assert_eq!(needed().await, 0);
    assert_eq!(titles(&app, "", Some(&ada)).await, ["Site", "Logo"]);
    assert_eq!(titles(&app, "?q=music", None).await.len(), 0);
}
