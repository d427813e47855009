//! The accept loop and the life of a connection: what it may send, how much, and how long each part may take.
//! HTTP/1.1 and 1.0 in clear text; never routes, never answers more than a bare status.
//!
//! `axum::serve` sets no timers, and hyper's one for heads also runs between requests; so a connection is timed
//! here, as a whole, by the task that owns it.

mod head;
mod line;
mod pulse;
#[cfg(test)]
mod tests;
mod wire;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{HeaderValue, Request, Response, header};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tower::Service;

use line::{Crowd, Line};
use pulse::Pulse;
use wire::Wire;

/// hyper's own buffers, for reading and for writing each.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long the door stays shut after the system refused another socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection may take, in bytes and in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the connection to its first byte.
    pub first_byte: Duration,
    /// From a head's first byte to its last, however the bytes are spread.
    pub headers: Duration,
    /// From a head's end to the end of its body, for the whole body.
    pub body: Duration,
    /// For how long a reader may take nothing of what waits for it.
    pub write_stall: Duration,
    /// From one answer to the next head's first byte.
    pub idle: Duration,
    /// Further connections wait in the system's queue.
    pub max_connections: usize,
    /// While more than so many have buffers, one that has been answered gives its own back.
    pub buffered_connections: usize,
    /// A request's line and fields, with the empty line after them.
    pub header_bytes: usize,
    pub header_count: usize,
    pub uri_bytes: usize,
    /// For how long open connections are still listened to once the server is told to stop: a proxy may have sent a
    /// request that must not be sent twice, and would not know what became of it. Longer than the proxy keeps idle ones.
    pub linger: Duration,
    /// How long all of it may take, the running requests and the last ones.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            body: Duration::from_secs(15),
            write_stall: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            max_connections: 12_288,
            buffered_connections: 256,
            header_bytes: 16 * 1024,
            header_count: 100,
            uri_bytes: 8 * 1024,
            linger: Duration::from_secs(5),
            drain: Duration::from_secs(10),
        }
    }
}

/// The address at the other end of the socket; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// A request's body did not arrive in time. Handlers meet it as the source of a body error; the connection
/// closes with the answer, which should be a 408.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyTimedOut;

impl BodyTimedOut {
    /// Whether `error` is this, or was caused by it.
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<BodyTimedOut>())
    }
}

impl fmt::Display for BodyTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body did not arrive in time")
    }
}

impl Error for BodyTimedOut {}

/// Serves `router` on `listener` until `shutdown` resolves; then accepts no more, answers what is on its way over open
/// connections, each time as the last, lets running requests finish for `limits.drain` and drops the rest.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = Arc::new(limits);
    let (stop, stopping) = watch::channel(false);
    let permits = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut door = Door { listener, permits, refusing: false };
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let crowd = Crowd::new(limits.buffered_connections);
    let run = |(stream, peer, permit): Guest| {
        let connection = Connection {
            peer: Peer(peer),
            router: router.clone(),
            limits: limits.clone(),
            crowd: crowd.clone(),
            pulse: Pulse::new(),
        };
        connection.run(stream, stopping.clone(), permit)
    };
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            guest = door.next() => {
                connections.spawn(run(guest));
            }
        }
    }
    for guest in door.close() {
        connections.spawn(run(guest));
    }
    stop.send_replace(true);
    let all_done = async { while connections.join_next().await.is_some() {} };
    let drained = tokio::time::timeout(limits.drain, all_done).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "dropping connections that did not finish in time");
    }
    connections.shutdown().await;
    Ok(())
}

/// A connection that was let in, and its place in the house.
type Guest = (TcpStream, SocketAddr, OwnedSemaphorePermit);

struct Door {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    /// The last accept failed, and that has been logged.
    refusing: bool,
}

