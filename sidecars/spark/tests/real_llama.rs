//! The router in front of a real llama.cpp server with a toy model (`compose/peers/llm`).

#[path = "router/running.rs"]
mod running;

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use http_body_util::BodyExt as _;
use platform_types::spark::{Backend, ModelList, SparkHealth};
use platform_types::{ModelId, SecretName};
use running::{Running, chat, within};
use serde_json::{Value, json};
use spark::place::Limits;

const MODEL: &str = "tiny-lab/Bigram-1.4M.alpha-v1.0";
const SENTENCE: &str = "Hello, this is model alpha answering over the local router.";
const STREAM: &str = r#","temperature":0,"stream":true"#;
const KEY: &str = "toy-key";
/// Tokens that a request may have.
const CONTEXT: u32 = 2048;
/// Forbids the end of the text: the sentence goes on to `max_tokens`.
const ENDLESS: &str = r#","temperature":0,"stream":true,"logit_bias":{"2":-100},"max_tokens":4000"#;

/// A llama-server with the model alpha; it ends with the test.
struct Llama {
    child: Child,
    url: String,
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It may have ended by itself, which a test has noticed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Llama {
    fn start(key: Option<&str>, context: u32) -> Self {
        let serve =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../compose/peers/llm/serve").canonicalize().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(serve);
        command.args(["alpha", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("API_KEY", key.unwrap_or_default()).env("SLOTS", "2").env("CONTEXT", context.to_string());
        Self { child: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}") }
    }

    fn backend(&self, key: Option<&str>) -> Backend {
        let key = key.map(|name| SecretName::new(name).unwrap());
        Backend::Box { url: format!("{}/v1", self.url), model: ModelId::new(MODEL).unwrap(), key }
    }

    /// A router in front of it, once it answers.
    async fn behind(&mut self, key: Option<&str>) -> Running {
        let running = match key {
            None => Running::with(self.backend(None), Limits::default()).await,
            Some(_) => {
                let running = Running::start(Limits::default());
                write_key(&running, KEY);
                running.push(1, self.backend(key), &["personal", "ops"]).await.unwrap();
                running
            }
        };
        let admin = running.admin();
        within("llama-server answers", async {
            while !admin.get::<SparkHealth>("/health").await.unwrap().model_listed {
                self.is_alive();
            }
        })
        .await;
        running
    }

    /// Fails with the server's own words when it has ended, which name the setup script when nothing is built.
    fn is_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let mut words = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
            panic!(
                "the model server of compose/peers/llm ended ({status}); if it is not built, run compose/peers/llm/setup:\n{words}"
            );
        }
    }

    async fn get(&self, path: &str) -> String {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap().text().await.unwrap()
    }

    async fn busy_slots(&self) -> usize {
        let slots: Vec<Value> = serde_json::from_str(&self.get("/slots").await).unwrap();
        slots.iter().filter(|slot| slot["is_processing"] == true).count()
    }

    async fn prompt_tokens(&self) -> String {
        let metrics = self.get("/metrics").await;
        metrics.lines().find(|line| line.starts_with("llamacpp:prompt_tokens_total ")).unwrap().to_owned()
    }
}

fn write_key(running: &Running, key: &str) {
    let path = running.place.secrets.join("spark-key");
    std::fs::write(&path, key).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
}

fn chunks(text: &str) -> Vec<Value> {
    let events = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter(|event| *event != "[DONE]").map(|event| serde_json::from_str(event).unwrap()).collect()
}

#[tokio::test]
async fn models_plain_and_stream() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");

    let list: ModelList = lane.0.get("/v1/models").await.unwrap();
    let seen: Vec<_> = list.data.iter().map(|model| (model.id.as_str(), model.context_window)).collect();
    assert_eq!(seen, [(MODEL, Some(CONTEXT))]);

