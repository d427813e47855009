//! Sessions begin, go on and end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

const DAY: Duration = Duration::from_secs(86_400);

fn token(reply: &Value, kind: &str) -> String {
    reply[kind].as_str().unwrap().to_owned()
}

async fn me(app: &TestApp, access_token: &str) -> Reply {
    app.request("GET", "/users/me", Some(access_token), &[], None).await
}

#[tokio::test]
async fn one_logs_in_by_name_or_address_however_they_are_written() {
    let app = TestApp::new().await;
    app.buyer().await;
    for body in [
        json!({ "username": "BUYER", "password": PASSWORD }),
        json!({ "email": "Buyer@EXAMPLE.com", "password": PASSWORD }),
        json!({ "username": "buyer@example.com", "password": PASSWORD }),
    ] {
        let tokens = app.post("/users/login", None, body).await.expect(200).json();
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert!(token(&tokens, "access_token").starts_with("gh_at_"));
        assert_eq!(tokens["user"]["email"], "buyer@example.com");
    }
    let both = json!({ "email": "buyer@example.com", "username": "buyer", "password": PASSWORD });
    app.post("/users/login", None, both).await.problem(422, "validation_failed");
    app.post("/users/login", None, json!({ "password": PASSWORD })).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn tokens_are_stored_as_hashes_only() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let stored: Vec<Vec<u8>> = app
        .app
        .db()
        .read(|tx| {
            tx.all("select hash from access_tokens union all select hash from refresh_tokens", &[], |row| {
                row.next()
            })
        })
        .await
        .unwrap();
    assert_eq!(stored.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32]);
    assert!(!stored.contains(&buyer.token.as_bytes().to_vec()));
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_pair() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.advance(Duration::from_secs(900)).await;
    app.get("/users/me", &buyer).await.problem(401, "token_expired");
    let next = app.refresh(&buyer.refresh_token).await.expect(200).json();
    assert_eq!(next["user"]["id"], buyer.id);
    me(&app, &token(&next, "access_token")).await.expect(200);
    app.refresh(&token(&next, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let lost = app.refresh(&buyer.refresh_token).await.expect(200).json();
    app.advance(Duration::from_secs(9)).await;
    let next = app.refresh(&buyer.refresh_token).await.expect(200).json();
    app.refresh(&token(&lost, "refresh_token")).await.problem(401, "invalid_refresh_token");
    app.refresh(&token(&next, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn a_token_that_is_used_again_later_ends_its_session() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let other = app.log_in("buyer").await;
    let next = app.refresh(&buyer.refresh_token).await.expect(200).json();
    app.advance(Duration::from_secs(11)).await;
    app.refresh(&buyer.refresh_token).await.problem(401, "invalid_refresh_token");
    app.refresh(&token(&next, "refresh_token")).await.problem(401, "invalid_refresh_token");
    me(&app, &token(&next, "access_token")).await.problem(401, "invalid_token");
    app.get("/users/me", &other).await.expect(200);
    assert_eq!(app.count("select count(*) from events where kind = 'refresh_token_reused'").await, 1);
}

#[tokio::test]
async fn a_token_whose_successor_was_used_ends_its_session_at_once() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let mut latest = buyer.refresh_token.clone();
    for _ in 0..5 {
        latest = token(&app.refresh(&latest).await.expect(200).json(), "refresh_token");
    }
    app.refresh(&buyer.refresh_token).await.problem(401, "invalid_refresh_token");
    app.refresh(&latest).await.problem(401, "invalid_refresh_token");
    app.get("/users/me", &buyer).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_session_ends_after_a_week_without_use_and_after_thirty_days_at_all() {
    let app = TestApp::new().await;
    let idle = app.buyer().await;
    app.advance(7 * DAY).await;
    app.refresh(&idle.refresh_token).await.problem(401, "invalid_refresh_token");
    let mut current = app.log_in("buyer").await.refresh_token;
    for _ in 0..5 {
        app.advance(6 * DAY - Duration::from_secs(1)).await;
        current = token(&app.refresh(&current).await.expect(200).json(), "refresh_token");
    }
    app.advance(Duration::from_secs(5)).await;
    app.refresh(&current).await.problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    for text in [buyer.token.as_str(), "gh_rt_", "x", &buyer.refresh_token[..48]] {
        app.refresh(text).await.problem(401, "invalid_refresh_token");
    }
    app.post("/users/refresh", None, json!({})).await.problem(422, "validation_failed");
    me(&app, &buyer.refresh_token).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn an_expired_access_token_does_not_keep_from_refreshing() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let body = json!({ "refresh_token": buyer.refresh_token });
    app.request("POST", "/users/refresh", Some("gh_at_old"), &[], Some(body)).await.expect(200);
}

#[tokio::test]
async fn logging_out_ends_this_session_and_no_other() {
    let app = TestApp::new().await;
    let (buyer, other) = (app.buyer().await, app.log_in("buyer").await);
    app.post("/users/logout", &buyer, None).await.expect(204);
    app.get("/users/me", &buyer).await.problem(401, "invalid_token");
    app.refresh(&buyer.refresh_token).await.problem(401, "invalid_refresh_token");
    app.post("/users/logout", &buyer, None).await.problem(401, "invalid_token");
    app.get("/users/me", &other).await.expect(200);
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_session() {
    let app = TestApp::new().await;
    let (buyer, other, stranger) = (app.buyer().await, app.log_in("buyer").await, app.stranger().await);
    app.post("/users/logout", &buyer, json!({ "all": true })).await.expect(204);
    for session in [&buyer, &other] {
        app.get("/users/me", session).await.problem(401, "invalid_token");
        app.refresh(&session.refresh_token).await.problem(401, "invalid_refresh_token");
    }
    app.get("/users/me", &stranger).await.expect(200);
}

#[tokio::test]
async fn housekeeping_forgets_a_heap_in_several_goes() {
    const HEAP: i64 = 10_050;
    let app = TestApp::new().await;
    let heap = |tx: &guildhall::db::Tx| {
        tx.execute(
            "insert into idempotency_keys (user_id, key, fingerprint, claimed_at)
             with recursive heap (n) as (select 1 union all select n + 1 from heap where n < $1)
             select $2, cast(n as text), $3, $4 from heap",
            guildhall::params![HEAP, tx.new_id::<()>(), vec![0_u8], tx.now().minus(4 * DAY)],
        )
    };
    app.app.db().write(heap).await.unwrap();
    app.keep_house().await;
    assert_eq!(app.count("select count(*) from idempotency_keys").await, 50);
    app.app.db().clock().advance(Duration::from_secs(2));
    app.settle().await;
    assert_eq!(app.count("select count(*) from idempotency_keys").await, 0);
    assert_eq!(app.count("select count(*) from timers where kind = 'housekeeping'").await, 1);
}

#[tokio::test]
async fn housekeeping_forgets_what_is_over_and_comes_back_each_hour() {
    let app = TestApp::new().await;
    app.buyer().await;
    app.keep_house().await;
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    app.app.db().clock().advance(31 * DAY);
    app.settle().await;
    for table in ["sessions", "access_tokens", "refresh_tokens"] {
        let sql: &'static str = format!("select count(*) from {table}").leak();
        assert_eq!(app.count(sql).await, 0, "{table}");
    }
    assert_eq!(app.count("select count(*) from timers where kind = 'housekeeping'").await, 1);
}
