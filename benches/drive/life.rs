//! Whole orders: placed, paid, delivered, completed, reviewed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::peer::Peer;
use crate::times::Times;
use crate::{Cast, Failure};

/// How many orders live at once.
const BUYERS: usize = 64;
const STEPS: [&str; 5] = ["place", "pay", "deliver", "complete", "review"];

#[derive(Default)]
struct Lives {
    whole: Times,
    steps: [Times; STEPS.len()],
}

pub async fn run(cast: Cast, time: Duration) -> Result<Value, Failure> {
    let cast = Arc::new(cast);
    let began = Instant::now();
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        buyers.spawn(live(Arc::clone(&cast), buyer, began + time));
    }
    let mut all = Lives::default();
    while let Some(lives) = buyers.join_next().await {
        let lives = lives??;
        all.whole.join(lives.whole);
        for (all, of_one) in all.steps.iter_mut().zip(lives.steps) {
            all.join(of_one);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let whole = all.whole.report();
    let rate = whole["count"].as_f64().unwrap_or_default() / seconds;
    let steps: serde_json::Map<String, Value> =
        STEPS.iter().zip(all.steps).map(|(name, times)| ((*name).to_owned(), times.report())).collect();
    Ok(json!({ "rate": rate, "seconds": seconds, "whole": whole, "steps": steps }))
}

async fn live(cast: Arc<Cast>, buyer: usize, until: Instant) -> Result<Lives, Failure> {
    let mut peer = Peer::connect(&cast.address).await?;
    let mut lives = Lives::default();
    let buys = &cast.buyers[buyer % cast.buyers.len()];
    let seller = &cast.sellers[buyer % cast.sellers.len()];
    while Instant::now() < until {
        let began = Instant::now();
        let mut last = began;
        let mut took = |times: &mut Times| times.add(std::mem::replace(&mut last, Instant::now()).elapsed());
        let [place, pay, deliver, complete, review] = &mut lives.steps;
        let order =
            peer.expect(201, "POST", "/orders", buys, &json!({ "service_id": seller.listing })).await?;
        took(place);
        let id = order["id"].as_str().ok_or("an order without an id")?;
        let payment = json!({ "order_id": id, "payment_method": "pm_card_visa" });
        peer.expect(201, "POST", "/payments", buys, &payment).await?;
        took(pay);
        let path = format!("/orders/{id}");
        peer.expect(200, "PUT", &path, &seller.token, &json!({ "status": "delivered" })).await?;
        took(deliver);
        peer.expect(200, "PUT", &path, buys, &json!({ "status": "completed" })).await?;
        took(complete);
        peer.expect(201, "POST", "/reviews", buys, &json!({ "order_id": id, "rating": 5 })).await?;
        took(review);
        lives.whole.add(began.elapsed());
    }
    Ok(lives)
}
