//! Orders, from placement to completion or to the end of their deadlines.

mod deadlines;
mod machine;
mod placing;
mod reading;
mod sequences;
mod splits;

use std::time::Duration;

use guildhall::orders::{self, Status};
use serde_json::{Value, json};

use crate::support::{Cast, TestApp, order_path};

const DAY: Duration = Duration::from_secs(86_400);

/// New tokens for everybody: the clock was moved and the old ones have expired.
async fn logged_in_again(app: &TestApp, cast: &mut Cast) {
    cast.buyer = app.log_in("buyer").await;
    cast.seller = app.log_in("seller").await;
    cast.admin = app.log_in("keeper").await;
}

#[tokio::test]
async fn open_orders_keep_accounts_from_going() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let row = app.order_row(&order).await;
    let (buyer, seller) = (row.buyer_id, row.freelancer_id);
    let blockers = move |tx: &guildhall::db::Tx| {
        let count = |blockers: Vec<guildhall::users::Blocker>| blockers.len();
        Ok([
            count(orders::needed_to_buy(tx, buyer)?),
            count(orders::needed_to_sell(tx, buyer)?),
            count(orders::needed_to_sell(tx, seller)?),
            count(orders::blocking_deletion(tx, buyer)?),
            count(orders::blocking_deletion(tx, seller)?),
        ])
    };
    assert_eq!(app.app.db().read(blockers).await.unwrap(), [1, 0, 1, 1, 1]);
    app.delete(&order_path(&order), &cast.seller).await.expect(200);
    assert_eq!(app.app.db().read(blockers).await.unwrap(), [0; 5]);
    let shared = move |tx: &guildhall::db::Tx| {
        Ok((orders::share_an_order(tx, seller, buyer)?, orders::share_an_order(tx, buyer, buyer)?))
    };
    assert_eq!(app.app.db().read(shared).await.unwrap(), (true, false));
}

#[tokio::test]
async fn completed_orders_of_a_listing_come_oldest_first() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let first = app.order_at(Status::Completed, &cast).await;
    app.order_at(Status::Active, &cast).await;
    let second = app.order_at(Status::Completed, &cast).await;
    let row = app.order_row(&first).await;
    let read = move |tx: &guildhall::db::Tx| orders::completed_of(tx, row.buyer_id, row.service_id);
    let found = app.app.db().read(read).await.unwrap();
    let ids: Vec<Value> = found.iter().map(|order| json!(order.id)).collect();
    assert_eq!(ids, [first["id"].clone(), second["id"].clone()]);
    app.settle().await;
}

#[tokio::test]
async fn a_repeated_placing_makes_one_order() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let body = json!({ "service_id": cast.listing["id"] });
    let keyed = [("idempotency-key", "one")];
    let first =
        app.request("POST", "/orders", Some(&cast.buyer.token), &keyed, Some(body.clone())).await.expect(201);
    let again = app.request("POST", "/orders", Some(&cast.buyer.token), &keyed, Some(body)).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    let list = app.get("/orders", &cast.buyer).await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bad_cursor_is_told_before_an_absent_order() {
    let app = TestApp::new().await;
    let buyer = app.buyer().await;
    let absent = "/orders/018f2b6a-0000-7000-8000-000000000000/timeline";
    app.get(&format!("{absent}?cursor=bad"), &buyer).await.problem(400, "invalid_cursor");
    app.get(absent, &buyer).await.problem(404, "not_found");
}
