//! Banks that take payments back: whatever order they are told in, only that order's money is touched, and once.

use std::sync::Arc;
use std::time::Duration;

use guildhall::providers::ChargebackStatus::{self, Lost, Open, Strange, Warning, Won};
use serde_json::{Value, json};

use crate::support::{Person, TestApp, Trouble, Troubles, order_path};

struct Books {
    losses: i64,
    fees: i64,
    escrow: i64,
    payable: i64,
    owed: i64,
    frozen: i64,
}

async fn books(app: &TestApp, seller: &Person, order: &Value) -> Books {
    Books {
        losses: app.balance("losses").await,
        fees: app.balance("fees").await,
        escrow: app.escrow(order).await,
        payable: app.balance(&format!("payable:{}", seller.id)).await,
        owed: app.balance(&format!("owed:{}", seller.id)).await,
        frozen: app.balance(&format!("chargebacks:{}", order["id"].as_str().unwrap())).await,
    }
}

impl Books {
    fn all(&self) -> [i64; 6] {
        [self.losses, self.fees, self.escrow, self.payable, self.owed, self.frozen]
    }
}

async fn end(app: &TestApp) {
    app.settle().await;
    app.keeps_its_rules().await;
    app.verify().await;
}

#[tokio::test]
async fn an_inquiry_moves_no_money_and_is_told_once() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    for _ in 0..3 {
        assert!(app.charge_back(&payment, 4990, Warning).await);
    }
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 0, 4990, 0, 0, 0]);
    for person in [&seller, &admin] {
        assert_eq!(app.told(person).await.iter().filter(|kind| *kind == "chargeback_warned").count(), 1);
    }
    assert!(!app.told(&buyer).await.contains(&"chargeback_warned".to_owned()));
    app.refund(&seller, &payment, Some("10.00")).await.expect(201);
    end(&app).await;
}

#[tokio::test]
async fn an_open_chargeback_freezes_the_order_until_the_bank_decides() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    app.charge_back(&payment, 4990, Open).await;
    assert_eq!(app.order(&buyer, &order).await["status"], "disputed");
    assert_eq!(books(&app, &seller, &order).await.all(), [-4990, 0, 4990, 0, 0, 0]);
    app.refund(&seller, &payment, None).await.problem(409, "chargeback_open");
    for settlement in [
        json!({ "status": "completed", "message": "fine" }),
        json!({ "status": "completed", "refund_amount": "1.00" }),
        json!({ "status": "cancelled" }),
    ] {
        app.put(&order_path(&order), &admin, settlement).await.problem(409, "chargeback_open");
    }
    let decision = json!({ "refund_amount": "10.00", "reason": "half done" });
    let path = format!("{}/dispute/decision", order_path(&order));
    app.post(&path, &admin, decision.clone()).await.problem(409, "chargeback_open");
    app.charge_back(&payment, 4990, Won).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 0, 4990, 0, 0, 0]);
    assert_eq!(app.order(&buyer, &order).await["status"], "disputed", "its people settle it");
    app.post(&path, &admin, decision).await.expect(200);
    assert_eq!(app.order(&buyer, &order).await["status"], "completed");
    end(&app).await;
}

#[tokio::test]
async fn a_lost_chargeback_takes_what_is_held_and_ends_the_order() {
    for stages in [&[Open, Lost][..], &[Lost], &[Warning, Lost, Open]] {
        let app = TestApp::new().await;
        let (buyer, seller) = (app.buyer().await, app.seller().await);
        let (order, payment) = app.paid(&buyer, &seller).await;
        for stage in stages {
            app.charge_back(&payment, 4990, stage.clone()).await;
        }
        assert_eq!(app.order(&buyer, &order).await["status"], "cancelled");
        assert_eq!(books(&app, &seller, &order).await.all(), [0; 6]);
        let payment = app.payment(&buyer, &payment).await;
        assert_eq!(
            (&payment["charged_back_amount"], &payment["refunded_amount"]),
            (&json!("49.90"), &json!("0.00"))
        );
        app.refund(&seller, &payment, None).await.problem(409, "refund_exceeds_captured");
        end(&app).await;
        assert_eq!(app.given_back().await, 0);
    }
}

