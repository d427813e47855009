//! Disputed orders and orders that were refunded: who gets what, and what becomes of the fee.

use guildhall::orders::Status;
use serde_json::{Value, json};

use super::{DAY, logged_in_again};
use crate::support::{TestApp, order_path};

#[tokio::test]
async fn a_dispute_stops_the_clocks() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    assert!(order["auto_complete_at"].is_string());
    let disputed = app.ask(&order, &cast.seller, "disputed").await.expect(200).json();
    assert_eq!(disputed["auto_complete_at"], Value::Null);
    app.advance(10 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(app.get(&order_path(&order), &cast.buyer).await.json()["status"], "disputed");
}

#[tokio::test]
async fn a_split_is_an_administrators_and_leaves_something_to_both() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Disputed, &cast).await;
    let path = order_path(&order);
    let split =
        |amount: &str| json!({ "status": "completed", "refund_amount": amount, "message": "Half done." });
    for (amount, code) in [
        ("49.90", "out_of_range"),
        ("50", "out_of_range"),
        ("0", "out_of_range"),
        ("1.001", "surplus_digits"),
        ("-1", "invalid_amount"),
    ] {
        let reply = app.put(&path, &cast.admin, split(amount)).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), ["/refund_amount"]);
        assert_eq!(reply.json()["errors"][0]["code"], code, "{amount}");
    }
    let cancelled = json!({ "status": "cancelled", "refund_amount": "1" });
    app.put(&path, &cast.admin, cancelled).await.problem(422, "validation_failed");
    app.put(&path, &cast.buyer, split("10")).await.problem(422, "validation_failed");
    let settled = app.put(&path, &cast.admin, split("20")).await.expect(200).json();
    assert_eq!(settled["status"], "completed");
    assert_eq!(settled["fee"], "2.99", "ten per cent of the 29.90 that were released");
    app.settle().await;
}

#[tokio::test]
async fn a_delivery_that_is_refunded_in_full_is_off() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let payment = app.pay(&cast.buyer, &order, "pm_card_visa").await.expect(201).json();
    app.ask(&order, &cast.seller, "delivered").await.expect(200);
    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    app.post(&path, &cast.seller, json!({ "reason": "We agreed to stop." })).await.expect(201);
    app.settle().await;
    let stored = app.stored(&order).await;
    assert_eq!(stored.events, ["order_placed", "order_paid", "order_delivered", "order_cancelled"]);
    assert_eq!(stored.timers, Vec::<String>::new());
    let row = app.order_row(&order).await;
    assert_eq!((row.status, row.auto_complete_at), (Status::Cancelled, None));
}

#[tokio::test]
async fn the_fee_follows_what_is_given_back() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let payment = app.pay(&cast.buyer, &order, "pm_card_visa").await.expect(201).json();
    let path = order_path(&order);
    let before = app.get(&path, &cast.seller).await.expect(200);
    assert_eq!(before.json()["fee"], "4.99");
    app.refund(&cast.admin, &payment, Some("20")).await.expect(201);
    let after = app.get(&path, &cast.seller).await.expect(200);
    assert_eq!(after.json()["fee"], "2.99", "ten per cent of the 29.90 that are left");
    assert_ne!(after.header("etag"), before.header("etag"));
    let cancelled = app.ask(&order, &cast.seller, "cancelled").await.expect(200);
    assert_eq!(cancelled.json()["fee"], "0.00");
    let stored = app.get(&path, &cast.seller).await.expect(200);
    assert_eq!(cancelled.header("etag"), stored.header("etag"), "the answer's version is the stored one");
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn the_fee_of_an_order_that_nobody_paid_is_nothing() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let cancelled = app.ask(&order, &cast.seller, "cancelled").await.expect(200).json();
    assert_eq!(cancelled["fee"], "0.00");
}
