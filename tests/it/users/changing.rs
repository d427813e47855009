//! Owners change their accounts.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

const NEW: &str = "seven paper boats";

async fn in_role(app: &TestApp, person: &Person, role: &str) -> Value {
    app.put("/users/me", person, json!({ "role": role })).await.expect(200).json()
}

#[tokio::test]
async fn a_new_name_and_role_count_at_once() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let reply =
        app.put("/users/me", &seller, json!({ "username": "Patron", "role": "both" })).await.expect(200);
    let account = reply.json();
    assert_eq!((&account["username"], &account["role"]), (&json!("Patron"), &json!("both")));
    assert!(reply.header("etag").starts_with("\"2."));
    assert_eq!(app.get("/users/me", &seller).await.json(), account);
    app.log_in("patron").await;
    app.try_login("127.0.0.1", "seller", PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn patch_is_the_same_operation() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let path = format!("/users/{}", buyer.id);
    let account = app.send("PATCH", &path, &buyer, json!({ "role": "freelancer" })).await.expect(200).json();
    assert_eq!(account["role"], "freelancer");
}

#[tokio::test]
async fn what_get_answered_can_be_put_back() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let before = app.get("/users/me", &buyer).await;
    let after = app.put("/users/me", &buyer, before.json()).await.expect(200);
    assert_eq!(after.bytes, before.bytes);
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(app.count("select count(*) from events where kind = 'account_changed'").await, 0);
}

#[tokio::test]
async fn no_column_of_the_account_can_be_assigned() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let before = app.get("/users/me", &buyer).await;
    for (field, value) in [
        ("id", json!("00000000-0000-7000-8000-000000000000")),
        ("email_verified", json!(true)),
        ("created_at", json!("2020-01-01T00:00:00.000000Z")),
        ("updated_at", json!("2020-01-01T00:00:00.000000Z")),
        ("status", json!("active")),
        ("version", json!(9)),
        ("password_hash", json!("x")),
        ("username_folded", json!("x")),
        ("balance", json!(1_000)),
        ("role", json!("admin")),
    ] {
        let mut body = json!({ "username": "eve" });
        body[field] = value;
        let reply = app.put("/users/me", &buyer, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [format!("/{field}")]);
    }
    assert_eq!(app.get("/users/me", &buyer).await.bytes, before.bytes);
}

#[tokio::test]
async fn only_the_owner_changes_an_account() {
    let app = TestApp::new().await;
    let (buyer, stranger, admin) = (app.buyer().await, app.stranger().await, app.admin().await);
    let path = format!("/users/{}", buyer.id);
    for other in [&stranger, &admin] {
        app.put(&path, other, json!({ "nonsense": 1 })).await.problem(403, "forbidden");
        app.delete(&path, other).await.problem(403, "forbidden");
        for nobody in ["/users/00000000-0000-7000-8000-000000000000", "/users/x"] {
            app.put(nobody, other, json!({ "nonsense": 1 })).await.problem(404, "not_found");
            app.delete(nobody, other).await.problem(404, "not_found");
        }
    }
    app.put(&path, None, json!({})).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_new_address_or_password_needs_the_current_password() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    for mut body in [json!({ "email": "new@example.com" }), json!({ "password": NEW })] {
        let missing = app.put("/users/me", &buyer, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(missing.pointers(), ["/current_password"]);
        body["current_password"] = json!("not my password");
        app.put("/users/me", &buyer, body).await.problem(403, "wrong_password");
    }
    let unchanged = json!({ "email": buyer.email, "username": buyer.username });
    app.put("/users/me", &buyer, unchanged).await.expect(200);
}

#[tokio::test]
async fn every_mistake_is_told_at_once() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let body = json!({ "role": "admin", "password": "buyerbuyer", "email": "new@example.com" });
    let reply = app.put("/users/me", &buyer, body).await.problem(422, "validation_failed");
    assert_eq!(reply.pointers(), ["/role", "/current_password", "/password"]);
    assert_eq!(reply.json()["errors"][2]["code"], "password_guessable");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let app = TestApp::new().await;
    let (buyer, other) = (app.buyer().await, app.log_in("buyer").await);
    app.put("/users/me", &buyer, json!({ "password": NEW, "current_password": PASSWORD })).await.expect(200);
    app.get("/users/me", &other).await.problem(401, "invalid_token");
    app.refresh(&other.refresh_token).await.problem(401, "invalid_refresh_token");
    app.get("/users/me", &buyer).await.expect(200);
    app.refresh(&buyer.refresh_token).await.expect(200);
    app.try_login("127.0.0.1", "buyer", PASSWORD).await.problem(401, "invalid_credentials");
    app.try_login("127.0.0.1", "buyer", NEW).await.expect(200);
}

