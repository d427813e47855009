//! Orders, from placement to completion or to the end of their deadlines.

use std::time::Duration;

use guildhall::actor::Actor;
use guildhall::orders::{self, EDGES, Side, Status, When};
use guildhall::payments;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Cast, Person, TestApp, order_path};

const DAY: Duration = Duration::from_secs(86_400);

/// New tokens for everybody: the clock was moved and the old ones have expired.
async fn logged_in_again(app: &TestApp, cast: &mut Cast) {
    cast.buyer = app.log_in("buyer").await;
    cast.seller = app.log_in("seller").await;
    cast.admin = app.log_in("keeper").await;
}

// Placing

#[tokio::test]
async fn an_order_is_placed_with_what_the_listing_says_now() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let body = json!({ "service_id": cast.listing["id"], "requirements": "A heron.\nIn ink." });
    let reply = app.post("/orders", &cast.buyer, body).await.expect(201);
    let order = reply.json();
    assert_eq!(reply.header("location"), order_path(&order));
    let fields: Vec<&str> = order.as_object().unwrap().keys().map(String::as_str).collect();
    let known = "id buyer_id freelancer_id service_id title amount currency service_fee total status requirements pay_by due_at \
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
    let cast = app.cast().await;
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
    let reply = app
        .post("/orders", &cast.buyer, json!({ "service_id": cast.listing["id"] }))
        .await
        .problem(429, "too_many_requests");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 86_000);
    app.delete(&order_path(&first), &cast.buyer).await.expect(200);
    app.placed(&cast.buyer, &cast.listing).await;
}

// The machine

/// What each side may ask for in each state, as the contract has it.
const ALLOWED: [(Status, [&[&str]; 3]); 6] = [
    // (buyer, freelancer, admin)
    (Status::Pending, [&["cancelled"], &["cancelled"], &[]]),
    (Status::Active, [&["completed", "disputed"], &["delivered", "cancelled", "disputed"], &["cancelled"]]),
    (Status::Delivered, [&["active", "completed", "disputed"], &["disputed"], &[]]),
    (Status::Completed, [&[], &[], &[]]),
    (Status::Cancelled, [&[], &[], &[]]),
    (Status::Disputed, [&[], &[], &["completed", "cancelled"]]),
];

#[tokio::test]
async fn every_caller_is_shown_the_steps_of_the_contract() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    for (status, allowed) in ALLOWED {
        let order = app.order_at(status, &cast).await;
        for (reader, allowed) in [&cast.buyer, &cast.seller, &cast.admin].into_iter().zip(allowed) {
            let shown = app.get(&order_path(&order), reader).await.expect(200).json();
            assert_eq!(shown["transitions"], json!(allowed), "{status} by {}", reader.username);
        }
        app.get(&order_path(&order), &cast.stranger).await.problem(404, "not_found");
    }
}

