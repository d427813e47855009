//! What the house keeps, by which rule, and what the buyer pays beside the price.

use guildhall::config::Config;
use guildhall::events;
use guildhall::id::Id;
use guildhall::money::Rate;
use guildhall::orders::Status;
use serde_json::{Value, json};

use crate::support::{Cast, Person, TestApp};
use crate::verify::lives_in;

const RULES: &str = "/admin/fees/rules";

impl TestApp {
    /// A rule of the administrator.
    async fn fee_rule(&self, admin: &Person, fields: Value) -> Value {
        self.post(RULES, admin, fields).await.expect(201).json()
    }

    async fn explained(&self, admin: &Person, order: &Value) -> Value {
        let path = format!("/admin/fees/explain?order={}", order["id"].as_str().unwrap());
        self.get(&path, admin).await.expect(200).json()
    }

    /// The fee of a new order for the cast's listing of 49.90 USD.
    async fn fee_now(&self, cast: &Cast) -> String {
        let order = self.placed(&cast.buyer, &cast.listing).await;
        self.order(&cast.seller, &order).await["fee"].as_str().unwrap().to_owned()
    }
}

fn path(rule: &Value) -> String {
    format!("{RULES}/{}", rule["id"].as_str().unwrap())
}

fn with_service_fee(basis_points: u32) -> impl FnOnce(&mut Config) {
    move |config| config.market.service_fee = Rate::from_basis_points(basis_points).unwrap()
}

/// An exact decimal as whole units of its last digit.
fn minor(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// An explanation adds up, in every way that it says it does.
fn assert_adds_up(told: &Value) {
    for (parts, whole) in [
        (&["percent_part", "fixed_part"][..], "fee"),
        (&["fee_given_back", "fee_kept"], "fee"),
        (&["service_fee_given_back", "service_fee_kept"], "service_fee"),
        (&["amount", "service_fee"], "total"),
        (&["given_back", "left"], "total"),
        (&["freelancer_part", "fee_kept", "service_fee_kept"], "left"),
    ] {
        let sum: i64 = parts.iter().map(|part| minor(&told[*part])).sum();
        assert_eq!(sum, minor(&told[whole]), "{parts:?} are not {whole}: {told}");
    }
}

#[tokio::test]
async fn the_first_active_rule_that_covers_an_order_counts() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    assert_eq!(app.fee_now(&cast).await, "4.99", "without rules the configured ten per cent");
    app.fee_rule(&cast.admin, json!({ "position": 20, "scope": "default", "percent": 5 })).await;
    let fixed = json!([{ "amount": "0.30", "currency": "USD" }, { "amount": 50, "currency": "JPY" }]);
    let design = json!({ "position": 10, "scope": "category", "category": " DESIGN", "percent": "7.5", "fixed": fixed });
    let design = app.fee_rule(&cast.admin, design).await;
    let other =
        json!({ "position": 5, "scope": "freelancer", "freelancer_id": cast.stranger.id, "percent": "0" });
    app.fee_rule(&cast.admin, other).await;
    assert_eq!(app.fee_now(&cast).await, "4.04", "7.5 % are 3.74, and 0.30");
    let own =
        json!({ "position": 1, "scope": "freelancer", "freelancer_id": cast.seller.id, "percent": "1" });
    let own = app.fee_rule(&cast.admin, own).await;
    assert_eq!(app.fee_now(&cast).await, "0.50");
    app.put(&path(&own), &cast.admin, json!({ "position": 30 })).await.expect(200);
    assert_eq!(app.fee_now(&cast).await, "4.04", "it is asked after the others now");
    app.put(&path(&design), &cast.admin, json!({ "active": false })).await.expect(200);
    assert_eq!(app.fee_now(&cast).await, "2.50", "half of a cent goes to the even neighbour");
    app.verify().await;
}

