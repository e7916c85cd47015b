//! The conformance table: what each server really sends, recorded, and what becomes of it.
//!
//! | file | server |
//! |---|---|
//! | [`vllm`] | vLLM 0.33 |
//! | [`sglang`] | SGLang 0.5 |
//! | [`llama_cpp`] | llama-server with one model, and as a router of several; `llama_cpp.server` of the Python package |
//! | [`ollama`], [`llama_swap`], [`lm_studio`] | these |
//!
//! One test a column: lists, health, answers, streams, errors in the middle of a stream, errors as a status.

mod llama_cpp;
mod llama_swap;
mod lm_studio;
pub mod log;
mod ollama;
mod sglang;
mod vllm;

use platform_types::meters::{Provider, UsageReport};
use platform_types::spark::{Backend, ModelList, SparkHealth};
use platform_types::{ErrorCode, ModelId};

use self::log::Originals;
use crate::running::{Running, chat};
use crate::scripted::*;
use spark::place::Limits;

/// What is recorded of one server.
#[derive(Clone, Copy)]
pub struct Server {
    pub name: &'static str,
    pub provider: Provider,
    /// Body of `GET /v1/models`.
    pub list: &'static str,
    /// The entry that is asked, and what is known of it.
    pub model: &'static str,
    pub window: Option<u32>,
    pub loaded: Option<bool>,
    /// Answers to `GET /v1/models` while it is not well.
    pub unwell: &'static [Refused],
    /// A plain answer.
    pub plain: &'static str,
    pub streams: &'static [Stream],
    /// Error events behind words: a code of the row, and the event as it comes.
    pub late: &'static [(&'static str, &'static str)],
    /// Answers to a chat request.
    pub errors: &'static [Refused],
}

/// An answer with an error status, and what it becomes.
#[derive(Clone, Copy)]
pub struct Refused {
    pub what: &'static str,
    pub status: u16,
    pub headers: &'static str,
    pub body: &'static str,
    pub code: ErrorCode,
    /// In the message.
    pub words: &'static str,
}

/// A stream without its `[DONE]`: events, each with its blank line.
#[derive(Clone, Copy)]
pub struct Stream {
    pub what: &'static str,
    pub events: &'static [&'static str],
    /// The usage-only chunk, where there is one.
    pub usage: Option<&'static str>,
    /// Input, cached, output tokens as they are counted.
    pub tokens: (u64, u64, u64),
    pub estimated: bool,
}

const SERVERS: [Server; 8] = [
    vllm::SERVER,
    sglang::SERVER,
    llama_cpp::SINGLE,
    llama_cpp::ROUTER,
    llama_cpp::PYTHON,
    ollama::SERVER,
    llama_swap::SERVER,
    lm_studio::SERVER,
];
const STREAM: &str = r#","stream":true"#;
const STREAM_WITH_USAGE: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;
const DONE: &str = "data: [DONE]\n\n";
/// A prompt of 5,000 tokens and a window of 2,048, in the one message for all servers.
const BOTH_NUMBERS: &str = "has 5000 tokens, the context window of the model 2048";

impl Server {
    fn backend(&self, scripted: &ScriptedBox) -> Backend {
        Backend::Box { url: scripted.url.clone(), model: ModelId::new(self.model).unwrap(), key: None }
    }

    /// The router in front of a box that answers chats so.
    async fn answering(&self, steps: Vec<Step>) -> (std::sync::Arc<ScriptedBox>, Running) {
        let list = self.list;
        let scripted =
            ScriptedBox::start(move |seen| if seen.is_list() { whole(200, "", list) } else { steps.clone() }).await;
        let running = Running::with(self.backend(&scripted), Limits::default()).await;
        (scripted, running)
    }
}

impl Stream {
    fn body(&self) -> String {
        let events = self.events.iter().copied().chain(self.usage);
        let events: String = events.flat_map(|event| ["data: ", event, "\n\n"]).collect();
        format!("{events}{DONE}")
    }
}

#[tokio::test]
async fn lists_and_health() {
    for server in SERVERS {
        let (scripted, running) = server.answering(whole(200, "", server.plain)).await;
        let list: ModelList = running.admin().get("/models").await.unwrap();
        let found = list.data.iter().find(|model| model.id.as_str() == server.model).unwrap();
        assert_eq!((found.context_window, found.loaded), (server.window, server.loaded), "{}", server.name);
        let health: SparkHealth = running.admin().get("/health").await.unwrap();
        assert_eq!(
            (health.reachable, health.answering, health.model_listed, health.problem),
            (true, true, true, None),
            "{}",
            server.name
        );
        let unknown = running.lane("ops").ask(chat("fantasy/none", "hi", "")).await;
        assert_eq!(unknown.refusal().0, "model_not_found", "{}", server.name);
        assert!(unknown.text.contains(server.model), "{}: the real ids are named", server.name);
        assert!(scripted.chats().is_empty(), "{}: whatever it would have answered", server.name);
    }
}