/// What must come of asking for `to` at `from`.
#[derive(Debug, PartialEq)]
enum Outcome {
    Moves,
    Stays,
    Refused(u16, &'static str),
}

fn outcome(from: Status, to: Status, side: Option<Side>) -> Outcome {
    let Some(side) = side else { return Outcome::Refused(404, "not_found") };
    let mine = |to: Status| EDGES.iter().filter(move |edge| edge.to == to && edge.by == side);
    if from == to {
        Outcome::Stays
    } else if mine(to).any(|edge| edge.from == from && edge.when == When::Always) {
        Outcome::Moves
    } else if mine(to).next().is_some() {
        Outcome::Refused(409, "invalid_transition")
    } else {
        Outcome::Refused(403, "forbidden")
    }
}

/// Every status × requested status × person, and what the database holds afterwards.
#[tokio::test]
async fn every_cell_of_the_order_machine() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let people = [
        (&cast.buyer, Some(Side::Buyer)),
        (&cast.seller, Some(Side::Freelancer)),
        (&cast.admin, Some(Side::Admin)),
        (&cast.stranger, None),
    ];
    for &from in Status::ALL {
        let mut order = app.order_at(from, &cast).await;
        for (person, side) in people {
            for &to in Status::ALL {
                let cell = format!("{from} → {to} by {}", person.username);
                let before = app.stored(&order).await;
                let reply = app.ask(&order, person, to.as_str()).await;
                let after = app.stored(&order).await;
                match outcome(from, to, side) {
                    Outcome::Moves => {
                        assert_eq!(reply.status, 200, "{cell}: {}", reply.json());
                        assert_eq!(reply.json()["status"], to.as_str(), "{cell}");
                        assert_eq!(after.events.len(), before.events.len() + 1, "{cell}");
                        let row = app.order_row(&order).await;
                        assert_eq!(row.status, to, "{cell}");
                        let due: Vec<&str> = row.deadline().map(|(kind, _)| kind).into_iter().collect();
                        assert_eq!(after.timers, due, "{cell}");
                        order = app.order_at(from, &cast).await;
                    }
                    Outcome::Stays => {
                        assert_eq!(reply.status, 200, "{cell}: {}", reply.json());
                        assert_eq!(after, before, "{cell}");
                    }
                    Outcome::Refused(status, code) => {
                        let reply = reply.problem(status, code);
                        if status == 409 {
                            assert_eq!(reply.json()["current"], from.as_str(), "{cell}");
                            let shown = app.get(&order_path(&order), person).await.json();
                            assert_eq!(reply.json()["allowed"], shown["transitions"], "{cell}");
                        }
                        assert_eq!(after, before, "{cell}");
                    }
                }
            }
        }
    }
    app.settle().await;
}

#[tokio::test]
async fn a_moved_order_says_so_in_its_log() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.active(&cast.buyer, &cast.listing).await;
    app.put(&order_path(&order), &cast.seller, json!({ "status": "delivered", "message": "Here it is." }))
        .await
        .expect(200);
    app.ask(&order, &cast.buyer, "active").await.expect(200);
    let events = app.happened(&order).await;
    let own: Vec<_> = events.iter().filter(|event| event.kind.starts_with("order_")).collect();
    let kinds: Vec<&str> = own.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["order_placed", "order_paid", "order_delivered", "order_revision_requested"]);
    let delivered = &own[2].body;
    assert_eq!(delivered["from"], "active");
    assert_eq!(delivered["status"], "delivered");
    assert_eq!(delivered["message"], "Here it is.");
    assert_eq!(delivered["amount"], "49.90");
    assert_eq!(own[3].body["message"], Value::Null);
}

#[tokio::test]
async fn the_present_status_changes_nothing() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    let before = app.stored(&order).await;
    let body = json!({ "status": "delivered", "message": "Again." });
    app.put(&order_path(&order), &cast.buyer, body).await.expect(200);
    app.put(&order_path(&order), &cast.buyer, order.clone()).await.expect(200);
    assert_eq!(app.stored(&order).await, before);
}

#[tokio::test]
async fn requirements_are_the_buyers_until_the_order_is_paid() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let path = order_path(&order);
    let heron = json!({ "requirements": "A heron.", "status": "pending" });
    let changed = app.put(&path, &cast.buyer, heron.clone()).await.expect(200);
    assert_eq!(changed.json()["requirements"], "A heron.");
    assert!(changed.header("etag").starts_with("\"2."));
    app.put(&path, &cast.seller, json!({ "requirements": "A crow." })).await.problem(403, "forbidden");
    app.put(&path, &cast.seller, json!({ "requirements": "A heron." })).await.expect(200);
    app.pay(&cast.buyer, &order, "pm_card_visa").await.expect(201);
    app.put(&path, &cast.buyer, json!({ "requirements": "A heron." })).await.expect(200);
    let refused = app
        .put(&path, &cast.buyer, json!({ "requirements": null }))
        .await
        .problem(409, "requirements_frozen");
    assert_eq!(refused.json()["current"], "active");
}

#[tokio::test]
async fn a_forbidden_step_is_403_before_a_wrong_field_is_422() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    let body = json!({ "status": "delivered", "message": 5 });
    app.put(&order_path(&order), &cast.buyer, body.clone()).await.problem(403, "forbidden");
    app.put(&order_path(&order), &cast.seller, body).await.problem(422, "validation_failed");
    app.put(&order_path(&order), &cast.seller, json!({ "status": "done" }))
        .await
        .problem(422, "validation_failed");
}

