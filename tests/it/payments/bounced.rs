//! Refunds that had succeeded and come back, and money that moves a second time.

use std::time::Duration;

use guildhall::id::Id;
use guildhall::params;
use guildhall::payments::{RefundId, cases};
use serde_json::{Value, json};

use super::path_of;
use crate::support::{Person, TestApp, Trouble, Troubles};
use crate::webhooks::event;

/// Longer than any pause between a few questions.
const A_WHILE: Duration = Duration::from_secs(120);

/// The refund's id and key.
async fn newest_refund(app: &TestApp) -> (RefundId, String) {
    let sql = "select id, provider_key from refunds order by id desc limit 1";
    app.app.db().read(move |tx| tx.one(sql, params![], |row| Ok((row.next()?, row.next()?)))).await.unwrap()
}

/// The provider tells that the refund with this key has changed.
async fn tell(app: &TestApp, id: &str, key: &str) {
    app.tell(&event(id, "refund.updated", "refund", "re_told", Some(key))).await.expect(200);
    app.settle().await;
}

/// All refunds at the provider fail after all, and it tells of the one with this key.
async fn bounce(app: &TestApp, id: &str, key: &str) {
    app.home.damage("update sandbox_refunds set status = 'failed'");
    tell(app, id, key).await;
}

/// The refunds of an order: (status, sum).
async fn refunds(app: &TestApp, buyer: &Person) -> Vec<(String, String)> {
    let listed = app.get("/payments/transactions?type=refund", buyer).await.expect(200).json();
    let field = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (field(row, "status"), field(row, "amount")))
        .collect()
}

fn pair(status: &str, amount: &str) -> (String, String) {
    (status.to_owned(), amount.to_owned())
}

#[tokio::test]
async fn a_refund_that_comes_back_after_it_had_succeeded_is_owed_again() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.refund_after_release(&seller, &payment, "10.00").await.expect(201);
    app.settle().await;
    let (first, key) = newest_refund(&app).await;
    bounce(&app, "evt_1", &key).await;
    let reserved = format!("refunds:{}", order["id"].as_str().unwrap());
    assert_eq!((app.balance(&reserved).await, app.balance("provider").await), (1000, -4990));
    assert_eq!(refunds(&app, &buyer).await, [pair("pending", "10.00"), pair("failed", "10.00")]);
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "10.00");
    assert!(app.told(&buyer).await.contains(&"refund_failed".to_owned()));
    app.verify().await;

    tell(&app, "evt_2", &key).await;
    let case = app.open_cases(&admin).await.remove(0);
    assert_eq!(case["kind"], "refund_refused");
    assert_ne!(case["subject_id"], json!(first));
    assert_eq!(case["resolutions"], json!(["send_refund_anew", "settled_by_hand"]));
    app.advance(A_WHILE).await;
    assert_eq!(refunds(&app, &buyer).await.len(), 2, "it is sent on a person's word only");
    app.resolve_case(&admin, &case, "send_refund_anew").await.expect(200);
    app.settle().await;
    assert_eq!(refunds(&app, &buyer).await[0], pair("success", "10.00"));
    assert_eq!((app.balance(&reserved).await, app.balance("provider").await), (0, -3990));
    app.verify().await;

    let (_, key) = newest_refund(&app).await;
    bounce(&app, "evt_3", &key).await;
    let case = app.open_cases(&admin).await.remove(0);
    app.resolve_case(&admin, &case, "settled_by_hand").await.expect(200);
    assert_eq!((app.balance(&reserved).await, app.balance("losses").await), (0, 1000));
    assert_eq!(refunds(&app, &buyer).await[0], pair("success", "10.00"));
    app.verify().await;
}

#[tokio::test]
async fn what_was_set_off_meanwhile_stays_so_when_a_refund_comes_back() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await);
    app.settle().await;
    app.refund_after_release(&admin, &payment, "49.90").await.expect(201);
    app.settle().await;
    let next = app.pending_order_with(&buyer, &seller, json!({ "price": "30.00" })).await;
    app.pay(&buyer, &next, "pm_card_visa").await.expect(201);
    app.move_order(&buyer, &next, "completed").await.expect(200);
    let owed = format!("owed:{}", seller.id);
    assert_eq!(app.balance(&owed).await, -1791);
    let (_, key) = newest_refund(&app).await;
    bounce(&app, "evt_1", &key).await;
    assert_eq!(app.balance(&owed).await, -1791);
    app.verify().await;
    let case = app.open_cases(&admin).await.remove(0);
    troubles.add(Trouble::Refused);
    app.resolve_case(&admin, &case, "send_refund_anew").await.expect(200);
    app.settle().await;
    assert_eq!(app.open_cases(&admin).await[0]["id"], case["id"], "it cannot be put back");
    app.verify().await;
    app.advance(A_WHILE).await;
    assert_eq!(refunds(&app, &buyer).await[0], pair("success", "49.90"));
    app.verify().await;
}

