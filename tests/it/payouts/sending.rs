//! Transfers that are lost, refused, slow, or come back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall::app::Parts;
use guildhall::db::Db;
use guildhall::payouts;
use guildhall::providers::{
    Answering, ChargebackStatus, Provider, Sandbox, TransferOutcome, TransferRequest, Unanswered,
};
use serde_json::{Value, json};

use crate::support::payments::charges_are_the_sandboxs;
use crate::support::{Person, TestApp, Trouble, Troubles};

/// Longer than any pause between a few questions.
const A_WHILE: Duration = Duration::from_secs(120);

/// A payout of 9.00 and 18.00 USD that nobody has sent yet.
async fn started(app: &TestApp) -> (Person, Value) {
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    app.earned(&buyer, &seller, "20.00", "USD").await;
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    (seller, payout)
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_pays_once() {
    for trouble in [Trouble::BeforeItHappens, Trouble::AfterItHappened, Trouble::Crash] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (seller, payout) = started(&app).await;
        for _ in 0..3 {
            troubles.add(trouble);
        }
        app.settle().await;
        assert_eq!(app.payout(&seller, &payout).await["status"], "pending", "{trouble:?}");
        app.keeps_its_rules().await;
        app.verify().await;
        app.advance(A_WHILE).await;
        app.advance(A_WHILE).await;
        assert_eq!(app.payout(&seller, &payout).await["status"], "paid", "{trouble:?}");
        assert_eq!(app.transferred().await, (2700, 2), "{trouble:?}");
        assert_eq!(app.count("select count(*) from payouts").await, 1);
        app.audit().await;
        app.verify().await;
    }
}

/// What the provider answers to the next transfers; then the sandbox does.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<Result<TransferOutcome, Unanswered>>>>);

impl Script {
    fn add(&self, answer: Result<TransferOutcome, Unanswered>) {
        self.0.lock().unwrap().push_back(answer);
    }

    async fn app(&self) -> TestApp {
        let script = self.clone();
        let make = move |db: &Db| -> Arc<dyn Provider> {
            Arc::new(Scripted { sandbox: Sandbox::new(db.clone()), script })
        };
        let parts = Parts { provider: Box::new(make), ..TestApp::parts() };
        TestApp::made_of(parts, |_| {}).await
    }
}

struct Scripted {
    sandbox: Sandbox,
    script: Script,
}

impl Provider for Scripted {
    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        match self.script.0.lock().unwrap().pop_front() {
            Some(answer) => Box::pin(async { answer }),
            None => self.sandbox.transfer(transfer),
        }
    }

    charges_are_the_sandboxs!();
}

fn refused() -> Result<TransferOutcome, Unanswered> {
    let (code, message) = ("transfers_not_allowed".to_owned(), "The account takes no transfers.".to_owned());
    Ok(TransferOutcome::Returned { reference: None, code, message })
}

#[tokio::test]
async fn a_refused_part_is_free_for_another_payout() {
    let script = Script::default();
    let app = script.app().await;
    let (seller, payout) = started(&app).await;
    script.add(refused());
    app.settle().await;
    let seen = app.payout(&seller, &payout).await;
    assert_eq!(seen["status"], "partly_paid");
    let returned =
        seen["items"].as_array().unwrap().iter().find(|item| item["status"] == "returned").unwrap();
    assert_eq!(returned["failure"], "The account takes no transfers.");
    assert_eq!(app.balance_in(&seller, "USD").await["available"], returned["amount"]);
    assert!(app.told(&seller).await.contains(&"payout_returned".to_owned()));
    let again = app.pay_out(&seller).await.expect(201).json();
    assert_eq!(again["amount"], returned["amount"]);
    app.settle().await;
    assert_eq!(app.payout(&seller, &again).await["status"], "paid");
    assert_eq!(app.transferred().await, (2700, 2));
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_payout_whose_every_part_is_refused_failed() {
    let script = Script::default();
    let app = script.app().await;
    let (seller, payout) = started(&app).await;
    script.add(refused());
    script.add(refused());
    app.settle().await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "failed");
    let told = app.told(&seller).await;
    assert!(!told.contains(&"payout_paid".to_owned()), "{told:?}");
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_provider_that_takes_no_more_is_left_alone_and_a_slow_one_asked_again() {
    let script = Script::default();
    let app = script.app().await;
    let (seller, payout) = started(&app).await;
    let retry_after = Some(Duration::from_secs(600));
    script.add(Err(Unanswered::NotNow { why: "balance_insufficient".to_owned(), retry_after }));
    app.settle().await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "pending");
    assert_eq!(app.transferred().await.1, 1);
    app.verify().await;
    let ask_after = Duration::from_secs(3_600);
    script.add(Ok(TransferOutcome::Pending { reference: "tr_slow".to_owned(), ask_after }));
    app.advance(Duration::from_secs(599)).await;
    assert_eq!(app.transferred().await.1, 1);
    app.advance(Duration::from_secs(76)).await;
    let seller = app.log_in(&seller.username).await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "pending");
    app.verify().await;
    app.advance(ask_after).await;
    let seller = app.log_in(&seller.username).await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    app.verify().await;
}