impl Door {
    /// The next connection, once there is room for it. Can be dropped and called again without losing one.
    async fn next(&mut self) -> Guest {
        loop {
            let permit = self.permits.clone().acquire_owned().await.expect("nothing closes the semaphore");
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.refusing = false;
                    return (stream, peer, permit);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    if !self.refusing {
                        tracing::error!(%error, "cannot accept connections, trying again");
                    }
                    self.refusing = true;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Shuts it behind those who have connected and wait to be let in: they may have sent a request already, which a reset
    /// would leave without an answer.
    fn close(self) -> Vec<Guest> {
        let Ok(listener) = self.listener.into_std() else { return Vec::new() };
        let mut waiting = Vec::new();
        while let Ok(permit) = self.permits.clone().try_acquire_owned()
            && let Ok((stream, peer)) = listener.accept()
        {
            waiting.push((stream, peer, permit));
        }
        drop(listener);
        let guest = |(stream, peer, permit): (std::net::TcpStream, _, _)| {
            stream.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, peer, permit))
        };
        waiting.into_iter().filter_map(guest).collect()
    }
}

/// A connection that was gone before it was accepted says nothing about the next one.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// What one connection and its requests share.
struct Connection {
    peer: Peer,
    router: Router,
    limits: Arc<Limits>,
    crowd: Crowd,
    pulse: Pulse,
}

impl Connection {
    async fn run(
        self,
        stream: TcpStream,
        mut stopping: watch::Receiver<bool>,
        _permit: OwnedSemaphorePermit,
    ) {
        // A socket that cannot be told so is dead, which the first read shows.
        let _ = stream.set_nodelay(true);
        let mut line = Line::new(Wire::new(stream, self.pulse.clone(), self.limits.clone()));
        let speak = |wire| {
            let service = hyper::service::service_fn(|request| self.answer(request));
            self.builder().serve_connection(TokioIo::new(wire), service)
        };
        let stop = async {
            // The sender goes only after it has sent, so an error means the same.
            let _ = stopping.wait_for(|stopping| *stopping).await;
            self.pulse.make_last();
            sleep(self.limits.linger).await;
        };
        let mut stop = pin!(stop);
        let mut stopped = false;
        let mut timer = pin!(sleep(self.limits.first_byte));
        poll_fn(|cx| {
            if !stopped && stop.as_mut().poll(cx).is_ready() {
                stopped = true;
                if !line.finish() {
                    return Poll::Ready(());
                }
            }
            loop {
                if line.poll(cx, &self.pulse, &self.crowd, speak).is_ready() {
                    return Poll::Ready(());
                }
                ready!(self.poll_due(timer.as_mut(), cx));
                if !self.pulse.expire() {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    /// Ready when the connection has had its time. The timer is set back only when it would ring too late: most
    /// deadlines are overtaken by events long before.
    fn poll_due(&self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(due) = self.pulse.due(&self.limits) else { return Poll::Pending };
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }

    fn builder(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder.header_read_timeout(None);
        builder.max_buf_size(BUFFER_BYTES.max(self.limits.header_bytes + 1));
        // The head is counted before hyper sees it; its own cap, 100 on the stack, is only lifted where needed.
        if self.limits.header_count > 100 {
            builder.max_headers(self.limits.header_count);
        }
        builder
    }

    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
        let running = self.pulse.request();
        let pulse = self.pulse.clone();
        let due = Instant::now() + self.limits.body;
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(self.peer);
        let body = if body.is_end_stream() {
            Body::empty()
        } else {
            Body::new(Timed { body, due, timer: None, pulse: pulse.clone() })
        };
        let answer = self.router.clone().call(Request::from_parts(parts, body));
        async move {
            let mut response = answer.await?;
            if pulse.is_last() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Answer { body, _running: running }))
        }
    }
}

/// A request's body with one deadline for all of it.
struct Timed {
    body: Incoming,
    due: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    pulse: Pulse,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let timed = &mut *self;
        // Asked for first, so that bytes which never cease to come are timed too.
        if Instant::now() < timed.due {
            if let Poll::Ready(frame) = Pin::new(&mut timed.body).poll_frame(cx) {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
            let due = timed.due;
            ready!(timed.timer.get_or_insert_with(|| Box::pin(sleep_until(due))).as_mut().poll(cx));
        }
        timed.pulse.make_last();
        Poll::Ready(Some(Err(BodyTimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body, and with it the knowledge that the request is still running.
struct Answer {
    body: Body,
    _running: pulse::Request,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
