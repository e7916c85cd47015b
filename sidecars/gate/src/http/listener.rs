//! Accepts connections, bounded in number, and drains them when the gate stops.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use platform_kit::Failure;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Body;
use super::exchange::Exchange;
use super::guard::Guard;
use crate::limits::{HttpLimits, MAX_HEAD_BYTES, MAX_HEADERS};

/// hyper's buffer for one direction of a connection; a head has to fit.
const BUFFER_BYTES: usize = 2 * MAX_HEAD_BYTES;
/// Pause after `accept` failed, when descriptors are short say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub trait Listener: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    async fn accept(&self) -> std::io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Small frames leave at once.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    async fn accept(&self) -> std::io::Result<UnixStream> {
        Ok(UnixListener::accept(self).await?.0)
    }
}

/// Who answers.
pub trait Service: Send + Sync + 'static {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
    /// A connection was opened (+1) or closed (-1).
    fn connected(&self, change: i64);
    /// A head was refused before it became a request.
    fn refused(&self, failure: &Failure);
}

/// Serves until `stop`; connections are tracked by `tasks` and finish their running request.
pub async fn serve<L: Listener, S: Service>(
    listener: L,
    service: Arc<S>,
    limits: HttpLimits,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accept = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept => accepted,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = serve_connection(stream, service.clone(), limits.clone(), stop.clone());
        platform_kit::task::spawn(
            "connection",
            tasks.track_future(async move {
                connection.await;
                drop(slot);
            }),
        );
    }
}

async fn serve_connection<T, S>(stream: T, service: Arc<S>, limits: HttpLimits, stop: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    service.connected(1);
    let exchange = Exchange::default();
    let refused = service.clone();
    let guard = Guard::new(stream, limits, exchange.clone(), Box::new(move |failure| refused.refused(failure)));
    let answering = service.clone();
    let answer = service_fn(move |request| {
        let exchange = exchange.clone();
        let answer = answering.clone().answer(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await.map(|body| exchange.answer(body))) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(guard, answer)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // An error here is a client that went away or an answer that was cut: the one who caused it has logged it.
    let done = tokio::select! {
        _ = connection.as_mut() => true,
        () = stop.cancelled() => false,
    };
    if !done {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
    service.connected(-1);
}