#[tokio::test]
async fn what_a_lost_part_leaves_goes_back_to_the_buyer() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    app.move_order(&seller, &order, "delivered").await.expect(200);
    app.charge_back(&payment, 2000, Open).await;
    app.charge_back(&payment, 2000, Lost).await;
    app.settle().await;
    assert_eq!(app.order(&buyer, &order).await["status"], "cancelled");
    assert_eq!((app.given_back().await, app.escrow(&order).await), (2990, 0));
    end(&app).await;
}

#[tokio::test]
async fn what_was_earned_is_frozen_and_debited_only_when_it_is_lost() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    let (other, _) = app.completed(&buyer, &seller).await;
    app.charge_back(&payment, 4990, Open).await;
    assert_eq!(app.order(&seller, &order).await["status"], "completed");
    assert_eq!(books(&app, &seller, &order).await.all(), [-4990, 998, 0, 4491, 0, 4491]);
    assert_eq!(app.balance_in(&seller, "USD").await["frozen"], "44.91");
    let told = app.inbox(&seller).await.remove(0);
    assert_eq!(told["type"], "chargeback_opened");
    let said = told["data"]["message"].as_str().unwrap();
    assert!(said.contains("44.91 USD of what this order earned is frozen, nothing else"), "{said}");
    assert!(said.contains("If the buyer wins, 44.91 USD is debited, of which 0.00 USD"), "{said}");
    let body = json!({ "reason": "agreed upon", "amount": "1.00", "after_release": true });
    let refund = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    app.post(&refund, &seller, body).await.problem(409, "chargeback_open");
    assert!(app.movements(&seller, &order).await.iter().all(|row| row.0 != "clawback"), "told before");
    end(&app).await;
    app.charge_back(&payment, 4990, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 4491, 0, 0]);
    let movements = app.movements(&seller, &order).await;
    assert_eq!((movements[2].2.as_str(), movements[3].2.as_str()), ("44.91", "4.99"));
    assert_eq!(app.order(&seller, &order).await["fee"], "0.00");
    assert_eq!(app.order(&seller, &other).await["fee"], "4.99");
    let review = json!({ "order_id": order["id"], "rating": 2 });
    app.post("/reviews", &buyer, review).await.expect(201);
    end(&app).await;
}

#[tokio::test]
async fn what_is_won_is_earned_again() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.charge_back(&payment, 4990, Open).await;
    assert!(!app.pays_out(&seller, "USD").await, "there is nothing to pay");
    app.charge_back(&payment, 4990, Won).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 4491, 0, 0]);
    assert!(app.pays_out(&seller, "USD").await);
    assert_eq!(books(&app, &seller, &order).await.payable, 0);
    end(&app).await;
}

#[tokio::test]
async fn what_was_paid_out_is_owed_when_it_is_lost() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    assert!(app.pays_out(&seller, "USD").await);
    app.charge_back(&payment, 4990, Open).await;
    let said = app.inbox(&seller).await.remove(0)["data"]["message"].as_str().unwrap().to_owned();
    assert!(said.contains("44.91 USD is debited, of which 44.91 USD is set off against your next"), "{said}");
    assert!(said.contains("Nothing of what this order earned is left to freeze"), "{said}");
    let called = app.inbox(&admin).await.remove(0);
    assert_eq!(
        called["message"],
        "A buyer's bank takes 49.90 USD of a payment back: A logo that fits on a coin"
    );
    let said = called["data"]["message"].as_str().unwrap();
    assert!(said.contains("against the freelancer's next releases"), "{said}");
    app.charge_back(&payment, 4990, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 0, 0, 0, -4491, 0]);
    app.completed(&buyer, &seller).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 0, 0, 0]);
    end(&app).await;
}

#[tokio::test]
async fn a_part_is_shared_pro_rata_and_the_rest_thaws() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.refund_after_release(&seller, &payment, "9.90").await.expect(201);
    app.settle().await;
    app.charge_back(&payment, 1000, Open).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [-1000, 400, 0, 0, 0, 3600]);
    app.charge_back(&payment, 1000, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 300, 0, 2700, 0, 0]);
    assert_eq!(app.order(&seller, &order).await["fee"], "3.00");
    end(&app).await;
}

