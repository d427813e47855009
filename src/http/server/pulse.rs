//! What a connection is doing and since when, shared by its socket, its requests and the task that times it.
//! Knows the deadlines; never touches the socket.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::Limits;

/// How long a closing connection is read on, so that the peer gets the last answer instead of a reset.
const LINGER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Connected, no byte has come.
    Opening,
    /// Some bytes of a head have come.
    Head,
    /// From a whole head to the last byte of its answer.
    Request,
    /// Between an answer and the next head.
    Idle,
    Closing,
}

struct State {
    doing: Doing,
    since: Instant,
    /// Since when the socket has taken nothing of what waits to be written.
    stalled: Option<Instant>,
    /// A head has been asked for and no byte of it has come.
    listening: bool,
    /// No further request is read from this connection.
    last: bool,
    refused: Option<StatusCode>,
    held: Option<Waker>,
}

/// Whether bytes that have arrived may be read as a head now.
pub(super) enum Admission {
    Granted,
    /// A request is still being answered; the reader is woken when it is done.
    Held,
    /// The connection has been refused and reads as ended.
    Refused,
}

#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<State>>);

impl Pulse {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            doing: Doing::Opening,
            since: Instant::now(),
            stalled: None,
            listening: false,
            last: false,
            refused: None,
            held: None,
        })))
    }

    /// Asked before bytes are read as a head; `begun` says that some are there.
    pub fn admit(&self, begun: bool, cx: &Context<'_>) -> Admission {
        let mut state = self.lock();
        state.listening = !begun;
        if state.refused.is_some() {
            return Admission::Refused;
        }
        if begun && (state.doing == Doing::Request || state.stalled.is_some()) {
            state.held = Some(cx.waker().clone());
            return Admission::Held;
        }
        if begun && state.doing != Doing::Head {
            state.turn(Doing::Head);
        }
        Admission::Granted
    }

    /// Whether nothing is under way in either direction, and more may come.
    pub fn is_quiet(&self) -> bool {
        let state = self.lock();
        let waiting = matches!(state.doing, Doing::Opening | Doing::Idle) && state.listening;
        waiting && state.stalled.is_none() && state.refused.is_none() && !state.last
    }

    /// A handler has the request until the returned guard is dropped, with the last byte of its answer.
    pub fn request(&self) -> Request {
        self.lock().turn(Doing::Request);
        Request(self.clone())
    }

    pub fn is_last(&self) -> bool {
        self.lock().last
    }

    pub fn make_last(&self) {
        self.lock().last = true;
    }

    /// The bare status to answer before the connection closes; no handler sees the request.
    pub fn refuse(&self, status: StatusCode) {
        self.lock().refused = Some(status);
    }

    pub fn refused(&self) -> Option<StatusCode> {
        self.lock().refused
    }

    pub fn write_blocked(&self) {
        self.lock().stalled.get_or_insert_with(Instant::now);
    }

    pub fn wrote(&self) {
        let mut state = self.lock();
        if state.doing == Doing::Idle {
            state.since = Instant::now();
        }
        if state.stalled.take().is_some() {
            state.release();
        }
    }

    pub fn closing(&self) {
        let mut state = self.lock();
        if state.doing != Doing::Closing {
            state.turn(Doing::Closing);
        }
    }

    /// When this connection has had its time, unless something happens before.
    pub fn due(&self, limits: &Limits) -> Option<Instant> {
        let state = self.lock();
        let allowed = match state.doing {
            Doing::Opening => Some(limits.first_byte),
            Doing::Head => Some(limits.headers),
            Doing::Request => None,
            Doing::Idle => Some(limits.idle),
            Doing::Closing => Some(LINGER),
        };
        let doing = allowed.map(|allowed| state.since + allowed);
        let writing = state.stalled.map(|stalled| stalled + limits.write_stall);
        doing.into_iter().chain(writing).min()
    }

    /// Called when the deadline has passed. True where the peer is owed a 408 (half a head has come); otherwise
    /// the socket is to be dropped.
    pub fn expire(&self) -> bool {
        let mut state = self.lock();
        let owed = state.doing == Doing::Head && state.stalled.is_none();
        if owed {
            state.refused = Some(StatusCode::REQUEST_TIMEOUT);
            state.turn(Doing::Closing);
        }
        owed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn turn(&mut self, doing: Doing) {
        self.doing = doing;
        self.since = Instant::now();
    }

    fn release(&mut self) {
        if let Some(reader) = self.held.take() {
            reader.wake();
        }
    }
}

/// A request that is being answered.
pub(super) struct Request(Pulse);

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.doing == Doing::Request {
            state.turn(Doing::Idle);
        }
        state.release();
    }
}
