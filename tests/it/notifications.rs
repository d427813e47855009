//! Inboxes: whom an event reaches, who may write to whom, what is read.

use guildhall::actor::{Actor, Role, SessionId, UserId};
use guildhall::id::Id;
use guildhall::{events, notifications, orders, params};
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// An order of `buyer` for something of `seller`, waiting for its payment.
async fn order(app: &TestApp, buyer: &Person, seller: &Person) -> Value {
    let listing = app.listing_with(seller, json!({ "title": "Logo for a bakery" })).await;
    app.post("/orders", buyer, json!({ "service_id": listing["id"] })).await.expect(201).json()
}

async fn write_to(app: &TestApp, from: &Person, to: &Person) -> Value {
    let body = json!({ "user_id": to.id, "message": "Could the oven be larger?" });
    app.post("/notifications", from, body).await.expect(201).json()
}

fn as_actor(person: &Person, role: Role) -> Actor {
    Actor::User { id: UserId::from_wire(&person.id), role, session: SessionId::from_wire("") }
}

#[tokio::test]
async fn an_order_tells_the_freelancer_and_not_the_buyer_who_placed_it() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = order(&app, &buyer, &seller).await;
    let told = app.inbox(&seller).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "order_placed");
    assert_eq!(told[0]["message"], "The buyer placed an order: Logo for a bakery");
    assert_eq!(told[0]["data"]["order_id"], order["id"]);
    assert_eq!(told[0]["data"]["service_id"], order["service_id"]);
    assert_eq!(told[0]["data"]["sender"]["username"], "buyer");
    assert_eq!(told[0]["read"], false);
    assert!(app.inbox(&buyer).await.is_empty());
}

#[tokio::test]
async fn every_step_of_an_order_tells_the_other_side() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = order(&app, &buyer, &seller).await;
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    app.put(&path, &buyer, json!({ "requirements": "With a heron." })).await.expect(200);
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    app.put(&path, &seller, json!({ "status": "delivered" })).await.expect(200);
    app.put(&path, &buyer, json!({ "status": "active" })).await.expect(200);
    app.put(&path, &seller, json!({ "status": "disputed" })).await.expect(200);
    assert_eq!(app.told(&buyer).await, ["payment_succeeded", "order_delivered", "order_disputed"]);
    assert_eq!(
        app.told(&seller).await,
        ["order_placed", "order_requirements_changed", "order_paid", "order_revision_requested"]
    );
}

#[tokio::test]
async fn a_deadline_tells_both() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    order(&app, &buyer, &seller).await;
    app.advance(std::time::Duration::from_secs(25 * 3_600)).await;
    let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
    assert_eq!(app.told(&buyer).await, ["order_cancelled"]);
    assert_eq!(app.told(&seller).await, ["order_placed", "order_cancelled"]);
    assert_eq!(app.inbox(&buyer).await[0]["data"]["sender"], Value::Null, "nobody did it");
}

