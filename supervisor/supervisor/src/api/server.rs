//! Binding the socket, checking peers, serving until the daemon stops.

use std::path::Path;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::serve::IncomingStream;
use http::Method;
use platform_kit::Failure;
use platform_kit::socket::{self, SocketError};
use platform_types::ErrorCode;
use platform_types::layout::Roots;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::peer::{self, ADMIN_GROUP, Caller};
use super::routes;
use crate::state::Shared;

/// Running requests may finish for so long. Streams that follow something are cut then.
const GRACE: Duration = Duration::from_secs(2);

/// Binds `supervisor.sock`: 0660 for `bot-admin` when the group exists, else for root alone.
pub fn bind(roots: &Roots) -> Result<UnixListener, SocketError> {
    let path = roots.supervisor_socket();
    let listener = socket::bind(&path, 0o600)?;
    if let Some(gid) = peer::admin_gid() {
        give_to_group(&path, gid).map_err(|source| SocketError::Bind { path, source })?;
    }
    Ok(listener)
}

fn give_to_group(path: &Path, gid: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::os::unix::fs::lchown(path, None, Some(gid))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))
}

/// Answers until `stop`, then lets running requests finish.
pub async fn serve(listener: UnixListener, shared: Shared, stop: CancellationToken) -> std::io::Result<()> {
    let router = routes::router(shared).layer(middleware::from_fn(admit));
    let service = router.into_make_service_with_connect_info::<Caller>();
    let stopped = stop.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move { stopped.cancelled().await });
    tokio::select! {
        result = server => result,
        () = async { stop.cancelled().await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(peer) => Self { uid: peer.uid(), gid: peer.gid(), pid: peer.pid() },
            // Nobody: neither root nor a member of anything.
            Err(_) => Self { uid: u32::MAX, gid: u32::MAX, pid: None },
        }
    }
}

/// Refuses strangers; logs who changes something.
async fn admit(ConnectInfo(caller): ConnectInfo<Caller>, request: Request, next: Next) -> Response {
    let (uid, pid) = (caller.uid, caller.pid.unwrap_or_default());
    if !peer::may_ask(caller) {
        tracing::warn!(uid, pid, "refused a caller who is not in the group of administrators");
        let message = format!("user {uid} may not do this: become a member of {ADMIN_GROUP}, or use sudo");
        return Failure::new(ErrorCode::Forbidden, message).into_response();
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    if method == Method::GET {
        tracing::debug!(uid, pid, path, status, "answered");
    } else {
        tracing::info!(uid, pid, %method, path, status, "did what an administrator asked");
    }
    response
}
