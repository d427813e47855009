//! What two callers do at once: exactly one wins, the other is told why, and `verify` finds nothing afterwards.
//! `GUILDHALL_RACE_ROUNDS` says how often each race is run, 50 times unless it is set.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::support::{Person, Reply, TestApp};

fn rounds() -> usize {
    std::env::var("GUILDHALL_RACE_ROUNDS").map_or(50, |text| text.parse().expect("a number of rounds"))
}

/// One of the two requests of a race.
struct Attempt {
    method: &'static str,
    path: String,
    by: Option<Person>,
    key: Option<String>,
    body: Value,
}

impl Attempt {
    fn new(method: &'static str, path: &str, by: &Person, body: Value) -> Self {
        Self { method, path: path.to_owned(), by: Some(by.clone()), key: None, body }
    }

    fn without_token(path: &str, body: Value) -> Self {
        Self { method: "POST", path: path.to_owned(), by: None, key: None, body }
    }

    fn with_key(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }
}

/// Both requests, let go together on threads of their own.
async fn together(app: &Arc<TestApp>, attempts: [Attempt; 2]) -> [Reply; 2] {
    let gate = Arc::new(Barrier::new(2));
    let running = attempts.map(|attempt| {
        let (app, gate) = (Arc::clone(app), Arc::clone(&gate));
        tokio::spawn(async move {
            let token = attempt.by.as_ref().map(|person| person.token.as_str());
            let key = attempt.key.as_deref().map(|key| ("idempotency-key", key));
            gate.wait().await;
            app.request(attempt.method, &attempt.path, token, key.as_slice(), Some(attempt.body)).await
        })
    });
    let [one, other] = running;
    [one.await.unwrap(), other.await.unwrap()]
}

/// The statuses, smaller first.
fn statuses(replies: &[Reply; 2]) -> [u16; 2] {
    let mut statuses = [replies[0].status, replies[1].status];
    statuses.sort_unstable();
    statuses
}

#[track_caller]
fn one_wins(replies: &[Reply; 2], won: u16, lost: u16, codes: &[&str]) {
    let shown = || format!("{} / {}", replies[0].json(), replies[1].json());
    assert_eq!(statuses(replies), [won.min(lost), won.max(lost)], "{}", shown());
    let loser = replies.iter().find(|reply| reply.status == lost).unwrap();
    assert!(codes.contains(&loser.code().as_str()), "{}", shown());
}

