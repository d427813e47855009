//! When asking again is over, evidence decides.

use std::time::Duration;

use guildhall::params;
use serde_json::{Value, json};

use super::ordered;
use crate::support::{Person, TestApp, Trouble, Troubles};

const TWO_MINUTES: Duration = Duration::from_secs(120);
const A_QUARTER: Duration = Duration::from_secs(900);
const A_DAY: Duration = Duration::from_secs(24 * 3_600);

/// Lets time pass in steps; the one who looks afterwards has logged in again.
async fn pass(app: &TestApp, step: Duration, times: usize, name: &str) -> Person {
    for _ in 0..times {
        app.advance(step).await;
    }
    app.log_in(name).await
}

/// What was written down about the operations of one kind: (tries, state).
async fn written_down(app: &TestApp, kind: &'static str) -> Vec<(i64, String)> {
    let sql = "select tries, state from provider_calls where kind = $1 order by key";
    app.app
        .db()
        .read(move |tx| tx.all(sql, params![kind], |row| Ok((row.next()?, row.next()?))))
        .await
        .unwrap()
}

#[tokio::test]
async fn an_operation_is_written_down_before_it_is_sent() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    let gate = troubles.hold();
    let paying = app.pay(&buyer, &order, "pm_card_visa");
    let looking = async {
        gate.entered().await;
        let before = written_down(&app, "charge").await;
        gate.open();
        before
    };
    let (paid, before) = tokio::join!(paying, looking);
    paid.expect(201);
    assert_eq!(before, [(1, "open".to_owned())]);
    assert_eq!(written_down(&app, "charge").await[0].1, "answered");
    app.audit().await;
}

#[tokio::test]
async fn an_error_that_is_repeated_and_two_empty_looks_mean_that_nothing_happened() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    for _ in 0..3 {
        troubles.add(Trouble::Error);
    }
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    let buyer = pass(&app, TWO_MINUTES, 3, "buyer").await;
    assert_eq!(app.payment(&buyer, &unknown).await["status"], "pending", "one look is no proof");
    let buyer = pass(&app, A_QUARTER, 1, "buyer").await;
    let failed = app.payment(&buyer, &unknown).await;
    assert_eq!((&failed["status"], &failed["failure"]), (&json!("failed"), &json!("not_executed")));
    assert_eq!(app.charges().await, 0);
    app.pay(&buyer, &order, "pm_card_visa").await.expect(201);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn after_a_day_a_key_is_sent_no_more() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    troubles.add(Trouble::BeforeItHappens);
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    let buyer = pass(&app, A_DAY, 1, "buyer").await;
    assert_eq!(app.payment(&buyer, &unknown).await["status"], "pending");
    let buyer = pass(&app, A_QUARTER, 1, "buyer").await;
    assert_eq!(app.payment(&buyer, &unknown).await["failure"], "not_executed");
    assert_eq!(app.charges().await, 0);
    app.audit().await;
}

#[tokio::test]
async fn what_did_not_happen_is_sent_again_without_a_look() {
    for trouble in [Trouble::NotNow, Trouble::Misconfigured] {
        let troubles = Troubles::default();
        let app = troubles.app().await;
        let (buyer, _, order) = ordered(&app).await;
        troubles.add(trouble);
        let waiting = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
        app.advance(TWO_MINUTES).await;
        assert_eq!(app.payment(&buyer, &waiting).await["status"], "success", "{trouble:?}");
        assert_eq!(app.charges().await, 1);
        app.audit().await;
    }
}

#[tokio::test]
async fn a_key_never_goes_out_with_other_words() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, _, order) = ordered(&app).await;
    troubles.add(Trouble::BeforeItHappens);
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    app.home.damage("update payments set payment_method = 'pm_sandbox_pending'");
    app.advance(TWO_MINUTES).await;
    assert_eq!(app.payment(&buyer, &unknown).await["status"], "pending");
    assert_eq!(app.charges().await, 0);
    app.home.damage("update payments set payment_method = 'pm_card_visa'");
    app.advance(TWO_MINUTES).await;
    assert_eq!(app.payment(&buyer, &unknown).await["status"], "success");
    app.audit().await;
}

