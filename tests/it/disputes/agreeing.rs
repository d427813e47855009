//! Splits that one side offers and the other accepts.

use guildhall::orders::Status;
use serde_json::{Value, json};

use super::{accept, disputed, offer, stands};
use crate::support::{TestApp, order_path};

#[tokio::test]
async fn a_split_that_both_agree_to_moves_the_money_and_leaves_the_review() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    offer(&app, &cast.seller, &order, "15").await.expect(201);
    let replaced = offer(&app, &cast.seller, &order, "20.00").await.expect(201).json();
    assert_eq!(replaced["offers"]["freelancer"]["refund_amount"], "20.00");
    assert_eq!(replaced["offers"]["buyer"], Value::Null);
    let stale = accept(&app, &cast.buyer, &order, "15").await.problem(409, "offer_changed").json();
    assert_eq!(stale["offer"]["refund_amount"], "20.00");
    let own = accept(&app, &cast.seller, &order, "20").await.problem(409, "offer_changed").json();
    assert_eq!(own["offer"], Value::Null, "nobody accepts their own offer");
    let settled = accept(&app, &cast.buyer, &order, "20").await.expect(200).json();
    assert_eq!((&settled["status"], &settled["held"]), (&json!("settled"), &json!("0.00")));
    assert_eq!(settled["decide_by"], Value::Null);
    let outcome = &settled["outcome"];
    assert_eq!((&outcome["refund_amount"], &outcome["by"]), (&json!("20.00"), &json!(cast.buyer.id)));
    let row = app.order_row(&order).await;
    assert_eq!((row.status, row.fee.to_string().as_str()), (Status::Completed, "2.99"));
    assert_eq!(app.escrow(&order).await, 0);
    assert_eq!(app.balance(&format!("payable:{}", cast.seller.id)).await, 2_691);
    let told = app.inbox(&cast.seller).await;
    let settled = told.iter().find(|row| row["type"] == "dispute_settled").unwrap();
    assert_eq!(settled["data"]["refund_amount"], "20.00");
    let after = told.iter().find(|row| row["type"] == "order_completed").unwrap();
    assert_eq!(after["message"], "The dispute is over, the order is completed: A logo that fits on a coin");
    let review = json!({ "order_id": order["id"], "rating": 3 });
    app.post("/reviews", &cast.buyer, review).await.expect(201);
    accept(&app, &cast.buyer, &order, "20").await.problem(409, "dispute_closed");
    offer(&app, &cast.buyer, &order, "1").await.problem(409, "dispute_closed");
    app.audit().await;
    assert_eq!(app.given_back().await, 2_000);
    app.verify().await;
}

#[tokio::test]
async fn everything_back_cancels_and_nothing_back_completes() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let back = disputed(&app, &cast).await;
    offer(&app, &cast.seller, &back, "49.90").await.expect(201);
    let settled = accept(&app, &cast.buyer, &back, "49.90").await.expect(200).json();
    assert_eq!(settled["outcome"]["refund_amount"], "49.90");
    assert_eq!(stands(&app, &back).await, Status::Cancelled);
    let review = json!({ "order_id": back["id"], "rating": 1 });
    app.post("/reviews", &cast.buyer, review).await.problem(403, "no_completed_order");
    let kept = disputed(&app, &cast).await;
    offer(&app, &cast.buyer, &kept, "0").await.expect(201);
    let settled = accept(&app, &cast.seller, &kept, "0.00").await.expect(200).json();
    assert_eq!(settled["outcome"]["refund_amount"], "0.00");
    assert_eq!(stands(&app, &kept).await, Status::Completed);
    app.audit().await;
    assert_eq!(app.given_back().await, 4_990);
    app.verify().await;
}

#[tokio::test]
async fn an_offer_can_be_taken_back() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let path = format!("{}/settlement", order_path(&order));
    app.delete(&path, &cast.seller).await.problem(404, "not_found");
    offer(&app, &cast.seller, &order, "10").await.expect(201);
    app.delete(&path, &cast.buyer).await.problem(404, "not_found");
    app.delete(&path, &cast.admin).await.problem(403, "forbidden");
    app.delete(&path, &cast.seller).await.expect(204);
    assert_eq!(app.told(&cast.buyer).await[1..], ["settlement_offered", "settlement_withdrawn"]);
    let refused = accept(&app, &cast.buyer, &order, "10").await.problem(409, "offer_changed");
    assert_eq!(refused.json()["offer"], Value::Null);
    app.verify().await;
}

#[tokio::test]
async fn an_offer_is_between_the_two_and_within_what_is_held() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    offer(&app, &cast.admin, &order, "10").await.problem(403, "forbidden");
    accept(&app, &cast.admin, &order, "10").await.problem(403, "forbidden");
    offer(&app, &cast.stranger, &order, "10").await.problem(404, "not_found");
    for (amount, code) in [
        ("49.91", "out_of_range"),
        ("-1", "invalid_amount"),
        ("1.001", "surplus_digits"),
        ("", "invalid_amount"),
    ] {
        let reply = offer(&app, &cast.buyer, &order, amount).await.problem(422, "validation_failed");
        assert_eq!(reply.json()["errors"][0]["code"], code, "{amount}");
    }
}
