//! Listings are changed by those who own them, and nobody loses what another wrote.

use serde_json::{Value, json};

use super::history;
use crate::support::{TestApp, path_of};

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let listing = app.listing(&seller).await;
    let read = app.get(&path_of(&listing), &seller).await.expect(200);
    let put = app.put(&path_of(&listing), &seller, read.json()).await.expect(200);
    assert_eq!((put.json(), put.header("etag")), (read.json(), read.header("etag")));
    assert_eq!(history(&app, &listing).await, ["listing_created"]);
    let reply = app.put(&path_of(&listing), &seller, json!({ "id": "other", "rating": 5 })).await;
    assert_eq!(reply.problem(422, "validation_failed").pointers(), ["/id", "/rating"]);
}

#[tokio::test]
async fn put_changes_what_is_given_and_patch_is_the_same() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let listing = app.listing(&seller).await;
    let path = path_of(&listing);
    let put = app
        .put(&path, &seller, json!({ "title": "Another logo", "tags": ["Coin", "coin"] }))
        .await
        .expect(200);
    assert!(put.header("etag").starts_with("\"2."));
    let changed = put.json();
    assert_eq!((&changed["title"], &changed["tags"]), (&json!("Another logo"), &json!(["Coin"])));
    assert_eq!((&changed["price"], &changed["description"]), (&listing["price"], &listing["description"]));
    let patched = app.send("PATCH", &path, &seller, json!({ "status": "paused" })).await.expect(200).json();
    assert_eq!((&patched["status"], &patched["title"]), (&json!("paused"), &json!("Another logo")));
    assert_eq!(history(&app, &listing).await, ["listing_created", "listing_changed", "listing_changed"]);
}

#[tokio::test]
async fn a_new_currency_must_have_such_a_price() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let path = path_of(&app.listing(&seller).await);
    let reply = app.put(&path, &seller, json!({ "currency": "JPY" })).await.problem(422, "validation_failed");
    assert_eq!(reply.pointers(), ["/price"]);
    let yen = app.put(&path, &seller, json!({ "currency": "JPY", "price": "500" })).await.expect(200).json();
    assert_eq!((&yen["price"], &yen["currency"]), (&json!("500"), &json!("JPY")));
    let reply = app.put(&path, &seller, json!({ "price": "49.90" })).await.problem(422, "validation_failed");
    assert_eq!(reply.pointers(), ["/price"]);
    let dinar = app.put(&path, &seller, json!({ "currency": "KWD" })).await.expect(200).json();
    assert_eq!((&dinar["price"], &dinar["currency"]), (&json!("500.000"), &json!("KWD")));
}

#[tokio::test]
async fn others_neither_change_nor_archive_it() {
    let app = TestApp::new().await;
    let (seller, stranger, admin) = (app.seller().await, app.stranger().await, app.admin().await);
    let path = path_of(&app.listing(&seller).await);
    let change = json!({ "title": "Mine now" });
    app.put(&path, None, change.clone()).await.problem(401, "unauthenticated");
    app.put(&path, &stranger, change.clone()).await.problem(403, "forbidden");
    app.put(&path, &admin, change).await.problem(403, "forbidden");
    app.delete(&path, None).await.problem(401, "unauthenticated");
    app.delete(&path, &stranger).await.problem(403, "forbidden");
    app.delete(&path, &admin).await.expect(204);
    app.get(&path, &seller).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_stale_writer_is_refused_and_a_reader_who_has_it_gets_304() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let path = path_of(&app.listing(&seller).await);
    let first = app.get(&path, None).await.header("etag").to_owned();
    let send = |method: &'static str, header: &'static str, etag: String, body: Option<Value>| {
        let (app, path, token) = (&app, &path, &seller.token);
        async move { app.request(method, path, Some(token), &[(header, &etag)], body).await }
    };
    send("GET", "if-none-match", first.clone(), None).await.expect(304);
    send("PUT", "if-match", first.clone(), Some(json!({ "title": "Changed" }))).await.expect(200);
    send("GET", "if-none-match", first.clone(), None).await.expect(200);
    send("PUT", "if-match", first.clone(), Some(json!({ "title": "Again" })))
        .await
        .problem(412, "stale_version");
    send("DELETE", "if-match", first, None).await.problem(412, "stale_version");
    let present = app.get(&path, None).await.header("etag").to_owned();
    send("DELETE", "if-match", present, None).await.expect(204);
}
