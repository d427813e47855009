//! Money: charged once, held, released or given back, whatever happens in between.

mod again;
mod books;
mod bounced;
mod cases;
mod crowd;
mod evidence;
mod forgetful;
mod races;
mod rehearsal;
pub mod unknown;

use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// A buyer, a seller, and a pending order between them.
pub async fn ordered(app: &TestApp) -> (Person, Person, Value) {
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.pending_order(&buyer, &seller).await;
    (buyer, seller, order)
}

fn path_of(payment: &Value) -> String {
    format!("/payments/{}", payment["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_payment_puts_the_amount_into_escrow_and_starts_the_order() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let paid = app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    let payment = paid.json();
    assert_eq!(paid.header("location"), path_of(&payment));
    assert_eq!(payment["status"], "success");
    assert_eq!((&payment["amount"], &payment["currency"]), (&json!("49.90"), &json!("USD")));
    assert_eq!((&payment["provider"], &payment["refunded_amount"]), (&json!("sandbox"), &json!("0.00")));
    assert!(payment["transaction_id"].as_str().unwrap().starts_with("ch_"));
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    assert_eq!((app.escrow(&order).await, app.balance("provider").await), (4990, -4990));
    app.audit().await;
}

#[tokio::test]
async fn a_declined_card_is_recorded_and_another_may_be_tried() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    for (method, why) in [
        ("pm_card_visa_chargeDeclined", "card_declined"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ] {
        let refused = app.pay(&buyer, &order, method).await.problem(402, "payment_declined");
        assert_eq!(refused.json()["request_id"], refused.header("x-request-id"));
        let payment = &refused.json()["payment"];
        assert_eq!((&payment["status"], &payment["failure"]), (&json!("failed"), &json!(why)));
        assert_eq!(&app.payment(&buyer, payment).await, payment);
    }
    assert_eq!(app.order(&buyer, &order).await["status"], "pending");
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    app.audit().await;
}

#[tokio::test]
async fn authentication_is_confirmed_by_the_buyer() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = ordered(&app).await;
    let waiting = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    assert_eq!(waiting["status"], "requires_action");
    let confirm = format!("{}/confirm", path_of(&waiting));
    app.post(&confirm, &seller, None).await.problem(403, "forbidden");
    assert_eq!(app.post(&confirm, &buyer, None).await.expect(200).json()["status"], "success");
    let again = app.post(&confirm, &buyer, None).await.problem(409, "not_confirmable");
    assert_eq!(again.json()["current"], "success");
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    app.audit().await;
}

#[tokio::test]
async fn a_pending_payment_settles_by_itself() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let pending = app.pay(&buyer, &order, "pm_sandbox_pending").await.expect(202);
    assert_eq!(pending.header("location"), path_of(&pending.json()));
    app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "payment_in_progress");
    app.advance(std::time::Duration::from_secs(2)).await;
    assert_eq!(app.payment(&buyer, &pending.json()).await["status"], "success");
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    app.audit().await;
}

#[tokio::test]
async fn a_new_payment_replaces_one_that_requires_action() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let old = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    let replaced = app.payment(&buyer, &old).await;
    assert_eq!((&replaced["status"], &replaced["failure"]), (&json!("failed"), &json!("replaced")));
    app.post(&format!("{}/confirm", path_of(&old)), &buyer, None).await.problem(409, "not_confirmable");
    assert_eq!(app.charges().await, 1);
    app.audit().await;
}

#[tokio::test]
async fn a_cancelled_order_takes_no_payment_and_no_confirmation() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let waiting = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    app.move_order(&buyer, &order, "cancelled").await.expect(200);
    app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "order_not_payable");
    app.post(&format!("{}/confirm", path_of(&waiting)), &buyer, None).await.problem(409, "not_confirmable");
    assert_eq!(app.payment(&buyer, &waiting).await["failure"], "order_cancelled");
    app.audit().await;
}

#[tokio::test]
async fn money_that_arrives_after_the_cancellation_goes_back_at_once() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let pending = app.pay(&buyer, &order, "pm_sandbox_pending").await.expect(202).json();
    app.move_order(&buyer, &order, "cancelled").await.expect(200);
    app.advance(std::time::Duration::from_secs(2)).await;
    let payment = app.payment(&buyer, &pending).await;
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("success"), &json!("49.90")));
    assert_eq!(app.given_back().await, 4990);
    app.audit().await;
}