#[tokio::test]
async fn each_kind_of_event_reaches_whom_it_concerns_once() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let order = order(&app, &buyer, &seller).await;
    let by_buyer = as_actor(&buyer, Role::Buyer);
    let by_seller = as_actor(&seller, Role::Freelancer);
    let by_admin = as_actor(&admin, Role::Admin);
    let cases: [(&'static str, Actor, usize, usize); 35] = [
        ("order_completed", by_buyer, 0, 1),
        ("order_completed", by_admin, 1, 1),
        ("order_completed", Actor::System, 1, 1),
        ("order_cancelled", by_buyer, 0, 1),
        ("order_cancelled", by_seller, 1, 0),
        ("order_cancelled", Actor::System, 1, 1),
        ("order_overdue", Actor::System, 1, 1),
        ("order_disputed", by_buyer, 0, 1),
        ("dispute_message", by_seller, 1, 0),
        ("dispute_message", by_admin, 1, 1),
        ("settlement_offered", by_buyer, 0, 1),
        ("settlement_withdrawn", by_seller, 1, 0),
        ("dispute_settled", by_buyer, 0, 1),
        ("dispute_decided", by_admin, 1, 1),
        ("dispute_reminder", Actor::System, 1, 1),
        ("dispute_escalated", Actor::System, 0, 0),
        ("order_paid", Actor::System, 0, 1),
        ("order_paid", by_buyer, 0, 1),
        ("payment_requires_action", by_buyer, 1, 0),
        ("payment_failed", by_buyer, 1, 0),
        ("payment_succeeded", Actor::System, 1, 0),
        ("payment_succeeded", by_buyer, 1, 0),
        ("refund_requested", by_seller, 1, 0),
        ("refund_requested", by_admin, 1, 1),
        ("refund_succeeded", Actor::System, 1, 0),
        ("refund_failed", Actor::System, 1, 0),
        ("clawback_returned", Actor::System, 0, 1),
        ("debt_offset", Actor::System, 0, 1),
        ("chargeback_warned", Actor::System, 0, 1),
        ("chargeback_opened", Actor::System, 0, 1),
        ("chargeback_won", Actor::System, 0, 1),
        ("chargeback_lost", Actor::System, 0, 1),
        ("review_submitted", by_buyer, 0, 1),
        ("review_hidden", by_admin, 1, 0),
        ("account_registered", Actor::System, 0, 0),
    ];
    for (kind, actor, to_buyer, to_seller) in cases {
        let before = (app.inbox(&buyer).await.len(), app.inbox(&seller).await.len());
        let body = json!({
            "buyer_id": buyer.id, "reviewer_id": buyer.id, "freelancer_id": seller.id, "title": "Logo",
            "service_id": order["service_id"], "order_id": order["id"], "payment_id": order["id"], "message": null
        });
        let subject: orders::OrderId = Id::from_wire(order["id"].as_str().unwrap());
        let recipients = notifications::recipients(kind, &body, actor.id()).len();
        app.write(move |tx| events::append(tx, &actor, kind, subject, body.clone())).await;
        let after = (app.inbox(&buyer).await.len(), app.inbox(&seller).await.len());
        assert_eq!((after.0 - before.0, after.1 - before.1), (to_buyer, to_seller), "{kind} by {actor:?}");
        assert_eq!(recipients, to_buyer + to_seller, "{kind}");
    }
    assert!(app.inbox(&admin).await.is_empty());
}

#[tokio::test]
async fn a_partial_refund_by_an_administrator_tells_both() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.paid(&buyer, &seller).await;
    app.refund(&admin, &payment, Some("9.90")).await.expect(201);
    for person in [&buyer, &seller] {
        let told = app.inbox(person).await.remove(0);
        assert_eq!(told["type"], "refund_requested", "{}", person.username);
        assert_eq!(told["data"]["refund_amount"], "9.90");
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn what_is_said_with_a_step_is_told_with_it() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.paid_order(&buyer, &seller).await;
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    app.put(&path, &seller, json!({ "status": "delivered", "message": "Here it is." })).await.expect(200);
    app.put(&path, &buyer, json!({ "status": "active" })).await.expect(200);
    assert_eq!(app.inbox(&buyer).await[0]["data"]["message"], "Here it is.");
    assert!(app.inbox(&seller).await[0]["data"].get("message").is_none());
}

#[tokio::test]
async fn a_split_tells_both_how_much_goes_back() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let order = app.paid_order(&buyer, &seller).await;
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    app.put(&path, &buyer, json!({ "status": "disputed" })).await.expect(200);
    let split = json!({ "status": "completed", "refund_amount": "20", "message": "Half done." });
    app.put(&path, &admin, split).await.expect(200);
    for person in [&buyer, &seller] {
        let told = app.inbox(person).await.remove(0);
        assert_eq!(
            (&told["type"], &told["data"]["refund_amount"]),
            (&json!("order_completed"), &json!("20.00"))
        );
        assert_eq!(told["data"]["message"], "Half done.");
    }
    app.settle().await;
}