#[tokio::test]
async fn a_buyer_who_asks_for_the_work_unpaid_is_told_to_pay() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let refused = app.ask(&order, &cast.buyer, "active").await.problem(409, "invalid_transition").json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("pay it with POST /payments"), "{detail}");
    assert_eq!((&refused["current"], &refused["allowed"]), (&json!("pending"), &json!(["cancelled"])));
}

#[tokio::test]
async fn a_stale_writer_is_refused() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let path = order_path(&order);
    let etag = app.get(&path, &cast.buyer).await.header("etag").to_owned();
    let stale = [("if-match", etag.as_str())];
    let heron = Some(json!({ "requirements": "A heron." }));
    app.request("PUT", &path, Some(&cast.buyer.token), &stale, heron.clone()).await.expect(200);
    app.request("PATCH", &path, Some(&cast.buyer.token), &stale, heron).await.problem(412, "stale_version");
    app.request("DELETE", &path, Some(&cast.buyer.token), &stale, None).await.problem(412, "stale_version");
    let etag = app.get(&path, &cast.buyer).await.header("etag").to_owned();
    let fresh = [("if-match", etag.as_str())];
    let cancelled = app.request("DELETE", &path, Some(&cast.buyer.token), &fresh, None).await.expect(200);
    assert_eq!(cancelled.json()["status"], "cancelled");
    app.delete(&path, &cast.buyer).await.expect(200);
}

#[tokio::test]
async fn a_message_without_a_step_is_not_dropped_in_silence() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    let path = order_path(&order);
    let refused = app
        .put(&path, &cast.seller, json!({ "message": "Almost there." }))
        .await
        .problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/message"]);
    app.put(&path, &cast.seller, json!({ "message": "Almost there.", "status": "active" })).await.expect(200);
}

// Disputes

#[tokio::test]
async fn a_dispute_stops_the_clocks() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    assert!(order["auto_complete_at"].is_string());
    let disputed = app.ask(&order, &cast.seller, "disputed").await.expect(200).json();
    assert_eq!(disputed["auto_complete_at"], Value::Null);
    app.advance(10 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(app.get(&order_path(&order), &cast.buyer).await.json()["status"], "disputed");
}

#[tokio::test]
async fn a_split_is_an_administrators_and_leaves_something_to_both() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Disputed, &cast).await;
    let path = order_path(&order);
    let split =
        |amount: &str| json!({ "status": "completed", "refund_amount": amount, "message": "Half done." });
    for (amount, code) in [
        ("49.90", "out_of_range"),
        ("50", "out_of_range"),
        ("0", "out_of_range"),
        ("1.001", "surplus_digits"),
        ("-1", "invalid_amount"),
    ] {
        let reply = app.put(&path, &cast.admin, split(amount)).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), ["/refund_amount"]);
        assert_eq!(reply.json()["errors"][0]["code"], code, "{amount}");
    }
    let cancelled = json!({ "status": "cancelled", "refund_amount": "1" });
    app.put(&path, &cast.admin, cancelled).await.problem(422, "validation_failed");
    app.put(&path, &cast.buyer, split("10")).await.problem(422, "validation_failed");
    let settled = app.put(&path, &cast.admin, split("20")).await.expect(200).json();
    assert_eq!(settled["status"], "completed");
    assert_eq!(settled["fee"], "2.99", "ten per cent of the 29.90 that were released");
    app.settle().await;
}

#[tokio::test]
async fn a_delivery_that_is_refunded_in_full_is_off() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let payment = app.pay(&cast.buyer, &order, "pm_card_visa").await.expect(201).json();
    app.ask(&order, &cast.seller, "delivered").await.expect(200);
    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    app.post(&path, &cast.seller, json!({ "reason": "We agreed to stop." })).await.expect(201);
    app.settle().await;
    let stored = app.stored(&order).await;
    assert_eq!(stored.events, ["order_placed", "order_paid", "order_delivered", "order_cancelled"]);
    assert_eq!(stored.timers, Vec::<String>::new());
    let row = app.order_row(&order).await;
    assert_eq!((row.status, row.auto_complete_at), (Status::Cancelled, None));
}

