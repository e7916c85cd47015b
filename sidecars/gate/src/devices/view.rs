//! What the gate's own page shows of devices: this one, and for one with the scope `admin` who asks to be let in.

use platform_types::gate::{PairingAttempt, Scope};
use platform_types::text::neutral_cut;
use platform_types::{DeviceId, Timestamp};
use serde::Serialize;

use crate::gate::Gate;

/// For one page.
#[derive(Debug, Serialize)]
pub struct Devices {
    pub device: DeviceId,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Oldest first; empty for a device without the scope.
    pub requests: Vec<Asking>,
}

/// A request to pair.
#[derive(Debug, Serialize)]
pub struct Asking {
    pub id: String,
    pub device: DeviceId,
    pub name: String,
    /// Who tailscale says is asking: a hint, nothing that was proven here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// As it stands; `None` for a device that is not paired any more.
pub fn devices(gate: &Gate, id: &DeviceId) -> Option<Devices> {
    let config = gate.config.get().ok()?;
    let device = config.device(id)?;
    let undecided = if device.may(Scope::Admin) { waiting(gate) } else { Vec::new() };
    let requests = undecided.into_iter().map(|attempt| asking(gate, attempt));
    Some(Devices {
        device: id.clone(),
        name: device.name.clone(),
        scopes: device.scopes.clone(),
        requests: requests.collect(),
    })
}

/// Requests that a person decides about: without a setup code.
pub fn waiting(gate: &Gate) -> Vec<PairingAttempt> {
    let mut undecided = gate.pairing.requests.undecided(gate.clock.now());
    undecided.retain(|attempt| attempt.code_sha256.is_none());
    undecided
}

fn asking(gate: &Gate, attempt: PairingAttempt) -> Asking {
    let PairingAttempt { id, device, public_key: _, name, login, at, code_sha256: _ } = attempt;
    let expires_at = at.plus_millis(gate.limits.pairing.lifetime_millis);
    let login = login.map(|login| neutral_cut(&login, platform_types::gate::MAX_LOGIN_CHARS));
    Asking { id, device, name, login, at, expires_at }
}
