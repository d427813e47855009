//! Money that goes back after it was released: from what the freelancer was not paid yet, as a debt, and from the house.

use std::sync::Arc;
use std::time::Duration;

use guildhall::money::Rate;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Person, TestApp, Trouble, Troubles};

/// Longer than any pause between a few questions.
const A_WHILE: Duration = Duration::from_secs(120);

fn account(kind: &str, of: &Person) -> String {
    format!("{kind}:{}", of.id)
}

fn row(kind: &str, status: &str, amount: &str) -> (String, String, String) {
    (kind.to_owned(), status.to_owned(), amount.to_owned())
}

#[tokio::test]
async fn a_refund_after_the_release_is_asked_for_in_so_many_words() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    let refused = app.refund(&seller, &payment, Some("10.00")).await.problem(409, "already_released");
    assert!(refused.json()["detail"].as_str().unwrap().contains("`after_release: true`"));
    let refused = app.refund_after_release(&buyer, &payment, "10.00").await.problem(403, "forbidden");
    assert!(!refused.json()["detail"].as_str().unwrap().contains("dispute"), "a completed order has none");
    let refund = app.refund_after_release(&seller, &payment, "10.00").await.expect(201).json();
    assert_eq!((&refund["clawback_amount"], &refund["debt_amount"]), (&json!("9.00"), &json!("0.00")));
    assert_eq!(refund["fee_return_amount"], "1.00");
    app.settle().await;
    assert_eq!(app.balance(&account("payable", &seller)).await, 3591);
    assert_eq!((app.balance("fees").await, app.given_back().await), (399, 1000));
    assert_eq!(app.order(&seller, &order).await["fee"], "3.99", "what the house keeps now");
    assert_eq!(app.order(&seller, &order).await["status"], "completed");
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "10.00");
    assert_eq!(
        app.movements(&seller, &order).await,
        [
            row("release", "success", "44.91"),
            row("fee", "success", "4.99"),
            row("clawback", "success", "9.00"),
            row("fee_return", "success", "1.00")
        ]
    );
    let over = app.refund_after_release(&seller, &payment, "39.91").await;
    assert_eq!(over.problem(409, "refund_exceeds_captured").json()["refundable_amount"], "39.90");
    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    let listed = app.get(&path, &seller).await.expect(200).json();
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["status"]), (&refund["id"], &json!("success")));
    assert_eq!(listed["data"][0]["clawback_amount"], "9.00");
    let listed = app.get(&path, &buyer).await.expect(200).json();
    assert_eq!(listed["data"][0]["reason"], "agreed upon");
    assert_eq!(listed["data"][0].get("clawback_amount"), None, "that is not the buyer's concern");
    for person in [&buyer, &seller] {
        assert_eq!(app.order(person, &order).await["refunded_amount"], "10.00");
        let moved = app.get("/payments/transactions?limit=1", person).await.expect(200).json();
        assert_eq!(
            (&moved["data"][0]["refund_id"], &moved["data"][0]["reason"]),
            (&refund["id"], &json!("agreed upon"))
        );
    }
    app.refund_after_release(&seller, &payment, "39.90").await.expect(201);
    app.settle().await;
    let nothing =
        app.refund_after_release(&seller, &payment, "1.00").await.problem(409, "refund_exceeds_captured");
    assert_eq!(nothing.json()["detail"], "nothing is left to give back");
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn the_service_fee_goes_back_pro_rata_too() {
    let app = TestApp::with(|config| config.market.service_fee = Rate::from_basis_points(500).unwrap()).await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.pending_order_with(&buyer, &seller, json!({ "price": "100.00" })).await;
    let payment = app.pay(&buyer, &order, "pm_card_visa").await.expect(201).json();
    app.move_order(&buyer, &order, "completed").await.expect(200);
    assert_eq!((app.balance("fees").await, app.balance(&account("payable", &seller)).await), (1500, 9000));
    let refund = app.refund_after_release(&seller, &payment, "10.50").await.expect(201).json();
    assert_eq!((&refund["clawback_amount"], &refund["fee_return_amount"]), (&json!("9.00"), &json!("1.00")));
    let listed =
        app.get(&format!("/payments/{}/refunds", payment["id"].as_str().unwrap()), &buyer).await.expect(200);
    assert_eq!(listed.json()["data"][0]["service_fee_return_amount"], "0.50");
    app.settle().await;
    assert_eq!(app.movements(&seller, &order).await[3], row("fee_return", "success", "1.00"));
    app.charge_back(&payment, 9450, guildhall::providers::ChargebackStatus::Lost).await;
    assert_eq!((app.balance("fees").await, app.balance(&account("payable", &seller)).await), (0, 0));
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn what_was_paid_out_becomes_a_debt_that_the_next_releases_pay() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await);
    let refund = app.refund_after_release(&admin, &payment, "49.90").await.expect(201).json();
    assert_eq!((&refund["clawback_amount"], &refund["debt_amount"]), (&json!("44.91"), &json!("44.91")));
    app.settle().await;
    assert_eq!(app.balance(&account("owed", &seller)).await, -4491);
    let debts = app.get("/admin/debts?open=true", &admin).await.expect(200).json();
    assert_eq!(debts["data"].as_array().unwrap().len(), 1);
    assert_eq!((&debts["data"][0]["owed"], &debts["data"][0]["order_id"]), (&json!("44.91"), &order["id"]));
    assert_eq!(debts["data"][0]["freelancer_id"], seller.id);
    let theirs = app.get(&format!("/payouts/balance?user_id={}", seller.id), &admin).await.expect(200).json();
    assert_eq!(theirs["data"][0]["owed"], "44.91");
    assert_eq!(
        (app.balance("fees").await, app.order(&seller, &order).await["fee"].clone()),
        (0, json!("0.00"))
    );
    let listing = json!({ "price": "30.00" });
    let next = app.pending_order_with(&buyer, &seller, listing).await;
    app.pay(&buyer, &next, "pm_card_visa").await.expect(201);
    app.move_order(&buyer, &next, "completed").await.expect(200);
    assert_eq!(app.balance(&account("owed", &seller)).await, -1791);
    assert_eq!(app.balance(&account("payable", &seller)).await, 0);
    assert_eq!(app.movements(&seller, &next).await[2], row("offset", "success", "27.00"));
    assert!(!app.pays_out(&seller, "USD").await, "while something is owed, nothing is paid");
    let (last, _) = app.completed(&buyer, &seller).await;
    assert_eq!(app.balance(&account("owed", &seller)).await, 0);
    assert_eq!(app.balance(&account("payable", &seller)).await, 2700);
    assert_eq!(app.movements(&seller, &last).await[2], row("offset", "success", "17.91"));
    assert!(app.pays_out(&seller, "USD").await);
    let told = app.told(&seller).await;
    assert_eq!(told.iter().filter(|kind| *kind == "debt_offset").count(), 2);
    let inbox = app.inbox(&seller).await;
    let offset = inbox.iter().find(|row| row["type"] == "debt_offset").unwrap();
    assert!(offset["message"].as_str().unwrap().starts_with("17.91 USD of your earnings"), "{offset}");
    assert!(!offset["data"]["message"].as_str().unwrap().contains(order["id"].as_str().unwrap()), "{offset}");
    let paid = app.get("/admin/debts?open=true", &admin).await.expect(200).json();
    assert_eq!(paid["data"], json!([]));
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn what_the_house_would_advance_only_an_administrator_gives_back() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await);
    let refused = app.refund_after_release(&seller, &payment, "49.90").await.problem(403, "paid_out_already");
    assert_eq!(refused.json()["debt_amount"], "44.91");
    assert!(refused.json()["detail"].as_str().unwrap().contains("ask an administrator"));
    app.settle().await;
    assert_eq!((app.given_back().await, app.balance(&account("owed", &seller)).await), (0, 0));
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "0.00");
    assert_eq!(app.movements(&seller, &order).await.len(), 3, "a release, a fee, a payout");
    app.refund_after_release(&admin, &payment, "49.90").await.expect(201);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn refunds_of_a_completed_order_end_one_after_the_other() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    // The fee is 1, and half of it 0, to even: whichever half goes back first takes it.
    let order = app.pending_order_with(&buyer, &seller, json!({ "price": "0.10" })).await;
    let payment = app.pay(&buyer, &order, "pm_card_visa").await.expect(201).json();
    app.move_order(&buyer, &order, "completed").await.expect(200);
    troubles.add(Trouble::Refused);
    let first = app.refund_after_release(&seller, &payment, "0.05").await.expect(201).json();
    let second = app.refund_after_release(&seller, &payment, "0.05").await.problem(409, "refund_in_progress");
    assert_eq!(second.json()["refund_id"], first["id"]);
    app.settle().await;
    app.verify().await;
    app.refund_after_release(&seller, &payment, "0.05").await.expect(201);
    app.settle().await;
    app.refund_after_release(&seller, &payment, "0.05").await.expect(201);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_debt_is_set_off_against_what_is_not_paid_yet() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await);
    let (other, _) = app.completed(&buyer, &seller).await;
    app.settle().await;
    app.refund_after_release(&admin, &payment, "20.00").await.expect(201);
    assert!(!app.pays_out(&seller, "USD").await, "the refund is on its way");
    app.settle().await;
    assert_eq!(app.balance(&account("owed", &seller)).await, 0);
    assert_eq!(app.balance(&account("payable", &seller)).await, 2691);
    let events = |person: &'static str| {
        let (app, path) = (&app, format!("/orders/{}/timeline", other["id"].as_str().unwrap()));
        let person = if person == "buyer" { &buyer } else { &seller };
        async move { String::from_utf8(app.get(&path, person).await.expect(200).bytes.to_vec()).unwrap() }
    };
    assert!(events("seller").await.contains("debt_offset"));
    assert!(!events("buyer").await.contains("debt_offset"), "it is not the buyer's concern");
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_part_is_taken_from_what_is_left_and_the_rest_is_owed() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.refund_after_release(&admin, &payment, "10.00").await.expect(201);
    app.settle().await;
    assert!(app.pays_out(&seller, "USD").await);
    let (_, unpaid) = app.completed(&buyer, &seller).await;
    let before = (app.balance("fees").await, app.balance(&account("payable", &seller)).await);
    for (payment, from) in [(&payment, "a debt"), (&unpaid, "the release")] {
        troubles.add(Trouble::Refused);
        app.refund_after_release(&admin, payment, "15.00").await.expect(201);
        app.settle().await;
        assert_eq!(app.balance(&account("owed", &seller)).await, 0, "{from}");
        let now = (app.balance("fees").await, app.balance(&account("payable", &seller)).await);
        assert_eq!(now, before, "a refused refund goes back to {from}");
        app.verify().await;
    }
    assert_eq!(app.payment(&buyer, &payment).await["refunded_amount"], "10.00");
    assert_eq!(app.order(&seller, &order).await["fee"], "3.99");
    assert_eq!(app.movements(&seller, &order).await[5], row("clawback", "failed", "13.50"));
    assert!(app.told(&seller).await.contains(&"clawback_returned".to_owned()));
    app.refund_after_release(&admin, &payment, "39.90").await.expect(201);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_refund_that_cannot_be_put_back_is_a_case_until_it_goes() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, _) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.move_order(&seller, &order, "cancelled").await.expect(200);
    app.settle().await;
    assert_eq!(app.cases().await, ["refund_refused"]);
    app.verify().await;
    app.advance(A_WHILE).await;
    assert!(app.cases().await.is_empty());
    app.audit().await;
}

