//! The sandbox misbehaves on demand, and the books hold.

use std::time::Duration;

use guildhall::params;
use guildhall::providers::Recorded;
use guildhall::time::Time;
use serde_json::json;

use super::{ordered, path_of};
use crate::support::TestApp;

const TWO_SECONDS: Duration = Duration::from_secs(2);
const AN_HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn methods_that_never_say_that_they_were_charged_are_found_out() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for method in ["pm_sandbox_dropAfterCommit", "pm_sandbox_500AfterCommit"] {
        let order = app.pending_order(&buyer, &seller).await;
        let unknown = app.pay(&buyer, &order, method).await.expect(202).json();
        app.advance(TWO_SECONDS).await;
        assert_eq!(app.payment(&buyer, &unknown).await["status"], "success", "{method}");
    }
    assert_eq!(app.charges().await, 2);
    app.audit().await;
}

#[tokio::test]
async fn a_charge_that_never_settles_ends_when_it_is_told_to() {
    let app = TestApp::new().await;
    for (role, name) in [("buyer", "buyer"), ("freelancer", "seller")] {
        app.person(name, role).await;
    }
    app.admin().await;
    for (outcome, status) in [("succeeded", "success"), ("declined", "failed")] {
        let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
        let order = app.pending_order(&buyer, &seller).await;
        let payment = app.pay(&buyer, &order, "pm_sandbox_never").await.expect(202).json();
        app.advance(10 * AN_HOUR).await;
        let admin = app.log_in("keeper").await;
        assert_eq!(app.payment(&admin, &payment).await["status"], "pending");
        let path = format!("/admin/sandbox{}/settle", path_of(&payment));
        app.post(&path, &admin, json!({ "outcome": outcome })).await.expect(200);
        app.settle().await;
        assert_eq!(app.payment(&admin, &payment).await["status"], status);
    }
    app.audit().await;
}

#[tokio::test]
async fn a_charge_that_outlives_its_order_is_given_to_a_person() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    app.admin().await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_never").await.expect(202).json();
    app.advance(20 * AN_HOUR).await;
    assert!(app.cases().await.is_empty(), "its order waits yet");
    for _ in 0..10 {
        app.advance(3 * AN_HOUR).await;
    }
    assert_eq!(app.cases().await, ["still_pending"]);
    let admin = app.log_in("keeper").await;
    let case = app.open_cases(&admin).await.remove(0);
    assert_eq!(case["subject_id"], payment["id"]);
    app.resolve_case(&admin, &case, "fail_payment").await.expect(200);
    assert_eq!(app.payment(&admin, &payment).await["status"], "failed");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn refunds_fail_and_take_their_time() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let refunds = async || {
        let listed = app.get("/payments/transactions?type=refund&limit=1", &buyer).await.expect(200).json();
        listed["data"][0]["status"].clone()
    };
    for (method, at_first, later) in
        [("pm_sandbox_refundFails", "failed", "failed"), ("pm_sandbox_refundPending", "pending", "success")]
    {
        let order = app.pending_order(&buyer, &seller).await;
        let payment = app.pay(&buyer, &order, method).await.expect(201).json();
        app.refund(&seller, &payment, Some("9.90")).await.expect(201);
        app.settle().await;
        assert_eq!(refunds().await, at_first, "{method}");
        app.advance(TWO_SECONDS).await;
        assert_eq!(refunds().await, later, "{method}");
    }
    app.keeps_its_rules().await;
    app.verify().await;
}

#[tokio::test]
async fn a_bank_takes_its_money_back_after_two_seconds() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_chargeback").await.expect(201).json();
    let chargebacks = async || {
        let everything = app.app.provider().records(Time::from_micros(0), Time::from_micros(i64::MAX)).await;
        let mut everything = everything.unwrap();
        everything.retain(|record| record.what == Recorded::Chargeback);
        everything
    };
    assert_eq!(chargebacks().await, []);
    app.app.db().clock().advance(TWO_SECONDS);
    let opened = chargebacks().await;
    assert_eq!((opened.len(), opened[0].of.as_str()), (1, payment["transaction_id"].as_str().unwrap()));
    let state = app.app.provider().look_at_chargeback(&opened[0].reference).await.unwrap().unwrap();
    assert_eq!((state.charge, state.amount.minor()), (opened[0].of.clone(), 4990));
    app.settle().await;
}

