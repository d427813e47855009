//! What several callers do at once.

use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ordered, path_of};
use crate::support::{Person, Reply, TestApp, Troubles};

/// Releases `count` requests together; their answers.
async fn at_once<F>(count: usize, request: impl Fn(usize) -> F) -> Vec<Reply>
where
    F: Future<Output = Reply> + Send + 'static,
{
    let mut requests = JoinSet::new();
    for number in 0..count {
        requests.spawn(request(number));
    }
    requests.join_all().await
}

async fn paying(app: Arc<TestApp>, buyer: Person, order: Value, key: Option<String>) -> Reply {
    let body = json!({ "order_id": order["id"], "payment_method": "pm_card_visa" });
    let headers: Vec<(&str, &str)> = key.iter().map(|key| ("idempotency-key", key.as_str())).collect();
    app.request("POST", "/payments", Some(&buyer.token), &headers, Some(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_payments_at_once_charge_once() {
    for keys in ["one", "different", "none"] {
        let app = Arc::new(TestApp::new().await);
        let (buyer, _, order) = ordered(&app).await;
        let replies = at_once(50, |number| {
            let key = match keys {
                "one" => Some("the-key".to_owned()),
                "different" => Some(format!("key-{number}")),
                _ => None,
            };
            paying(Arc::clone(&app), buyer.clone(), order.clone(), key)
        })
        .await;
        let paid: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
        assert!(paid.windows(2).all(|pair| pair[0].bytes == pair[1].bytes), "{keys}");
        match keys {
            "one" => assert!(!paid.is_empty()),
            _ => assert_eq!(paid.len(), 1, "{keys}"),
        }
        for refused in replies.iter().filter(|reply| reply.status != 201) {
            let known = ["payment_in_progress", "already_paid", "idempotency_in_progress"];
            assert_eq!(refused.status, 409);
            assert!(known.contains(&refused.code().as_str()), "{}", refused.code());
            let names_it =
                refused.code() == "idempotency_in_progress" || refused.json()["payment_id"].is_string();
            assert!(names_it, "{}", refused.json());
        }
        assert_eq!((app.charges().await, app.escrow(&order).await), (1, 4990));
        app.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refunds_of_sixty_per_cent_one_is_made() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    let replies = at_once(20, |_| {
        let (app, seller, payment) = (Arc::clone(&app), seller.clone(), payment.clone());
        async move { app.refund(&seller, &payment, Some("29.94")).await }
    })
    .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(replies.iter().all(|reply| reply.status == 201 || reply.code() == "refund_exceeds_captured"));
    app.audit().await;
    assert_eq!((app.escrow(&order).await, app.given_back().await), (1996, 2994));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paying_while_cancelling_never_loses_money() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for _ in 0..40 {
        let order = app.pending_order(&buyer, &seller).await;
        at_once(2, |number| {
            let (app, buyer, seller, order) =
                (Arc::clone(&app), buyer.clone(), seller.clone(), order.clone());
            async move {
                match number {
                    0 => app.pay(&buyer, &order, "pm_card_visa").await,
                    _ => app.move_order(&seller, &order, "cancelled").await,
                }
            }
        })
        .await;
        app.audit().await;
        if app.order(&buyer, &order).await["status"] == "cancelled" {
            assert_eq!(app.escrow(&order).await, 0);
        }
    }
    assert_eq!(app.balance("provider").await, -app.balance("fees").await - escrows(&app).await);
}

async fn escrows(app: &TestApp) -> i64 {
    let sum = "select cast(coalesce(sum(amount_minor), 0) as bigint) from ledger_lines where account like 'escrow:%'";
    app.app.db().read(move |tx| tx.one(sum, guildhall::params![], |row| row.next())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refunding_while_completing_moves_the_money_once() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for _ in 0..20 {
        let (order, payment) = app.paid(&buyer, &seller).await;
        app.move_order(&seller, &order, "delivered").await.expect(200);
        let replies = at_once(4, |number| {
            let (app, buyer, seller) = (Arc::clone(&app), buyer.clone(), seller.clone());
            let (order, payment) = (order.clone(), payment.clone());
            async move {
                match number % 2 {
                    0 => app.refund(&seller, &payment, None).await,
                    _ => app.move_order(&buyer, &order, "completed").await,
                }
            }
        })
        .await;
        let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        assert!(statuses.iter().all(|status| [200, 201, 409].contains(status)), "{statuses:?}");
        app.audit().await;
        assert_eq!(app.escrow(&order).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirming_while_replacing_charges_once() {
    let app = Arc::new(Troubles::default().app().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for round in 1..=30 {
        let order = app.pending_order(&buyer, &seller).await;
        let waiting = app.pay(&buyer, &order, "pm_card_authenticationRequired").await.expect(202).json();
        at_once(3, |number| {
            let (app, buyer) = (Arc::clone(&app), buyer.clone());
            let (order, confirm) = (order.clone(), format!("{}/confirm", path_of(&waiting)));
            async move {
                match number {
                    0 => app.post(&confirm, &buyer, None).await,
                    _ => app.pay(&buyer, &order, "pm_card_visa").await,
                }
            }
        })
        .await;
        app.audit().await;
        assert_eq!((app.charges().await, app.escrow(&order).await), (round, 4990));
    }
}

#[tokio::test]
async fn a_buyer_who_hangs_up_is_still_served() {
    let troubles = Troubles::default();
    let app = Arc::new(troubles.app().await);
    let (buyer, _, order) = ordered(&app).await;
    let gate = troubles.hold();
    let request = tokio::spawn(paying(Arc::clone(&app), buyer.clone(), order.clone(), None));
    gate.entered().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    gate.open();
    let active = async {
        while app.order(&buyer, &order).await["status"] != "active" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), active).await.unwrap();
    app.audit().await;
}

#[tokio::test]
async fn a_payment_that_is_overtaken_by_the_cancellation_goes_back() {
    let troubles = Troubles::default();
    let app = Arc::new(troubles.app().await);
    let (buyer, seller, order) = ordered(&app).await;
    let gate = troubles.hold();
    let key = Some("the-key".to_owned());
    let request = tokio::spawn(paying(Arc::clone(&app), buyer.clone(), order.clone(), key.clone()));
    gate.entered().await;
    let again = paying(Arc::clone(&app), buyer.clone(), order.clone(), key).await;
    again.problem(409, "idempotency_in_progress");
    app.move_order(&seller, &order, "cancelled").await.expect(200);
    gate.open();
    let paid = request.await.unwrap().expect(201).json();
    assert_eq!(paid["refunded_amount"], "49.90");
    app.audit().await;
    assert_eq!(app.given_back().await, 4990);
}
