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
async fn lists_are_filtered_and_ordered() {
    let app = TestApp::new().await;
    let (ada, ben) = market(&app).await;
    for (query, expected) in [
        ("", "Sumi-e Icon Song Site Logo"),
        ("?sort=newest", "Sumi-e Icon Song Site Logo"),
        ("?limit=2", "Sumi-e Icon"),
        ("?category=DESIGN", "Sumi-e Icon Logo"),
        ("?category=design&category=Music", "Sumi-e Icon Song Logo"),
        ("?category=", ""),
        ("?tag=BRAND", "Site Logo"),
        ("?tag=brand&category=web", "Site"),
        ("?tag=CAFE%CC%81", "Logo"),
        ("?tag=bran", ""),
        ("?min_price=50&max_price=120.50", "Song Logo"),
        ("?min_price=0&max_price=49.99", "Icon"),
        ("?min_price=9000&currency=JPY", "Sumi-e"),
        ("?currency=JPY", "Sumi-e"),
        ("?currency=EUR", ""),
        ("?min_price=10&max_price=5", ""),
        ("?sort=price", "Icon Logo Song Site"),
        ("?sort=-price", "Site Song Logo Icon"),
        ("?sort=-price&category=design&min_price=5", "Logo Icon"),
        ("?sort=price&currency=JPY", "Sumi-e"),
        ("?sort=rating", "Site Logo Sumi-e Icon Song"),
        ("?min_rating=4.5", "Site Logo"),
        ("?min_rating=4.51", "Site"),
        ("?max_delivery_days=3", "Icon Logo"),
        ("?q=logo", "Logo Icon"),
        ("?q=design", "Sumi-e Icon Logo"),
        ("?q=design&category=design&sort=price", "Icon Logo"),
        ("?q=cafe", "Logo"),
        ("?q=LOGO+all", "Icon Logo"),
        ("?q=logo+music", ""),
        ("?q=logo&tag=logo", "Icon"),
        ("?q=brand&sort=newest&min_price=60", "Site"),
        ("?freelancer_id=nobody", ""),
    ] {
        assert_eq!(titles(&app, query, None).await.join(" "), expected, "{query}");
    }
    let of = |id: &str| format!("?freelancer_id={id}");
    assert_eq!(titles(&app, &of(&ada.id), None).await, ["Site", "Logo"]);
    assert_eq!(titles(&app, &of("me"), Some(&ada)).await, ["Site", "Logo"]);
    assert_eq!(titles(&app, "?freelancer_id=me&status=draft", Some(&ben)).await, ["Secret plan"]);
    assert_eq!(titles(&app, "?freelancer_id=me&status=paused", Some(&ben)).await, ["Resting"]);
    assert_eq!(titles(&app, "?freelancer_id=me&status=draft", Some(&ada)).await, Vec::<String>::new());
}

#[tokio::test]
async fn parameters_that_mean_nothing_are_refused() {
    let app = TestApp::new().await;
    let (ada, ben) = market(&app).await;
    let long = format!("?q={}", "x".repeat(201));
    for query in [
        "?sort=cheapest",
        "?sort=relevance",
        "?sort=price&sort=price",
        "?min_price=1e2",
        "?min_price=-1",
        "?min_price=1.234",
        "?max_price=abc",
        "?max_price=10.50&currency=JPY",
        "?currency=usd",
        "?min_rating=0",
        "?min_rating=5.1",
        "?min_rating=4.555",
        "?min_rating=nan",
        "?max_delivery_days=0",
        "?max_delivery_days=366",
        "?max_delivery_days=+7",
        "?status=draft",
        "?status=archived&freelancer_id=me",
        "?limit=0",
        "?limit=101",
        "?page=2",
        "?tag=a&tag=b",
        &long,
    ] {
        app.get(&format!("/services{query}"), &ada).await.problem(400, "invalid_parameter");
    }
    let others = format!("/services?status=draft&freelancer_id={}", ben.id);
    let refused = app.get(&others, &ada).await.problem(400, "invalid_parameter");
    assert!(refused.json()["detail"].as_str().unwrap().contains("freelancer_id=me"));
    app.get("/services?freelancer_id=me", None).await.problem(401, "unauthenticated");
    app.get("/services?cursor=abc", None).await.problem(400, "invalid_cursor");
}

