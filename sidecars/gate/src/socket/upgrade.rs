//! From an HTTP request to a socket.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use platform_kit::Failure;
use platform_types::ErrorCode;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::enter::Visit;
use super::probation::Probation;
use super::session;
use crate::gate::Gate;
use crate::http::answer::{self, Body};
use crate::http::place;
use crate::limits::{MAX_MESSAGE_IN_BYTES, MAX_UNAUTHENTICATED_BYTES};

const VERSION: HeaderName = header::SEC_WEBSOCKET_VERSION;

/// A socket to the page.
pub type PageSocket = WebSocketStream<Probation<TokioIo<hyper::upgrade::Upgraded>>>;

/// `GET /ws`, `GET /gate/ws`.
pub async fn upgrade(
    gate: &Arc<Gate>,
    visit: Visit,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    place::require_origin(request.headers())?;
    let accept = accept_key(request.headers())?;
    let stranger = gate.sockets.stranger().await;
    let upgraded = hyper::upgrade::on(&mut request);
    let gate_of_socket = gate.clone();
    let socket = async move {
        let upgraded = tokio::select! {
            upgraded = upgraded => upgraded,
            () = stranger.displaced() => return gate_of_socket.tally.displaced("unauthenticated sockets"),
        };
        let Ok(upgraded) = upgraded else { return };
        let stream = Probation::new(TokioIo::new(upgraded), MAX_UNAUTHENTICATED_BYTES);
        let config = super::config(MAX_MESSAGE_IN_BYTES);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        session::run(gate_of_socket, visit, socket, stranger).await;
    };
    platform_kit::task::spawn("websocket", gate.tasks.track_future(socket));
    Ok(switching(accept))
}

/// Checks the client's part of the handshake (RFC 6455, 4.2.1).
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Failure> {
    let is = |name: &HeaderName, value: &str| {
        headers.get(name).is_some_and(|found| found.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let connection = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asks = connection.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case("upgrade"));
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    match key {
        Some(key) if asks && is(&header::UPGRADE, "websocket") && is(&VERSION, "13") => {
            HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| not_a_handshake())
        }
        _ => Err(not_a_handshake()),
    }
}

fn not_a_handshake() -> Failure {
    Failure::new(ErrorCode::BadRequest, "this route is a WebSocket (version 13)")
}

fn switching(accept: HeaderValue) -> Response<Body> {
    let mut response = Response::new(answer::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}
