//! The socket as hyper sees it: whole, checked heads one at a time, then exactly their bodies. Never parses a
//! header for the handlers and never times anything itself; it tells the pulse what it sees.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Limits;
use super::head::{Framing, Head, Scanner};
use super::pulse::{Admission, Pulse};

const READ_BYTES: usize = 4 * 1024;
/// What a closing connection may still send before it is reset.
const LINGER_BYTES: usize = 1024 * 1024;

pub(super) struct Wire {
    stream: TcpStream,
    pulse: Pulse,
    limits: Arc<Limits>,
    scanner: Scanner,
    /// Read from the socket and not yet handed on.
    buffer: Vec<u8>,
    /// How many bytes at the front of the buffer are a checked head.
    head_left: usize,
    body_left: Framing,
    finish: Finish,
}

enum Finish {
    Open,
    Refusing { answer: Vec<u8>, written: usize },
    Lingering { bytes: usize },
}

impl Wire {
    pub fn new(stream: TcpStream, pulse: Pulse, limits: Arc<Limits>) -> Self {
        Self {
            stream,
            pulse,
            limits,
            scanner: Scanner::default(),
            buffer: Vec::new(),
            head_left: 0,
            body_left: Framing::Sized(0),
            finish: Finish::Open,
        }
    }

    /// Ready when a read would not wait. May be so without a byte.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.buffer.is_empty() {
            true => self.stream.poll_read_ready(cx).map(drop),
            false => Poll::Ready(()),
        }
    }

    /// The same without the room for the last head.
    pub fn at_rest(mut self) -> Self {
        self.buffer.shrink_to_fit();
        self
    }

    /// Hands over up to `most` bytes from the front of the buffer.
    fn hand_over(&mut self, most: usize, out: &mut ReadBuf<'_>) -> usize {
        let count = most.min(self.buffer.len()).min(out.remaining());
        out.put_slice(&self.buffer[..count]);
        self.buffer.drain(..count);
        count
    }

    /// Adds what the socket has to the buffer; zero at its end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; READ_BYTES];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Ready when the buffer starts with a whole head (true), or when no further head will come (false).
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if self.scanner.is_fresh() {
                // RFC 9112 2.2: empty lines before a request line are skipped.
                let empty = self.buffer.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
                self.buffer.drain(..empty);
            }
            match self.pulse.admit(!self.buffer.is_empty(), cx) {
                Admission::Granted => {}
                Admission::Held => return Poll::Pending,
                Admission::Refused => return Poll::Ready(Ok(false)),
            }
            match self.scanner.scan(&self.buffer, &self.limits) {
                Ok(Some(Head { bytes, body })) => {
                    self.scanner = Scanner::default();
                    self.head_left = bytes;
                    self.body_left = body;
                    if body == Framing::Chunked {
                        // Its end is hyper's to find, so where the next head starts is not known here.
                        self.pulse.make_last();
                    }
                    return Poll::Ready(Ok(true));
                }
                Ok(None) => {}
                Err(status) => {
                    self.pulse.refuse(status);
                    return Poll::Ready(Ok(false));
                }
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(false));
            }
        }
    }

    fn poll_body(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.buffer.is_empty() {
            return Poll::Ready(Ok(self.hand_over(most, out)));
        }
        let count = most.min(out.remaining());
        let mut part = ReadBuf::new(out.initialize_unfilled_to(count));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        out.advance(read);
        Poll::Ready(Ok(read))
    }

    /// A socket that is closed with bytes unread is reset, and the peer may lose the answer on its way.
    fn may_hold_unread(&self) -> bool {
        match self.pulse.refused() {
            Some(status) => status != StatusCode::REQUEST_TIMEOUT,
            None => self.body_left != Framing::Sized(0) || !self.buffer.is_empty(),
        }
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Finish::Lingering { mut bytes } = self.finish else { return Poll::Ready(Ok(())) };
        while bytes < LINGER_BYTES {
            self.buffer.clear();
            match ready!(self.poll_fill(cx))? {
                0 => break,
                read => bytes += read,
            }
            self.finish = Finish::Lingering { bytes };
        }
        Poll::Ready(Ok(()))
    }

    fn note_write(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Pending => self.pulse.write_blocked(),
            Poll::Ready(_) => self.pulse.wrote(),
        }
        outcome
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.head_left == 0 && wire.body_left == Framing::Sized(0) && !ready!(wire.poll_head(cx))? {
            return Poll::Ready(Ok(()));
        }
        if wire.head_left > 0 {
            wire.head_left -= wire.hand_over(wire.head_left, out);
            return Poll::Ready(Ok(()));
        }
        match wire.body_left {
            Framing::Chunked => {
                ready!(wire.poll_body(usize::MAX, cx, out))?;
            }
            Framing::Sized(left) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let read = ready!(wire.poll_body(most, cx, out))?;
                wire.body_left = Framing::Sized(left - read as u64);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let outcome = Pin::new(&mut wire.stream).poll_write(cx, bytes);
        wire.note_write(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let outcome = Pin::new(&mut wire.stream).poll_write_vectored(cx, parts);
        wire.note_write(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        loop {
            match &mut wire.finish {
                Finish::Open => {
                    wire.pulse.closing();
                    let answer = wire.pulse.refused().map(bare).unwrap_or_default();
                    wire.finish = Finish::Refusing { answer, written: 0 };
                }
                Finish::Refusing { answer, written } if *written < answer.len() => {
                    *written += ready!(Pin::new(&mut wire.stream).poll_write(cx, &answer[*written..]))?;
                }
                Finish::Refusing { .. } => {
                    ready!(Pin::new(&mut wire.stream).poll_shutdown(cx))?;
                    if !wire.may_hold_unread() {
                        return Poll::Ready(Ok(()));
                    }
                    wire.finish = Finish::Lingering { bytes: 0 };
                }
                Finish::Lingering { .. } => return wire.poll_linger(cx),
            }
        }
    }
}

fn bare(status: StatusCode) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    format!("HTTP/1.1 {} {reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", status.as_str())
        .into_bytes()
}
