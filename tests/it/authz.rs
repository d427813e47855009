//! Who may do what: every operation × {nobody, buyer, seller, admin, stranger}, each cell in a world where nothing has been
//! changed yet. A route without its row fails the suite.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use guildhall::payments::cases;
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// The five who try, in the order of the columns: the order's buyer, its seller, an administrator, and a stranger who
/// may both buy and sell.
const CAST: [&str; 5] = ["nobody", "buyer", "seller", "admin", "stranger"];

/// How far the order between buyer and seller has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// Accounts, a listing and a draft.
    Offered,
    Ordered,
    /// The charge waits for the buyer's confirmation.
    Unconfirmed,
    Paid,
    /// By its buyer; the seller offers a split.
    Disputed,
    Completed,
    Reviewed,
    /// The seller is being paid what the order earned.
    PaidOut,
}

pub struct Row {
    pub method: &'static str,
    /// The path of the operation, as the table of operations has it.
    pub path: &'static str,
    pub story: Story,
    /// The path that is really asked, with names of the world in braces.
    pub target: &'static str,
    pub body: Value,
    pub expected: [u16; 5],
}

fn row(
    method: &'static str,
    path: &'static str,
    story: Story,
    target: &'static str,
    body: Value,
    expected: [u16; 5],
) -> Row {
    Row { method, path, story, target, body, expected }
}

