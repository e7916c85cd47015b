//! The page's side: a WebSocket, and plain requests.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use platform_kit::client::Client;
use platform_kit::socket::Peer;
use platform_types::BotName;
use platform_types::chat::{
    Asking, Message, RunningTurn, SessionSummary, ToAgent, ToPage, ToolCard, ToolState, TurnOutcome,
};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::within;

/// A page's open connection.
pub struct Page {
    socket: WebSocketStream<UnixStream>,
    pub sessions: Vec<SessionSummary>,
}

/// An id as pages mint them.
pub fn id(n: u32) -> String {
    format!("{n:032x}")
}

impl Page {
    pub async fn connect(http: &Path, device: &str) -> Self {
        Self::connect_as(http, device, "chat,approve").await
    }

    /// With the scopes that the gate tells.
    pub async fn connect_as(http: &Path, device: &str, scopes: &str) -> Self {
        let mut page = Self::dial(http, Some(device), scopes).await.unwrap();
        let welcome = page.expect("welcome", |message| match message {
            ToPage::Welcome { sessions, .. } => Some(sessions.clone()),
            _ => None,
        });
        page.sessions = welcome.await;
        page
    }

    pub async fn try_connect(http: &Path, device: Option<&str>) -> Result<Self, Box<Error>> {
        Self::dial(http, device, "chat,approve").await
    }

    async fn dial(http: &Path, device: Option<&str>, scopes: &str) -> Result<Self, Box<Error>> {
        let stream = UnixStream::connect(http).await.unwrap();
        let mut request = "ws://localhost/ws".into_client_request().unwrap();
        if let Some(device) = device {
            request.headers_mut().insert("x-bot-device", device.parse().unwrap());
        }
        request.headers_mut().insert("x-bot-scopes", scopes.parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?;
        Ok(Self { socket, sessions: Vec::new() })
    }

    pub async fn say(&mut self, message: &ToAgent) {
        self.raw(Frame::text(serde_json::to_string(message).unwrap())).await;
    }

    pub async fn raw(&mut self, frame: Frame) {
        assert!(self.try_raw(frame).await, "the agent takes the frame");
    }

    /// `false` when the agent closed the connection meanwhile.
    pub async fn try_raw(&mut self, frame: Frame) -> bool {
        within("a frame to be sent", self.socket.send(frame)).await.is_ok()
    }

    /// The next message, whatever it is.
    pub async fn next(&mut self) -> ToPage {
        loop {
            match within("a message", self.socket.next()).await {
                Some(Ok(Frame::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                other => panic!("the connection ended: {other:?}"),
            }
        }
    }

    /// Reads on until `pick` finds what it looks for.
    pub async fn expect<T>(&mut self, what: &str, pick: impl Fn(&ToPage) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let found = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let message = self.next().await;
                if let Some(found) = pick(&message) {
                    return found;
                }
                seen.push(message);
            }
        });
        found.await.unwrap_or_else(|_| panic!("waited too long for {what}; saw {seen:#?}"))
    }

    /// Reads on until the connection is closed, and gives the close code.
    pub async fn closed(&mut self) -> Option<u16> {
        within("the connection to be closed", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Frame::Close(frame))) => return frame.map(|frame| frame.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        })
        .await
    }

    /// Makes a session with this bot and opens it.
    pub async fn session(&mut self, n: u32, bot: &str) -> String {
        let session = id(n);
        self.say(&ToAgent::CreateSession { id: session.clone(), bot: BotName::new(bot).unwrap() }).await;
        let wanted = session.clone();
        self.expect("the session", move |message| match message {
            ToPage::Sessions { sessions } => sessions.iter().any(|s| s.id == wanted).then_some(()),
            _ => None,
        })
        .await;
        self.open(&session).await;
        session
    }

    pub async fn open(&mut self, session: &str) -> (Vec<Message>, bool, Option<RunningTurn>) {
        self.say(&ToAgent::Open { session: session.to_owned() }).await;
        self.history().await
    }

    pub async fn history(&mut self) -> (Vec<Message>, bool, Option<RunningTurn>) {
        self.expect("history", |message| match message {
            ToPage::History { messages, more, turn, .. } => Some((messages.clone(), *more, turn.clone())),
            _ => None,
        })
        .await
    }

    /// Sends a message and waits until it is durable.
    pub async fn send(&mut self, session: &str, n: u32, text: &str) -> Message {
        self.say(&ToAgent::Send { session: session.to_owned(), id: id(n), text: text.to_owned() }).await;
        let wanted = id(n);
        self.expect("the acknowledgement", move |message| match message {
            ToPage::Message { message, .. } if message.id == wanted => Some(message.clone()),
            ToPage::Failed { message, .. } => panic!("not sent: {message}"),
            _ => None,
        })
        .await
    }

    /// Waits for the first words of an answer.
    pub async fn delta(&mut self) -> String {
        self.expect("words", |message| match message {
            ToPage::Delta { text, .. } => Some(text.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the bot's message.
    pub async fn answer(&mut self) -> Message {
        self.expect("an answer", |message| match message {
            ToPage::Message { message, .. } if message.author == platform_types::chat::Author::Bot => {
                Some(message.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits until a tool asks.
    pub async fn asked(&mut self) -> (ToolCard, Asking) {
        self.expect("a question", |message| match message {
            ToPage::Turn { turn, .. } => turn.tools.iter().find_map(|card| Some((card.clone(), card.asking.clone()?))),
            _ => None,
        })
        .await
    }

    /// Waits until a tool is in this state.
    pub async fn tool(&mut self, state: ToolState) -> ToolCard {
        self.expect("the tool's state", |message| match message {
            ToPage::Turn { turn, .. } => turn.tools.iter().rev().find(|card| card.state == state).cloned(),
            _ => None,
        })
        .await
    }

    pub async fn decide(&mut self, asking: &Asking, allow: bool) {
        let Asking { approval, digest, .. } = asking.clone();
        self.say(&ToAgent::Decide { approval, digest, allow }).await;
    }

    pub async fn ended(&mut self) -> TurnOutcome {
        self.expect("the end", |message| match message {
            ToPage::Ended { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .await
    }

    pub async fn failed(&mut self) -> (String, String) {
        self.expect("a failure", |message| match message {
            ToPage::Failed { code, message, .. } => Some((code.clone(), message.clone())),
            _ => None,
        })
        .await
    }
}

/// One plain request: status, headers, body.
pub async fn request(
    http: &Path,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (u16, HeaderMap, String) {
    let client = Client::new(http, Peer::Trusted, Duration::from_secs(20));
    let mut request = Request::builder().method(method).uri(target).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request =
        request.header("content-type", "application/json").body(Full::new(axum::body::Bytes::from(body))).unwrap();
    let response = client.open(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = within("the body", body.collect()).await.unwrap().to_bytes();
    (head.status.as_u16(), head.headers, String::from_utf8_lossy(&bytes).into_owned())
}
