//! `guildhall verify` finds nothing in a lived-in database, and each broken promise where it was broken.

use std::sync::Arc;
use std::time::Duration;

use guildhall::app;
use guildhall::db::{Db, Wiring};
use guildhall::orders::Status;
use guildhall::providers::ChargebackStatus;
use guildhall::verify;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;

use crate::support::{Cast, TestApp, order_path};

async fn lived_in() -> TestApp {
    lives_in(TestApp::new().await).await
}

/// Orders in every state, reviews, refunds, a message and a settled dispute.
pub async fn lives_in(app: TestApp) -> TestApp {
    let cast = app.cast().await;
    for status in [Status::Pending, Status::Active, Status::Delivered, Status::Cancelled, Status::Disputed] {
        let order = app.order_at(status, &cast).await;
        if status == Status::Disputed {
            let said = json!({ "message": "It is all there." });
            app.post(&format!("{}/dispute/messages", order_path(&order)), &cast.seller, said)
                .await
                .expect(201);
        }
    }
    let agreed = app.order_at(Status::Disputed, &cast).await;
    let split = json!({ "refund_amount": "5.00" });
    app.post(&format!("{}/settlement", order_path(&agreed)), &cast.seller, split.clone()).await.expect(201);
    app.post(&format!("{}/settlement/accept", order_path(&agreed)), &cast.buyer, split).await.expect(200);
    for rating in [5, 4, 4] {
        let order = app.order_at(Status::Completed, &cast).await;
        let body = json!({ "order_id": order["id"], "rating": rating });
        app.post("/reviews", &cast.buyer, body).await.expect(201);
    }
    let refunded = app.active(&cast.buyer, &cast.listing).await;
    app.ask(&refunded, &cast.seller, "cancelled").await.expect(200);
    let disputed = app.order_at(Status::Disputed, &cast).await;
    let split = json!({ "status": "completed", "refund_amount": "10.00" });
    app.put(&order_path(&disputed), &cast.admin, split).await.expect(200);
    let message = json!({ "user_id": cast.seller.id, "message": "Thank you!" });
    app.post("/notifications", &cast.buyer, message).await.expect(201);
    app.write(|tx| tx.execute("update releases set available_at = created_at", &[])).await;
    app.post("/payouts/account", &cast.seller, None).await.expect(201);
    app.put("/payouts/settings", &cast.seller, json!({ "schedule": "weekly" })).await.expect(200);
    app.post("/payouts", &cast.seller, None).await.expect(201);
    app.settle().await;
    gives_back(&app, &cast).await;
    app
}

/// A refund after the payout, whose debt the next releases pay, a chargeback that was lost, and two that are open.
async fn gives_back(app: &TestApp, cast: &Cast) {
    let (_, payment) = app.completed(&cast.buyer, &cast.seller).await;
    assert!(app.pays_out(&cast.seller, "USD").await);
    app.settle().await;
    app.refund_after_release(&cast.admin, &payment, "10.00").await.expect(201);
    app.settle().await;
    app.completed(&cast.buyer, &cast.seller).await;
    let (_, unpaid) = app.completed(&cast.buyer, &cast.seller).await;
    app.refund_after_release(&cast.seller, &unpaid, "10.00").await.expect(201);
    app.settle().await;
    app.tell_of_chargeback("dp_frozen", &unpaid, 3990, ChargebackStatus::Open).await;
    let (_, payment) = app.paid(&cast.buyer, &cast.seller).await;
    app.tell_of_chargeback("dp_lost", &payment, 4990, ChargebackStatus::Lost).await;
    let (_, payment) = app.paid(&cast.buyer, &cast.seller).await;
    app.tell_of_chargeback("dp_held", &payment, 4990, ChargebackStatus::Open).await;
    app.settle().await;
}

#[tokio::test]
async fn a_lived_in_database_keeps_every_promise() {
    lived_in().await.verify().await;
}

