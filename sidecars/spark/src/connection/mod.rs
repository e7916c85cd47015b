//! HTTP/1.1 connections to one server, kept for a moment between requests.
//!
//! Servers close an idle connection after 5 s (vLLM, llama-server), and may do so in the very moment in which the next
//! request is written. So none is used after [`IDLE`]; a request on a kept one that ends at once and without a byte is
//! sent once more, on a fresh one; and nothing else is ever sent twice.
//!
//! A connection has no task of its own: whoever waits for its answer drives it. So what has come is there at once, and
//! whoever stops to wait closes it in the same moment.
//!
//! | module | what |
//! |---|---|
//! | `dial` | name lookup, TCP, TLS |
//! | `kept` | the connections that wait for a request |

mod dial;
mod kept;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

pub use dial::{Dial, DialError};
use kept::Kept;

use crate::fault::{Broken, cause};

/// Longest time for which a connection waits for its next request.
const IDLE: Duration = Duration::from_secs(3);
/// Most connections that wait.
const MAX_KEPT: usize = 16;
/// A kept connection that the server had closed shows this at once. Whoever ends it later has read the request, and may have
/// died of it.
const STALE: Duration = Duration::from_secs(1);
/// Attempts to make a connection.
pub const ATTEMPTS: u32 = 2;

/// One connection.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// What reads and writes; nothing once it has ended.
struct Driver(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

/// The way to one server.
#[derive(Debug)]
pub struct Connections {
    dial: Dial,
    kept: Arc<Kept>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No connection, as often as it was tried.
    Unconnected(String),
    /// What came is not HTTP.
    Foreign(String),
    /// The connection ended first.
    Closed(String),
}

impl Connections {
    pub fn new(dial: Dial) -> Self {
        Self { dial, kept: Arc::default() }
    }

    /// Sends a request and waits for the head of its answer. Dropping this, or the body, closes the connection.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Unanswered> {
        if let Some(line) = self.kept.take().await {
            let sent = Instant::now();
            match self.exchange(line, request.clone()).await {
                Ok(response) => return Ok(response),
                Err(error) if is_stale(&error, sent) => {
                    tracing::debug!(cause = cause(&error), "a kept connection was closed; once more, on a fresh one");
                }
                Err(error) => return Err(unanswered(&error)),
            }
        }
        let line = self.connect().await.map_err(Unanswered::Unconnected)?;
        self.exchange(line, request).await.map_err(|error| unanswered(&error))
    }

    async fn connect(&self) -> Result<Line, String> {
        for _ in 1..ATTEMPTS {
            match self.dial.connect().await {
                Ok(line) => return Ok(line),
                Err(cause) => tracing::debug!(cause, "no connection; once more"),
            }
        }
        self.dial.connect().await
    }

    async fn exchange(&self, mut line: Line, request: Request<Full<Bytes>>) -> hyper::Result<Response<Body>> {
        let mut answer = pin!(line.sender.send_request(request));
        let response = poll_fn(|context| {
            line.driver.drive(context);
            answer.as_mut().poll(context)
        })
        .await?;
        Ok(response.map(|incoming| Body { incoming, line: Some((line, self.kept.clone())) }))
    }
}

impl Driver {
    /// Reads and writes what can be; how it ends is told by the answer.
    fn drive(&mut self, context: &mut Context<'_>) {
        if self.0.as_mut().is_some_and(|running| running.as_mut().poll(context).is_ready()) {
            self.0 = None;
        }
    }
}

/// Whether the server had closed a kept connection before it read the request, as far as that can be known.
fn is_stale(error: &hyper::Error, sent: Instant) -> bool {
    error.is_canceled() || error.is_closed() || (!error.is_parse() && sent.elapsed() < STALE)
}

fn unanswered(error: &hyper::Error) -> Unanswered {
    if error.is_parse() { Unanswered::Foreign(cause(error)) } else { Unanswered::Closed(cause(error)) }
}

/// The body of an answer; at its end its connection waits for the next request.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    line: Option<(Line, Arc<Kept>)>,
}

impl Body {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let come = Pin::new(&mut self.incoming).poll_frame(context);
        let (true, Some((line, _))) = (come.is_pending(), &mut self.line) else { return come };
        line.driver.drive(context);
        Pin::new(&mut self.incoming).poll_frame(context)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.poll_frame(context)) {
                Some(Ok(frame)) => {
                    // Trailers say nothing here.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => {
                    self.line = None;
                    return Poll::Ready(Some(Err(Broken::Cut(cause(&error)))));
                }
                None => {
                    if let Some((line, kept)) = self.line.take() {
                        kept.put(line);
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }
}
