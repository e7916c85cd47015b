//! HTTP/1.1 connections to one server, kept for a moment between requests where that pays.
//!
//! Servers close an idle connection some time, and may do so in the very moment in which the next request is written. So
//! none is used after [`Keeping::idle`]; a request on a kept one that ends at once and without a byte is sent once more, on
//! a fresh one; and nothing else is ever sent twice.
//!
//! A connection has no task of its own: whoever waits for its answer drives it. So what has come is there at once, and
//! whoever stops to wait closes it in the same moment.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::task;

/// A kept connection that the server had closed shows this at once. Whoever ends it later has read the request, and may have
/// died of it.
const STALE: Duration = Duration::from_secs(1);

/// Which connections wait for their next request.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    /// At most so many.
    pub most: usize,
    /// For so long.
    pub idle: Duration,
}

impl Keeping {
    /// A connection for each request.
    pub const NONE: Self = Self { most: 0, idle: Duration::ZERO };
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered<E> {
    /// There is no connection.
    Unconnected(E),
    /// The connection ended first, or what came is not HTTP.
    Broken(hyper::Error),
}

/// The connections to one server.
#[derive(Debug)]
pub struct Connections {
    keeping: Keeping,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Each with the moment in which its last answer ended; the oldest first. Used last, taken first.
    idle: Vec<(Instant, Line)>,
    /// A task closes them in time.
    swept: bool,
}

/// One connection.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// What reads and writes; nothing once it has ended.
struct Driver(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

/// The body of an answer. Reading it drives its connection, which waits for the next request at its end; dropping it before
/// closes the connection.
#[derive(Debug)]
pub struct AnswerBody {
    incoming: Incoming,
    line: Option<(Line, Arc<Connections>)>,
}

impl Connections {
    pub fn new(keeping: Keeping) -> Arc<Self> {
        Arc::new(Self { keeping, waiting: Mutex::default() })
    }

    /// Sends a request and waits for the head of its answer: on a kept connection, or on one that `connect` makes. Dropping
    /// this, or the body, closes the connection.
    pub async fn send<E, C: Future<Output = Result<Line, E>>>(
        self: &Arc<Self>,
        request: Request<Full<Bytes>>,
        connect: impl FnOnce() -> C,
    ) -> Result<Response<AnswerBody>, Unanswered<E>> {
        if let Some(line) = self.take().await {
            let sent = Instant::now();
            match self.exchange(line, request.clone()).await {
                Ok(response) => return Ok(response),
                Err(error) if is_stale(&error, sent) => {
                    tracing::debug!(%error, "a kept connection was closed; once more, on a fresh one");
                }
                Err(error) => return Err(Unanswered::Broken(error)),
            }
        }
        let line = connect().await.map_err(Unanswered::Unconnected)?;
        self.exchange(line, request).await.map_err(Unanswered::Broken)
    }

    async fn exchange(
        self: &Arc<Self>,
        mut line: Line,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<AnswerBody>> {
        let mut head = pin!(line.sender.send_request(request));
        let response = poll_fn(|context| {
            line.driver.drive(context);
            head.as_mut().poll(context)
        })
        .await?;
        Ok(response.map(|incoming| AnswerBody { incoming, line: Some((line, self.clone())) }))
    }

    /// A kept connection that takes a request now.
    async fn take(&self) -> Option<Line> {
        loop {
            let (since, mut line) = self.lock().idle.pop()?;
            if since.elapsed() >= self.keeping.idle {
                continue;
            }
            // A look at what has come meanwhile, such as its end.
            poll_fn(|context| {
                line.driver.drive(context);
                Poll::Ready(())
            })
            .await;
            if line.sender.is_ready() {
                return Some(line);
            }
        }
    }

    /// Keeps a connection whose answer has ended.
    fn put(self: &Arc<Self>, line: Line) {
        let mut waiting = self.lock();
        if line.sender.is_closed() || waiting.idle.len() >= self.keeping.most {
            return;
        }
        waiting.idle.push((Instant::now(), line));
        if !std::mem::replace(&mut waiting.swept, true) {
            task::spawn("idle connections", sweep(self.clone()));
        }
    }

    /// Closes what has waited too long; when the next one has, if there is one.
    fn expire(&self) -> Option<Instant> {
        let mut waiting = self.lock();
        waiting.idle.retain(|(since, _)| since.elapsed() < self.keeping.idle);
        let next = waiting.idle.iter().map(|(since, _)| *since + self.keeping.idle).min();
        waiting.swept = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(connections: Arc<Connections>) {
    while let Some(next) = connections.expire() {
        sleep_until(next).await;
    }
}

/// Whether the server had closed a kept connection before it read the request, as far as that can be known.
fn is_stale(error: &hyper::Error, sent: Instant) -> bool {
    error.is_canceled() || error.is_closed() || (!error.is_parse() && sent.elapsed() < STALE)
}

impl Line {
    /// Speaks HTTP on a fresh stream.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Driver(Some(Box::pin(connection))) })
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl Driver {
    /// Reads and writes what can be; how it ends is told by the answer.
    fn drive(&mut self, context: &mut Context<'_>) {
        if self.0.as_mut().is_some_and(|running| running.as_mut().poll(context).is_ready()) {
            self.0 = None;
        }
    }
}

impl AnswerBody {
    /// To be called when nothing more of the body is of interest: its connection is kept if the end has come already.
    pub fn finish(mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut self).poll_frame(&mut context) {}
    }

    fn come(&mut self, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let come = Pin::new(&mut self.incoming).poll_frame(context);
        let (true, Some((line, _))) = (come.is_pending(), &mut self.line) else { return come };
        line.driver.drive(context);
        Pin::new(&mut self.incoming).poll_frame(context)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let come = self.come(context);
        match &come {
            Poll::Ready(None) => {
                if let Some((line, connections)) = self.line.take() {
                    connections.put(line);
                }
            }
            Poll::Ready(Some(Err(_))) => self.line = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        come
    }

    fn is_end_stream(&self) -> bool {
        // Not before the end was read: that is when the connection is free.
        self.line.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};

    use super::*;

    const KEEPING: Keeping = Keeping { most: 1, idle: Duration::from_mins(1) };

    /// A server that answers `answers` requests on each connection, and then closes it.
    struct Server {
        directory: tempfile::TempDir,
        connections: Arc<AtomicUsize>,
    }

    impl Server {
        fn start(answers: usize) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(directory.path().join("a.sock")).unwrap();
            let connections = Arc::new(AtomicUsize::new(0));
            let counted = connections.clone();
            task::spawn("test server", async move {
                while let Ok((stream, _)) = listener.accept().await {
                    counted.fetch_add(1, Ordering::SeqCst);
                    task::spawn("test connection", answer(stream, answers));
                }
            });
            Self { directory, connections }
        }

        async fn ask(&self, connections: &Arc<Connections>) -> AnswerBody {
            let connect = || async {
                let stream = UnixStream::connect(self.directory.path().join("a.sock")).await.unwrap();
                Line::over(stream).await
            };
            let request = Request::get("/").body(Full::default()).unwrap();
            connections.send(request, connect).await.unwrap().into_body()
        }

        async fn read(&self, connections: &Arc<Connections>) {
            assert_eq!(self.ask(connections).await.collect().await.unwrap().to_bytes(), "ok");
        }

        fn connections(&self) -> usize {
            self.connections.load(Ordering::SeqCst)
        }
    }

    async fn answer(mut stream: UnixStream, answers: usize) {
        for _ in 0..answers {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_connection_carries_one_request_after_another_where_it_is_kept() {
        for (keeping, expected) in [(KEEPING, 1), (Keeping::NONE, 3)] {
            let (server, connections) = (Server::start(usize::MAX), Connections::new(keeping));
            for _ in 0..3 {
                server.read(&connections).await;
            }
            assert_eq!(server.connections(), expected, "{keeping:?}");
        }
    }

    #[tokio::test]
    async fn a_request_on_a_connection_that_was_closed_meanwhile_is_sent_on_a_fresh_one() {
        let (server, connections) = (Server::start(1), Connections::new(KEEPING));
        for _ in 0..3 {
            server.read(&connections).await;
        }
        assert_eq!(server.connections(), 3);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_read_to_its_end_takes_its_connection_with_it() {
        let (server, connections) = (Server::start(usize::MAX), Connections::new(KEEPING));
        drop(server.ask(&connections).await);
        assert!(connections.lock().idle.is_empty());
        let mut body = server.ask(&connections).await;
        body.frame().await.unwrap().unwrap();
        body.finish();
        assert_eq!(connections.lock().idle.len(), 1, "all of it had come");
    }
}
