//! A model box that can really be switched: OpenSSH with the forced command of `deploy/spark`, hooks that stop and start the
//! llama.cpp server, and a router in front of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use platform_kit::SystemClock;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::egress::{Asked, Card, Outcome, Verdict};
use platform_types::spark::{Backend, SparkConfig, SparkHealth, SparkLimits, SparkStatus};
use platform_types::switch::{
    Asker, OperatorSwitch, SwitchCards, SwitchConfig, SwitchDecision, SwitchMeters, SwitchReport, SwitchRequest,
    SwitchStatus,
};
use platform_types::{ModelId, Port, ProfileName, Revision, SecretName};
use spark::place::{Limits, Place};
use spark::process::Process;
use spark::switch::SwitchLimits;
use spark::switch::machine::Times;
use tokio_util::sync::CancellationToken;

use crate::client::within;
use crate::device::Device;
use crate::model_box::{free_port, hooks, login, public, sshd};
use crate::plain;

pub const ALPHA: &str = "tiny-lab/Bigram-1.4M.alpha-v1.0";
pub const BETA: &str = "tiny-lab/Bigram-1.4M.beta-v1.0";

/// The box, and the router.
pub struct Rig {
    pub root: PathBuf,
    pub place: Place,
    pub config: SwitchConfig,
    pub llm: u16,
    sshd: Option<Child>,
    /// Processes that [`Self::freeze`] stopped.
    frozen: Vec<String>,
    stop: CancellationToken,
    revision: u64,
    _root: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_sshd();
        for session in &self.frozen {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-KILL", session]).status();
        }
        self.stop_hook();
        self.stop_model();
    }
}

/// Short times, so that what never comes is seen soon; a configured second is 100 ms.
pub fn limits() -> SwitchLimits {
    SwitchLimits {
        times: Times { grace: 1_000, settle: 1_500, settle_lost: 2_500, ..Times::default() },
        connect: Duration::from_secs(5),
        look_every: Duration::from_millis(50),
        answer: Duration::from_secs(5),
        poll: Duration::from_secs(15),
        second: Duration::from_millis(100),
        ..SwitchLimits::default()
    }
}

impl Rig {
    /// A box with the model alpha; `ops` may ask, and device 1 allows.
    pub async fn start() -> Self {
        Self::with(limits()).await
    }