#[tokio::test]
async fn the_fee_follows_what_is_given_back() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let payment = app.pay(&cast.buyer, &order, "pm_card_visa").await.expect(201).json();
    let path = order_path(&order);
    let before = app.get(&path, &cast.seller).await.expect(200);
    assert_eq!(before.json()["fee"], "4.99");
    app.refund(&cast.admin, &payment, Some("20")).await.expect(201);
    let after = app.get(&path, &cast.seller).await.expect(200);
    assert_eq!(after.json()["fee"], "2.99", "ten per cent of the 29.90 that are left");
    assert_ne!(after.header("etag"), before.header("etag"));
    let cancelled = app.ask(&order, &cast.seller, "cancelled").await.expect(200);
    assert_eq!(cancelled.json()["fee"], "0.00");
    let stored = app.get(&path, &cast.seller).await.expect(200);
    assert_eq!(cancelled.header("etag"), stored.header("etag"), "the answer's version is the stored one");
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn the_fee_of_an_order_that_nobody_paid_is_nothing() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let cancelled = app.ask(&order, &cast.seller, "cancelled").await.expect(200).json();
    assert_eq!(cancelled["fee"], "0.00");
}

// Deadlines

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

// Two at once

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

// Any sequence at all

#[derive(Debug, Clone)]
enum Act {
    Ask(Side, Status),
    Cancel(Side),
    Pay,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let side = || prop::sample::select(vec![Side::Buyer, Side::Freelancer, Side::Admin]);
    prop_oneof![
        8 => (side(), prop::sample::select(Status::ALL.to_vec())).prop_map(|(side, to)| Act::Ask(side, to)),
        1 => side().prop_map(Act::Cancel),
        3 => Just(Act::Pay),
        2 => prop::sample::select(vec![20_u64, 80, 200]).prop_map(Act::Wait),
    ]
}

#[test]
fn no_sequence_of_requests_leaves_the_machine() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(act(), 1..16), |acts| {
            runtime.block_on(play(&acts));
            Ok(())
        })
        .unwrap();
}

async fn play(acts: &[Act]) {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let id = app.order_row(&order).await.id;
    for act in acts {
        let person = |side: &Side| match side {
            Side::Buyer => &cast.buyer,
            Side::Freelancer => &cast.seller,
            _ => &cast.admin,
        };
        let status = match act {
            Act::Ask(side, to) => app.ask(&order, person(side), to.as_str()).await.status,
            Act::Cancel(side) => app.delete(&order_path(&order), person(side)).await.status,
            Act::Pay => app.pay(&cast.buyer, &order, "pm_card_visa").await.status,
            Act::Wait(hours) => {
                app.advance(Duration::from_secs(hours * 3_600)).await;
                logged_in_again(&app, &mut cast).await;
                200
            }
        };
        assert!([200, 201, 403, 409].contains(&status), "{act:?} was answered {status}");
        let row = app.order_row(&order).await;
        let mut stands = None;
        for event in app.happened(&order).await {
            let Some(to) = event.body["status"].as_str().and_then(Status::parse) else { continue };
            let from = event.body["from"].as_str().and_then(Status::parse);
            assert_eq!(from, stands, "{} continues the log", event.kind);
            assert!(from.is_none_or(|from| orders::legal(from, to)), "{from:?} → {to}");
            stands = Some(to);
        }
        assert_eq!(stands, Some(row.status), "the log ends where {id} stands");
        let due: Vec<&str> = row.deadline().map(|(kind, _)| kind).into_iter().collect();
        let set = app.stored(&order).await.timers;
        assert!(set.is_empty() && row.status == Status::Active || set == due, "{set:?} at {}", row.status);
        assert_eq!(row.auto_complete_at.is_some(), row.status == Status::Delivered);
        let at_stake = matches!(row.status, Status::Active | Status::Delivered | Status::Disputed);
        let expected = if at_stake { row.amount.minor() } else { 0 };
        let held = app.app.db().read(move |tx| payments::held(tx, &row)).await.unwrap();
        assert_eq!(held, expected, "escrow holds the money while the work is open, and only then");
    }
    app.audit().await;
}

// Lists and the timeline

