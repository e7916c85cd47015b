//! Clients for the admin sockets of the containers. The directories are written by the binders, so the uid at the other
//! end is checked.

use std::time::Duration;

use platform_kit::client::Client;
use platform_kit::socket::Peer;
use platform_types::ProfileName;
use supervisor_plan::Target;

use crate::state::Shared;

/// An admin socket answers in a millisecond unless its process is wedged.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The gate's admin socket; `None` before its uid is allocated.
pub fn gate(shared: &Shared, profile: &ProfileName) -> Option<Client> {
    client(shared, shared.roots.gate_admin(profile), &format!("gate-{profile}"))
}

/// The admin socket of the agent that serves the profile now.
pub fn agent(shared: &Shared, profile: &ProfileName) -> Option<Client> {
    let generation = shared.world.borrow().report.targets.get(&Target::agent(profile))?.generation?;
    client(shared, shared.roots.agent_admin(profile, generation), &format!("agent-{profile}"))
}

pub fn spark(shared: &Shared) -> Option<Client> {
    client(shared, shared.roots.spark_admin(), "spark")
}

pub fn backup(shared: &Shared) -> Option<Client> {
    client(shared, shared.roots.backup_admin(), "backup")
}

fn client(shared: &Shared, path: std::path::PathBuf, owner: &str) -> Option<Client> {
    let uid = shared.world.borrow().ledger.ids.get(owner)?;
    Some(Client::new(path, Peer::Uid(uid), TIMEOUT))
}
