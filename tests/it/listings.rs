//! Listings: what freelancers offer, and how it is found.

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
    events.into_iter().map(|event| event.kind).collect()
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

#[tokio::test]
async fn a_listing_is_answered_with_everything_that_the_contract_names() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let body =
        json!({ "title": "A logo", "description": "Drafts\nand more", "category": "Design", "price": 49.9 });
    let created = app.post("/services", &seller, body).await.expect(201);
    let listing = created.json();
    assert_eq!(created.header("location"), path_of(&listing));
    let keys: Vec<&String> = listing.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "freelancer_id",
            "freelancer",
            "title",
            "description",
            "category",
            "price",
            "currency",
            "delivery_days",
            "tags",
            "status",
            "rating",
            "created_at",
            "updated_at"
        ]
    );
    assert_eq!(listing["freelancer"]["username"], "seller");
    assert!(listing["freelancer"].get("email").is_none());
    assert_eq!(listing["freelancer_id"], seller.id.as_str());
    assert_eq!((&listing["price"], &listing["currency"]), (&json!("49.90"), &json!("USD")));
    assert_eq!((&listing["delivery_days"], &listing["status"]), (&json!(7), &json!("published")));
    assert_eq!((&listing["tags"], &listing["rating"]), (&json!([]), &json!({ "average": null, "count": 0 })));
    let read = app.get(&path_of(&listing), None).await.expect(200);
    assert_eq!(read.json(), listing);
    assert_eq!(read.header("etag"), created.header("etag"));
}

#[tokio::test]
async fn only_freelancers_offer() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    let body = json!({});
    app.post("/services", None, body.clone()).await.problem(401, "unauthenticated");
    let refused = app.post("/services", &buyer, body.clone()).await.problem(403, "role_required");
    assert!(refused.json()["detail"].as_str().unwrap().contains(r#"PUT /users/me {"role": "both"}"#));
    app.post("/services", &admin, body).await.problem(403, "role_required");
}

#[tokio::test]
async fn every_mistake_is_named_at_once() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let body = json!({
        "name": "x", "freelancer_id": seller.id, "title": "ab", "description": "", "category": " ", "price": "12.345",
        "delivery_days": 366, "tags": ["ok", 5], "status": "archived"
    });
    let reply = app.post("/services", &seller, body).await.problem(422, "validation_failed");
    assert_eq!(
        reply.pointers(),
        [
            "/name",
            "/freelancer_id",
            "/title",
            "/description",
            "/category",
            "/delivery_days",
            "/tags/1",
            "/status",
            "/price"
        ]
    );
    let eleven: Vec<String> = (0..11).map(|n| format!("tag{n}")).collect();
    for (field, value) in [
        ("tags", json!(eleven)),
        ("tags", json!("logo")),
        ("tags", json!(["x".repeat(65)])),
        ("title", json!("x".repeat(121))),
        ("title", json!("one\ntwo")),
        ("description", json!("x".repeat(5_001))),
        ("description", json!("a\u{0}b")),
        ("category", json!("x".repeat(65))),
        ("delivery_days", json!(0)),
        ("delivery_days", json!("7")),
        ("currency", json!("usd")),
        ("currency", json!("XXX")),
    ] {
        let mut body =
            json!({ "title": "A logo", "description": "Drafts", "category": "Design", "price": 5 });
        body[field] = value;
        let reply = app.post("/services", &seller, body.clone()).await.problem(422, "validation_failed");
        assert!(reply.pointers()[0].starts_with(&format!("/{field}")), "{body}");
    }
}

#[tokio::test]
async fn a_price_is_an_exact_decimal_of_its_currency() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    for (literal, currency, price) in [
        ("5", None, "5.00"),
        ("49.9", None, "49.90"),
        ("\"49.90\"", None, "49.90"),
        ("0.01", None, "0.01"),
        ("999999999.99", None, "999999999.99"),
        ("0.1", None, "0.10"),
        ("1.005", Some("KWD"), "1.005"),
        ("\"500\"", Some("JPY"), "500"),
        ("99999999999", Some("JPY"), "99999999999"),
    ] {
        let created = with_price(&app, &seller, literal, currency).await.expect(201).json();
        assert_eq!(created["price"], price, "{literal}");
        assert_eq!(created["currency"], currency.unwrap_or("USD"));
    }
    for (literal, currency) in [
        ("0", None),
        ("-0", None),
        ("0.00", None),
        ("-1", None),
        ("\"-1\"", None),
        ("12.345", None),
        ("12.340", None),
        ("1e2", None),
        ("1E2", None),
        ("1e309", None),
        ("1e-2", None),
        ("1000000000.00", None),
        ("99999999999999999999999999", None),
        ("0.0000000000000000000000001", None),
        ("\"NaN\"", None),
        ("\"Infinity\"", None),
        ("\"1,000\"", None),
        ("\"$5\"", None),
        ("\" 5\"", None),
        ("\"5 \"", None),
        ("\"+5\"", None),
        ("\"05\"", None),
        ("\"5.\"", None),
        ("\".5\"", None),
        ("\"0x10\"", None),
        ("\"1_000\"", None),
        ("\"٥\"", None),
        ("\"\"", None),
        ("true", None),
        ("null", None),
        ("[5]", None),
        ("{}", None),
        ("10.50", Some("JPY")),
        ("\"10.0\"", Some("JPY")),
        ("1.0005", Some("KWD")),
    ] {
        let reply = with_price(&app, &seller, literal, currency).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), ["/price"], "{literal}");
    }
    for literal in ["NaN", "01", "+1", ".5", "5.", "0x10", "1_000", "-", "Infinity"] {
        with_price(&app, &seller, literal, None).await.problem(400, "invalid_request");
    }
}

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
