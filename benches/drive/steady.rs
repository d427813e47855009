//! The requests of a file in turn, as `wrk` sends them, at a rate of its own that waits for nobody.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Failure;
use crate::pace::Pace;
use crate::peer::Peer;
use crate::times::Times;

struct Load {
    address: String,
    requests: Vec<Request>,
    pace: Pace,
}

/// A line METHOD<tab>PATH<tab>TOKEN<tab>BODY.
struct Request {
    method: String,
    path: String,
    token: Option<String>,
    body: Option<Value>,
}

impl Request {
    fn read(line: &str) -> Result<Self, Failure> {
        let [method, path, token, body] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("no request: {line}").into());
        };
        let body = (!body.is_empty()).then(|| serde_json::from_str(body)).transpose()?;
        let token = (!token.is_empty()).then(|| token.to_owned());
        Ok(Self { method: method.to_owned(), path: path.to_owned(), token, body })
    }
}

pub async fn run(address: &str, lines: &str, time: Duration, rate: f64) -> Result<Value, Failure> {
    let requests: Vec<Request> = lines.lines().map(Request::read).collect::<Result<_, _>>()?;
    let load = Arc::new(Load { address: address.to_owned(), requests, pace: Pace::new(time, rate) });
    let mut workers = JoinSet::new();
    for _ in 0..load.pace.connections() {
        workers.spawn(work(Arc::clone(&load)));
    }
    let (mut all, mut refused) = (Times::default(), 0);
    while let Some(worked) = workers.join_next().await {
        let (times, some_refused) = worked??;
        all.join(times);
        refused += some_refused;
    }
    let mut report = all.report();
    report["refused"] = json!(refused);
    report["seconds"] = json!(load.pace.seconds());
    Ok(report)
}

async fn work(load: Arc<Load>) -> Result<(Times, u64), Failure> {
    let mut peer = Peer::connect(&load.address).await?;
    let (mut times, mut refused) = (Times::default(), 0);
    while let Some((number, due)) = load.pace.next().await {
        let request = &load.requests[(number % load.requests.len() as u64) as usize];
        let reply =
            peer.ask(&request.method, &request.path, request.token.as_deref(), request.body.as_ref()).await?;
        times.add(due.elapsed());
        match reply.status {
            200 | 201 => {}
            // A queue is full: an honest answer, and counted.
            503 => refused += 1,
            status => {
                let said = String::from_utf8_lossy(&reply.body).into_owned();
                return Err(format!("{} {} answered {status}: {said}", request.method, request.path).into());
            }
        }
    }
    Ok((times, refused))
}
