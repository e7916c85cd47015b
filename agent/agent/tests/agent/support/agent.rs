//! An agent in a directory of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent::{Paths, Settings};
use agent_store::StateDir;
use http::Method;
use platform_kit::SystemClock;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::agent::{Activate, AgentConfig, Bot};
use platform_types::health::Readiness;
use platform_types::{BotName, Generation, ModelId, ProfileName, Revision};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::model::Model;
use super::page::Page;
use super::{until, within};

/// A state directory, a model, and the process that runs now.
pub struct World {
    pub directory: TempDir,
    pub model: Model,
    pub agent: Agent,
}

/// One process.
pub struct Agent {
    pub generation: u64,
    pub http: PathBuf,
    pub admin: Client,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

pub const DEVICE: &str = "00000000000000000000000000000000000000000000000000000000000000d1";

pub fn bot(name: &str, tools: &[&str]) -> Bot {
    Bot {
        name: BotName::new(name).unwrap(),
        title: name.to_uppercase(),
        instructions: format!("You are {name}."),
        model: ModelId::new("demo/echo").unwrap(),
        tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
    }
}

pub fn config(revision: u64) -> AgentConfig {
    AgentConfig {
        revision: Revision(revision),
        profile: ProfileName::new("personal").unwrap(),
        timezone: "Europe/Berlin".to_owned(),
        bots: vec![bot("assistant", &["clock.now"]), bot("plain", &[])],
    }
}

pub fn settings(directory: &Path, generation: u64) -> Settings {
    Settings {
        profile: ProfileName::new("personal").unwrap(),
        generation: Generation(generation),
        http_socket: directory.join(format!("http-{generation}.sock")),
        admin_socket: directory.join(format!("admin-{generation}.sock")),
        paths: Paths {
            state: StateDir::new(directory.join("state")),
            llm_socket: directory.join("llm.sock"),
            mounts: vec![directory.join("state"), directory.join("lost")],
        },
    }
}

impl World {
    /// An agent that is active.
    pub async fn start() -> Self {
        let world = Self::standby().await;
        world.agent.activate().await.unwrap();
        world
    }

    /// An agent that waits for its activation.
    pub async fn standby() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("state")).unwrap();
        let model = Model::start(&directory.path().join("llm.sock"));
        let agent = Agent::start(directory.path(), 1).await;
        Self { directory, model, agent }
    }

    /// Ends the process as a crash would: nothing is drained, nothing is closed. The next one is active.
    pub async fn crash(&mut self) {
        let next = self.agent.generation + 1;
        self.agent.task.abort();
        self.next_agent(next).await;
    }

    /// Stops the process in good order and starts the next.
    pub async fn restart(&mut self) {
        let next = self.agent.generation + 1;
        self.agent.stop().await;
        self.next_agent(next).await;
    }

    async fn next_agent(&mut self, generation: u64) {
        self.agent = Agent::start(self.directory.path(), generation).await;
        self.agent.activate().await.unwrap();
    }

    pub fn database(&self) -> PathBuf {
        self.directory.path().join("state/current/agent.db")
    }
}

impl Agent {
    pub async fn start(directory: &Path, generation: u64) -> Self {
        let settings = settings(directory, generation);
        let admin = Client::new(&settings.admin_socket, Peer::Trusted, Duration::from_secs(20));
        let http = settings.http_socket.clone();
        let stop = CancellationToken::new();
        let run = agent::run(settings, Arc::new(SystemClock), stop.clone());
        let task = platform_kit::task::spawn("agent", run);
        until("the admin socket", || async { admin.get::<Value>("/healthz").await.ok() }).await;
        Self { generation, http, admin, stop, task }
    }

    pub async fn activate(&self) -> Result<Readiness, CallError> {
        let activate = Activate { generation: Generation(self.generation), config: config(1) };
        self.admin.post("/activate", &activate).await
    }

    /// SIGTERM: drains, and waits for the end of the process.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        self.ended().await.unwrap();
    }

    pub async fn ended(&mut self) -> anyhow::Result<()> {
        within("the agent to end", &mut self.task).await.unwrap()
    }

    /// A page that has been welcomed.
    pub async fn page(&self) -> Page {
        Page::connect(&self.http, DEVICE).await
    }

    pub async fn get(&self, target: &str, headers: &[(&str, &str)]) -> (u16, http::HeaderMap, String) {
        super::page::request(&self.http, Method::GET, target, headers, String::new()).await
    }

    pub async fn post(&self, target: &str, headers: &[(&str, &str)], body: &Value) -> (u16, http::HeaderMap, String) {
        super::page::request(&self.http, Method::POST, target, headers, body.to_string()).await
    }
}