#[rustfmt::skip]
pub fn table() -> Vec<Row> {
    use Story::*;
    let none = || Value::Null;
    let reason = || json!({ "reason": "a complaint" });
    let renamed = || json!({ "username": "renamed" });
    let register = json!({ "username": "newcomer", "email": "newcomer@example.com", "password": "quiet copper lantern" });
    let item = || json!({ "title": "A shop front" });
    vec![
        row("POST", "/users/register", Offered, "/users/register", register, [201, 201, 201, 201, 201]),
        row("POST", "/users/login", Offered, "/users/login", json!({ "username": "buyer", "password": "quiet copper lantern" }), [200, 200, 200, 200, 200]),
        row("POST", "/users/refresh", Offered, "/users/refresh", json!({ "refresh_token": "{refresh}" }), [200, 200, 200, 200, 200]),
        row("POST", "/users/logout", Offered, "/users/logout", none(), [401, 204, 204, 204, 204]),
        row("GET", "/users/{id}", Offered, "/users/{buyer}", none(), [200, 200, 200, 200, 200]),
        row("PUT", "/users/{id}", Offered, "/users/{buyer}", renamed(), [401, 200, 403, 403, 403]),
        row("PATCH", "/users/{id}", Offered, "/users/{buyer}", renamed(), [401, 200, 403, 403, 403]),
        row("DELETE", "/users/{id}", Offered, "/users/{buyer}", none(), [401, 204, 403, 403, 403]),
        row("GET", "/users", Offered, "/users", none(), [401, 403, 403, 200, 403]),
        row("POST", "/users/{id}/suspend", Offered, "/users/{bystander}/suspend", reason(), [401, 403, 403, 200, 403]),
        row("POST", "/users/{id}/reinstate", Offered, "/users/{bystander}/reinstate", reason(), [401, 403, 403, 200, 403]),

        row("GET", "/profiles/{userId}", Offered, "/profiles/{seller}", none(), [200, 200, 200, 200, 200]),
        row("PUT", "/profiles/{userId}", Offered, "/profiles/{seller}", json!({ "bio": "Signs." }), [401, 403, 200, 403, 403]),
        row("PATCH", "/profiles/{userId}", Offered, "/profiles/{seller}", json!({ "bio": "Signs." }), [401, 403, 200, 403, 403]),
        row("POST", "/profiles/{userId}/portfolio", Offered, "/profiles/{seller}/portfolio", item(), [401, 403, 201, 403, 403]),
        row("PUT", "/profiles/{userId}/portfolio/{itemId}", Offered, "/profiles/{seller}/portfolio/{item}", item(), [401, 403, 200, 403, 403]),
        row("PATCH", "/profiles/{userId}/portfolio/{itemId}", Offered, "/profiles/{seller}/portfolio/{item}", item(), [401, 403, 200, 403, 403]),
        row("DELETE", "/profiles/{userId}/portfolio/{itemId}", Offered, "/profiles/{seller}/portfolio/{item}", none(), [401, 403, 204, 403, 403]),

        row("POST", "/services", Offered, "/services", listing("A second sign"), [401, 403, 201, 403, 201]),
        row("GET", "/services/{id}", Offered, "/services/{listing}", none(), [200, 200, 200, 200, 200]),
        row("GET", "/services/{id}", Offered, "/services/{draft}", none(), [404, 404, 200, 200, 404]),
        row("PUT", "/services/{id}", Offered, "/services/{listing}", json!({ "title": "A better sign" }), [401, 403, 200, 403, 403]),
        row("PATCH", "/services/{id}", Offered, "/services/{draft}", json!({ "title": "A better sign" }), [401, 404, 200, 403, 404]),
        row("DELETE", "/services/{id}", Offered, "/services/{listing}", none(), [401, 403, 204, 204, 403]),
        row("GET", "/services", Offered, "/services?status=published", none(), [200, 200, 200, 200, 200]),

        row("POST", "/orders", Offered, "/orders", json!({ "service_id": "{listing}" }), [401, 201, 403, 403, 201]),
        row("GET", "/orders/{id}", Ordered, "/orders/{order}", none(), [401, 200, 200, 200, 404]),
        row("PUT", "/orders/{id}", Ordered, "/orders/{order}", json!({ "status": "cancelled" }), [401, 200, 200, 409, 404]),
        row("PUT", "/orders/{id}", Paid, "/orders/{order}", json!({ "status": "delivered" }), [401, 403, 200, 403, 404]),
        row("PUT", "/orders/{id}", Paid, "/orders/{order}", json!({ "status": "completed" }), [401, 200, 403, 409, 404]),
        row("PUT", "/orders/{id}", Paid, "/orders/{order}", json!({ "status": "disputed" }), [401, 200, 200, 403, 404]),
        row("PATCH", "/orders/{id}", Ordered, "/orders/{order}", json!({ "requirements": "In blue." }), [401, 200, 403, 403, 404]),
        row("DELETE", "/orders/{id}", Ordered, "/orders/{order}", none(), [401, 200, 200, 409, 404]),
        row("DELETE", "/orders/{id}", Paid, "/orders/{order}", none(), [401, 409, 200, 200, 404]),
        row("GET", "/orders", Ordered, "/orders", none(), [401, 200, 200, 200, 200]),
        row("GET", "/orders/{id}/timeline", Ordered, "/orders/{order}/timeline", none(), [401, 200, 200, 200, 404]),

        row("POST", "/orders/{id}/dispute", Paid, "/orders/{order}/dispute", reason(), [401, 201, 201, 403, 404]),
        row("POST", "/orders/{id}/dispute", Disputed, "/orders/{order}/dispute", reason(), [401, 409, 409, 403, 404]),
        row("GET", "/orders/{id}/dispute", Paid, "/orders/{order}/dispute", none(), [401, 404, 404, 404, 404]),
        row("GET", "/orders/{id}/dispute", Disputed, "/orders/{order}/dispute", none(), [401, 200, 200, 200, 404]),
        row("POST", "/orders/{id}/dispute/messages", Disputed, "/orders/{order}/dispute/messages", json!({ "message": "Hello" }), [401, 201, 201, 201, 404]),
        row("GET", "/orders/{id}/dispute/messages", Disputed, "/orders/{order}/dispute/messages", none(), [401, 200, 200, 200, 404]),
        row("POST", "/orders/{id}/dispute/decision", Disputed, "/orders/{order}/dispute/decision", json!({ "refund_percent": 50, "reason": "Half." }), [401, 403, 403, 200, 404]),
        row("POST", "/orders/{id}/settlement", Disputed, "/orders/{order}/settlement", split(), [401, 201, 201, 403, 404]),
        row("POST", "/orders/{id}/settlement/accept", Disputed, "/orders/{order}/settlement/accept", split(), [401, 200, 409, 403, 404]),
        row("DELETE", "/orders/{id}/settlement", Disputed, "/orders/{order}/settlement", none(), [401, 404, 204, 403, 404]),
        row("GET", "/admin/fees/rules", Offered, "/admin/fees/rules", none(), [401, 403, 403, 200, 403]),
        row("POST", "/admin/fees/rules", Offered, "/admin/fees/rules", json!({ "scope": "default", "percent": "5" }), [401, 403, 403, 201, 403]),
        row("GET", "/admin/fees/rules/{id}", Offered, "/admin/fees/rules/{rule}", none(), [401, 403, 403, 200, 403]),
        row("PUT", "/admin/fees/rules/{id}", Offered, "/admin/fees/rules/{rule}", json!({ "percent": "5" }), [401, 403, 403, 200, 403]),
        row("PATCH", "/admin/fees/rules/{id}", Offered, "/admin/fees/rules/{rule}", json!({ "percent": "5" }), [401, 403, 403, 200, 403]),
        row("DELETE", "/admin/fees/rules/{id}", Offered, "/admin/fees/rules/{rule}", none(), [401, 403, 403, 204, 403]),
        row("GET", "/admin/fees/explain", Ordered, "/admin/fees/explain?order={order}", none(), [401, 403, 403, 200, 403]),

        row("POST", "/payments", Ordered, "/payments", json!({ "order_id": "{order}", "payment_method": "pm_card_visa" }), [401, 201, 403, 403, 404]),
        row("GET", "/payments/{id}", Paid, "/payments/{payment}", none(), [401, 200, 200, 200, 404]),
        row("GET", "/payments/transactions", Paid, "/payments/transactions", none(), [401, 200, 200, 200, 200]),
        row("POST", "/payments/{id}/confirm", Unconfirmed, "/payments/{payment}/confirm", none(), [401, 200, 403, 403, 404]),
        row("POST", "/payments/{id}/refunds", Paid, "/payments/{payment}/refunds", json!({ "reason": "Agreed." }), [401, 403, 201, 201, 404]),
        row("GET", "/payments/{id}/refunds", Paid, "/payments/{payment}/refunds", none(), [401, 200, 200, 200, 404]),
        row("GET", "/admin/debts", Paid, "/admin/debts?user_id={seller}", none(), [401, 403, 403, 200, 403]),
        row("GET", "/admin/cases", Offered, "/admin/cases", none(), [401, 403, 403, 200, 403]),
        row("GET", "/admin/cases/{id}", Offered, "/admin/cases/{buyer}", none(), [401, 403, 403, 404, 403]),
        row("POST", "/admin/cases/{id}/resolve", Offered, "/admin/cases/{buyer}/resolve", json!({ "resolution": "accept", "reason": "Seen." }), [401, 403, 403, 404, 403]),
        row("GET", "/admin/chargebacks", Offered, "/admin/chargebacks", none(), [401, 403, 403, 200, 403]),
        row("GET", "/admin/sandbox", Offered, "/admin/sandbox", none(), [401, 403, 403, 200, 403]),
        row("PUT", "/admin/sandbox", Offered, "/admin/sandbox", json!({ "seed": 1 }), [401, 403, 403, 200, 403]),
        row("PATCH", "/admin/sandbox", Offered, "/admin/sandbox", json!({ "seed": 1 }), [401, 403, 403, 200, 403]),
        row("POST", "/admin/sandbox/payments/{id}/chargeback", Paid, "/admin/sandbox/payments/{payment}/chargeback", json!({ "outcome": "won" }), [401, 403, 403, 200, 403]),
        row("POST", "/admin/sandbox/payments/{id}/settle", Paid, "/admin/sandbox/payments/{payment}/settle", json!({ "outcome": "declined" }), [401, 403, 403, 200, 403]),

        // Whoever he is: only the provider's signature opens this door.
        row("POST", "/webhooks/{provider}", Offered, "/webhooks/sandbox", json!({ "id": "evt_1", "type": "charge.succeeded" }), [400, 400, 400, 400, 400]),
        row("POST", "/webhooks/{provider}", Offered, "/webhooks/another", none(), [404, 404, 404, 404, 404]),
        row("POST", "/payouts/account", Offered, "/payouts/account", json!({}), [401, 403, 201, 403, 201]),
        row("GET", "/payouts/account", Offered, "/payouts/account", none(), [401, 403, 200, 403, 200]),
        row("PUT", "/payouts/account", Offered, "/payouts/account", json!({ "details": "The usual." }), [401, 403, 409, 403, 409]),
        row("PATCH", "/payouts/account", Offered, "/payouts/account", json!({ "details": "The usual." }), [401, 403, 409, 403, 409]),
        row("GET", "/payouts/balance", Completed, "/payouts/balance", none(), [401, 403, 200, 403, 200]),
        row("GET", "/payouts/balance", Completed, "/payouts/balance?user_id={seller}", none(), [401, 403, 200, 200, 403]),
        row("GET", "/payouts/settings", Offered, "/payouts/settings", none(), [401, 403, 200, 403, 200]),
        row("PUT", "/payouts/settings", Offered, "/payouts/settings", json!({ "schedule": "weekly" }), [401, 403, 200, 403, 200]),
        row("PATCH", "/payouts/settings", Offered, "/payouts/settings", json!({ "minimum": "5" }), [401, 403, 200, 403, 200]),
        row("POST", "/payouts", Completed, "/payouts", json!({ "currency": "USD" }), [401, 403, 201, 403, 409]),
        row("GET", "/payouts", PaidOut, "/payouts", none(), [401, 200, 200, 200, 200]),
        row("GET", "/payouts/{id}", PaidOut, "/payouts/{payout}", none(), [401, 404, 200, 200, 404]),
        row("GET", "/admin/payouts", PaidOut, "/admin/payouts", none(), [401, 403, 403, 200, 403]),
        row("POST", "/admin/payouts/{id}/mark", PaidOut, "/admin/payouts/{payout}/mark", json!({ "status": "paid" }), [401, 403, 403, 409, 403]),

        row("GET", "/payouts/statements", PaidOut, "/payouts/statements?period=2026-10&freelancer_id={seller}", none(), [401, 403, 200, 200, 403]),
        row("GET", "/payouts/statements", PaidOut, "/payouts/statements?period=2026-10", none(), [401, 200, 200, 400, 200]),
        row("GET", "/admin/reconciliation", Paid, "/admin/reconciliation", none(), [401, 403, 403, 200, 403]),
        row("POST", "/admin/reconciliation/{id}/approve", Paid, "/admin/reconciliation/{difference}/approve", reason(), [401, 403, 403, 200, 403]),

        row("POST", "/notifications", Ordered, "/notifications", json!({ "user_id": "{seller}", "message": "Hello" }), [401, 201, 403, 201, 403]),
        row("GET", "/notifications/{userId}", Ordered, "/notifications/{seller}", none(), [401, 404, 200, 404, 404]),
        row("PUT", "/notifications/{userId}/{id}", Ordered, "/notifications/{seller}/{notification}", json!({ "read": true }), [401, 404, 200, 404, 404]),
        row("PATCH", "/notifications/{userId}/{id}", Ordered, "/notifications/{seller}/{notification}", json!({ "read": true }), [401, 404, 200, 404, 404]),
        row("POST", "/notifications/{userId}/read-all", Ordered, "/notifications/{seller}/read-all", none(), [401, 404, 200, 404, 404]),

        row("POST", "/reviews", Completed, "/reviews", json!({ "service_id": "{listing}", "rating": 5 }), [401, 201, 403, 403, 403]),
        row("POST", "/reviews", Completed, "/reviews", json!({ "order_id": "{order}", "rating": 5 }), [401, 201, 403, 403, 404]),
        row("GET", "/reviews/{serviceId}", Reviewed, "/reviews/{listing}", none(), [200, 200, 200, 200, 200]),
        row("GET", "/reviews/user/{userId}", Reviewed, "/reviews/user/{buyer}", none(), [200, 200, 200, 200, 200]),
        row("POST", "/reviews/{id}/hide", Reviewed, "/reviews/{review}/hide", reason(), [401, 403, 403, 200, 403]),
    ]
}

