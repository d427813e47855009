//! What a payment provider tells: believed only when it is signed, kept once, applied by looking, whatever comes in whichever
//! order.

mod door;
mod late;
mod parked;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use guildhall::app::Parts;
use guildhall::params;
use guildhall::payments::{self, PaymentId};
use guildhall::providers::sandbox;
use guildhall::providers::sandbox::telling::Telling;
use http::Request;
use serde_json::{Value, json};

use crate::payments::ordered;
use crate::payments::unknown::only_begin;
use crate::support::{Person, Reply, TestApp};

const DAY: Duration = Duration::from_secs(86_400);

/// Longer than a sandbox event and what it makes due take.
const A_WHILE: Duration = Duration::from_secs(5);

/// An event about an object of the sandbox's.
pub fn event(id: &str, said: &str, object: &str, reference: &str, key: Option<&str>) -> Value {
    json!({
        "id": id,
        "object": "event",
        "type": said,
        "created": 1_700_000_000,
        "livemode": false,
        "data": { "object": { "id": reference, "object": object, "metadata": { "key": key } } },
    })
}

pub fn about_payment(id: &str, said: &str, payment: &Value) -> Value {
    let key = format!("payment-{}", payment["id"].as_str().unwrap());
    event(id, said, "charge", "ch_told", Some(&key))
}

impl TestApp {
    /// An application whose sandbox tells what happens.
    pub async fn telling() -> Self {
        Self::made_of(Parts { telling: Telling(true), ..Self::parts() }, |_| {}).await
    }

    /// The header that signs `raw` now.
    async fn signed(&self, raw: &[u8]) -> String {
        let raw = raw.to_vec();
        self.write(move |tx| sandbox::sign(tx, &raw)).await
    }

    /// The secret of the sandbox.
    async fn secret(&self) -> String {
        self.signed(b"").await;
        let sql = "select value from settings where name = 'sandbox_webhook_secret'";
        self.app.db().read(move |tx| tx.one(sql, params![], |row| row.next())).await.unwrap()
    }

    /// Knocks with these bytes and this header.
    async fn knock(&self, raw: impl Into<Body>, signature: Option<&str>) -> Reply {
        let mut request = Request::post("/webhooks/sandbox");
        if let Some(signature) = signature {
            request = request.header(sandbox::SIGNATURE, signature);
        }
        self.raw(request.body(raw.into()).unwrap()).await
    }

    /// Tells an event, signed.
    pub async fn tell(&self, event: &Value) -> Reply {
        let raw = event.to_string();
        let signature = self.signed(raw.as_bytes()).await;
        self.knock(raw, Some(&signature)).await
    }

    /// Every event of the inbox: its id, state and note.
    async fn kept(&self) -> Vec<(String, String, Option<String>)> {
        let sql = "select event_id, state, note from webhook_inbox order by event_id";
        let rows = self
            .app
            .db()
            .read(move |tx| tx.all(sql, params![], |row| Ok((row.next()?, row.next()?, row.next()?))));
        rows.await.unwrap()
    }

    /// The states in the inbox.
    async fn states(&self) -> Vec<String> {
        self.kept().await.into_iter().map(|(_, state, _)| state).collect()
    }

    /// How many journals of this kind there are.
    async fn journals(&self, kind: &str) -> i64 {
        let kind = kind.to_owned();
        let sql = "select count(*) from ledger_journals where kind = $1";
        self.app.db().read(move |tx| tx.one(sql, params![kind], |row| row.next())).await.unwrap()
    }

    /// A payment that the provider has taken and nobody here has heard of yet.
    async fn taken(&self, buyer: &Person, order: &Value) -> Value {
        let id = only_begin(self, buyer, order, "pm_card_visa").await;
        self.ask_the_provider(id).await;
        json!({ "id": id })
    }

