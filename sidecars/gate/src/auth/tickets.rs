//! Tickets: bearers for `/api`, each as good as the socket it was given to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use platform_types::DeviceId;

use crate::config::{self, SecretDigest};

/// The tickets of all open sockets. Their number is that of the sockets.
#[derive(Debug, Clone, Default)]
pub struct Tickets(Arc<Mutex<HashMap<SecretDigest, DeviceId>>>);

/// Held by a socket; gone with it.
#[derive(Debug)]
pub struct Ticket {
    text: String,
    digest: SecretDigest,
    all: Tickets,
}

impl Tickets {
    pub fn issue(&self, device: DeviceId) -> Ticket {
        let text = BASE64URL_NOPAD.encode(&platform_kit::random::bytes::<32>());
        let digest = config::digest(&text);
        self.with(|all| all.insert(digest, device));
        Ticket { text, digest, all: self.clone() }
    }

    /// Whose ticket this is.
    pub fn device(&self, text: &str) -> Option<DeviceId> {
        let digest = config::digest(text);
        self.with(|all| all.get(&digest).cloned())
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<SecretDigest, DeviceId>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ticket {
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.all.with(|all| all.remove(&self.digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_lives_as_long_as_its_socket() {
        let tickets = Tickets::default();
        let device = DeviceId::new("a".repeat(64)).expect("an id");
        let ticket = tickets.issue(device.clone());
        let text = ticket.text().to_owned();
        assert_eq!(tickets.device(&text), Some(device));
        assert_eq!(tickets.device("another"), None);
        drop(ticket);
        assert_eq!(tickets.device(&text), None);
    }
}
