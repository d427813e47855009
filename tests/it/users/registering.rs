//! Accounts are opened.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_registered_account_logs_in_and_reads_itself() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let me = app.get("/users/me", &buyer).await.expect(200);
    assert_eq!(me.json()["email"], "buyer@example.com");
    assert!(me.header("etag").starts_with("\"1."));
}

#[tokio::test]
async fn the_answer_is_the_account_as_its_owner_sees_it() {
    let app = TestApp::new().await;
    let body = json!({ "username": "Ada", "email": "Ada@Example.com", "password": PASSWORD });
    let reply = app.post("/users/register", None, body).await.expect(201);
    let account = reply.json();
    let fields: Vec<&str> = account.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["id", "username", "role", "created_at", "email", "email_verified", "updated_at"],
        "and nothing else"
    );
    assert_eq!(
        (&account["username"], &account["email"], &account["role"], &account["email_verified"]),
        (&json!("Ada"), &json!("Ada@Example.com"), &json!("buyer"), &json!(false))
    );
    assert_eq!(reply.header("location"), format!("/users/{}", account["id"].as_str().unwrap()));
}

#[tokio::test]
async fn others_see_a_card() {
    let app = TestApp::new().await;
    let (buyer, stranger) = (app.buyer().await, app.stranger().await);
    let path = format!("/users/{}", buyer.id);
    for reply in [app.get(&path, None).await, app.get(&path, &stranger).await] {
        let card = reply.expect(200).json();
        let fields: Vec<&str> = card.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["id", "username", "role", "created_at"]);
    }
}

#[tokio::test]
async fn an_address_and_a_name_have_one_account_however_they_are_written() {
    let app = TestApp::new().await;
    app.buyer().await;
    let body =
        |username: &str, email: &str| json!({ "username": username, "email": email, "password": PASSWORD });
    let register = async |body| app.post("/users/register", None, body).await;
    register(body("other", "BUYER@Example.com")).await.problem(409, "email_taken");
    register(body("Buyer", "other@example.com")).await.problem(409, "username_taken");
    register(body("plus", "buyer+1@example.com")).await.expect(201);
}

#[tokio::test]
async fn nobody_makes_himself_an_administrator() {
    let app = TestApp::new().await;
    for role in ["admin", "Admin", "ADMIN", "аdmin", "", "owner"] {
        let body =
            json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD, "role": role });
        let reply = app.post("/users/register", None, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), ["/role"]);
    }
    assert_eq!(app.count("select count(*) from users").await, 0);
}

#[tokio::test]
async fn what_the_server_sets_cannot_be_sent() {
    let app = TestApp::new().await;
    for (field, value) in [
        ("id", json!("00000000-0000-7000-8000-000000000000")),
        ("email_verified", json!(true)),
        ("created_at", json!("2020-01-01T00:00:00.000000Z")),
        ("status", json!("active")),
        ("version", json!(7)),
        ("password_hash", json!("x")),
    ] {
        let mut body = json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD });
        body[field] = value;
        let reply = app.post("/users/register", None, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [format!("/{field}")]);
    }
}

#[tokio::test]
async fn a_password_that_would_soon_be_guessed_is_refused_with_the_mend() {
    let app = TestApp::new().await;
    for password in ["password1", "12345678", "lovelace", "ada@example.com", "guildhall"] {
        let body = json!({ "username": "lovelace", "email": "ada@example.com", "password": password });
        let reply = app.post("/users/register", None, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), ["/password"], "{password}");
        assert_eq!(reply.json()["errors"][0]["code"], "password_guessable");
        assert!(reply.json()["detail"].as_str().unwrap().contains("three unrelated words"));
    }
}

#[tokio::test]
async fn passwords_may_be_long_and_of_any_letters() {
    let app = TestApp::new().await;
    for (name, password) in [("umlaut", "grüne Wörter im Regen ☂".to_owned()), ("long", "vr7 ".repeat(256))]
    {
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": password });
        app.post("/users/register", None, body).await.expect(201);
        app.try_login("127.0.0.1", name, &password).await.expect(200);
    }
    let body = json!({ "username": "x", "email": "no", "password": "a".repeat(1_025) });
    let reply = app.post("/users/register", None, body).await.problem(422, "validation_failed");
    assert_eq!(reply.pointers(), ["/username", "/email", "/password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_with_one_address_one_is_registered() {
    let app = Arc::new(TestApp::new().await);
    let mut crowd = JoinSet::new();
    for number in 0..50 {
        let app = Arc::clone(&app);
        let email = if number % 2 == 0 { "same@example.com" } else { "SAME@example.COM" };
        let body = json!({ "username": format!("user{number}"), "email": email, "password": PASSWORD });
        crowd.spawn(async move { app.post("/users/register", None, body).await });
    }
    let replies = crowd.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    for reply in replies.into_iter().filter(|reply| reply.status != 201) {
        reply.problem(409, "email_taken");
    }
    assert_eq!(app.count("select count(*) from users").await, 1);
}

#[tokio::test]
async fn a_guessable_password_is_told_beside_the_other_mistakes() {
    let app = TestApp::new().await;
    let body = json!({ "username": "ab", "email": "ada@example.com", "password": "password1" });
    let reply = app.post("/users/register", None, body).await.problem(422, "validation_failed");
    assert_eq!(reply.pointers(), ["/username", "/password"]);
}
