//! Payouts for those who pay by hand.

use guildhall::config::PayoutsBy;
use guildhall::providers::ChargebackStatus;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

const DETAILS: &str = "IBAN DE02 1203 0000 0000 2020 51\nAda Lovelace";

/// A house that pays by hand, a payout that waits for it, and the administrator; the seller's session is new.
async fn waiting() -> (TestApp, Person, Person, Value) {
    let app = TestApp::with(|config| config.payouts = PayoutsBy::Manual).await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    app.post("/payouts/account", &seller, None).await.problem(409, "payouts_by_hand");
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.earned(&buyer, &seller, "20.00", "USD").await;
    let seller = app.cleared().await;
    let refused = app.pay_out(&seller).await.problem(409, "payout_account_required").json();
    assert_eq!(refused["account"], "none");
    app.put("/payouts/account", &seller, json!({ "details": DETAILS })).await.expect(200);
    let payout = app.pay_out(&seller).await.expect(201).json();
    let admin = app.admin().await;
    (app, seller, admin, payout)
}

async fn mark(app: &TestApp, admin: &Person, payout: &Value, body: Value) -> crate::support::Reply {
    app.post(&format!("/admin/payouts/{}/mark", payout["id"].as_str().unwrap()), admin, body).await
}

#[tokio::test]
async fn whoever_pays_sees_what_to_pay_and_says_when_it_is_done() {
    let (app, seller, admin, payout) = waiting().await;
    app.settle().await;
    let to_do = app.get("/admin/payouts?status=pending", &admin).await.expect(200).json();
    assert_eq!(to_do["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&to_do["data"][0]["details"], &to_do["data"][0]["amount"]),
        (&json!(DETAILS), &json!("27.00"))
    );
    assert!(app.payout(&seller, &payout).await.get("details").is_none());
    let paid = json!({ "status": "paid", "reference": "SEPA 7" });
    assert_eq!(mark(&app, &admin, &payout, paid.clone()).await.expect(200).json()["status"], "paid");
    mark(&app, &admin, &payout, paid).await.expect(200);
    let seen = app.payout(&seller, &payout).await;
    assert_eq!((&seen["status"], &seen["items"][1]["transaction_id"]), (&json!("paid"), &json!("SEPA 7")));
    assert_eq!(app.told(&seller).await.iter().filter(|kind| *kind == "payout_paid").count(), 1);
    let left = app.get("/admin/payouts?status=pending", &admin).await.expect(200).json();
    assert_eq!(left["data"], json!([]));
    app.verify().await;
}

#[tokio::test]
async fn what_did_not_arrive_is_paid_out_again_when_the_details_are_mended() {
    for (arrives_first, details) in [(false, ""), (true, "IBAN of another"), (true, DETAILS)] {
        let (app, seller, admin, payout) = waiting().await;
        if arrives_first {
            mark(&app, &admin, &payout, json!({ "status": "paid" })).await.expect(200);
        }
        let returned = json!({ "status": "returned", "reason": "The account is closed." });
        let marked = mark(&app, &admin, &payout, returned).await.expect(200).json();
        assert_eq!(marked["status"], "failed");
        assert_eq!(marked["items"][0]["failure"], "The account is closed.");
        let told = app.inbox(&seller).await;
        let returned: Vec<&Value> = told.iter().filter(|row| row["type"] == "payout_returned").collect();
        assert_eq!(returned.len(), 1, "one for the whole");
        assert_eq!(returned[0]["message"], "A payout of 27.00 USD came back and can be paid out again");
        let refused = mark(&app, &admin, &payout, json!({ "status": "paid" })).await;
        assert_eq!(refused.problem(409, "payout_decided").json()["current"], "failed");
        assert_eq!(app.balance_in(&seller, "USD").await["available"], "27.00");
        if arrives_first {
            app.pay_out(&seller).await.problem(409, "payout_account_required");
            let right = json!({ "details": details, "current_password": PASSWORD });
            let account = app.put("/payouts/account", &seller, right).await.expect(200).json();
            assert_eq!((&account["status"], &account["wanted"]), (&json!("enabled"), &json!([])));
        }
        let again = app.pay_out(&seller).await.expect(201).json();
        assert_ne!(again["id"], payout["id"]);
        mark(&app, &admin, &again, json!({ "status": "paid" })).await.expect(200);
        app.verify().await;
    }
}

#[tokio::test]
async fn details_are_for_their_owner_and_those_who_pay() {
    let (app, seller, _, _) = waiting().await;
    let shown = app.get("/payouts/account", &seller).await.expect(200);
    assert_eq!(shown.json()["details"], DETAILS);
    let stale = [("if-match", "\"7.x\"")];
    let change = json!({ "details": "elsewhere" });
    let reply = app.request("PUT", "/payouts/account", Some(&seller.token), &stale, Some(change)).await;
    reply.problem(412, "stale_version");
    app.put("/payouts/account", &seller, shown.json()).await.expect(200);
    let too_long = json!({ "details": "x".repeat(501) });
    assert_eq!(app.put("/payouts/account", &seller, too_long).await.expect(422).pointers(), ["/details"]);
    let hidden = "select count(*) from events where cast(body as text) like '%IBAN%'";
    assert_eq!(app.count(hidden).await, 0);
}

#[tokio::test]
async fn whoever_pays_by_hand_sees_what_a_bank_takes_back() {
    let app = TestApp::with(|config| config.payouts = PayoutsBy::Manual).await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let (order, payment) = app.completed(&buyer, &seller).await;
    let seller = app.cleared().await;
    app.put("/payouts/account", &seller, json!({ "details": DETAILS })).await.expect(200);
    let payout = app.pay_out(&seller).await.expect(201).json();
    let admin = app.admin().await;
    let to_do = || async { app.get("/admin/payouts?status=pending", &admin).await.expect(200).json() };
    assert_eq!(to_do().await["data"][0]["charged_back"], false);
    let path = format!("/payouts/{}", payout["id"].as_str().unwrap());
    let before = app.get(&path, &seller).await.expect(200).headers["etag"].clone();
    app.charge_back(&payment, 4990, ChargebackStatus::Open).await;
    assert_ne!(app.get(&path, &seller).await.expect(200).headers["etag"], before);
    let waiting = to_do().await["data"][0].clone();
    assert_eq!(waiting["charged_back"], true);
    for item in waiting["items"].as_array().unwrap() {
        assert_eq!(item["charged_back"], item["order_id"] == order["id"], "{item}");
    }
    let returned = json!({ "status": "returned", "reason": "A bank takes one of the payments back." });
    let marked = mark(&app, &admin, &payout, returned).await.expect(200).json();
    assert_eq!((&marked["status"], &marked["charged_back"]), (&json!("failed"), &json!(false)));
    assert_eq!(app.balance(&format!("chargebacks:{}", order["id"].as_str().unwrap())).await, 4491);
    let again = app.pay_out(&seller).await.expect(201).json();
    assert_eq!(again["amount"], "9.00");
    assert_eq!(to_do().await["data"][0]["charged_back"], false);
    app.settle().await;
    app.keeps_its_rules().await;
    app.verify().await;
}

#[tokio::test]
async fn a_payout_goes_where_its_freelancer_wanted_it_when_it_was_started() {
    let (app, seller, admin, payout) = waiting().await;
    let change = json!({ "details": "IBAN of a thief" });
    let refused =
        app.put("/payouts/account", &seller, change.clone()).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/current_password"]);
    let wrong = json!({ "details": "IBAN of a thief", "current_password": "a guess" });
    app.put("/payouts/account", &seller, wrong).await.problem(403, "wrong_password");
    assert_eq!(app.get("/payouts/account", &seller).await.json()["details"], DETAILS);
    let mended = json!({ "details": "IBAN of another", "current_password": PASSWORD });
    app.put("/payouts/account", &seller, mended).await.expect(200);
    assert!(app.told(&seller).await.contains(&"payout_account_changed".to_owned()));
    let to_do = app.get("/admin/payouts?status=pending", &admin).await.expect(200).json();
    assert_eq!(to_do["data"][0]["details"], DETAILS);
    let marked = mark(&app, &admin, &payout, json!({ "status": "paid" })).await.expect(200).json();
    assert_eq!(marked["details"], DETAILS);
}

#[tokio::test]
async fn play_money_is_not_paid_out_by_hand_where_stripe_takes_the_money() {
    let (app, seller, _, _) = waiting().await;
    app.write(|tx| tx.execute("update payments set provider = 'stripe'", &[])).await;
    let buyer = app.log_in("buyer").await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.write(|tx| {
        tx.execute(
            "update payments set provider = case provider when 'stripe' then 'sandbox' else 'stripe' end",
            &[],
        )
    })
    .await;
    app.advance(crate::support::CLEARANCE).await;
    let seller = app.log_in("seller").await;
    assert_eq!(app.balance_in(&seller, "USD").await["available"], "0.00");
    app.pay_out(&seller).await.problem(409, "nothing_to_pay_out");
}
