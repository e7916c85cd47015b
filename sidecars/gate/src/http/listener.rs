//! Accepts connections, bounded in number, and drains them when the gate stops.
//!
//! At the limit a new connection displaces the one on which nothing began or ended for longest; connections that carry an
//! authenticated request stay. So idle, slow and silent clients cost each other their places, and nobody else.

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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Body;
use super::exchange::Exchange;
use super::guard::Guard;
use crate::limits::{HttpLimits, MAX_HEAD_BYTES, MAX_HEADERS};
use crate::seats::{Seat, Seats};

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
        // Small frames leave at once. It fails where the client has gone already, which the first read will find.
        let _ = stream.set_nodelay(true);
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
    /// A connection was closed in favour of a new one.
    fn displaced(&self);
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
    let seats = Seats::new(limits.connections);
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let seat = tokio::select! {
            () = stop.cancelled() => return,
            seat = seats.take() => seat,
        };
        let connection = serve_connection(stream, service.clone(), limits.clone(), seat, stop.clone());
        platform_kit::task::spawn("connection", tasks.track_future(connection));
    }
}

async fn serve_connection<T, S>(stream: T, service: Arc<S>, limits: HttpLimits, seat: Seat, stop: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    service.connected(1);
    let exchange = Exchange::new(seat.claim());
    let refused = service.clone();
    let guard = Guard::new(stream, limits, exchange.clone(), Box::new(move |failure| refused.refused(failure)));
    let answering = service.clone();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let exchange = exchange.clone();
        request.extensions_mut().insert(exchange.clone());
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
    let ended = async {
        // An error here is a client that went away or an answer that was cut: the one who caused it has logged it.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    };
    tokio::select! {
        () = ended => {}
        () = seat.displaced() => service.displaced(),
    }
    service.connected(-1);
}
