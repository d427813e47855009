//! Two of everything that can be listed, and what is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use guildhall::app;
use guildhall::db::{Statement, Tx};
use guildhall::events;
use guildhall::id::Id;
use guildhall::payments::{self, cases};
use guildhall::payouts;
use guildhall::providers::ChargebackStatus;
use guildhall::reconciliation::{self, Window};
use serde_json::{Value, json};

use crate::support::{Person, TestApp, order_path};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Nobody,
    Buyer,
    Seller,
    Admin,
}

use Who::{Admin, Buyer, Nobody, Seller};

/// Every list of the API in every shape that its statement has, as `target?query` with names of the world in braces.
pub const LISTS: &[(Who, &str)] = &[
    (Nobody, "/services"),
    (Nobody, "/services?min_rating=1&max_delivery_days=30"),
    (Nobody, "/services?currency=USD&min_price=1&max_price=900"),
    (Nobody, "/services?category=design"),
    (Nobody, "/services?category=design&currency=USD"),
    (Nobody, "/services?category=design&category=signs"),
    (Nobody, "/services?tag=logo"),
    (Nobody, "/services?tag=logo&category=design"),
    (Nobody, "/services?tag=logo&freelancer_id={seller}"),
    (Nobody, "/services?freelancer_id={seller}"),
    (Nobody, "/services?freelancer_id={seller}&category=design"),
    (Seller, "/services?freelancer_id=me&status=draft"),
    (Seller, "/services?freelancer_id=me&status=draft&sort=price"),
    (Nobody, "/services?sort=price"),
    (Nobody, "/services?sort=price&min_price=1&max_price=900"),
    (Nobody, "/services?sort=-price&min_price=1&max_price=900"),
    (Nobody, "/services?sort=price&category=design"),
    (Nobody, "/services?sort=-price&category=design"),
    (Nobody, "/services?sort=price&tag=logo"),
    (Nobody, "/services?sort=price&freelancer_id={seller}"),
    (Nobody, "/services?sort=rating"),
    (Nobody, "/services?sort=rating&min_rating=1"),
    (Nobody, "/services?sort=rating&category=design"),
    (Nobody, "/services?sort=rating&tag=logo"),
    (Nobody, "/services?sort=rating&freelancer_id={seller}"),
    (Nobody, "/services?q=logo"),
    (Nobody, "/services?q=logo&category=design&tag=logo&currency=USD"),
    (Nobody, "/services?q=logo&sort=newest"),
    (Nobody, "/services?q=logo&sort=price"),
    (Nobody, "/services?q=logo&sort=-price"),
    (Nobody, "/services?q=logo&sort=rating"),
    (Buyer, "/orders"),
    (Buyer, "/orders?status=completed"),
    (Buyer, "/orders?role=buyer"),
    (Seller, "/orders?role=freelancer"),
    (Seller, "/orders?role=freelancer&status=completed"),
    (Buyer, "/orders?role=buyer&service_id={listing}"),
    (Admin, "/orders"),
    (Admin, "/orders?status=completed"),
    (Admin, "/orders?service_id={listing}"),
    (Buyer, "/orders/{order}/timeline"),
    (Seller, "/orders/{order}/timeline"),
    (Buyer, "/orders/{disputed}/dispute/messages"),
    (Nobody, "/reviews/{listing}"),
    (Nobody, "/reviews/user/{buyer}?direction=written"),
    (Nobody, "/reviews/user/{seller}?direction=received"),
    (Buyer, "/notifications/me"),
    (Buyer, "/notifications/me?unread=true"),
    (Buyer, "/payments/transactions"),
    (Buyer, "/payments/transactions?type=charge&status=success"),
    (Buyer, "/payments/transactions?order_id={refunded}"),
    (Buyer, "/payments/transactions?from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z"),
    (Admin, "/payments/transactions"),
    (Admin, "/payments/transactions?type=charge&status=success"),
    (Admin, "/payments/transactions?order_id={refunded}"),
    (Admin, "/payments/transactions?from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z"),
    (Buyer, "/payments/{payment}/refunds"),
    (Seller, "/payouts"),
    (Seller, "/payouts?status=paid"),
    (Seller, "/payouts?status=pending"),
    (Admin, "/admin/payouts"),
    (Admin, "/admin/payouts?status=paid"),
    (Admin, "/admin/payouts?status=pending"),
    (Admin, "/admin/cases"),
    (Admin, "/admin/cases?open=true"),
    (Admin, "/admin/cases?open=false"),
    (Admin, "/admin/cases?open=true&kind=payout_failed"),
    (Admin, "/admin/chargebacks"),
    (Admin, "/admin/chargebacks?status=lost"),
    (Admin, "/admin/chargebacks?order_id={charged_back}"),
    (Admin, "/admin/debts"),
    (Admin, "/admin/debts?open=true"),
    (Admin, "/admin/debts?open=false"),
    (Admin, "/admin/debts?user_id={seller}"),
    (Admin, "/admin/fees/rules"),
    (Admin, "/users"),
    (Admin, "/users?q=s"),
];

