//! The pushed configuration, parsed once. What is wrong with it is said before it is in force.

use std::collections::HashMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::VerifyingKey;
use platform_kit::Failure;
use platform_types::gate::{Device, Door, GateConfig, Scope, ScriptToken, SetupLink};
use platform_types::{DeviceId, ErrorCode, ProfileName, Revision, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::egress::ways::Ways;
use crate::http::place::{self, Place};

/// SHA-256 of a secret text.
pub type SecretDigest = [u8; 32];

/// Everything the gate verifies against.
#[derive(Debug, Clone)]
pub struct Config {
    pub revision: Revision,
    pub profile: ProfileName,
    pub places: Vec<Place>,
    pub door: Door,
    pub agent_uid: u32,
    /// Who may come over the tailnet; everybody in it when empty.
    pub tailscale_users: Vec<String>,
    /// How `botctl` is typed on the host; `None`: just so.
    pub botctl: Option<String>,
    pub ways: Ways,
    devices: HashMap<DeviceId, PairedDevice>,
    links: Vec<Link>,
    tokens: Vec<Token>,
}

/// A device that may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedDevice {
    pub key: VerifyingKey,
    pub name: String,
    pub scopes: Vec<Scope>,
}

impl PairedDevice {
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

#[derive(Debug, Clone)]
struct Link {
    digest: SecretDigest,
    expires_at: Timestamp,
}

#[derive(Debug, Clone)]
struct Token {
    name: String,
    digest: SecretDigest,
}

impl Config {
    /// Parses a pushed document; the error names the field.
    pub fn parse(wire: GateConfig) -> Result<Self, Failure> {
        let GateConfig {
            revision,
            profile,
            port,
            address,
            door,
            agent_uid,
            devices,
            setup_links,
            tokens,
            upstreams,
            channels,
            tailscale_users,
            botctl,
        } = wire;
        let places = place::places(port, address.as_deref()).map_err(|message| bad(message, "address"))?;
        let mut paired = HashMap::with_capacity(devices.len());
        for device in devices {
            let (id, device) = parse_device(device)?;
            paired.insert(id, device);
        }
        let links = setup_links.iter().map(Link::parse).collect::<Result<_, _>>()?;
        let tokens = tokens.into_iter().map(Token::parse).collect::<Result<_, _>>()?;
        let ways = Ways::new(upstreams, channels);
        Ok(Self {
            revision,
            profile,
            places,
            door,
            agent_uid,
            tailscale_users,
            botctl,
            ways,
            devices: paired,
            links,
            tokens,
        })
    }

    /// A command for the host, as it is typed for this installation: `botctl open ops`.
    pub fn command(&self, words: &str) -> String {
        format!("{} {words}", self.botctl.as_deref().unwrap_or("botctl"))
    }

    pub fn device(&self, id: &DeviceId) -> Option<&PairedDevice> {
        self.devices.get(id)
    }

    /// Id and name of each.
    pub fn device_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.devices.iter().map(|(id, device)| (id.as_str(), device.name.as_str()))
    }

    /// Adds a device that the ledger has just accepted; the next push has it too.
    pub fn accept(&mut self, device: Device) -> Result<(), Failure> {
        let (id, device) = parse_device(device)?;
        self.devices.insert(id, device);
        Ok(())
    }

    /// Gives a device the key that the ledger has just taken for it.
    pub fn rekey(&mut self, old: &DeviceId, device: Device) -> Result<(), Failure> {
        self.accept(device)?;
        self.devices.remove(old);
        Ok(())
    }

    /// Whether a setup code is good at `now`.
    pub fn knows_link(&self, digest: &SecretDigest, now: Timestamp) -> bool {
        self.links.iter().fold(false, |known, link| known | (link.expires_at > now && same(&link.digest, digest)))
    }

    /// The name of the script token with this digest.
    pub fn token(&self, digest: &SecretDigest) -> Option<&str> {
        self.tokens
            .iter()
            .fold(None, |found, token| if same(&token.digest, digest) { Some(&token.name) } else { found })
    }

    pub fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }
}

impl Link {
    fn parse(wire: &SetupLink) -> Result<Self, Failure> {
        Ok(Self { digest: parse_digest(&wire.code_sha256, "setup_links")?, expires_at: wire.expires_at })
    }
}

impl Token {
    fn parse(wire: ScriptToken) -> Result<Self, Failure> {
        Ok(Self { digest: parse_digest(&wire.token_sha256, "tokens")?, name: wire.name })
    }
}

/// SHA-256 of a secret text.
pub fn digest(text: &str) -> SecretDigest {
    Sha256::digest(text.as_bytes()).into()
}

/// The id of a device: SHA-256 of its raw public key.
pub fn device_id(key: &VerifyingKey) -> DeviceId {
    DeviceId::new(HEXLOWER.encode(&Sha256::digest(key.as_bytes()))).expect("a SHA-256 has 64 hex digits")
}

/// Reads a public key: base64url without padding, a point of the curve, not one of the weak ones.
pub fn parse_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak())
}

fn parse_device(wire: Device) -> Result<(DeviceId, PairedDevice), Failure> {
    let key = parse_key(&wire.public_key).filter(|key| device_id(key) == wire.id);
    let key = key.ok_or_else(|| bad(format!("the public key of device {} does not fit its id", wire.id), "devices"))?;
    Ok((wire.id, PairedDevice { key, name: wire.name, scopes: wire.scopes }))
}

fn parse_digest(text: &str, field: &str) -> Result<SecretDigest, Failure> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| bad("a digest is 64 lower-case hex digits", field))
}

fn same(a: &SecretDigest, b: &SecretDigest) -> bool {
    a.ct_eq(b).into()
}

fn bad(message: impl Into<String>, field: &str) -> Failure {
    Failure::new(ErrorCode::BadRequest, message).with_param(field)
}
