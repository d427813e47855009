//! Disputes whose money a bank takes back meanwhile.

use guildhall::orders::Status;
use guildhall::params;
use guildhall::providers::ChargebackStatus::{Lost, Open, Won};
use serde_json::{Value, json};

use super::{DAY, accept, decide, disputed, logged_in_again, offer, open, seen, stands, write};
use crate::support::{Cast, Person, TestApp};

const TAKEN_BACK: &str = "The buyer's bank took the payment back.";

/// The one payment of a disputed order.
async fn payment(app: &TestApp, cast: &Cast) -> Value {
    app.get("/payments/transactions?type=charge", &cast.buyer).await.expect(200).json()["data"][0].clone()
}

/// What somebody last read about the end of a dispute: the line of the inbox, and what was said with it.
async fn told_of_the_end(app: &TestApp, person: &Person) -> (String, Value) {
    let inbox = app.inbox(person).await;
    let row = inbox.iter().find(|row| row["type"] == "dispute_decided").unwrap();
    (row["message"].as_str().unwrap().to_owned(), row["data"]["message"].clone())
}

/// How often the timer of the one dispute has failed.
async fn failures(app: &TestApp) -> i64 {
    app.write(|tx| {
        tx.one("select attempts from timers where kind = 'dispute_deadline'", params![], |row| row.next())
    })
    .await
}

#[tokio::test]
async fn what_a_bank_decided_is_not_told_as_silence() {
    for stages in [&[Open, Lost][..], &[Lost]] {
        let app = TestApp::new().await;
        let cast = app.cast().await;
        let order = disputed(&app, &cast).await;
        write(&app, &cast.seller, &order, "It was delivered.").await.expect(201);
        let payment = payment(&app, &cast).await;
        for stage in stages {
            app.charge_back(&payment, 4990, stage.clone()).await;
        }
        assert_eq!(stands(&app, &order).await, Status::Cancelled);
        for person in [&cast.buyer, &cast.seller] {
            let (line, said) = told_of_the_end(&app, person).await;
            assert_eq!(said, TAKEN_BACK);
            assert_eq!(
                line,
                format!("{TAKEN_BACK} The dispute is over: {}", order["title"].as_str().unwrap())
            );
        }
        let outcome = seen(&app, &cast.seller, &order).await["outcome"].clone();
        assert_eq!((&outcome["by"], &outcome["reason"]), (&Value::Null, &json!(TAKEN_BACK)));
        app.settle().await;
        app.verify().await;
    }
}

#[tokio::test]
async fn silence_is_told_as_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    for _ in 0..14 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Cancelled);
    for person in [&cast.buyer, &cast.seller] {
        let (line, _) = told_of_the_end(&app, person).await;
        assert!(line.starts_with("The other side did not answer in time"), "{line}");
    }
}

#[tokio::test]
async fn nobody_is_silent_while_a_bank_decides() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let payment = payment(&app, &cast).await;
    app.advance(13 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    let reminders = async |app: &TestApp, person: &Person| {
        app.told(person).await.iter().filter(|kind| *kind == "dispute_reminder").count()
    };
    let before = reminders(&app, &cast.seller).await;
    assert_ne!(before, 0);
    app.charge_back(&payment, 4990, Open).await;
    for _ in 0..20 {
        app.advance(DAY).await;
        assert_eq!(failures(&app).await, 0, "the deadline is not tried in vain");
        app.verify().await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(reminders(&app, &cast.seller).await, before, "nothing to answer while the bank decides");
    let refused = json!({ "refund_amount": 1, "reason": "Now." });
    decide(&app, &cast.admin, &order, refused).await.problem(409, "chargeback_open");
    app.charge_back(&payment, 4990, Won).await;
    app.advance(DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Disputed, "the silent side is reminded first");
    assert_eq!(reminders(&app, &cast.seller).await, before + 1);
    app.advance(DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Cancelled);
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn administrators_are_not_called_for_what_they_cannot_decide() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let payment = payment(&app, &cast).await;
    write(&app, &cast.seller, &order, "It was delivered.").await.expect(201);
    app.charge_back(&payment, 4990, Open).await;
    let called = async |app: &TestApp, admin: &Person| {
        app.told(admin).await.iter().filter(|kind| *kind == "dispute_escalated").count()
    };
    for _ in 0..20 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(called(&app, &cast.admin).await, 0);
    app.charge_back(&payment, 4990, Won).await;
    for _ in 0..4 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(called(&app, &cast.admin).await, 1);
    app.verify().await;
}

#[tokio::test]
async fn an_offer_of_more_than_a_bank_left_is_no_longer_one() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.buyer, &order, json!({ "reason": "Half is missing." })).await.expect(201);
    let payment = payment(&app, &cast).await;
    offer(&app, &cast.seller, &order, "40").await.expect(201);
    app.tell_of_chargeback("dp_1", &payment, 2000, Open).await;
    app.tell_of_chargeback("dp_2", &payment, 500, Open).await;
    app.tell_of_chargeback("dp_1", &payment, 2000, Lost).await;
    app.tell_of_chargeback("dp_2", &payment, 500, Won).await;
    assert_eq!(seen(&app, &cast.buyer, &order).await["held"], "29.90");
    let refused = accept(&app, &cast.buyer, &order, "40").await.problem(409, "offer_changed").json();
    assert_eq!(refused["offer"], Value::Null, "nothing that could be accepted");
    assert!(
        refused["detail"].as_str().unwrap().contains("more than the 29.90 USD that is held now"),
        "{refused}"
    );
    accept(&app, &cast.buyer, &order, "49.91").await.problem(409, "offer_changed");
    offer(&app, &cast.seller, &order, "20").await.expect(201);
    accept(&app, &cast.buyer, &order, "20").await.expect(200);
    app.settle().await;
    app.verify().await;
}
