//! The page's WebSocket: text frames in, frames of the mind out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::stream::SplitSink;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use http::HeaderMap;
use platform_kit::Failure;
use platform_types::chat::{DEVICE_HEADER, SCOPES_HEADER, ToAgent, ToPage};
use platform_types::gate::Scope;
use platform_types::{DeviceId, ErrorCode};

use crate::lifecycle::Lifecycle;
use crate::mind::{Connected, Frames, Mind, PageCaller, Refused};

/// Longest request: a message of the longest text, when JSON writes each byte of it as `\u0000`.
pub const MAX_REQUEST_BYTES: usize = 512 * 1024;
/// What the WebSocket reads at most before it gives up the connection.
const MAX_FRAME_BYTES: usize = 2 * MAX_REQUEST_BYTES;
/// Read at a time, and kept for each connection: most frames are far shorter.
const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Malformed requests before the connection is closed: whoever sends them is not our page.
const MAX_MALFORMED: u32 = 16;
/// Frames that go out in one write: each write wakes the gate, and through it the page.
const FRAMES_PER_WRITE: usize = 16;
/// Time for one write to be taken by the gate.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// RFC 6455's registry: the service restarts; the client reconnects.
const SERVICE_RESTART: u16 = 1012;

pub async fn upgrade(
    State(lifecycle): State<Arc<Lifecycle>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let caller = PageCaller { device: device(&headers)?, may_approve: has_scope(&headers, Scope::Approve) };
    let mind = lifecycle.mind()?;
    let upgrade = upgrade.map_err(|rejection| Failure::new(ErrorCode::BadRequest, rejection.to_string()))?;
    let connected = mind.connect(caller).await.map_err(|refused| {
        let code = match refused {
            Refused::Stopping => ErrorCode::AgentUnavailable,
            Refused::TooMany => ErrorCode::RateLimited,
        };
        Failure::new(code, refused.to_string()).with_retry_after(1)
    })?;
    let upgrade =
        upgrade.max_message_size(MAX_FRAME_BYTES).max_frame_size(MAX_FRAME_BYTES).read_buffer_size(READ_BUFFER_BYTES);
    let given_up = (mind.clone(), connected.id);
    let upgrade = upgrade.on_failed_upgrade(move |_| {
        platform_kit::task::spawn("disconnect", async move { given_up.0.disconnect(given_up.1).await });
    });
    Ok(upgrade.on_upgrade(move |socket| serve(socket, mind, connected)))
}

/// The device that the gate authenticated.
pub fn device(headers: &HeaderMap) -> Result<DeviceId, Failure> {
    let text = headers.get(DEVICE_HEADER).and_then(|value| value.to_str().ok());
    text.and_then(|text| DeviceId::new(text).ok())
        .ok_or_else(|| Failure::new(ErrorCode::Unauthorized, format!("{DEVICE_HEADER} must name a device")))
}

/// Whether the gate says that the device may do this.
pub fn has_scope(headers: &HeaderMap, scope: Scope) -> bool {
    let text = headers.get(SCOPES_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').any(|word| word == scope.to_string())
}

async fn serve(socket: WebSocket, mind: Arc<Mind>, connected: Connected) {
    let Connected { id, mut frames } = connected;
    let (mut sink, mut stream) = socket.split();
    let mut malformed = 0;
    let reason = loop {
        let message = tokio::select! {
            frame = frames.next() => {
                let Some(frame) = frame else { break Some((SERVICE_RESTART, "reconnect")) };
                match tokio::time::timeout(WRITE_TIMEOUT, write(&mut sink, frame, &mut frames)).await {
                    Ok(Ok(())) => continue,
                    _ => break None,
                }
            }
            message = stream.next() => message,
        };
        let parsed = match message {
            Some(Ok(Message::Text(text))) => parse(&text),
            Some(Ok(Message::Binary(_))) => Err(malformed_words("send text, not binary")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Err(_)) => break Some((close_code::POLICY, "too long, or not a WebSocket frame")),
            Some(Ok(Message::Close(_))) | None => break None,
        };
        match parsed {
            Ok(message) => {
                if mind.page(id, message).await.is_err() {
                    break Some((SERVICE_RESTART, "the agent is stopping"));
                }
            }
            Err(failed) => {
                malformed += 1;
                let text = serde_json::to_string(&failed).unwrap_or_default();
                let sent = tokio::time::timeout(WRITE_TIMEOUT, sink.send(Message::Text(text.into()))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    break None;
                }
                if malformed >= MAX_MALFORMED {
                    break Some((close_code::POLICY, "too many malformed requests"));
                }
            }
        }
    };
    mind.disconnect(id).await;
    if let Some((code, reason)) = reason {
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // The other side may be gone already.
        let _ = tokio::time::timeout(WRITE_TIMEOUT, sink.send(close)).await;
    }
}

/// Writes a frame, and with it some that wait behind it.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    frame: Utf8Bytes,
    waiting: &mut Frames,
) -> Result<(), axum::Error> {
    sink.feed(Message::Text(frame)).await?;
    for _ in 1..FRAMES_PER_WRITE {
        let Some(frame) = waiting.next().now_or_never().flatten() else { break };
        sink.feed(Message::Text(frame)).await?;
    }
    sink.flush().await
}

fn parse(text: &str) -> Result<ToAgent, Box<ToPage>> {
    if text.len() > MAX_REQUEST_BYTES {
        let message = format!("the request has {} bytes, at most {MAX_REQUEST_BYTES} fit", text.len());
        return Err(failed(ErrorCode::TooLarge, message));
    }
    serde_json::from_str(text).map_err(|error| malformed_words(&error.to_string()))
}

fn malformed_words(words: &str) -> Box<ToPage> {
    failed(ErrorCode::BadRequest, format!("the request is malformed: {words}"))
}

fn failed(code: ErrorCode, message: String) -> Box<ToPage> {
    Box::new(ToPage::Failed { code: code.as_str().to_owned(), message, session: None, id: None })
}
