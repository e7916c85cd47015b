//! The methods of the server, over the gate: `getMe`, `getUpdates`, `sendMessage` with Telegram's names.

use agent_core::channel::Me;
use agent_tools::Egress;
use axum::body::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use platform_kit::client::CallError;
use platform_types::channel::ChatId;
use platform_types::egress::TURN_HEADER;
use platform_types::update::{Update, Updates};
use platform_types::{ErrorBody, ErrorCode, UpstreamName};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long the server waits for news. The gate waits a minute for its answer.
const POLL_SECONDS: u32 = 25;

/// Why a method did nothing, or is not known to have done something.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the gate did not answer")]
    Gate(#[from] CallError),
    #[error("the request cannot be written as HTTP")]
    Request(#[from] http::Error),
    /// The gate's own word: nothing went out.
    #[error("the gate says {code}: {message}")]
    Refused { code: String, message: String },
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the server's answer cannot be read")]
    Json(#[from] serde_json::Error),
}

impl WireError {
    /// No rule allows it, or the chat is not known any more: it will not get better by itself.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == ErrorCode::EgressDenied.as_str())
    }

    /// The server's answer is not one that the gate passes on: it is too long, say.
    pub fn is_unfit(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == ErrorCode::UpstreamInvalid.as_str())
    }

    /// Nothing was done, and it may work later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                let passing = [ErrorCode::UpstreamUnreachable, ErrorCode::RateLimited, ErrorCode::AgentUnavailable];
                passing.iter().any(|known| known.as_str() == code)
            }
            Self::Status(status) => *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Gate(CallError::Socket(_)) => true,
            Self::Gate(_) | Self::Request(_) | Self::Json(_) => false,
        }
    }
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    egress: Egress,
    name: UpstreamName,
}

#[derive(Debug, Deserialize)]
struct Whole<T> {
    result: T,
}

#[derive(Debug, Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    username: String,
}

impl Server {
    pub fn new(egress: Egress, name: UpstreamName) -> Self {
        Self { egress, name }
    }

    pub async fn me(&self) -> Result<Me, WireError> {
        let request = Request::get("/getMe").header(header::HOST, self.name.as_str()).body(Full::default())?;
        let Whole { result: User { id, username } } = serde_json::from_slice(&self.ask(request).await?)?;
        Ok(Me { id, username })
    }

    /// Waits for at most `limit` updates from `offset` on; those before it are over.
    pub async fn updates(&self, offset: Option<i64>, limit: u32) -> Result<Vec<Update>, WireError> {
        let mut body = json!({ "timeout": POLL_SECONDS, "limit": limit, "allowed_updates": ["message"] });
        if let Some(offset) = offset {
            body["offset"] = offset.into();
        }
        let Updates { result, .. } = serde_json::from_slice(&self.post("/getUpdates", &body, None).await?)?;
        Ok(result)
    }

    /// Says something in a chat. `about` names the answer, for the record.
    pub async fn say(&self, chat: ChatId, text: &str, about: Option<&str>) -> Result<(), WireError> {
        let body = json!({ "chat_id": chat, "text": text, "link_preview_options": { "is_disabled": true } });
        self.post("/sendMessage", &body, about).await.map(drop)
    }

    async fn post(&self, method: &str, body: &Value, about: Option<&str>) -> Result<Bytes, WireError> {
        let mut request = Request::post(method)
            .header(header::HOST, self.name.as_str())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(about) = about {
            request = request.header(TURN_HEADER, about);
        }
        self.ask(request.body(Full::from(body.to_string()))?).await
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Bytes, WireError> {
        let (status, body) = self.egress.send(request).await?;
        if status.is_success() {
            return Ok(body);
        }
        // An error of the server has no body: the gate passes its status alone.
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => WireError::Refused { code: error.code, message: error.message },
            Err(_) => WireError::Status(status),
        })
    }
}
