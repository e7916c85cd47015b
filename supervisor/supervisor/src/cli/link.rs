//! The connection to the supervisor.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use platform_kit::client::{CallError, Client};
use platform_kit::lines::Lines;
use platform_kit::socket::Peer;
use platform_types::ErrorBody;
use platform_types::layout::Roots;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::api::wire::Line;

/// The supervisor answers from memory; what takes longer is a gate that is told, or a model box that is asked.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Longest line of a stream: a log line of 16 KiB, escaped.
const MAX_LINE_BYTES: usize = 256 * 1024;

/// One installation's supervisor.
#[derive(Debug, Clone)]
pub struct Supervisor {
    pub roots: Roots,
    client: Client,
}

impl Supervisor {
    pub fn new(roots: Roots) -> Self {
        let client = Client::new(roots.supervisor_socket(), Peer::Trusted, TIMEOUT);
        Self { roots, client }
    }

    pub async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Failure> {
        self.try_get(target).await.map_err(|error| Failure::call(&error, &self.socket()))
    }

    pub async fn try_get<T: DeserializeOwned>(&self, target: &str) -> Result<T, CallError> {
        self.client.get(&format!("/v1{target}")).await
    }

    pub async fn post<Q: Serialize + Sync, T: DeserializeOwned>(&self, target: &str, body: &Q) -> Result<T, Failure> {
        self.try_post(target, body).await.map_err(|error| Failure::call(&error, &self.socket()))
    }

    pub async fn try_post<Q: Serialize + Sync, T: DeserializeOwned>(
        &self,
        target: &str,
        body: &Q,
    ) -> Result<T, CallError> {
        self.client.post(&format!("/v1{target}"), body).await
    }

    /// Lines as they come.
    pub async fn stream(&self, method: Method, target: &str, body: Vec<u8>) -> Result<Lines, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1{target}"))
            .header(http::header::HOST, "localhost")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::other(error.to_string()))?;
        let response = self.client.open(request).await.map_err(|error| Failure::call(&error, &self.socket()))?;
        let status = response.status();
        let mut lines = Lines::new(response.into_body(), MAX_LINE_BYTES);
        if status.is_success() {
            return Ok(lines);
        }
        let body = lines.next().await?.unwrap_or_default();
        let message = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => body.error.message,
            Err(_) => format!("the supervisor answered {status}"),
        };
        Err(Failure::other(platform_types::text::neutral(&message)))
    }

    /// A long operation: `progress` hears each message, the result is the last line's.
    pub async fn operate<Q: Serialize + Sync, T: DeserializeOwned>(
        &self,
        target: &str,
        body: &Q,
        mut progress: impl FnMut(&str),
    ) -> Result<T, Failure> {
        let mut lines = self.stream(Method::POST, target, serde_json::to_vec(body)?).await?;
        while let Some(line) = lines.next().await? {
            match serde_json::from_slice::<Line<T>>(&line)? {
                Line::Progress { message } => progress(&message),
                Line::Done { result } => return Ok(result),
                Line::Failed { code: _, message } => return Err(Failure::other(message)),
            }
        }
        Err(Failure::other("the supervisor went away before it was done; botctl status tells how it ended"))
    }

    pub fn socket(&self) -> PathBuf {
        self.roots.supervisor_socket()
    }
}
