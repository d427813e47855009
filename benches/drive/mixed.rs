//! Nine reads to one write, at a rate of its own that waits for nobody.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::pace::Pace;
use crate::peer::Peer;
use crate::times::Times;
use crate::{Cast, Failure};

const WRITE_EVERY: u64 = 10;
const LOGIN_EVERY: u64 = 100;

#[derive(Default)]
struct Kinds {
    reads: Times,
    writes: Times,
    logins: Times,
    refused: u64,
}

struct Load {
    cast: Cast,
    logins: bool,
    pace: Pace,
}

pub async fn run(cast: Cast, time: Duration, rate: f64, logins: bool) -> Result<Value, Failure> {
    let load = Arc::new(Load { cast, logins, pace: Pace::new(time, rate) });
    let mut workers = JoinSet::new();
    for _ in 0..load.pace.connections() {
        workers.spawn(work(Arc::clone(&load)));
    }
    let mut all = Kinds::default();
    while let Some(kinds) = workers.join_next().await {
        let kinds = kinds??;
        all.reads.join(kinds.reads);
        all.writes.join(kinds.writes);
        all.logins.join(kinds.logins);
        all.refused += kinds.refused;
    }
    let seconds = load.pace.seconds();
    let (reads, writes, logins) = (all.reads.report(), all.writes.report(), all.logins.report());
    let count: f64 = [&reads, &writes, &logins].iter().filter_map(|times| times["count"].as_f64()).sum();
    Ok(json!({
        "rate": count / seconds, "seconds": seconds, "refused": all.refused,
        "reads": reads, "writes": writes, "logins": logins,
    }))
}

async fn work(load: Arc<Load>) -> Result<Kinds, Failure> {
    let mut peer = Peer::connect(&load.cast.address).await?;
    let mut kinds = Kinds::default();
    while let Some((number, due)) = load.pace.next().await {
        let (times, expected, reply) = if load.logins && number.is_multiple_of(LOGIN_EVERY) {
            let account = json!({ "username": load.cast.username, "password": load.cast.password });
            (&mut kinds.logins, 200, peer.ask("POST", "/users/login", None, Some(&account)).await?)
        } else if number % WRITE_EVERY == 1 {
            let order = json!({ "service_id": turn(&load.cast.sellers, number).listing });
            let buyer = turn(&load.cast.buyers, number).as_str();
            (&mut kinds.writes, 201, peer.ask("POST", "/orders", Some(buyer), Some(&order)).await?)
        } else if number.is_multiple_of(3) {
            let buyer = turn(&load.cast.buyers, number).as_str();
            let path = turn(&load.cast.own_reads, number / 3).as_str();
            (&mut kinds.reads, 200, peer.ask("GET", path, Some(buyer), None).await?)
        } else {
            let path = turn(&load.cast.reads, number).as_str();
            (&mut kinds.reads, 200, peer.ask("GET", path, None, None).await?)
        };
        times.add(due.elapsed());
        match reply.status {
            status if status == expected => {}
            // A queue is full: an honest answer, and counted.
            503 => kinds.refused += 1,
            status => {
                return Err(format!("answered {status}: {}", String::from_utf8_lossy(&reply.body)).into());
            }
        }
    }
    Ok(kinds)
}

fn turn<T>(of: &[T], number: u64) -> &T {
    // A prime apart, so that no kind of request meets the same few again and again.
    let place = number.wrapping_mul(7_919) % of.len() as u64;
    &of[place as usize]
}
