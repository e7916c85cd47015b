//! Who may come through a gate.

use platform_types::gate::Scope;
use platform_types::{DeviceId, ProfileName, Timestamp};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `POST /v1/profiles/{p}/links`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// What the device may do; left out: everything for a profile's first device, `chat` for others.
    #[serde(default)]
    pub scopes: Option<Vec<Scope>>,
}

/// A one-time setup link. The code is in the URL's fragment, which browsers do not send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub profile: ProfileName,
    pub url: String,
    /// Without the code.
    pub address: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The gate knows it already.
    pub pushed: bool,
}

/// Body of `GET /v1/profiles/{p}/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    pub profile: ProfileName,
    pub now: Timestamp,
    pub devices: Vec<Device>,
    /// Requests that wait for the operator.
    pub requests: Vec<PairingRequest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub id: DeviceId,
    /// What people compare: the first eight digits of the id.
    pub code: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub added_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingRequest {
    pub id: DeviceId,
    /// What the device shows on its screen.
    pub code: String,
    pub name: String,
    /// Who tailscale says is asking: a hint.
    #[serde(default)]
    pub login: Option<String>,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Body of `POST /v1/profiles/{p}/devices/approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// The short code, or the id, or an unambiguous beginning of it.
    pub code: String,
    /// Left out: `chat`.
    #[serde(default)]
    pub scopes: Option<Vec<Scope>>,
}

/// Body of `POST /v1/profiles/{p}/devices/refuse` and `…/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRequest {
    pub code: String,
}

/// Body of `POST /v1/profiles/{p}/devices/scope`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRequest {
    pub code: String,
    /// What it may do from now on; `chat` is always among it.
    pub scopes: Vec<Scope>,
}

/// Body of `POST /v1/profiles/{p}/devices/rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameRequest {
    pub code: String,
    pub name: String,
}

/// What became of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceChanged {
    pub profile: ProfileName,
    pub device: Device,
    /// The gate confirmed it.
    pub pushed: bool,
}

/// What became of a request that was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRefused {
    pub profile: ProfileName,
    pub request: PairingRequest,
}

/// Body of `GET /v1/profiles/{p}/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub profile: ProfileName,
    pub now: Timestamp,
    pub tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub name: String,
    pub created_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Body of `POST /v1/profiles/{p}/tokens` and `…/tokens/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    pub name: String,
}

/// A new token: the only time that it is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreated {
    pub profile: ProfileName,
    pub name: String,
    pub token: String,
    /// Base URL of the OpenAI-compatible endpoint.
    pub base_url: String,
    pub pushed: bool,
}

impl std::fmt::Debug for TokenCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { profile, name, token: _, base_url, pushed } = self;
        f.debug_struct("TokenCreated")
            .field("profile", profile)
            .field("name", name)
            .field("base_url", base_url)
            .field("pushed", pushed)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    pub profile: ProfileName,
    pub name: String,
    pub pushed: bool,
}

impl Document for Link {
    const SCHEMA: &'static str = "bot-platform.link.v1";
}

impl Document for Devices {
    const SCHEMA: &'static str = "bot-platform.devices.v1";
}

impl Document for DeviceChanged {
    const SCHEMA: &'static str = "bot-platform.device.v1";
}

impl Document for RequestRefused {
    const SCHEMA: &'static str = "bot-platform.pairing-refused.v1";
}

impl Document for Tokens {
    const SCHEMA: &'static str = "bot-platform.tokens.v1";
}

impl Document for TokenCreated {
    const SCHEMA: &'static str = "bot-platform.token.v1";
}

impl Document for TokenRevoked {
    const SCHEMA: &'static str = "bot-platform.token-revoked.v1";
}