/// What else asks for more than a row, or in a way of its own.
const OTHERS: &[(Who, &str)] = &[
    (Seller, "/payouts/balance"),
    (Seller, "/payouts/statements?period=2026-10"),
    (Seller, "/services/{listing}"),
    (Admin, "/admin/reconciliation"),
    (Admin, "/admin/cases/{case}"),
    (Admin, "/admin/fees/rules/{rule}"),
];

/// One list: what is run for its first page, and what for those behind it.
pub struct List {
    pub name: String,
    pub first: BTreeSet<Statement>,
    pub later: BTreeSet<Statement>,
}

pub struct World {
    app: TestApp,
    people: BTreeMap<Who, Person>,
    names: Vec<(&'static str, String)>,
    /// What making it took.
    heard_before: BTreeSet<Statement>,
}

impl World {
    pub async fn new() -> Self {
        let app = TestApp::with(|config| {
            config.market.clearance = Duration::ZERO;
            // It reads all that there is.
            config.verify_hourly = false;
        })
        .await;
        app.app.db().overheard();
        let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
        app.stranger().await;
        let mut names = vec![("{buyer}", buyer.id.clone()), ("{seller}", seller.id.clone())];
        let people = BTreeMap::from([(Buyer, buyer), (Seller, seller), (Admin, admin)]);
        names.extend(furnish(&app, &people[&Buyer], &people[&Seller], &people[&Admin]).await);
        let heard_before = app.app.db().overheard();
        Self { app, people, names, heard_before }
    }

