//! Whatever people do in whatever order, the books agree.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Person, TestApp, Trouble, Troubles};

/// Something that somebody tries.
#[derive(Debug, Clone)]
enum Step {
    Pay(&'static str),
    Confirm,
    Ask(Side, &'static str),
    Settle { completed: bool, refund_percent: i64 },
    Refund { percent: i64 },
    Trouble(Trouble),
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Buyer,
    Seller,
}

fn step() -> impl Strategy<Value = Step> {
    let methods = vec![
        "pm_card_visa",
        "pm_card_visa",
        "pm_card_visa",
        "pm_card_visa_chargeDeclined",
        "pm_card_authenticationRequired",
        "pm_sandbox_pending",
    ];
    let statuses = vec!["active", "delivered", "delivered", "completed", "cancelled", "disputed"];
    let side = prop::sample::select(vec![Side::Buyer, Side::Seller]);
    let troubles = vec![Trouble::BeforeItHappens, Trouble::AfterItHappened, Trouble::Refused];
    prop_oneof![
        4 => prop::sample::select(methods).prop_map(Step::Pay),
        1 => Just(Step::Confirm),
        6 => (side, prop::sample::select(statuses)).prop_map(|(side, status)| Step::Ask(side, status)),
        1 => (any::<bool>(), 0_i64..=110)
            .prop_map(|(completed, refund_percent)| Step::Settle { completed, refund_percent }),
        3 => (1_i64..=110).prop_map(|percent| Step::Refund { percent }),
        3 => prop::sample::select(troubles).prop_map(Step::Trouble),
        1 => (1_u64..=100).prop_map(Step::Wait),
    ]
}

/// The price, its currency, and the digits of it.
fn price() -> impl Strategy<Value = (i64, &'static str, u32)> {
    let currencies = vec![("USD", 2), ("JPY", 0), ("KWD", 3)];
    (1_i64..=100_000, prop::sample::select(currencies))
        .prop_map(|(minor, (code, digits))| (minor, code, digits))
}

fn decimal(minor: i64, digits: u32) -> String {
    let unit = 10_i64.pow(digits);
    match digits {
        0 => minor.to_string(),
        _ => format!("{}.{:0width$}", minor / unit, minor % unit, width = digits as usize),
    }
}

struct World {
    app: TestApp,
    troubles: Troubles,
    buyer: Person,
    seller: Person,
    admin: Person,
}

impl World {
    async fn new() -> Self {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
        Self { app, troubles, buyer, seller, admin }
    }

    /// Plays one life of an order; the books are looked at after each step.
    async fn play(&mut self, (price, currency, digits): (i64, &str, u32), steps: &[Step]) {
        let listing = json!({ "price": decimal(price, digits), "currency": currency });
        let order = self.app.pending_order_with(&self.buyer, &self.seller, listing).await;
        let mut payment = json!({ "id": "none" });
        for step in steps {
            let share = |percent: i64| decimal((price * percent / 100).max(1), digits);
            let reply = match step {
                Step::Pay(method) => {
                    let reply = self.app.pay(&self.buyer, &order, method).await;
                    if reply.status < 300 {
                        payment = reply.json();
                    }
                    reply
                }
                Step::Confirm => {
                    let path = format!("/payments/{}/confirm", payment["id"].as_str().unwrap());
                    self.app.post(&path, &self.buyer, None).await
                }
                Step::Ask(Side::Buyer, status) => self.app.move_order(&self.buyer, &order, status).await,
                Step::Ask(Side::Seller, status) => self.app.move_order(&self.seller, &order, status).await,
                Step::Settle { completed, refund_percent } => {
                    self.decide(&order, *completed, &share(*refund_percent)).await
                }
                Step::Refund { percent } => {
                    self.app.refund(&self.seller, &payment, Some(&share(*percent))).await
                }
                Step::Trouble(trouble) => {
                    self.troubles.add(*trouble);
                    continue;
                }
                Step::Wait(hours) => {
                    self.pass(Duration::from_secs(hours * 3_600)).await;
                    continue;
                }
            };
            assert!(reply.status < 500, "{step:?}: {}", String::from_utf8_lossy(&reply.bytes));
            self.app.settle().await;
            self.app.keeps_its_rules().await;
        }
        self.troubles.clear();
        self.pass(Duration::from_secs(2 * 3_600)).await;
        self.app.audit().await;
    }

    async fn decide(&self, order: &Value, completed: bool, refund: &str) -> crate::support::Reply {
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        let body = match completed {
            true => json!({ "status": "completed", "refund_amount": refund, "message": "both have a point" }),
            false => json!({ "status": "cancelled", "message": "the buyer is right" }),
        };
        self.app.put(&path, &self.admin, body).await
    }

    /// Time passes, and everybody logs in again.
    async fn pass(&mut self, span: Duration) {
        self.app.advance(span).await;
        self.buyer = self.app.log_in("buyer").await;
        self.seller = self.app.log_in("seller").await;
        self.admin = self.app.log_in("keeper").await;
    }
}

#[test]
fn any_sequence_of_commands_keeps_the_books() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut world = runtime.block_on(World::new());
    let lives = (price(), prop::collection::vec(step(), 1..16));
    let world = std::cell::RefCell::new(&mut world);
    TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() })
        .run(&lives, |(price, steps)| {
            runtime.block_on(world.borrow_mut().play(price, &steps));
            Ok(())
        })
        .unwrap();
}
