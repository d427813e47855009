//! What holds for every operation: the order of refusals, problem documents, headers, conditional and repeated requests.

use axum::body::Body;
use guildhall::http::Access;
use http::Request;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

fn json_request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("transfer-encoding", "chunked")
        .body(body.into())
        .unwrap()
}

#[tokio::test]
async fn every_answer_carries_its_id_and_is_not_sniffed() {
    let app = TestApp::new().await;
    for path in
        ["/livez", "/readyz", "/docs", "/openapi.json", "/nowhere", "/users/me", "/problems/not_found"]
    {
        let reply = app.get(path, None).await;
        assert_eq!(reply.header("x-request-id").len(), 36, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("server"), "", "{path}");
    }
}

#[tokio::test]
async fn what_is_private_is_not_stored_by_caches() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    assert_eq!(app.get("/users/me", &buyer).await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_problem_names_its_page_and_the_request() {
    let app = TestApp::new().await;
    let reply = app.get("/nowhere", None).await.problem(404, "not_found");
    let problem = reply.json();
    assert_eq!(problem["request_id"], reply.header("x-request-id"));
    let page = app.get(problem["type"].as_str().unwrap(), None).await.expect(200);
    assert!(String::from_utf8_lossy(&page.bytes).contains("not_found"));
}

#[tokio::test]
async fn an_unknown_method_is_told_the_known_ones() {
    let app = TestApp::new().await;
    let reply = app.delete("/users/register", None).await.problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), "POST");
}

#[tokio::test]
async fn credentials_are_looked_at_before_the_body() {
    let app = TestApp::new().await;
    let mut request = json_request("PUT", "/users/me", "{");
    request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    app.raw(request).await.problem(401, "unauthenticated");
    let reply =
        app.request("GET", "/users/me", Some("gh_at_wrong"), &[], None).await.problem(401, "invalid_token");
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_bad_token_is_refused_even_where_none_is_needed() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.request("GET", &format!("/users/{}", buyer.id), Some("gh_at_wrong"), &[], None)
        .await
        .problem(401, "invalid_token");
    let basic = [("authorization", "Basic YTpi")];
    app.request("GET", &format!("/users/{}", buyer.id), None, &basic, None)
        .await
        .problem(401, "invalid_token");
}

#[tokio::test]
async fn an_expired_token_says_how_to_go_on() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.advance(std::time::Duration::from_secs(15 * 60)).await;
    let problem = app.get("/users/me", &buyer).await.problem(401, "token_expired").json();
    assert!(problem["detail"].as_str().unwrap().contains("/users/refresh"));
}

#[tokio::test]
async fn bodies_that_cannot_be_parsed_are_400() {
    let app = TestApp::new().await;
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    for body in ["", "{", "{\"a\":1,\"a\":2}", "nonsense", "{} {}", "\u{feff}{}", deep.as_str()] {
        app.raw(json_request("POST", "/users/login", body.to_owned())).await.problem(400, "invalid_request");
    }
    app.raw(json_request("POST", "/users/login", vec![b'"', 0xff, b'"']))
        .await
        .problem(400, "invalid_request");
}

