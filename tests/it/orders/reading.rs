//! Lists of orders and what the timeline of one tells.

use guildhall::actor::Actor;
use serde_json::{Value, json};

use crate::support::{Person, TestApp, order_path};

#[tokio::test]
async fn a_list_holds_ones_own_orders_newest_first() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let second = app.listing_with(&cast.seller, json!({ "title": "Another" })).await;
    let own = app.listing(&cast.stranger).await;
    let mut placed = Vec::new();
    for listing in [&cast.listing, &second, &cast.listing] {
        placed.push(app.placed(&cast.buyer, listing).await["id"].clone());
    }
    placed.push(app.placed(&cast.stranger, &cast.listing).await["id"].clone());
    placed.push(app.placed(&cast.buyer, &own).await["id"].clone());
    let ids = async |query: &str, reader: &Person| {
        let list = app.get(&format!("/orders{query}"), reader).await.expect(200).json();
        list["data"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect::<Vec<_>>()
    };
    let pick = |which: &[usize]| which.iter().map(|index| placed[*index].clone()).collect::<Vec<_>>();
    assert_eq!(ids("", &cast.buyer).await, pick(&[4, 2, 1, 0]));
    assert_eq!(ids("", &cast.seller).await, pick(&[3, 2, 1, 0]));
    assert_eq!(ids("", &cast.stranger).await, pick(&[4, 3]), "as buyer and as freelancer");
    assert_eq!(ids("?role=buyer", &cast.stranger).await, pick(&[3]));
    assert_eq!(ids("?role=freelancer", &cast.stranger).await, pick(&[4]));
    assert_eq!(ids("", &cast.admin).await, pick(&[4, 3, 2, 1, 0]));
    let only = format!("?service_id={}", second["id"].as_str().unwrap());
    assert_eq!(ids(&only, &cast.seller).await, pick(&[1]));
    assert_eq!(ids("?service_id=x", &cast.seller).await, pick(&[]));
    app.delete(&format!("/orders/{}", placed[2].as_str().unwrap()), &cast.buyer).await.expect(200);
    assert_eq!(ids("?status=cancelled", &cast.buyer).await, pick(&[2]));
    for query in ["?status=done", "?role=admin", "?role=house", "?sort=price"] {
        app.get(&format!("/orders{query}"), &cast.buyer).await.problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn pages_of_orders_join_without_gap() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let own = app.listing(&cast.stranger).await;
    let mut placed = Vec::new();
    for turn in 0..7 {
        let order = match turn % 2 {
            0 => app.placed(&cast.stranger, &cast.listing).await,
            _ => app.placed(&cast.buyer, &own).await,
        };
        placed.insert(0, order["id"].clone());
    }
    let (mut seen, mut path) = (Vec::new(), "/orders?limit=2".to_owned());
    loop {
        let reply = app.get(&path, &cast.stranger).await.expect(200);
        let page = reply.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|order| order["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/orders?limit=2&cursor={cursor}");
        assert_eq!(reply.header("link"), format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(seen, placed);
}

#[tokio::test]
async fn the_timeline_tells_each_what_concerns_him_newest_first() {
    let app = TestApp::new().await;
    let cast = app.cast().await;
    let order = app.placed(&cast.buyer, &cast.listing).await;
    let id = app.order_row(&order).await.id;
    let failed = move |tx: &guildhall::db::Tx| {
        for _ in 0..3 {
            guildhall::events::append(
                tx,
                &Actor::System,
                "payment_failed",
                id,
                json!({ "message": "declined" }),
            )?;
        }
        Ok(())
    };
    app.app.db().write(failed).await.unwrap();
    app.delete(&order_path(&order), &cast.buyer).await.expect(200);
    let path = format!("{}/timeline", order_path(&order));
    let events = async |query: &str, reader: &Person| {
        let list = app.get(&format!("{path}{query}"), reader).await.expect(200).json();
        let names =
            list["data"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), list["next_cursor"].clone())
    };
    let all = ["order_cancelled", "payment_failed", "payment_failed", "payment_failed", "order_placed"];
    assert_eq!(events("", &cast.buyer).await.0, all);
    assert_eq!(events("", &cast.admin).await.0, all);
    let (shown, next) = events("?limit=1", &cast.seller).await;
    assert_eq!(shown, ["order_cancelled"]);
    let (shown, next) = events(&format!("?limit=1&cursor={}", next.as_str().unwrap()), &cast.seller).await;
    assert_eq!((shown, next), (vec!["order_placed".to_owned()], Value::Null));
    app.get(&path, &cast.stranger).await.problem(404, "not_found");
}
