//! An agent in a directory of its own: the real program, so that it can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::agent::{Activate, AgentConfig, AgentStatus, Bot};
use platform_types::health::Readiness;
use platform_types::{BotName, Generation, ModelId, ProfileName, Revision};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::model::Model;
use super::page::Page;
use super::{until, within};

/// A state directory, a model, and the process that runs now.
pub struct World {
    pub directory: TempDir,
    pub model: Model,
    pub agent: Agent,
    /// What the next agent is activated with.
    pub config: AgentConfig,
}

/// One process.
pub struct Agent {
    pub generation: u64,
    pub http: PathBuf,
    pub admin: Client,
    child: Child,
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
        policy: Vec::new(),
        upstreams: Vec::new(),
        switch_models: Vec::new(),
        channels: Vec::new(),
        cron: Vec::new(),
        house: None,
        jobs: None,
    }
}

/// The program with its environment, as a container would have it.
pub fn program(root: &Path, generation: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bot-agent"));
    command
        .env_clear()
        .env("BOT_ROOT", root)
        .env("BOT_PROFILE", "personal")
        .env("BOT_GENERATION", generation.to_string())
        .env("BOT_HTTP_SOCKET", root.join(format!("run/bot/http/{generation}.sock")))
        .env("BOT_ADMIN_SOCKET", root.join(format!("run/bot/admin/{generation}.sock")))
        .kill_on_drop(true);
    command
}

impl World {
    /// An agent that is active.
    pub async fn start() -> Self {
        Self::with(config(1)).await
    }

    /// An agent that is active with this configuration.
    pub async fn with(config: AgentConfig) -> Self {
        let mut world = Self::standby().await;
        world.agent.activate_with(config.clone()).await.unwrap();
        world.config = config;
        world
    }

    /// An agent that waits for its activation.
    pub async fn standby() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for place in ["state", "run/bot/http", "run/bot/admin", "run/bot/llm", "run/bot/egress"] {
            std::fs::create_dir_all(directory.path().join(place)).unwrap();
        }
        let model = Model::start(&directory.path().join("run/bot/llm/llm.sock"));
        let agent = Agent::start(directory.path(), 1).await;
        Self { directory, model, agent, config: config(1) }
    }

    /// kill -9, and the next agent.
    pub async fn crash(&mut self) {
        self.agent.child.kill().await.unwrap();
        self.next_agent().await;
    }

    /// SIGTERM, and the next agent.
    pub async fn restart(&mut self) {
        self.agent.terminate();
        assert!(self.agent.ended().await.success());
        self.next_agent().await;
    }

    async fn next_agent(&mut self) {
        self.agent = Agent::start(self.directory.path(), self.agent.generation + 1).await;
        self.agent.activate_with(self.config.clone()).await.unwrap();
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }
}

impl Agent {
    pub async fn start(root: &Path, generation: u64) -> Self {
        let log = std::fs::File::create(root.join(format!("agent-{generation}.log"))).unwrap();
        let child = program(root, generation).stdout(Stdio::from(log)).spawn().unwrap();
        let admin_socket = root.join(format!("run/bot/admin/{generation}.sock"));
        let admin = Client::new(admin_socket, Peer::Trusted, Duration::from_secs(30));
        let http = root.join(format!("run/bot/http/{generation}.sock"));
        until("the admin socket", || async { admin.get::<Value>("/healthz").await.ok() }).await;
        Self { generation, http, admin, child }
    }

    pub async fn activate(&self) -> Result<Readiness, CallError> {
        self.activate_with(config(1)).await
    }

    pub async fn activate_with(&self, config: AgentConfig) -> Result<Readiness, CallError> {
        let activate = Activate { generation: Generation(self.generation), config };
        self.admin.post("/activate", &activate).await
    }

    pub fn terminate(&self) {
        let pid = self.child.id().unwrap();
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
    }

    /// kill -9.
    pub async fn killed(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for the end of the process.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        within("the agent to end", self.child.wait()).await.unwrap()
    }

    pub async fn status(&self) -> AgentStatus {
        self.admin.get("/status").await.unwrap()
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
