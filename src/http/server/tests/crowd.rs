//! Where many are connected, and those that have been answered give their buffers back: nothing else is to change.

use super::*;

/// Every connection gives its buffers back when it has been answered.
fn crowded() -> Limits {
    Limits { buffered_connections: 0, ..patient() }
}

#[tokio::test]
async fn who_has_been_answered_has_no_buffers_in_a_crowd() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = Client { stream: TcpStream::connect(listener.local_addr().unwrap()).await.unwrap() };
    let (stream, peer) = listener.accept().await.unwrap();
    let crowd = Crowd::new(0);
    let connection = Connection {
        peer: Peer(peer),
        router: Router::new().route("/", get(|| async { "hello" })),
        limits: Arc::new(patient()),
        crowd: crowd.clone(),
        pulse: Pulse::new(),
    };
    let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let (_stop, stopping) = watch::channel(false);
    let running = tokio::spawn(connection.run(stream, stopping, permit));
    for _ in 0..2 {
        client.is_greeted().await;
        let given_back = async {
            while crowd.busy() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, given_back).await.expect("the buffers are given back");
    }
    drop(client);
    timeout(PATIENCE, running).await.expect("the connection ends").unwrap();
}

#[tokio::test]
async fn a_crowd_is_answered_in_turn_and_whole() {
    let served = served(crowded()).await;
    let (mut client, mut other) = (served.connect().await, served.connect().await);
    let echo = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst";
    for _ in 0..3 {
        client.send(format!("\r\n{echo}GET / HTTP/1.1\r\nHost: a\r\n\r\n{}", &echo[..20])).await;
        client.until("first").await;
        client.until("hello").await;
        other.is_greeted().await;
        client.send(&echo[20..]).await;
        client.until("first").await;
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
        served.entered.notified().await;
        other.is_greeted().await;
        served.finish.notify_one();
        client.until("finished").await;
    }
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = client.rest().await;
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), ENDLESS_BYTES);
}

#[tokio::test]
async fn a_crowd_has_the_same_deadlines() {
    let idle = served(Limits { idle: SHORT, ..crowded() }).await;
    let mut client = idle.connect().await;
    client.is_greeted().await;
    client.is_greeted().await;
    assert_eq!(client.rest().await, "");

    let late = served(Limits { first_byte: SHORT, headers: SHORT, ..crowded() }).await;
    assert_eq!(late.exchange("").await, "");
    let mut client = late.connect().await;
    client.is_greeted().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert_eq!(status(&client.rest().await), "408");
}

#[tokio::test]
async fn a_crowd_is_answered_once_more_when_the_server_stops() {
    let mut served = served(Limits { linger: LONG, ..crowded() }).await;
    let (mut idle, mut silent) = (served.connect().await, served.connect().await);
    idle.is_greeted().await;
    served.stop();
    while TcpStream::connect(served.at).await.is_ok() {}
    for client in [&mut idle, &mut silent] {
        client.is_greeted_for_the_last_time().await;
    }
    served.stopped().await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_more_is_let_go_when_the_server_stops() {
    let mut served = served(crowded()).await;
    let (mut idle, mut silent) = (served.connect().await, served.connect().await);
    idle.is_greeted().await;
    served.stop();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    served.stopped().await;
}
