//! Strangers guess passwords.

use std::sync::Arc;
use std::time::Duration;

use guildhall::users::passwords::{Cost, Hasher};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{PASSWORD, Reply, TestApp};

const HOME: &str = "127.0.0.1";
const CAFE: &str = "192.0.2.7";
const THIEF: &str = "198.51.100.9";
const WRONG: &str = "wrong copper lantern";

async fn limited() -> TestApp {
    TestApp::with(|config| config.rate_limit = true).await
}

fn without_request_id(reply: &Reply) -> Value {
    let mut body = reply.json();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

fn wait(app: &TestApp, seconds: u64) {
    app.app.db().clock().advance(Duration::from_secs(seconds));
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_are_told_alike() {
    let app = limited().await;
    app.buyer().await;
    let answers = async |name: &str, address: &str| {
        let mut answers = Vec::new();
        for _ in 0..12 {
            let reply = app.try_login(address, name, WRONG).await;
            let headers: Vec<String> = reply.headers.keys().map(|name| name.to_string()).collect();
            answers.push((reply.status, headers, without_request_id(&reply)));
        }
        answers
    };
    let known = answers("buyer", THIEF).await;
    assert_eq!(known, answers("nobody", "198.51.100.10").await);
    assert_eq!(known[0].0, 401);
    assert_eq!(known[11].0, 429);
    let by_address = async |email: &str| {
        app.try_login_as(CAFE, json!({ "email": email, "password": WRONG }))
            .await
            .problem(401, "invalid_credentials")
    };
    let known = by_address("buyer@example.com").await;
    assert_eq!(without_request_id(&known), without_request_id(&by_address("nobody@example.com").await));
}

#[tokio::test]
async fn after_ten_failures_each_further_one_doubles_the_pause() {
    let app = limited().await;
    app.buyer().await;
    for _ in 0..10 {
        app.try_login(THIEF, "buyer", WRONG).await.problem(401, "invalid_credentials");
    }
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        let refused = app.try_login(CAFE, "buyer", PASSWORD).await.problem(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), pause.to_string());
        wait(&app, pause);
        app.try_login(THIEF, "buyer", WRONG).await.problem(401, "invalid_credentials");
    }
    wait(&app, 60);
    app.try_login(CAFE, "buyer", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn failures_are_forgiven_after_a_quarter_of_an_hour_or_a_right_password() {
    let app = limited().await;
    app.buyer().await;
    for round in 0..3 {
        for _ in 0..9 {
            app.try_login(THIEF, "buyer", WRONG).await.problem(401, "invalid_credentials");
        }
        match round {
            0 => wait(&app, 15 * 60),
            _ => drop(app.try_login(CAFE, "buyer", PASSWORD).await.expect(200)),
        }
    }
}

#[tokio::test]
async fn the_owner_gets_in_where_he_was_before_while_strangers_are_kept_out() {
    let app = limited().await;
    app.buyer().await;
    for _ in 0..11 {
        app.try_login(THIEF, "buyer", WRONG).await;
    }
    app.try_login(CAFE, "buyer", PASSWORD).await.problem(429, "too_many_requests");
    app.try_login(HOME, "buyer", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn guesses_from_a_known_address_are_counted_too() {
    let app = limited().await;
    app.buyer().await;
    for _ in 0..10 {
        app.try_login(HOME, "buyer", WRONG).await.problem(401, "invalid_credentials");
    }
    app.try_login(HOME, "buyer", PASSWORD).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_hundred_failures_in_a_row_close_the_account_to_strangers_until_a_reset() {
    let app = limited().await;
    app.buyer().await;
    for _ in 0..100 {
        wait(&app, 61);
        app.try_login(THIEF, "buyer", WRONG).await.problem(401, "invalid_credentials");
    }
    app.keep_house().await;
    wait(&app, 8 * 86_400);
    app.settle().await;
    app.try_login(CAFE, "buyer", PASSWORD).await.problem(429, "too_many_requests");
    app.reset_password("BUYER@example.com", "seven paper boats").await;
    app.try_login(CAFE, "buyer", PASSWORD).await.problem(401, "invalid_credentials");
    app.try_login(CAFE, "buyer", "seven paper boats").await.expect(200);
}

#[tokio::test]
async fn the_operators_reset_ends_every_session() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    app.reset_password("buyer", "seven paper boats").await;
    app.get("/users/me", &buyer).await.problem(401, "invalid_token");
    app.refresh(&buyer.refresh_token).await.problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn sixty_failures_in_a_minute_close_an_address_for_its_rest() {
    let app = limited().await;
    app.buyer().await;
    for number in 0..60 {
        app.try_login(THIEF, &format!("name{number}"), WRONG).await.problem(401, "invalid_credentials");
    }
    app.try_login(THIEF, "buyer", PASSWORD).await.problem(429, "too_many_requests");
    app.try_login(CAFE, "buyer", PASSWORD).await.expect(200);
    wait(&app, 60);
    app.try_login(THIEF, "buyer", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_side_by_side_learn_no_more_than_one_after_the_other() {
    let app = Arc::new(limited().await);
    app.buyer().await;
    let mut crowd = JoinSet::new();
    for _ in 0..40 {
        let app = Arc::clone(&app);
        crowd.spawn(async move { app.try_login(THIEF, "buyer", WRONG).await.status });
    }
    let statuses = crowd.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn lifted_limits_lift_this_one() {
    let app = TestApp::new().await;
    app.buyer().await;
    for _ in 0..30 {
        app.try_login(THIEF, "buyer", WRONG).await.problem(401, "invalid_credentials");
    }
    app.try_login(THIEF, "buyer", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn whoever_holds_a_token_cannot_guess_the_password_with_it() {
    let app = limited().await;
    let buyer = app.buyer().await;
    let change = |current: &str| json!({ "email": "thief@example.com", "current_password": current });
    for _ in 0..10 {
        app.put("/users/me", &buyer, change(WRONG)).await.problem(403, "wrong_password");
    }
    let refused = app.put("/users/me", &buyer, change(PASSWORD)).await.problem(429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), "1");
    wait(&app, 1);
    app.put("/users/me", &buyer, change(PASSWORD)).await.expect(200);
}

#[tokio::test]
async fn failures_before_an_account_is_opened_do_not_count_against_it() {
    let app = limited().await;
    for _ in 0..10 {
        app.try_login(THIEF, "buyer", WRONG).await.problem(401, "invalid_credentials");
    }
    app.buyer().await;
    app.try_login(CAFE, "buyer", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn housekeeping_forgets_old_failures() {
    let app = limited().await;
    app.try_login(THIEF, "nobody", WRONG).await.problem(401, "invalid_credentials");
    app.keep_house().await;
    assert_eq!(app.count("select count(*) from login_throttles").await, 2);
    wait(&app, 7 * 86_400);
    app.settle().await;
    assert_eq!(app.count("select count(*) from login_throttles").await, 0);
}

#[tokio::test]
async fn a_password_that_was_hashed_under_other_costs_is_hashed_anew_at_login() {
    let app = TestApp::new().await;
    app.buyer().await;
    let old = Hasher::start(Cost { passes: 2, ..Cost::CHEAP }).unwrap().hash(PASSWORD).await.unwrap();
    app.app
        .db()
        .write(move |tx| tx.execute("update users set password_hash = $1", guildhall::params![old]))
        .await
        .unwrap();
    app.log_in("buyer").await;
    let outdated = "select count(*) from users where password_hash not like '$argon2id$v=19$m=64,t=1,p=1$%'";
    assert_eq!(app.count(outdated).await, 0);
    app.log_in("buyer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn current_passwords_tried_side_by_side_learn_no_more_than_one_after_the_other() {
    let app = Arc::new(limited().await);
    let buyer = app.buyer().await;
    let mut crowd = JoinSet::new();
    for _ in 0..40 {
        let (app, buyer) = (Arc::clone(&app), buyer.clone());
        let change = json!({ "email": "thief@example.com", "current_password": WRONG });
        crowd.spawn(async move { app.put("/users/me", &buyer, change).await.status });
    }
    let statuses = crowd.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 403 | 429)), "{statuses:?}");
}

/// A proxy appends the address that it saw to whatever the client wrote, so only what stands after the last word that
/// is no address can be believed.
#[tokio::test]
async fn an_address_that_a_client_wrote_before_nonsense_is_not_believed() {
    let app = TestApp::with(|config| {
        config.rate_limit = true;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    app.buyer().await;
    let through_the_proxy = async |name: &str, written: &str| {
        let body = json!({ "username": name, "password": WRONG });
        let forwarded = [("x-forwarded-for", format!("{written}, {THIEF}"))];
        let headers = forwarded.each_ref().map(|(name, value)| (*name, value.as_str()));
        app.request("POST", "/users/login", None, &headers, Some(body)).await.status
    };
    for number in 0..60 {
        let written = format!("203.0.113.{number}, unknown");
        assert_eq!(through_the_proxy(&format!("name{number}"), &written).await, 401);
    }
    assert_eq!(through_the_proxy("buyer", "203.0.113.200, unknown").await, 429);
    assert_eq!(through_the_proxy("buyer", "203.0.113.201").await, 429);
}