#[tokio::test]
async fn an_order_keeps_the_fee_that_it_was_placed_with() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let fixed = json!([{ "amount": "0.30", "currency": "USD" }]);
    let rule = json!({ "scope": "category", "category": "Design", "percent": "7.5", "fixed": fixed });
    let rule = app.fee_rule(&cast.admin, rule).await;
    let order = app.active(&cast.buyer, &cast.listing).await;
    let before = app.explained(&cast.admin, &order).await;
    assert_eq!(
        (&before["basis"], &before["category"], &before["rule_id"]),
        (&json!("category"), &json!("Design"), &rule["id"])
    );
    app.put(&path(&rule), &cast.admin, json!({ "scope": "default", "percent": "50", "fixed": [] }))
        .await
        .expect(200);
    assert_eq!(app.explained(&cast.admin, &order).await, before, "changing the rule changes no order");
    app.delete(&path(&rule), &cast.admin).await.expect(204);
    assert_eq!(app.explained(&cast.admin, &order).await, before, "deleting it neither");
    app.ask(&order, &cast.buyer, "completed").await.expect(200);
    assert_eq!(app.balance("fees").await, 404);
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn an_explanation_adds_up_in_every_state_and_after_refunds() {
    let app = TestApp::with(with_service_fee(333)).await;
    let cast = app.cast().await;
    let fixed = json!([{ "amount": "0.37", "currency": "USD" }]);
    app.fee_rule(&cast.admin, json!({ "scope": "default", "percent": "12.34", "fixed": fixed })).await;
    for status in Status::ALL {
        let order = app.order_at(*status, &cast).await;
        assert_adds_up(&app.explained(&cast.admin, &order).await);
    }
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let payment = app.pay(&cast.buyer, &order, "pm_card_visa").await.expect(201).json();
    for amount in ["0.01", "3.33", "17.77"] {
        app.refund(&cast.seller, &payment, Some(amount)).await.expect(201);
        assert_adds_up(&app.explained(&cast.admin, &order).await);
    }
    app.ask(&order, &cast.buyer, "completed").await.expect(200);
    let told = app.explained(&cast.admin, &order).await;
    assert_adds_up(&told);
    let (kept, fees) =
        (minor(&told["fee_kept"]) + minor(&told["service_fee_kept"]), app.order_row(&order).await.id);
    assert_eq!(app.fees_of(fees.to_string()).await, kept, "what is explained is what was booked");
    assert_eq!(told["sums"].as_array().unwrap().len(), 7);
    app.audit().await;
    app.verify().await;
}

impl TestApp {
    /// What the house has booked as its own of an order.
    async fn fees_of(&self, order: String) -> i64 {
        let sum = "select cast(coalesce(sum(l.amount_minor), 0) as bigint) from ledger_lines l
             join ledger_journals j on j.id = l.journal_id where l.account = 'fees' and j.order_id = $1";
        let order: Id<()> = Id::from_wire(&order);
        let read = move |tx: &guildhall::db::Tx| tx.one(sum, guildhall::params![order], |row| row.next());
        self.app.db().read(read).await.unwrap()
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_explained() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    app.get("/admin/fees/explain", &cast.admin).await.problem(400, "invalid_parameter");
    app.get("/admin/fees/explain?order=17", &cast.admin).await.problem(404, "not_found");
    app.get("/admin/fees/explain?order=17", &cast.seller).await.problem(403, "forbidden");
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let told = app.explained(&cast.admin, &order).await;
    assert_eq!((&told["basis"], &told["rule_id"]), (&json!("configured"), &Value::Null));
    assert!(told["why"].as_str().unwrap().contains("fee_percent"));
}

#[tokio::test]
async fn a_fee_is_never_more_than_the_price() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let fixed = json!([{ "amount": "100", "currency": "USD" }, { "amount": "3", "currency": "JPY" }]);
    app.fee_rule(&cast.admin, json!({ "scope": "default", "percent": "10", "fixed": fixed })).await;
    let order = app.active(&cast.buyer, &cast.listing).await;
    assert_eq!(app.order(&cast.seller, &order).await["fee"], "49.90");
    app.ask(&order, &cast.buyer, "completed").await.expect(200);
    assert_eq!(app.balance(&format!("payable:{}", cast.seller.id)).await, 0);
    let yen = json!({ "price": "5", "currency": "JPY" });
    let order = app.pending_order_with(&cast.buyer, &cast.seller, yen).await;
    assert_eq!(
        app.order(&cast.seller, &order).await["fee"],
        "3",
        "half a yen goes to the even neighbour, none"
    );
    app.settle().await;
    app.verify().await;
}

