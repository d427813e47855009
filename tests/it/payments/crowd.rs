//! So many read at once that further reads are refused, between the steps of a payment.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Waker};

use guildhall::app::Parts;
use guildhall::db::{Db, Tx};
use guildhall::error::Result;
use guildhall::providers::{
    Answering, Charge, Outcome, Provider, RefundOutcome, RefundRequest, Sandbox, TransferOutcome,
    TransferRequest, Unanswered,
};
use serde_json::json;

use super::ordered;
use crate::support::TestApp;
use crate::support::payments::the_books_are_the_sandboxs;

type Reading = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Long reads, that end when the door is opened.
#[derive(Clone, Default)]
struct Crowd {
    door: Arc<(Mutex<bool>, Condvar)>,
    readers: Arc<Mutex<Vec<Reading>>>,
}

impl Crowd {
    /// Lets readers in until there is no more room, also after some of them were served.
    fn gather(&self, db: &Db) {
        let mut context = Context::from_waker(Waker::noop());
        let mut readers = self.readers.lock().unwrap();
        let mut refused = 0;
        while refused < 10_000 {
            let mut reader = self.reader(db.clone());
            if reader.as_mut().poll(&mut context).is_pending() {
                readers.push(reader);
                refused = 0;
            } else {
                refused += 1;
                std::thread::yield_now();
            }
        }
    }

    fn reader(&self, db: Db) -> Reading {
        let door = Arc::clone(&self.door);
        let wait = move |_: &Tx| {
            let (open, opened) = &*door;
            drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
            Ok(())
        };
        Box::pin(async move { db.read_aside(wait).await })
    }

    /// Lets them all go.
    async fn disperse(&self) {
        *self.door.0.lock().unwrap() = true;
        self.door.1.notify_all();
        let readers = std::mem::take(&mut *self.readers.lock().unwrap());
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

/// The sandbox; while a payment is checked, the crowd gathers.
struct Crowded {
    sandbox: Sandbox,
    db: Db,
    crowd: Crowd,
}

impl Provider for Crowded {
    fn name(&self) -> &'static str {
        self.sandbox.name()
    }

    fn methods(&self) -> &[&'static str] {
        self.crowd.gather(&self.db);
        self.sandbox.methods()
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.sandbox.charge(charge)
    }

    fn confirm<'a>(&'a self, _: &'a Charge) -> Answering<'a, Outcome> {
        Box::pin(async { Err(Unanswered::Unknown("nobody confirms here".to_owned())) })
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.sandbox.void(charge)
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        self.sandbox.look(charge)
    }

    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        self.sandbox.look_for_refund(refund)
    }

    fn refund<'a>(&'a self, _: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        Box::pin(async { Err(Unanswered::Unknown("nobody is refunded here".to_owned())) })
    }

    fn transfer<'a>(&'a self, _: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        Box::pin(async { Err(Unanswered::Unknown("nobody is paid out here".to_owned())) })
    }

    the_books_are_the_sandboxs!();
}

#[tokio::test]
async fn a_payment_that_was_begun_is_not_refused_as_if_nothing_was_done() {
    let crowd = Crowd::default();
    let gathering = crowd.clone();
    let make = move |db: &Db| -> Arc<dyn Provider> {
        Arc::new(Crowded { sandbox: Sandbox::new(db.clone()), db: db.clone(), crowd: gathering })
    };
    let parts = Parts { provider: Box::new(make), ..TestApp::parts() };
    let app = TestApp::made_of(parts, |_| {}).await;
    let (buyer, _, order) = ordered(&app).await;
    let body = json!({ "order_id": order["id"], "payment_method": "pm_card_visa" });
    let paid = app.post("/payments", &buyer, body).await;
    crowd.disperse().await;
    assert_eq!(paid.expect(201).json()["status"], "success");
    app.audit().await;
}