fn split() -> Value {
    json!({ "refund_amount": "10.00" })
}

fn listing(title: &str) -> Value {
    json!({ "title": title, "description": "Painted by hand.", "category": "Design", "price": "80.00" })
}

/// The five people, what is between them, and the names that a row may use.
pub struct World {
    pub app: TestApp,
    pub cast: [Option<Person>; 5],
    names: Vec<(&'static str, String)>,
}

impl World {
    pub async fn at(story: Story) -> Self {
        let app = TestApp::with(|config| config.market.clearance = Duration::ZERO).await;
        let (buyer, seller, admin, stranger) =
            (app.buyer().await, app.seller().await, app.admin().await, app.stranger().await);
        let bystander = app.person("bystander", "both").await;
        let mut names = vec![
            ("{buyer}", buyer.id.clone()),
            ("{seller}", seller.id.clone()),
            ("{bystander}", bystander.id),
            ("{refresh}", bystander.refresh_token),
        ];
        let item = app
            .post("/profiles/me/portfolio", &seller, json!({ "title": "A door" }))
            .await
            .expect(201)
            .json();
        names.push(("{item}", text(&item["id"])));
        let rule = json!({ "scope": "category", "category": "Signs", "percent": "7.5" });
        let rule = app.post("/admin/fees/rules", &admin, rule).await.expect(201).json();
        names.push(("{rule}", text(&rule["id"])));
        let mut offer = listing("A painted sign");
        let offered = app.post("/services", &seller, offer.clone()).await.expect(201).json();
        names.push(("{listing}", text(&offered["id"])));
        offer["status"] = json!("draft");
        let draft = app.post("/services", &seller, offer).await.expect(201).json();
        names.push(("{draft}", text(&draft["id"])));
        if story >= Story::Ordered {
            let order =
                app.post("/orders", &buyer, json!({ "service_id": offered["id"] })).await.expect(201).json();
            names.push(("{order}", text(&order["id"])));
            let inbox = app.get("/notifications/me", &seller).await.expect(200).json();
            names.push(("{notification}", text(&inbox["data"][0]["id"])));
            names.extend(Self::payment(&app, &buyer, &seller, &order, story).await);
        }
        Self { app, cast: [None, Some(buyer), Some(seller), Some(admin), Some(stranger)], names }
    }

