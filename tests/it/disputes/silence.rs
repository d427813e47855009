//! What happens when nobody speaks, and who is told before.

use std::time::Duration;

use guildhall::actor::Actor;
use guildhall::db::MIGRATIONS;
use guildhall::orders::{self, Status};
use guildhall::params;
use guildhall::time::Time;
use serde_json::{Value, json};

use super::{DAY, decide, disputed, given_back, in_days, logged_in_again, offer, open, seen, stands, write};
use crate::support::{Person, TestApp, order_path};

#[tokio::test]
async fn silence_gives_the_buyer_what_he_wanted_after_two_reminders() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    open(&app, &cast.buyer, &order, json!({ "reason": "Nothing came.", "wants": "30" })).await.expect(201);
    let reminders = async |app: &TestApp, person: &Person| {
        app.told(person).await.iter().filter(|kind| *kind == "dispute_reminder").count()
    };
    let minute = Duration::from_secs(60);
    for (wait, reminded) in [(11 * DAY - minute, 0), (minute, 1), (2 * DAY - minute, 1), (minute, 2)] {
        app.advance(wait).await;
        logged_in_again(&app, &mut cast).await;
        for person in [&cast.buyer, &cast.seller] {
            assert_eq!(reminders(&app, person).await, reminded, "{}", person.username);
        }
    }
    let told = app.inbox(&cast.seller).await.remove(0);
    let words = told["data"]["message"].as_str().unwrap();
    assert!(words.contains("Unless the freelancer answers") && words.contains("30.00 USD"), "{words}");
    assert_eq!(stands(&app, &order).await, Status::Disputed);
    app.advance(DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Completed);
    let dispute = seen(&app, &cast.seller, &order).await;
    assert_eq!((&dispute["status"], &dispute["outcome"]["by"]), (&json!("decided"), &Value::Null));
    assert_eq!(dispute["outcome"]["refund_amount"], "30.00");
    assert_eq!(app.told(&cast.seller).await.iter().filter(|kind| *kind == "dispute_decided").count(), 1);
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn who_wanted_nothing_in_particular_gets_everything_by_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let of_buyer = disputed(&app, &cast).await;
    let of_seller = app.order_at(Status::Delivered, &cast).await;
    app.ask(&of_seller, &cast.seller, "disputed").await.expect(200);
    let less = app.order_at(Status::Delivered, &cast).await;
    open(&app, &cast.seller, &less, json!({ "reason": "He never answers.", "wants": "9.90" }))
        .await
        .expect(201);
    for _ in 0..14 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(given_back(&app, &cast.buyer, &of_buyer).await, "49.90");
    assert_eq!(stands(&app, &of_buyer).await, Status::Cancelled);
    assert_eq!(given_back(&app, &cast.buyer, &of_seller).await, "0.00");
    assert_eq!(given_back(&app, &cast.buyer, &less).await, "9.90");
    app.audit().await;
    app.verify().await;
}

#[tokio::test]
async fn a_word_or_an_offer_of_the_other_side_ends_the_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let (by_word, by_offer, by_neither) =
        (disputed(&app, &cast).await, disputed(&app, &cast).await, disputed(&app, &cast).await);
    write(&app, &cast.seller, &by_word, "It was delivered.").await.expect(201);
    offer(&app, &cast.seller, &by_offer, "0").await.expect(201);
    write(&app, &cast.buyer, &by_neither, "Hello?").await.expect(201);
    write(&app, &cast.admin, &by_neither, "Please answer.").await.expect(201);
    for _ in 0..14 {
        app.advance(DAY).await;
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &by_word).await, Status::Disputed);
    assert_eq!(stands(&app, &by_offer).await, Status::Disputed);
    assert_eq!(stands(&app, &by_neither).await, Status::Cancelled, "the other side did not speak");
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn a_dispute_that_both_argue_comes_before_administrators_until_one_decides() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    app.second_admin().await;
    let order = disputed(&app, &cast).await;
    write(&app, &cast.seller, &order, "It was delivered.").await.expect(201);
    let opened_at = seen(&app, &cast.buyer, &order).await["opened_at"].clone();
    for (wait, times) in [(13, 0), (1, 1), (2, 1), (1, 2), (3, 3)] {
        app.advance(wait * DAY).await;
        logged_in_again(&app, &mut cast).await;
        let warden = app.log_in("warden").await;
        for admin in [&cast.admin, &warden] {
            assert_eq!(app.told(admin).await, vec!["dispute_escalated"; times], "{}", admin.username);
        }
    }
    let dispute = seen(&app, &cast.buyer, &order).await;
    assert_eq!(dispute["decide_by"], in_days(&opened_at, 23));
    assert!(!app.told(&cast.seller).await.iter().any(|kind| kind.starts_with("dispute_")), "no reminders");
    app.verify().await;
    decide(&app, &cast.admin, &order, json!({ "refund_percent": 10, "reason": "A late one." }))
        .await
        .expect(200);
    app.advance(5 * DAY).await;
    app.verify().await;
}

