//! A house with two buyers, two sellers and an administrator, and how they take the steps of a walk.

use std::collections::BTreeMap;
use std::time::Duration;

use guildhall::app;
use guildhall::config::PayoutsBy;
use guildhall::failpoint;
use guildhall::id::Id;
use guildhall::money::{Currency, Money, Rate};
use guildhall::params;
use guildhall::reconciliation::{self, Report, Window};
use guildhall::time::Time;
use serde_json::{Value, json};

use super::peer::Outside;
use super::step::{Bad, Nth, Part, Step, Walk, Who};
use crate::support::{CLEARANCE, PASSWORD, Person, Reply, TestApp, Trouble};
use crate::webhooks::event;

const BUYERS: usize = 0;
const SELLERS: usize = 2;
const ADMIN: usize = 4;

/// What settles in no time loops.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// An order and its two people, by their places.
struct Placed {
    id: String,
    buyer: usize,
    seller: usize,
    total: Money,
}

pub struct World {
    app: Option<TestApp>,
    pub outside: Outside,
    people: Vec<Person>,
    /// With their sellers.
    listings: Vec<(String, usize)>,
    orders: Vec<Placed>,
    keys: usize,
    by_hand: bool,
    /// What the steps were answered with, for whoever wants to know whether a walk gets anywhere.
    pub answers: BTreeMap<(String, u16), usize>,
}

fn picked<T>(things: &[T], nth: Nth) -> Option<&T> {
    things.get(usize::from(nth) % things.len().max(1))
}

fn part_of(whole: Money, part: Part) -> Money {
    let minor = match part {
        0 => 0,
        1 => 1,
        254 => whole.minor() - 1,
        255 => whole.minor(),
        part => whole.minor() * i64::from(part) / 255,
    };
    whole.with_minor(minor)
}

fn id_in(reply: &Reply) -> String {
    reply.json()["id"].as_str().unwrap().to_owned()
}

impl World {
    pub async fn new(walk: &Walk) -> Self {
        let outside = Outside::default();
        let currency = Currency::parse(walk.currency).unwrap();
        let (by_hand, service_fee_bp) = (walk.by_hand, walk.service_fee_bp);
        let app = TestApp::made_of(outside.parts(), |config| {
            config.market.currency = currency;
            config.market.service_fee = Rate::from_basis_points(service_fee_bp).unwrap();
            config.verify_hourly = false;
            if by_hand {
                config.payouts = PayoutsBy::Manual;
            }
        })
        .await;
        app::start_housekeeping(&app.app).await.unwrap();
        app::start_audits(&app.app).await.unwrap();
        let mut people = Vec::new();
        for (name, role) in
            [("buyer", "buyer"), ("second", "both"), ("seller", "freelancer"), ("other", "freelancer")]
        {
            people.push(app.person(name, role).await);
        }
        people.push(app.admin().await);
        let mut world = Self {
            app: Some(app),
            outside,
            people,
            listings: Vec::new(),
            orders: Vec::new(),
            keys: 0,
            by_hand,
            answers: BTreeMap::new(),
        };
        let other = if walk.currency == "USD" { "KWD" } else { "USD" };
        for (seller, minor, code) in
            [(0, 4_990, walk.currency), (0, 1_237, walk.currency), (0, 3, walk.currency), (1, 10_001, other)]
        {
            let price = Money::new(minor, Currency::parse(code).unwrap()).to_string();
            let listing = json!({ "price": price, "currency": code });
            let listing = world.app().listing_with(&world.people[SELLERS + seller], listing).await;
            world.listings.push((listing["id"].as_str().unwrap().to_owned(), SELLERS + seller));
        }
        world.open_account(0).await;
        world.work().await;
        world
    }

    pub fn app(&self) -> &TestApp {
        self.app.as_ref().unwrap()
    }

    fn now(&self) -> Time {
        self.app().app.db().clock().now()
    }

