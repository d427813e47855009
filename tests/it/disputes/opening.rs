//! Disputes begin: what is wrong, what is wanted, and until when.

use guildhall::orders::Status;
use serde_json::{Value, json};

use super::{dispute_path, disputed, in_days, offer, open, seen, stands};
use crate::support::{Person, TestApp, order_path};

#[tokio::test]
async fn a_dispute_says_who_wants_what_and_until_when() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    app.get(&dispute_path(&order), &cast.buyer).await.problem(404, "not_found");
    let body = json!({ "reason": "Half is missing.", "wants": "20" });
    let reply = open(&app, &cast.buyer, &order, body).await.expect(201);
    assert_eq!(reply.header("location"), dispute_path(&order));
    let dispute = reply.json();
    let expected = json!({
        "id": dispute["id"], "order_id": order["id"], "opened_by": cast.buyer.id, "reason": "Half is missing.",
        "wanted": "20.00", "status": "open", "held": "49.90", "currency": "USD",
        "decide_by": in_days(&dispute["opened_at"], 14), "offers": { "buyer": null, "freelancer": null },
        "outcome": null, "opened_at": dispute["opened_at"]
    });
    assert_eq!(dispute, expected);
    assert_eq!(stands(&app, &order).await, Status::Disputed);
    for reader in [&cast.buyer, &cast.seller, &cast.admin] {
        assert_eq!(seen(&app, reader, &order).await, expected);
    }
    app.get(&dispute_path(&order), &cast.stranger).await.problem(404, "not_found");
    assert_eq!(app.told(&cast.seller).await.last().unwrap(), "order_disputed");
    assert_eq!(app.inbox(&cast.seller).await[0]["data"]["message"], "Half is missing.");
    app.verify().await;
}

#[tokio::test]
async fn the_plain_step_opens_a_dispute_too() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    let body = json!({ "status": "disputed", "message": "No answer." });
    app.put(&order_path(&order), &cast.seller, body).await.expect(200);
    let dispute = seen(&app, &cast.buyer, &order).await;
    assert_eq!((&dispute["reason"], &dispute["opened_by"]), (&json!("No answer."), &json!(cast.seller.id)));
    let silent = disputed(&app, &cast).await;
    let dispute = seen(&app, &cast.buyer, &silent).await;
    assert_eq!((&dispute["reason"], &dispute["wanted"]), (&Value::Null, &Value::Null));
    app.verify().await;
}

#[tokio::test]
async fn refusals_of_a_dispute_come_in_their_order() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.stranger, &order, json!({})).await.problem(404, "not_found");
    open(&app, &cast.admin, &order, json!({})).await.problem(403, "forbidden");
    let long = "x".repeat(5_001);
    for reason in [json!(null), json!(""), json!(" "), json!(5), json!(long)] {
        let reply = open(&app, &cast.buyer, &order, json!({ "reason": reason })).await;
        assert_eq!(reply.problem(422, "validation_failed").pointers(), ["/reason"]);
    }
    for wants in ["49.91", "-1", "1.001", "all"] {
        let reply = open(&app, &cast.buyer, &order, json!({ "reason": "Late.", "wants": wants })).await;
        assert_eq!(reply.problem(422, "validation_failed").pointers(), ["/wants"]);
    }
    assert_eq!(stands(&app, &order).await, Status::Active, "nothing was done");
    app.get(&dispute_path(&order), &cast.buyer).await.problem(404, "not_found");
    let body = json!({ "reason": "Late.", "wants": 0 });
    open(&app, &cast.buyer, &order, body.clone()).await.expect(201);
    let again = open(&app, &cast.seller, &order, body.clone()).await.problem(409, "invalid_transition");
    assert_eq!(again.json()["current"], "disputed");
    for status in [Status::Pending, Status::Completed, Status::Cancelled] {
        let order = app.order_at(status, &cast).await;
        open(&app, &cast.buyer, &order, body.clone()).await.problem(409, "invalid_transition");
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn the_etag_follows_what_is_said_and_offered() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let etag = async |by: &Person| app.get(&dispute_path(&order), by).await.header("etag").to_owned();
    let before = etag(&cast.buyer).await;
    assert_eq!(etag(&cast.admin).await, before);
    offer(&app, &cast.seller, &order, "5").await.expect(201);
    assert_ne!(etag(&cast.buyer).await, before);
}