#[tokio::test]
async fn nobody_loses_money_by_silence_without_a_reminder() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    app.advance(40 * DAY).await;
    logged_in_again(&app, &mut cast).await;
    assert_eq!(stands(&app, &order).await, Status::Disputed, "the house was asleep");
    assert_eq!(app.told(&cast.seller).await.last().unwrap(), "dispute_reminder");
    let reminded = app.inbox(&cast.seller).await.remove(0)["data"]["message"].as_str().unwrap().to_owned();
    assert!(reminded.ends_with(", all of it goes back to the buyer."), "{reminded}");
    let opened_at = seen(&app, &cast.buyer, &order).await["opened_at"].clone();
    assert!(
        seen(&app, &cast.buyer, &order).await["decide_by"].as_str().unwrap()
            >= in_days(&opened_at, 41).as_str()
    );
    app.advance(DAY).await;
    assert_eq!(stands(&app, &order).await, Status::Cancelled);
    app.settle().await;
    app.verify().await;
}

#[tokio::test]
async fn what_the_house_freezes_is_never_decided_by_silence() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    for status in [Status::Active, Status::Delivered] {
        let order = app.order_at(status, &cast).await;
        let row = app.order_row(&order).await;
        app.write(move |tx| orders::dispute(tx, &Actor::System, &row, Some("The bank asks.")).map(drop))
            .await;
        let dispute = seen(&app, &cast.buyer, &order).await;
        assert_eq!((&dispute["opened_by"], &dispute["reason"]), (&Value::Null, &json!("The bank asks.")));
        for _ in 0..15 {
            app.advance(DAY).await;
        }
        logged_in_again(&app, &mut cast).await;
        assert_eq!(stands(&app, &order).await, Status::Disputed);
    }
    assert!(app.told(&cast.admin).await.contains(&"dispute_escalated".to_owned()));
    app.verify().await;
}

#[tokio::test]
async fn the_time_to_answer_is_the_operators_to_set() {
    let app = TestApp::with(|config| config.market.dispute_within = 5 * DAY).await;
    let cast = app.cast().await;
    let order = disputed(&app, &cast).await;
    let dispute = seen(&app, &cast.buyer, &order).await;
    assert_eq!(dispute["decide_by"], in_days(&dispute["opened_at"], 5));
}

/// What the migration finds: orders that were disputed before disputes were kept.
#[tokio::test]
async fn an_older_dispute_gets_its_reason_and_all_of_its_time_from_the_upgrade_on() {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.order_at(Status::Active, &cast).await;
    let body = json!({ "status": "disputed", "message": "No answer." });
    app.put(&order_path(&order), &cast.buyer, body).await.expect(200);
    let before = seen(&app, &cast.buyer, &order).await;
    let upgraded_at = app.app.db().clock().now();
    let long_ago = upgraded_at.minus(40 * DAY);
    let step = MIGRATIONS.iter().find(|step| step.name == "0011_disputes").unwrap();
    let embedded = app.app.config().place().is_embedded();
    let text = if embedded { step.sqlite } else { step.postgres };
    let code: String =
        text.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" ");
    // The migration is older than the key of timers.
    app.home.damage(&format!("alter table timers add column id {}", if embedded { "blob" } else { "uuid" }));
    app.write(move |tx| {
        tx.execute("delete from timers where kind = 'dispute_deadline'", params![])?;
        tx.execute("delete from disputes where status = 'open'", params![])?;
        tx.execute("update events set at = $1 where kind = 'order_disputed'", params![long_ago])?;
        for fill in code.split(';').filter(|statement| statement.trim().starts_with("insert into")) {
            assert_eq!(tx.execute(fill, params![])?, 1);
        }
        Ok(())
    })
    .await;
    let mut after = seen(&app, &cast.buyer, &order).await;
    let decide_by = Time::parse(after["decide_by"].as_str().unwrap()).unwrap();
    let minute = Duration::from_secs(60);
    let two_weeks = upgraded_at.minus(minute).plus(14 * DAY)..upgraded_at.plus(minute).plus(14 * DAY);
    assert!(two_weeks.contains(&decide_by), "{decide_by} is not two weeks after {upgraded_at}");
    assert_eq!(after["opened_at"], long_ago.to_string());
    assert_ne!(after["id"], before["id"]);
    for member in ["id", "decide_by", "opened_at"] {
        after[member] = before[member].clone();
    }
    assert_eq!(after, before);
    for (days, status) in [(11, Status::Disputed), (2, Status::Disputed), (1, Status::Cancelled)] {
        app.advance(days * DAY + minute).await;
        assert_eq!(stands(&app, &order).await, status);
    }
    logged_in_again(&app, &mut cast).await;
    assert_eq!(given_back(&app, &cast.buyer, &order).await, "49.90");
    app.audit().await;
}
