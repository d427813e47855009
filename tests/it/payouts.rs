//! Freelancers are paid: accounts, balances, clearance, schedules, and payouts whose outcome is not known at once.

mod accounts;
mod by_hand;
mod evidence;
mod schedules;
mod sending;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{CLEARANCE, TestApp};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn what_an_order_earned_is_paid_out_when_it_has_cleared() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    let order = app.earned(&buyer, &seller, "49.90", "USD").await;
    let refused = app.pay_out(&seller).await.problem(409, "nothing_to_pay_out").json();
    let next = app.balance_in(&seller, "USD").await["next"][0].clone();
    assert_eq!(refused["available_at"], next["available_at"]);
    assert_eq!(next["amount"], "44.91");

    let seller = app.cleared().await;
    let reply = app.pay_out(&seller).await.expect(201);
    let payout = reply.json();
    assert_eq!(reply.header("location"), format!("/payouts/{}", payout["id"].as_str().unwrap()));
    assert_eq!((&payout["status"], &payout["amount"]), (&json!("pending"), &json!("44.91")));
    assert_eq!(payout["items"][0]["order_id"], order["id"]);
    assert_eq!(payout["items"][0]["title"], order["title"]);
    app.settle().await;
    let paid = app.payout(&seller, &payout).await;
    assert_eq!((&paid["status"], &paid["items"][0]["status"]), (&json!("paid"), &json!("paid")));
    assert_eq!(app.transferred().await, (4491, 1));
    app.pay_out(&seller).await.problem(409, "nothing_to_pay_out");
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_payout_gathers_orders_of_one_currency_and_itemises_them() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    for (price, currency) in [("10.00", "USD"), ("500", "JPY"), ("20.00", "USD"), ("1501", "JPY")] {
        app.earned(&buyer, &seller, price, currency).await;
    }
    let seller = app.cleared().await;
    assert_eq!(app.pay_out(&seller).await.expect(422).pointers(), ["/currency"]);
    let mut amounts = Vec::new();
    for currency in ["JPY", "USD"] {
        let payout = app.post("/payouts", &seller, json!({ "currency": currency })).await.expect(201).json();
        let parts: Vec<Value> =
            payout["items"].as_array().unwrap().iter().map(|item| item["amount"].clone()).collect();
        amounts.push((payout["amount"].clone(), parts));
    }
    assert_eq!(amounts[0], (json!("1801"), vec![json!("450"), json!("1351")]));
    assert_eq!(amounts[1], (json!("27.00"), vec![json!("9.00"), json!("18.00")]));
    app.settle().await;
    let listed = app.get("/payouts?status=paid", &seller).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    let told = app.told(&seller).await;
    assert_eq!(told.iter().filter(|kind| *kind == "payout_paid").count(), 2, "{told:?}");
    let listed =
        app.get("/payments/transactions?type=payout&status=success", &seller).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 4);
    app.verify().await;
}

#[tokio::test]
async fn balances_sum_to_what_the_ledger_owes() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.advance(DAY).await;
    let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
    app.earned(&buyer, &seller, "20.00", "USD").await;
    app.earned(&buyer, &seller, "30.00", "USD").await;
    app.advance(CLEARANCE - DAY).await;
    let seller = app.log_in("seller").await;
    let payable = format!("payable:{}", seller.id);
    let balance = app.balance_in(&seller, "USD").await;
    assert_eq!((&balance["available"], &balance["pending"]), (&json!("9.00"), &json!("45.00")));
    assert_eq!(balance["next"].as_array().unwrap().len(), 1, "{balance}");
    assert_eq!(app.balance(&payable).await, 5400);
    app.pay_out(&seller).await.expect(201);
    let balance = app.balance_in(&seller, "USD").await;
    assert_eq!((&balance["available"], &balance["on_its_way"]), (&json!("0.00"), &json!("9.00")));
    assert_eq!(app.balance(&payable).await, 4500);
    app.settle().await;
    assert_eq!(app.balance_in(&seller, "USD").await["on_its_way"], "0.00");
    app.verify().await;
}

#[tokio::test]
async fn two_payouts_at_once_take_each_release_once() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    for price in ["10.00", "20.00", "30.00"] {
        app.earned(&buyer, &seller, price, "USD").await;
    }
    let seller = app.cleared().await;
    let (a, b, c, d) =
        tokio::join!(app.pay_out(&seller), app.pay_out(&seller), app.pay_out(&seller), app.pay_out(&seller));
    let mut statuses = [a, b, c, d].map(|reply| reply.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    app.settle().await;
    assert_eq!(app.transferred().await, (5400, 3));
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn too_little_waits_for_more() {
    let app = TestApp::with(|config| {
        config.payout_minimum = guildhall::money::Threshold::parse("12.5").unwrap();
    })
    .await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.earned(&buyer, &seller, "14", "JPY").await;
    let seller = app.cleared().await;
    let usd = json!({ "currency": "USD" });
    let refused = app.post("/payouts", &seller, usd.clone()).await.problem(409, "below_minimum").json();
    assert_eq!((&refused["available"], &refused["minimum"]), (&json!("9.00"), &json!("12.50")));
    app.post("/payouts", &seller, json!({ "currency": "JPY" })).await.expect(201);
    app.put("/payouts/settings", &seller, json!({ "minimum": "9" })).await.expect(200);
    app.post("/payouts", &seller, usd).await.expect(201);
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn the_same_key_starts_one_payout() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let seller = app.cleared().await;
    let key = [("idempotency-key", "once")];
    let first = app.request("POST", "/payouts", Some(&seller.token), &key, None).await.expect(201);
    let again = app.request("POST", "/payouts", Some(&seller.token), &key, None).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    app.settle().await;
}

#[tokio::test]
async fn money_and_payouts_under_way_keep_an_account() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let blockers = |reply: Value| reply["blockers"][0]["type"].clone();
    let refused = app.delete("/users/me", &seller).await.problem(409, "deletion_blocked").json();
    assert_eq!(blockers(refused), "balance");
    let seller = app.cleared().await;
    let refused = app.put("/users/me", &seller, json!({ "role": "buyer" })).await.problem(409, "role_in_use");
    assert!(
        refused.json()["blockers"].as_array().unwrap().iter().any(|blocker| blocker["type"] == "balance")
    );
    app.pay_out(&seller).await.expect(201);
    let refused = app.delete("/users/me", &seller).await.problem(409, "deletion_blocked").json();
    assert_eq!(blockers(refused), "payout");
    app.settle().await;
    app.delete("/users/me", &seller).await.expect(204);
    assert_eq!(app.count("select count(*) from payout_accounts").await, 0);
    app.verify().await;
}

#[tokio::test]
async fn another_freelancers_payout_is_nobodys() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    let (stranger, admin) = (app.stranger().await, app.admin().await);
    let path = format!("/payouts/{}", payout["id"].as_str().unwrap());
    app.get(&path, &stranger).await.problem(404, "not_found");
    app.get(&path, &admin).await.expect(200);
    assert_eq!(app.get("/payouts", &stranger).await.expect(200).json()["data"], json!([]));
    app.settle().await;
}
