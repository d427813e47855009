//! How listings are found: filters, orders, words and pages.

use serde_json::json;

use super::{market, rate, titles};
use crate::support::{Person, TestApp, path_of};

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