#[tokio::test]
async fn it_ends_the_same_in_whatever_order_it_is_told() {
    let tellings: [[ChargebackStatus; 4]; 6] = [
        [Warning, Open, Lost, Lost],
        [Open, Warning, Lost, Open],
        [Lost, Open, Warning, Lost],
        [Warning, Lost, Open, Open],
        [Lost, Warning, Open, Warning],
        [Open, Open, Lost, Warning],
    ];
    for (end_state, expected) in [(Lost, [0, 0, 0, 0, 0, 0]), (Won, [0, 499, 0, 4491, 0, 0])] {
        for telling in &tellings {
            let app = TestApp::new().await;
            let (buyer, seller) = (app.buyer().await, app.seller().await);
            let (order, payment) = app.completed(&buyer, &seller).await;
            for stage in telling {
                let stage = if *stage == Lost { end_state.clone() } else { stage.clone() };
                app.charge_back(&payment, 4990, stage).await;
            }
            assert_eq!(books(&app, &seller, &order).await.all(), expected, "{telling:?}");
            let times = app.told(&seller).await;
            let end_kind = if end_state == Lost { "chargeback_lost" } else { "chargeback_won" };
            assert_eq!(times.iter().filter(|kind| *kind == end_kind).count(), 1);
            assert!(app.cases().await.is_empty());
            end(&app).await;
        }
    }
}

#[tokio::test]
async fn more_than_is_left_is_the_houses_loss_and_a_case() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.refund_after_release(&seller, &payment, "29.90").await.expect(201);
    app.settle().await;
    app.charge_back(&payment, 4990, Open).await;
    app.charge_back(&payment, 4990, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [-2990, 0, 0, 0, 0, 0]);
    assert_eq!(app.cases().await, ["chargeback_exceeds"]);
    end(&app).await;
}

#[tokio::test]
async fn what_cannot_be_right_is_booked_by_nobody() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.paid(&buyer, &seller).await;
    let unknown = json!({ "transaction_id": "ch_unheard_of", "currency": "USD" });
    assert!(!app.charge_back(&unknown, 4990, Open).await);
    let foreign = json!({ "transaction_id": payment["transaction_id"], "currency": "EUR" });
    assert!(app.charge_back(&foreign, 4990, Open).await);
    assert_eq!(app.cases().await, ["integrity_failure"]);
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 0, 4990, 0, 0, 0]);
    assert_eq!(app.order(&buyer, &order).await["status"], "active");
    end(&app).await;
}

#[tokio::test]
async fn what_is_not_understood_holds_the_money_for_a_person() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.charge_back(&payment, 4990, Strange("quantum_review".to_owned())).await;
    assert_eq!(app.cases().await, ["strange_answer"]);
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 0, 0, 4491]);
    app.charge_back(&payment, 4990, Open).await;
    assert_eq!(books(&app, &seller, &order).await.losses, -4990);
    app.charge_back(&payment, 4990, Won).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 4491, 0, 0]);
    app.charge_back(&payment, 4990, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 4491, 0, 0], "a contradiction");
    end(&app).await;
}

