//! Any sequence of requests, payments and waits leaves an order where its log says.

use std::time::Duration;

use guildhall::orders::{self, Side, Status};
use guildhall::payments;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::logged_in_again;
use crate::support::{TestApp, order_path};

#[derive(Debug, Clone)]
enum Act {
    Ask(Side, Status),
    Cancel(Side),
    Pay,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let side = || prop::sample::select(vec![Side::Buyer, Side::Freelancer, Side::Admin]);
    prop_oneof![
        8 => (side(), prop::sample::select(Status::ALL.to_vec())).prop_map(|(side, to)| Act::Ask(side, to)),
        1 => side().prop_map(Act::Cancel),
        3 => Just(Act::Pay),
        2 => prop::sample::select(vec![20_u64, 80, 200]).prop_map(Act::Wait),
    ]
}

#[test]
fn no_sequence_of_requests_leaves_the_machine() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(act(), 1..16), |acts| {
            runtime.block_on(play(&acts));
            Ok(())
        })
        .unwrap();
}

async fn play(acts: &[Act]) {
    let app = TestApp::new().await;
    let mut cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let id = app.order_row(&order).await.id;
    for act in acts {
        let person = |side: &Side| match side {
            Side::Buyer => &cast.buyer,
            Side::Freelancer => &cast.seller,
            _ => &cast.admin,
        };
        let status = match act {
            Act::Ask(side, to) => app.ask(&order, person(side), to.as_str()).await.status,
            Act::Cancel(side) => app.delete(&order_path(&order), person(side)).await.status,
            Act::Pay => app.pay(&cast.buyer, &order, "pm_card_visa").await.status,
            Act::Wait(hours) => {
                app.advance(Duration::from_secs(hours * 3_600)).await;
                logged_in_again(&app, &mut cast).await;
                200
            }
        };
        assert!([200, 201, 403, 409].contains(&status), "{act:?} was answered {status}");
        let row = app.order_row(&order).await;
        let mut stands = None;
        for event in app.happened(&order).await {
            let Some(to) = event.body["status"].as_str().and_then(Status::parse) else { continue };
            let from = event.body["from"].as_str().and_then(Status::parse);
            assert_eq!(from, stands, "{} continues the log", event.kind);
            assert!(from.is_none_or(|from| orders::legal(from, to)), "{from:?} → {to}");
            stands = Some(to);
        }
        assert_eq!(stands, Some(row.status), "the log ends where {id} stands");
        let due: Vec<&str> = row.deadline().map(|(kind, _)| kind).into_iter().collect();
        let set = app.stored(&order).await.timers;
        assert!(set.is_empty() && row.status == Status::Active || set == due, "{set:?} at {}", row.status);
        assert_eq!(row.auto_complete_at.is_some(), row.status == Status::Delivered);
        let at_stake = matches!(row.status, Status::Active | Status::Delivered | Status::Disputed);
        let expected = if at_stake { row.amount.minor() } else { 0 };
        let held = app.app.db().read(move |tx| payments::held(tx, &row)).await.unwrap();
        assert_eq!(held, expected, "escrow holds the money while the work is open, and only then");
    }
    app.audit().await;
}