#[tokio::test]
async fn the_knobs_are_turned_by_administrators_and_only_at_the_sandbox() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let admin = app.admin().await;
    assert_eq!(app.get("/admin/sandbox", &admin).await.expect(200).json()["drop_before"], 0);
    let wrong = app.put("/admin/sandbox", &admin, json!({ "drop_before": 101, "delay_ms": -1 })).await;
    assert_eq!(wrong.pointers(), ["/delay_ms", "/drop_before"]);
    let turned = app.put("/admin/sandbox", &admin, json!({ "seed": 3, "drop_before": 100 })).await;
    assert_eq!(turned.expect(200).json()["drop_before"], 100);
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    assert_eq!(app.charges().await, 0);
    app.send("PATCH", "/admin/sandbox", &admin, json!({ "drop_before": 0 })).await.expect(200);
    app.advance(Duration::from_secs(120)).await;
    assert_eq!(app.payment(&buyer, &unknown).await["status"], "success");
    app.audit().await;
}

#[tokio::test]
async fn a_line_that_loses_a_third_of_everything_charges_once() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let knobs = json!({ "seed": 11, "drop_before": 12, "drop_after": 12, "error_after": 12 });
    app.put("/admin/sandbox", &admin, knobs).await.expect(200);
    let methods = ["pm_card_visa", "pm_card_visa_chargeDeclined", "pm_sandbox_pending", "pm_card_visa"];
    for (number, method) in methods.into_iter().cycle().take(60).enumerate() {
        let order = app.pending_order(&buyer, &seller).await;
        let reply = app.pay(&buyer, &order, method).await;
        assert!([201, 202, 402].contains(&reply.status), "{}", reply.status);
        if number % 3 == 0 {
            app.move_order(&seller, &order, "cancelled").await.expect(200);
        }
        app.advance(Duration::from_secs(5)).await;
        app.keeps_its_rules().await;
    }
    let calm = json!({ "drop_before": 0, "drop_after": 0, "error_after": 0 });
    app.put("/admin/sandbox", &admin, calm).await.expect(200);
    for _ in 0..4 {
        app.advance(AN_HOUR).await;
    }
    app.audit().await;
    app.verify().await;
    let twice = "select count(*) from (select 1 as one from sandbox_charges c join payments p on p.provider_key = c.key
         where c.status = 'succeeded' group by p.order_id having count(*) > 1) as twice";
    let twice = app.app.db().read(move |tx| tx.one(twice, params![], |row| row.next::<i64>())).await;
    assert_eq!(twice.unwrap(), 0);
}

#[tokio::test]
async fn a_bank_decides_when_it_is_told_to() {
    for (outcome, status) in [("won", "disputed"), ("lost", "cancelled")] {
        let app = TestApp::telling().await;
        let (buyer, seller, order) = ordered(&app).await;
        let admin = app.admin().await;
        let payment = app.pay(&buyer, &order, "pm_sandbox_chargeback").await.expect(201).json();
        let path = format!("/admin/sandbox{}/chargeback", path_of(&payment));
        app.post(&path, &admin, json!({ "outcome": outcome })).await.expect(200);
        app.advance(Duration::from_secs(5)).await;
        assert_eq!(app.balance("losses").await, -4990, "before it was opened there was nothing to decide");
        app.post(&path, &admin, json!({ "outcome": outcome })).await.expect(200);
        app.settle().await;
        let chargebacks = app.get("/admin/chargebacks", &admin).await.expect(200).json();
        assert_eq!(chargebacks["data"][0]["status"], outcome);
        assert_eq!(app.order(&seller, &order).await["status"], status);
        assert_eq!(app.balance("losses").await, 0);
        let theirs = app.app.provider().balance().await.unwrap();
        let held: Vec<i64> = theirs.iter().map(|money| money.minor()).collect();
        assert_eq!(held, if outcome == "won" { vec![4990] } else { Vec::new() });
        let other = if outcome == "won" { "lost" } else { "won" };
        app.post(&path, &admin, json!({ "outcome": other })).await.expect(200);
        app.settle().await;
        assert_eq!(app.cases().await, Vec::<String>::new(), "what is decided stays so");
        app.verify().await;
    }
}
