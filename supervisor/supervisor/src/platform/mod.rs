//! Tells agents how the platform is, where a bot of the profile has a tool for it. Nothing is asked of anybody: an agent has no way
//! to the supervisor.
//!
//! **Invariants.** What is told is the supervisor's own observation. Of other profiles nothing is told; of what is shared the
//! condition, and none of its words.
//!
//! | module | what |
//! |---|---|
//! | [`view`] | the world as one profile may know it (pure) |
//! | [`logs`] | the end of the profile's own logs |

mod logs;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use platform_types::ProfileName;
use platform_types::platform::{HEALTH_TOOL, LOGS_TOOL, PartLog, PlatformView};
use serde::de::IgnoredAny;
use supervisor_config::config::Profile;
use tokio_util::sync::CancellationToken;

use crate::sockets;
use crate::state::Shared;
use crate::words::chain;

/// Agents are told so often: as often as what is well is probed, and a little more.
const EVERY: Duration = Duration::from_secs(5);
/// Logs are read once in so many rounds.
const LOG_ROUNDS: u64 = 3;

/// Which tools the bots of a profile have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    health: bool,
    logs: bool,
}

/// Tells until `stop`.
pub async fn tell(shared: Shared, stop: CancellationToken) {
    let mut logs = BTreeMap::new();
    let mut round = 0_u64;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        if round.is_multiple_of(LOG_ROUNDS) {
            logs.clear();
        }
        tokio::select! {
            () = tell_all(&shared, &mut logs) => {}
            () = stop.cancelled() => return,
        }
        round = round.wrapping_add(1);
    }
}

/// Logs of the profiles that have been read.
type Logs = BTreeMap<ProfileName, Vec<PartLog>>;

async fn tell_all(shared: &Shared, logs: &mut Logs) {
    let world = shared.world.borrow().clone();
    for (profile, configured) in &world.config.profiles {
        let wanted = Wanted::of(configured);
        if wanted.logs && !logs.contains_key(profile) {
            logs.insert(profile.clone(), logs::of(shared, &world, profile).await);
        }
        if wanted.health || wanted.logs {
            let now = shared.clock.now();
            let logs = logs.get(profile).filter(|_| wanted.logs).cloned().unwrap_or_default();
            let view =
                PlatformView { at: now, health: wanted.health.then(|| view::health(&world, profile, now)), logs };
            tell_one(shared, profile, &view).await;
        }
    }
}

/// An agent that is away, or of a release without the route, is told later.
async fn tell_one(shared: &Shared, profile: &ProfileName, view: &PlatformView) {
    let Some(agent) = sockets::agent(shared, profile) else { return };
    if let Err(error) = agent.put::<_, IgnoredAny>("/platform", view).await {
        tracing::debug!(%profile, error = chain(&error), "an agent was not told how the platform is");
    }
}

impl Wanted {
    fn of(profile: &Profile) -> Self {
        let has = |tool: &str| profile.bots.iter().any(|bot| bot.tools.iter().any(|name| name == tool));
        Self { health: has(HEALTH_TOOL), logs: has(LOGS_TOOL) }
    }
}