    fn named(&self, target: &str) -> String {
        self.names.iter().fold(target.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    async fn get(&self, by: Who, path: &str) -> Value {
        let reply = self.app.get(path, self.people.get(&by)).await;
        assert_eq!(reply.status, 200, "{by:?}: GET {path}: {}", String::from_utf8_lossy(&reply.bytes));
        reply.json()
    }

    fn overheard(&self) -> BTreeSet<Statement> {
        self.app.app.db().overheard()
    }

    /// Every list, with what it took.
    pub async fn lists(&self) -> Vec<List> {
        let mut lists = Vec::new();
        let mut cursors = BTreeMap::new();
        for (who, target) in LISTS {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let first_page = format!("{}?limit=1&{}", self.named(path), self.named(query));
            let mut page = self.get(*who, &first_page).await;
            let first = self.overheard();
            let next = |page: &Value| page["next_cursor"].as_str().map(str::to_owned);
            // A filter may leave a row or none; then it goes on where the list as a whole does.
            let mut cursor = next(&page).or_else(|| cursors.get(path).cloned());
            assert!(cursor.is_some(), "GET {target}: the world needs another row for a second page");
            while let Some(after) = cursor {
                page = self.get(*who, &format!("{first_page}&cursor={after}")).await;
                cursors.entry(path).or_insert(after);
                cursor = next(&page);
            }
            lists.push(List { name: format!("GET {target} ({who:?})"), first, later: self.overheard() });
        }
        lists
    }

    /// What was run for everything else: other requests, the events worker, an account that ends.
    pub async fn everything_else(self) -> BTreeSet<Statement> {
        for (who, target) in OTHERS {
            self.get(*who, &self.named(target)).await;
        }
        self.change().await;
        app::start_housekeeping(&self.app.app).await.unwrap();
        self.app.write(reconciliation::start).await;
        self.app.settle().await;
        let mut heard = self.heard_before;
        heard.extend(self.app.app.db().overheard());
        // It looks when the next timer is due once it has nothing to do.
        let rests = async {
            while !heard.iter().any(|asked: &Statement| asked.sql.contains("order by due_at limit 1")) {
                heard.extend(self.app.app.db().overheard());
                tokio::task::yield_now().await;
            }
        };
        events::run_worker(self.app.app.clone(), rests).await;
        // Disputes come to their deadlines.
        let span = Duration::from_secs(15 * 86_400);
        self.app.advance(span).await;
        // The timer does not wait for it.
        let now = self.app.app.db().clock().now();
        let window = Window { from: now.minus(span), to: now };
        reconciliation::run(&self.app.app, window).await.unwrap();
        heard.extend(self.app.app.db().overheard());
        heard
    }

    /// What changes something and asks for it in a way of its own, though it be refused.
    async fn change(&self) {
        let (admin, seller) = (&self.people[&Admin], &self.people[&Seller]);
        let welcome = json!({ "user_id": seller.id, "message": "Welcome." });
        self.app.post("/notifications", admin, welcome).await.expect(201);
        let reviews = self.get(Nobody, &self.named("/reviews/user/{seller}?direction=received")).await;
        let hide = format!("/reviews/{}/hide", reviews["data"][0]["id"].as_str().unwrap());
        self.app.post(&hide, admin, json!({ "reason": "It names a street." })).await.expect(200);
        let approve = self.named("/admin/reconciliation/{case}/approve");
        self.app.post(&approve, admin, json!({ "reason": "It was looked at." })).await.expect(200);
        self.app.delete(&format!("/users/{}", seller.id), seller).await.expect(409);
        let order = Id::from_wire(&self.named("{charged_back}"));
        let told = move |tx: &Tx| {
            payments::attempt_known_as(tx, Some("nobody's"), "nobody's")?;
            payouts::account_told(tx, "nobody's")?;
            payments::came_back(tx, order)
        };
        self.app.write(told).await;
    }
}

async fn furnish(
    app: &TestApp,
    buyer: &Person,
    seller: &Person,
    admin: &Person,
) -> Vec<(&'static str, String)> {
    let mut rule = Value::Null;
    for percent in ["7.5", "5"] {
        let body = json!({ "scope": "default", "percent": percent });
        rule = app.post("/admin/fees/rules", admin, body).await.expect(201).json();
    }
    // The word stands in the title of one and elsewhere in the others.
    let listing = app.listing(seller).await;
    let mut listings = vec![listing.clone()];
    for title in ["A mark for a door", "A crest for a club"] {
        listings.push(app.listing_with(seller, json!({ "title": title })).await);
        app.listing_with(seller, json!({ "title": title, "status": "draft" })).await;
    }
    let mut done = Vec::new();
    for listing in listings.iter().chain([&listing]) {
        let order = app.finished(buyer, listing).await;
        let review = json!({ "service_id": order["service_id"], "rating": 5 });
        app.post("/reviews", buyer, review).await.expect(201);
        done.push(order);
    }
    let (disputed, _) = app.paid(buyer, seller).await;
    app.move_order(buyer, &disputed, "disputed").await.expect(200);
    for (person, message) in [(buyer, "It is late."), (seller, "It is not.")] {
        let path = format!("{}/dispute/messages", order_path(&disputed));
        app.post(&path, person, json!({ "message": message })).await.expect(201);
    }
    let (refunded, payment) = app.paid(buyer, seller).await;
    for _ in 0..2 {
        app.refund(seller, &payment, Some("5.00")).await.expect(201);
    }
    // What banks take back after it was paid out is owed.
    let mut taken = Vec::new();
    for _ in 0..2 {
        taken.push(app.completed(buyer, seller).await);
    }
    app.post("/payouts/account", seller, None).await.expect(201);
    app.post("/payouts", seller, json!({ "currency": "USD" })).await.expect(201);
    app.settle().await;
    for (nth, (_, payment)) in taken.iter().enumerate() {
        let reference = format!("dp_{nth}");
        assert!(app.tell_of_chargeback(&reference, payment, 1_000, ChargebackStatus::Lost).await);
    }
    app.settle().await;
    // Two payouts are under way.
    for currency in ["EUR", "GBP"] {
        app.earned(buyer, seller, "30.00", currency).await;
        app.post("/payouts", seller, json!({ "currency": currency })).await.expect(201);
    }
    app.write(|tx| {
        for _ in 0..2 {
            let subject: Id<()> = tx.new_id();
            cases::open(
                tx,
                cases::Kind::PayoutFailed,
                subject,
                None,
                &json!({ "says": "It did not arrive." }),
            )?;
        }
        Ok(())
    })
    .await;
    let case = app.open_cases(admin).await.remove(0);
    let id = |thing: &Value| thing["id"].as_str().unwrap().to_owned();
    vec![
        ("{listing}", id(&listing)),
        ("{order}", id(&done[0])),
        ("{disputed}", id(&disputed)),
        ("{refunded}", id(&refunded)),
        ("{payment}", id(&payment)),
        ("{charged_back}", id(&taken[0].0)),
        ("{case}", id(&case)),
        ("{rule}", id(&rule)),
    ]
}
