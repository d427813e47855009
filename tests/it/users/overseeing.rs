//! Administrators find, suspend and reinstate accounts.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|account| account["username"].as_str().unwrap()).collect()
}

fn why() -> Value {
    json!({ "reason": "Asked buyers to pay elsewhere." })
}

#[tokio::test]
async fn accounts_are_listed_newest_first_in_pages() {
    let app = TestApp::new().await;
    for name in ["one", "two", "three"] {
        app.person(name, "buyer").await;
    }
    let admin = app.admin().await;
    let first = app.get("/users?limit=2", &admin).await.expect(200).json();
    assert_eq!(names(&first), ["keeper", "three"]);
    assert_eq!(first["data"][1]["email"], "three@example.com");
    let path = format!("/users?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = app.get(&path, &admin).await.expect(200).json();
    assert_eq!((names(&second), &second["next_cursor"]), (vec!["two", "one"], &Value::Null));
}

#[tokio::test]
async fn accounts_are_found_by_how_their_name_or_address_starts() {
    let app = TestApp::new().await;
    for name in ["Anna", "bob", "Annabel"] {
        app.person(name, "buyer").await;
    }
    let admin = app.admin().await;
    let found = async |q: &str| app.get(&format!("/users?q={q}"), &admin).await.expect(200).json();
    assert_eq!(names(&found("ANNA").await), ["Annabel", "Anna"]);
    assert_eq!(names(&found("bob%40exa").await), ["bob"]);
    for nobody in ["nna", "%25", "_nna", "example.com"] {
        assert!(names(&found(nobody).await).is_empty(), "{nobody}");
    }
    let first = app.get("/users?q=anna&limit=1", &admin).await.expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/users?q=anna&limit=1&cursor={cursor}"), &admin).await.expect(200).json();
    assert_eq!(names(&second), ["Anna"]);
    app.get(&format!("/users?q=bob&cursor={cursor}"), &admin).await.problem(400, "invalid_cursor");
}

#[tokio::test]
async fn only_administrators_oversee() {
    let app = TestApp::new().await;
    let (buyer, stranger) = (app.buyer().await, app.stranger().await);
    app.get("/users", &stranger).await.problem(403, "forbidden");
    app.get("/users", None).await.problem(401, "unauthenticated");
    for verb in ["suspend", "reinstate"] {
        app.post(&format!("/users/{}/{verb}", buyer.id), &stranger, json!({}))
            .await
            .problem(403, "forbidden");
        app.post(&format!("/users/{}/{verb}", buyer.id), None, json!({}))
            .await
            .problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_suspended_account_is_out_at_once() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    let account = app.post(&format!("/users/{}/suspend", buyer.id), &admin, why()).await.expect(200).json();
    assert_eq!(account["suspended"], true);
    app.get("/users/me", &buyer).await.problem(401, "invalid_token");
    app.refresh(&buyer.refresh_token).await.problem(401, "invalid_refresh_token");
    let card = app.get(&format!("/users/{}", buyer.id), None).await.expect(200).json();
    assert_eq!((&card["username"], card.get("suspended")), (&json!("buyer"), None));
}

#[tokio::test]
async fn a_suspension_is_told_only_to_whoever_knows_the_password() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    app.post(&format!("/users/{}/suspend", buyer.id), &admin, why()).await.expect(200);
    app.try_login("127.0.0.1", "buyer", "wrong copper lantern").await.problem(401, "invalid_credentials");
    app.try_login("127.0.0.1", "buyer", PASSWORD).await.problem(403, "account_suspended");
    assert_eq!(app.count("select count(*) from sessions").await, 1, "the administrator's");
}

#[tokio::test]
async fn a_reinstated_account_logs_in_again() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    app.post(&format!("/users/{}/suspend", buyer.id), &admin, why()).await.expect(200);
    let account = app.post(&format!("/users/{}/reinstate", buyer.id), &admin, why()).await.expect(200).json();
    assert_eq!(account.get("suspended"), None);
    app.get("/users/me", &buyer).await.problem(401, "invalid_token");
    app.log_in("buyer").await;
}

#[tokio::test]
async fn the_present_state_changes_nothing() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    for (verb, kind) in [("suspend", "account_suspended"), ("reinstate", "account_reinstated")] {
        let path = format!("/users/{}/{verb}", buyer.id);
        let first = app.post(&path, &admin, why()).await.expect(200);
        let second = app.post(&path, &admin, why()).await.expect(200);
        assert_eq!(
            (first.bytes.clone(), first.header("etag")),
            (second.bytes.clone(), second.header("etag"))
        );
        let sql: &'static str = format!("select count(*) from events where kind = '{kind}'").leak();
        assert_eq!(app.count(sql).await, 1);
    }
}

#[tokio::test]
async fn a_reason_is_needed_and_an_account_too() {
    let app = TestApp::new().await;
    let (buyer, admin) = (app.buyer().await, app.admin().await);
    let path = format!("/users/{}/suspend", buyer.id);
    assert_eq!(
        app.post(&path, &admin, json!({})).await.problem(422, "validation_failed").pointers(),
        ["/reason"]
    );
    app.delete("/users/me", &buyer).await.expect(204);
    app.post(&path, &admin, why()).await.problem(404, "not_found");
}

#[tokio::test]
async fn administrators_do_not_suspend_themselves_or_each_other() {
    let app = TestApp::new().await;
    let (admin, second) = (app.admin().await, app.second_admin().await);
    app.post("/users/me/suspend", &admin, why()).await.problem(403, "forbidden");
    app.post(&format!("/users/{}/suspend", second.id), &admin, why()).await.problem(403, "forbidden");
    app.get("/users/me", &second).await.expect(200);
}
