//! Administrators decide.

use guildhall::orders::Status;
use serde_json::json;

use super::{decide, disputed, offer, seen, stands};
use crate::support::{TestApp, order_path};

#[tokio::test]
async fn an_administrator_decides_any_split() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    for (part, back, status) in [
        (json!({ "refund_percent": 0 }), "0.00", Status::Completed),
        (json!({ "refund_percent": "33.33" }), "16.63", Status::Completed),
        (json!({ "refund_percent": 50 }), "24.95", Status::Completed),
        (json!({ "refund_percent": 100 }), "49.90", Status::Cancelled),
        (json!({ "refund_amount": "49.89" }), "49.89", Status::Completed),
        (json!({ "refund_amount": "49.90" }), "49.90", Status::Cancelled),
        (json!({ "refund_amount": 0 }), "0.00", Status::Completed),
    ] {
        let order = disputed(&app, &cast).await;
        let mut body = part.clone();
        body["reason"] = json!("As the contract says.");
        let decided = decide(&app, &cast.admin, &order, body).await.expect(200).json();
        assert_eq!(decided["status"], "decided", "{part}");
        assert_eq!(decided["outcome"]["refund_amount"], back, "{part}");
        assert_eq!(decided["outcome"]["by"], cast.admin.id);
        assert_eq!(decided["outcome"]["reason"], "As the contract says.");
        assert_eq!(stands(&app, &order).await, status, "{part}");
        for person in [&cast.buyer, &cast.seller] {
            let told = app.inbox(person).await;
            let decision = told.iter().find(|row| row["type"] == "dispute_decided").unwrap();
            assert_eq!(decision["data"]["message"], "As the contract says.");
            assert_eq!(decision["data"]["refund_amount"], back);
        }
    }
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_decision_has_a_reason_and_one_measure() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let good = json!({ "refund_amount": "1", "reason": "So." });
    decide(&app, &cast.buyer, &order, good.clone()).await.problem(403, "forbidden");
    decide(&app, &cast.seller, &order, json!({})).await.problem(403, "forbidden");
    decide(&app, &cast.stranger, &order, json!({})).await.problem(404, "not_found");
    for (body, pointer) in [
        (json!({ "refund_amount": "1" }), "/reason"),
        (json!({ "refund_amount": "1", "reason": "" }), "/reason"),
        (json!({ "reason": "So." }), "/refund_amount"),
        (json!({ "refund_amount": "1", "refund_percent": 1, "reason": "So." }), "/refund_amount"),
        (json!({ "refund_amount": "49.91", "reason": "So." }), "/refund_amount"),
        (json!({ "refund_percent": 100.01, "reason": "So." }), "/refund_percent"),
        (json!({ "refund_percent": "33.333", "reason": "So." }), "/refund_percent"),
        (json!({ "refund_percent": -1, "reason": "So." }), "/refund_percent"),
    ] {
        let reply = decide(&app, &cast.admin, &order, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [pointer], "{body}");
    }
    assert_eq!(stands(&app, &order).await, Status::Disputed);
    decide(&app, &cast.admin, &order, good.clone()).await.expect(200);
    decide(&app, &cast.admin, &order, good).await.problem(409, "dispute_closed");
    app.settle().await;
}

#[tokio::test]
async fn the_plain_step_of_an_administrator_ends_a_dispute_too() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    for (body, back) in [
        (json!({ "status": "completed", "refund_amount": "20", "message": "Half." }), "20.00"),
        (json!({ "status": "completed", "message": "Half." }), "0.00"),
        (json!({ "status": "cancelled", "message": "Half." }), "49.90"),
    ] {
        let order = disputed(&app, &cast).await;
        app.put(&order_path(&order), &cast.admin, body).await.expect(200);
        let dispute = seen(&app, &cast.buyer, &order).await;
        assert_eq!(dispute["status"], "decided");
        assert_eq!(dispute["outcome"]["refund_amount"], back);
        assert_eq!(dispute["outcome"]["by"], cast.admin.id);
        assert_eq!(dispute["outcome"]["reason"], "Half.");
    }
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_currency_without_digits_is_split_in_whole_units() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    cast.listing =
        app.listing_with(&cast.seller, json!({ "title": "A seal", "price": "501", "currency": "JPY" })).await;
    let order = disputed(&app, &cast).await;
    offer(&app, &cast.seller, &order, "10.5").await.problem(422, "validation_failed");
    let offered = offer(&app, &cast.seller, &order, "200").await.expect(201).json();
    assert_eq!((&offered["held"], &offered["currency"]), (&json!("501"), &json!("JPY")));
    let body = json!({ "refund_percent": 50, "reason": "Half." });
    let decided = decide(&app, &cast.admin, &order, body).await.expect(200).json();
    assert_eq!(decided["outcome"]["refund_amount"], "250", "half to even");
    assert_eq!(app.order_row(&order).await.fee.minor(), 25);
    app.audit().await;
    app.verify().await;
}