#[tokio::test]
async fn a_payout_of_many_orders_is_sent_in_several_goes() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    for _ in 0..19 {
        app.earned(&buyer, &seller, "10.00", "USD").await;
    }
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    app.settle().await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    assert_eq!(app.transferred().await, (19 * 900, 19));
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn money_that_a_bank_returns_can_be_paid_out_again() {
    let app = TestApp::new().await;
    let (seller, payout) = started(&app).await;
    app.settle().await;
    let reference = app.payout(&seller, &payout).await["items"][1]["transaction_id"].clone();
    let reference = reference.as_str().unwrap().to_owned();
    for _ in 0..2 {
        let transfer = reference.clone();
        let known = app
            .write(move |tx| {
                let known =
                    payouts::returned(tx, &transfer, "account_closed", "The bank account is closed.")?;
                Ok((known, payouts::returned(tx, "tr_unheard_of", "account_closed", "")?))
            })
            .await;
        assert_eq!(known, (true, false));
    }
    assert_eq!(app.payout(&seller, &payout).await["status"], "partly_paid");
    assert_eq!(app.balance_in(&seller, "USD").await["available"], "18.00");
    assert_eq!(app.balance(&format!("payable:{}", seller.id)).await, 1800);
    let told = app.told(&seller).await;
    assert!(
        told.ends_with(&["payout_returned".to_owned(), "payout_account_restricted".to_owned()]),
        "{told:?}"
    );
    app.pay_out(&seller).await.problem(409, "payout_account_required");
    app.post("/payouts/account", &seller, None).await.expect(200);
    let again = app.pay_out(&seller).await.expect(201).json();
    app.settle().await;
    assert_eq!(app.payout(&seller, &again).await["status"], "paid");
    assert_eq!(app.transferred().await, (4500, 3));
    app.keeps_its_rules().await;
    app.verify().await;
}

#[tokio::test]
async fn a_transfer_that_succeeds_after_it_was_given_up_is_looked_at_by_a_person() {
    let script = Script::default();
    let app = script.app().await;
    let (_, _) = started(&app).await;
    script.add(refused());
    script.add(refused());
    app.settle().await;
    app.write(|tx| {
        let item = tx.one("select id from payout_items order by id limit 1", &[], |row| row.next())?;
        payouts::apply_transfer(tx, item, &TransferOutcome::Paid { reference: "tr_late".to_owned() })
    })
    .await;
    assert_eq!(app.count("select count(*) from cases where kind = 'integrity_failure'").await, 1);
    assert_eq!(app.count("select count(*) from payout_items where status = 'paid'").await, 0);
    app.verify().await;
}

#[tokio::test]
async fn a_refund_that_was_asked_for_after_the_payout_takes_nothing_of_it() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    let (order, payment) = app.paid(&buyer, &seller).await;
    app.move_order(&buyer, &order, "completed").await.expect(200);
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    let refund = app.refund(&seller, &payment, Some("10.00")).await;
    app.settle().await;
    assert_eq!(app.payout(&seller, &payout).await["amount"], json!("44.91"), "{refund:?}");
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    app.verify().await;
}

/// What a bank returned of an order that was paid out.
async fn bounced(app: &TestApp, order: &Value) {
    let order = guildhall::id::Id::<()>::from_wire(order["id"].as_str().unwrap());
    let known = app
        .write(move |tx| {
            let transfer: String = tx.one(
                "select transaction_id from payout_items where order_id = $1 and status = 'paid'",
                guildhall::params![order],
                |row| row.next(),
            )?;
            payouts::returned(tx, &transfer, "account_closed", "The bank account is closed.")
        })
        .await;
    assert!(known);
}

