//! Who may ask for which step, and what a step leaves behind.

use guildhall::orders::{EDGES, Side, Status, When};
use serde_json::{Value, json};

use crate::support::{TestApp, order_path};

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