// The buyer's service fee

#[tokio::test]
async fn without_a_service_fee_the_total_is_the_price() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    assert_eq!((&order["service_fee"], &order["total"]), (&json!("0.00"), &json!("49.90")));
}

#[tokio::test]
async fn everybody_concerned_sees_what_the_buyer_pays() {
    let app = TestApp::with(with_service_fee(250)).await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    for reader in [&cast.buyer, &cast.seller, &cast.admin] {
        let seen = app.order(reader, &order).await;
        assert_eq!(
            (&seen["amount"], &seen["service_fee"], &seen["total"]),
            (&json!("49.90"), &json!("1.25"), &json!("51.15"))
        );
    }
}

#[tokio::test]
async fn a_service_fee_is_paid_held_given_back_and_kept() {
    let app = TestApp::with(with_service_fee(250)).await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let pay =
        |amount: &str| json!({ "order_id": order["id"], "payment_method": "pm_card_visa", "amount": amount });
    let refused = app.post("/payments", &cast.buyer, pay("49.90")).await.problem(409, "amount_mismatch");
    assert_eq!(refused.json()["amount"], "51.15");
    let payment = app.post("/payments", &cast.buyer, pay("51.15")).await.expect(201).json();
    assert_eq!((&payment["amount"], app.escrow(&order).await), (&json!("51.15"), 5_115));
    app.ask(&order, &cast.seller, "disputed").await.expect(200);
    let split = json!({ "status": "completed", "refund_amount": "20.00" });
    app.put(&format!("/orders/{}", order["id"].as_str().unwrap()), &cast.admin, split).await.expect(200);

    // 31.15 are left: 1.25 / 51.15 of it are 0.76; 4.99 / 49.90 of the remaining 30.39 are 3.04.
    let told = app.explained(&cast.admin, &order).await;
    assert_adds_up(&told);
    let kept = [&told["service_fee_kept"], &told["fee_kept"], &told["freelancer_part"]];
    assert_eq!(kept, ["0.76", "3.04", "27.35"]);
    assert_eq!([&told["service_fee_given_back"], &told["fee_given_back"]], ["0.49", "1.95"]);
    let payable = format!("payable:{}", cast.seller.id);
    assert_eq!(
        (app.balance("fees").await, app.balance(&payable).await, app.escrow(&order).await),
        (380, 2_735, 0)
    );
    let listed = app.get("/payments/transactions", &cast.admin).await.expect(200).json();
    let mut listed: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|row| (&row["type"], &row["amount"])).collect();
    listed.sort_by_key(|(kind, _)| kind.to_string());
    let expected = [("charge", "51.15"), ("fee", "3.04"), ("refund", "20.00"), ("release", "27.35")];
    assert_eq!(
        listed,
        expected
            .map(|(kind, amount)| (json!(kind), json!(amount)))
            .iter()
            .map(|(k, a)| (k, a))
            .collect::<Vec<_>>()
    );
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_cancelled_order_gives_the_service_fee_back_too() {
    let app = TestApp::with(with_service_fee(250)).await;
    let cast = app.cast().await;
    let order = app.active(&cast.buyer, &cast.listing).await;
    app.ask(&order, &cast.seller, "cancelled").await.expect(200);
    app.audit().await;
    assert_eq!((app.given_back().await, app.balance("fees").await), (5_115, 0));
    let told = app.explained(&cast.admin, &order).await;
    assert_eq!([&told["left"], &told["fee_kept"], &told["service_fee_kept"]], ["0.00", "0.00", "0.00"]);
    app.verify().await;
}

