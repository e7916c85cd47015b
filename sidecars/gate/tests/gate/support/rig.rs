//! A running gate, its admin socket, and its configuration.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gate::egress::resolve::{Resolve, Resolving};
use gate::gate::Paths;
use gate::limits::Limits;
use gate::run::{self, Options};
use platform_kit::Clock;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::gate::{Door, GateConfig, GateStatus, ScriptToken, SetupLink};
use platform_types::{Generation, Port, ProfileName, Revision, Timestamp};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::within;

/// A clock that tests move.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Names that tests give addresses; each look-up takes the next list, the last one stays.
#[derive(Debug, Default)]
pub struct TestNames(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl TestNames {
    pub fn set(&self, host: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
        self.0.lock().unwrap().insert(host.to_owned(), answers);
    }
}

impl Resolve for TestNames {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let mut names = self.0.lock().unwrap();
        let answer =
            names.get_mut(host).map(|answers| if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() });
        Box::pin(std::future::ready(answer.ok_or_else(|| "its name has no address".to_owned())))
    }
}

pub const TOKEN: &str = "bot_0123456789012345678901234567890123456789012";

pub fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

pub struct Rig {
    pub directory: tempfile::TempDir,
    pub port: u16,
    pub clock: Arc<TestClock>,
    /// What names of upstreams mean.
    pub names: Arc<TestNames>,
    pub admin: Client,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
    pub config: Mutex<GateConfig>,
}

impl Rig {
    /// A gate that was never configured.
    pub async fn bare(limits: Limits) -> Self {
        Self::bare_in(tempfile::tempdir().unwrap(), limits).await
    }

    /// The same in a directory that another gate may have used.
    pub async fn bare_in(directory: tempfile::TempDir, limits: Limits) -> Self {
        let at = |name: &str| directory.path().join(name);
        for name in ["state", "http", "egress", "admin", "tailnet", "secrets"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let paths = Paths {
            state: at("state"),
            http: at("http"),
            egress: at("egress"),
            admin: at("admin"),
            tailnet: at("tailnet"),
            secrets: at("secrets"),
        };
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000)));
        let names = Arc::new(TestNames::default());
        let listen = "127.0.0.1:0".parse().unwrap();
        let options = Options { listen, paths, limits, clock: clock.clone(), resolver: names.clone() };
        let stop = CancellationToken::new();
        let bound = run::bind(options, stop.clone()).await.unwrap();
        let port = bound.address().unwrap().port();
        let admin = Client::new(at("admin").join("gate.sock"), Peer::Trusted, Duration::from_secs(10));
        let serving = platform_kit::task::spawn("gate", bound.serve());
        Self { port, clock, names, admin, stop, serving, config: Mutex::new(config(port)), directory }
    }

    /// A configured gate with an open door.
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        let rig = Self::bare(limits).await;
        rig.push(|_| {}).await;
        rig
    }

    /// Changes the configuration and pushes it.
    pub async fn push(&self, change: impl FnOnce(&mut GateConfig)) {
        let config = {
            let mut config = self.config.lock().unwrap();
            config.revision.0 += 1;
            change(&mut config);
            config.clone()
        };
        self.put(&config).await.unwrap();
    }

    pub async fn put(&self, config: &GateConfig) -> Result<Value, CallError> {
        self.admin.put("/config", config).await
    }

    pub fn config(&self) -> GateConfig {
        self.config.lock().unwrap().clone()
    }

    /// A setup link that is good for an hour.
    pub async fn link(&self, code: &str) {
        let link = SetupLink { code_sha256: sha256(code), expires_at: self.clock.now().plus_millis(3_600_000) };
        self.push(|config| config.setup_links = vec![link]).await;
    }

    /// A script token.
    /// A gate that lets a script in with [`bearer`].
    pub async fn with_token(limits: Limits) -> Self {
        let rig = Self::start_with(limits).await;
        rig.token().await;
        rig
    }

    pub async fn token(&self) {
        let token = ScriptToken { name: "nightly".into(), token_sha256: sha256(TOKEN) };
        self.push(|config| config.tokens = vec![token]).await;
    }

    pub async fn hold(&self) {
        self.push(|config| config.door = Door::Held).await;
    }

    pub async fn open(&self, generation: u64) {
        self.push(|config| config.door = Door::Open { generation: Generation(generation) }).await;
    }

    /// Where the agent of a generation binds.
    pub fn agent_socket(&self, generation: u64) -> PathBuf {
        self.directory.path().join("http").join(format!("{generation}.sock"))
    }

    pub fn egress_socket(&self) -> PathBuf {
        self.directory.path().join("egress/egress.sock")
    }

    pub async fn status(&self) -> GateStatus {
        self.admin.get("/status").await.unwrap()
    }

    /// Asks for the status until it is as expected.
    pub async fn until(&self, expect: impl Fn(&GateStatus) -> bool) -> GateStatus {
        within(async {
            loop {
                let status = self.status().await;
                if expect(&status) {
                    return status;
                }
            }
        })
        .await
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.host())
    }
}

fn config(port: u16) -> GateConfig {
    GateConfig {
        revision: Revision(0),
        profile: ProfileName::new("personal").unwrap(),
        port: Port::new(port).unwrap(),
        address: Some("https://vm102.example.ts.net".into()),
        door: Door::Open { generation: Generation(1) },
        agent_uid: nix::unistd::getuid().as_raw(),
        devices: Vec::new(),
        setup_links: Vec::new(),
        tokens: Vec::new(),
        upstreams: Vec::new(),
        channels: Vec::new(),
        tailscale_users: Vec::new(),
        botctl: None,
    }
}

pub fn sha256(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&gate::config::digest(text))
}
