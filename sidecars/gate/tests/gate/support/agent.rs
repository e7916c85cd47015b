//! A scripted agent on a Unix socket. It speaks raw HTTP, so that it can also speak it badly.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::within;

/// A request to the agent, whose answer the script writes.
pub struct Call {
    pub head: String,
    pub stream: UnixStream,
    /// Read beyond the head.
    pub rest: Vec<u8>,
}

type Script = Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Gone with everything it holds when it is dropped.
pub struct Agent {
    /// The head of each request, in order.
    pub heads: mpsc::UnboundedReceiver<String>,
    _stop: DropGuard,
}

impl Agent {
    /// Binds and answers every call with the script.
    pub fn start<F, A>(path: &Path, script: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = platform_kit::socket::bind(path, 0o666).unwrap();
        let script: Script = Arc::new(move |call| Box::pin(script(call)));
        let (told, heads) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        platform_kit::task::spawn("test agent", async move {
            loop {
                let stream = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let (script, told, stopped) = (script.clone(), told.clone(), stopped.clone());
                platform_kit::task::spawn("test call", async move {
                    let Some(call) = Call::read(stream).await else { return };
                    let _ = told.send(call.head.clone());
                    tokio::select! {
                        () = script(call) => {}
                        () = stopped.cancelled() => {}
                    }
                });
            }
        });
        Self { heads, _stop: stop.drop_guard() }
    }

    /// An agent that answers 200 with JSON, and echoes on sockets.
    pub fn echo(path: &Path) -> Self {
        Self::start(path, |call| async move {
            if call.is_socket() {
                let mut socket = call.accept().await;
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() && socket.send(message).await.is_err() {
                        return;
                    }
                }
            } else {
                call.answer("200 OK", "content-type: application/json\r\n", "{\"object\":\"list\"}").await;
            }
        })
    }

    /// The head of the next request.
    pub async fn head(&mut self) -> String {
        within(self.heads.recv()).await.unwrap()
    }
}

impl Call {
    async fn read(mut stream: UnixStream) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                return Some(Self { head: String::from_utf8(bytes).unwrap(), stream, rest });
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub fn is_socket(&self) -> bool {
        self.head.starts_with("GET /ws ")
    }

    pub async fn write(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// A plain answer.
    pub async fn answer(mut self, status: &str, fields: &str, body: &str) {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}\r\n", body.len());
        self.write(&(head + body)).await;
    }

    /// One chunk of a chunked body.
    pub async fn chunk(&mut self, text: &str) {
        self.write(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// Reads `length` bytes of the body.
    pub async fn body(&mut self, length: usize) -> String {
        while self.rest.len() < length {
            assert!(self.stream.read_buf(&mut self.rest).await.unwrap() > 0, "the body ended early");
        }
        String::from_utf8(self.rest.clone()).unwrap()
    }

    /// Waits until the gate has closed the connection.
    pub async fn gone(mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
    }

    /// Takes the upgrade.
    pub async fn accept(mut self) -> WebSocketStream<UnixStream> {
        let key = field(&self.head, "sec-websocket-key").unwrap().to_owned();
        let accept = derive_accept_key(key.as_bytes());
        self.write(&format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        ))
        .await;
        WebSocketStream::from_raw_socket(self.stream, Role::Server, None).await
    }
}

/// A field of a head.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|f| f.1.trim())
}

pub async fn say(socket: &mut WebSocketStream<UnixStream>, text: &str) -> bool {
    socket.send(Message::text(text)).await.is_ok()
}