#[tokio::test]
async fn a_marketplace_with_every_fee_keeps_every_promise() {
    let app = TestApp::with(with_service_fee(777)).await;
    let admin = app.second_admin().await;
    let fixed = json!([{ "amount": "0.41", "currency": "USD" }]);
    app.fee_rule(
        &admin,
        json!({ "scope": "category", "category": "design", "percent": "8.88", "fixed": fixed }),
    )
    .await;
    let app = lives_in(app).await;
    app.audit().await;
    app.verify().await;
}

// Keeping the rules

#[tokio::test]
async fn rules_are_listed_in_the_order_in_which_they_are_asked() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    for position in [30, 10, 20] {
        app.fee_rule(&admin, json!({ "position": position, "scope": "default", "percent": "5" })).await;
    }
    let last = app.fee_rule(&admin, json!({ "scope": "default", "percent": "5" })).await;
    assert_eq!(last["position"], 40, "unless said it stands last");
    let first = app.get(&format!("{RULES}?limit=3"), &admin).await.expect(200).json();
    let rest = format!("{RULES}?limit=3&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = app.get(&rest, &admin).await.expect(200).json();
    let positions = |page: &Value| -> Vec<i64> {
        page["data"].as_array().unwrap().iter().map(|rule| rule["position"].as_i64().unwrap()).collect()
    };
    assert_eq!((positions(&first), positions(&rest)), (vec![10, 20, 30], vec![40]));
}

#[tokio::test]
async fn two_rules_never_stand_at_one_position() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let rule = json!({ "position": 10, "scope": "default", "percent": "5" });
    let first = app.fee_rule(&admin, rule.clone()).await;
    let refused = app.post(RULES, &admin, rule).await.problem(409, "position_taken");
    assert_eq!(refused.json()["rule_id"], first["id"]);
    let second = app.fee_rule(&admin, json!({ "scope": "default", "percent": "5" })).await;
    app.put(&path(&second), &admin, json!({ "position": 10 })).await.problem(409, "position_taken");
    app.put(&path(&first), &admin, json!({ "position": 10 })).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_said_at_once() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    for (body, pointers) in [
        (json!({}), vec!["/scope", "/percent"]),
        (json!({ "scope": "all", "percent": "7,5" }), vec!["/scope", "/percent"]),
        (json!({ "scope": "default", "percent": "100.01" }), vec!["/percent"]),
        (json!({ "scope": "default", "percent": 5, "position": 0 }), vec!["/position"]),
        (json!({ "scope": "category", "percent": 5 }), vec!["/category"]),
        (json!({ "scope": "freelancer", "percent": 5 }), vec!["/freelancer_id"]),
        (json!({ "scope": "default", "percent": 5, "category": "Design" }), vec!["/category"]),
        (json!({ "scope": "category", "percent": 5, "category": " " }), vec!["/category"]),
        (json!({ "scope": "default", "percent": 5, "rate_bp": 500 }), vec!["/rate_bp"]),
        (
            json!({ "scope": "default", "percent": 5, "fixed": [{ "amount": "0.5", "currency": "JPY" }] }),
            vec!["/fixed/0/amount"],
        ),
    ] {
        let reply = app.post(RULES, &admin, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(reply.pointers(), pointers, "{body}");
    }
    let nobody = json!({ "scope": "freelancer", "freelancer_id": "17", "percent": 5 });
    app.post(RULES, &admin, nobody).await.problem(404, "not_found");
    let buyer = app.buyer().await;
    let sells_nothing = json!({ "scope": "freelancer", "freelancer_id": buyer.id, "percent": 5 });
    let refused = app.post(RULES, &admin, sells_nothing).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/freelancer_id"]);
    let nameless =
        app.post(RULES, &admin, json!({ "percent": 5 })).await.problem(422, "validation_failed").json();
    assert_eq!(
        nameless["errors"][0]["detail"],
        "`scope` is missing: send one of category, freelancer, default"
    );
    app.get(&format!("{RULES}/17"), &admin).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_rule_that_was_read_can_be_put_back_and_a_stale_one_cannot() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let fixed = json!([{ "amount": "0.30", "currency": "USD" }]);
    let rule = json!({ "scope": "category", "category": "Design", "percent": "7.5", "fixed": fixed });
    let rule = app.fee_rule(&admin, rule).await;
    let read = app.get(&path(&rule), &admin).await.expect(200);
    assert_eq!(read.json(), rule);
    let again = app.put(&path(&rule), &admin, rule.clone()).await.expect(200);
    assert_eq!((again.json(), again.header("etag")), (rule.clone(), read.header("etag")));
    app.put(&path(&rule), &admin, json!({ "percent": "8" })).await.expect(200);
    let stale = [("if-match", read.header("etag"))];
    let change = Some(json!({ "percent": "9" }));
    app.request("PUT", &path(&rule), Some(&admin.token), &stale, change).await.problem(412, "stale_version");
    app.request("DELETE", &path(&rule), Some(&admin.token), &stale, None).await.problem(412, "stale_version");
}