    pub async fn rows<T: Send + 'static>(
        &self,
        sql: &'static str,
        row: impl Fn(&guildhall::db::Row) -> guildhall::error::Result<T> + Send + Sync + Copy + 'static,
    ) -> Vec<T> {
        self.app().app.db().read(move |tx| tx.all(sql, params![], row)).await.unwrap()
    }

    async fn ids(&self, sql: &'static str) -> Vec<Id<()>> {
        self.rows(sql, |row| row.next()).await
    }

    /// Another process goes on with the same books.
    pub fn restart(&mut self) {
        let dead = self.app.take().unwrap();
        self.app = Some(dead.restarted(self.outside.parts()));
    }

    /// Everything that is due happens; whoever dies meanwhile is replaced.
    pub async fn work(&mut self) {
        let was_armed = failpoint::is_armed();
        tokio::time::timeout(SETTLES_WITHIN, self.app().settle()).await.expect("work that is due has an end");
        if was_armed && !failpoint::is_armed() {
            self.restart();
        }
    }

    pub async fn wait(&mut self, span: Duration) {
        self.app().app.db().clock().advance(span);
    }

    /// A request; nobody is answered with a fault of ours, unless the process died.
    async fn ask(&mut self, who: usize, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.ask_with(who, method, path, body, &[]).await
    }

    async fn ask_with(
        &mut self,
        who: usize,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let was_armed = failpoint::is_armed();
        let mut reply = self.send(who, method, path, body.clone(), headers).await;
        if reply.status == 401 && self.logs_in(who).await {
            reply = self.send(who, method, path, body, headers).await;
        }
        let died = was_armed && !failpoint::is_armed();
        if died {
            self.restart();
        }
        self.judge(method, path, &reply, died);
        reply
    }

    async fn send(
        &self,
        who: usize,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        self.app().request(method, path, Some(&self.people[who].token), headers, body).await
    }

    fn judge(&mut self, method: &str, path: &str, reply: &Reply, died: bool) {
        let fine = reply.status < 500 || reply.status == 503 || (died && reply.status == 500);
        assert!(fine, "{method} {path}: {} {}", reply.status, String::from_utf8_lossy(&reply.bytes));
        let is_id = |word: &&str| word.len() == 36 && word.contains('-');
        let place = path.split('/').filter(|word| !is_id(word)).collect::<Vec<_>>().join("/");
        *self.answers.entry((format!("{method} {place}"), reply.status)).or_default() += 1;
    }

    /// A token lives for a quarter of an hour; a suspended account gets none.
    async fn logs_in(&mut self, who: usize) -> bool {
        let body = json!({ "username": self.people[who].username, "password": PASSWORD });
        let reply = self.app().post("/users/login", None, body).await;
        if reply.status == 200 {
            self.people[who].token = reply.json()["access_token"].as_str().unwrap().to_owned();
        }
        reply.status == 200
    }

    /// The same request under one key, twice at once: its effect is there once.
    async fn ask_twice(&mut self, who: usize, path: &str, body: Value) {
        if self.send(who, "GET", "/users/me", None, &[]).await.status == 401 && !self.logs_in(who).await {
            return;
        }
        let was_armed = failpoint::is_armed();
        self.keys += 1;
        let key = format!("walk-{}", self.keys);
        let headers = [("idempotency-key", key.as_str())];
        let (one, other) = tokio::join!(
            self.send(who, "POST", path, Some(body.clone()), &headers),
            self.send(who, "POST", path, Some(body), &headers)
        );
        let died = was_armed && !failpoint::is_armed();
        if died {
            self.restart();
        }
        self.judge("POST", path, &one, died);
        self.judge("POST", path, &other, died);
        if one.status < 300 && other.status < 300 {
            assert_eq!(id_in(&one), id_in(&other), "one key, two effects");
        }
    }

    fn who(&self, who: Who, order: &Placed) -> usize {
        match who {
            Who::Buyer => order.buyer,
            Who::Seller => order.seller,
            Who::Admin => ADMIN,
            Who::Stranger => BUYERS + 1 - (order.buyer - BUYERS),
        }
    }

    /// The order at this place among those that stand so; some try with any.
    async fn standing(&self, nth: Nth, statuses: &[&str]) -> Nth {
        let all = self.rows("select id, status from orders order by id", |row| {
            Ok((row.next::<Id<()>>()?.to_string(), row.next::<String>()?))
        });
        let all = all.await;
        let stands = |order: &&(usize, &Placed)| {
            all.iter().any(|(id, status)| *id == order.1.id && statuses.contains(&status.as_str()))
        };
        let orders: Vec<(usize, &Placed)> = self.orders.iter().enumerate().collect();
        let fitting: Vec<&(usize, &Placed)> = orders.iter().filter(stands).collect();
        match picked(&fitting, nth) {
            Some((place, _)) if nth % 8 != 7 => Nth::try_from(*place).unwrap_or(nth),
            _ => nth,
        }
    }

    /// A request about an order: by whom, below which path, with what.
    async fn about(&mut self, order: Nth, by: Who, method: &str, below: &str, body: Option<Value>) {
        let Some(order) = picked(&self.orders, order) else { return };
        let (who, path) = (self.who(by, order), format!("/orders/{}{below}", order.id));
        self.ask(who, method, &path, body).await;
    }

    fn part(&self, order: Nth, part: Part) -> String {
        picked(&self.orders, order).map_or(String::new(), |order| part_of(order.total, part).to_string())
    }

    pub async fn act(&mut self, step: &Step) {
        match self.aimed(step.clone()).await {
            Step::Place { buyer, listing } => self.place(buyer, listing).await,
            Step::Sell { buyer, listing, method, to } => self.sell(buyer, listing, method, to).await,
            Step::Pay { order, method } => self.pay(order, method, false).await,
            Step::PayTwice { order, method } => self.pay(order, method, true).await,
            Step::Confirm { payment } => self.confirm(payment).await,
            Step::Settle { payment, succeeds } => self.settle(payment, succeeds).await,
            Step::Move { order, to, by } => {
                let from: &[&str] = match to {
                    "delivered" => &["active"],
                    "active" => &["delivered"],
                    "completed" => &["active", "delivered"],
                    _ => &["pending", "active", "delivered"],
                };
                let order = self.standing(order, from).await;
                self.about(order, by, "PUT", "", Some(json!({ "status": to }))).await;
            }
            Step::Cancel { order, by } => self.about(order, by, "DELETE", "", None).await,
            Step::Dispute { order, by, wants } => {
                let order = self.standing(order, &["active", "delivered"]).await;
                let mut body = json!({ "reason": "It is not what was agreed." });
                if let Some(wants) = wants {
                    body["wants"] = json!(self.part(order, wants));
                }
                self.about(order, by, "POST", "/dispute", Some(body)).await;
            }
            Step::Say { order, by } => {
                self.about(order, by, "POST", "/dispute/messages", Some(json!({ "message": "But it is." })))
                    .await;
            }
            Step::Offer { order, by, part } => {
                let body = json!({ "refund_amount": self.part(order, part) });
                self.about(order, by, "POST", "/settlement", Some(body)).await;
            }
            Step::Withdraw { order, by } => self.about(order, by, "DELETE", "/settlement", None).await,
            Step::Accept { order, by } => self.accept(order, by).await,
            Step::Decide { order, part } => {
                let body = json!({ "refund_amount": self.part(order, part), "reason": "So be it." });
                self.about(order, Who::Admin, "POST", "/dispute/decision", Some(body)).await;
            }
            Step::DecideTwice { order, part } => {
                let body = json!({ "refund_percent": u16::from(part) * 100 / 255, "reason": "So be it." });
                if let Some(order) = picked(&self.orders, order) {
                    let path = format!("/orders/{}/dispute/decision", order.id);
                    self.ask_twice(ADMIN, &path, body).await;
                }
            }
            Step::Refund { payment, part, after_release, by } => {
                self.refund(payment, part, after_release, Some(by)).await;
            }
            Step::RefundTwice { payment, part, after_release } => {
                self.refund(payment, Some(part), after_release, None).await;
            }
            Step::OpenAccount { seller } => self.open_account(seller).await,
            Step::Schedule { seller, schedule } => {
                let body = json!({ "schedule": schedule });
                self.ask(SELLERS + usize::from(seller % 2), "PUT", "/payouts/settings", Some(body)).await;
            }
            Step::PayOut { seller } => {
                let (seller, body) = self.paying(seller);
                self.ask(seller, "POST", "/payouts", Some(body)).await;
            }
            Step::PayOutTwice { seller } => {
                let (seller, body) = self.paying(seller);
                self.ask_twice(seller, "/payouts", body).await;
            }
            Step::PayOutLater { seller } => {
                self.wait(CLEARANCE).await;
                let (seller, body) = self.paying(seller);
                self.ask(seller, "POST", "/payouts", Some(body)).await;
            }
            Step::Review { order, rating } => {
                if let Some(order) = picked(&self.orders, order) {
                    let (who, body) = (order.buyer, json!({ "order_id": order.id, "rating": rating }));
                    self.ask(who, "POST", "/reviews", Some(body)).await;
                }
            }
            Step::Bad(bad) => self.spoil(bad),
            Step::Die { at } => failpoint::arm(at),
            Step::Restart => self.restart(),
            Step::Work => self.work().await,
            Step::Wait { s } => self.wait(Duration::from_secs(s.into())).await,
            other => self.keep(&other).await,
        }
    }

    /// What is about a dispute mostly means an order that has one, and a payment one that is due.
    async fn aimed(&self, mut step: Step) -> Step {
        match &mut step {
            Step::Say { order, .. }
            | Step::Offer { order, .. }
            | Step::Withdraw { order, .. }
            | Step::Accept { order, .. }
            | Step::Decide { order, .. }
            | Step::DecideTwice { order, .. } => *order = self.standing(*order, &["disputed"]).await,
            Step::Pay { order, .. } | Step::PayTwice { order, .. } => {
                *order = self.standing(*order, &["pending"]).await;
            }
            _ => {}
        }
        step
    }

    async fn place(&mut self, buyer: Nth, listing: Nth) {
        let buyer = BUYERS + usize::from(buyer % 2);
        let (listing, seller) = picked(&self.listings, listing).unwrap().clone();
        let reply = self.ask(buyer, "POST", "/orders", Some(json!({ "service_id": listing }))).await;
        if reply.status == 201 {
            let order = reply.json();
            let currency = Currency::parse(order["currency"].as_str().unwrap()).unwrap();
            let total = Money::parse(order["total"].as_str().unwrap(), currency).unwrap();
            self.orders.push(Placed { id: id_in(&reply), buyer, seller, total });
        }
    }

    async fn sell(&mut self, buyer: Nth, listing: Nth, method: &str, to: &str) {
        let before = self.orders.len();
        self.place(buyer, listing).await;
        let Ok(order) = Nth::try_from(before) else { return };
        if self.orders.len() == before {
            return;
        }
        self.pay(order, method, false).await;
        match to {
            "delivered" => self.about(order, Who::Seller, "PUT", "", Some(json!({ "status": to }))).await,
            "completed" => self.about(order, Who::Buyer, "PUT", "", Some(json!({ "status": to }))).await,
            _ => {}
        }
    }

    async fn pay(&mut self, order: Nth, method: &str, twice: bool) {
        let Some(order) = picked(&self.orders, order) else { return };
        let (who, body) = (order.buyer, json!({ "order_id": order.id, "payment_method": method }));
        if twice {
            self.ask_twice(who, "/payments", body).await;
        } else {
            self.ask(who, "POST", "/payments", Some(body)).await;
        }
    }

    /// The payment at this place and its order.
    async fn payment(&self, nth: Nth) -> Option<(String, &Placed)> {
        let payments = self.rows("select id, order_id from payments order by id", |row| {
            Ok((row.next::<Id<()>>()?.to_string(), row.next::<Id<()>>()?.to_string()))
        });
        let (payment, order) = picked(&payments.await, nth)?.clone();
        let order = self.orders.iter().find(|placed| placed.id == order)?;
        Some((payment, order))
    }

    async fn confirm(&mut self, payment: Nth) {
        let Some((payment, order)) = self.payment(payment).await else { return };
        let who = order.buyer;
        self.ask(who, "POST", &format!("/payments/{payment}/confirm"), None).await;
    }

    async fn settle(&mut self, payment: Nth, succeeds: bool) {
        let Some((payment, _)) = self.payment(payment).await else { return };
        let outcome = json!({ "outcome": if succeeds { "succeeded" } else { "declined" } });
        self.ask(ADMIN, "POST", &format!("/admin/sandbox/payments/{payment}/settle"), Some(outcome)).await;
    }

    async fn accept(&mut self, order: Nth, by: Who) {
        let Some(placed) = picked(&self.orders, order) else { return };
        let (who, path) = (self.who(by, placed), format!("/orders/{}/dispute", placed.id));
        let dispute = self.ask(who, "GET", &path, None).await.json();
        let other = if by == Who::Buyer { "freelancer" } else { "buyer" };
        let amount = dispute["offers"][other]["refund_amount"].clone();
        if !amount.is_null() {
            self.about(order, by, "POST", "/settlement/accept", Some(json!({ "refund_amount": amount })))
                .await;
        }
    }

    /// By somebody, or by the administrator twice.
    async fn refund(&mut self, payment: Nth, part: Option<Part>, after_release: bool, by: Option<Who>) {
        let Some((payment, order)) = self.payment(payment).await else { return };
        let mut body = json!({ "reason": "agreed upon" });
        if let Some(part) = part {
            body["amount"] = json!(part_of(order.total, part).to_string());
        }
        if after_release {
            body["after_release"] = json!(true);
        }
        let (who, path) = (by.map(|by| self.who(by, order)), format!("/payments/{payment}/refunds"));
        match who {
            Some(who) => drop(self.ask(who, "POST", &path, Some(body)).await),
            None => self.ask_twice(ADMIN, &path, body).await,
        }
    }

    async fn open_account(&mut self, seller: Nth) {
        let seller = SELLERS + usize::from(seller % 2);
        if self.by_hand {
            let details = json!({ "details": format!("IBAN {}", self.keys) });
            self.ask(seller, "PUT", "/payouts/account", Some(details)).await;
        } else {
            self.ask(seller, "POST", "/payouts/account", None).await;
        }
    }

    /// Who is to be paid, and in what.
    fn paying(&self, seller: Nth) -> (usize, Value) {
        let seller = SELLERS + usize::from(seller % 2);
        let order = self.orders.iter().find(|order| order.seller == seller);
        let body = order.map_or(json!({}), |order| json!({ "currency": order.total.currency() }));
        (seller, body)
    }

    fn spoil(&mut self, bad: Bad) {
        let troubles = &self.outside.troubles;
        match bad {
            Bad::BeforeItHappens => troubles.add(Trouble::BeforeItHappens),
            Bad::AfterItHappened => troubles.add(Trouble::AfterItHappened),
            Bad::Crash => troubles.add(Trouble::Crash),
            Bad::RefundRefused => troubles.add(Trouble::Refused),
            Bad::Error => troubles.add(Trouble::Error),
            Bad::NotNow => troubles.add(Trouble::NotNow),
            Bad::Misconfigured => troubles.add(Trouble::Misconfigured),
            Bad::TransferRefused => self.outside.books().refuse_next(),
        }
    }
}

mod house;
