//! Disputes, from what is wrong to who gets how much, by agreement, by decision or by silence.

use std::time::Duration;

use guildhall::actor::Actor;
use guildhall::db::MIGRATIONS;
use guildhall::orders::{self, Status};
use guildhall::params;
use serde_json::{Value, json};

use crate::support::{Cast, Person, Reply, TestApp, order_path};

const DAY: Duration = Duration::from_secs(86_400);

/// New tokens for everybody: the clock was moved and the old ones have expired.
async fn logged_in_again(app: &TestApp, cast: &mut Cast) {
    cast.buyer = app.log_in("buyer").await;
    cast.seller = app.log_in("seller").await;
    cast.admin = app.log_in("keeper").await;
}

fn dispute_path(order: &Value) -> String {
    format!("{}/dispute", order_path(order))
}

async fn open(app: &TestApp, by: &Person, order: &Value, body: Value) -> Reply {
    app.post(&dispute_path(order), by, body).await
}

async fn seen(app: &TestApp, by: &Person, order: &Value) -> Value {
    app.get(&dispute_path(order), by).await.expect(200).json()
}

async fn write(app: &TestApp, by: &Person, order: &Value, message: &str) -> Reply {
    app.post(&format!("{}/messages", dispute_path(order)), by, json!({ "message": message })).await
}

async fn decide(app: &TestApp, by: &Person, order: &Value, body: Value) -> Reply {
    app.post(&format!("{}/decision", dispute_path(order)), by, body).await
}

async fn offer(app: &TestApp, by: &Person, order: &Value, amount: &str) -> Reply {
    app.post(&format!("{}/settlement", order_path(order)), by, json!({ "refund_amount": amount })).await
}

async fn accept(app: &TestApp, by: &Person, order: &Value, amount: &str) -> Reply {
    let body = json!({ "refund_amount": amount });
    app.post(&format!("{}/settlement/accept", order_path(order)), by, body).await
}

/// A paid order that its buyer disputes.
async fn disputed(app: &TestApp, cast: &Cast) -> Value {
    app.order_at(Status::Disputed, cast).await
}

async fn stands(app: &TestApp, order: &Value) -> Status {
    app.order_row(order).await.status
}

fn in_days(from: &Value, days: u32) -> String {
    guildhall::time::Time::parse(from.as_str().unwrap()).unwrap().plus_days(days).to_string()
}

// Opening

#[tokio::test]
async fn a_dispute_says_who_wants_what_and_until_when() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Delivered, &cast).await;
    app.get(&dispute_path(&order), &cast.buyer).await.problem(404, "not_found");
    let body = json!({ "reason": "Half is missing.", "wants": "20" });
    let reply = open(&app, &cast.buyer, &order, body).await.expect(201);
    assert_eq!(reply.header("location"), dispute_path(&order));
    let dispute = reply.json();
    let expected = json!({
        "id": dispute["id"], "order_id": order["id"], "opened_by": cast.buyer.id, "reason": "Half is missing.",
        "wanted": "20.00", "status": "open", "held": "49.90", "currency": "USD",
        "decide_by": in_days(&dispute["opened_at"], 14), "offers": { "buyer": null, "freelancer": null },
        "outcome": null, "opened_at": dispute["opened_at"]
    });
    assert_eq!(dispute, expected);
    assert_eq!(stands(&app, &order).await, Status::Disputed);
    for reader in [&cast.buyer, &cast.seller, &cast.admin] {
        assert_eq!(seen(&app, reader, &order).await, expected);
    }
    app.get(&dispute_path(&order), &cast.stranger).await.problem(404, "not_found");
    assert_eq!(app.told(&cast.seller).await.last().unwrap(), "order_disputed");
    assert_eq!(app.inbox(&cast.seller).await[0]["data"]["message"], "Half is missing.");
    app.verify().await;
}