/// Lets a person look at something, for whatever reason; the case.
async fn call_for_a_person<T: 'static>(app: &TestApp, admin: &Person, subject: Id<T>) -> Value {
    let subject: Id<()> = subject.cast();
    app.write(move |tx| cases::open(tx, cases::Kind::UnknownOutcome, subject, None, &json!({}))).await;
    app.open_cases(admin).await.remove(0)
}

#[tokio::test]
async fn a_refund_is_not_sent_any_more_once_a_person_has_decided_it() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::BeforeItHappens);
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    app.settle().await;
    let case = call_for_a_person(&app, &admin, newest_refund(&app).await.0).await;
    let gate = troubles.hold();
    let deciding = async {
        gate.entered().await;
        app.resolve_case(&admin, &case, "settled_by_hand").await.expect(200);
        gate.open();
    };
    tokio::join!(app.advance(A_WHILE), deciding);
    assert_eq!(app.given_back().await, 0);
    app.verify().await;
}

#[tokio::test]
async fn a_charge_is_not_sent_any_more_once_it_was_given_up() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = super::ordered(&app).await;
    let admin = app.admin().await;
    troubles.add(Trouble::BeforeItHappens);
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    let subject: Id<()> = Id::from_wire(unknown["id"].as_str().unwrap());
    let case = call_for_a_person(&app, &admin, subject).await;
    let gate = troubles.hold();
    let deciding = async {
        gate.entered().await;
        app.resolve_case(&admin, &case, "fail_payment").await.expect(200);
        gate.open();
    };
    tokio::join!(app.advance(A_WHILE), deciding);
    assert_eq!(app.payment(&buyer, &unknown).await["refunded_amount"], "0.00");
    assert_eq!(app.charges().await, 0);
    app.audit().await;
}

#[tokio::test]
async fn money_that_moves_a_second_time_is_a_case() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::AfterItHappened);
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    app.settle().await;
    let (id, key) = newest_refund(&app).await;
    let case = call_for_a_person(&app, &admin, id).await;
    app.resolve_case(&admin, &case, "settled_by_hand").await.expect(200);
    tell(&app, "evt_1", &key).await;
    let case = app.open_cases(&admin).await.remove(0);
    assert_eq!((&case["kind"], &case["subject_id"]), (&json!("integrity_failure"), &json!(id)));
    assert_eq!((&case["detail"]["amount"], &case["resolutions"]), (&json!("9.90"), &json!(["accept"])));
    app.resolve_case(&admin, &case, "accept").await.expect(200);
    tell(&app, "evt_2", &key).await;
    assert_eq!(app.open_cases(&admin).await, Vec::<Value>::new());
    app.verify().await;
}

#[tokio::test]
async fn what_an_administrator_writes_for_the_audit_is_not_told_to_the_parties() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    let case = call_for_a_person(&app, &admin, newest_refund(&app).await.0).await;
    app.resolve_case(&admin, &case, "settled_by_hand").await.expect(200);
    let unpaid = app.pending_order(&buyer, &seller).await;
    let waiting = app.pay(&buyer, &unpaid, "pm_sandbox_never").await.expect(202).json();
    let subject: Id<()> = Id::from_wire(waiting["id"].as_str().unwrap());
    let case = call_for_a_person(&app, &admin, subject).await;
    app.resolve_case(&admin, &case, "fail_payment").await.expect(200);
    app.settle().await;
    for order in [&order, &unpaid] {
        for person in [&buyer, &seller] {
            let path = format!("/orders/{}/timeline", order["id"].as_str().unwrap());
            let said = app.get(&path, person).await.expect(200);
            assert!(!String::from_utf8_lossy(&said.bytes).contains("looked at it"));
        }
    }
    assert_eq!(app.get(&path_of(&waiting), &buyer).await.expect(200).json()["failure"], "given_up");
    let inbox = serde_json::to_string(&app.inbox(&buyer).await).unwrap();
    assert!(inbox.contains("given back in another way") && !inbox.contains("looked at it"), "{inbox}");
    app.verify().await;
}

#[tokio::test]
async fn why_a_card_was_declined_is_not_told_to_the_freelancer() {
    let app = TestApp::new().await;
    let (buyer, seller, order) = super::ordered(&app).await;
    app.pay(&buyer, &order, "pm_card_visa_chargeDeclinedInsufficientFunds").await.expect(402);
    app.home.damage("update sandbox_charges set status = 'succeeded', failure = null");
    let key: String =
        app.write(|tx| tx.one("select provider_key from payments", params![], |row| row.next())).await;
    app.tell(&event("evt_1", "charge.succeeded", "charge", "ch_told", Some(&key))).await.expect(200);
    app.settle().await;
    assert_eq!(app.cases().await, ["captured_after_failure"]);
    let said = app.get(&format!("/orders/{}/timeline", order["id"].as_str().unwrap()), &seller).await;
    let said = String::from_utf8(said.expect(200).bytes.to_vec()).unwrap();
    assert!(said.contains("refund_requested") && !said.contains("insufficient"), "{said}");
    app.audit().await;
}
