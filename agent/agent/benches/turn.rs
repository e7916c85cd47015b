//! The agent's own time in a turn: an instant model, a page on the agent's own socket, answer durably stored.
//!
//! `cargo bench -p agent` measures the program that cargo built; `BOT_AGENT=path` measures another, such as one made with
//! `--profile dist`. `TMPDIR` chooses the disk. Printed beside it: the bare fsync of that disk, start to ready, and memory.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails is over, and prints")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Json;
use axum::routing::{get, post};
use futures_util::{SinkExt as _, StreamExt as _};
use platform_kit::client::Client;
use platform_kit::socket::Peer;
use platform_types::health::Readiness;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const TURNS: u32 = 500;
/// A new chat after this: the history goes to the model with every turn.
const TURNS_PER_SESSION: u32 = 25;
const STARTS: usize = 20;
const FSYNCS: usize = 500;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for place in ["state", "run/bot/http", "run/bot/admin", "run/bot/llm"] {
        std::fs::create_dir_all(root.join(place)).unwrap();
    }
    instant_model(&root.join("run/bot/llm/llm.sock"));
    report("fsync of the disk", &fsyncs(root));
    let (starts, mut child) = starts(root).await;
    report("process start to ready (activated)", &starts);
    println!("resident memory, idle: {} kB", resident(child.id()));
    let mut page = connect(&root.join("run/bot/http/1.sock")).await;
    report("turn, message sent to end announced", &turns(&mut page).await);
    println!("resident memory after {TURNS} turns: {} kB", resident(child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn report(what: &str, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000].as_secs_f64() * 1000.0;
    println!("{what}: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, n {}", at(500), at(900), at(990), times.len());
}

fn fsyncs(root: &Path) -> Vec<Duration> {
    let mut file = std::fs::File::create(root.join("fsync")).unwrap();
    let once = |_| {
        file.write_all(&[0; 4096]).unwrap();
        let begun = Instant::now();
        file.sync_data().unwrap();
        begun.elapsed()
    };
    (0..FSYNCS).map(once).collect()
}

/// A model that answers at once.
fn instant_model(socket: &Path) {
    let listener = platform_kit::socket::bind(socket, 0o666).unwrap();
    let list = || async {
        Json(json!({"object": "list", "data": [{"id": "demo/echo", "object": "model", "context_window": 131_072}]}))
    };
    let complete = || async {
        let text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A short answer.\"}}]}\n\n\
                    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        ([("content-type", "text/event-stream")], text)
    };
    let router = axum::Router::new().route("/v1/models", get(list)).route("/v1/chat/completions", post(complete));
    platform_kit::task::spawn("model", async move { axum::serve(listener, router).await.unwrap() });
}

fn spawn(root: &Path) -> Child {
    let program = platform_kit::environment::optional("BOT_AGENT");
    Command::new(program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_bot-agent")))
        .env_clear()
        .env("BOT_ROOT", root)
        .env("BOT_PROFILE", "personal")
        .env("BOT_GENERATION", "1")
        .env("BOT_HTTP_SOCKET", root.join("run/bot/http/1.sock"))
        .env("BOT_ADMIN_SOCKET", root.join("run/bot/admin/1.sock"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts again and again; the last one goes on running.
async fn starts(root: &Path) -> (Vec<Duration>, Child) {
    let bot = json!({"name": "assistant", "title": "A", "instructions": "Be brief.", "model": "demo/echo", "tools": ["clock.now"]});
    let config = json!({"revision": 1, "profile": "personal", "timezone": "UTC", "bots": [bot]});
    let activate = json!({"generation": 1, "config": config});
    let socket = root.join("run/bot/admin/1.sock");
    let admin = Client::new(&socket, Peer::Trusted, Duration::from_secs(5));
    let mut times = Vec::new();
    loop {
        // A file left by the one before would be connected to in vain.
        let _ = std::fs::remove_file(&socket);
        let begun = Instant::now();
        let mut child = spawn(root);
        while admin.post::<_, Readiness>("/activate", &activate).await.is_err() {
            tokio::task::yield_now().await;
        }
        times.push(begun.elapsed());
        if times.len() == STARTS {
            return (times, child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

type Page = WebSocketStream<UnixStream>;

async fn connect(http: &Path) -> Page {
    let stream = UnixStream::connect(http).await.unwrap();
    let mut request = "ws://localhost/ws".into_client_request().unwrap();
    request.headers_mut().insert("x-bot-device", "0".repeat(64).parse().unwrap());
    let (mut page, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    until(&mut page, "welcome").await;
    page
}

async fn session(page: &mut Page, session: &str) {
    say(page, json!({"type": "create_session", "id": session, "bot": "assistant"})).await;
    until(page, "sessions").await;
    say(page, json!({"type": "open", "session": session})).await;
    until(page, "history").await;
}

async fn turns(page: &mut Page) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in 0..TURNS {
        let (session_id, id) = (format!("{:032x}", n / TURNS_PER_SESSION), format!("{n:032x}"));
        if n % TURNS_PER_SESSION == 0 {
            session(page, &session_id).await;
        }
        let begun = Instant::now();
        say(page, json!({"type": "send", "session": session_id, "id": id, "text": "A short question?"})).await;
        until(page, "ended").await;
        times.push(begun.elapsed());
    }
    times
}

async fn say(page: &mut Page, message: Value) {
    page.send(Message::text(message.to_string())).await.unwrap();
}

/// Reads on until a message of this type.
async fn until(page: &mut Page, kind: &str) {
    loop {
        let Some(Ok(Message::Text(text))) = page.next().await else { panic!("the agent went away") };
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_ne!(message["type"], "failed", "{message}");
        if message["type"] == kind {
            return;
        }
    }
}

/// `VmRSS` of a process, in kB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