#[tokio::test]
async fn the_plain_step_opens_a_dispute_too() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    let body = json!({ "status": "disputed", "message": "No answer." });
    app.put(&order_path(&order), &cast.seller, body).await.expect(200);
    let dispute = seen(&app, &cast.buyer, &order).await;
    assert_eq!((&dispute["reason"], &dispute["opened_by"]), (&json!("No answer."), &json!(cast.seller.id)));
    let silent = disputed(&app, &cast).await;
    let dispute = seen(&app, &cast.buyer, &silent).await;
    assert_eq!((&dispute["reason"], &dispute["wanted"]), (&Value::Null, &Value::Null));
    app.verify().await;
}

#[tokio::test]
async fn refusals_of_a_dispute_come_in_their_order() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.stranger, &order, json!({})).await.problem(404, "not_found");
    open(&app, &cast.admin, &order, json!({})).await.problem(403, "forbidden");
    let long = "x".repeat(5_001);
    for reason in [json!(null), json!(""), json!(" "), json!(5), json!(long)] {
        let reply = open(&app, &cast.buyer, &order, json!({ "reason": reason })).await;
        assert_eq!(reply.problem(422, "validation_failed").pointers(), ["/reason"]);
    }
    for wants in ["49.91", "-1", "1.001", "all"] {
        let reply = open(&app, &cast.buyer, &order, json!({ "reason": "Late.", "wants": wants })).await;
        assert_eq!(reply.problem(422, "validation_failed").pointers(), ["/wants"]);
    }
    assert_eq!(stands(&app, &order).await, Status::Active, "nothing was done");
    app.get(&dispute_path(&order), &cast.buyer).await.problem(404, "not_found");
    let body = json!({ "reason": "Late.", "wants": 0 });
    open(&app, &cast.buyer, &order, body.clone()).await.expect(201);
    let again = open(&app, &cast.seller, &order, body.clone()).await.problem(409, "invalid_transition");
    assert_eq!(again.json()["current"], "disputed");
    for status in [Status::Pending, Status::Completed, Status::Cancelled] {
        let order = app.order_at(status, &cast).await;
        open(&app, &cast.buyer, &order, body.clone()).await.problem(409, "invalid_transition");
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn the_etag_follows_what_is_said_and_offered() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let etag = async |by: &Person| app.get(&dispute_path(&order), by).await.header("etag").to_owned();
    let before = etag(&cast.buyer).await;
    assert_eq!(etag(&cast.admin).await, before);
    offer(&app, &cast.seller, &order, "5").await.expect(201);
    assert_ne!(etag(&cast.buyer).await, before);
}

// The thread

#[tokio::test]
async fn what_is_written_is_told_to_everybody_else() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let path = format!("{}/messages", dispute_path(&order));
    let first = write(&app, &cast.seller, &order, "Look again.\nPlease.").await.expect(201).json();
    assert_eq!((&first["side"], &first["author_id"]), (&json!("freelancer"), &json!(cast.seller.id)));
    assert_eq!(app.inbox(&cast.buyer).await[0]["type"], "dispute_message");
    assert_eq!(app.inbox(&cast.buyer).await[0]["data"]["message"], "Look again.\nPlease.");
    let to_seller = app.told(&cast.seller).await.len();
    let second = write(&app, &cast.admin, &order, "Which files?").await.expect(201).json();
    assert_eq!(second["side"], "admin");
    for person in [&cast.buyer, &cast.seller] {
        assert_eq!(app.inbox(person).await[0]["data"]["message"], "Which files?");
    }
    assert_eq!(app.told(&cast.seller).await.len(), to_seller + 1, "not of their own words");
    write(&app, &cast.buyer, &order, "The second.").await.expect(201);
    let page = app.get(&format!("{path}?limit=2"), &cast.admin).await.expect(200).json();
    assert_eq!((&page["data"][0]["message"], &page["data"][1]), (&json!("The second."), &second));
    let next = format!("{path}?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(app.get(&next, &cast.seller).await.expect(200).json()["data"], json!([first]));
    write(&app, &cast.stranger, &order, "Hello?").await.problem(404, "not_found");
    app.get(&path, &cast.stranger).await.problem(404, "not_found");
    write(&app, &cast.buyer, &order, "").await.problem(422, "validation_failed");
    decide(&app, &cast.admin, &order, json!({ "refund_amount": 0, "reason": "All is there." }))
        .await
        .expect(200);
    let refused = write(&app, &cast.buyer, &order, "But…").await.problem(409, "dispute_closed");
    assert_eq!(refused.json()["current"], "decided");
    assert_eq!(app.get(&path, &cast.buyer).await.expect(200).json()["data"].as_array().unwrap().len(), 3);
    app.verify().await;
}

