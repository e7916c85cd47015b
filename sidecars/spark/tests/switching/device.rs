//! A paired device, as the gate's page is one.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use platform_types::egress::{Card, SignedDecision, Verdict};
use platform_types::switch::{Approver, SwitchDecision};
use platform_types::{DeviceId, ProfileName};
use sha2::{Digest as _, Sha256};

/// A device that signs.
pub struct Device {
    pub key: SigningKey,
    pub id: DeviceId,
}

impl Device {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let id = HEXLOWER.encode(&Sha256::digest(key.verifying_key().as_bytes()));
        Self { key, id: DeviceId::new(id).unwrap() }
    }

    pub fn approver(&self) -> Approver {
        let public_key = BASE64URL_NOPAD.encode(self.key.verifying_key().as_bytes());
        Approver { id: self.id.clone(), public_key, name: "phone".to_owned() }
    }

    /// What the gate would hand on of this device.
    pub fn decision(&self, profile: &str, card: &Card, verdict: Verdict) -> SwitchDecision {
        let profile = ProfileName::new(profile).unwrap();
        let text = SignedDecision { profile: &profile, device: &self.id, id: &card.id, digest: &card.digest, verdict };
        let signature = BASE64URL_NOPAD.encode(&self.key.sign(text.to_string().as_bytes()).to_bytes());
        SwitchDecision::Device { profile, device: self.id.clone(), verdict, digest: card.digest.clone(), signature }
    }
}