#[tokio::test]
async fn a_body_that_is_no_object_is_422() {
    let app = TestApp::new().await;
    for body in ["[]", "1", "null", "\"x\""] {
        app.raw(json_request("POST", "/users/login", body)).await.problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn only_json_of_64_kib_is_taken() {
    let app = TestApp::new().await;
    let form = Request::post("/users/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", 3)
        .body(Body::from("a=b"))
        .unwrap();
    let problem = app.raw(form).await.problem(415, "unsupported_media_type").json();
    assert!(problem["detail"].as_str().unwrap().contains("Content-Type: application/json"));
    let mut zipped = json_request("POST", "/users/login", "{}");
    zipped.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    app.raw(zipped).await.problem(415, "unsupported_media_type");
    let long = format!("{{\"password\":\"{}\"}}", "x".repeat(65 * 1024));
    app.raw(json_request("POST", "/users/login", long)).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn query_strings_hold_only_what_the_operation_knows() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    for query in ["?x=1", "?limit=5", "?%00=1", "?a&b", "?=", "?%ff=%ff"] {
        let problem =
            app.get(&format!("/users/me{query}"), &buyer).await.problem(400, "invalid_parameter").json();
        assert!(problem["detail"].as_str().unwrap().contains("takes none"), "{problem}");
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let etag = app.get("/users/me", &buyer).await.header("etag").to_owned();
    let again = app
        .request("GET", "/users/me", Some(&buyer.token), &[("if-none-match", &etag)], None)
        .await
        .expect(304);
    assert!(again.bytes.is_empty());
    assert_eq!(again.header("content-type"), "", "it is of no media type, what the client has keeps its own");
    let card = app.get(&format!("/users/{}", buyer.id), None).await;
    assert_eq!(card.header("etag"), etag, "the ETag is equal for every reader");
}

#[tokio::test]
async fn a_preflight_is_answered_with_what_every_answer_carries() {
    let app = TestApp::with(|config| config.cors_origins = vec!["https://shop.example".to_owned()]).await;
    let asked = [("origin", "https://shop.example"), ("access-control-request-method", "PUT")];
    let answer = app.request("OPTIONS", "/users/me", None, &asked, None).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(answer.header("x-request-id").len(), 36);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let refused = app.request("GET", "/users/me", None, &asked[..1], None).await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), "https://shop.example");
}

#[tokio::test]
async fn ids_that_name_nothing_are_404_however_they_look() {
    let app = TestApp::new().await;
    for id in
        ["1", "+1", "%00", "..%2f", "018f2b6a-0000-7000-8000-000000000000", "%F0%9F%A6%80", "a;b", "1e3"]
    {
        app.get(&format!("/users/{id}"), None).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_near_miss_is_named() {
    let app = TestApp::new().await;
    let body = json!({ "user": "ada", "mail": "ada@example.com", "password": "quiet copper lantern" });
    let problem = app.post("/users/register", None, body).await.problem(422, "validation_failed").json();
    let details: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["detail"].as_str().unwrap()).collect();
    assert!(details.iter().any(|detail| detail.contains("did you mean `username`")), "{details:?}");
    assert!(details.iter().any(|detail| detail.contains("did you mean `email`")), "{details:?}");
}

#[tokio::test]
async fn the_document_lists_what_the_router_serves() {
    let app = TestApp::new().await;
    let document: Value = app.get("/openapi.json", None).await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    for operation in guildhall::app::operations() {
        let method = operation.method.as_str().to_lowercase();
        assert!(document["paths"][operation.path][&method].is_object(), "{method} {}", operation.path);
    }
}

#[tokio::test]
async fn links_lead_back_through_a_proxy_with_a_path_of_its_own() {
    let app =
        TestApp::with(|config| config.public_url = Some("https://api.example.com/market/".to_owned())).await;
    let seller = app.seller().await;
    let first = app.listing(&seller).await;
    app.listing(&seller).await;
    let page = app.get("/services?limit=1", None).await.expect(200);
    assert!(page.header("link").starts_with("<https://api.example.com/market/services?limit=1&cursor="));
    let order =
        app.post("/orders", &app.buyer().await, json!({ "service_id": first["id"] })).await.expect(201);
    assert!(order.header("location").starts_with("https://api.example.com/market/orders/"));
}

#[tokio::test]
async fn tokens_are_not_stored_by_caches() {
    let app = TestApp::new().await;
    app.buyer().await;
    let body = json!({ "username": "buyer", "password": PASSWORD });
    assert_eq!(app.post("/users/login", None, body).await.expect(200).header("cache-control"), "no-store");
}

#[test]
fn only_what_is_public_may_be_answered_by_a_replica() {
    let operations = guildhall::app::operations();
    let public: Vec<&str> =
        operations.iter().filter(|operation| operation.public).map(|operation| operation.name).collect();
    assert_eq!(public, ["getProfile", "listServices", "getService", "listServiceReviews", "listUserReviews"]);
    assert!(operations.iter().all(|operation| !operation.public || operation.access == Access::Anyone));
}