    async fn ask_the_provider(&self, id: PaymentId) {
        let attempt = self.app.db().read(move |tx| payments::attempt(tx, id)).await.unwrap().unwrap();
        attempt.ask(self.app.provider()).await.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_of_the_same_event_have_one_effect() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.taken(&buyer, &order).await;
    let raw = about_payment("evt_1", "charge.succeeded", &payment).to_string();
    let signature = app.signed(raw.as_bytes()).await;
    let knocks = (0..1_000).map(|_| app.knock(raw.clone(), Some(&signature)));
    for reply in futures(knocks).await {
        reply.expect(200);
    }
    app.settle().await;
    assert_eq!((app.states().await, app.journals("charge").await), (vec!["done".to_owned()], 1));
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    app.knock(raw.clone(), Some(&signature)).await.expect(200);
    app.audit().await;
}

/// All of them at once.
async fn futures<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = work.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|work| match work.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                done.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

/// Every order of `items`.
fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for place in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(place);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// One life of a payment: it requires action, is confirmed at the provider, succeeds and is given back in part. Its events
/// come in every order, one of them twice, some before the later things have happened.
#[tokio::test]
async fn events_of_a_payment_end_the_same_in_any_order() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let listing = app.listing(&seller).await;
    let said = ["charge.created", "charge.requires_action", "charge.succeeded", "charge.updated"];
    let mut ends = BTreeSet::new();
    let orders = permutations(&[0, 1, 2, 3, 2]);
    assert_eq!(orders.len(), 120);
    for (life, order_of_events) in orders.into_iter().enumerate() {
        let order =
            app.post("/orders", &buyer, json!({ "service_id": listing["id"] })).await.expect(201).json();
        let id = only_begin(&app, &buyer, &order, "pm_card_authenticationRequired").await;
        app.ask_the_provider(id).await;
        let payment = json!({ "id": id });
        let confirmed_before = life % order_of_events.len();
        for (place, event) in order_of_events.into_iter().enumerate() {
            if place == confirmed_before {
                confirm_at_the_provider(&app, id).await;
            }
            app.tell(&about_payment(&format!("evt_{life}_{event}"), said[event], &payment)).await.expect(200);
            if (life + place) % 2 == 0 {
                app.settle().await;
            }
        }
        app.settle().await;
        // An event that came before the last thing happened knows nothing of it: the provider tells of that thing too.
        app.tell(&about_payment(&format!("evt_{life}_last"), "charge.succeeded", &payment)).await.expect(200);
        app.settle().await;
        let end = app.payment(&buyer, &payment).await;
        ends.insert(
            json!([end["status"], end["refunded_amount"], end["failure"], app.escrow(&order).await])
                .to_string(),
        );
        assert_eq!(app.order(&buyer, &order).await["status"], "active");
    }
    assert_eq!(ends, BTreeSet::from([json!(["success", "0.00", null, 4990]).to_string()]));
    assert_eq!((app.journals("charge").await, app.charges().await), (120, 120));
    assert_eq!(app.states().await.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["done".to_owned()]));
    app.audit().await;
}

/// What the buyer does on the provider's own page.
async fn confirm_at_the_provider(app: &TestApp, id: PaymentId) {
    let charge = app.app.db().read(move |tx| payments::find(tx, id)).await.unwrap().unwrap().charge();
    app.app.provider().confirm(&charge).await.unwrap();
}

#[tokio::test]
async fn another_amount_than_asked_for_is_a_case_and_no_money() {
    for (column, value) in [("amount_minor", "1"), ("currency", "'EUR'")] {
        let app = TestApp::new().await;
        let (buyer, _, order) = ordered(&app).await;
        let payment = app.taken(&buyer, &order).await;
        let statement = format!("update sandbox_charges set {column} = {value} where status = $1");
        app.write(move |tx| tx.execute(&statement, params!["succeeded"])).await;
        app.tell(&about_payment("evt_1", "charge.succeeded", &payment)).await.expect(200);
        app.settle().await;
        assert_eq!(app.cases().await, ["integrity_failure"], "{column}");
        assert_eq!((app.escrow(&order).await, app.journals("charge").await), (0, 0));
        assert_eq!(app.payment(&buyer, &payment).await["status"], "pending");
        assert_eq!(app.states().await, ["done"]);
    }
}

