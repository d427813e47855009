//! Calls to the provider whose outcome nobody knows: they end by asking.

use std::time::Duration;

use guildhall::actor::Actor;
use guildhall::form::Unchecked;
use guildhall::payments::{self, PaymentId};
use guildhall::providers::Outcome;
use serde_json::{Value, json};

use super::{ordered, path_of};
use crate::support::{Person, TestApp, Trouble, Troubles};

/// Longer than any pause between a few questions.
const A_WHILE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_charges_once() {
    for trouble in [Trouble::BeforeItHappens, Trouble::AfterItHappened] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (buyer, _, order) = ordered(&app).await;
        troubles.add(trouble);
        let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
        assert_eq!(unknown["status"], "pending");
        app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "payment_in_progress");
        troubles.add(trouble);
        app.advance(Duration::from_secs(1)).await;
        assert_eq!(app.payment(&buyer, &unknown).await["status"], "pending", "{trouble:?}");
        app.advance(A_WHILE).await;
        assert_eq!(app.payment(&buyer, &unknown).await["status"], "success", "{trouble:?}");
        assert_eq!((app.charges().await, app.escrow(&order).await), (1, 4990));
        app.audit().await;
    }
}

#[tokio::test]
async fn a_lost_decline_is_found_out_and_frees_the_order() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    troubles.add(Trouble::AfterItHappened);
    let unknown = app.pay(&buyer, &order, "pm_card_visa_chargeDeclined").await.expect(202).json();
    app.advance(A_WHILE).await;
    assert_eq!(app.payment(&buyer, &unknown).await["failure"], "card_declined");
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    app.audit().await;
}

#[tokio::test]
async fn a_lost_confirmation_is_confirmed_again_never_replaced() {
    for trouble in [Trouble::BeforeItHappens, Trouble::AfterItHappened] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (buyer, _, order) = ordered(&app).await;
        let waiting = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
        troubles.add(trouble);
        let confirm = format!("{}/confirm", path_of(&waiting));
        assert_eq!(app.post(&confirm, &buyer, None).await.expect(202).json()["status"], "pending");
        app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "payment_in_progress");
        app.advance(A_WHILE).await;
        assert_eq!(app.payment(&buyer, &waiting).await["status"], "success");
        assert_eq!(app.charges().await, 1);
        app.audit().await;
    }
}

/// Records an attempt and goes no further, as a program does that is killed then.
pub async fn only_begin(app: &TestApp, buyer: &Person, order: &Value, method: &str) -> PaymentId {
    let body = json!({ "order_id": order["id"], "payment_method": method });
    let (token, running) = (buyer.token.clone(), app.app.clone());
    app.app
        .db()
        .write(move |tx| {
            let actor = guildhall::users::authenticate(tx, &token)?;
            payments::begin(tx, &actor, &Unchecked::from(body.clone()), running.provider(), false)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_crash_before_the_call_ends_by_asking() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    only_begin(&app, &buyer, &order, "pm_card_visa").await;
    assert_eq!(app.charges().await, 0);
    app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "payment_in_progress");
    app.advance(A_WHILE).await;
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    assert_eq!(app.charges().await, 1);
    app.audit().await;
}

#[tokio::test]
async fn a_crash_after_the_call_is_found_out_and_the_key_gets_its_answer() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    let body = json!({ "order_id": order["id"], "payment_method": "pm_card_visa" });
    let send = async || {
        let headers = [("idempotency-key", "the-key")];
        app.request("POST", "/payments", Some(&buyer.token), &headers, Some(body.clone())).await
    };
    troubles.add(Trouble::Crash);
    assert_eq!(send().await.expect(202).json()["status"], "pending");
    send().await.problem(409, "idempotency_in_progress");
    app.advance(A_WHILE).await;
    let answer = send().await.expect(201);
    assert_eq!(answer.json()["status"], "success");
    assert_eq!(send().await.expect(201).bytes, answer.bytes);
    assert_eq!((app.charges().await, app.escrow(&order).await), (1, 4990));
    app.audit().await;
}

