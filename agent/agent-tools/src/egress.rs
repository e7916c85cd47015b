//! The gate's socket: the only way out, and where the heads of the audit are kept. See [`platform_types::egress`].

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::audit::Anchor;
use platform_types::egress::{GATE_HOST, MAX_ANSWER_BYTES, Outcome};

use crate::confirmed::{Keeper, POLL_TIME};

/// Time for an upstream's answer: the gate has shorter limits of its own and says which one was hit.
const EXCHANGE_TIME: Duration = Duration::from_secs(90);
const ANCHOR_TIME: Duration = Duration::from_secs(2);
/// Room for what the gate wraps around an answer.
const MAX_BYTES: usize = MAX_ANSWER_BYTES + 64 * 1024;

/// Speaks to the gate.
#[derive(Debug, Clone)]
pub struct Egress {
    client: Client,
}

impl Egress {
    /// The directory of the socket belongs to the gate, and is mounted read-only: its name can be trusted.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { client: Client::new(socket, Peer::Trusted, EXCHANGE_TIME) }
    }

    /// One request to the upstream that its `Host` names.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), CallError> {
        self.exchange(request, EXCHANGE_TIME).await
    }

    /// Has the gate keep the head of the audit.
    pub async fn anchor(&self, head: &Anchor) -> Result<(), CallError> {
        let request = Request::post("/anchor")
            .header(header::HOST, GATE_HOST)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(head)?))?;
        let (status, _) = self.exchange(request, ANCHOR_TIME).await?;
        if status.is_success() { Ok(()) } else { Err(refused(status)) }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, time: Duration) -> Result<(StatusCode, Bytes), CallError> {
        let work = async {
            let response = self.client.open(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
            Ok((status, body.map_err(|_| CallError::TooLong)?.to_bytes()))
        };
        tokio::time::timeout(time, work).await.map_err(|_| CallError::Timeout(time))?
    }
}

impl Keeper for Egress {
    async fn confirmation(&self, id: &str) -> Result<Option<Outcome>, CallError> {
        let request =
            Request::get(format!("/confirmations/{id}")).header(header::HOST, GATE_HOST).body(Full::default())?;
        match self.exchange(request, POLL_TIME).await? {
            (StatusCode::OK, bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) => Err(refused(status)),
        }
    }
}

fn refused(status: StatusCode) -> CallError {
    CallError::Refused { status, code: String::new(), message: format!("the gate answered {status}") }
}