#[tokio::test]
async fn an_order_that_nobody_disputed_has_no_thread() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    write(&app, &cast.buyer, &order, "Hello").await.problem(404, "not_found");
    offer(&app, &cast.buyer, &order, "1").await.problem(404, "not_found");
    accept(&app, &cast.buyer, &order, "1").await.problem(404, "not_found");
    decide(&app, &cast.admin, &order, json!({})).await.problem(404, "not_found");
    app.get(&format!("{}/messages", dispute_path(&order)), &cast.buyer).await.problem(404, "not_found");
}

// Agreeing

#[tokio::test]
async fn a_split_that_both_agree_to_moves_the_money_and_leaves_the_review() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    offer(&app, &cast.seller, &order, "15").await.expect(201);
    let replaced = offer(&app, &cast.seller, &order, "20.00").await.expect(201).json();
    assert_eq!(replaced["offers"]["freelancer"]["refund_amount"], "20.00");
    assert_eq!(replaced["offers"]["buyer"], Value::Null);
    let stale = accept(&app, &cast.buyer, &order, "15").await.problem(409, "offer_changed").json();
    assert_eq!(stale["offer"]["refund_amount"], "20.00");
    let own = accept(&app, &cast.seller, &order, "20").await.problem(409, "offer_changed").json();
    assert_eq!(own["offer"], Value::Null, "nobody accepts their own offer");
    let settled = accept(&app, &cast.buyer, &order, "20").await.expect(200).json();
    assert_eq!((&settled["status"], &settled["held"]), (&json!("settled"), &json!("0.00")));
    assert_eq!(settled["decide_by"], Value::Null);
    let outcome = &settled["outcome"];
    assert_eq!((&outcome["refund_amount"], &outcome["by"]), (&json!("20.00"), &json!(cast.buyer.id)));
    let row = app.order_row(&order).await;
    assert_eq!((row.status, row.fee.to_string().as_str()), (Status::Completed, "2.99"));
    assert_eq!(app.escrow(&order).await, 0);
    assert_eq!(app.balance(&format!("payable:{}", cast.seller.id)).await, 2_691);
    let told = app.inbox(&cast.seller).await;
    let settled = told.iter().find(|row| row["type"] == "dispute_settled").unwrap();
    assert_eq!(settled["data"]["refund_amount"], "20.00");
    let after = told.iter().find(|row| row["type"] == "order_completed").unwrap();
    assert_eq!(after["message"], "The dispute is over, the order is completed: A logo that fits on a coin");
    let review = json!({ "order_id": order["id"], "rating": 3 });
    app.post("/reviews", &cast.buyer, review).await.expect(201);
    accept(&app, &cast.buyer, &order, "20").await.problem(409, "dispute_closed");
    offer(&app, &cast.buyer, &order, "1").await.problem(409, "dispute_closed");
    app.audit().await;
    assert_eq!(app.given_back().await, 2_000);
    app.verify().await;
}

#[tokio::test]
async fn everything_back_cancels_and_nothing_back_completes() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let back = disputed(&app, &cast).await;
    offer(&app, &cast.seller, &back, "49.90").await.expect(201);
    let settled = accept(&app, &cast.buyer, &back, "49.90").await.expect(200).json();
    assert_eq!(settled["outcome"]["refund_amount"], "49.90");
    assert_eq!(stands(&app, &back).await, Status::Cancelled);
    let review = json!({ "order_id": back["id"], "rating": 1 });
    app.post("/reviews", &cast.buyer, review).await.problem(403, "no_completed_order");
    let kept = disputed(&app, &cast).await;
    offer(&app, &cast.buyer, &kept, "0").await.expect(201);
    let settled = accept(&app, &cast.seller, &kept, "0.00").await.expect(200).json();
    assert_eq!(settled["outcome"]["refund_amount"], "0.00");
    assert_eq!(stands(&app, &kept).await, Status::Completed);
    app.audit().await;
    assert_eq!(app.given_back().await, 4_990);
    app.verify().await;
}

