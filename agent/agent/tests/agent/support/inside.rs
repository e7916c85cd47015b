//! An agent within the test, with a clock in the test's hands.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent::{Paths, Settings};
use platform_kit::Clock;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::agent::{Activate, AgentConfig};
use platform_types::audit::Entry;
use platform_types::cron::{By, CronList, JobStatus, Run, RunList};
use platform_types::health::Readiness;
use platform_types::{Generation, ProfileName, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::agent::{DEVICE, config};
use super::model::Model;
use super::page::Page;
use super::{until, within};

/// Stands still until it is moved.
#[derive(Debug)]
pub struct TestClock(watch::Sender<Timestamp>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn wait(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut moved = self.0.subscribe();
        Box::pin(async move { drop(moved.wait_for(|now| *now >= at).await) })
    }
}

/// A state directory, a model, a clock, and the agent that runs now.
pub struct Room {
    pub directory: TempDir,
    pub model: Model,
    pub clock: Arc<TestClock>,
    pub config: AgentConfig,
    pub agent: Inside,
}

/// An agent as a task.
pub struct Inside {
    pub generation: u64,
    pub http: PathBuf,
    pub admin: Client,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// A moment, as it is written.
pub fn at(text: &str) -> Timestamp {
    let digits = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (year, month, day) = (digits(0..4), digits(5..7), digits(8..10));
    // Days since 1970, by a calendar whose years begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Timestamp(((days * 24 + digits(11..13)) * 60 + digits(14..16)) * 60_000)
}

impl Room {
    pub async fn start(now: &str, config: AgentConfig) -> Self {
        Self::with(now, config, |_| {}).await
    }

    /// With something beside the agent before it starts.
    pub async fn with(now: &str, config: AgentConfig, beside: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for place in ["state", "run/bot/http", "run/bot/admin", "run/bot/llm", "run/bot/egress"] {
            std::fs::create_dir_all(directory.path().join(place)).unwrap();
        }
        beside(directory.path());
        let model = Model::start(&directory.path().join("run/bot/llm/llm.sock"));
        let clock = Arc::new(TestClock(watch::Sender::new(at(now))));
        let agent = Inside::start(directory.path(), 1, clock.clone(), config.clone()).await;
        Self { directory, model, clock, config, agent }
    }

    /// An agent in a room that another one left.
    pub async fn after(world: super::agent::World, now: Timestamp) -> Self {
        let super::agent::World { directory, model, agent, config } = world;
        let generation = agent.generation + 1;
        agent.killed().await;
        let clock = Arc::new(TestClock(watch::Sender::new(now)));
        let agent = Inside::start(directory.path(), generation, clock.clone(), config.clone()).await;
        Self { directory, model, clock, config, agent }
    }

    /// Stops the agent, moves the clock, and starts the next one.
    pub async fn restart(self, minutes: i64) -> Self {
        let Self { directory, model, clock, config, agent } = self;
        let generation = agent.generation + 1;
        agent.stop().await;
        clock.0.send_modify(|now| *now = now.plus_millis(minutes * 60_000));
        let agent = Inside::start(directory.path(), generation, clock.clone(), config.clone()).await;
        Self { directory, model, clock, config, agent }
    }

    pub fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.clock.0.send_modify(|now| *now = now.plus_millis(millis));
    }

    /// It is so late.
    pub fn be(&self, now: &str) {
        self.clock.0.send_replace(at(now));
    }

    pub async fn configure(&mut self, config: AgentConfig) {
        self.agent.admin.put::<_, Value>("/config", &config).await.unwrap();
        self.config = config;
    }

    pub async fn page(&self) -> Page {
        Page::connect(&self.agent.http, DEVICE).await
    }

    pub async fn job(&self, name: &str) -> JobStatus {
        let list: CronList = self.agent.admin.get("/cron").await.unwrap();
        list.jobs.into_iter().find(|status| status.job.name.as_str() == name).unwrap()
    }

    /// Waits until a job is as `check` wants it.
    pub async fn job_when(&self, name: &str, check: impl Fn(&JobStatus) -> bool) -> JobStatus {
        until("the job", async || {
            let list: CronList = self.agent.admin.get("/cron").await.ok()?;
            list.jobs.into_iter().find(|status| status.job.name.as_str() == name && check(status))
        })
        .await
    }

    /// The runs of the first bot's job, newest first.
    pub async fn runs(&self, name: &str) -> Vec<Run> {
        let target = format!("/cron/{}/{name}/runs", self.config.bots[0].name);
        self.agent.admin.get::<RunList>(&target).await.unwrap().runs
    }

    /// Waits until the newest run is as `check` wants it.
    pub async fn run_when(&self, name: &str, check: impl Fn(&Run) -> bool) -> Run {
        until("the run", async || self.runs(name).await.into_iter().next().filter(|run| check(run))).await
    }

    /// As the operator does it: `run`, `pause` or `resume`.
    pub async fn command(&self, name: &str, what: &str) -> Result<JobStatus, CallError> {
        let target = format!("/cron/{}/{name}/{what}", self.config.bots[0].name);
        self.agent.admin.post(&target, &By { user: "anna".to_owned() }).await
    }

    pub async fn notes(&self) -> Vec<String> {
        self.agent.admin.get::<Readiness>("/readyz").await.unwrap().notes
    }

    /// The entries of the audit whose kind begins so.
    pub async fn audit(&self, kind: &str) -> Vec<Entry> {
        let page: platform_types::audit::Page = self.agent.admin.get("/audit").await.unwrap();
        page.entries.into_iter().filter(|entry| entry.kind.starts_with(kind)).collect()
    }
}

impl Inside {
    async fn start(root: &Path, generation: u64, clock: Arc<TestClock>, config: AgentConfig) -> Self {
        let (http, admin) = (
            root.join(format!("run/bot/http/{generation}.sock")),
            root.join(format!("run/bot/admin/{generation}.sock")),
        );
        let settings = Settings {
            profile: ProfileName::new("personal").unwrap(),
            generation: Generation(generation),
            http_socket: http.clone(),
            admin_socket: admin.clone(),
            paths: Paths::below(root),
        };
        let stop = CancellationToken::new();
        let running = platform_kit::task::spawn("agent", agent::run(settings, clock, stop.clone()));
        let admin = Client::new(admin, Peer::Trusted, Duration::from_secs(20));
        until("the admin socket", || async { admin.get::<Value>("/healthz").await.ok() }).await;
        let activate = Activate { generation: Generation(generation), config };
        admin.post::<_, Readiness>("/activate", &activate).await.unwrap();
        Self { generation, http, admin, stop, running }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        within("the agent to stop", self.running).await.unwrap().unwrap();
    }
}

/// What tests begin with, and these jobs of its first bot.
pub fn with_jobs(jobs: Vec<platform_types::cron::CronJob>) -> AgentConfig {
    AgentConfig { cron: jobs, ..config(1) }
}
