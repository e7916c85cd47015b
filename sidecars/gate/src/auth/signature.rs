//! Proof that a device holds its key.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, VerifyingKey};

/// Whether `signature` (base64url without padding) is the key's, over exactly this text.
pub fn verify(key: &VerifyingKey, text: &impl std::fmt::Display, signature: &str) -> bool {
    let Ok(bytes) = BASE64URL_NOPAD.decode(signature.as_bytes()) else { return false };
    let Ok(signature) = Signature::from_slice(&bytes) else { return false };
    key.verify_strict(text.to_string().as_bytes(), &signature).is_ok()
}
