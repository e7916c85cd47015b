//! The methods of the server, over the gate, with the Bot API's names.

use agent_core::channel::Me;
use agent_core::channel::html::html;
use agent_core::channel::rich::Rich;
use agent_store::ChatPlace;
use agent_tools::Egress;
use axum::body::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use platform_types::egress::TURN_HEADER;
use platform_types::update::{Refusal, Update, Updates};
use platform_types::{ErrorBody, UpstreamName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::trouble::{Trouble, WireError};

/// How long the server waits for news. The gate waits a minute for its answer.
const POLL_SECONDS: u32 = 25;
/// Longest words in answer to a button (Bot API, `answerCallbackQuery`).
const MAX_ANSWER_CHARS: usize = 200;

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    egress: Egress,
    name: UpstreamName,
}

/// A message to be sent, or what it is to become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Post<'a> {
    pub place: &'a ChatPlace,
    pub text: &'a Rich,
    /// The message that it answers, by the chat's own number.
    pub reply_to: Option<i64>,
    pub buttons: &'a [Button],
    /// Names the answer, for the record.
    pub about: Option<&'a str>,
}

/// Stands below a message, all in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Button {
    /// Comes back as [`platform_types::update::Press`].
    Press { label: String, data: String },
    /// Opens a page.
    Open { label: String, url: String },
}

#[derive(Debug, Deserialize)]
struct Whole<T> {
    result: T,
}

#[derive(Debug, Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    username: String,
}

#[derive(Debug, Deserialize)]
struct Sent {
    message_id: i64,
}

impl<'a> Post<'a> {
    pub fn new(place: &'a ChatPlace, text: &'a Rich) -> Self {
        Self { place, text, reply_to: None, buttons: &[], about: None }
    }
}

impl Server {
    pub fn new(egress: Egress, name: UpstreamName) -> Self {
        Self { egress, name }
    }

    pub async fn me(&self) -> Result<Me, WireError> {
        let request = Request::get("/getMe").header(header::HOST, self.name.as_str()).body(Full::default())?;
        let Whole { result: User { id, username } } = serde_json::from_slice(&self.ask(request).await?)?;
        Ok(Me { id, username })
    }

    /// Waits for at most `limit` updates from `offset` on; those before it are over.
    pub async fn updates(&self, offset: Option<i64>, limit: u32) -> Result<Vec<Update>, WireError> {
        let mut body =
            json!({ "timeout": POLL_SECONDS, "limit": limit, "allowed_updates": ["message", "callback_query"] });
        if let Some(offset) = offset {
            body["offset"] = offset.into();
        }
        let Updates { result, .. } = serde_json::from_slice(&self.post("/getUpdates", &body, None).await?)?;
        Ok(result)
    }

    /// Sends a message; its number in the chat.
    pub async fn send(&self, post: Post<'_>) -> Result<i64, WireError> {
        let mut body = json!({});
        if let Some(topic) = post.place.topic {
            body["message_thread_id"] = topic.into();
        }
        if let Some(number) = post.reply_to {
            body["reply_parameters"] = json!({ "message_id": number, "allow_sending_without_reply": true });
        }
        let answer = self.write("/sendMessage", body, post).await?;
        let Whole { result: Sent { message_id } } = serde_json::from_slice(&answer)?;
        Ok(message_id)
    }

    /// Makes a message say something else, with these buttons and no others. That it says so already is fine.
    pub async fn edit(&self, number: i64, post: Post<'_>) -> Result<(), WireError> {
        match self.write("/editMessageText", json!({ "message_id": number }), post).await {
            Err(error) if error.trouble() == Trouble::Same => Ok(()),
            other => other.map(drop),
        }
    }

    /// Shows for a while that somebody is writing.
    pub async fn typing(&self, place: &ChatPlace) -> Result<(), WireError> {
        let mut body = json!({ "chat_id": place.chat, "action": "typing" });
        if let Some(topic) = place.topic {
            body["message_thread_id"] = topic.into();
        }
        self.post("/sendChatAction", &body, None).await.map(drop)
    }

    /// Answers whoever pressed a button.
    pub async fn answer(&self, press: &str, words: &str) -> Result<(), WireError> {
        let words: String = words.chars().take(MAX_ANSWER_CHARS).collect();
        let body = json!({ "callback_query_id": press, "text": words });
        self.post("/answerCallbackQuery", &body, None).await.map(drop)
    }

    /// With tags where there are some; plainly where the server cannot read them.
    async fn write(&self, method: &str, mut body: Value, post: Post<'_>) -> Result<Bytes, WireError> {
        body["chat_id"] = json!(post.place.chat);
        body["link_preview_options"] = json!({ "is_disabled": true });
        if !post.buttons.is_empty() {
            let row: Vec<Value> = post.buttons.iter().map(Button::json).collect();
            body["reply_markup"] = json!({ "inline_keyboard": [row] });
        }
        if let Some(html) = html(post.text).filter(|_| post.text.is_styled()) {
            let mut body = body.clone();
            (body["text"], body["parse_mode"]) = (html.into(), "HTML".into());
            match self.post(method, &body, post.about).await {
                Err(error) if error.trouble() == Trouble::Unreadable => {
                    tracing::warn!(channel = %self.name, error = &error as &dyn std::error::Error, "sent as plain text");
                }
                other => return other,
            }
        }
        body["text"] = post.text.text().into();
        self.post(method, &body, post.about).await
    }

    async fn post(&self, method: &str, body: &Value, about: Option<&str>) -> Result<Bytes, WireError> {
        let mut request = Request::post(method)
            .header(header::HOST, self.name.as_str())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(about) = about {
            request = request.header(TURN_HEADER, about);
        }
        self.ask(request.body(Full::from(body.to_string()))?).await
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Bytes, WireError> {
        let (status, body) = self.egress.send(request).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => WireError::Refused { code: error.code, message: error.message },
            Err(_) => WireError::Server(refusal(status, &body)),
        })
    }
}

impl Button {
    fn json(&self) -> Value {
        match self {
            Self::Press { label, data } => json!({ "text": label, "callback_data": data }),
            Self::Open { label, url } => json!({ "text": label, "url": url }),
        }
    }
}

/// What the server said, or what its status says.
fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    let said: Refusal = serde_json::from_slice(body).unwrap_or_default();
    Refusal { error_code: status.as_u16(), ..said }
}