/// An answer that was overtaken must not undo the confirmation: another payment could take its place then, and both
/// would be charged.
#[tokio::test]
async fn a_late_answer_does_not_undo_a_confirmation() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    let id = only_begin(&app, &buyer, &order, "pm_card_authenticationRequired").await;
    let late = app.app.db().read(move |tx| payments::attempt(tx, id)).await.unwrap().unwrap();
    app.advance(A_WHILE).await;
    let payment = json!({ "id": id });
    assert_eq!(app.payment(&buyer, &payment).await["status"], "requires_action");
    troubles.add(Trouble::BeforeItHappens);
    app.post(&format!("{}/confirm", path_of(&payment)), &buyer, None).await.expect(202);
    for outcome in [
        Outcome::RequiresAction { reference: "ch_late".to_owned(), client_secret: None, url: None },
        Outcome::Declined {
            reference: "ch_late".to_owned(),
            code: "late".to_owned(),
            message: "late".to_owned(),
        },
        Outcome::Pending { reference: "ch_late".to_owned(), ask_after: A_WHILE },
    ] {
        let late = late.clone();
        let apply = move |tx: &guildhall::db::Tx| payments::apply(tx, &Actor::System, &late, &outcome);
        app.app.db().write(apply).await.unwrap();
        assert_eq!(app.payment(&buyer, &payment).await["status"], "pending");
    }
    app.advance(A_WHILE).await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    app.audit().await;
}

#[tokio::test]
async fn a_payment_that_turns_out_to_wait_for_its_buyer_is_given_up_with_its_order() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    troubles.add(Trouble::AfterItHappened);
    let unknown = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    app.move_order(&buyer, &order, "cancelled").await.expect(200);
    app.advance(A_WHILE).await;
    let payment = app.payment(&buyer, &unknown).await;
    assert_eq!((&payment["status"], &payment["failure"]), (&json!("failed"), &json!("order_cancelled")));
    let at_the_provider = "select count(*) from sandbox_charges where status = 'declined'";
    assert_eq!(app.count(at_the_provider).await, 1, "nobody can confirm it there either");
    app.verify().await;
    app.audit().await;
}

#[tokio::test]
async fn a_lost_refund_is_sent_again_and_gives_back_once() {
    for trouble in [Trouble::BeforeItHappens, Trouble::AfterItHappened] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (buyer, seller) = (app.buyer().await, app.seller().await);
        let (order, payment) = app.paid(&buyer, &seller).await;
        troubles.add(trouble);
        app.refund(&seller, &payment, Some("9.90")).await.expect(201);
        app.settle().await;
        let reserved = format!("refunds:{}", order["id"].as_str().unwrap());
        assert_eq!(app.balance(&reserved).await, 990, "{trouble:?}");
        app.advance(A_WHILE).await;
        assert_eq!((app.balance(&reserved).await, app.given_back().await), (0, 990));
        app.audit().await;
    }
}

#[tokio::test]
async fn a_refused_refund_returns_to_escrow_while_the_order_is_open() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    app.settle().await;
    assert_eq!(app.escrow(&order).await, 4990);
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "0.00");
    assert_eq!(app.order(&seller, &order).await["fee"], "4.99", "as before the refund");
    let refunds = app.get("/payments/transactions?type=refund", &buyer).await.json();
    assert_eq!(refunds["data"][0]["status"], "failed");
    app.audit().await;
}

#[tokio::test]
async fn what_the_provider_says_of_the_buyers_card_is_not_told_to_the_freelancer() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    app.settle().await;
    let path = format!("/orders/{}/timeline", order["id"].as_str().unwrap());
    let said = async |to: &Person| {
        let happened = app.get(&path, to).await.expect(200).json();
        let happened = happened["data"].as_array().unwrap().clone();
        happened.iter().find(|happening| happening["event"] == "refund_failed").unwrap()["message"].clone()
    };
    assert_eq!(said(&buyer).await, "the card's account was closed");
    assert_eq!(said(&seller).await, Value::Null);
}

#[tokio::test]
async fn a_refused_refund_of_a_cancelled_order_stays_owed() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.move_order(&seller, &order, "cancelled").await.expect(200);
    app.settle().await;
    assert_eq!(app.balance(&format!("refunds:{}", order["id"].as_str().unwrap())).await, 4990);
    app.advance(A_WHILE).await;
    assert_eq!(app.given_back().await, 4990);
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "49.90");
    app.audit().await;
}