#[tokio::test]
async fn two_nodes_that_hear_the_same_apply_it_once() {
    let app = TestApp::new().await;
    let beside = Parts { clock: std::sync::Arc::clone(app.app.db().clock()), ..TestApp::parts() };
    let second = app.beside(beside, |_| {});
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.taken(&buyer, &order).await;
    let raw = about_payment("evt_1", "charge.succeeded", &payment).to_string();
    let signature = app.signed(raw.as_bytes()).await;
    let (first, other) =
        tokio::join!(app.knock(raw.clone(), Some(&signature)), second.knock(raw.clone(), Some(&signature)));
    first.expect(200);
    other.expect(200);
    tokio::join!(app.settle(), second.settle());
    app.settle().await;
    assert_eq!((app.states().await, app.journals("charge").await), (vec!["done".to_owned()], 1));
    app.audit().await;
}

#[tokio::test]
async fn a_buyer_who_acted_elsewhere_is_not_asked_to_pay_again() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    let key = format!("payment-{}", payment["id"].as_str().unwrap());
    app.write(move |tx| {
        tx.execute(
            "update sandbox_charges set status = 'pending', settles_at = $2 where key = $1",
            params![key, tx.now().plus(Duration::from_secs(120))],
        )
    })
    .await;
    app.tell(&about_payment("evt_1", "charge.pending", &payment)).await.expect(200);
    app.settle().await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "pending");
    app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "payment_in_progress");
    app.advance(Duration::from_secs(121)).await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    app.audit().await;
}

#[tokio::test]
async fn the_sandbox_tells_what_happens_to_everyones_money() {
    let app = TestApp::telling().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    let declined = app.pending_order_with(&buyer, &seller, json!({ "title": "Another" })).await;
    app.pay(&buyer, &declined, "pm_card_visa_chargeDeclined").await.expect(402);
    app.settle().await;
    let sql = "select said from sandbox_events where heard_at is not null order by said";
    let heard: Vec<String> =
        app.app.db().read(move |tx| tx.all(sql, params![], |row| row.next())).await.unwrap();
    assert_eq!(heard, ["charge.failed", "charge.succeeded", "refund.succeeded"]);
    assert_eq!(app.states().await, ["done", "done", "done"]);
    assert_eq!((app.escrow(&order).await, app.journals("charge").await), (4000, 1));
    app.audit().await;
}

#[tokio::test]
async fn a_pending_payment_settles_by_itself_once_whoever_is_first() {
    let app = TestApp::telling().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_pending").await.expect(202).json();
    // Nobody asks.
    app.write(|tx| tx.execute("delete from timers where kind = $1", params![payments::PAYMENT_ASK])).await;
    app.advance(A_WHILE).await;
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    assert_eq!(app.states().await, ["done", "done"]);
    assert_eq!((app.journals("charge").await, app.escrow(&order).await), (1, 4990));
    app.audit().await;
}

#[tokio::test]
async fn a_buyer_who_failed_elsewhere_may_pay_another_way() {
    let app = TestApp::new().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
    let key = format!("payment-{}", payment["id"].as_str().unwrap());
    let fails = "update sandbox_charges set status = 'declined', failure = 'card_declined' where key = $1";
    app.write(move |tx| tx.execute(fails, params![key])).await;
    app.tell(&about_payment("evt_1", "charge.failed", &payment)).await.expect(200);
    app.settle().await;
    assert_eq!(app.payment(&buyer, &payment).await["failure"], "card_declined");
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    app.audit().await;
}

#[tokio::test]
async fn what_freelancers_are_paid_is_told_too() {
    let app = TestApp::telling().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "20.00", "USD").await;
    app.settle().await;
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    app.settle().await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    let sql = "select kind from webhook_inbox where state = 'done' order by kind";
    let kinds: Vec<String> =
        app.app.db().read(move |tx| tx.all(sql, params![], |row| row.next())).await.unwrap();
    assert_eq!(kinds, ["account", "charge", "transfer"]);
    assert_eq!(app.states().await.len(), 3);
    app.audit().await;
}

#[tokio::test]
async fn a_chargeback_is_told_and_freezes_its_order() {
    let app = TestApp::telling().await;
    let (buyer, seller, order) = ordered(&app).await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_chargeback").await.expect(201).json();
    app.advance(A_WHILE).await;
    assert_eq!(app.states().await, ["done", "done"]);
    assert_eq!(app.journals("chargeback_withdrawn").await, 1);
    assert_eq!(app.order(&seller, &order).await["status"], "disputed");
    app.refund(&seller, &payment, None).await.problem(409, "chargeback_open");
    app.verify().await;
}

