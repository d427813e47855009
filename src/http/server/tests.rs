//! Over real sockets on the loopback, with small limits. Waiting is always for an event: an answer, or the end
//! of the connection. The one long bound only keeps a broken server from hanging the suite.

#![allow(clippy::unwrap_used)]

mod crowd;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Extension;
use axum::routing::{get, post};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

const SHORT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(60);
/// More than the sockets of both sides take in.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

/// Limits of which none is reached by itself; a test shortens the one it is about.
fn patient() -> Limits {
    Limits {
        first_byte: LONG,
        headers: LONG,
        body: LONG,
        write_stall: LONG,
        idle: LONG,
        linger: SHORT,
        drain: LONG,
        ..Limits::default()
    }
}

struct Served {
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
    entered: Arc<Notify>,
    finish: Arc<Notify>,
    calls: Arc<AtomicUsize>,
}

async fn served(limits: Limits) -> Served {
    let (entered, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let calls = Arc::new(AtomicUsize::new(0));
    let slow = {
        let (entered, finish) = (entered.clone(), finish.clone());
        move || async move {
            entered.notify_one();
            finish.notified().await;
            "finished"
        }
    };
    let counted = calls.clone();
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() }))
        .route("/echo", post(echo))
        .route("/deaf", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }))
        .route("/slow", get(slow))
        .route("/endless", get(|| async { Body::from(vec![b'x'; ENDLESS_BYTES]) }))
        .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { request }
        }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(listener, router, limits, async {
        let _ = stopped.await;
    }));
    Served { at, stop: Some(stop), task, entered, finish, calls }
}

async fn echo(body: Body) -> (StatusCode, Bytes) {
    match body.collect().await {
        Ok(body) => (StatusCode::OK, body.to_bytes()),
        Err(error) if BodyTimedOut::caused(&error) => (StatusCode::REQUEST_TIMEOUT, Bytes::new()),
        Err(_) => (StatusCode::BAD_REQUEST, Bytes::new()),
    }
}

