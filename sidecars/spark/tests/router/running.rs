//! A router in a directory of its own.

use std::sync::Arc;

use platform_kit::SystemClock;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::spark::{Backend, SparkConfig, SparkLimits, SparkStatus};
use platform_types::{ModelId, ProfileName, Revision};
use spark::place::{Limits, Place};
use spark::process::Process;
use tokio_util::sync::CancellationToken;

use crate::client::DEADLINE;
pub use crate::client::{Lane, chat, within};

pub struct Running {
    pub place: Place,
    /// What every configuration says of limits.
    pub given: SparkLimits,
    /// What every configuration says that bots name.
    pub models: Vec<ModelId>,
    stop: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
    _root: Option<tempfile::TempDir>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    /// Starts a router that waits for its configuration; directories of two profiles are there.
    pub fn start(limits: Limits) -> Self {
        let root = tempfile::tempdir().unwrap();
        Self::start_at(Place::under(root.path()), Some(root), limits)
    }

    /// [`Self::start`] at a place that stays, unless its directory is given.
    pub fn start_at(place: Place, root: Option<tempfile::TempDir>, limits: Limits) -> Self {
        for directory in
            [&place.state, &place.admin, &place.secrets, &place.sockets.join("personal"), &place.sockets.join("ops")]
        {
            std::fs::create_dir_all(directory).unwrap();
        }
        let stop = CancellationToken::new();
        let process = Process::bind(place.clone(), limits, Arc::new(SystemClock)).unwrap();
        let task = Some(platform_kit::task::spawn("router", process.run(stop.clone())));
        Self { place, given: SparkLimits::default(), models: vec![], stop, task, _root: root }
    }

    /// Stops it, and waits until it has.
    pub async fn stopped(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }

    /// Starts a router with this backend for both profiles.
    pub async fn with(backend: Backend, limits: Limits) -> Self {
        let running = Self::start(limits);
        running.push(1, backend, &["personal", "ops"]).await.unwrap();
        running
    }

    pub async fn push(&self, revision: u64, backend: Backend, profiles: &[&str]) -> Result<(), CallError> {
        let profiles = profiles.iter().map(|name| ProfileName::new(*name).unwrap()).collect();
        self.admin()
            .put(
                "/config",
                &SparkConfig {
                    revision: Revision(revision),
                    backend,
                    profiles,
                    models: self.models.clone(),
                    limits: self.given,
                    switch: None,
                },
            )
            .await
    }

    pub fn admin(&self) -> Client {
        Client::new(self.place.admin_socket(), Peer::Trusted, DEADLINE)
    }

    pub fn lane(&self, profile: &str) -> Lane {
        let path = self.place.llm_socket(&ProfileName::new(profile).unwrap());
        Lane(Client::new(path, Peer::Trusted, DEADLINE))
    }

    /// Waits until the counters are as wanted.
    pub async fn counted(&self, what: &str, wanted: impl Fn(&SparkStatus) -> bool) -> SparkStatus {
        let admin = self.admin();
        within(what, async {
            loop {
                let status: SparkStatus = admin.get("/status").await.unwrap();
                if wanted(&status) {
                    return status;
                }
            }
        })
        .await
    }
}
