//! A connection's socket and, while it talks, the hyper that speaks on it. Knows when one is needed; never looks at bytes.
//!
//! hyper has its buffers for as long as it lives, some 20 KiB. So a connection has no hyper before its first byte, and where
//! many have one, none between an answer and the next head either.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;

use super::Answer;
use super::pulse::Pulse;
use super::wire::Wire;

pub(super) type Http<S> = http1::Connection<TokioIo<Wire>, S>;

/// One of the two until the connection has ended.
pub(super) struct Line<S: HttpService<Incoming>> {
    quiet: Option<Wire>,
    busy: Option<(Box<Http<S>>, Place)>,
}

impl<S> Line<S>
where
    S: HttpService<Incoming, ResBody = Answer, Error = Infallible>,
{
    pub fn new(wire: Wire) -> Self {
        Self { quiet: Some(wire), busy: None }
    }

    /// Ready when the connection has ended by itself. What went wrong is the peer's doing (gone, malformed, reset) and has
    /// been answered where it could be.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        pulse: &Pulse,
        crowd: &Crowd,
        speak: impl Fn(Wire) -> Http<S>,
    ) -> Poll<()> {
        loop {
            if let Some(wire) = &self.quiet {
                ready!(wire.poll_readable(cx));
            }
            if let Some(wire) = self.quiet.take() {
                self.busy = Some((Box::new(speak(wire)), crowd.enter()));
            }
            let Some((http, _)) = &mut self.busy else { return Poll::Ready(()) };
            if Pin::new(http).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if !(crowd.is_full() && pulse.is_quiet()) {
                return Poll::Pending;
            }
            if let Some((http, _)) = self.busy.take() {
                let parts = http.into_parts();
                // The wire hands over one head and its body, and waits: bytes that were left would be lost.
                self.quiet = parts.read_buf.is_empty().then(|| parts.io.into_inner().at_rest());
            }
        }
    }

    /// Lets a running request be answered, and then ends; false where none runs, nor can.
    pub fn finish(&mut self) -> bool {
        match &mut self.busy {
            Some((http, _)) => {
                Pin::new(&mut **http).graceful_shutdown();
                true
            }
            None => false,
        }
    }
}

/// How many connections of a server have a hyper, and how many may keep it while they are idle.
#[derive(Clone)]
pub(super) struct Crowd {
    busy: Arc<AtomicUsize>,
    most: usize,
}

impl Crowd {
    pub fn new(most: usize) -> Self {
        Self { busy: Arc::default(), most }
    }

    fn enter(&self) -> Place {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Place(self.busy.clone())
    }

    /// How many have a hyper.
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    fn is_full(&self) -> bool {
        self.busy() > self.most
    }
}

/// One of the crowd, until it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