    let answer = lane.ask(chat(MODEL, "hi", r#","temperature":0"#)).await;
    let plain: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(
        (answer.status, &plain["choices"][0]["message"]["content"], &plain["model"]),
        (200, &json!(SENTENCE), &json!(MODEL))
    );

    let answer = lane.ask(chat(MODEL, "hi", STREAM)).await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/event-stream"));
    assert!(answer.text.ends_with("data: [DONE]\n\n"));
    let said: String =
        chunks(&answer.text).iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, SENTENCE);
    assert!(!answer.text.contains("\"usage\""), "nobody asked for usage");

    let answer = running
        .lane("ops")
        .ask(chat(MODEL, "hi", &format!(r#"{STREAM},"stream_options":{{"include_usage":true}}"#)))
        .await;
    let usage = chunks(&answer.text).pop().unwrap();
    assert_eq!(usage["choices"], json!([]));
    let output = usage["usage"]["completion_tokens"].as_u64().unwrap();
    let status = running.counted("three answers", |status| status.requests_total == 3 && status.inflight == 0).await;
    assert_eq!((status.output_tokens_total, status.estimated_total, status.errors_total), (3 * output, 0, 0));
}

#[tokio::test]
async fn a_tool_call_and_its_result() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");
    let tools = r#","tools":[{"type":"function","function":{"name":"get_time","description":"the time","parameters":{"type":"object","properties":{"zone":{"type":"string"}}}}}]"#;

    let answer = lane.ask(chat(MODEL, "what time is it", &format!("{STREAM}{tools}"))).await;
    let chunks = chunks(&answer.text);
    let deltas: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    let arguments: String = deltas.iter().filter_map(|delta| delta["function"]["arguments"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"zone": "utc"}));
    assert_eq!(deltas[0]["function"]["name"], "get_time");
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "tool_calls"), "{}", answer.text);

    let call =
        json!({"id": deltas[0]["id"], "type": "function", "function": {"name": "get_time", "arguments": arguments}});
    let messages = json!([
        {"role": "user", "content": "what time is it"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": deltas[0]["id"], "content": "13:00"}
    ]);
    let answer = lane.ask(format!(r#"{{"model":"{MODEL}","temperature":0,"messages":{messages}{tools}}}"#)).await;
    let plain: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(plain["choices"][0]["message"]["content"], SENTENCE, "{}", answer.text);
}

#[tokio::test]
async fn refusals() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");

    // The server itself would answer any name.
    let before = llama.prompt_tokens().await;
    for id in ["fantasy/none", "tiny-lab/bigram-1.4m.alpha-v1.0", "tiny-lab/Bigram-1.4M.beta-v1.0"] {
        let (code, message) = lane.ask(chat(id, "hi", "")).await.refusal();
        assert_eq!(code, "model_not_found");
        assert!(message.contains(MODEL), "{message}");
    }
    assert_eq!(llama.prompt_tokens().await, before, "nothing of it reached the server");

    for extra in [r#","temperature":0"#, STREAM] {
        let answer = lane.ask(chat(MODEL, &"word ".repeat(4000), extra)).await;
        let (code, message) = answer.refusal();
        assert_eq!((code.as_str(), answer.origin.as_deref()), ("context_length_exceeded", Some("backend")));
        let numbers: Vec<u64> =
            message.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        assert!(numbers.len() == 2 && numbers[0] > 4000 && numbers[1] == u64::from(CONTEXT), "{message}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_slot() {
    let mut llama = Llama::start(None, 2 * CONTEXT);
    let running = llama.behind(None).await;
    let mut body = running.lane("personal").open(chat(MODEL, "hi", ENDLESS)).await.into_body();
    within("the first words", body.frame()).await.unwrap().unwrap();
    assert_eq!(llama.busy_slots().await, 1);
    drop(body);
    within("a free slot", async { while llama.busy_slots().await != 0 {} }).await;
    let status =
        running.counted("it was cancelled", |status| status.inflight == 0 && status.cancelled_total == 1).await;
    assert!((1..4000).contains(&status.output_tokens_total), "the model was stopped before its end: {status:?}");
}

#[tokio::test]
async fn the_key_is_needed() {
    let mut llama = Llama::start(Some(KEY), CONTEXT);
    let running = llama.behind(Some("spark-key")).await;
    let lane = running.lane("personal");
    assert_eq!(lane.ask(chat(MODEL, "hi", r#","temperature":0"#)).await.status, 200);

    write_key(&running, "another-key");
    let answer = lane.ask(chat(MODEL, "hi", "")).await;
    let (code, message) = answer.refusal();
    assert_eq!((code.as_str(), answer.origin.as_deref()), ("upstream_unauthorized", Some("backend")));
    assert!(message.contains("botctl secret set") && !message.contains("another-key"), "{message}");

    running.push(2, llama.backend(None), &["personal"]).await.unwrap();
    assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.refusal().0, "upstream_unauthorized");
}