#[tokio::test]
async fn two_chargebacks_of_one_payment_share_what_is_frozen() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    for (reference, minor) in [("dp_a", 1990), ("dp_b", 3000)] {
        app.tell_of_chargeback(reference, &payment, minor, Open).await;
    }
    assert_eq!(books(&app, &seller, &order).await.all(), [-4990, 499, 0, 0, 0, 4491]);
    app.tell_of_chargeback("dp_a", &payment, 1990, Won).await;
    assert_eq!(books(&app, &seller, &order).await.frozen, 4491, "the other may still need it");
    end(&app).await;
    app.tell_of_chargeback("dp_b", &payment, 3000, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 199, 0, 1791, 0, 0]);
    end(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refund_while_the_bank_takes_it_back_never_pays_twice_unseen() {
    let app = Arc::new(TestApp::new().await);
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    for round in 0..10 {
        let (order, payment) = app.completed(&buyer, &seller).await;
        let reference = format!("dp_{round}");
        let taking = tokio::spawn({
            let (app, payment, reference) = (Arc::clone(&app), payment.clone(), reference.clone());
            async move { app.tell_of_chargeback(&reference, &payment, 4990, Lost).await }
        });
        let refund = app.refund_after_release(&seller, &payment, "20.00").await;
        assert!(taking.await.unwrap());
        let payment = app.payment(&buyer, &payment).await;
        let expected = if refund.status == 201 { ("29.90", "20.00") } else { ("49.90", "0.00") };
        assert_eq!(
            (&payment["charged_back_amount"], &payment["refunded_amount"]),
            (&json!(expected.0), &json!(expected.1))
        );
        app.settle().await;
        app.keeps_its_rules().await;
        assert_eq!(app.order(&seller, &order).await["fee"], "0.00");
    }
    end(&app).await;
}

#[tokio::test]
async fn what_comes_back_while_the_bank_decides_waits_for_it() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund_after_release(&seller, &payment, "10.00").await.expect(201);
    app.charge_back(&payment, 3990, Open).await;
    app.settle().await;
    assert_eq!(books(&app, &seller, &order).await.all(), [-3990, 499, 0, 900, 0, 3591]);
    assert!(!app.pays_out(&seller, "USD").await, "the bank may take it yet");
    app.charge_back(&payment, 3990, Won).await;
    assert!(app.pays_out(&seller, "USD").await);
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 0, 0, 0]);
    end(&app).await;
}

#[tokio::test]
async fn an_inquiry_that_was_not_understood_lets_go_of_what_it_held() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.charge_back(&payment, 4990, Strange("quantum_inquiry".to_owned())).await;
    assert_eq!(books(&app, &seller, &order).await.frozen, 4491);
    app.charge_back(&payment, 4990, Warning).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 499, 0, 4491, 0, 0]);
    assert!(app.cases().await.is_empty(), "it is understood by now");
    assert!(app.told(&seller).await.contains(&"chargeback_warned".to_owned()));
    end(&app).await;
    app.refund_after_release(&seller, &payment, "1.00").await.expect(201);
    end(&app).await;
    app.charge_back(&payment, 4990, Open).await;
    app.charge_back(&payment, 4990, Warning).await;
    app.refund_after_release(&seller, &payment, "1.00").await.problem(409, "chargeback_open");
    end(&app).await;
}

#[tokio::test]
async fn what_was_let_go_is_lost_like_any_other() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    for stage in [Strange("quantum_inquiry".to_owned()), Warning, Open] {
        app.charge_back(&payment, 4990, stage).await;
    }
    assert!(!app.pays_out(&seller, "USD").await, "the bank has not decided");
    app.charge_back(&payment, 4990, Lost).await;
    assert_eq!(books(&app, &seller, &order).await.all(), [0; 6]);
    end(&app).await;
}

#[tokio::test]
async fn a_chargeback_that_is_told_before_its_charge_waits_for_it() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.pending_order(&buyer, &seller).await;
    let payment = app.pay(&buyer, &order, "pm_sandbox_pending").await.expect(202).json();
    let payment = app.payment(&buyer, &payment).await;
    assert!(!app.charge_back(&payment, 4990, Open).await, "it is told again");
    assert!(app.cases().await.is_empty());
    app.advance(Duration::from_secs(5)).await;
    assert!(app.charge_back(&payment, 4990, Open).await);
    assert_eq!(app.order(&buyer, &order).await["status"], "disputed");
    end(&app).await;
}

#[tokio::test]
async fn each_chargeback_that_cannot_be_right_is_a_case_of_its_own() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (_, payment) = app.paid(&buyer, &seller).await;
    let foreign = json!({ "transaction_id": payment["transaction_id"], "currency": "EUR" });
    for reference in ["dp_a", "dp_b", "dp_a"] {
        app.tell_of_chargeback(reference, &foreign, 4990, Open).await;
    }
    let told: Vec<Value> =
        app.open_cases(&admin).await.iter().map(|case| case["detail"]["chargeback"].clone()).collect();
    assert_eq!(told, ["dp_b", "dp_a"]);
    end(&app).await;
}