    pub async fn with(limits: SwitchLimits) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_path_buf();
        let place = Place::under(&path.join("spark"));
        for directory in
            [&place.state, &place.admin, &place.secrets, &place.sockets.join("personal"), &place.sockets.join("ops")]
        {
            fs::create_dir_all(directory).unwrap();
        }
        let (llm, port) = (free_port(), free_port());
        hooks(&path.join("box"), llm);
        let sshd = sshd(&path, port, "ed25519 rsa").await;
        let config = SwitchConfig {
            host: "127.0.0.1".to_owned(),
            port: Port::new(port).unwrap(),
            user: login(),
            host_key: public(&path.join("host_ed25519.pub")),
            key: SecretName::new("spark-ssh").unwrap(),
            models: vec![ModelId::new(ALPHA).unwrap(), ModelId::new(BETA).unwrap()],
            askers: vec![Asker {
                profile: ProfileName::new("ops").unwrap(),
                approvers: vec![Device::new(1).approver()],
            }],
            drain_seconds: 100,
            wait_seconds: 100,
        };
        let mut rig = Self {
            root: path,
            place,
            config,
            llm,
            sshd: Some(sshd),
            frozen: Vec::new(),
            stop: CancellationToken::new(),
            revision: 0,
            _root: root,
        };
        rig.give_key("client_ed25519");
        rig.run_hook("start-model", ALPHA);
        rig.start_spark(limits).await;
        within("spark sees alpha", async {
            while !rig.admin().get::<SparkHealth>("/health").await.unwrap().model_listed {}
        })
        .await;
        rig
    }

    /// Starts spark anew on what the one before left.
    pub async fn start_spark(&mut self, limits: SwitchLimits) {
        self.stop.cancel();
        self.stop = CancellationToken::new();
        let process =
            Process::with_switch(self.place.clone(), Limits::default(), limits, Arc::new(SystemClock)).unwrap();
        platform_kit::task::spawn("router", process.run(self.stop.clone()));
        self.push().await.unwrap();
    }

    /// Pushes the configuration as it is now.
    pub async fn push(&mut self) -> Result<(), CallError> {
        self.revision += 1;
        let backend = Backend::Box {
            url: format!("http://127.0.0.1:{}/v1", self.llm),
            model: ModelId::new(ALPHA).unwrap(),
            key: None,
        };
        let document = SparkConfig {
            revision: Revision(self.revision),
            backend,
            profiles: ["ops", "personal"].map(|name| ProfileName::new(name).unwrap()).into(),
            models: vec![],
            limits: SparkLimits::default(),
            switch: Some(self.config.clone()),
        };
        self.admin().put("/config", &document).await
    }

    pub fn admin(&self) -> Client {
        Client::new(self.place.admin_socket(), Peer::Trusted, Duration::from_secs(30))
    }

    pub fn agent(&self, profile: &str) -> Client {
        let profile = ProfileName::new(profile).unwrap();
        Client::new(self.place.llm_socket(&profile), Peer::Trusted, Duration::from_secs(30))
    }

    /// The agent of `ops` asks.
    pub async fn ask(&self, model: &str) -> Result<Asked, CallError> {
        let model = ModelId::new(model).unwrap();
        let request = SwitchRequest { model, reason: Some("the long document".to_owned()) };
        self.agent("ops").post("/switch", &request).await
    }

    pub async fn card(&self, id: &str) -> Card {
        let cards: SwitchCards = self.admin().get("/confirmations").await.unwrap();
        cards.cards.into_iter().find(|card| card.card.id == id).unwrap().card
    }

    pub async fn decide(&self, id: &str, decision: &SwitchDecision) -> Result<Card, CallError> {
        self.admin().post(&format!("/confirmations/{id}"), decision).await
    }

    /// The operator asks, and allows what he is shown.
    pub async fn switch(&self, model: &str) -> String {
        let request = OperatorSwitch { model: ModelId::new(model).unwrap(), user: "root".to_owned() };
        let card: Card = self.admin().post("/switch", &request).await.unwrap();
        let digest = card.digest.clone();
        let word = SwitchDecision::Operator { user: "root".to_owned(), verdict: Verdict::Allow, digest };
        self.decide(&card.id, &word).await.unwrap();
        card.id
    }

    pub async fn status(&self) -> SwitchStatus {
        self.admin().get("/switch").await.unwrap()
    }

    /// What `GET /status` has of the switch.
    pub async fn meters(&self) -> SwitchMeters {
        let status: SparkStatus = self.admin().get("/status").await.unwrap();
        status.switch.expect("a switch is configured")
    }

    /// The report of the switch that runs, once it is over.
    pub async fn over(&self) -> SwitchReport {
        within("the switch is over", async {
            loop {
                if let SwitchStatus { running: None, last: Some(last), .. } = self.status().await {
                    return last;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Until the switch that runs is so.
    pub async fn until(&self, what: &str, wanted: impl Fn(&SwitchStatus) -> bool) -> SwitchStatus {
        within(what, async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// The outcome, as the agent of `ops` is told.
    pub async fn outcome(&self, id: &str) -> Outcome {
        within("a final outcome", async {
            loop {
                let outcome: Outcome = self.agent("ops").get(&format!("/confirmations/{id}")).await.unwrap();
                if outcome.is_final() {
                    return outcome;
                }
            }
        })
        .await
    }

    /// What the model server itself calls itself.
    pub async fn answers_as(&self) -> Option<String> {
        let list = plain::get(self.llm, "/v1/models").await?;
        let list: serde_json::Value = serde_json::from_str(&list).ok()?;
        Some(list["data"][0]["id"].as_str()?.to_owned())
    }

    /// How the hooks behave from now on: `hang`, `fail`, `old`, `never`, `slow`.
    pub fn behave(&self, how: &str) {
        fs::write(self.root.join("box/behaviour"), format!("{how}\n")).unwrap();
    }

    /// Starts of models since the box was made.
    pub fn starts(&self) -> usize {
        fs::read_to_string(self.root.join("box/state/starts")).unwrap().lines().count()
    }

    pub fn give_key(&self, name: &str) {
        let text = fs::read_to_string(self.root.join(name)).unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let path = self.place.secrets.join("spark-ssh");
        // It may not be there yet.
        let _ = fs::remove_file(&path);
        fs::write(&path, body).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    }

    pub fn stop_sshd(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            // It may have ended by itself.
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }

    /// Another sshd in its place, with these host keys.
    pub async fn restart_sshd(&mut self, host_keys: &str) {
        self.stop_sshd();
        self.sshd = Some(sshd(&self.root, self.config.port.get(), host_keys).await);
    }

    /// Cuts the connections that are open, as a network would.
    pub fn cut(&self) {
        let sshd = self.sshd.as_ref().unwrap().id();
        let killed = Command::new("pkill").args(["-KILL", "-P", &sshd.to_string()]).status().unwrap();
        assert!(killed.success(), "there was a connection");
    }

    /// Freezes the connections that are open, and what serves them: nothing is closed, nothing is answered.
    pub fn freeze(&mut self) {
        let sshd = self.sshd.as_ref().unwrap().id().to_string();
        let sessions = Command::new("pgrep").args(["-P", &sshd]).output().unwrap().stdout;
        for session in String::from_utf8(sessions).unwrap().lines() {
            let frozen = Command::new("kill").args(["-STOP", session]).status().unwrap();
            assert!(frozen.success());
            self.frozen.push(session.to_owned());
        }
        assert!(!self.frozen.is_empty(), "there was a connection");
    }

    /// Freezes the server itself: it is connected, and says nothing.
    pub fn freeze_sshd(&mut self) {
        let sshd = self.sshd.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-STOP", &sshd]).status().unwrap().success());
    }

    fn run_hook(&self, hook: &str, argument: &str) {
        let status = Command::new(self.root.join("box").join(hook)).arg(argument).status().unwrap();
        assert!(status.success(), "{hook}");
    }

    /// Ends a hook that hangs, as its time would.
    fn stop_hook(&self) {
        if let Ok(pid) = fs::read_to_string(self.root.join("box/state/hang")) {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
        }
    }

    fn stop_model(&self) {
        // What is left of it lies in the directory that is removed next.
        let _ = Command::new(self.root.join("box/stop-model")).status();
    }
}
