//! Owners delete their accounts.

use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_deleted_account_is_only_its_id() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    app.delete("/users/me", &buyer).await.expect(204);
    let path = format!("/users/{}", buyer.id);
    for reply in [app.get(&path, None).await, app.get(&path, &admin).await] {
        assert_eq!(reply.expect(200).json(), json!({ "id": buyer.id, "deleted": true }));
    }
    app.put(&path, &admin, json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn every_token_dies_with_the_account() {
    let app = TestApp::new().await;
    let (buyer, other) = (app.buyer().await, app.log_in("buyer").await);
    app.delete("/users/me", &buyer).await.expect(204);
    for session in [&buyer, &other] {
        app.get("/users/me", session).await.problem(401, "invalid_token");
        app.refresh(&session.refresh_token).await.problem(401, "invalid_refresh_token");
    }
    app.delete("/users/me", &buyer).await.problem(401, "invalid_token");
    app.try_login("127.0.0.1", "buyer", PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn nothing_personal_stays_in_the_database() {
    let app = TestApp::with(|config| config.rate_limit = true).await;
    let buyer = app.buyer().await;
    app.try_login("192.0.2.7", "buyer", "wrong copper lantern").await.problem(401, "invalid_credentials");
    let before = app.count("select count(*) from login_throttles").await;
    app.delete("/users/me", &buyer).await.expect(204);
    let traces = "select count(*) from users where coalesce(username, username_folded, email, email_folded, password_hash) is not null";
    assert_eq!(app.count(traces).await, 0);
    assert_eq!(app.count("select count(*) from known_addresses").await, 0);
    assert_eq!(
        app.count("select count(*) from login_throttles").await,
        before - 1,
        "the address stays counted"
    );
    assert_eq!(app.count("select count(*) from events where cast(body as text) like '%buyer@%'").await, 0);
}

#[tokio::test]
async fn the_name_and_address_are_free_again() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.delete(&format!("/users/{}", buyer.id), &buyer).await.expect(204);
    let again = app.buyer().await;
    assert_ne!(again.id, buyer.id);
}

#[tokio::test]
async fn a_stale_version_is_not_deleted() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let stale = app.get("/users/me", &buyer).await.header("etag").to_owned();
    app.put("/users/me", &buyer, json!({ "role": "both" })).await.expect(200);
    app.request("DELETE", "/users/me", Some(&buyer.token), &[("if-match", &stale)], None)
        .await
        .problem(412, "stale_version");
    let fresh = app.get("/users/me", &buyer).await.header("etag").to_owned();
    app.request("DELETE", "/users/me", Some(&buyer.token), &[("if-match", &fresh)], None).await.expect(204);
}

#[tokio::test]
async fn the_last_administrator_cannot_leave() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let problem = app.delete("/users/me", &admin).await.problem(409, "deletion_blocked").json();
    assert_eq!(problem["blockers"][0]["type"], "administrator");
    assert!(problem["blockers"][0]["hint"].as_str().unwrap().contains("guildhall admin create"));
    let second = app.second_admin().await;
    app.delete("/users/me", &admin).await.expect(204);
    app.delete("/users/me", &second).await.problem(409, "deletion_blocked");
}
