//! A bounded HTTP/1.1 client over a Unix socket: one connection a request, unless told to keep them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use platform_types::ErrorBody;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::{AnswerBody, Connections, Keeping, Line, Unanswered};
use crate::socket::{self, Peer, SocketError};

/// Longest answer that [`Client::call`] reads unless told otherwise. Admin answers are far smaller; an endless one is cut off.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the connection broke")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written as HTTP")]
    Request(#[from] http::Error),
    #[error("the answer is longer than expected")]
    TooLong,
    #[error("the answer is not the JSON that was expected")]
    Json(#[from] serde_json::Error),
    /// The other side answered with an error; the message is its own.
    #[error("{message}")]
    Refused { status: StatusCode, code: String, message: String },
}

/// Calls one socket.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
    peer: Peer,
    timeout: Duration,
    max_answer_bytes: usize,
    connections: Arc<Connections>,
}

impl Client {
    pub fn new(path: impl Into<PathBuf>, peer: Peer, timeout: Duration) -> Self {
        Self {
            path: path.into(),
            peer,
            timeout,
            max_answer_bytes: MAX_ANSWER_BYTES,
            connections: Connections::new(Keeping::NONE),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps connections between requests: for a caller whose requests follow each other closely. Clones share them.
    #[must_use]
    pub fn keeping(mut self, keeping: Keeping) -> Self {
        self.connections = Connections::new(keeping);
        self
    }

    /// Reads shorter answers only: for a side that is not trusted to be brief.
    #[must_use]
    pub fn with_max_answer(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Sends JSON (or nothing, for `()`), reads JSON, within the time and size limits.
    pub async fn call<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Option<&Q>,
    ) -> Result<A, CallError> {
        let (status, bytes) = self.exchange(method, target, body).await?;
        if status.is_success() {
            let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return Ok(serde_json::from_slice(text)?);
        }
        Err(refused(status, &bytes))
    }

    pub async fn get<A: DeserializeOwned>(&self, target: &str) -> Result<A, CallError> {
        self.call::<(), A>(Method::GET, target, None).await
    }

    pub async fn put<Q: Serialize + Sync, A: DeserializeOwned>(&self, target: &str, body: &Q) -> Result<A, CallError> {
        self.call(Method::PUT, target, Some(body)).await
    }

    pub async fn post<Q: Serialize + Sync, A: DeserializeOwned>(&self, target: &str, body: &Q) -> Result<A, CallError> {
        self.call(Method::POST, target, Some(body)).await
    }

    pub async fn delete<A: DeserializeOwned>(&self, target: &str) -> Result<A, CallError> {
        self.call::<(), A>(Method::DELETE, target, None).await
    }

    /// Status and whole body, whatever the status.
    pub async fn exchange<Q: Serialize + Sync>(
        &self,
        method: Method,
        target: &str,
        body: Option<&Q>,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let bytes = match body {
            Some(body) => Bytes::from(serde_json::to_vec(body)?),
            None => Bytes::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(http::header::HOST, "localhost")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))?;
        let work = async {
            let response = self.send(request).await?;
            let status = response.status();
            Ok((status, collect(response.into_body(), self.max_answer_bytes).await?))
        };
        tokio::time::timeout(self.timeout, work).await.map_err(|_| CallError::Timeout(self.timeout))?
    }

    /// Opens a streaming exchange: the head within the time limit, the body as it comes. Dropping the body closes the
    /// connection.
    pub async fn open(&self, request: Request<Full<Bytes>>) -> Result<Response<AnswerBody>, CallError> {
        tokio::time::timeout(self.timeout, self.send(request)).await.map_err(|_| CallError::Timeout(self.timeout))?
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<AnswerBody>, CallError> {
        let connect = || async {
            let stream = socket::connect(&self.path, &self.peer).await?;
            Ok::<_, CallError>(Line::over(stream).await?)
        };
        self.connections.send(request, connect).await.map_err(|unanswered| match unanswered {
            Unanswered::Unconnected(error) => error,
            Unanswered::Broken(error) => error.into(),
        })
    }
}

async fn collect(mut body: AnswerBody, max_bytes: usize) -> Result<Bytes, CallError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if bytes.len() + data.len() > max_bytes {
                return Err(CallError::TooLong);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

fn refused(status: StatusCode, bytes: &[u8]) -> CallError {
    match serde_json::from_slice::<ErrorBody>(bytes) {
        Ok(body) => CallError::Refused { status, code: body.error.code, message: body.error.message },
        Err(_) => {
            CallError::Refused { status, code: String::new(), message: format!("answered {status} without saying why") }
        }
    }
}