#[tokio::test]
async fn only_the_buyer_pays_and_only_the_orders_terms() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = ordered(&app).await;
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    app.pay(&stranger, &order, "pm_card_visa").await.problem(404, "not_found");
    app.pay(&seller, &order, "pm_card_visa").await.problem(403, "forbidden");
    app.pay(&admin, &order, "pm_card_visa").await.problem(403, "forbidden");
    app.pay(&buyer, &json!({ "id": "nonsense" }), "pm_card_visa").await.problem(404, "not_found");

    let pay = |fields: Value| {
        let mut body = json!({ "order_id": order["id"], "payment_method": "pm_card_visa" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        app.post("/payments", &buyer, body)
    };
    let unknown = pay(json!({ "payment_method": "pm_gold" })).await.problem(422, "validation_failed");
    assert!(unknown.json()["errors"][0]["detail"].as_str().unwrap().contains("pm_card_visa"));
    let missing = app.post("/payments", &buyer, json!({ "order_id": order["id"] })).await;
    let missing = missing.problem(422, "validation_failed");
    assert!(missing.json()["errors"][0]["detail"].as_str().unwrap().contains("pm_card_visa"));
    let wrong = pay(json!({ "payment_method": "pm_gold", "currency": "EUR", "amount": "1.234" })).await;
    assert_eq!(wrong.pointers(), ["/payment_method", "/currency", "/amount"]);
    assert_eq!(pay(json!({ "card_number": "4242424242424242" })).await.pointers(), ["/card_number"]);
    pay(json!({ "amount": "49.89" })).await.problem(409, "amount_mismatch");
    pay(json!({ "amount": 49.9, "currency": "USD" })).await.expect(201);
    pay(json!({})).await.problem(409, "already_paid");
    app.audit().await;
}

#[tokio::test]
async fn a_payment_is_shown_to_the_parties_alone() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (_, payment) = app.paid(&buyer, &seller).await;
    assert_eq!(app.payment(&buyer, &payment).await["payment_method"], "pm_card_visa");
    assert_eq!(app.payment(&seller, &payment).await.get("payment_method"), None);
    assert_eq!(app.payment(&app.admin().await, &payment).await["payment_method"], "pm_card_visa");
    app.get(&path_of(&payment), &app.stranger().await).await.problem(404, "not_found");
    let (mine, his) = (app.get(&path_of(&payment), &buyer).await, app.get(&path_of(&payment), &seller).await);
    assert_eq!(mine.header("etag"), his.header("etag"));
    app.settle().await;
}

#[tokio::test]
async fn completion_pays_the_freelancer_less_the_fee() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.completed_order(&buyer, &seller).await;
    assert_eq!(app.balance(&format!("payable:{}", seller.id)).await, 4491);
    assert_eq!((app.balance("fees").await, app.escrow(&order).await), (499, 0));
    let rows = app.get("/payments/transactions", &seller).await.expect(200).json();
    let rows: Vec<(&Value, &Value)> =
        rows["data"].as_array().unwrap().iter().map(|row| (&row["type"], &row["amount"])).collect();
    assert_eq!(rows, [(&json!("fee"), &json!("4.99")), (&json!("release"), &json!("44.91"))]);
    app.audit().await;
}

#[tokio::test]
async fn a_partial_refund_leaves_the_rest_to_be_released() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    let refund = app.refund(&seller, &payment, Some("9.90")).await.expect(201).json();
    assert_eq!((&refund["status"], &refund["amount"]), (&json!("pending"), &json!("9.90")));
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "9.90");
    let over = app.refund(&seller, &payment, Some("40.01")).await.problem(409, "refund_exceeds_captured");
    assert_eq!(over.json()["refundable_amount"], "40.00");
    app.settle().await;
    assert_eq!(app.given_back().await, 990);
    app.move_order(&seller, &order, "delivered").await.expect(200);
    app.move_order(&buyer, &order, "completed").await.expect(200);
    assert_eq!(app.balance(&format!("payable:{}", seller.id)).await, 3600);
    assert_eq!(app.order(&seller, &order).await["fee"], "4.00");
    app.refund(&seller, &payment, Some("1.00")).await.problem(409, "already_released");
    app.audit().await;
}

#[tokio::test]
async fn a_full_refund_cancels_the_order() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    app.refund(&seller, &payment, Some("20")).await.expect(201);
    app.refund(&app.admin().await, &payment, None).await.expect(201);
    assert_eq!(app.order(&buyer, &order).await["status"], "cancelled");
    app.refund(&seller, &payment, None).await.problem(409, "refund_exceeds_captured");
    app.audit().await;
    assert_eq!((app.given_back().await, app.balance("provider").await), (4990, 0));
}

#[tokio::test]
async fn who_may_refund_and_when() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = ordered(&app).await;
    let declined = app.pay(&buyer, &order, "pm_card_visa_chargeDeclined").await.expect(402).json();
    app.refund(&seller, &declined["payment"], None).await.problem(409, "payment_not_refundable");
    let payment = app.pay(&buyer, &order, "pm_card_visa").await.expect(201).json();
    app.refund(&buyer, &payment, None).await.problem(403, "forbidden");
    app.refund(&app.stranger().await, &payment, None).await.problem(404, "not_found");
    app.refund(&seller, &payment, Some("0")).await.problem(422, "validation_failed");
    let path = format!("{}/refunds", path_of(&payment));
    assert_eq!(app.post(&path, &seller, json!({})).await.pointers(), ["/reason"]);
    app.move_order(&buyer, &order, "disputed").await.expect(200);
    app.refund(&seller, &payment, None).await.problem(409, "order_disputed");
    app.audit().await;
}

