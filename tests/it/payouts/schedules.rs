//! Freelancers who are paid without asking.

use std::time::Duration;

use guildhall::events;
use serde_json::json;

use super::DAY;
use crate::support::{CLEARANCE, TestApp};

#[tokio::test]
async fn payouts_are_made_daily_or_weekly_by_themselves() {
    for (schedule, days) in [("daily", 1), ("weekly", 7)] {
        let app = TestApp::new().await;
        let (buyer, seller) = app.paid_people().await;
        app.earned(&buyer, &seller, "10.00", "USD").await;
        app.earned(&buyer, &seller, "500", "JPY").await;
        let seller = app.cleared().await;
        let set = app.put("/payouts/settings", &seller, json!({ "schedule": schedule })).await.expect(200);
        assert_eq!(set.json(), json!({ "schedule": schedule, "minimum": null }));
        app.advance(DAY * days - Duration::from_secs(1)).await;
        assert_eq!(app.transferred().await.1, 0, "{schedule}");
        app.advance(Duration::from_secs(1)).await;
        assert_eq!(app.transferred().await, (900 + 450, 2), "{schedule}");
        let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
        assert!(app.told(&seller).await.contains(&"payout_started".to_owned()));
        app.earned(&buyer, &seller, "20.00", "USD").await;
        app.advance(CLEARANCE).await;
        app.advance(DAY * days).await;
        assert_eq!(app.transferred().await.1, 3, "{schedule}");
        app.audit().await;
        app.verify().await;
    }
}

#[tokio::test]
async fn a_schedule_that_cannot_pay_goes_on() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    app.put("/payouts/settings", &seller, json!({ "schedule": "daily", "minimum": "10" })).await.expect(200);
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.advance(DAY * 10).await;
    let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
    app.post("/payouts/account", &seller, None).await.expect(201);
    app.advance(DAY).await;
    assert_eq!(app.transferred().await.1, 0);
    let buyer = app.log_in(&buyer.username).await;
    app.earned(&buyer, &app.log_in("seller").await, "2.00", "USD").await;
    app.advance(DAY * 9).await;
    assert_eq!(app.transferred().await, (1080, 2));
    app.verify().await;
}

#[tokio::test]
async fn who_asks_himself_again_is_left_alone() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.put("/payouts/settings", &seller, json!({ "schedule": "daily" })).await.expect(200);
    app.put("/payouts/settings", &seller, json!({ "schedule": "manual" })).await.expect(200);
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.advance(DAY * 9).await;
    assert_eq!(app.transferred().await.1, 0);
    app.verify().await;
}

#[tokio::test]
async fn a_suspended_freelancers_money_stays_until_he_is_back() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.put("/payouts/settings", &seller, json!({ "schedule": "daily" })).await.expect(200);
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.app.db().clock().advance(CLEARANCE);
    let (seller, admin) = (app.log_in("seller").await, app.admin().await);
    let payout = app.pay_out(&seller).await.expect(201).json();
    let path = |what: &str| format!("/users/{}/{what}", seller.id);
    app.post(&path("suspend"), &admin, json!({ "reason": "a complaint" })).await.expect(200);
    events::settle(&app.app).await.unwrap();
    app.advance(DAY * 2).await;
    assert_eq!(app.transferred().await.1, 0);
    let admin = app.log_in(&admin.username).await;
    app.post(&path("reinstate"), &admin, json!({ "reason": "settled" })).await.expect(200);
    app.advance(DAY).await;
    assert_eq!(app.payout(&app.log_in("seller").await, &payout).await["status"], "paid");
    app.verify().await;
}

#[tokio::test]
async fn more_orders_than_one_payout_takes_are_paid_the_same_day() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    // The oldest hundred make 18.00.
    let settings = json!({ "schedule": "daily", "minimum": "18.10" });
    for _ in 0..101 {
        app.earned(&buyer, &seller, "0.20", "USD").await;
    }
    let seller = app.cleared().await;
    app.put("/payouts/settings", &seller, settings).await.expect(200);
    app.advance(DAY).await;
    assert_eq!(app.transferred().await, (1818, 101));
    assert_eq!(app.count("select count(*) from payouts").await, 2);
    app.verify().await;
}

#[tokio::test]
async fn the_minimum_is_of_everything_that_is_available() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    for _ in 0..101 {
        app.earned(&buyer, &seller, "0.20", "USD").await;
    }
    let seller = app.cleared().await;
    app.put("/payouts/settings", &seller, json!({ "minimum": "18.19" })).await.expect(200);
    assert_eq!(app.pay_out(&seller).await.problem(409, "below_minimum").json()["available"], "18.18");
    app.put("/payouts/settings", &seller, json!({ "minimum": "18.18" })).await.expect(200);
    assert_eq!(app.pay_out(&seller).await.expect(201).json()["amount"], "18.00");
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn a_payout_that_came_late_makes_the_next_no_later() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let seller = app.cleared().await;
    app.put("/payouts/settings", &seller, json!({ "schedule": "weekly" })).await.expect(200);
    app.put("/payouts/settings", &seller, json!({ "minimum": "1" })).await.expect(200);
    app.advance(DAY * 10).await;
    assert_eq!(app.transferred().await.1, 1, "nobody served for three days");
    let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.write(|tx| tx.execute("update releases set available_at = created_at", &[])).await;
    app.advance(DAY * 4).await;
    assert_eq!(app.transferred().await.1, 2);
    app.verify().await;
}
