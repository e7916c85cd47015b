//! One completion, streamed. Dropping it closes the connection, which cancels it upstream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use agent_core::prompt::{ModelRequest, Usage};
use agent_core::turn::{CallFragment, FinishReason};
use bytes::Bytes;
use http::{Method, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Frame};
use platform_kit::client::Client;
use platform_kit::connection::{AnswerBody, Keeping};
use platform_kit::socket::Peer;
use platform_types::BotName;
use platform_types::spark::{BOT_HEADER, PRIORITY_HEADER, PROGRESS_HEADER, Priority, Progress, TURN_HEADER};
use tokio::time::Instant;

use crate::LlmError;
use crate::sse::{Broken, Parser};
use crate::wire::{self, Chunk, ChunkDelta};

/// Longest error body that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Shortest time between two pieces of text. A fast model says many words in that time: they become one piece, since each
/// costs every page a message and a repaint. The first one comes at once, and an end waits for nothing.
const TEXT_PACE: Duration = Duration::from_millis(16);
/// Pieces of a body that are taken together because all of them are there already.
const MAX_FRAMES_AT_ONCE: usize = 16;
/// Turns follow each other closely, and so do the calls of one. Spark gives a connection more time than this.
const KEEPING: Keeping = Keeping { most: 4, idle: Duration::from_secs(3) };
/// After the last words some servers keep the connection and never say `[DONE]`.
const AFTER_FINISH: Duration = Duration::from_secs(2);

/// How long a model may take. Spark has shorter limits of its own and says which one was hit; these catch a dead spark.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Queue and prompt: minutes on a small box.
    pub first_byte: Duration,
    /// Between two pieces. Servers ping with comments.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_byte: Duration::from_mins(15), idle: Duration::from_mins(5) }
    }
}

/// Calls the model socket.
#[derive(Debug, Clone)]
pub struct LlmClient {
    client: Client,
    timeouts: Timeouts,
}

/// Who asks: for spark's queue, its log and its counts.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The turn's id.
    pub turn: &'a str,
    pub bot: &'a BotName,
    pub priority: Priority,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Nothing is said yet; what it waits for.
    Waits(Progress),
    Text(String),
    Fragment(CallFragment),
    /// The last one.
    Finished {
        reason: FinishReason,
        usage: Option<Usage>,
    },
}

impl LlmClient {
    /// The directory of the socket belongs to spark, and is mounted read-only: its name can be trusted.
    pub fn new(socket: impl Into<PathBuf>, timeouts: Timeouts) -> Self {
        Self { client: Client::new(socket, Peer::Trusted, timeouts.first_byte).keeping(KEEPING), timeouts }
    }

    pub(crate) fn http(&self) -> &Client {
        &self.client
    }

    /// Starts a completion.
    pub async fn stream(&self, asker: Asker<'_>, request: &ModelRequest) -> Result<Completion, LlmError> {
        let body = serde_json::to_vec(&wire::Request::new(request))
            .map_err(|error| LlmError::Invalid(format!("the request cannot be written ({error})")))?;
        let request = http::Request::builder()
            .method(Method::POST)
            .uri("/v1/chat/completions")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .header(TURN_HEADER, asker.turn)
            .header(BOT_HEADER, asker.bot.as_str())
            .header(PRIORITY_HEADER, asker.priority.as_str())
            .header(PROGRESS_HEADER, "1")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| LlmError::Invalid(format!("the request cannot be written ({error})")))?;
        let response = self.client.open(request).await.map_err(LlmError::from_call)?;
        let status = response.status();
        if !status.is_success() {
            let limited = Limited::new(response.into_body(), MAX_ERROR_BYTES).collect();
            let body = tokio::time::timeout(self.timeouts.idle, limited).await.map_err(|_| LlmError::Idle)?;
            let body = body.map_err(|_| LlmError::Invalid(format!("{status} without a readable reason")))?;
            return Err(LlmError::from_body(&body.to_bytes()));
        }
        Ok(Completion {
            body: Some(response.into_body()),
            idle: self.timeouts.idle,
            parser: Parser::default(),
            ready: VecDeque::new(),
            reason: None,
            usage: None,
            called: false,
            next_text: Instant::now(),
            over: false,
        })
    }
}

/// A running completion.
#[derive(Debug)]
pub struct Completion {
    /// Until the answer is over.
    body: Option<AnswerBody>,
    idle: Duration,
    parser: Parser,
    ready: VecDeque<Result<Delta, LlmError>>,
    reason: Option<FinishReason>,
    usage: Option<Usage>,
    /// A tool was called: some servers say `stop` all the same.
    called: bool,
    /// When the next piece of text is due.
    next_text: Instant,
    over: bool,
}