#[tokio::test]
async fn everybody_lists_their_own_transactions() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = ordered(&app).await;
    app.pay(&buyer, &order, "pm_card_visa_chargeDeclined").await.expect(402);
    let payment = app.pay(&buyer, &order, "pm_card_visa").await.expect(201).json();
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    let list = async |query: &str, by: &Person| {
        let path = format!("/payments/transactions{query}");
        let page = app.get(&path, by).await.expect(200).json();
        let rows = page["data"].as_array().unwrap();
        let words =
            |row: &Value| format!("{}/{}", row["type"].as_str().unwrap(), row["status"].as_str().unwrap());
        (rows.iter().map(words).collect::<Vec<_>>(), page["next_cursor"].as_str().map(str::to_owned))
    };
    let all = ["refund/pending", "charge/success", "charge/failed"];
    assert_eq!(list("", &buyer).await.0, all);
    assert_eq!(list("", &app.admin().await).await.0, all);
    assert_eq!(list("", &seller).await.0, [""; 0]);
    assert_eq!(list("?type=charge&status=failed", &buyer).await.0, ["charge/failed"]);
    assert_eq!(list("?order_id=nonsense", &buyer).await.0, [""; 0]);
    assert_eq!(list("?to=2020-01-01T00:00:00Z", &buyer).await.0, [""; 0]);
    assert_eq!(list("?from=2020-01-01T00:00:00Z&type=refund", &buyer).await.0, ["refund/pending"]);
    let (first, cursor) = list("?limit=2", &buyer).await;
    assert_eq!(first, all[..2]);
    assert_eq!(list(&format!("?limit=2&cursor={}", cursor.unwrap()), &buyer).await.0, all[2..]);
    app.get("/payments/transactions?type=gift", &buyer).await.problem(400, "invalid_parameter");
    assert_eq!(list("?from=-004800-01-01T00:00:00Z&type=refund", &buyer).await.0, ["refund/pending"]);
    app.get("/payments/transactions?from=yesterday", &buyer).await.problem(400, "invalid_parameter");
    app.settle().await;
    assert_eq!(list("?type=refund", &buyer).await.0, ["refund/success"]);
}

#[tokio::test]
async fn a_key_gives_the_first_answer_again_also_when_it_was_a_decline() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    for (key, method, status) in [("a", "pm_card_visa_chargeDeclined", 402), ("b", "pm_card_visa", 201)] {
        let body = json!({ "order_id": order["id"], "payment_method": method });
        let send = async || {
            let headers = [("idempotency-key", key)];
            app.request("POST", "/payments", Some(&buyer.token), &headers, Some(body.clone())).await
        };
        let (first, second) = (send().await.expect(status), send().await.expect(status));
        assert_eq!(
            (first.header("idempotency-replayed"), second.header("idempotency-replayed")),
            ("", "true")
        );
        assert_eq!(first.bytes, second.bytes);
    }
    assert_eq!(app.charges().await, 1);
}

#[tokio::test]
async fn trying_out_cards_is_slowed_down() {
    let app = TestApp::with(|config| config.rate_limit = true).await;
    let (buyer, _, order) = ordered(&app).await;
    for _ in 0..5 {
        app.pay(&buyer, &order, "pm_card_visa_chargeDeclined").await.expect(402);
    }
    let slowed = app.pay(&buyer, &order, "pm_card_visa").await.problem(429, "too_many_requests");
    assert!(slowed.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(app.charges().await, 0);
}

#[tokio::test]
async fn what_happened_to_the_money_is_in_the_orders_timeline() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = ordered(&app).await;
    app.pay(&buyer, &order, "pm_card_visa_chargeDeclined").await.expect(402);
    app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202);
    let payment = app.pay(&buyer, &order, "pm_card_visa").await.expect(201).json();
    app.refund(&seller, &payment, None).await.expect(201);
    app.settle().await;
    let path = format!("/orders/{}/timeline", order["id"].as_str().unwrap());
    let told = app.get(&path, &buyer).await.expect(200).json();
    let kinds: Vec<&str> =
        told["data"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "refund_succeeded",
            "order_cancelled",
            "refund_requested",
            "order_paid",
            "payment_succeeded",
            "payment_requires_action",
            "payment_failed",
            "order_placed"
        ]
    );
}

#[tokio::test]
async fn money_due_keeps_an_account_from_being_deleted() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let due = async |person: &Person| {
        let id = guildhall::id::Id::from_wire(&person.id);
        let blockers = app.app.db().read(move |tx| guildhall::payments::money_due(tx, id)).await.unwrap();
        blockers.into_iter().map(|blocker| (blocker.kind, blocker.hint)).collect::<Vec<_>>()
    };
    let (order, _) = app.paid(&buyer, &seller).await;
    app.move_order(&seller, &order, "cancelled").await.expect(200);
    assert_eq!(due(&buyer).await[0].0, "payment");
    app.settle().await;
    assert_eq!(due(&buyer).await, []);
    app.completed_order(&buyer, &seller).await;
    assert_eq!(due(&buyer).await, []);
    let owed = due(&seller).await;
    assert_eq!(owed[0].0, "balance");
    assert!(owed[0].1.starts_with("44.91 USD is yours and not paid out"), "{}", owed[0].1);
}