    async fn payment(
        app: &TestApp,
        buyer: &Person,
        seller: &Person,
        order: &Value,
        story: Story,
    ) -> Vec<(&'static str, String)> {
        let mut names = Vec::new();
        let path = format!("/orders/{}", text(&order["id"]));
        let pay = |method: &str| json!({ "order_id": order["id"], "payment_method": method });
        match story {
            Story::Offered | Story::Ordered => return names,
            Story::Unconfirmed => {
                let payment = app
                    .post("/payments", buyer, pay("pm_card_authenticationRequired"))
                    .await
                    .expect(202)
                    .json();
                names.push(("{payment}", text(&payment["id"])));
            }
            Story::Paid | Story::Disputed | Story::Completed | Story::Reviewed | Story::PaidOut => {
                let payment = app.post("/payments", buyer, pay("pm_card_visa")).await.expect(201).json();
                names.push(("{payment}", text(&payment["id"])));
            }
        }
        names.push(("{difference}", difference(app).await));
        if story == Story::Disputed {
            app.put(&path, buyer, json!({ "status": "disputed" })).await.expect(200);
            app.post(&format!("{path}/settlement"), seller, split()).await.expect(201);
        }
        names.push(("{difference}", difference(app).await));
        if story >= Story::Completed {
            app.put(&path, seller, json!({ "status": "delivered" })).await.expect(200);
            app.put(&path, buyer, json!({ "status": "completed" })).await.expect(200);
            app.post("/payouts/account", seller, None).await.expect(201);
        }
        if story >= Story::Reviewed {
            let review = app
                .post("/reviews", buyer, json!({ "order_id": order["id"], "rating": 4 }))
                .await
                .expect(201)
                .json();
            names.push(("{review}", text(&review["id"])));
        }
        if story >= Story::PaidOut {
            let payout = app.post("/payouts", seller, None).await.expect(201).json();
            names.push(("{payout}", text(&payout["id"])));
        }
        names
    }

