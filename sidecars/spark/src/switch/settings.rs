//! What was pushed about the switch, parsed once. What is wrong with it is said before it is in force.

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::VerifyingKey;
use platform_types::switch::{Approver, DRAIN_SECONDS, SwitchConfig, WAIT_SECONDS, is_switchable};
use platform_types::{DeviceId, ModelId, ProfileName};
use sha2::{Digest as _, Sha256};

use super::SwitchLimits;
use super::machine::Times;
use super::ssh::{NotAHostKey, Remote};
use crate::place::Place;
use crate::redaction::Redaction;

/// Why the switch cannot be used with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    HostKey(#[from] NotAHostKey),
    #[error("[spark.switch] names no model that may be switched to")]
    NoModels,
    #[error("{0:?} cannot be switched to: it is not one word of a command")]
    Model(String),
    #[error("[spark.switch] has a time that is out of its range")]
    Times,
}

/// The switch as it is configured.
#[derive(Debug)]
pub struct Settings {
    pub remote: Remote,
    pub models: Vec<ModelId>,
    pub times: Times,
    askers: BTreeMap<ProfileName, BTreeMap<DeviceId, Device>>,
}

/// A device whose signature counts.
#[derive(Debug)]
pub struct Device {
    pub name: String,
    pub key: VerifyingKey,
}

impl Settings {
    /// `limits` holds what the configuration does not say; `redaction` is for what the command says.
    pub fn new(
        config: &SwitchConfig,
        limits: &SwitchLimits,
        place: &Place,
        redaction: Redaction,
    ) -> Result<Self, SettingsError> {
        if config.models.is_empty() {
            return Err(SettingsError::NoModels);
        }
        if let Some(odd) = config.models.iter().find(|model| !is_switchable(model.as_str())) {
            return Err(SettingsError::Model(odd.to_string()));
        }
        if !DRAIN_SECONDS.contains(&config.drain_seconds) || !WAIT_SECONDS.contains(&config.wait_seconds) {
            return Err(SettingsError::Times);
        }
        let millis = |seconds| i64::try_from((limits.second * seconds).as_millis()).unwrap_or(i64::MAX);
        let (drain, wait) = (millis(config.drain_seconds), millis(config.wait_seconds));
        let askers = config.askers.iter().map(|asker| {
            let devices = asker.approvers.iter().filter_map(device);
            (asker.profile.clone(), devices.collect())
        });
        Ok(Self {
            remote: Remote::new(config, &place.secrets, limits.keep_alive, redaction)?,
            models: config.models.clone(),
            times: Times { drain, wait, ..limits.times },
            askers: askers.collect(),
        })
    }

    /// Whether a profile may ask.
    pub fn may_ask(&self, profile: &ProfileName) -> bool {
        self.askers.contains_key(profile)
    }

    /// A device that may decide what this profile asked.
    pub fn device(&self, profile: &ProfileName, device: &DeviceId) -> Option<&Device> {
        self.askers.get(profile)?.get(device)
    }
}

/// A key that is none, or not the one of its id, counts for nobody.
fn device(approver: &Approver) -> Option<(DeviceId, Device)> {
    let bytes: Option<[u8; 32]> =
        BASE64URL_NOPAD.decode(approver.public_key.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let fits = |bytes: &[u8; 32]| HEXLOWER.encode(&Sha256::digest(bytes)) == approver.id.as_str();
    let key = bytes.filter(fits).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).filter(|key| !key.is_weak());
    if key.is_none() {
        tracing::warn!(device = %approver.id, "the key of a device is not one");
    }
    Some((approver.id.clone(), Device { name: approver.name.clone(), key: key? }))
}