#[tokio::test]
async fn a_server_that_is_not_well() {
    for (server, row) in SERVERS.iter().flat_map(|server| server.unwell.iter().map(move |row| (server, *row))) {
        let what = format!("{}: {}", server.name, row.what);
        let scripted = ScriptedBox::start(move |_| whole(row.status, row.headers, row.body)).await;
        let running = Running::with(server.backend(&scripted), Limits::default()).await;
        let health: SparkHealth = running.admin().get("/health").await.unwrap();
        assert_eq!((health.reachable, health.answering, health.model_listed), (true, false, false), "{what}");
        let problem = health.problem.unwrap();
        assert!(problem.contains(row.words), "{what}: {problem}");
        let answer = running.lane("ops").ask(chat(server.model, "hi", "")).await;
        assert_eq!(answer.refusal().0, row.code.as_str(), "{what}");
        assert!(scripted.chats().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn plain_answers_pass_byte_for_byte() {
    for server in SERVERS {
        let (_, running) = server.answering(whole(200, "", server.plain)).await;
        let answer = running.lane("ops").ask(chat(server.model, "hi", "")).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, server.plain), "{}", server.name);
    }
}

#[tokio::test]
async fn streams_pass_byte_for_byte_and_are_counted() {
    for (server, row) in SERVERS.iter().flat_map(|server| server.streams.iter().map(move |row| (server, *row))) {
        let what = format!("{}: {}", server.name, row.what);
        let (_, running) = server.answering(stream(&row.body())).await;
        let answer = running.lane("ops").ask(chat(server.model, "hi", STREAM_WITH_USAGE)).await;
        assert_eq!((answer.status, answer.text), (200, row.body()), "{what}");
        let answer = running.lane("ops").ask(chat(server.model, "hi", STREAM)).await;
        let without = Stream { usage: None, ..row }.body();
        assert_eq!((answer.status, answer.text), (200, without), "{what}: nobody asked for usage");

        let meters = running.counted("both have ended", |status| status.inflight == 0).await.meters;
        assert_eq!(meters.operations[0].provider, server.provider, "{what}");
        let report: UsageReport = running.admin().get("/usage").await.unwrap();
        let used = report.rows[0].used;
        let (input, cached, output) = row.tokens;
        assert_eq!(
            (used.input_tokens, used.cached_tokens, used.output_tokens),
            (2 * input, 2 * cached, 2 * output),
            "{what}"
        );
        assert_eq!(used.estimated, if row.estimated { 2 } else { 0 }, "{what}");
    }
}

#[tokio::test]
async fn errors_in_the_middle_of_a_stream_pass_and_count() {
    let originals = Originals::default();
    let _guard = tracing::subscriber::set_default(originals.clone());
    for (server, (code, event)) in SERVERS.iter().flat_map(|server| server.late.iter().map(move |row| (server, *row))) {
        let what = format!("{}: {event}", server.name);
        let words = format!("data: {}\n\n", server.streams[0].events[0]);
        let (_, running) = server.answering(stream(&format!("{words}{event}"))).await;
        let answer = running.lane("ops").ask(chat(server.model, "hi", STREAM)).await;
        assert_eq!(answer.status, 200, "{what}");
        assert!(
            answer.text.starts_with(&words) && answer.text.matches("\"error\":").count() == 1,
            "{what}: {}",
            answer.text
        );
        assert!(!answer.text.contains("data: {\"object\":\"error\""), "{what}: no client knows this shape");
        let status = running.counted("it has ended", |status| status.inflight == 0).await;
        let failed: Vec<_> = status.meters.operations.iter().map(|one| one.error.as_deref()).collect();
        assert_eq!((status.errors_total, failed.as_slice()), (1, &[Some(code)][..]), "{what}");
        let (_, said) = event.split_once('{').unwrap();
        let said = said.lines().next().unwrap();
        assert!(originals.last().ends_with(said), "{what}: {}", originals.last());
    }
}

#[tokio::test]
async fn errors_become_one_shape_and_the_log_has_the_original() {
    let originals = Originals::default();
    let _guard = tracing::subscriber::set_default(originals.clone());
    for (server, row) in SERVERS.iter().flat_map(|server| server.errors.iter().map(move |row| (server, *row))) {
        let what = format!("{}: {}", server.name, row.what);
        let (scripted, running) = server.answering(whole(row.status, row.headers, row.body)).await;
        for extra in ["", STREAM] {
            let answer = running.lane("ops").ask(chat(server.model, "hi", extra)).await;
            let (code, message) = answer.refusal();
            assert_eq!((code.as_str(), answer.origin.as_deref()), (row.code.as_str(), Some("backend")), "{what}");
            assert!(message.contains(row.words), "{what}: {message}");
            running.counted("it has ended", |status| status.inflight == 0).await;
            let shown: String = row.body.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(originals.last(), format!("{}: {shown}", row.status).trim_end(), "{what}");
        }
        assert_eq!(scripted.chats().len(), 2, "{what}: an error is not asked for again");
    }
}

#[tokio::test]
async fn an_error_in_the_place_of_a_stream_is_a_status() {
    for (server, (_, event)) in SERVERS.iter().flat_map(|server| server.late.iter().map(move |row| (server, *row))) {
        let (_, running) = server.answering(stream(event)).await;
        let answer = running.lane("ops").ask(chat(server.model, "hi", STREAM)).await;
        assert!(answer.status >= 400 && answer.origin.as_deref() == Some("backend"), "{}: {answer:?}", server.name);
    }
}

#[tokio::test]
async fn a_stream_of_200_and_nothing_is_an_error() {
    for server in SERVERS {
        for body in ["", ":\n\n", DONE] {
            let (_, running) = server.answering(stream(body)).await;
            let answer = running.lane("ops").ask(chat(server.model, "hi", STREAM)).await;
            // A ping had let the head go: then it is the last event.
            let code = if answer.status == 200 { answer.text.clone() } else { answer.refusal().0 };
            assert!(code.contains("upstream_empty_stream"), "{}: {body:?}: {code}", server.name);
        }
    }
}