#[tokio::test]
async fn a_new_address_is_unverified_and_ends_every_other_session() {
    let app = TestApp::new().await;
    let (buyer, other) = (app.buyer().await, app.log_in("buyer").await);
    app.app.db().write(|tx| tx.execute("update users set email_verified = true", &[])).await.unwrap();
    let body = json!({ "email": "new@example.com", "current_password": PASSWORD });
    let account = app.put("/users/me", &buyer, body).await.expect(200).json();
    assert_eq!((&account["email"], &account["email_verified"]), (&json!("new@example.com"), &json!(false)));
    app.get("/users/me", &other).await.problem(401, "invalid_token");
    app.get("/users/me", &buyer).await.expect(200);
}

#[tokio::test]
async fn the_same_password_again_changes_nothing() {
    let app = TestApp::new().await;
    let (buyer, other) = (app.buyer().await, app.log_in("buyer").await);
    let body = json!({ "password": PASSWORD, "current_password": PASSWORD });
    let reply = app.put("/users/me", &buyer, body).await.expect(200);
    assert!(reply.header("etag").starts_with("\"1."));
    app.get("/users/me", &other).await.expect(200);
}

#[tokio::test]
async fn names_and_addresses_of_others_are_taken() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.stranger().await;
    app.put("/users/me", &buyer, json!({ "username": "STRANGER" })).await.problem(409, "username_taken");
    let body = json!({ "email": "Stranger@example.COM", "current_password": PASSWORD });
    app.put("/users/me", &buyer, body).await.problem(409, "email_taken");
    app.put("/users/me", &buyer, json!({ "username": "Buyer" })).await.expect(200);
}

#[tokio::test]
async fn a_stale_version_is_refused_after_what_is_wrong_and_before_what_is_taken() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.stranger().await;
    let stale = app.get("/users/me", &buyer).await.header("etag").to_owned();
    in_role(&app, &buyer, "both").await;
    let put = async |etag: &str, body: Value| {
        app.request("PUT", "/users/me", Some(&buyer.token), &[("if-match", etag)], Some(body)).await
    };
    put(&stale, json!({ "username": "x" })).await.problem(422, "validation_failed");
    let wrong = json!({ "email": "new@example.com", "current_password": "not my password" });
    put(&stale, wrong).await.problem(403, "wrong_password");
    put(&stale, json!({ "username": "stranger" })).await.problem(412, "stale_version");
    let fresh = app.get("/users/me", &buyer).await.header("etag").to_owned();
    put(&fresh, json!({ "username": "stranger" })).await.problem(409, "username_taken");
    put(&fresh, json!({ "username": "patron" })).await.expect(200);
}

#[tokio::test]
async fn an_administrator_stays_one() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let reply =
        app.put("/users/me", &admin, json!({ "role": "both" })).await.problem(422, "validation_failed");
    assert_eq!(reply.pointers(), ["/role"]);
    let me = app.get("/users/me", &admin).await.json();
    app.put("/users/me", &admin, me).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_password_changes_at_once_one_wins() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let change = |new: &str| json!({ "password": new, "current_password": PASSWORD });
    let (one, two) = tokio::join!(
        app.put("/users/me", &buyer, change("seven paper boats")),
        app.put("/users/me", &buyer, change("eight glass birds"))
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    let winner = if one.status == 200 { "seven paper boats" } else { "eight glass birds" };
    app.try_login("127.0.0.1", "buyer", winner).await.expect(200);
}
