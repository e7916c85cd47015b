//! Gathering what a scrape needs: the world, counts out of the ledger, and the numbers of each container.

use std::collections::BTreeMap;
use std::time::Duration;

use platform_kit::client::Client;
use platform_types::agent::AgentStatus;
use platform_types::backup::Snapshot;
use platform_types::gate::GateStatus;
use platform_types::spark::SparkStatus;
use platform_types::{ProfileName, Timestamp};
use serde::de::DeserializeOwned;
use supervisor_store::{EventCount, StoreError};
use tokio::task::JoinSet;

use crate::api::view::Tally;
use crate::registry::operations::in_ledger;
use crate::sockets;
use crate::state::{Shared, World};

/// A container that does not answer in this time is absent from the scrape; Prometheus waits 10 s for all of it.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// One moment.
#[derive(Debug, Clone)]
pub struct Scrape {
    pub now: Timestamp,
    pub started_at: Timestamp,
    pub world: World,
    pub tallies: BTreeMap<ProfileName, Tally>,
    pub snapshots: Vec<Snapshot>,
    pub events: Vec<EventCount>,
    pub agents: BTreeMap<ProfileName, AgentStatus>,
    pub gates: BTreeMap<ProfileName, GateStatus>,
    pub spark: Option<SparkStatus>,
}

/// Numbers of one container.
enum Told {
    Agent(ProfileName, AgentStatus),
    Gate(ProfileName, GateStatus),
    Spark(SparkStatus),
}

/// Looks once. Containers are asked at the same time.
pub async fn scrape(shared: &Shared) -> Result<Scrape, StoreError> {
    let world = shared.world.borrow().clone();
    let now = shared.clock.now();
    let profiles: Vec<ProfileName> = world.config.profiles.keys().cloned().collect();
    let asked = ask_everybody(shared, &profiles);
    let counted = in_ledger(shared, move |store| {
        Ok((Tally::read(store, &profiles, now)?, store.latest_snapshots()?, store.event_counts()?))
    })
    .await;
    let (tallies, snapshots, events) = counted?;
    let mut scrape = Scrape {
        now,
        started_at: shared.started_at,
        world,
        tallies,
        snapshots,
        events,
        agents: BTreeMap::new(),
        gates: BTreeMap::new(),
        spark: None,
    };
    for told in asked.join_all().await.into_iter().flatten() {
        match told {
            Told::Agent(profile, status) => drop(scrape.agents.insert(profile, status)),
            Told::Gate(profile, status) => drop(scrape.gates.insert(profile, status)),
            Told::Spark(status) => scrape.spark = Some(status),
        }
    }
    Ok(scrape)
}

fn ask_everybody(shared: &Shared, profiles: &[ProfileName]) -> JoinSet<Option<Told>> {
    let mut asked = JoinSet::new();
    for profile in profiles {
        if let Some(client) = sockets::agent(shared, profile) {
            let profile = profile.clone();
            asked.spawn(async move { status(client).await.map(|status| Told::Agent(profile, status)) });
        }
        if let Some(client) = sockets::gate(shared, profile) {
            let profile = profile.clone();
            asked.spawn(async move { status(client).await.map(|status| Told::Gate(profile, status)) });
        }
    }
    if let Some(client) = sockets::spark(shared) {
        asked.spawn(async move { status(client).await.map(Told::Spark) });
    }
    asked
}

async fn status<T: DeserializeOwned>(client: Client) -> Option<T> {
    client.with_timeout(STATUS_TIMEOUT).get("/status").await.ok()
}