fn path(of: &str, thing: &Value) -> String {
    format!("/{of}/{}", thing["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_registration() {
    let app = Arc::new(TestApp::new().await);
    for round in 0..rounds() {
        let body = |name: &str| json!({ "username": format!("{name}{round}"), "email": format!("ada{round}@example.com"), "password": "quiet copper lantern" });
        let attempts = ["ada", "eda"].map(|name| Attempt::without_token("/users/register", body(name)));
        one_wins(&together(&app, attempts).await, 201, 409, &["email_taken"]);
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_payment_with_one_key() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for round in 0..rounds() {
        let order = app.pending_order(&buyer, &seller).await;
        let body = json!({ "order_id": order["id"], "payment_method": "pm_card_visa" });
        let attempts = [(), ()].map(|()| {
            Attempt::new("POST", "/payments", &buyer, body.clone()).with_key(format!("round-{round}"))
        });
        let replies = together(&app, attempts).await;
        match statuses(&replies) {
            [201, 201] => assert_eq!(replies[0].bytes, replies[1].bytes, "the first answer again"),
            _ => one_wins(&replies, 201, 409, &["idempotency_in_progress"]),
        }
    }
    assert_eq!(app.charges().await, i64::try_from(rounds()).unwrap());
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_payment_with_different_keys() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for round in 0..rounds() {
        let order = app.pending_order(&buyer, &seller).await;
        let body = json!({ "order_id": order["id"], "payment_method": "pm_card_visa" });
        let attempts = ["a", "b"].map(|key| {
            Attempt::new("POST", "/payments", &buyer, body.clone()).with_key(format!("{key}-{round}"))
        });
        one_wins(&together(&app, attempts).await, 201, 409, &["payment_in_progress", "already_paid"]);
    }
    assert_eq!(app.charges().await, i64::try_from(rounds()).unwrap());
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivering_against_cancelling() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    for round in 0..rounds() {
        let order = app.paid_order(&buyer, &seller).await;
        let canceller = if round % 2 == 0 { &admin } else { &seller };
        let attempts = [
            Attempt::new("PUT", &path("orders", &order), &seller, json!({ "status": "delivered" })),
            Attempt::new("PUT", &path("orders", &order), canceller, json!({ "status": "cancelled" })),
        ];
        one_wins(&together(&app, attempts).await, 200, 409, &["invalid_transition"]);
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completing_against_disputing() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for _ in 0..rounds() {
        let order = app.paid_order(&buyer, &seller).await;
        app.move_order(&seller, &order, "delivered").await.expect(200);
        let attempts = [
            Attempt::new("PUT", &path("orders", &order), &buyer, json!({ "status": "completed" })),
            Attempt::new("PUT", &path("orders", &order), &seller, json!({ "status": "disputed" })),
        ];
        one_wins(&together(&app, attempts).await, 200, 409, &["invalid_transition"]);
    }
    app.verify().await;
}

/// A disputed order, and each side's offer: the buyer would take 30.00 back, the seller would give 20.00.
async fn with_offers(app: &TestApp, buyer: &Person, seller: &Person) -> Value {
    let order = app.paid_order(buyer, seller).await;
    app.move_order(buyer, &order, "disputed").await.expect(200);
    for (by, amount) in [(buyer, "30.00"), (seller, "20.00")] {
        let body = json!({ "refund_amount": amount });
        app.post(&format!("{}/settlement", path("orders", &order)), by, body).await.expect(201);
    }
    order
}

/// What the dispute came to, and whether it is what the order's money did.
async fn came_back(app: &TestApp, by: &Person, order: &Value) -> Value {
    let dispute = app.get(&format!("{}/dispute", path("orders", order)), by).await.expect(200).json();
    assert_eq!(dispute["held"], if dispute["status"] == "open" { "49.90" } else { "0.00" });
    dispute["outcome"]["refund_amount"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_accepting_at_once() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for _ in 0..rounds() {
        let order = with_offers(&app, &buyer, &seller).await;
        let accept = format!("{}/settlement/accept", path("orders", &order));
        let attempts = [
            Attempt::new("POST", &accept, &buyer, json!({ "refund_amount": "20.00" })),
            Attempt::new("POST", &accept, &seller, json!({ "refund_amount": "30.00" })),
        ];
        let replies = together(&app, attempts).await;
        one_wins(&replies, 200, 409, &["dispute_closed"]);
        let won = replies.iter().find(|reply| reply.status == 200).unwrap().json();
        assert_eq!(came_back(&app, &buyer, &order).await, won["outcome"]["refund_amount"]);
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_an_offer_that_is_being_replaced() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for round in 0..rounds() {
        let order = with_offers(&app, &buyer, &seller).await;
        let offers = format!("{}/settlement", path("orders", &order));
        let change = match round % 2 {
            0 => Attempt::new("POST", &offers, &seller, json!({ "refund_amount": "10.00" })),
            _ => Attempt::new("DELETE", &offers, &seller, json!({})),
        };
        let accept = format!("{offers}/accept");
        let attempts = [change, Attempt::new("POST", &accept, &buyer, json!({ "refund_amount": "20.00" }))];
        let [changed, accepted] = together(&app, attempts).await;
        match accepted.status {
            200 => {
                changed.problem(409, "dispute_closed");
                assert_eq!(came_back(&app, &buyer, &order).await, "20.00");
            }
            _ => {
                let present = accepted.problem(409, "offer_changed").json()["offer"]["refund_amount"].clone();
                assert_eq!(present, if round % 2 == 0 { json!("10.00") } else { Value::Null });
                assert!(changed.status < 300, "{}", changed.json());
                assert_eq!(came_back(&app, &buyer, &order).await, Value::Null);
            }
        }
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_against_deciding() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    for round in 0..rounds() {
        let order = with_offers(&app, &buyer, &seller).await;
        let of_order = path("orders", &order);
        let decision = match round % 2 {
            0 => Attempt::new(
                "POST",
                &format!("{of_order}/dispute/decision"),
                &admin,
                json!({ "refund_percent": 100, "reason": "Nothing came." }),
            ),
            _ => Attempt::new("PUT", &of_order, &admin, json!({ "status": "cancelled" })),
        };
        let accept = format!("{of_order}/settlement/accept");
        let attempts = [decision, Attempt::new("POST", &accept, &buyer, json!({ "refund_amount": "20.00" }))];
        let replies = together(&app, attempts).await;
        one_wins(&replies, 200, 409, &["dispute_closed", "invalid_transition"]);
        let expected = if replies[1].status == 200 { "20.00" } else { "49.90" };
        assert_eq!(came_back(&app, &buyer, &order).await, expected);
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refunds_of_sixty_per_cent() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    for _ in 0..rounds() {
        let (_, payment) = app.paid(&buyer, &seller).await;
        let path = format!("{}/refunds", path("payments", &payment));
        let body = json!({ "amount": "29.94", "reason": "agreed upon" });
        let attempts = [&seller, &admin].map(|by| Attempt::new("POST", &path, by, body.clone()));
        one_wins(&together(&app, attempts).await, 201, 409, &["refund_exceeds_captured"]);
    }
    app.settle().await;
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_reviews_of_one_order() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for _ in 0..rounds() {
        let order = app.completed_order(&buyer, &seller).await;
        let by_order = json!({ "order_id": order["id"], "rating": 5 });
        let by_service = json!({ "service_id": order["service_id"], "rating": 1 });
        let attempts = [by_order, by_service].map(|body| Attempt::new("POST", "/reviews", &buyer, body));
        one_wins(&together(&app, attempts).await, 201, 409, &["already_reviewed"]);
    }
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_uses_of_one_refresh_token() {
    let app = Arc::new(TestApp::new().await);
    let mut person = app.buyer().await;
    for _ in 0..rounds() {
        let body = json!({ "refresh_token": person.refresh_token });
        let attempts = [(), ()].map(|()| Attempt::without_token("/users/refresh", body.clone()));
        let replies = together(&app, attempts).await;
        // The later one counts as a lost answer that is asked for again: it gets the successor that lives.
        assert_eq!(statuses(&replies), [200, 200]);
        let successors = replies.map(|reply| reply.json()["refresh_token"].as_str().unwrap().to_owned());
        person.refresh_token = the_one_that_lives(&app, successors).await;
    }
    app.verify().await;
}

/// Of two successors one was voided by the other; the family of the living one goes on with the next.
async fn the_one_that_lives(app: &TestApp, successors: [String; 2]) -> String {
    let mut next = Vec::new();
    for token in successors {
        let reply = app.refresh(&token).await;
        if reply.status == 200 {
            next.push(reply.json()["refresh_token"].as_str().unwrap().to_owned());
        } else {
            reply.problem(401, "invalid_refresh_token");
        }
    }
    assert_eq!(next.len(), 1, "one successor lives");
    next.remove(0)
}