#[tokio::test]
async fn an_offer_can_be_taken_back() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let path = format!("{}/settlement", order_path(&order));
    app.delete(&path, &cast.seller).await.problem(404, "not_found");
    offer(&app, &cast.seller, &order, "10").await.expect(201);
    app.delete(&path, &cast.buyer).await.problem(404, "not_found");
    app.delete(&path, &cast.admin).await.problem(403, "forbidden");
    app.delete(&path, &cast.seller).await.expect(204);
    assert_eq!(app.told(&cast.buyer).await[1..], ["settlement_offered", "settlement_withdrawn"]);
    let refused = accept(&app, &cast.buyer, &order, "10").await.problem(409, "offer_changed");
    assert_eq!(refused.json()["offer"], Value::Null);
    app.verify().await;
}

#[tokio::test]
async fn an_offer_is_between_the_two_and_within_what_is_held() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    offer(&app, &cast.admin, &order, "10").await.problem(403, "forbidden");
    accept(&app, &cast.admin, &order, "10").await.problem(403, "forbidden");
    offer(&app, &cast.stranger, &order, "10").await.problem(404, "not_found");
    for (amount, code) in [
        ("49.91", "out_of_range"),
        ("-1", "invalid_amount"),
        ("1.001", "surplus_digits"),
        ("", "invalid_amount"),
    ] {
        let reply = offer(&app, &cast.buyer, &order, amount).await.problem(422, "validation_failed");
        assert_eq!(reply.json()["errors"][0]["code"], code, "{amount}");
    }
}

// Deciding

#[tokio::test]
async fn an_administrator_decides_any_split() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    for (part, back, status) in [
        (json!({ "refund_percent": 0 }), "0.00", Status::Completed),
        (json!({ "refund_percent": "33.33" }), "16.63", Status::Completed),
        (json!({ "refund_percent": 50 }), "24.95", Status::Completed),
        (json!({ "refund_percent": 100 }), "49.90", Status::Cancelled),
        (json!({ "refund_amount": "49.89" }), "49.89", Status::Completed),
        (json!({ "refund_amount": "49.90" }), "49.90", Status::Cancelled),
        (json!({ "refund_amount": 0 }), "0.00", Status::Completed),
    ] {
        let order = disputed(&app, &cast).await;
        let mut body = part.clone();
        body["reason"] = json!("As the contract says.");
        let decided = decide(&app, &cast.admin, &order, body).await.expect(200).json();
        assert_eq!(decided["status"], "decided", "{part}");
        assert_eq!(decided["outcome"]["refund_amount"], back, "{part}");
        assert_eq!(decided["outcome"]["by"], cast.admin.id);
        assert_eq!(decided["outcome"]["reason"], "As the contract says.");
        assert_eq!(stands(&app, &order).await, status, "{part}");
        for person in [&cast.buyer, &cast.seller] {
            let told = app.inbox(person).await;
            let decision = told.iter().find(|row| row["type"] == "dispute_decided").unwrap();
            assert_eq!(decision["data"]["message"], "As the contract says.");
            assert_eq!(decision["data"]["refund_amount"], back);
        }
    }
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_decision_has_a_reason_and_one_measure() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let good = json!({ "refund_amount": "1", "reason": "So." });
    decide(&app, &cast.buyer, &order, good.clone()).await.problem(403, "forbidden");
    decide(&app, &cast.seller, &order, json!({})).await.problem(403, "forbidden");
    decide(&app, &cast.stranger, &order, json!({})).await.problem(404, "not_found");
    for (body, pointer) in [
        (json!({ "refund_amount": "1" }), "/reason"),
        (json!({ "refund_amount": "1", "reason": "" }), "/reason"),
        (json!({ "reason": "So." }), "/refund_amount"),
        (json!({ "refund_amount": "1", "refund_percent": 1, "reason": "So." }), "/refund_amount"),
        (json!({ "refund_amount": "49.91", "reason": "So." }), "/refund_amount"),
        (json!({ "refund_percent": 100.01, "reason": "So." }), "/refund_percent"),
        (json!({ "refund_percent": "33.333", "reason": "So." }), "/refund_percent"),
        (json!({ "refund_percent": -1, "reason": "So." }), "/refund_percent"),
    ] {
        let reply = decide(&app, &cast.admin, &order, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), [pointer], "{body}");
    }
    assert_eq!(stands(&app, &order).await, Status::Disputed);
    decide(&app, &cast.admin, &order, good.clone()).await.expect(200);
    decide(&app, &cast.admin, &order, good).await.problem(409, "dispute_closed");
    app.settle().await;
}

