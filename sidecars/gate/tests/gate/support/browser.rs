//! Browsers, scripts and attackers: HTTP as text, sockets as browsers open them.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Rig, TestDevice, within};

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of an error in the one shape.
    pub fn code(&self) -> String {
        let body = self.json();
        for field in ["message", "type", "code"] {
            assert!(body["error"][field].is_string(), "{body}");
        }
        assert_eq!(self.header("content-type"), "application/json");
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// The head of an answer whose body still comes.
pub struct Streaming {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Incoming,
}

impl Streaming {
    /// The next piece; `None` at a proper end.
    pub async fn piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        within(self.body.frame()).await.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }
}

pub type Fields<'a> = &'a [(&'a str, &'a str)];

impl Rig {
    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], "").await
    }

    /// A request of the page itself.
    pub async fn post(&self, target: &str, body: &Value) -> Answer {
        self.ask("POST", target, &[("origin", &self.origin())], &body.to_string()).await
    }

    pub async fn ask(&self, method: &str, target: &str, fields: Fields<'_>, body: &str) -> Answer {
        let Streaming { status, headers, body } = self.stream(method, target, fields, body).await;
        let body = within(body.collect()).await.unwrap().to_bytes();
        Answer { status, headers, body }
    }

    pub async fn stream(&self, method: &str, target: &str, fields: Fields<'_>, body: &str) -> Streaming {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        platform_kit::task::spawn("test connection", async move {
            let _ = connection.await;
        });
        let mut request = Request::builder().method(method).uri(target);
        if !fields.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.host());
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let response = within(sender.send_request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        Streaming { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends bytes and reads until the gate closes.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.tcp().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Opens a socket as a browser does, up to the challenge.
    pub async fn dial(&self) -> (Socket, Value) {
        let mut socket = self.dial_with(&[("origin", &self.origin())]).await.unwrap();
        let challenge = socket.hear().await;
        assert_eq!(challenge["type"], "challenge");
        (socket, challenge)
    }

    /// A socket on another route.
    pub async fn dial_at(&self, target: &str) -> Socket {
        self.dial_to(target, &[("origin", &self.origin())]).await.unwrap()
    }

    /// The same with other header fields; the error is the status of the answer.
    pub async fn dial_with(&self, fields: Fields<'_>) -> Result<Socket, u16> {
        self.dial_to("/ws", fields).await
    }

    async fn dial_to(&self, target: &str, fields: Fields<'_>) -> Result<Socket, u16> {
        let uri = format!("ws://gate{target}");
        let mut request = Request::builder().uri(&uri).header("host", self.host());
        for (name, value) in fields {
            if *name == "host" {
                request = Request::builder().uri(&uri);
            }
            request = request.header(*name, *value);
        }
        let key = tokio_tungstenite::tungstenite::handshake::client::generate_key();
        let request = request
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", key)
            .body(())
            .unwrap();
        match within(tokio_tungstenite::client_async(request, self.tcp().await)).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A connected, authenticated socket, and what `ready` said.
    pub async fn connect(&self, device: &TestDevice) -> (Socket, Value) {
        let mut socket = self.enter(device).await;
        let ready = socket.hear().await;
        assert_eq!(ready["type"], "ready", "{ready}");
        (socket, ready)
    }

    /// A socket that has answered its challenge.
    pub async fn enter(&self, device: &TestDevice) -> Socket {
        let (mut socket, challenge) = self.dial().await;
        socket.say(&device.auth(&challenge)).await;
        socket
    }
}

pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is the end as well.
    let _ = within(stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// A WebSocket of a browser.
pub struct Socket(pub WebSocketStream<TcpStream>);

impl Socket {
    pub async fn say(&mut self, message: &Value) {
        self.text(&message.to_string()).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }

    /// Reads to the end and tells the close code; messages on the way are thrown away.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("expected a close code, got {other:?}"),
            }
        }
    }

    /// A refusal: its code and the close code.
    pub async fn refused(&mut self) -> (String, u16) {
        let message = self.hear().await;
        assert_eq!(message["type"], "refused", "{message}");
        (message["code"].as_str().unwrap().to_owned(), self.closed().await)
    }
}