/// A charge that succeeded, and whose provider does not answer any more until a person has to look.
async fn unknown_for_a_day(troubles: &Troubles, app: &TestApp) -> (Person, Person, Value, Value) {
    let (buyer, _, order) = ordered(app).await;
    app.admin().await;
    troubles.add(Trouble::AfterItHappened);
    for _ in 0..20 {
        troubles.add(Trouble::BeforeItHappens);
    }
    let unknown = app.pay(&buyer, &order, "pm_card_visa").await.expect(202).json();
    let buyer = pass(app, Duration::from_secs(5 * 3_600), 6, "buyer").await;
    (buyer, app.log_in("keeper").await, order, unknown)
}

#[tokio::test]
async fn what_nobody_can_find_out_is_a_case_until_somebody_can() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, admin, _, unknown) = unknown_for_a_day(&troubles, &app).await;
    let seen = app.payment(&buyer, &unknown).await;
    assert_eq!((&seen["status"], &seen["needs_review"]), (&json!("pending"), &json!(true)));
    let seller = app.log_in("seller").await;
    assert_eq!(app.payment(&seller, &unknown).await.get("needs_review"), None);
    let cases = app.open_cases(&admin).await;
    assert_eq!(cases.len(), 1);
    assert_eq!((&cases[0]["kind"], &cases[0]["subject_id"]), (&json!("unknown_outcome"), &unknown["id"]));
    assert_eq!(cases[0]["resolutions"], json!(["look_again", "fail_payment"]));

    troubles.clear();
    let buyer = pass(&app, Duration::from_secs(2 * 3_600), 1, "buyer").await;
    let found = app.payment(&buyer, &unknown).await;
    assert_eq!((&found["status"], &found["needs_review"]), (&json!("success"), &json!(false)));
    let admin = app.log_in("keeper").await;
    let path = format!("/admin/cases/{}", cases[0]["id"].as_str().unwrap());
    let case = app.get(&path, &admin).await.expect(200).json();
    assert_eq!((&case["resolution"], &case["resolved_by"]), (&json!("answered"), &Value::Null));
    assert_eq!(app.charges().await, 1);
    app.audit().await;
}

#[tokio::test]
async fn a_case_can_be_looked_at_again_and_comes_back_if_nobody_knows() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (_, admin, _, unknown) = unknown_for_a_day(&troubles, &app).await;
    let case = app.open_cases(&admin).await.remove(0);
    app.resolve_case(&admin, &case, "accept").await.problem(409, "resolution_not_offered");
    let closed = app.resolve_case(&admin, &case, "look_again").await.expect(200).json();
    assert_eq!((&closed["resolution"], &closed["resolved_by"]), (&json!("look_again"), &json!(admin.id)));
    app.resolve_case(&admin, &case, "look_again").await.problem(409, "case_closed");
    pass(&app, Duration::from_secs(3_600), 6, "keeper").await;
    let admin = app.log_in("keeper").await;
    assert_eq!(app.open_cases(&admin).await[0]["id"], case["id"]);
    troubles.clear();
    app.resolve_case(&admin, &case, "look_again").await.expect(200);
    app.settle().await;
    assert_eq!(app.payment(&admin, &unknown).await["status"], "success");
    app.audit().await;
}

#[tokio::test]
async fn a_payment_that_is_given_up_gives_back_what_was_captured_all_the_same() {
    let troubles = Troubles::default();
    let app = troubles.app().await;
    let (buyer, admin, order, unknown) = unknown_for_a_day(&troubles, &app).await;
    let case = app.open_cases(&admin).await.remove(0);
    troubles.clear();
    app.resolve_case(&admin, &case, "fail_payment").await.expect(200);
    app.settle().await;
    let failed = app.payment(&buyer, &unknown).await;
    assert_eq!((&failed["status"], &failed["failure"]), (&json!("failed"), &json!("given_up")));
    assert_eq!((&failed["refunded_amount"], app.given_back().await), (&json!("49.90"), 4990));
    assert_eq!(app.open_cases(&admin).await[0]["kind"], "captured_after_failure");
    app.pay(&buyer, &order, "pm_card_visa").await.problem(409, "order_not_payable");
    app.audit().await;
    app.verify().await;
}