#[tokio::test]
async fn administrators_list_what_banks_take_back() {
    let app = TestApp::new().await;
    let (buyer, seller, admin) = (app.buyer().await, app.seller().await, app.admin().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    app.tell_of_chargeback("dp_a", &payment, 990, Open).await;
    app.tell_of_chargeback("dp_a", &payment, 990, Lost).await;
    let (_, other) = app.completed(&buyer, &seller).await;
    app.tell_of_chargeback("dp_b", &other, 4990, Open).await;
    let list = async |query: &str| {
        let page = app.get(&format!("/admin/chargebacks{query}"), &admin).await.expect(200).json();
        page["data"].as_array().unwrap().clone()
    };
    let all = list("").await;
    assert_eq!((all.len(), &all[0]["reference"], &all[0]["status"]), (2, &json!("dp_b"), &json!("open")));
    assert_eq!((&all[0]["frozen_amount"], &all[0]["covered_amount"]), (&json!("44.91"), &json!("0.00")));
    assert_eq!((&all[1]["amount"], &all[1]["covered_amount"]), (&json!("9.90"), &json!("9.90")));
    assert_eq!(list("?status=open").await, [all[0].clone()]);
    let of_order = format!("?order_id={}", order["id"].as_str().unwrap());
    assert_eq!(list(&of_order).await, [all[1].clone()]);
    let first = app.get("/admin/chargebacks?limit=1", &admin).await.expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(list(&format!("?limit=1&cursor={cursor}")).await, [all[1].clone()]);
    app.get("/admin/chargebacks?status=maybe", &admin).await.problem(400, "invalid_parameter");
    app.get("/admin/chargebacks", &seller).await.problem(403, "forbidden");
    end(&app).await;
}

/// A refund of 20.00 after the release that the provider will refuse, and a bank that takes so much back meanwhile.
async fn refused_after_the_bank(troubles: &Troubles, minor: i64) -> (TestApp, Person, Value) {
    let app = troubles.app().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let (order, payment) = app.completed(&buyer, &seller).await;
    troubles.add(Trouble::Refused);
    app.refund_after_release(&seller, &payment, "20.00").await.expect(201);
    app.charge_back(&payment, minor, Lost).await;
    app.settle().await;
    (app, seller, order)
}

#[tokio::test]
async fn what_the_bank_took_is_not_put_back_by_a_refund_that_was_refused() {
    for (minor, advanced) in [(4990, -2000), (3490, -500)] {
        let troubles = Troubles::default();
        let (app, seller, order) = refused_after_the_bank(&troubles, minor).await;
        assert_eq!(app.cases().await, ["chargeback_exceeds", "refund_refused"]);
        assert_eq!(books(&app, &seller, &order).await.all(), [advanced, 0, 0, 0, 0, 0]);
        assert_eq!(app.balance(&format!("refunds:{}", order["id"].as_str().unwrap())).await, 2000);
        assert!(!app.told(&seller).await.contains(&"clawback_returned".to_owned()));
        end(&app).await;
        let admin = app.admin().await;
        let refused = app.open_cases(&admin).await.remove(0);
        assert_eq!(refused["kind"], "refund_refused");
        assert_eq!(refused["detail"]["taken_by_the_bank"], if minor == 4990 { "20.00" } else { "5.00" });
        app.resolve_case(&admin, &refused, "settled_by_hand").await.expect(200);
        assert_eq!(books(&app, &seller, &order).await.losses, advanced + 2000);
        end(&app).await;
    }
}

#[tokio::test]
async fn what_the_bank_left_is_put_back_by_a_refund_that_was_refused() {
    let troubles = Troubles::default();
    let (app, seller, order) = refused_after_the_bank(&troubles, 2990).await;
    assert!(app.cases().await.is_empty());
    assert_eq!(books(&app, &seller, &order).await.all(), [0, 200, 0, 1800, 0, 0]);
    end(&app).await;
}
