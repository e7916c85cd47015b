//! From a fresh socket to the agent: challenge, signature, door.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use platform_kit::Failure;
use platform_types::chat::{GateAuth, GateHello, SCOPES_HEADER};
use platform_types::gate::{Caller, Purpose, Scope, SignedText};
use platform_types::{DeviceId, ErrorCode};
use serde::Serialize;
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::ending::Ending;
use super::upgrade::PageSocket;
use crate::agent::forward;
use crate::auth::{caller, signature};
use crate::config::{Config, PairedDevice};
use crate::gate::Gate;
use crate::http::entrance::Arrival;
use crate::http::place::Place;
use crate::limits::MAX_MESSAGE_OUT_BYTES;

/// A socket to the agent.
pub type AgentSocket = WebSocketStream<UnixStream>;

/// Who connected.
#[derive(Debug, Clone)]
pub struct Entered {
    pub id: DeviceId,
    pub device: PairedDevice,
}

/// A socket before it is known whose it is: from where, how, and for what.
#[derive(Debug)]
pub struct Visit {
    pub place: Place,
    pub side: Side,
    pub arrival: Arrival,
}

impl Visit {
    /// Whether it could come in the same way now.
    pub fn is_welcome(&self, config: &Config) -> bool {
        let Self { place, side: _, arrival } = self;
        arrival.check(config, place).is_ok() && arrival.check_user(config).is_ok()
    }
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Talking to the agent.
    Agent,
    /// The gate's own page.
    Gate,
}

impl Side {
    pub fn admits(self, device: &PairedDevice) -> bool {
        match self {
            Self::Agent => device.may(Scope::Chat),
            Self::Gate => !device.scopes.is_empty(),
        }
    }
}

/// Challenges the page and checks its answer.
pub async fn authenticate(gate: &Gate, visit: &Visit, page: &mut PageSocket) -> Result<Entered, Ending> {
    let Visit { place, side, arrival: _ } = visit;
    let nonce = platform_kit::random::id();
    let time = gate.clock.now();
    let profile = gate.config.get().map_err(Ending::Refused)?.profile.clone();
    let host = place.host.clone();
    say(page, &GateHello::Challenge { profile: profile.clone(), host, nonce: nonce.clone(), time }).await?;
    let answer = tokio::time::timeout(gate.limits.socket.auth_time, hear(page)).await;
    let answer = answer.map_err(|_| refused(ErrorCode::RequestTimeout, "the challenge was not answered in time"))??;
    let Ok(GateAuth::Auth { device: id, signature }) = serde_json::from_str(&answer) else {
        return Err(refused(ErrorCode::BadRequest, "the challenge was not answered"));
    };
    // The registry may have changed since the challenge.
    let config = gate.config.get().map_err(Ending::Refused)?;
    let text = SignedText {
        purpose: Purpose::Connect,
        profile: &profile,
        host: &place.host,
        device: &id,
        nonce: &nonce,
        time,
    };
    let fresh = gate.clock.now().millis_since(time).abs() <= gate.limits.pairing.nonce_millis;
    match config.device(&id) {
        Some(device) if side.admits(device) && fresh && signature::verify(&device.key, &text, &signature) => {
            Ok(Entered { device: device.clone(), id })
        }
        _ => Err(Ending::Refused(caller::wrong(gate, "this device is not paired here; pair it again"))),
    }
}

/// Waits at the door and opens the agent's side.
pub async fn reach_agent(gate: &Arc<Gate>, entered: &Entered, page: &mut PageSocket) -> Result<AgentSocket, Ending> {
    tokio::select! {
        agent = dial(gate, entered) => agent.map_err(Ending::Refused),
        early = hear(page) => Err(match early {
            Ok(_) => Ending::Malformed,
            Err(ending) => ending,
        }),
    }
}

async fn dial(gate: &Gate, entered: &Entered) -> Result<AgentSocket, Failure> {
    let mut visit = gate.door.visit();
    loop {
        let stream = visit.connect().await?;
        let request =
            handshake(entered).map_err(|_| Failure::new(ErrorCode::Internal, "the handshake cannot be written"))?;
        let config = super::config(MAX_MESSAGE_OUT_BYTES);
        let dialling = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        match tokio::time::timeout(gate.limits.socket.agent_time, dialling).await {
            Ok(Ok((socket, _))) => return Ok(socket),
            // Not ready yet, or wedged, or gone in between: it waits at the door like everything else.
            Ok(Err(Error::Http(response))) if response.status() == 503 => {}
            Ok(Err(Error::Http(response))) if response.status() == 429 => {
                return Err(Failure::new(ErrorCode::RateLimited, "the agent has too many pages open; close one"));
            }
            Ok(Err(Error::Io(_) | Error::Protocol(_))) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the agent refused a socket");
                return Err(Failure::new(ErrorCode::AgentInvalid, "the agent refused the connection"));
            }
        }
    }
}

fn handshake(entered: &Entered) -> http::Result<Request<()>> {
    let (name, value) = forward::identity(&Caller::Device { id: entered.id.clone() });
    let scopes = if entered.device.may(Scope::Approve) { "chat,approve" } else { "chat" };
    Request::get("ws://agent/ws")
        .header("host", "agent")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", tokio_tungstenite::tungstenite::handshake::client::generate_key())
        .header(name, value)
        .header(SCOPES_HEADER, scopes)
        .body(())
}

/// Sends one of the gate's own messages.
pub async fn say<T: Serialize>(page: &mut PageSocket, message: &T) -> Result<(), Ending> {
    send(page, Message::text(serde_json::to_string(message).unwrap_or_default())).await
}

pub async fn send(page: &mut PageSocket, message: Message) -> Result<(), Ending> {
    page.send(message).await.map_err(|error| Ending::of_write(&error))
}

/// The next text of the page.
async fn hear(page: &mut PageSocket) -> Result<String, Ending> {
    loop {
        match page.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Binary(_))) => return Err(Ending::NotText),
            Some(Ok(Message::Close(_))) | None => return Err(Ending::Left),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Ending::of_page(&error)),
        }
    }
}

fn refused(code: ErrorCode, message: &str) -> Ending {
    Ending::Refused(Failure::new(code, message))
}
