//! Cases that were closed and are so again, answers that come when things have moved on, and what the buyer's browser can
//! still do.

use std::time::Duration;

use guildhall::actor::Actor;
use guildhall::payments::{self, PaymentId};
use guildhall::providers::Outcome;
use serde_json::{Value, json};

use super::{ordered, path_of};
use crate::support::{Person, TestApp, Trouble, Troubles};
use crate::webhooks::about_payment;

const TWO_MINUTES: Duration = Duration::from_secs(120);
const AN_HOUR: Duration = Duration::from_secs(3_600);

/// What an answer does that comes for a payment as it stands now.
async fn answer(app: &TestApp, payment: &Value, outcome: Outcome) {
    let id: PaymentId = guildhall::id::Id::from_wire(payment["id"].as_str().unwrap());
    app.write(move |tx| {
        let attempt = payments::attempt(tx, id)?.expect("a payment that is pending");
        payments::apply(tx, &Actor::System, &attempt, &outcome)
    })
    .await;
}

/// How many charges the provider has given up.
async fn voided(app: &TestApp) -> i64 {
    let sql = "select count(*) from sandbox_charges where status = 'declined' and failure = 'voided'";
    app.app.db().read(move |tx| tx.one(sql, &[], |row| row.next())).await.unwrap()
}

/// The one open case.
async fn the_case(app: &TestApp) -> (Person, Value) {
    let admin = app.log_in("keeper").await;
    let mut cases = app.open_cases(&admin).await;
    assert_eq!(cases.len(), 1, "{cases:?}");
    (admin, cases.remove(0))
}

#[tokio::test]
async fn a_refund_that_is_refused_again_is_a_case_again() {
    for resolution in ["look_again", "send_refund_anew"] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (buyer, seller, _) = (app.buyer().await, app.seller().await, app.admin().await);
        let (order, _) = app.paid(&buyer, &seller).await;
        troubles.add(Trouble::Refused);
        app.move_order(&seller, &order, "cancelled").await.expect(200);
        app.settle().await;
        let (admin, case) = the_case(&app).await;
        for _ in 0..2 {
            troubles.add(Trouble::Refused);
            app.resolve_case(&admin, &case, resolution).await.expect(200);
            app.advance(Duration::from_secs(30)).await;
            let (_, again) = the_case(&app).await;
            assert_eq!(
                (&again["id"], &again["kind"]),
                (&case["id"], &json!("refund_refused")),
                "{resolution}"
            );
            assert_eq!((&again["resolution"], &again["resolved_by"]), (&Value::Null, &Value::Null));
        }
        app.advance(AN_HOUR).await;
        assert_eq!(app.given_back().await, 4990);
        app.audit().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_strange_again_is_a_case_again() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    app.admin().await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_never").await.expect(202).json();
    let strange = |what: &str| Outcome::Strange { reference: "ch_1".to_owned(), what: what.to_owned() };
    answer(&app, &payment, strange("quantum")).await;
    answer(&app, &payment, strange("entangled")).await;
    let (admin, case) = the_case(&app).await;
    assert_eq!(case["detail"]["said"], "entangled", "what is known now");
    app.resolve_case(&admin, &case, "look_again").await.expect(200);
    answer(&app, &payment, strange("quantum")).await;
    let (_, again) = the_case(&app).await;
    assert_eq!((&again["id"], &again["detail"]["said"]), (&case["id"], &json!("quantum")));
    app.settle().await;
}

#[tokio::test]
async fn another_amount_is_a_case_again_until_it_is_accepted() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    app.admin().await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_never").await.expect(202).json();
    app.home.damage("update sandbox_charges set status = 'succeeded', amount_minor = 1");
    app.advance(2 * AN_HOUR).await;
    let (_, case) = the_case(&app).await;
    assert_eq!(case["kind"], "integrity_failure");
    for resolution in ["look_again", "fail_payment"] {
        let (admin, _) = the_case(&app).await;
        app.resolve_case(&admin, &case, resolution).await.expect(200);
        app.settle().await;
        let (_, again) = the_case(&app).await;
        assert_eq!(again["id"], case["id"], "{resolution}");
        app.advance(2 * AN_HOUR).await;
    }
    let buyer = app.log_in("buyer").await;
    assert_eq!(app.payment(&buyer, &payment).await["failure"], "given_up");
    let (admin, case) = the_case(&app).await;
    assert_eq!(case["resolutions"], json!(["accept"]));
    app.resolve_case(&admin, &case, "accept").await.expect(200);
    app.tell(&about_payment("evt_1", "charge.updated", &payment)).await.expect(200);
    app.settle().await;
    assert_eq!(app.open_cases(&admin).await, Vec::<Value>::new(), "what was accepted is accepted");
    app.verify().await;
}

