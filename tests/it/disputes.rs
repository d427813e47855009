//! Disputes, from what is wrong to who gets how much, by agreement, by decision or by silence.

mod agreeing;
mod contested;
mod deciding;
mod opening;
mod silence;
mod thread;

use std::time::Duration;

use guildhall::orders::Status;
use serde_json::{Value, json};

use crate::support::{Cast, Person, Reply, TestApp, order_path};

const DAY: Duration = Duration::from_secs(86_400);

/// New tokens for everybody: the clock was moved and the old ones have expired.
async fn logged_in_again(app: &TestApp, cast: &mut Cast) {
    cast.buyer = app.log_in("buyer").await;
    cast.seller = app.log_in("seller").await;
    cast.admin = app.log_in("keeper").await;
}

fn dispute_path(order: &Value) -> String {
    format!("{}/dispute", order_path(order))
}

async fn open(app: &TestApp, by: &Person, order: &Value, body: Value) -> Reply {
    app.post(&dispute_path(order), by, body).await
}

async fn seen(app: &TestApp, by: &Person, order: &Value) -> Value {
    app.get(&dispute_path(order), by).await.expect(200).json()
}

async fn write(app: &TestApp, by: &Person, order: &Value, message: &str) -> Reply {
    app.post(&format!("{}/messages", dispute_path(order)), by, json!({ "message": message })).await
}

async fn decide(app: &TestApp, by: &Person, order: &Value, body: Value) -> Reply {
    app.post(&format!("{}/decision", dispute_path(order)), by, body).await
}

async fn offer(app: &TestApp, by: &Person, order: &Value, amount: &str) -> Reply {
    app.post(&format!("{}/settlement", order_path(order)), by, json!({ "refund_amount": amount })).await
}

async fn accept(app: &TestApp, by: &Person, order: &Value, amount: &str) -> Reply {
    let body = json!({ "refund_amount": amount });
    app.post(&format!("{}/settlement/accept", order_path(order)), by, body).await
}

/// A paid order that its buyer disputes.
async fn disputed(app: &TestApp, cast: &Cast) -> Value {
    app.order_at(Status::Disputed, cast).await
}

async fn stands(app: &TestApp, order: &Value) -> Status {
    app.order_row(order).await.status
}

fn in_days(from: &Value, days: u32) -> String {
    guildhall::time::Time::parse(from.as_str().unwrap()).unwrap().plus_days(days).to_string()
}

/// What the buyer got back, once the order is over.
async fn given_back(app: &TestApp, by: &Person, order: &Value) -> Value {
    seen(app, by, order).await["outcome"]["refund_amount"].clone()
}

#[tokio::test]
async fn the_timeline_tells_the_whole_dispute() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.buyer, &order, json!({ "reason": "Half is missing." })).await.expect(201);
    write(&app, &cast.seller, &order, "Which half?").await.expect(201);
    offer(&app, &cast.seller, &order, "1").await.expect(201);
    app.delete(&format!("{}/settlement", order_path(&order)), &cast.seller).await.expect(204);
    offer(&app, &cast.seller, &order, "2").await.expect(201);
    accept(&app, &cast.buyer, &order, "2").await.expect(200);
    app.settle().await;
    let happened: Vec<String> = app.happened(&order).await.into_iter().map(|event| event.kind).collect();
    let from = happened.iter().position(|kind| kind == "order_disputed").unwrap();
    let shown: Vec<&str> = happened[from..].iter().map(String::as_str).collect();
    let of_dispute: Vec<&&str> = shown.iter().filter(|kind| !kind.starts_with("refund_")).collect();
    let expected = [
        "order_disputed",
        "dispute_message",
        "settlement_offered",
        "settlement_withdrawn",
        "settlement_offered",
        "order_completed",
        "dispute_settled",
    ];
    assert_eq!(of_dispute, expected.iter().collect::<Vec<_>>());
    let timeline =
        app.get(&format!("{}/timeline", order_path(&order)), &cast.seller).await.expect(200).json();
    let said =
        timeline["data"].as_array().unwrap().iter().find(|row| row["event"] == "dispute_message").unwrap();
    assert_eq!((&said["message"], &said["actor_id"]), (&json!("Which half?"), &json!(cast.seller.id)));
}

#[tokio::test]
async fn a_repeated_offer_with_one_key_is_made_once() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let (path, keyed) = (format!("{}/settlement", order_path(&order)), [("idempotency-key", "one")]);
    let body = json!({ "refund_amount": "5", "message": "Take it." });
    let token = Some(cast.seller.token.as_str());
    let first = app.request("POST", &path, token, &keyed, Some(body.clone())).await.expect(201);
    let again = app.request("POST", &path, token, &keyed, Some(body)).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    let offered = app.told(&cast.buyer).await.iter().filter(|kind| *kind == "settlement_offered").count();
    assert_eq!(offered, 1);
}
