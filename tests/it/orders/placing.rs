//! An order is placed: with which terms, by whom, and what is refused.

use std::time::Duration;

use guildhall::actor::Actor;
use guildhall::orders;
use serde_json::{Value, json};

use super::logged_in_again;
use crate::support::{Person, TestApp, order_path};

#[tokio::test]
async fn an_order_is_placed_with_what_the_listing_says_now() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let body = json!({ "service_id": cast.listing["id"], "requirements": "A heron.\nIn ink." });
    let reply = app.post("/orders", &cast.buyer, body).await.expect(201);
    let order = reply.json();
    assert_eq!(reply.header("location"), order_path(&order));
    let fields: Vec<&str> = order.as_object().unwrap().keys().map(String::as_str).collect();
    let known = "id buyer_id freelancer_id service_id title amount currency service_fee total refunded_amount status requirements pay_by due_at \
                 auto_complete_at created_at updated_at transitions";
    assert_eq!(fields, known.split_whitespace().collect::<Vec<_>>());
    assert_eq!(order["buyer_id"], cast.buyer.id);
    assert_eq!(order["freelancer_id"], cast.seller.id);
    assert_eq!((&order["amount"], &order["currency"]), (&json!("49.90"), &json!("USD")));
    assert_eq!((&order["status"], &order["due_at"]), (&json!("pending"), &Value::Null));
    assert_eq!(order["transitions"], json!(["cancelled"]));
    app.put(
        &format!("/services/{}", cast.listing["id"].as_str().unwrap()),
        &cast.seller,
        json!({ "price": "99", "title": "Dearer" }),
    )
    .await
    .expect(200);
    assert_eq!(app.get(&order_path(&order), &cast.buyer).await.json(), order, "it is frozen");
}

#[tokio::test]
async fn the_fee_is_shown_to_those_whom_it_concerns() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let fee =
        async |reader: &Person| app.get(&order_path(&order), reader).await.expect(200).json()["fee"].clone();
    assert_eq!(fee(&cast.seller).await, "4.99");
    assert_eq!(fee(&cast.admin).await, "4.99");
    assert_eq!(fee(&cast.buyer).await, Value::Null);
}

#[tokio::test]
async fn the_etag_is_equal_for_every_reader() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let mut etags = Vec::new();
    for reader in [&cast.buyer, &cast.seller, &cast.admin] {
        etags.push(app.get(&order_path(&order), reader).await.header("etag").to_owned());
    }
    assert!(etags[0].starts_with("\"1."));
    assert!(etags.iter().all(|etag| *etag == etags[0]), "{etags:?}");
}

#[tokio::test]
async fn what_the_server_sets_cannot_be_sent() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    for field in
        ["price", "amount", "fee", "currency", "buyer_id", "freelancer_id", "status", "total", "seller_id"]
    {
        let body = json!({ "service_id": cast.listing["id"], field: "1" });
        let reply = app.post("/orders", &cast.buyer, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [format!("/{field}")]);
    }
}

#[tokio::test]
async fn refusals_of_an_order_come_in_their_order() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let id = cast.listing["id"].clone();
    let wrong = json!({ "service_id": id, "requirements": 5 });
    app.post("/orders", &cast.seller, wrong.clone()).await.problem(403, "role_required");
    app.post("/orders", &cast.admin, wrong.clone()).await.problem(403, "role_required");
    app.post("/orders", &cast.buyer, json!({ "service_id": "17", "requirements": 5 }))
        .await
        .problem(404, "not_found");
    app.put(&format!("/services/{}", id.as_str().unwrap()), &cast.seller, json!({ "status": "paused" }))
        .await
        .expect(200);
    app.post("/orders", &cast.buyer, wrong).await.problem(422, "validation_failed");
    app.post("/orders", &cast.buyer, json!({})).await.problem(422, "validation_failed");
    app.post("/orders", &cast.buyer, json!({ "service_id": id })).await.problem(409, "service_unavailable");
    app.put(&format!("/services/{}", id.as_str().unwrap()), &cast.seller, json!({ "status": "draft" }))
        .await
        .expect(200);
    app.post("/orders", &cast.buyer, json!({ "service_id": id })).await.problem(404, "not_found");
}

#[tokio::test]
async fn nobody_orders_from_themselves() {
    let app = TestApp::new().await;
    let both = app.person("both", "both").await;
    let listing = app.listing(&both).await;
    app.post("/orders", &both, json!({ "service_id": listing["id"] })).await.problem(409, "own_service");
}

#[tokio::test]
async fn a_buyer_has_a_hundred_unpaid_orders_at_most() {
    let app = TestApp::with(|config| config.rate_limit = true).await;
    let mut cast = app.cast().await;
    let first = app.placed(&cast.buyer, &cast.listing).await;
    let buyer = app.order_row(&first).await.buyer_id;
    let body = guildhall::form::Unchecked::from(json!({ "service_id": cast.listing["id"] }));
    let refused = app
        .app
        .db()
        .write(move |tx| {
            let actor = Actor::User { id: buyer, role: guildhall::actor::Role::Buyer, session: tx.new_id() };
            for _ in 1..100 {
                orders::place(tx, &actor, &body)?;
            }
            Ok(orders::place(tx, &actor, &body).unwrap_err().to_string())
        })
        .await
        .unwrap();
    assert!(refused.starts_with("too_many_requests"), "{refused}");
    app.advance(Duration::from_secs(86_000)).await;
    logged_in_again(&app, &mut cast).await;
    let reply = app
        .post("/orders", &cast.buyer, json!({ "service_id": cast.listing["id"] }))
        .await
        .problem(429, "too_many_requests");
    assert!((1..=400).contains(&reply.header("retry-after").parse::<u64>().unwrap()));
    app.delete(&order_path(&first), &cast.buyer).await.expect(200);
    app.placed(&cast.buyer, &cast.listing).await;
}