#[tokio::test]
async fn a_transfer_whose_answer_was_lost_is_told() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "20.00", "USD").await;
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    let sql = "select provider_key from payout_items where payout_id = $1";
    let id: guildhall::payouts::PayoutId = guildhall::id::Id::from_wire(payout["id"].as_str().unwrap());
    let (key, request) = app
        .write(move |tx| {
            tx.execute("delete from timers where kind = $1", params![guildhall::payouts::TRANSFER_SEND])?;
            let key: String = tx.one(sql, params![id], |row| row.next())?;
            let known = guildhall::payouts::transfer_known_as(tx, Some(&key), "")?;
            Ok((key, known.unwrap().1))
        })
        .await;
    app.app.provider().transfer(&request).await.unwrap();
    app.tell(&event("evt_1", "transfer.created", "transfer", "tr_told", Some(&key))).await.expect(200);
    app.tell(&event("evt_2", "transfer.updated", "transfer", "tr_told", Some(&key))).await.expect(200);
    app.settle().await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    assert_eq!((app.states().await, app.transferred().await.1), (vec!["done".to_owned(); 2], 1));
    app.audit().await;
}

/// Events that are sent twice, overtaken, late, lost and forged, for payments of every kind.
#[tokio::test]
async fn a_sandbox_that_misbehaves_changes_no_outcome() {
    let app = TestApp::telling().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let knobs = json!({ "seed": 3, "duplicate": 50, "reorder": 40, "late": 30, "never": 30, "forge": 50 });
    app.put("/admin/sandbox", &admin, knobs).await.expect(200);
    let methods =
        ["pm_card_visa", "pm_sandbox_pending", "pm_card_visa_chargeDeclined", "pm_sandbox_refundPending"];
    let mut payments = Vec::new();
    for round in 0..3 {
        for method in methods {
            let fields = json!({ "title": format!("{method} {round}") });
            let order = app.pending_order_with(&buyer, &seller, fields).await;
            let reply = app.pay(&buyer, &order, method).await;
            if reply.status == 201 {
                app.refund(&seller, &reply.json(), Some("9.90")).await.expect(201);
            }
            if reply.status < 300 {
                payments.push(reply.json());
            }
            app.settle().await;
        }
    }
    assert_eq!(payments.len(), 9);
    app.advance(Duration::from_secs(700)).await;
    let heard = "select count(*) from sandbox_events where heard_at is null";
    let lost: i64 = app.app.db().read(move |tx| tx.one(heard, params![], |row| row.next())).await.unwrap();
    assert!(lost > 0, "none was lost");
    guildhall::app::start_housekeeping(&app.app).await.unwrap();
    app.settle().await;
    for payment in &payments {
        assert_eq!(app.payment(&buyer, payment).await["status"], "success");
    }
    let happened: i64 = app
        .app
        .db()
        .read(|tx| tx.one("select count(*) from sandbox_events", params![], |row| row.next()))
        .await
        .unwrap();
    let states = app.states().await;
    assert_eq!(states, vec!["done"; usize::try_from(happened).unwrap()]);
    assert_eq!(app.journals("charge").await, 9);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn what_did_not_arrive_is_asked_for() {
    let app = TestApp::telling().await;
    let (buyer, _, order) = ordered(&app).await;
    let payment = app.taken(&buyer, &order).await;
    // The event is lost on its way, and whoever asks is dead.
    app.write(|tx| {
        tx.execute(
            "delete from timers where kind in ($1, $2)",
            params![payments::PAYMENT_ASK, guildhall::providers::sandbox::telling::SANDBOX_TELL],
        )
    })
    .await;
    app.advance(Duration::from_secs(600)).await;
    assert_eq!(app.states().await, Vec::<String>::new());
    guildhall::app::start_housekeeping(&app.app).await.unwrap();
    app.settle().await;
    assert_eq!(app.states().await, ["done"]);
    assert_eq!(app.payment(&buyer, &payment).await["status"], "success");
    app.advance(Duration::from_secs(3_600)).await;
    assert_eq!(app.states().await, ["done"], "listed again and kept once");
    app.audit().await;
}
