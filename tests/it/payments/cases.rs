//! Money that came after its payment had failed, refunds that never happened, and what administrators do about them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ordered, path_of};
use crate::support::{Person, TestApp, Trouble, Troubles};

const TWO_MINUTES: Duration = Duration::from_secs(120);
const A_QUARTER: Duration = Duration::from_secs(900);

/// How the sandbox's charges stand, with why they failed.
async fn at_the_provider(app: &TestApp) -> Vec<(String, Option<String>)> {
    let sql = "select status, failure from sandbox_charges order by created_at, id";
    app.app
        .db()
        .read(move |tx| tx.all(sql, guildhall::params![], |row| Ok((row.next()?, row.next()?))))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_charge_that_waits_for_its_buyer_is_voided_with_its_order() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202);
    app.move_order(&buyer, &order, "cancelled").await.expect(200);
    app.settle().await;
    assert_eq!(at_the_provider(&app).await, [("declined".to_owned(), Some("voided".to_owned()))]);
    app.audit().await;
}

#[tokio::test]
async fn a_void_is_tried_until_it_is_heard() {
    let troubles = Troubles::default();
    let app = TestApp::made_of(troubles.parts(), |_| {}).await;
    let (buyer, _, order) = ordered(&app).await;
    app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202);
    troubles.add(Trouble::BeforeItHappens);
    app.move_order(&buyer, &order, "cancelled").await.expect(200);
    app.settle().await;
    assert_eq!(at_the_provider(&app).await[0].0, "requires_action");
    app.advance(TWO_MINUTES).await;
    assert_eq!(at_the_provider(&app).await[0].0, "declined");
    app.audit().await;
}

#[tokio::test]
async fn money_that_a_replaced_payment_captured_is_booked_and_goes_back() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = ordered(&app).await;
    let admin = app.admin().await;
    let old = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    app.home.damage("update sandbox_charges set status = 'succeeded'");
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    app.settle().await;
    let late = app.payment(&buyer, &old).await;
    assert_eq!((&late["status"], &late["failure"]), (&json!("failed"), &json!("replaced")));
    let confirmed = app.post(&format!("{}/confirm", path_of(&old)), &buyer, None).await;
    let detail = confirmed.problem(409, "not_confirmable").json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("this payment was replaced by a later one"), "{detail}");
    assert_eq!((&late["refunded_amount"], &late["needs_review"]), (&json!("49.90"), &json!(true)));
    assert_eq!((app.charges().await, app.given_back().await, app.escrow(&order).await), (2, 4990, 4990));
    app.post(&format!("{}/refunds", path_of(&old)), &seller, json!({ "reason": "again" }))
        .await
        .problem(409, "payment_not_refundable");
    app.audit().await;
    app.verify().await;

    let case = app.open_cases(&admin).await.remove(0);
    assert_eq!(case["kind"], "captured_after_failure");
    assert_eq!(case["resolutions"], json!(["accept"]));
    app.resolve_case(&admin, &case, "accept").await.expect(200);
    assert_eq!(app.payment(&buyer, &old).await["needs_review"], false);
    assert_eq!(app.open_cases(&admin).await, Vec::<Value>::new());
}

#[tokio::test]
async fn late_money_is_owed_to_its_buyer_also_when_its_refund_is_refused() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, order) = ordered(&app).await;
    app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202);
    app.home.damage("update sandbox_charges set status = 'succeeded'");
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    troubles.add(Trouble::Refused);
    app.settle().await;
    assert_eq!(app.escrow(&order).await, 4990, "what is to be refunded is no part of the price");
    app.advance(TWO_MINUTES).await;
    assert_eq!(app.given_back().await, 4990);
    app.move_order(&seller, &order, "delivered").await.expect(200);
    app.move_order(&buyer, &order, "completed").await.expect(200);
    assert_eq!(app.balance(&format!("payable:{}", seller.id)).await, 4491);
    app.audit().await;
}

/// A refund of a cancelled order that the provider never carried out, and its case.
async fn never_refunded(troubles: &Troubles, app: &TestApp) -> (Person, Value, Value) {
    let (buyer, seller, _) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    for _ in 0..3 {
        troubles.add(Trouble::Error);
    }
    app.move_order(&seller, &order, "cancelled").await.expect(200);
    app.settle().await;
    for wait in [TWO_MINUTES, TWO_MINUTES, TWO_MINUTES, A_QUARTER] {
        app.advance(wait).await;
    }
    let admin = app.log_in("keeper").await;
    let case = app.open_cases(&admin).await.remove(0);
    assert_eq!((&case["kind"], &case["order_id"]), (&json!("unknown_outcome"), &order["id"]));
    assert_eq!(case["resolutions"], json!(["look_again", "send_refund_anew", "settled_by_hand"]));
    assert_eq!(app.payment(&admin, &payment).await["needs_review"], true);
    assert_eq!(app.given_back().await, 0);
    (admin, case, payment)
}

#[tokio::test]
async fn a_refund_that_never_happened_is_sent_anew_by_a_person_only() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (_, _, payment) = never_refunded(&troubles, &app).await;
    app.advance(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(app.given_back().await, 0);
    let admin = app.log_in("keeper").await;
    let case = app.open_cases(&admin).await.remove(0);
    app.resolve_case(&admin, &case, "send_refund_anew").await.expect(200);
    app.settle().await;
    assert_eq!(app.given_back().await, 4990);
    assert_eq!(app.payment(&admin, &payment).await["needs_review"], false);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_refund_that_was_settled_by_hand_is_sent_no_more() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (admin, case, _) = never_refunded(&troubles, &app).await;
    app.resolve_case(&admin, &case, "settled_by_hand").await.expect(200);
    app.advance(Duration::from_secs(24 * 3_600)).await;
    assert_eq!((app.given_back().await, app.balance("losses").await), (0, 4990));
    let buyer = app.log_in("buyer").await;
    let refunds = app.get("/payments/transactions?type=refund", &buyer).await.expect(200).json();
    assert_eq!(refunds["data"][0]["status"], "success");
    app.verify().await;
}

#[tokio::test]
async fn cases_are_listed_by_kind_and_in_pages() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    for _ in 0..3 {
        let order = app.pending_order(&buyer, &seller).await;
        app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202);
        app.home.damage("update sandbox_charges set status = 'succeeded'");
        app.move_order(&buyer, &order, "cancelled").await.expect(200);
        app.settle().await;
    }
    let count = async |query: &str| {
        let page = app.get(&format!("/admin/cases{query}"), &admin).await.expect(200).json();
        (page["data"].as_array().unwrap().len(), page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(count("?kind=captured_after_failure").await.0, 3);
    assert_eq!(count("?kind=unknown_outcome").await.0, 0);
    let (first, cursor) = count("?limit=2").await;
    assert_eq!((first, count(&format!("?limit=2&cursor={}", cursor.unwrap())).await.0), (2, 1));
    let newest = app.open_cases(&admin).await.remove(0);
    app.resolve_case(&admin, &newest, "accept").await.expect(200);
    assert_eq!((count("?open=true").await.0, count("?open=false").await.0), (2, 1));
    app.get("/admin/cases?open=maybe", &admin).await.problem(400, "invalid_parameter");
    app.audit().await;
}