#[tokio::test]
async fn the_plain_step_of_an_administrator_ends_a_dispute_too() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    for (body, back) in [
        (json!({ "status": "completed", "refund_amount": "20", "message": "Half." }), "20.00"),
        (json!({ "status": "completed", "message": "Half." }), "0.00"),
        (json!({ "status": "cancelled", "message": "Half." }), "49.90"),
    ] {
        let order = disputed(&app, &cast).await;
        app.put(&order_path(&order), &cast.admin, body).await.expect(200);
        let dispute = seen(&app, &cast.buyer, &order).await;
        assert_eq!(dispute["status"], "decided");
        assert_eq!(dispute["outcome"]["refund_amount"], back);
        assert_eq!(dispute["outcome"]["by"], cast.admin.id);
        assert_eq!(dispute["outcome"]["reason"], "Half.");
    }
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_currency_without_digits_is_split_in_whole_units() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    cast.listing =
        app.listing_with(&cast.seller, json!({ "title": "A seal", "price": "501", "currency": "JPY" })).await;
    let order = disputed(&app, &cast).await;
    offer(&app, &cast.seller, &order, "10.5").await.problem(422, "validation_failed");
    let offered = offer(&app, &cast.seller, &order, "200").await.expect(201).json();
    assert_eq!((&offered["held"], &offered["currency"]), (&json!("501"), &json!("JPY")));
    let body = json!({ "refund_percent": 50, "reason": "Half." });
    let decided = decide(&app, &cast.admin, &order, body).await.expect(200).json();
    assert_eq!(decided["outcome"]["refund_amount"], "250", "half to even");
    assert_eq!(app.order_row(&order).await.fee.minor(), 25);
    app.audit().await;
    app.verify().await;
}

// Silence

/// What the buyer got back, once the order is over.
async fn given_back(app: &TestApp, by: &Person, order: &Value) -> Value {
    seen(app, by, order).await["outcome"]["refund_amount"].clone()
}

