//! A device with a key, as a browser has one.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer as _, SigningKey};
use gate::config::device_id;
use platform_types::gate::{Device, Purpose, Scope, SignedText};
use platform_types::{DeviceId, ProfileName, Timestamp};
use serde_json::{Value, json};

pub struct TestDevice {
    key: SigningKey,
    pub id: DeviceId,
}

impl TestDevice {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let id = device_id(&key.verifying_key());
        Self { key, id }
    }

    pub fn public_key(&self) -> String {
        BASE64URL_NOPAD.encode(self.key.verifying_key().as_bytes())
    }

    /// As the registry has it once it is paired.
    pub fn paired(&self) -> Device {
        Device { id: self.id.clone(), public_key: self.public_key(), name: "phone".into(), scopes: vec![Scope::Chat] }
    }

    /// Signs a challenge of the gate: `{profile, host, nonce, time}`.
    pub fn sign(&self, purpose: Purpose, challenge: &Value) -> String {
        let profile = ProfileName::new(challenge["profile"].as_str().unwrap()).unwrap();
        let text = SignedText {
            purpose,
            profile: &profile,
            host: challenge["host"].as_str().unwrap(),
            device: &self.id,
            nonce: challenge["nonce"].as_str().unwrap(),
            time: Timestamp(challenge["time"].as_i64().unwrap()),
        };
        BASE64URL_NOPAD.encode(&self.key.sign(text.to_string().as_bytes()).to_bytes())
    }

    /// Signs any text.
    pub fn sign_text(&self, text: &str) -> String {
        BASE64URL_NOPAD.encode(&self.key.sign(text.as_bytes()).to_bytes())
    }

    /// The answer to a socket's challenge.
    pub fn auth(&self, challenge: &Value) -> Value {
        json!({"type": "auth", "device": self.id, "signature": self.sign(Purpose::Connect, challenge)})
    }

    /// The body of `POST /pair`.
    pub fn pairing(&self, challenge: &Value, code: Option<&str>) -> Value {
        let mut body = json!({
            "public_key": self.public_key(),
            "name": "Anna's phone",
            "nonce": challenge["nonce"],
            "time": challenge["time"],
            "signature": self.sign(Purpose::Pair, challenge),
        });
        if let Some(code) = code {
            body["code"] = code.into();
        }
        body
    }
}