#[tokio::test]
async fn a_refused_refund_before_the_release_still_goes_back_to_escrow() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    app.settle().await;
    assert_eq!(app.escrow(&order).await, 4990);
    assert!(app.cases().await.is_empty());
    assert!(!app.told(&seller).await.contains(&"clawback_returned".to_owned()));
    app.verify().await;
}

#[tokio::test]
async fn whoever_ordered_a_refund_that_failed_is_told() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund(&seller, &payment, Some("9.90")).await.expect(201);
    app.settle().await;
    let told = app.inbox(&seller).await.remove(0);
    assert_eq!(
        told["message"],
        "The refund of 9.90 USD that you ordered failed, the buyer has not got it: A logo that fits on a coin"
    );
    assert_eq!(told["data"].get("message"), None, "why is the provider's word on the buyer's card");
    let read = app.inbox(&buyer).await.remove(0)["message"].as_str().unwrap().to_owned();
    assert!(
        read.starts_with("A refund of 9.90 USD to you failed.") && !read.contains("looked into"),
        "{read}"
    );
    assert!(app.inbox(&admin).await.is_empty(), "he has not ordered it");
    let (_, payment) = app.completed(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund_after_release(&admin, &payment, "10.00").await.expect(201);
    app.settle().await;
    assert_eq!(app.told(&admin).await, ["refund_failed"]);
    let returned = app.inbox(&seller).await.remove(0);
    assert_eq!(returned["type"], "clawback_returned");
    assert!(returned["message"].as_str().unwrap().contains("the 9.00 USD that it took"), "{returned}");
    app.verify().await;
}

