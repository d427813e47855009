//! What happens when nobody acts in time.

use std::time::Duration;

use guildhall::orders::{self, Status};
use serde_json::{Value, json};

use super::{DAY, logged_in_again};
use crate::support::{TestApp, order_path};

#[tokio::test]
async fn what_is_not_paid_in_time_is_cancelled() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    app.advance(DAY - Duration::from_secs(60)).await;
    assert_eq!(app.order_row(&order).await.status, Status::Pending);
    app.advance(Duration::from_secs(60)).await;
    logged_in_again(&app, &mut cast).await;
    let row = app.order_row(&order).await;
    assert_eq!(row.status, Status::Cancelled);
    assert!(
        !app.app.db().write(move |tx| orders::mark_paid(tx, row.id)).await.unwrap(),
        "it cannot be paid any more"
    );
    let timeline = app.get(&format!("{}/timeline", order_path(&order)), &cast.buyer).await.expect(200).json();
    assert_eq!(timeline["data"][0]["event"], "order_cancelled");
    assert_eq!(timeline["data"][0]["actor_id"], Value::Null);
}

#[tokio::test]
async fn late_work_is_told_once_and_may_be_called_off_a_day_later() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.active(&cast.buyer, &cast.listing).await;
    app.advance(7 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    let overdue = app.stored(&order).await.events.iter().filter(|kind| *kind == "order_overdue").count();
    assert_eq!(overdue, 1);
    let before = app.get(&order_path(&order), &cast.buyer).await;
    assert_eq!(before.json()["transitions"], json!(["completed", "disputed"]));
    app.delete(&order_path(&order), &cast.buyer).await.problem(409, "invalid_transition");
    app.advance(DAY).await;
    logged_in_again(&app, &mut cast).await;
    let after = app.get(&order_path(&order), &cast.buyer).await;
    assert_eq!(after.json()["transitions"], json!(["completed", "cancelled", "disputed"]));
    assert_ne!(
        after.header("etag"),
        before.header("etag"),
        "a reader who kept the old answer gets the new one"
    );
    app.delete(&order_path(&order), &cast.buyer).await.expect(200);
    app.settle().await;
    assert_eq!(
        app.stored(&order).await.events,
        ["order_placed", "order_paid", "order_overdue", "order_cancelled"]
    );
}

#[tokio::test]
async fn a_delivery_that_nobody_answers_is_accepted() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    app.advance(3 * DAY - Duration::from_secs(60)).await;
    assert_eq!(app.order_row(&order).await.status, Status::Delivered);
    app.advance(Duration::from_secs(60)).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(app.order_row(&order).await.status, Status::Completed);
    let profile = app.get("/orders?role=freelancer&status=completed", &cast.seller).await.expect(200).json();
    assert_eq!(profile["data"][0]["id"], order["id"]);
}

#[tokio::test]
async fn a_revision_starts_the_clock_again() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    app.advance(2 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    let revised = app.ask(&order, &cast.buyer, "active").await.expect(200).json();
    assert_eq!(revised["auto_complete_at"], Value::Null);
    let row = app.order_row(&order).await;
    assert_eq!(row.due_at, Some(row.updated_at.plus_days(7)));
    app.advance(2 * DAY).await;
    assert_eq!(app.order_row(&order).await.status, Status::Active, "the old review clock is off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_disputing_and_the_review_deadline_one_wins() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    for round in 0..10 {
        let order = app.order_at(Status::Delivered, &cast).await;
        app.app.db().clock().advance(3 * DAY);
        logged_in_again(&app, &mut cast).await;
        let dispute = app.ask(&order, &cast.buyer, "disputed");
        let reply = match round % 2 {
            0 => tokio::join!(dispute, app.settle()).0,
            _ => tokio::join!(app.settle(), dispute).1,
        };
        let won = if reply.status == 200 { Status::Disputed } else { Status::Completed };
        assert_eq!(app.order_row(&order).await.status, won, "{}", reply.json());
        assert!(reply.status == 200 || reply.code() == "invalid_transition");
    }
}
