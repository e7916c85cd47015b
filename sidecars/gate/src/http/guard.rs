//! The connection that hyper sees.
//!
//! It hands on whole, checked heads ([`super::head`]) and exactly the bytes of their bodies; it keeps time; and when a
//! head is refused it shows hyper the end of the stream and answers in the one error shape itself.
//!
//! ```text
//!            head passes                      answer over
//! [between] ────────────▶ [granted: n bytes] ────────────▶ [between]
//!     │                        │ upgrade
//!     │ head refused           ▼
//!     ▼                      [raw]   (a WebSocket: no reading limits here)
//! [refused] ── end of stream to hyper; on shutdown: the error, then linger
//! ```

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use platform_kit::Failure;
use platform_types::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::answer;
use super::exchange::Exchange;
use super::head::Scan;
use crate::limits::{HttpLimits, MAX_HEAD_BYTES, MAX_LINGER_BYTES};

/// Read from the socket at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// Told about each head that is refused.
pub type OnRefusal = Box<dyn Fn(&Failure) + Send>;

/// A guarded connection.
pub struct Guard<S> {
    stream: S,
    limits: HttpLimits,
    exchange: Exchange,
    on_refusal: OnRefusal,
    /// Read, not yet handed on.
    buffer: BytesMut,
    scan: Scan,
    /// Bytes that may be handed on before the next head is due.
    granted: u64,
    raw: bool,
    /// The answer that hyper does not write.
    refusal: Option<Bytes>,
    /// Nothing more is read.
    ended: bool,
    clock: Clock,
    /// Our side is closed.
    shut: bool,
    lingered: usize,
}

impl<S> std::fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("granted", &self.granted).field("raw", &self.raw).finish_non_exhaustive()
    }
}

/// What the connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Nothing,
    FirstByte,
    Idle,
    Head,
    Body,
    Write,
    Linger,
}