/// What is done to the tables, and the number of the check that must say so, with those that may say so too.
const DAMAGES: &[(&str, &str)] = &[
    (
        "1",
        "update ledger_lines set amount_minor = amount_minor - 1
         where account = 'provider' and journal_id = (select journal_id from ledger_lines order by journal_id limit 1)",
    ),
    ("1 12", "insert into ledger_journals (id, at, order_id, kind, cause_id) select {id}, {time}, id, 'charge', {id} from orders limit 1"),
    (
        "2 12",
        "insert into ledger_journals (id, at, order_id, kind, cause_id)
             select {id}, {time}, id, 'adjustment', {id} from orders where status = 'completed' limit 1;
         insert into ledger_lines (journal_id, line, account, amount_minor, currency, order_id)
             select id, 1, 'bribes', 100000000, 'USD', order_id from ledger_journals where id = {id};
         insert into ledger_lines (journal_id, line, account, amount_minor, currency, order_id)
             select id, 2, 'losses', -100000000, 'USD', order_id from ledger_journals where id = {id}",
    ),
    (
        "3 12",
        "insert into ledger_journals (id, at, order_id, kind, cause_id)
             select {id}, {time}, id, 'release', {id} from orders where status = 'active';
         insert into ledger_lines (journal_id, line, account, amount_minor, currency, order_id)
             select {id}, 1, l.account, -1, 'USD', j.order_id from ledger_lines l join ledger_journals j on j.id = l.journal_id
                 join orders o on o.id = j.order_id where o.status = 'active' and l.account like 'escrow:%';
         insert into ledger_lines (journal_id, line, account, amount_minor, currency, order_id)
             select id, 2, 'fees', 1, 'USD', order_id from ledger_journals where id = {id}",
    ),
    ("3", "update payments set refunded_minor = 1 where order_id in (select id from orders where status = 'active')"),
    ("3 12 13 15", "update refunds set status = 'failed'"),
    ("3", "update orders set fee_minor = 1 where status = 'cancelled'"),
    ("3", "delete from transactions where type = 'charge'"),
    ("3", "update orders set fee_rate_bp = 900 where status = 'active'"),
    ("3", "update orders set fee_fixed_minor = 5000 where status = 'pending'"),
    ("3", "update orders set service_fee_rate_bp = 100 where status = 'pending'"),
    ("4", "update orders set service_fee_minor = 1, service_fee_rate_bp = 2 where status = 'active'"),
    ("4", "update orders set amount_minor = amount_minor + 1 where status = 'active'"),
    ("4", "update payments set buyer_id = freelancer_id where order_id in (select id from orders where status = 'disputed');
           update transactions set user_id = (select p.freelancer_id from payments p limit 1)
           where type = 'charge' and order_id in (select id from orders where status = 'disputed')"),
    ("5", "update orders set status = 'delivered' where status = 'active'"),
    ("5 14", "update events set body = {from_pending} where kind = 'order_delivered'"),
    ("5", "update events set subject_id = {id} where kind = 'order_disputed'"),
    ("6", "update services set rating_sum = rating_sum + 1"),
    ("6", "update services set rating_centi = 434"),
    ("6", "update freelancer_stats set completed_orders = completed_orders + 1"),
    ("6", "delete from rating_tallies where rating = 4"),
    ("6", "update reviews set order_id = (select id from orders where status = 'cancelled' limit 1) where rating = 5"),
    ("7", "delete from notifications where event_id = (select event_id from notifications where event_id is not null order by event_id desc limit 1)"),
    (
        "7",
        "drop index notifications_event_id_user_id;
         insert into notifications (id, user_id, type, message, event_id, created_at)
             select {id}, user_id, type, message, event_id, created_at from notifications where event_id is not null limit 1",
    ),
    ("8", "update users set username_folded = 'nobody' where username = 'buyer'"),
    ("8", "update users set email_folded = 'nobody@example.com' where username = 'buyer'"),
    ("8", "update users set status = 'suspended' where username = 'buyer'"),
    (
        "9 7",
        "update notifications set event_id = {id}
         where id = (select id from notifications where event_id is not null order by id limit 1)",
    ),
    ("9", "delete from service_search"),
    ("9", "delete from service_tags where tag_folded = 'logo'"),
    ("9", "update services set listed = false"),
    ("10", "delete from timers where kind = 'dispute_deadline'"),
    ("10", "update disputes set decide_by = opened_at where status = 'open'; update timers set attempts = 3 where kind = 'dispute_deadline'"),
    ("10", "update timers set subject_id = {id} where kind = 'dispute_deadline' and subject_id = (select subject_id from timers where kind = 'dispute_deadline' order by subject_id limit 1)"),
    ("10", "update disputes set status = 'decided', closed_at = {time}, refund_minor = 0 where status = 'open'"),
    ("10", "update dispute_offers set accepted_at = null"),
    ("10", "update disputes set refund_minor = refund_minor + 1 where status = 'settled'"),
    ("9", "insert into known_addresses (user_id, address_hash, seen_at) values ({id}, {bytes}, {time})"),
    ("11", "update payouts set amount_minor = amount_minor + 1"),
    ("11", "update payouts set status = 'failed' where status = 'paid'"),
    ("11", "update releases set payout_id = null where payout_id is not null"),
    ("11", "update transactions set status = 'pending' where type = 'payout'"),
    ("11", "update payout_items set status = 'pending'"),
    ("11", "delete from timers where kind = 'payout_schedule'"),
    ("12", "update ledger_journals set cause_id = {id} where kind = 'release' and order_id = (select order_id from releases order by order_id limit 1)"),
    ("12", "update ledger_journals set kind = 'refund_returned' where kind = 'refund'"),
    ("12", "update ledger_journals set cause_id = {id} where id = (select id from ledger_journals where kind = 'offset' order by id limit 1)"),
    ("12", "update ledger_journals set cause_id = {id} where kind = 'chargeback_frozen'"),
    ("12", "update ledger_journals set cause_id = {id} where kind = 'chargeback_lost'"),
    ("12", "update releases set fee_minor = fee_minor + 1"),
    (
        "12",
        "insert into cases (id, kind, subject_id, detail, opened_at, resolved_at, resolution)
             values ({id}, 'fee_drift', {id}, '{}', {time}, {time}, 'booked')",
    ),
    ("13 9", "delete from events where kind = 'payment_succeeded' and subject_id = (select order_id from payments order by order_id limit 1)"),
    ("13", "update events set kind = 'refund_failed' where kind = 'refund_succeeded'"),
    ("14 7", "update events set actor_id = (select id from users where username = 'stranger') where kind = 'order_delivered'"),
    ("14", "update events set at = {time} where kind = 'order_completed'"),
    ("15", "update debts set paid_minor = 0"),
    ("15", "update debts set amount_minor = amount_minor + 1, paid_minor = paid_minor + 1"),
    ("15 12", "delete from offsets"),
    ("15", "update refunds set payable_minor = payable_minor + 1, fees_minor = fees_minor - 1 where payable_minor > 0"),
    ("15", "update chargebacks set frozen_minor = frozen_minor - 1 where frozen_minor > 0"),
    ("15", "update chargebacks set escrow_minor = escrow_minor - 1 where status = 'lost'"),
    ("15", "update chargebacks set withdrawn = false where status = 'lost'"),
    ("15", "update ledger_journals set kind = 'chargeback_reinstated' where kind = 'chargeback_withdrawn'"),
    ("15", "update transactions set status = 'failed' where type = 'clawback'"),
    ("15", "delete from transactions where type = 'offset'"),
];

#[tokio::test]
async fn each_broken_promise_is_found_where_it_was_broken() {
    let app = lived_in().await;
    let whole = app.home.copy();
    let mut surprises = Vec::new();
    for (numbers, damage) in DAMAGES {
        let broken = whole.copy();
        broken.damage(damage);
        let clock = Arc::clone(app.app.db().clock());
        let db = Db::open(&broken.config().place(), clock, Wiring::default()).unwrap();
        let found = verify::run(&db).await.unwrap();
        let number =
            |violation: &verify::Violation| violation.invariant.split(' ').next().unwrap().to_owned();
        let named: Vec<String> = found.iter().map(number).collect();
        let expected: Vec<&str> = numbers.split(' ').collect();
        let exactly = named.iter().all(|number| expected.contains(&number.as_str()));
        if !exactly || !named.iter().any(|number| number == expected[0]) {
            surprises.push(format!("{damage}\n{}", verify::report(&found)));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[tokio::test]
async fn a_check_stops_after_twenty_witnesses() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    for _ in 0..25 {
        app.listing(&seller).await;
    }
    app.write(|tx| tx.execute("update services set listed = false", &[])).await;
    assert_eq!(verify::run(app.app.db()).await.unwrap().len(), 20);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_finding_and_the_other_checks_go_on() {
    let app = TestApp::new().await;
    app.write(|tx| tx.execute("drop table rating_tallies", &[])).await;
    let found = verify::run(app.app.db()).await.unwrap();
    let [violation] = found.as_slice() else { panic!("{}", verify::report(&found)) };
    assert!(violation.invariant.starts_with('6') && violation.witness.starts_with("it cannot be checked"));
}

#[tokio::test]
async fn what_is_open_and_forgotten_is_found() {
    let app = TestApp::new().await;
    let (buyer, seller) = (app.buyer().await, app.seller().await);
    let order = app.pending_order(&buyer, &seller).await;
    app.pay(&buyer, &order, "pm_sandbox_pending").await.expect(202);
    app.verify().await;
    app.write(|tx| tx.execute("delete from timers where kind = 'payment_ask'", &[])).await;
    let found = verify::run(app.app.db()).await.unwrap();
    let [violation] = found.as_slice() else { panic!("{}", verify::report(&found)) };
    assert!(violation.invariant.starts_with("13 ") && violation.witness.contains("nothing asks"));
}

#[tokio::test]
async fn the_metrics_count_what_is_broken_each_hour() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (handle, _installed) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let app = TestApp::new().await;
    let seller = app.seller().await;
    app.listing(&seller).await;
    app.write(|tx| tx.execute("update services set listed = false", &[])).await;
    app::start_audits(&app.app).await.unwrap();
    app.advance(Duration::from_secs(61)).await;
    while !handle.render().contains("invariants_checked_timestamp_seconds ") {
        tokio::task::yield_now().await;
    }
    let text = handle.render();
    let counted = |number: &str, count: u32| {
        text.lines().any(|line| {
            line.starts_with(&format!("invariant_violations{{invariant=\"{number} "))
                && line.ends_with(&format!("}} {count}"))
        })
    };
    assert!(counted("1", 0) && counted("9", 1), "{text}");
    let next = "select count(*) from timers where kind = 'verify_hourly'";
    assert_eq!(app.count(next).await, 1);
}
