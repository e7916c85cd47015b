//! HTTP/1.1 connections to the model box.
//!
//! They are kept for [`KEEPING`] between requests; [`platform_kit::connection`] says what is sent twice. Servers close an idle
//! connection after 5 s (vLLM, llama-server).
//!
//! | module | what |
//! |---|---|
//! | `dial` | name lookup, TCP, TLS |

mod dial;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use http::{Request, Response};
use http_body_util::{BodyDataStream, Full};
use platform_kit::connection::{self, AnswerBody, Keeping, Line};

pub use dial::{Dial, DialError};

use crate::fault::{Broken, cause};

const KEEPING: Keeping = Keeping { most: 16, idle: Duration::from_secs(3) };
/// Attempts to make a connection.
pub const ATTEMPTS: u32 = 2;

/// The way to one server.
#[derive(Debug)]
pub struct Connections {
    dial: Dial,
    kept: Arc<connection::Connections>,
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
        Self { dial, kept: connection::Connections::new(KEEPING) }
    }

    /// Sends a request and waits for the head of its answer. Dropping this, or the body, closes the connection.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<AnswerBody>, Unanswered> {
        self.kept.send(request, || Box::pin(self.connect())).await.map_err(|unanswered| match unanswered {
            connection::Unanswered::Unconnected(cause) => Unanswered::Unconnected(cause),
            connection::Unanswered::Broken(error) if error.is_parse() => Unanswered::Foreign(cause(&error)),
            connection::Unanswered::Broken(error) => Unanswered::Closed(cause(&error)),
        })
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
}

/// What comes of a body. Trailers say nothing here.
pub fn pieces(body: AnswerBody) -> impl Stream<Item = Result<Bytes, Broken>> {
    BodyDataStream::new(body).map_err(|error| Broken::Cut(cause(&error)))
}