#[tokio::test]
async fn a_rule_for_somebody_who_left_can_be_put_back_but_made_for_nobody_else_who_left() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let rule = json!({ "scope": "freelancer", "freelancer_id": cast.seller.id, "percent": "5" });
    let rule = app.fee_rule(&cast.admin, rule).await;
    let other = app.fee_rule(&cast.admin, json!({ "scope": "default", "percent": "5" })).await;
    app.delete("/users/me", &cast.seller).await.expect(204);
    let mut read = app.get(&path(&rule), &cast.admin).await.expect(200).json();
    assert_eq!(app.put(&path(&rule), &cast.admin, read.clone()).await.expect(200).json(), read);
    read["active"] = json!(false);
    let off = app.put(&path(&rule), &cast.admin, read).await.expect(200).json();
    assert_eq!((&off["active"], &off["freelancer_id"]), (&json!(false), &json!(cast.seller.id)));
    let theirs = json!({ "scope": "freelancer", "freelancer_id": cast.seller.id });
    app.put(&path(&other), &cast.admin, theirs).await.problem(404, "not_found");
    let theirs = json!({ "scope": "freelancer", "freelancer_id": cast.seller.id, "percent": "5" });
    app.post(RULES, &cast.admin, theirs).await.problem(404, "not_found");
}

#[tokio::test]
async fn every_change_of_a_rule_is_written_down_with_who_made_it() {
    let app = TestApp::new().await;
    let (admin, warden) = (app.admin().await, app.second_admin().await);
    let rule = app.fee_rule(&admin, json!({ "scope": "default", "percent": "5" })).await;
    app.put(&path(&rule), &warden, json!({ "percent": "6" })).await.expect(200);
    app.put(&path(&rule), &warden, json!({ "percent": "6.00" })).await.expect(200);
    app.delete(&path(&rule), &admin).await.expect(204);
    app.get(&path(&rule), &admin).await.problem(404, "not_found");
    let id: Id<()> = Id::from_wire(rule["id"].as_str().unwrap());
    let mut written = app.app.db().read(move |tx| events::of_subject(tx, id, None, 10)).await.unwrap();
    written.reverse();
    let told: Vec<_> = written
        .iter()
        .map(|event| {
            let actor = event.actor_id.unwrap().to_string();
            (event.kind.as_str(), actor, &event.body["before"]["percent"], &event.body["after"]["percent"])
        })
        .collect();
    let (five, six, none) = (json!("5"), json!("6"), Value::Null);
    assert_eq!(
        told,
        [
            ("fee_rule_created", admin.id.clone(), &none, &five),
            ("fee_rule_changed", warden.id, &five, &six),
            ("fee_rule_deleted", admin.id, &six, &none),
        ],
        "and a change that changes nothing is none"
    );
}

#[tokio::test]
async fn only_administrators_know_the_rules() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let rule = app.fee_rule(&cast.admin, json!({ "scope": "default", "percent": "5" })).await;
    for person in [&cast.buyer, &cast.seller, &cast.stranger] {
        app.get(RULES, person).await.problem(403, "forbidden");
        app.post(RULES, person, json!({ "nonsense": 1 })).await.problem(403, "forbidden");
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let body = (method != "GET").then(|| json!({}));
            app.send(method, &path(&rule), person, body).await.problem(403, "forbidden");
        }
    }
}
