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
