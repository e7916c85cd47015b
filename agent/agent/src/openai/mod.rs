//! The OpenAI-compatible endpoint for scripts: `model` names a bot, the messages given are the history.
//!
//! Such a turn runs on the same machine as a chat, with the bot's instructions and tools. It is counted but not stored:
//! the script keeps its own history. A client that goes away cancels its turn.

mod answer;
mod request;

use std::sync::Arc;

use agent_core::turn::Setup;
use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, StatusCode};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::agent::{AgentConfig, SessionKind};
use platform_types::chat::TOKEN_HEADER;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::audit::TurnAudit;
use crate::driver::{Driver, MAX_TURN, Owner, Signals};
use crate::lifecycle::Lifecycle;
use crate::mind::MAX_SCRIPT_TURNS;

/// Longest request: a conversation that fills the largest context windows.
pub const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;
/// Longest name of a token.
const MAX_TOKEN_NAME_BYTES: usize = 128;

/// Body of `GET /v1/models`: the bots.
#[derive(Debug, Serialize)]
pub struct BotList {
    object: &'static str,
    data: Vec<BotModel>,
}

#[derive(Debug, Serialize)]
struct BotModel {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

pub fn models_route() -> MethodRouter<Arc<Lifecycle>> {
    get(models)
}

pub fn completions_route() -> MethodRouter<Arc<Lifecycle>> {
    post(completions).layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
}

async fn models(State(lifecycle): State<Arc<Lifecycle>>, headers: HeaderMap) -> Result<Json<BotList>, Failure> {
    token(&headers)?;
    let config = lifecycle.mind()?.config();
    let model = |bot: &platform_types::agent::Bot| BotModel {
        id: bot.name.to_string(),
        object: "model",
        created: 0,
        owned_by: "bot-platform",
    };
    Ok(Json(BotList { object: "list", data: config.bots.iter().map(model).collect() }))
}

async fn completions(
    State(lifecycle): State<Arc<Lifecycle>>,
    headers: HeaderMap,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let token = token(&headers)?;
    let mind = lifecycle.mind()?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::new(ErrorCode::TooLarge, format!("the request is longer than {MAX_REQUEST_BYTES} bytes"))
        }
        _ => Failure::new(ErrorCode::BadRequest, rejection.body_text()),
    })?;
    let asked = request::parse(&body)?;
    let config = mind.config();
    let bot = Arc::new(find(&config, &asked.model)?);
    let Ok(slot) = mind.scripts.clone().try_acquire_owned() else {
        let words = format!("{MAX_SCRIPT_TURNS} completions of scripts are running; try again");
        return Err(Failure::new(ErrorCode::RateLimited, words).with_retry_after(2));
    };
    let id = platform_kit::random::id();
    let setup = Setup {
        // Scripts bring along what the bot has to know.
        standing: Vec::new(),
        id: id.clone(),
        model: bot.model.clone(),
        system: asked.system(&bot.instructions),
        history: asked.history,
        message: asked.message,
        tools: mind.tooling.registry.offered(&bot, (&*config).into()),
        sampling: asked.sampling,
        context_window: mind.tooling.window(&bot.model).await,
    };
    tracing::info!(turn = id, bot = bot.name.as_str(), token, "script turn started");
    let audit =
        TurnAudit { audit: mind.audit.clone(), turn: id.clone(), actor: format!("bot {} for token {token}", bot.name) };
    audit.started();
    let owner = Owner { bot: bot.clone(), kind: SessionKind::Script, config, audit, limit: MAX_TURN, desk: None };
    // Nobody decides anything in a script's turn.
    let (_, decisions) = mpsc::channel(1);
    let signals = Signals { cancel: mind.interrupted(), decisions };
    let driver = Driver::new(setup, owner, mind.tooling.clone(), signals);
    let running = answer::Running::new(driver, slot, mind.counters.clone(), mind.tooling.clock.clone());
    let head = answer::Head { id, model: bot.name.to_string(), created: lifecycle.now().as_millis() / 1000 };
    if asked.stream {
        answer::streamed(running, head, asked.include_usage).await
    } else {
        answer::plain(running, head).await
    }
}

/// The script token that the gate authenticated, by its name.
fn token(headers: &HeaderMap) -> Result<String, Failure> {
    let text = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
    text.filter(|text| !text.is_empty() && text.len() <= MAX_TOKEN_NAME_BYTES)
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(ErrorCode::Unauthorized, format!("{TOKEN_HEADER} must name a token")))
}

fn find(config: &AgentConfig, model: &str) -> Result<platform_types::agent::Bot, Failure> {
    config.bots.iter().find(|bot| bot.name.as_str() == model).cloned().ok_or_else(|| {
        let names: Vec<&str> = config.bots.iter().map(|bot| bot.name.as_str()).collect();
        let words = format!("there is no bot {model:?}; `model` is one of: {}", names.join(", "));
        Failure::new(ErrorCode::ModelNotFound, words).with_param("model")
    })
}
