//! The model server of `compose/peers/llm`, started for one test.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use platform_types::spark::{Backend, SparkHealth};
use platform_types::{ModelId, SecretName};
use serde_json::Value;
use spark::place::Limits;

use crate::plain;
use crate::running::{Running, within};

pub const MODEL: &str = "tiny-lab/Bigram-1.4M.alpha-v1.0";
pub const KEY: &str = "toy-key";
/// Tokens that a request may have.
pub const CONTEXT: u32 = 2048;

/// A llama-server with the model alpha; it ends with the test.
pub struct Llama {
    child: Child,
    port: u16,
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It may have ended by itself, which a test has noticed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Llama {
    pub fn start(key: Option<&str>, context: u32) -> Self {
        let serve =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../compose/peers/llm/serve").canonicalize().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(serve);
        command.args(["alpha", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("API_KEY", key.unwrap_or_default()).env("SLOTS", "2").env("CONTEXT", context.to_string());
        Self { child: command.spawn().unwrap(), port }
    }

    pub fn backend(&self, key: Option<&str>) -> Backend {
        let key = key.map(|name| SecretName::new(name).unwrap());
        Backend::Box { url: format!("http://127.0.0.1:{}/v1", self.port), model: ModelId::new(MODEL).unwrap(), key }
    }

    /// A router in front of it, once it answers.
    pub async fn behind(&mut self, key: Option<&str>) -> Running {
        let running = Running::with(self.backend(key), Limits::default()).await;
        if key.is_some() {
            write_key(&running, KEY);
        }
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
        plain::get(self.port, path).await.unwrap()
    }

    pub async fn busy_slots(&self) -> usize {
        let slots: Vec<Value> = serde_json::from_str(&self.get("/slots").await).unwrap();
        slots.iter().filter(|slot| slot["is_processing"] == true).count()
    }

    pub async fn prompt_tokens(&self) -> String {
        let metrics = self.get("/metrics").await;
        metrics.lines().find(|line| line.starts_with("llamacpp:prompt_tokens_total ")).unwrap().to_owned()
    }
}

/// Stores the key of the box.
pub fn write_key(running: &Running, key: &str) {
    let path = running.place.secrets.join("spark-key");
    std::fs::write(&path, key).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
}

/// The chunks of a stream.
pub fn chunks(text: &str) -> Vec<Value> {
    let events = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter(|event| *event != "[DONE]").map(|event| serde_json::from_str(event).unwrap()).collect()
}
