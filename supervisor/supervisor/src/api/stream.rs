//! Newline-delimited JSON answers.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use platform_kit::Failure;
use serde::Serialize;
use tokio::sync::mpsc;

use super::wire::Line;

/// Lines that wait for a slow reader; then the writer waits too.
const QUEUE: usize = 64;

/// The writing end. A reader that went away shows as `false`.
#[derive(Debug, Clone)]
pub struct Lines(mpsc::Sender<Bytes>);

impl Lines {
    pub async fn send(&self, value: &impl Serialize) -> bool {
        let Ok(mut line) = serde_json::to_vec(value) else { return true };
        line.push(b'\n');
        self.0.send(line.into()).await.is_ok()
    }

    /// Resolves when the reader has gone.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// The last line of an operation.
    pub async fn end<T: Serialize>(&self, result: Result<T, Failure>) {
        let line = match result {
            Ok(result) => Line::Done { result },
            Err(failure) => Line::Failed { code: failure.code.as_str().to_owned(), message: failure.message },
        };
        self.send(&line).await;
    }
}

/// An answer whose lines are written to the other end.
pub fn lines() -> (Lines, Response) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let body = stream::unfold(receiver, |mut receiver| async move {
        let line: Bytes = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let headers = [(http::header::CONTENT_TYPE, "application/x-ndjson")];
    (Lines(sender), (headers, Body::from_stream(body)).into_response())
}