#[tokio::test]
async fn a_charge_that_asks_for_its_buyer_when_the_order_is_cancelled_is_given_up() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    let gate = troubles.hold();
    let paying = app.pay(&buyer, &order, "pm_card_authenticationRequired");
    let cancelling = async {
        gate.entered().await;
        app.move_order(&buyer, &order, "cancelled").await.expect(200);
        gate.open();
    };
    let (paid, ()) = tokio::join!(paying, cancelling);
    let payment = paid.problem(402, "payment_declined").json()["payment"].clone();
    assert_eq!((&payment["status"], &payment["failure"]), (&json!("failed"), &json!("order_cancelled")));
    app.settle().await;
    assert_eq!(voided(&app).await, 1);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_late_notice_does_not_undo_a_confirmation() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    troubles.add(Trouble::BeforeItHappens);
    app.post(&format!("{}/confirm", path_of(&payment)), &buyer, None).await.expect(202);
    app.tell(&about_payment("evt_1", "charge.requires_action", &payment)).await.expect(200);
    app.settle().await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "pending");
    app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "payment_in_progress");
    app.advance(TWO_MINUTES).await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    assert_eq!(app.charges().await, 1);
    app.audit().await;
}

#[tokio::test]
async fn a_charge_that_failed_is_given_up_where_its_buyer_could_go_on() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_pending").await.expect(202).json();
    let declined = Outcome::Declined {
        reference: payment["transaction_id"].as_str().unwrap().to_owned(),
        code: "card_declined".to_owned(),
        message: "declined".to_owned(),
    };
    // As at a provider where the buyer's browser tries another card with it.
    answer(&app, &payment, declined).await;
    app.settle().await;
    assert_eq!(voided(&app).await, 1, "nothing can come of it any more");
    assert_eq!(app.payment(&buyer, &payment).await["failure"], "card_declined");
    app.audit().await;
}

#[tokio::test]
async fn a_buyer_who_confirmed_too_early_confirms_again() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    let confirm = format!("{}/confirm", path_of(&payment));
    troubles.add(Trouble::BeforeItHappens);
    app.post(&confirm, &buyer, None).await.expect(202);
    let reference = payment["transaction_id"].as_str().unwrap().to_owned();
    answer(&app, &payment, Outcome::RequiresAction { reference, client_secret: None, url: None }).await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "requires_action");
    app.home.damage("delete from timers where kind = 'order_pay_by'");
    app.advance(24 * AN_HOUR).await;
    let buyer = app.log_in("buyer").await;
    troubles.add(Trouble::BeforeItHappens);
    app.post(&confirm, &buyer, None).await.expect(202);
    app.advance(TWO_MINUTES).await;
    assert_eq!(
        app.payment(&buyer, &payment).await["status"],
        "success",
        "it is confirmed, under its own key"
    );
    app.audit().await;
}

#[tokio::test]
async fn what_was_answered_is_asked_for_soon_again() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    app.admin().await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_never").await.expect(202).json();
    for _ in 0..30 {
        app.advance(AN_HOUR).await;
    }
    app.home.damage("update sandbox_charges set status = 'succeeded'");
    troubles.add(Trouble::BeforeItHappens);
    app.advance(AN_HOUR).await;
    let admin = app.log_in("keeper").await;
    assert_eq!(app.cases().await, ["still_pending"], "one look that failed is no riddle");
    app.advance(Duration::from_secs(10)).await;
    assert!(app.cases().await.is_empty(), "it is known by now");
    assert_eq!(app.payment(&admin, &payment).await["status"], "success");
    app.audit().await;
}

#[tokio::test]
async fn what_is_open_at_another_provider_waits_for_a_person() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, paid) = app.paid(&buyer, &seller).await;
    app.refund(&seller, &paid, Some("9.90")).await.expect(201);
    let order = app.pending_order(&buyer, &seller).await;
    troubles.add(Trouble::BeforeItHappens);
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    let other = app.pending_order(&buyer, &seller).await;
    let waiting = app.pay(&buyer, &other, "pm_card_authenticationRequired").await.expect(202).json();
    app.home.damage("update payments set provider = 'elsewhere'");
    app.post(&format!("{}/confirm", path_of(&waiting)), &buyer, None).await.problem(409, "not_confirmable");
    app.move_order(&buyer, &other, "cancelled").await.expect(200);
    app.advance(TWO_MINUTES).await;
    assert_eq!((app.charges().await, app.given_back().await), (1, 0), "nothing is sent anew");
    let cases = app.open_cases(&admin).await;
    assert_eq!(cases.len(), 3);
    assert!(cases.iter().all(|case| case["kind"] == "other_provider"), "{cases:?}");
    assert_eq!(cases[0]["detail"], json!({ "provider": "elsewhere", "running": "sandbox" }));
    app.home.damage("update payments set provider = 'sandbox'");
    app.advance(AN_HOUR).await;
    let admin = app.log_in("keeper").await;
    assert_eq!(app.payment(&admin, &unknown).await["status"], "success");
    assert_eq!(app.given_back().await, 990);
    assert_eq!(app.open_cases(&admin).await.len(), 1, "what became known is closed");
    app.audit().await;
    app.verify().await;
}