#[tokio::test]
async fn a_list_holds_ones_own_orders_newest_first() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let second = app.listing_with(&cast.seller, json!({ "title": "Another" })).await;
    let own = app.listing(&cast.stranger).await;
    let mut placed = Vec::new();
    for listing in [&cast.listing, &second, &cast.listing] {
        placed.push(app.placed(&cast.buyer, listing).await["id"].clone());
    }
    placed.push(app.placed(&cast.stranger, &cast.listing).await["id"].clone());
    placed.push(app.placed(&cast.buyer, &own).await["id"].clone());
    let ids = async |query: &str, reader: &Person| {
        let list = app.get(&format!("/orders{query}"), reader).await.expect(200).json();
        list["data"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect::<Vec<_>>()
    };
    let pick = |which: &[usize]| which.iter().map(|index| placed[*index].clone()).collect::<Vec<_>>();
    assert_eq!(ids("", &cast.buyer).await, pick(&[4, 2, 1, 0]));
    assert_eq!(ids("", &cast.seller).await, pick(&[3, 2, 1, 0]));
    assert_eq!(ids("", &cast.stranger).await, pick(&[4, 3]), "as buyer and as freelancer");
    assert_eq!(ids("?role=buyer", &cast.stranger).await, pick(&[3]));
    assert_eq!(ids("?role=freelancer", &cast.stranger).await, pick(&[4]));
    assert_eq!(ids("", &cast.admin).await, pick(&[4, 3, 2, 1, 0]));
    let only = format!("?service_id={}", second["id"].as_str().unwrap());
    assert_eq!(ids(&only, &cast.seller).await, pick(&[1]));
    assert_eq!(ids("?service_id=x", &cast.seller).await, pick(&[]));
    app.delete(&format!("/orders/{}", placed[2].as_str().unwrap()), &cast.buyer).await.expect(200);
    assert_eq!(ids("?status=cancelled", &cast.buyer).await, pick(&[2]));
    for query in ["?status=done", "?role=admin", "?role=house", "?sort=price"] {
        app.get(&format!("/orders{query}"), &cast.buyer).await.problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn pages_of_orders_join_without_gap() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let own = app.listing(&cast.stranger).await;
    let mut placed = Vec::new();
    for turn in 0..7 {
        let order = match turn % 2 {
            0 => app.placed(&cast.stranger, &cast.listing).await,
            _ => app.placed(&cast.buyer, &own).await,
        };
        placed.insert(0, order["id"].clone());
    }
    let (mut seen, mut path) = (Vec::new(), "/orders?limit=2".to_owned());
    loop {
        let reply = app.get(&path, &cast.stranger).await.expect(200);
        let page = reply.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|order| order["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/orders?limit=2&cursor={cursor}");
        assert_eq!(reply.header("link"), format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(seen, placed);
}

#[tokio::test]
async fn the_timeline_tells_each_what_concerns_him_newest_first() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let id = app.order_row(&order).await.id;
    let failed = move |tx: &guildhall::db::Tx| {
        for _ in 0..3 {
            guildhall::events::append(
                tx,
                &Actor::System,
                "payment_failed",
                id,
                json!({ "message": "declined" }),
            )?;
        }
        Ok(())
    };
    app.app.db().write(failed).await.unwrap();
    app.delete(&order_path(&order), &cast.buyer).await.expect(200);
    let path = format!("{}/timeline", order_path(&order));
    let events = async |query: &str, reader: &Person| {
        let list = app.get(&format!("{path}{query}"), reader).await.expect(200).json();
        let names =
            list["data"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), list["next_cursor"].clone())
    };
    let all = ["order_cancelled", "payment_failed", "payment_failed", "payment_failed", "order_placed"];
    assert_eq!(events("", &cast.buyer).await.0, all);
    assert_eq!(events("", &cast.admin).await.0, all);
    let (shown, next) = events("?limit=1", &cast.seller).await;
    assert_eq!(shown, ["order_cancelled"]);
    let (shown, next) = events(&format!("?limit=1&cursor={}", next.as_str().unwrap()), &cast.seller).await;
    assert_eq!((shown, next), (vec!["order_placed".to_owned()], Value::Null));
    app.get(&path, &cast.stranger).await.problem(404, "not_found");
}

// What others ask

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