#[tokio::test]
async fn a_case_that_opens_calls_the_administrators() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, _) = app.paid(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.move_order(&seller, &order, "cancelled").await.expect(200);
    app.settle().await;
    let told = app.inbox(&admin).await.remove(0);
    assert_eq!(
        (&told["type"], &told["message"]),
        (&json!("case_opened"), &json!("A case waits for a decision: refund refused"))
    );
    let case = app.open_cases(&admin).await.remove(0);
    assert_eq!((&told["data"]["case_id"], &told["data"]["order_id"]), (&case["id"], &order["id"]));
    app.advance(A_WHILE).await;
    app.audit().await;
    app.verify().await;
}

fn decimal(minor: i64, digits: u32) -> String {
    let unit = 10_i64.pow(digits);
    match digits {
        0 => minor.to_string(),
        _ => format!("{}.{:0width$}", minor / unit, minor % unit, width = digits as usize),
    }
}

/// Some parts go back, perhaps after a payout in between, then the rest.
async fn goes_back_bit_by_bit(
    app: &TestApp,
    (buyer, seller, admin): (&Person, &Person, &Person),
    (price, currency, digits): (i64, &'static str, u32),
    parts: &[(i64, bool)],
) {
    let listing = json!({ "price": decimal(price, digits), "currency": currency });
    let order = app.pending_order_with(buyer, seller, listing).await;
    let payment = app.pay(buyer, &order, "pm_card_visa").await.expect(201).json();
    app.move_order(buyer, &order, "completed").await.expect(200);
    let mut left = price;
    for (percent, paid_out) in parts {
        if *paid_out {
            app.pays_out(seller, currency).await;
            app.settle().await;
        }
        let part = (left * percent / 100).clamp(1, left);
        app.refund_after_release(admin, &payment, &decimal(part, digits)).await.expect(201);
        app.settle().await;
        left -= part;
        if left == 0 {
            break;
        }
    }
    if left > 0 {
        app.refund_after_release(admin, &payment, &decimal(left, digits)).await.expect(201);
    }
    app.settle().await;
    let sums: Vec<i64> = app
        .write({
            let order = guildhall::id::Id::<()>::from_wire(order["id"].as_str().unwrap());
            move |tx| {
                tx.all(
                    "select (select cast(coalesce(sum(amount_minor), 0) as bigint) from transactions where order_id = $1 and type = 'fee')
                         - (select cast(coalesce(sum(amount_minor), 0) as bigint) from transactions where order_id = $1 and type = 'fee_return')
                     union all
                     select (select cast(coalesce(sum(amount_minor), 0) as bigint) from transactions where order_id = $1 and type = 'release')
                         - (select cast(coalesce(sum(amount_minor), 0) as bigint) from transactions where order_id = $1 and type = 'clawback')",
                    guildhall::params![order],
                    |row| row.next(),
                )
            }
        })
        .await;
    assert_eq!(sums, [0, 0], "fees and earnings went back to the last unit");
}

#[test]
fn refunds_of_any_parts_sum_to_what_was_released_and_kept() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (app, buyer, seller, admin) = runtime.block_on(async {
        let app = TestApp::new().await;
        let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
        (app, buyer, seller, admin)
    });
    let currencies = vec![("USD", 2), ("JPY", 0), ("KWD", 3)];
    let price = (1_i64..=100_000, prop::sample::select(currencies))
        .prop_map(|(minor, (code, digits))| (minor, code, digits));
    let parts = prop::collection::vec((1_i64..=60, any::<bool>()), 1..6);
    TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() })
        .run(&(price, parts), |(price, parts)| {
            runtime.block_on(goes_back_bit_by_bit(&app, (&buyer, &seller, &admin), price, &parts));
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        app.audit().await;
        app.verify().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refunds_after_the_release_those_are_made_that_fit() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (_, payment) = app.completed(&buyer, &seller).await;
    let mut racers = JoinSet::new();
    for _ in 0..12 {
        let (app, seller, payment) = (Arc::clone(&app), seller.clone(), payment.clone());
        racers.spawn(async move { app.refund_after_release(&seller, &payment, "29.94").await });
    }
    let replies = racers.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(replies.iter().all(|reply| reply.status == 201 || reply.code() == "refund_in_progress"));
    app.settle().await;
    app.refund_after_release(&seller, &payment, "29.94").await.problem(409, "refund_exceeds_captured");
    app.audit().await;
    app.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refund_while_a_payout_takes_the_money_is_whole_either_way() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    for _ in 0..10 {
        let (order, payment) = app.completed(&buyer, &seller).await;
        let paying = tokio::spawn({
            let (app, seller) = (Arc::clone(&app), seller.clone());
            async move { app.pays_out(&seller, "USD").await }
        });
        let refund = app.refund_after_release(&admin, &payment, "49.90").await.expect(201).json();
        // Whoever comes first has the money: a payout waits for a refund that is on its way.
        let owed = if paying.await.unwrap() { "44.91" } else { "0.00" };
        assert_eq!(refund["debt_amount"], owed);
        app.audit().await;
        app.verify().await;
        assert_eq!(app.order(&seller, &order).await["fee"], "0.00");
        // So that the next round begins with nothing owed.
        let (_, _) = app.completed(&buyer, &seller).await;
        app.pays_out(&seller, "USD").await;
        app.settle().await;
    }
    let owed: Value = json!(app.balance(&account("owed", &seller)).await);
    assert_eq!(owed, json!(0));
}
