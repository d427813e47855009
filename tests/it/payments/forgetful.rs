//! A provider that remembers no keys, behind a line that loses calls and answers: whatever is sent twice happens twice. It
//! shows that nothing is sent again that was not looked for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall::app::Parts;
use guildhall::db::Db;
use guildhall::params;
use guildhall::providers::sandbox::knobs::Knobs;
use guildhall::providers::{
    Answering, Charge, Outcome, Provider, RefundOutcome, RefundRequest, Sandbox, TransferOutcome,
    TransferRequest, Unanswered,
};

use crate::support::TestApp;
use crate::support::payments::the_books_are_the_sandboxs;

/// What is done under a key is done under it and a number.
struct Forgetful {
    sandbox: Sandbox,
    sent: Mutex<HashMap<String, u64>>,
    line: Arc<Line>,
}

/// Loses a quarter of the calls and a quarter of the answers, until it is mended.
struct Line {
    calls: AtomicU64,
    mended: Mutex<bool>,
}

impl Line {
    /// Whether this call is lost on the way, and whether its answer is.
    fn loses(&self) -> (bool, bool) {
        if *self.mended.lock().unwrap() {
            return (false, false);
        }
        let nth = self.calls.fetch_add(1, Ordering::SeqCst);
        let lost = |what: &str| Knobs { seed: 42, ..Knobs::default() }.strike(what, "call", nth, 25);
        (lost("call"), lost("answer"))
    }
}

fn lost<T>() -> Result<T, Unanswered> {
    Err(Unanswered::Unknown("the line is bad".to_owned()))
}

impl Forgetful {
    /// The key that a call is made with now.
    fn another(&self, key: &str) -> String {
        let mut sent = self.sent.lock().unwrap();
        let count = sent.entry(key.to_owned()).or_default();
        *count += 1;
        format!("{key}#{count}")
    }

    /// Every key that something was done under.
    fn keys(&self, key: &str) -> Vec<String> {
        let count = self.sent.lock().unwrap().get(key).copied().unwrap_or(0);
        (1..=count).map(|number| format!("{key}#{number}")).collect()
    }
}

impl Provider for Forgetful {
    fn name(&self) -> &'static str {
        self.sandbox.name()
    }

    fn methods(&self) -> &[&'static str] {
        self.sandbox.methods()
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        Box::pin(async move {
            let (call, answer) = self.line.loses();
            if call {
                return lost();
            }
            let charge = Charge { key: self.another(&charge.key), ..charge.clone() };
            let outcome = self.sandbox.charge(&charge).await;
            if answer { lost() } else { outcome }
        })
    }

    fn confirm<'a>(&'a self, _: &'a Charge) -> Answering<'a, Outcome> {
        Box::pin(async { lost() })
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.sandbox.void(charge)
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        Box::pin(async move {
            if self.line.loses().0 {
                return lost();
            }
            for key in self.keys(&charge.key) {
                if let Some(found) = self.sandbox.look(&Charge { key, ..charge.clone() }).await? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        Box::pin(async move {
            let (call, answer) = self.line.loses();
            if call {
                return lost();
            }
            let refund = RefundRequest { key: self.another(&refund.key), ..refund.clone() };
            let outcome = self.sandbox.refund(&refund).await;
            if answer { lost() } else { outcome }
        })
    }

    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        Box::pin(async move {
            if self.line.loses().0 {
                return lost();
            }
            for key in self.keys(&refund.key) {
                let asked = RefundRequest { key, ..refund.clone() };
                if let Some(found) = self.sandbox.look_for_refund(&asked).await? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    fn transfer<'a>(&'a self, _: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        Box::pin(async { lost() })
    }

    the_books_are_the_sandboxs!();
}

const PAYMENTS: usize = 100;

/// What the provider took and gave back beyond once: (orders charged twice, charges given back too much of).
async fn done_twice(app: &TestApp) -> (i64, i64) {
    let sql = "select
         (select count(*) from (select 1 as one from sandbox_charges where status = 'succeeded'
             group by substr(key, 1, 44) having count(*) > 1) as twice),
         (select count(*) from (select 1 as one from sandbox_refunds group by substr(key, 1, 43)
             having count(*) > 1) as twice)";
    app.app.db().read(move |tx| tx.one(sql, params![], |row| Ok((row.next()?, row.next()?)))).await.unwrap()
}

#[tokio::test]
async fn a_provider_without_memory_charges_and_refunds_once() {
    let line = Arc::new(Line { calls: AtomicU64::new(0), mended: Mutex::new(false) });
    let own = Arc::clone(&line);
    let make = move |db: &Db| -> Arc<dyn Provider> {
        Arc::new(Forgetful { sandbox: Sandbox::new(db.clone()), sent: Mutex::default(), line: own })
    };
    let parts = Parts { provider: Box::new(make), ..TestApp::parts() };
    let app = TestApp::made_of(parts, |_| {}).await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let mut orders = Vec::new();
    for number in 0..PAYMENTS {
        let order = app.pending_order(&buyer, &seller).await;
        let reply = app.pay(&buyer, &order, "pm_card_visa").await;
        assert!([201, 202].contains(&reply.status), "{}", reply.status);
        app.advance(Duration::from_secs(2)).await;
        if number % 2 == 0 {
            app.move_order(&seller, &order, "cancelled").await.expect(200);
        }
        orders.push(order);
    }
    *line.mended.lock().unwrap() = true;
    for _ in 0..4 {
        app.advance(Duration::from_secs(3_600)).await;
    }
    assert_eq!(done_twice(&app).await, (0, 0));
    assert_eq!(app.charges().await, PAYMENTS as i64);
    assert_eq!(app.given_back().await, 4990 * PAYMENTS as i64 / 2);
    app.audit().await;
    app.verify().await;
    let buyer = app.log_in("buyer").await;
    for (number, order) in orders.iter().enumerate() {
        let expected = if number % 2 == 0 { "cancelled" } else { "active" };
        assert_eq!(app.order(&buyer, order).await["status"], expected);
    }
}
