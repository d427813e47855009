//! `guildhall demo` tells a story that keeps every promise.

use std::collections::BTreeMap;
use std::time::Duration;

use guildhall::app::App;
use guildhall::time::Time;
use guildhall::users::passwords::Cost;
use guildhall::{demo, params, verify};

use crate::support::Home;

async fn empty(home: &Home) -> App {
    let (config, parts) = demo::setting(home.config());
    let parts = guildhall::app::Parts { password_cost: Cost::CHEAP, ..parts };
    let app = App::open(config, parts).unwrap();
    app.db().migrate().await.unwrap();
    app
}

#[tokio::test]
async fn the_demo_has_orders_in_every_state_and_keeps_every_promise() {
    let home = Home::new();
    let app = empty(&home).await;
    let made = demo::run(&app, 1, 7, |done, all| assert!(done <= all)).await.unwrap();
    assert_eq!(made.orders, 500);
    let states: BTreeMap<String, i64> = app
        .db()
        .read(|tx| {
            tx.all("select status, count(*) from orders group by status", params![], |row| {
                Ok((row.next()?, row.next()?))
            })
        })
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(states.len(), 6, "{states:?}");
    assert!(states["completed"] > 300 && states["pending"] >= 5 && states["disputed"] >= 5, "{states:?}");
    let pages = |tx: &guildhall::db::Tx| {
        tx.one("select count(*) from profiles where bio <> '' and skills <> '[]'", params![], |row| {
            row.next::<i64>()
        })
    };
    assert_eq!(app.db().read(pages).await.unwrap(), 50);
    let payouts = |tx: &guildhall::db::Tx| {
        tx.one("select count(*) from payouts where status = 'paid'", params![], |row| row.next::<i64>())
    };
    assert!(app.db().read(payouts).await.unwrap() > 50);
    // Whoever has paid sees it at once: a delivery may follow within hours.
    let paid = |tx: &guildhall::db::Tx| {
        tx.all(
            "select p.created_at, e.at from payments p join events e on e.subject_id = p.order_id and e.kind = 'order_paid'
             where p.status = 'success' and p.payment_method = 'pm_card_visa'",
            params![],
            |row| Ok((row.next::<Time>()?, row.next::<Time>()?)),
        )
    };
    let paid = app.db().read(paid).await.unwrap();
    let late = paid.iter().filter(|(begun, paid)| paid.since(*begun) > Duration::from_secs(60)).count();
    assert_eq!((paid.len() > 300, late), (true, 0));
    let violations = verify::run(app.db()).await.unwrap();
    assert!(violations.is_empty(), "{}", verify::report(&violations));
}

#[tokio::test]
async fn the_demo_refuses_a_database_with_people_in_it() {
    let home = Home::new();
    let app = empty(&home).await;
    app.db()
        .write(|tx| {
            tx.execute(
                "insert into users (id, role, status, created_at, updated_at) values ($1, 'buyer', 'deleted', $2, $2)",
                params![tx.new_id::<()>(), tx.now()],
            )
        })
        .await
        .unwrap();
    let refused = demo::run(&app, 1, 1, |_, _| ()).await.unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
}