#[tokio::test]
async fn silence_gives_the_buyer_what_he_wanted_after_two_reminders() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.buyer, &order, json!({ "reason": "Nothing came.", "wants": "30" })).await.expect(201);
    let reminders = async |app: &TestApp, person: &Person| {
        app.told(person).await.iter().filter(|kind| *kind == "dispute_reminder").count()
    };
    let minute = Duration::from_secs(60);
    for (wait, reminded) in [(11 * DAY - minute, 0), (minute, 1), (2 * DAY - minute, 1), (minute, 2)] {
        app.advance(wait).await;
        logged_in_again(&app, &mut cast).await;
        for person in [&cast.buyer, &cast.seller] {
            assert_eq!(reminders(&app, person).await, reminded, "{}", person.username);
        }
    }
    let told = app.inbox(&cast.seller).await.remove(0);
    let words = told["data"]["message"].as_str().unwrap();
    assert!(words.contains("Unless the freelancer answers") && words.contains("30.00 USD"), "{words}");
    assert_eq!(stands(&app, &order).await, Status::Disputed);
    app.advance(DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Completed);
    let dispute = seen(&app, &cast.seller, &order).await;
    assert_eq!((&dispute["status"], &dispute["outcome"]["by"]), (&json!("decided"), &Value::Null));
    assert_eq!(dispute["outcome"]["refund_amount"], "30.00");
    assert_eq!(app.told(&cast.seller).await.iter().filter(|kind| *kind == "dispute_decided").count(), 1);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn who_wanted_nothing_in_particular_gets_everything_by_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let of_buyer = disputed(&app, &cast).await;
    let of_seller = app.order_at(Status::Delivered, &cast).await;
    app.ask(&of_seller, &cast.seller, "disputed").await.expect(200);
    let less = app.order_at(Status::Delivered, &cast).await;
    open(&app, &cast.seller, &less, json!({ "reason": "He never answers.", "wants": "9.90" }))
        .await
        .expect(201);
    for _ in 0..14 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(given_back(&app, &cast.buyer, &of_buyer).await, "49.90");
    assert_eq!(stands(&app, &of_buyer).await, Status::Cancelled);
    assert_eq!(given_back(&app, &cast.buyer, &of_seller).await, "0.00");
    assert_eq!(given_back(&app, &cast.buyer, &less).await, "9.90");
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_word_or_an_offer_of_the_other_side_ends_the_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let (by_word, by_offer, by_neither) =
        (disputed(&app, &cast).await, disputed(&app, &cast).await, disputed(&app, &cast).await);
    write(&app, &cast.seller, &by_word, "It was delivered.").await.expect(201);
    offer(&app, &cast.seller, &by_offer, "0").await.expect(201);
    write(&app, &cast.buyer, &by_neither, "Hello?").await.expect(201);
    write(&app, &cast.admin, &by_neither, "Please answer.").await.expect(201);
    for _ in 0..14 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &by_word).await, Status::Disputed);
    assert_eq!(stands(&app, &by_offer).await, Status::Disputed);
    assert_eq!(stands(&app, &by_neither).await, Status::Cancelled, "the other side did not speak");
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn a_dispute_that_both_argue_comes_before_administrators_until_one_decides() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    app.second_admin().await;
    let order = disputed(&app, &cast).await;
    write(&app, &cast.seller, &order, "It was delivered.").await.expect(201);
    let opened_at = seen(&app, &cast.buyer, &order).await["opened_at"].clone();
    for (wait, times) in [(13, 0), (1, 1), (2, 1), (1, 2), (3, 3)] {
        app.advance(wait * DAY).await;
        logged_in_again(&app, &mut cast).await;
        let warden = app.log_in("warden").await;
        for admin in [&cast.admin, &warden] {
            assert_eq!(app.told(admin).await, vec!["dispute_escalated"; times], "{}", admin.username);
        }
    }
    let dispute = seen(&app, &cast.buyer, &order).await;
    assert_eq!(dispute["decide_by"], in_days(&opened_at, 23));
    assert!(!app.told(&cast.seller).await.iter().any(|kind| kind.starts_with("dispute_")), "no reminders");
    app.verify().await;
    decide(&app, &cast.admin, &order, json!({ "refund_percent": 10, "reason": "A late one." }))
        .await
        .expect(200);
    app.advance(5 * DAY).await;
    app.verify().await;
}

#[tokio::test]
async fn nobody_loses_money_by_silence_without_a_reminder() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    app.advance(40 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Disputed, "the house was asleep");
    assert_eq!(app.told(&cast.seller).await.last().unwrap(), "dispute_reminder");
    let opened_at = seen(&app, &cast.buyer, &order).await["opened_at"].clone();
    assert!(
        seen(&app, &cast.buyer, &order).await["decide_by"].as_str().unwrap()
            >= in_days(&opened_at, 41).as_str()
    );
    app.advance(DAY).await;
    assert_eq!(stands(&app, &order).await, Status::Cancelled);
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn what_the_house_freezes_is_never_decided_by_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    for status in [Status::Active, Status::Delivered] {
        let order = app.order_at(status, &cast).await;
        let row = app.order_row(&order).await;
        app.write(move |tx| orders::dispute(tx, &Actor::System, &row, Some("The bank asks.")).map(drop))
            .await;
        let dispute = seen(&app, &cast.buyer, &order).await;
        assert_eq!((&dispute["opened_by"], &dispute["reason"]), (&Value::Null, &json!("The bank asks.")));
        for _ in 0..15 {
            app.advance(DAY).await;
        }
        logged_in_again(&app, &mut cast).await;
        assert_eq!(stands(&app, &order).await, Status::Disputed);
    }
    assert!(app.told(&cast.admin).await.contains(&"dispute_escalated".to_owned()));
    app.verify().await;
}