/// One timer each for reading and writing; a deadline stands as long as the wait is for the same thing.
#[derive(Debug)]
struct Clock {
    read: (Wait, Pin<Box<Sleep>>),
    write: (Wait, Pin<Box<Sleep>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub fn new(stream: S, limits: HttpLimits, exchange: Exchange, on_refusal: OnRefusal) -> Self {
        let now = Instant::now();
        let clock = Clock {
            read: (Wait::FirstByte, Box::pin(tokio::time::sleep_until(now + limits.head_time))),
            write: (Wait::Nothing, Box::pin(tokio::time::sleep_until(now))),
        };
        Self {
            stream,
            limits,
            exchange,
            on_refusal,
            buffer: BytesMut::new(),
            scan: Scan::default(),
            granted: 0,
            raw: false,
            refusal: None,
            ended: false,
            clock,
            shut: false,
            lingered: 0,
        }
    }

    /// Reads more into the buffer. `Ready(0)` is the end of the stream.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.reserve(CHUNK_BYTES);
        let mut chunk = [0; CHUNK_BYTES];
        let mut read = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Whether the wait for `wait` took too long.
    fn overdue(&mut self, wait: Wait, cx: &mut Context<'_>) -> bool {
        let time = match wait {
            Wait::Nothing => return false,
            Wait::FirstByte | Wait::Head => self.limits.head_time,
            Wait::Idle => self.limits.idle_time,
            Wait::Body => self.limits.body_stall,
            Wait::Write => self.limits.write_stall,
            Wait::Linger => self.limits.linger,
        };
        let slot = if wait == Wait::Write { &mut self.clock.write } else { &mut self.clock.read };
        Clock::overdue(slot, wait, time, cx)
    }

    fn refuse(&mut self, failure: &Failure) {
        (self.on_refusal)(failure);
        self.refusal = Some(answer::raw_failure(failure));
        self.ended = true;
    }

    /// Hands on what was granted.
    fn poll_granted(&mut self, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            match self.fill(cx)? {
                Poll::Ready(0) => {
                    self.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(_) => self.clock.read.0 = Wait::Nothing,
                // A body that does not come ends early; hyper tells the one who reads it.
                Poll::Pending if self.overdue(Wait::Body, cx) => {
                    self.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        let granted = usize::try_from(self.granted).unwrap_or(usize::MAX);
        let length = self.buffer.len().min(granted).min(buf.remaining());
        buf.put_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        self.granted -= length as u64;
        Poll::Ready(Ok(()))
    }

    /// Waits for the next head, or, while an answer is under way, for the client to go.
    /// `Ready` means: look again.
    fn poll_between(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let under_way = self.exchange.under_way(cx);
        if !under_way {
            match self.scan.advance(&self.buffer) {
                Ok(Some(head)) => {
                    self.scan = Scan::default();
                    self.granted = head.bytes as u64 + head.body;
                    self.raw = head.upgrade;
                    self.clock.read.0 = Wait::Nothing;
                    self.exchange.begin();
                    return Poll::Ready(Ok(()));
                }
                Ok(None) => {}
                Err(failure) => {
                    self.refuse(&failure);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        if self.buffer.len() >= MAX_HEAD_BYTES {
            // Only while an answer is under way: its end wakes this task.
            return Poll::Pending;
        }
        match self.fill(cx)? {
            Poll::Ready(0) => self.ended = true,
            Poll::Ready(_) => {}
            Poll::Pending => {
                let wait = match (under_way, self.buffer.is_empty(), self.clock.read.0) {
                    (true, ..) => Wait::Nothing,
                    (false, true, Wait::FirstByte) => Wait::FirstByte,
                    (false, true, _) => Wait::Idle,
                    (false, false, _) => Wait::Head,
                };
                if wait == Wait::Nothing {
                    self.clock.read.0 = Wait::Nothing;
                }
                if !self.overdue(wait, cx) {
                    return Poll::Pending;
                }
                self.give_up(wait);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn give_up(&mut self, wait: Wait) {
        if wait == Wait::Head {
            let seconds = self.limits.head_time.as_secs();
            let failure = Failure::new(
                ErrorCode::RequestTimeout,
                format!("the head of the request did not arrive within {seconds} s"),
            );
            self.refuse(&failure);
        }
        self.ended = true;
    }

    fn poll_write_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(mut rest) = self.refusal.take() {
            let written = Pin::new(&mut *self).poll_write(cx, &rest);
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(length)) => rest.advance(length),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.refusal = Some(rest);
                    return Poll::Pending;
                }
            }
            if !rest.is_empty() {
                self.refusal = Some(rest);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Throws away what still comes, so that closing does not reset the connection before the answer is read.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; CHUNK_BYTES];
        while self.lingered < MAX_LINGER_BYTES {
            let mut read = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => self.lingered += read.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.overdue(Wait::Linger, cx) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// An outcome of writing, or the end of patience.
    fn in_time<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.clock.write.0 = Wait::Nothing;
        } else if self.overdue(Wait::Write, cx) {
            // Who writes on all the same, to say why it ends, begins a new wait.
            self.clock.write.0 = Wait::Nothing;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }
}

impl Clock {
    fn overdue(slot: &mut (Wait, Pin<Box<Sleep>>), wait: Wait, time: Duration, cx: &mut Context<'_>) -> bool {
        if slot.0 != wait {
            slot.0 = wait;
            slot.1.as_mut().reset(Instant::now() + time);
        }
        slot.1.as_mut().poll(cx).is_ready()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<Result<(), io::Error>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            if this.granted > 0 {
                return this.poll_granted(cx, buf);
            }
            if this.raw {
                if !this.buffer.is_empty() {
                    let length = this.buffer.len().min(buf.remaining());
                    buf.put_slice(&this.buffer.split_to(length));
                    return Poll::Ready(Ok(()));
                }
                this.buffer = BytesMut::new();
                let mut chunk = [0; CHUNK_BYTES];
                let size = chunk.len().min(buf.remaining());
                let mut read = ReadBuf::new(&mut chunk[..size]);
                ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
                buf.put_slice(read.filled());
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_between(cx))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize, io::Error>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.in_time(outcome, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        ready!(self.poll_write_refusal(cx))?;
        if !self.shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.shut = true;
        }
        // Where everything was read, closing cannot reset what was written.
        if self.granted > 0 || !self.buffer.is_empty() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<Result<usize, io::Error>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.in_time(outcome, cx)
    }
}