#[tokio::test]
async fn an_event_cannot_tell_somebody_twice() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = order(&app, &buyer, &seller).await;
    let id: orders::OrderId = Id::from_wire(order["id"].as_str().unwrap());
    let placed = app.write(move |tx| events::of_subject(tx, id, None, 1)).await.remove(0);
    let again = app.app.db().write(move |tx| notifications::on_event(tx, &placed)).await;
    assert!(again.is_err());
    assert_eq!(app.told(&seller).await, ["order_placed"]);
}

#[tokio::test]
async fn an_inbox_is_its_owners_alone() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    order(&app, &buyer, &seller).await;
    let row = app.inbox(&seller).await[0]["id"].as_str().unwrap().to_owned();
    let inbox = format!("/notifications/{}", seller.id);
    for other in [&buyer, &stranger, &admin] {
        app.get(&inbox, other).await.problem(404, "not_found");
        app.put(&format!("{inbox}/{row}"), other, json!({ "read": true })).await.problem(404, "not_found");
        app.put(&format!("/notifications/me/{row}"), other, json!({ "read": 1 }))
            .await
            .problem(404, "not_found");
        app.post(&format!("{inbox}/read-all"), other, None).await.problem(404, "not_found");
    }
    app.get(&inbox, None).await.problem(401, "unauthenticated");
    assert_eq!(app.get(&inbox, &seller).await.expect(200).json()["unread_count"], 1);
}

#[tokio::test]
async fn the_two_sides_of_an_order_write_to_each_other() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    order(&app, &buyer, &seller).await;
    for (from, to) in [(&buyer, &seller), (&seller, &buyer)] {
        let sent = write_to(&app, from, to).await;
        assert_eq!(sent["type"], "message");
        assert_eq!(app.inbox(to).await[0], sent);
        assert_eq!(sent["data"]["sender"]["username"], from.username);
    }
}

#[tokio::test]
async fn nobody_else_is_written_to() {
    let app = TestApp::new().await;
    let (buyer, seller, stranger) = (app.buyer().await, app.seller().await, app.stranger().await);
    order(&app, &buyer, &seller).await;
    let to = |id: &str| json!({ "user_id": id, "message": "hello" });
    app.post("/notifications", &stranger, to(&seller.id)).await.problem(403, "forbidden");
    app.post("/notifications", &buyer, to(&stranger.id)).await.problem(403, "forbidden");
    app.post("/notifications", &buyer, to(&buyer.id)).await.problem(403, "forbidden");
    app.post("/notifications", &buyer, to("1")).await.problem(404, "not_found");
    app.post("/notifications", None, to(&seller.id)).await.problem(401, "unauthenticated");
    assert_eq!(app.told(&seller).await, ["order_placed"]);
    assert!(app.inbox(&stranger).await.is_empty());
}