#[tokio::test]
async fn the_time_to_answer_is_the_operators_to_set() {
    let app = TestApp::with(|config| config.market.dispute_within = 5 * DAY).await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let dispute = seen(&app, &cast.buyer, &order).await;
    assert_eq!(dispute["decide_by"], in_days(&dispute["opened_at"], 5));
}

// What is left to see

#[tokio::test]
async fn the_timeline_tells_the_whole_dispute() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.buyer, &order, json!({ "reason": "Half is missing." })).await.expect(201);
    write(&app, &cast.seller, &order, "Which half?").await.expect(201);
    offer(&app, &cast.seller, &order, "1").await.expect(201);
    app.delete(&format!("{}/settlement", order_path(&order)), &cast.seller).await.expect(204);
    offer(&app, &cast.seller, &order, "2").await.expect(201);
    accept(&app, &cast.buyer, &order, "2").await.expect(200);
    app.settle().await;
    let happened: Vec<String> = app.happened(&order).await.into_iter().map(|event| event.kind).collect();
    let from = happened.iter().position(|kind| kind == "order_disputed").unwrap();
    let shown: Vec<&str> = happened[from..].iter().map(String::as_str).collect();
    let of_dispute: Vec<&&str> = shown.iter().filter(|kind| !kind.starts_with("refund_")).collect();
    let expected = [
        "order_disputed",
        "dispute_message",
        "settlement_offered",
        "settlement_withdrawn",
        "settlement_offered",
        "order_completed",
        "dispute_settled",
    ];
    assert_eq!(of_dispute, expected.iter().collect::<Vec<_>>());
    let timeline =
        app.get(&format!("{}/timeline", order_path(&order)), &cast.seller).await.expect(200).json();
    let said =
        timeline["data"].as_array().unwrap().iter().find(|row| row["event"] == "dispute_message").unwrap();
    assert_eq!((&said["message"], &said["actor_id"]), (&json!("Which half?"), &json!(cast.seller.id)));
}

#[tokio::test]
async fn a_repeated_offer_with_one_key_is_made_once() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let (path, keyed) = (format!("{}/settlement", order_path(&order)), [("idempotency-key", "one")]);
    let body = json!({ "refund_amount": "5", "message": "Take it." });
    let token = Some(cast.seller.token.as_str());
    let first = app.request("POST", &path, token, &keyed, Some(body.clone())).await.expect(201);
    let again = app.request("POST", &path, token, &keyed, Some(body)).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    let offered = app.told(&cast.buyer).await.iter().filter(|kind| *kind == "settlement_offered").count();
    assert_eq!(offered, 1);
}

/// What the migration finds: orders that were disputed before disputes were kept.
#[tokio::test]
async fn an_older_dispute_gets_its_reason_and_its_deadline() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    let body = json!({ "status": "disputed", "message": "No answer." });
    app.put(&order_path(&order), &cast.buyer, body).await.expect(200);
    let before = seen(&app, &cast.buyer, &order).await;
    let step = MIGRATIONS.iter().find(|step| step.name == "0011_disputes").unwrap();
    let text = if app.app.config().place().is_embedded() { step.sqlite } else { step.postgres };
    let code: String =
        text.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" ");
    app.write(move |tx| {
        tx.execute("delete from timers where kind = 'dispute_deadline'", params![])?;
        tx.execute("delete from disputes where status = 'open'", params![])?;
        for fill in code.split(';').filter(|statement| statement.trim().starts_with("insert into")) {
            assert_eq!(tx.execute(fill, params![])?, 1);
        }
        Ok(())
    })
    .await;
    app.verify().await;
    let mut after = seen(&app, &cast.buyer, &order).await;
    assert_ne!(after["id"], before["id"]);
    after["id"] = before["id"].clone();
    assert_eq!(after, before);
    for days in [11, 2, 1] {
        app.advance(days * DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(given_back(&app, &cast.buyer, &order).await, "49.90");
    app.audit().await;
    app.verify().await;
}
