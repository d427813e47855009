//! What a freelancer must say to offer something.

use serde_json::json;

use super::with_price;
use crate::support::{TestApp, path_of};

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