    pub fn named(&self, template: &str) -> String {
        self.names.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// Something at the provider that our books do not have.
async fn difference(app: &TestApp) -> String {
    let open = |tx: &guildhall::db::Tx| {
        let subject: guildhall::id::Id<()> = tx.new_id();
        cases::open(tx, cases::Kind::PayoutFailed, subject, None, &json!({ "says": "It did not arrive." }))?;
        let case = "select id from cases where subject_id = $1";
        tx.one(case, guildhall::params![subject], |row| row.next::<guildhall::id::Id<()>>())
    };
    app.write(open).await.to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Tries every cell of the rows whose path begins with `part`; what differs from the table.
async fn check(part: &str) {
    let mut wrong = Vec::new();
    let mut untouched = BTreeMap::new();
    for row in table().into_iter().filter(|row| row.path.starts_with(part)) {
        for (column, expected) in row.expected.into_iter().enumerate() {
            let world = match untouched.remove(&row.story) {
                Some(world) => world,
                None => World::at(row.story).await,
            };
            let body = match &row.body {
                Value::Null => None,
                body => Some(serde_json::from_str(&world.named(&body.to_string())).unwrap()),
            };
            let reply =
                world.app.send(row.method, &world.named(row.target), world.cast[column].as_ref(), body).await;
            if reply.status != expected {
                let answer = String::from_utf8_lossy(&reply.bytes).into_owned();
                wrong.push(format!(
                    "{} {} by {}: expected {expected}, got {} {answer}",
                    row.method, row.target, CAST[column], reply.status
                ));
            }
            world.app.settle().await;
            // What is only read or refused leaves the world as it was: the next cell may have it.
            if row.method == "GET" || reply.status >= 400 {
                untouched.insert(row.story, world);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_has_its_row() {
    let rows: BTreeSet<(String, String)> =
        table().iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let operations: BTreeSet<(String, String)> = guildhall::app::operations()
        .iter()
        .map(|operation| (operation.method.to_string(), operation.path.to_owned()))
        .collect();
    assert_eq!(rows, operations, "left: rows of the authorization table; right: operations");
}

#[tokio::test]
async fn users() {
    check("/users").await;
}

#[tokio::test]
async fn profiles() {
    check("/profiles").await;
}

#[tokio::test]
async fn services() {
    check("/services").await;
}

#[tokio::test]
async fn orders() {
    check("/orders").await;
}

#[tokio::test]
async fn administration() {
    check("/admin").await;
}

#[tokio::test]
async fn payments() {
    check("/payments").await;
}

#[tokio::test]
async fn payouts() {
    check("/payouts").await;
}

#[tokio::test]
async fn webhooks() {
    check("/webhooks").await;
}

#[tokio::test]
async fn notifications() {
    check("/notifications").await;
}

#[tokio::test]
async fn reviews() {
    check("/reviews").await;
}
