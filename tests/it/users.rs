//! Accounts, from registration to deletion.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_registered_account_logs_in_and_reads_itself() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let me = app.get("/users/me", &buyer).await.expect(200);
    assert_eq!(me.json()["email"], "buyer@example.com");
    assert!(me.header("etag").starts_with("\"1."));
}

#[tokio::test]
async fn an_address_has_one_account_however_it_is_written() {
    let app = TestApp::new().await;
    app.buyer().await;
    let body =
        json!({ "username": "other", "email": "BUYER@Example.com", "password": "quiet copper lantern" });
    app.post("/users/register", None, body).await.problem(409, "email_taken");
}