impl Completion {
    /// The next piece; after [`Delta::Finished`] or an error there is none. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Delta, LlmError>> {
        loop {
            if self.may_gather() {
                // One timer for all that comes, not one for each piece.
                if let Ok(Err(error)) = tokio::time::timeout_at(self.next_text, self.gather()).await {
                    self.fail(error);
                }
            }
            if let Some(delta) = self.ready.pop_front() {
                if matches!(delta, Ok(Delta::Text(_))) {
                    self.next_text = Instant::now() + TEXT_PACE;
                }
                return Some(delta);
            }
            if self.over {
                return None;
            }
            if let Err(error) = self.read().await {
                self.fail(error);
            }
            self.drain().await;
        }
    }

    /// Text that came together goes together: takes what has come already, up to [`MAX_FRAMES_AT_ONCE`].
    async fn drain(&mut self) {
        for _ in 0..MAX_FRAMES_AT_ONCE {
            if self.over || !self.has_only_text() {
                return;
            }
            let Some(body) = &mut self.body else { return };
            let come = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context))).await;
            let Poll::Ready(frame) = come else { return };
            if let Err(error) = self.take(frame) {
                self.fail(error);
            }
        }
    }

    fn has_only_text(&self) -> bool {
        self.ready.len() == 1 && matches!(self.ready.front(), Some(Ok(Delta::Text(_))))
    }

    /// Text is ready before its time, and more may come to go with it.
    fn may_gather(&self) -> bool {
        self.has_only_text() && !self.over && Instant::now() < self.next_text
    }

    fn fail(&mut self, error: LlmError) {
        self.over = true;
        self.body = None;
        self.ready.push_back(Err(error));
    }

    /// Reads on until the text is due or something else comes.
    async fn gather(&mut self) -> Result<(), LlmError> {
        while self.may_gather() {
            let Some(body) = &mut self.body else { return Ok(()) };
            let frame = body.frame().await;
            self.take(frame)?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), LlmError> {
        let patience = if self.reason.is_some() { AFTER_FINISH } else { self.idle };
        let Some(body) = &mut self.body else { return Err(LlmError::BrokeOff) };
        match tokio::time::timeout(patience, body.frame()).await {
            Ok(frame) => self.take(frame),
            Err(_) if self.reason.is_some() => self.finish(),
            Err(_) => Err(LlmError::Idle),
        }
    }

    fn take(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>) -> Result<(), LlmError> {
        let mut events = Vec::new();
        let ended = match frame {
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                self.parser.push(&data, &mut events).map_err(broken)?;
                false
            }
            None => {
                self.parser.finish(&mut events).map_err(broken)?;
                true
            }
            Some(Err(_)) if self.reason.is_some() => true,
            Some(Err(_)) => return Err(LlmError::BrokeOff),
        };
        if let Some(progress) = self.parser.progress().filter(|_| events.is_empty()) {
            self.ready.push_back(Ok(Delta::Waits(progress)));
        }
        for event in events {
            if self.over {
                break;
            }
            self.event(&event)?;
        }
        if ended && !self.over { self.finish() } else { Ok(()) }
    }

    fn event(&mut self, data: &str) -> Result<(), LlmError> {
        let data = data.trim();
        if data == "[DONE]" {
            return self.finish();
        }
        if data.is_empty() {
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|error| LlmError::Invalid(format!("an event that is not a chunk ({error})")))?;
        let Chunk { choices, usage, error } = chunk;
        if error.is_some() {
            return Err(LlmError::from_body(data.as_bytes()));
        }
        if let Some(usage) = usage {
            self.usage = Some(usage.into());
        }
        for choice in choices.into_iter().flatten().filter(|choice| choice.index == 0) {
            self.delta(choice.delta.unwrap_or_default());
            if let Some(reason) = choice.finish_reason {
                self.reason = Some(wire::finish_reason(&reason));
            }
        }
        Ok(())
    }

    fn delta(&mut self, delta: ChunkDelta) {
        let ChunkDelta { content, tool_calls } = delta;
        if let Some(text) = content.filter(|text| !text.is_empty()) {
            match self.ready.back_mut() {
                Some(Ok(Delta::Text(before))) => before.push_str(&text),
                _ => self.ready.push_back(Ok(Delta::Text(text))),
            }
        }
        for (place, call) in tool_calls.into_iter().flatten().enumerate() {
            let (name, arguments) = call.function.map_or((None, None), |function| (function.name, function.arguments));
            let fragment = CallFragment {
                index: call.index.unwrap_or(place),
                name: name.filter(|name| !name.is_empty()),
                arguments: arguments.unwrap_or_default(),
            };
            self.called = true;
            self.ready.push_back(Ok(Delta::Fragment(fragment)));
        }
    }

    fn finish(&mut self) -> Result<(), LlmError> {
        let reason = match self.reason.take() {
            Some(FinishReason::Stop) if self.called => FinishReason::ToolCalls,
            Some(reason) => reason,
            None => return Err(LlmError::BrokeOff),
        };
        self.over = true;
        if let Some(body) = self.body.take() {
            body.finish();
        }
        self.ready.push_back(Ok(Delta::Finished { reason, usage: self.usage }));
        Ok(())
    }
}

fn broken(broken: Broken) -> LlmError {
    LlmError::Invalid(match broken {
        Broken::LineTooLong => "an endless line".to_owned(),
        Broken::NotUtf8 => "text that is not UTF-8".to_owned(),
    })
}