#[tokio::test]
async fn a_message_is_plain_text_from_who_really_wrote_it() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    order(&app, &buyer, &seller).await;
    for (field, value) in [
        ("type", json!("order_paid")),
        ("sender", json!(seller.id)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("data", json!({ "order_id": "x" })),
        ("message", json!("")),
        ("message", json!("\u{7}")),
        ("message", json!("x".repeat(5_001))),
    ] {
        let mut body = json!({ "user_id": seller.id, "message": "hello" });
        body[field] = value;
        let reply = app.post("/notifications", &buyer, body).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [format!("/{field}")]);
    }
    app.post("/notifications", &buyer, json!({})).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn an_administrator_speaks_for_the_house() {
    let app = TestApp::new().await;
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    let sent = write_to(&app, &admin, &stranger).await;
    assert_eq!(sent["type"], "announcement");
    assert_eq!(sent["data"], json!({}));
    let body = json!({ "user_id": stranger.id, "message": "closed on Sunday", "type": "maintenance" });
    app.post("/notifications", &admin, body.clone()).await.expect(201);
    assert_eq!(app.told(&stranger).await, ["announcement", "maintenance"]);
    let mut wrong = body;
    wrong["type"] = json!("Not A Word");
    app.post("/notifications", &admin, wrong).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn what_is_read_can_be_told_from_what_is_not() {
    let app = TestApp::new().await;
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    let (first, second) = (write_to(&app, &admin, &stranger).await, write_to(&app, &admin, &stranger).await);
    let path = format!("/notifications/me/{}", first["id"].as_str().unwrap());
    let marked = app.put(&path, &stranger, json!({ "read": true })).await.expect(200).json();
    assert_eq!(marked["read"], true);
    let unread = app.get("/notifications/me?unread=true", &stranger).await.expect(200).json();
    assert_eq!(unread["data"], json!([second]));
    assert_eq!(unread["unread_count"], 1);
    app.put(&path, &stranger, marked).await.expect(200);
    let wrong = app.put(&path, &stranger, json!({ "message": "forged" })).await;
    assert_eq!(wrong.problem(422, "validation_failed").pointers(), ["/message"]);
    app.send("PATCH", &path, &stranger, json!({ "read": false })).await.expect(200);
    assert_eq!(app.get("/notifications/me", &stranger).await.json()["unread_count"], 2);
    app.get("/notifications/me?unread=1", &stranger).await.problem(400, "invalid_parameter");
}

#[tokio::test]
async fn what_arrives_after_reading_all_stays_unread() {
    let app = TestApp::new().await;
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    let shown = write_to(&app, &admin, &stranger).await;
    write_to(&app, &admin, &stranger).await;
    let path = "/notifications/me/read-all";
    let up_to = json!({ "up_to_id": shown["id"] });
    assert_eq!(app.post(path, &stranger, up_to).await.expect(200).json(), json!({ "unread_count": 1 }));
    assert_eq!(app.post(path, &stranger, None).await.expect(200).json(), json!({ "unread_count": 0 }));
    write_to(&app, &admin, &stranger).await;
    let inbox = app.get("/notifications/me", &stranger).await.json();
    assert_eq!(inbox["unread_count"], 1);
    assert_eq!(inbox["data"][0]["read"], false);
    app.post(path, &stranger, json!({ "up_to_id": "1" })).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_deleted_account_has_no_inbox_and_leaves_no_name() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = order(&app, &buyer, &seller).await;
    write_to(&app, &buyer, &seller).await;
    write_to(&app, &seller, &buyer).await;
    let gone = UserId::from_wire(&buyer.id);
    let id: orders::OrderId = Id::from_wire(order["id"].as_str().unwrap());
    let body = json!({ "buyer_id": buyer.id, "freelancer_id": seller.id, "title": "Logo" });
    let left: i64 = app
        .write(move |tx| {
            tx.execute(
                "update users set status = 'deleted', username = null, username_folded = null, email = null,
                     email_folded = null, password_hash = null where id = $1",
                params![gone],
            )?;
            notifications::forget(tx, gone)?;
            events::append(tx, &Actor::System, "order_overdue", id, body.clone())?;
            tx.one("select count(*) from notifications where user_id = $1", params![gone], |row| row.next())
        })
        .await;
    assert_eq!(left, 0, "nothing reaches a deleted account");
    let told = app.inbox(&seller).await;
    assert_eq!(told[0]["type"], "order_overdue");
    assert_eq!(told[1]["data"]["sender"], json!({ "id": buyer.id, "deleted": true }));
    assert!(!json!(told).to_string().contains("\"username\":\"buyer\""));
    app.post("/notifications", &seller, json!({ "user_id": buyer.id, "message": "?" }))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn pages_walk_an_inbox_once_while_more_arrives() {
    let app = TestApp::new().await;
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.insert(0, write_to(&app, &admin, &stranger).await["id"].clone());
    }
    for read in [0, 2, 3] {
        let path = format!("/notifications/me/{}", sent[read].as_str().unwrap());
        app.put(&path, &stranger, json!({ "read": true })).await.expect(200);
    }
    let (mut seen, mut next) = (Vec::new(), "/notifications/me?limit=2".to_owned());
    loop {
        let page = app.get(&next, &stranger).await.expect(200).json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].clone()));
        write_to(&app, &admin, &stranger).await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("/notifications/me?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, sent);
}