impl Served {
    async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.at).await.unwrap() }
    }

    /// Everything the server answers to these bytes, up to its closing the connection.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    async fn stopped(self) {
        timeout(PATIENCE, self.task).await.expect("the server stops").unwrap().unwrap();
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    /// A server that has closed may reset what is still sent to it; what it answered says the rest.
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// All bytes up to the end of the connection, which must come.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("the server closes");
        String::from_utf8(bytes).unwrap()
    }

    async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            bytes.push(timeout(PATIENCE, self.stream.read_u8()).await.expect("an answer").unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    async fn is_greeted_for_the_last_time(&mut self) {
        self.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = self.rest().await;
        assert!(answer.contains("connection: close") && answer.ends_with("hello"), "{answer}");
    }

    async fn is_greeted(&mut self) {
        self.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(self.until("hello").await.starts_with("HTTP/1.1 200 "));
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn handlers_are_told_the_peer() {
    let served = served(patient()).await;
    let mut client = served.connect().await;
    let own = client.stream.local_addr().unwrap().to_string();
    client.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.until(&own).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let answer = served(patient()).await.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_turn() {
    let served = served(patient()).await;
    let mut client = served.connect().await;
    let echo = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst";
    let peer = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(format!("\r\n{echo}{peer}{}", echo.replace("first", "third"))).await;
    client.until("first").await;
    client.until("hello").await;
    client.until("third").await;
}

#[tokio::test]
async fn a_refused_head_waits_for_the_answer_before_it() {
    let served = served(patient()).await;
    let mut client = served.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.entered.notified().await;
    client.send("GET / HTTP/1.1\nHost: a\n\n").await;
    served.finish.notify_one();
    let answers = client.rest().await;
    assert!(answers.contains("\r\n\r\nfinishedHTTP/1.1 400 "), "{answers}");
}

#[tokio::test]
async fn a_chunked_request_is_read_and_is_the_last() {
    let served = served(patient()).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let smuggled = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = served.exchange(format!("{head}5\r\nhello\r\n0\r\n\r\n{smuggled}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(served.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_silent_socket_is_closed_without_a_word() {
    let served = served(Limits { first_byte: SHORT, ..patient() }).await;
    assert_eq!(served.exchange("").await, "");
}

#[tokio::test]
async fn half_a_head_is_answered_408_and_closed() {
    let served = served(Limits { headers: SHORT, ..patient() }).await;
    let answer = served.exchange("GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert_eq!(status(&answer), "408");
}

#[tokio::test]
async fn a_dripped_head_has_one_deadline_for_all_its_bytes() {
    let served = served(Limits { headers: SHORT, ..patient() }).await;
    let (mut reading, mut writing) = served.connect().await.stream.into_split();
    let dripping = tokio::spawn(async move {
        let mut drips = tokio::time::interval(SHORT / 10);
        writing.write_all(b"GET / HTTP/1.1\r\nA: ").await.unwrap();
        loop {
            drips.tick().await;
            if writing.write_all(b"a").await.is_err() {
                return;
            }
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, reading.read_to_end(&mut answer)).await.expect("the server closes");
    timeout(PATIENCE, dripping).await.expect("the drip meets a closed socket").unwrap();
    assert_eq!(served.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_connection_idle_between_requests_is_closed() {
    let served = served(Limits { idle: SHORT, ..patient() }).await;
    let mut client = served.connect().await;
    client.is_greeted().await;
    client.is_greeted().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn idle_time_is_not_head_time() {
    let served = served(Limits { first_byte: SHORT, headers: SHORT, ..patient() }).await;
    let mut client = served.connect().await;
    client.is_greeted().await;
    // A second connection that is closed for its silence shows that the time has passed for the first.
    assert_eq!(served.exchange("").await, "");
    client.is_greeted().await;
}

#[tokio::test]
async fn no_deadline_of_the_connection_ends_a_running_request() {
    let served =
        served(Limits { first_byte: SHORT, headers: SHORT, idle: SHORT, body: SHORT, ..patient() }).await;
    let mut client = served.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HT").await;
    served.entered.notified().await;
    assert_eq!(served.exchange("").await, "");
    served.finish.notify_one();
    client.until("finished").await;
    assert_eq!(status(&client.rest().await), "408");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_an_error_the_handler_can_name() {
    let served = served(Limits { body: SHORT, ..patient() }).await;
    for framing in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let answer = served.exchange(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}")).await;
        assert_eq!(status(&answer), "408");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_dripped_body_has_one_deadline_for_all_its_bytes() {
    let served = served(Limits { body: SHORT, ..patient() }).await;
    let (mut reading, mut writing) = served.connect().await.stream.into_split();
    let dripping = tokio::spawn(async move {
        let mut drips = tokio::time::interval(SHORT / 10);
        writing.write_all(b"POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
        while writing.write_all(b"a").await.is_ok() {
            drips.tick().await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, reading.read_to_end(&mut answer)).await.expect("the server closes");
    assert_eq!(status(&String::from_utf8(answer).unwrap()), "408");
    timeout(PATIENCE, dripping).await.expect("the drip meets a closed socket").unwrap();
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped() {
    let mut served = served(Limits { write_stall: SHORT, ..patient() }).await;
    let mut client = served.connect().await;
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(PATIENCE, client.stream.readable()).await.unwrap().unwrap();
    // Its answer is running, and the drain is longer than this test's patience.
    served.stop();
    served.stopped().await;
    assert!(client.rest().await.len() < ENDLESS_BYTES);
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_reaches_a_client_that_goes_on_sending() {
    let served = served(patient()).await;
    let body = vec![b'x'; 512 * 1024];
    let mut request =
        format!("POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend(body);
    let mut client = served.connect().await;
    client.stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, client.stream.read_to_end(&mut answer)).await.expect("the server closes").unwrap();
    assert_eq!(status(&String::from_utf8(answer).unwrap()), "413");
    // Elsewhere than on Linux a reset takes the answer with it; here it is only noted on the socket.
    assert!(client.stream.take_error().unwrap().is_none());
}

#[tokio::test]
async fn heads_past_a_cap_get_a_bare_status() {
    let served = served(patient()).await;
    let long_uri = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(8 * 1024));
    let big_head = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "a".repeat(16 * 1024));
    let endless_head = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}", "a".repeat(300 * 1024));
    let many_fields = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    for (request, expected) in
        [(long_uri, "414"), (big_head, "431"), (endless_head, "431"), (many_fields, "431")]
    {
        let answer = served.exchange(request).await;
        assert_eq!(status(&answer), expected);
        assert!(answer.ends_with("connection: close\r\ncontent-length: 0\r\n\r\n"), "{answer}");
    }
    let most_fields = format!("GET / HTTP/1.1\r\nConnection: close\r\n{}\r\n", "a: b\r\n".repeat(99));
    assert_eq!(status(&served.exchange(most_fields).await), "200");
    assert_eq!(served.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn ambiguous_requests_are_refused_and_what_follows_them_is_not_read() {
    let served = served(patient()).await;
    let smuggled = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for request in [
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nContent-Length : 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        "GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
    ] {
        let answer = served.exchange(format!("{request}{smuggled}")).await;
        assert_eq!(status(&answer), "400", "{request:?} {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?} {answer:?}");
    }
    assert_eq!(served.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_malformed_chunk_ends_the_connection() {
    let served = served(patient()).await;
    for chunk in ["x\r\nhello\r\n0\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n", "ffffffffffffffffff\r\nhello"] {
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(status(&served.exchange(format!("{head}{chunk}")).await), "400", "{chunk:?}");
    }
}

#[tokio::test]
async fn a_full_house_makes_the_next_wait_until_silence_is_closed() {
    let served = served(Limits { max_connections: 2, first_byte: SHORT, ..patient() }).await;
    let mut silent = [served.connect().await, served.connect().await];
    let mut waiting = served.connect().await;
    waiting.is_greeted().await;
    assert_eq!(silent[0].rest().await, "");
    assert_eq!(silent[1].rest().await, "");
}

#[tokio::test]
async fn a_full_house_accepts_again_as_soon_as_someone_leaves() {
    let served = served(Limits { max_connections: 1, ..patient() }).await;
    let mut first = served.connect().await;
    first.is_greeted().await;
    let mut second = served.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(timeout(SHORT, second.stream.readable()).await.is_err());
    drop(first);
    second.until("hello").await;
}

#[tokio::test]
async fn a_stopping_server_finishes_its_running_request_and_lets_the_idle_go() {
    let mut served = served(patient()).await;
    let mut idle = served.connect().await;
    idle.is_greeted().await;
    let mut silent = served.connect().await;
    let mut running = served.connect().await;
    running.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.entered.notified().await;
    served.stop();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    assert!(TcpStream::connect(served.at).await.is_err());
    assert!(!served.task.is_finished());
    served.finish.notify_one();
    let answer = running.rest().await;
    assert!(answer.contains("connection: close") && answer.ends_with("finished"), "{answer}");
    served.stopped().await;
}

#[tokio::test]
async fn a_request_that_crosses_the_stop_is_answered_as_the_last() {
    let mut served = served(Limits { linger: LONG, ..patient() }).await;
    let mut idle = served.connect().await;
    idle.is_greeted().await;
    let mut silent = served.connect().await;
    let mut running = served.connect().await;
    running.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.entered.notified().await;
    served.stop();
    while TcpStream::connect(served.at).await.is_ok() {}
    served.finish.notify_one();
    assert!(running.rest().await.contains("connection: close"));
    for client in [&mut idle, &mut silent] {
        client.is_greeted_for_the_last_time().await;
    }
    served.stopped().await;
}

#[tokio::test]
async fn who_has_connected_before_the_stop_is_let_in() {
    let mut served = served(patient()).await;
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            // Without a pause in which the server could accept it.
            let mut stream = std::net::TcpStream::connect(served.at).unwrap();
            io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            stream
        })
        .collect();
    served.stop();
    for stream in waiting {
        stream.set_nonblocking(true).unwrap();
        let mut client = Client { stream: TcpStream::from_std(stream).unwrap() };
        assert_eq!(status(&client.rest().await), "200");
    }
    served.stopped().await;
}

#[tokio::test]
async fn a_stopping_server_does_not_wait_past_its_drain() {
    let mut served = served(Limits { drain: SHORT, ..patient() }).await;
    let mut running = served.connect().await;
    running.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.entered.notified().await;
    served.stop();
    assert_eq!(running.rest().await, "");
    served.stopped().await;
}

#[tokio::test]
async fn hundreds_that_dawdle_do_not_keep_a_healthy_client_waiting() {
    let second = Duration::from_secs(1);
    let served = served(Limits { first_byte: second, headers: second, ..patient() }).await;
    let mut healthy = served.connect().await;
    let mut dawdling = Vec::new();
    for number in 0..400 {
        let mut client = served.connect().await;
        if number % 2 == 0 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
        }
        dawdling.push(client);
        healthy.is_greeted().await;
    }
    for (number, client) in dawdling.iter_mut().enumerate() {
        let expected = if number % 2 == 0 { "408" } else { "" };
        assert_eq!(status(&client.rest().await), expected);
    }
    healthy.is_greeted().await;
}