#[tokio::test]
async fn what_comes_back_pays_what_is_owed() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    let other = app.earned(&buyer, &seller, "10.00", "USD").await;
    let (order, payment) = app.completed(&buyer, &seller).await;
    let seller = app.cleared().await;
    app.pay_out(&seller).await.expect(201);
    app.settle().await;
    let admin = app.admin().await;
    app.refund_after_release(&admin, &payment, "20.00").await.expect(201);
    app.settle().await;
    let (owed, payable) = (format!("owed:{}", seller.id), format!("payable:{}", seller.id));
    assert_eq!((app.balance(&owed).await, app.balance(&payable).await), (-1800, 0));
    bounced(&app, &other).await;
    assert_eq!((app.balance(&owed).await, app.balance(&payable).await), (-900, 0), "a part is paid");
    assert_eq!(app.balance_in(&seller, "USD").await["available"], "0.00");
    app.verify().await;
    bounced(&app, &order).await;
    assert_eq!((app.balance(&owed).await, app.balance(&payable).await), (0, 3591));
    app.post("/payouts/account", &seller, None).await.expect(200);
    assert_eq!(app.pay_out(&seller).await.expect(201).json()["amount"], "35.91");
    app.settle().await;
    assert_eq!(app.balance(&payable).await, 0);
    app.keeps_its_rules().await;
    app.verify().await;
}

#[tokio::test]
async fn a_part_that_was_never_sent_stays_where_a_bank_takes_the_payment_back() {
    for (ends, payable) in [(ChargebackStatus::Won, 9 * 4491), (ChargebackStatus::Lost, 0)] {
        let app = TestApp::new().await;
        let (buyer, seller) = app.paid_people().await;
        let mut taken_back = Vec::new();
        for _ in 0..9 {
            taken_back.push(app.completed(&buyer, &seller).await.1);
        }
        app.earned(&buyer, &seller, "20.00", "USD").await;
        let seller = app.cleared().await;
        let payout = app.pay_out(&seller).await.expect(201).json();
        for (number, payment) in taken_back.iter().enumerate() {
            app.tell_of_chargeback(&format!("dp_{number}"), payment, 4990, ChargebackStatus::Open).await;
        }
        app.settle().await;
        assert_eq!(app.payout(&seller, &payout).await["status"], "partly_paid");
        assert_eq!(app.transferred().await, (1800, 1));
        assert_eq!(app.balance(&format!("payable:{}", seller.id)).await, 0, "it is frozen");
        app.pay_out(&seller).await.problem(409, "nothing_to_pay_out");
        app.keeps_its_rules().await;
        app.verify().await;
        for (number, payment) in taken_back.iter().enumerate() {
            app.tell_of_chargeback(&format!("dp_{number}"), payment, 4990, ends.clone()).await;
        }
        app.settle().await;
        let balances = ["payable", "owed"].map(|kind| format!("{kind}:{}", seller.id));
        assert_eq!(app.balance(&balances[0]).await, payable);
        assert_eq!(app.balance(&balances[1]).await, 0, "nothing went out that could be owed");
        app.keeps_its_rules().await;
        app.verify().await;
    }
}

#[tokio::test]
async fn a_part_that_may_have_been_sent_is_asked_for_whatever_the_bank_does() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, seller) = app.paid_people().await;
    let (_, payment) = app.completed(&buyer, &seller).await;
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    troubles.add(Trouble::AfterItHappened);
    app.settle().await;
    app.charge_back(&payment, 4990, ChargebackStatus::Open).await;
    app.advance(A_WHILE).await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    assert_eq!(app.transferred().await, (4491, 1));
    app.verify().await;
}

#[tokio::test]
async fn what_a_bank_returns_while_another_takes_the_payment_back_is_frozen() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    let (order, payment) = app.completed(&buyer, &seller).await;
    let seller = app.cleared().await;
    app.pay_out(&seller).await.expect(201);
    app.settle().await;
    app.charge_back(&payment, 4990, ChargebackStatus::Open).await;
    bounced(&app, &order).await;
    let frozen = format!("chargebacks:{}", order["id"].as_str().unwrap());
    assert_eq!(app.balance(&frozen).await, 4491);
    app.verify().await;
    app.charge_back(&payment, 4990, ChargebackStatus::Lost).await;
    app.settle().await;
    let owed = app.balance(&format!("owed:{}", seller.id)).await;
    assert_eq!((owed, app.balance(&frozen).await), (0, 0));
    app.keeps_its_rules().await;
    app.verify().await;
}

#[tokio::test]
async fn what_is_on_its_way_is_not_said_to_be_nothing() {
    let app = TestApp::new().await;
    let (buyer, seller) = app.paid_people().await;
    app.earned(&buyer, &seller, "10.00", "USD").await;
    let seller = app.cleared().await;
    app.pay_out(&seller).await.expect(201);
    let refused = app.pay_out(&seller).await.problem(409, "nothing_to_pay_out");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("9.00 USD is on its way already"), "{detail}");
    app.settle().await;
}