#[tokio::test]
async fn what_a_query_punctuates_means_nothing() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    app.listing_with(&seller, json!({ "title": "Rock 'n' roll: 100% C++", "tags": [], "description": "x" }))
        .await;
    app.listing_with(&seller, json!({ "title": "Straße nach Łódź", "tags": [], "description": "x" })).await;
    for (query, found) in [
        ("c%2B%2B", 1),
        ("%22rock%22", 1),
        ("rock*", 1),
        ("roc*", 0),
        ("rock%20NEAR(roll)", 0),
        ("title:rock", 0),
        ("rock%20OR%20nothing", 0),
        ("rock%20NOT%20roll", 0),
        ("-rock", 1),
        ("(rock", 1),
        ("'%20OR%201=1%20--", 0),
        ("rock')%3B%20drop%20table%20services--", 0),
        ("100%25", 1),
        ("lodz", 0),
        ("%C5%82%C3%B3d%C5%BA", 1),
        ("STRASSE", 1),
        ("stra%C3%9Fe", 1),
        ("%25", 0),
        ("_", 0),
        ("*", 0),
        ("", 0),
        ("%22", 0),
        ("%22%22%22%20AND", 0),
        ("%F0%9F%8E%B8", 0),
        ("%CC%81", 0),
    ] {
        let reply = app.get(&format!("/services?q={query}"), None).await.expect(200);
        assert_eq!(reply.json()["data"].as_array().unwrap().len(), found, "{query}");
    }
    let hundred = vec!["x"; 100].join("+");
    app.get(&format!("/services?q={hundred}"), None).await.expect(200);
}

/// Every title of a list, page after page of three; something new is listed before each further page.
async fn to_the_end(app: &TestApp, query: &str, seller: &Person) -> Vec<String> {
    let mut seen = Vec::new();
    let mut path = format!("/services?limit=3{query}");
    for page in 0.. {
        let reply = app.get(&path, None).await.expect(200);
        let body = reply.json();
        let rows = body["data"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()));
        let Some(cursor) = body["next_cursor"].as_str() else {
            assert_eq!(reply.header("link"), "");
            break;
        };
        assert_eq!(rows.len(), 3);
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        path = format!("/services?limit=3{query}&cursor={cursor}");
        let link = reply.header("link").to_owned();
        assert!(link.contains(cursor) && link.ends_with("rel=\"next\""), "{link}");
        assert!(page < 20, "the list has no end");
        let arrival = json!({ "title": format!("Arrival logo {page}"), "price": "20", "tags": ["logo"] });
        app.listing_with(seller, arrival).await;
    }
    seen
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing_while_rows_arrive() {
    for order in [
        "",
        "&sort=price",
        "&sort=-price",
        "&sort=-price&max_price=25",
        "&sort=price&min_price=15&category=design",
        "&sort=rating",
        "&category=design",
        "&tag=logo",
        "&q=logo",
        "&q=logo&sort=newest",
        "&q=logo&sort=price",
    ] {
        let app = TestApp::new().await;
        let seller = app.seller().await;
        let mut all = Vec::new();
        for number in 0..10 {
            let title = if number % 2 == 0 { format!("Logo {number}") } else { format!("Sign {number}") };
            let price = (15 + number % 3 * 5).to_string();
            let listing =
                app.listing_with(&seller, json!({ "title": title, "price": price, "tags": ["logo"] })).await;
            rate(&app, &listing, 3 + number % 3).await;
            all.push(title);
        }
        let seen = to_the_end(&app, order, &seller).await;
        let mut olds: Vec<String> =
            seen.iter().filter(|title| !title.starts_with("Arrival")).cloned().collect();
        olds.sort();
        all.sort();
        assert_eq!(olds, all, "{order}");
        let distinct: std::collections::HashSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{order}: {seen:?}");
    }
}

#[tokio::test]
async fn a_cursor_serves_only_the_list_it_came_from() {
    let app = TestApp::new().await;
    market(&app).await;
    let page = app.get("/services?category=design&category=web&limit=1", None).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    for query in ["", "category=design&", "category=design&category=web&sort=price&", "tag=brand&", "q=logo&"]
    {
        app.get(&format!("/services?{query}cursor={cursor}"), None).await.problem(400, "invalid_cursor");
    }
    let same = format!("?category=WEB&category=Design&limit=3&cursor={cursor}");
    assert_eq!(titles(&app, &same, None).await, ["Icon", "Site", "Logo"]);
}

#[tokio::test]
async fn the_index_follows_every_change() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let listing = app.listing(&seller).await;
    let path = path_of(&listing);
    assert_eq!(titles(&app, "?q=coin+branding+drafts", None).await.len(), 1);
    app.put(&path, &seller, json!({ "title": "A stamp", "tags": ["seal \"x\""] })).await.expect(200);
    assert_eq!(app.search_differences().await, Vec::<String>::new());
    assert_eq!(titles(&app, "?q=coin", None).await.len(), 0);
    assert_eq!(titles(&app, "?tag=logo", None).await.len(), 0);
    assert_eq!(titles(&app, "?q=stamp+seal", None).await, ["A stamp"]);
    app.delete(&path, &seller).await.expect(204);
    assert_eq!(app.search_differences().await, Vec::<String>::new());
    assert_eq!(titles(&app, "?q=stamp", None).await.len(), 0);
    assert_eq!(titles(&app, "", None).await.len(), 0);
}

#[tokio::test]
async fn a_list_row_is_what_get_answers() {
    let app = TestApp::new().await;
    let listing = app.listing(&app.seller().await).await;
    rate(&app, &listing, 4).await;
    let row = app.get("/services", None).await.expect(200).json()["data"][0].clone();
    assert_eq!(row, app.get(&path_of(&listing), None).await.expect(200).json());
    assert_eq!(row["rating"], json!({ "average": 4.0, "count": 1 }));
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
