//! Transfers whose outcome is unknown: looked for, sent again while their key is good, and then a person's to decide.

use std::time::Duration;

use guildhall::params;
use guildhall::providers::ChargebackStatus;
use serde_json::{Value, json};

use crate::support::{Person, TestApp, Trouble, Troubles};

const TWO_MINUTES: Duration = Duration::from_secs(120);
const A_QUARTER: Duration = Duration::from_secs(900);
const A_DAY: Duration = Duration::from_secs(24 * 3_600);

/// A payout of 44.91 USD that nobody has sent yet, its seller, and the payment that it comes from.
async fn started(app: &TestApp) -> (Person, Value, Value) {
    let (buyer, seller) = app.paid_people().await;
    let (_, payment) = app.completed(&buyer, &seller).await;
    let seller = app.cleared().await;
    let payout = app.pay_out(&seller).await.expect(201).json();
    app.admin().await;
    (seller, payout, payment)
}

/// What was written down about transfers: (tries, state).
async fn written_down(app: &TestApp) -> Vec<(i64, String)> {
    let sql = "select tries, state from provider_calls where kind = 'transfer' order by key";
    app.write(move |tx| tx.all(sql, params![], |row| Ok((row.next()?, row.next()?)))).await
}

/// The one open case, and an administrator.
async fn case(app: &TestApp) -> (Person, Value) {
    let admin = app.log_in("keeper").await;
    let cases = app.open_cases(&admin).await;
    let [case] = cases.as_slice() else { panic!("{cases:?}") };
    (admin, case.clone())
}

#[tokio::test]
async fn a_transfer_is_written_down_before_it_is_sent() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (seller, payout, _) = started(&app).await;
    let gate = troubles.hold();
    let looking = async {
        gate.entered().await;
        let before = written_down(&app).await;
        gate.open();
        before
    };
    let ((), before) = tokio::join!(app.settle(), looking);
    assert_eq!(before, [(1, "open".to_owned())]);
    assert_eq!(written_down(&app).await, [(0, "answered".to_owned())]);
    assert_eq!(app.payout(&seller, &payout).await["status"], "paid");
    app.audit().await;
}

#[tokio::test]
async fn after_a_day_a_transfer_is_sent_no_more() {
    for (resolution, ends, transfers) in [("transfer_failed", "failed", 1), ("transfer_arrived", "paid", 0)] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (_, payout, _) = started(&app).await;
        troubles.add(Trouble::BeforeItHappens);
        app.settle().await;
        app.advance(A_DAY).await;
        assert!(app.cases().await.is_empty(), "one look is no proof");
        app.advance(A_QUARTER).await;
        app.advance(A_DAY).await;
        assert_eq!(app.transferred().await.1, 0);
        app.verify().await;
        let (admin, unknown) = case(&app).await;
        assert_eq!(unknown["kind"], "unknown_outcome");
        assert_eq!(unknown["resolutions"], json!(["look_again", "transfer_arrived", "transfer_failed"]));
        app.resolve_case(&admin, &unknown, "look_again").await.expect(200);
        app.settle().await;
        let (admin, unknown) = case(&app).await;
        app.resolve_case(&admin, &unknown, resolution).await.expect(200);
        let ended = app.payout(&admin, &payout).await;
        assert_eq!(ended["status"], ends);
        assert!(!ended.to_string().contains("looked at it"), "what is for the audit: {ended}");
        assert_eq!(written_down(&app).await[0].1, "answered");
        app.advance(A_DAY).await;
        let seller = app.log_in("seller").await;
        assert_eq!(app.pay_out(&seller).await.status == 201, transfers == 1, "what never left is free");
        app.settle().await;
        assert_eq!(app.transferred().await, (4491 * transfers, transfers));
        assert!(app.cases().await.is_empty());
        app.keeps_its_rules().await;
        app.verify().await;
    }
}

#[tokio::test]
async fn an_error_that_is_repeated_is_not_sent_again() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    started(&app).await;
    for _ in 0..3 {
        troubles.add(Trouble::Error);
    }
    app.settle().await;
    for wait in [TWO_MINUTES, TWO_MINUTES, TWO_MINUTES, A_QUARTER] {
        app.advance(wait).await;
    }
    assert_eq!(case(&app).await.1["detail"]["operation"], "transfer");
    assert_eq!(app.transferred().await.1, 0);
    app.verify().await;
}

#[tokio::test]
async fn what_nobody_can_find_out_about_a_transfer_is_a_case_until_somebody_can() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (_, payout, _) = started(&app).await;
    troubles.add(Trouble::AfterItHappened);
    for _ in 0..20 {
        troubles.add(Trouble::BeforeItHappens);
    }
    app.settle().await;
    for _ in 0..6 {
        app.advance(Duration::from_secs(5 * 3_600)).await;
    }
    let (admin, unknown) = case(&app).await;
    assert_eq!(
        (&unknown["kind"], &unknown["order_id"]),
        (&json!("unknown_outcome"), &payout["items"][0]["order_id"])
    );
    troubles.clear();
    app.advance(Duration::from_secs(2 * 3_600)).await;
    let admin = app.log_in(&admin.username).await;
    assert_eq!(app.payout(&admin, &payout).await["status"], "paid");
    assert_eq!(app.transferred().await, (4491, 1));
    assert!(app.cases().await.is_empty());
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_transfer_that_certainly_never_left_stays_when_a_bank_takes_the_payment_back() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (seller, payout, payment) = started(&app).await;
    troubles.add(Trouble::NotNow);
    app.settle().await;
    app.charge_back(&payment, 4990, ChargebackStatus::Open).await;
    app.advance(TWO_MINUTES).await;
    assert_eq!(app.payout(&seller, &payout).await["status"], "failed");
    assert_eq!(app.transferred().await.1, 0);
    assert_eq!(written_down(&app).await[0].1, "answered");
    app.keeps_its_rules().await;
    app.verify().await;
}
