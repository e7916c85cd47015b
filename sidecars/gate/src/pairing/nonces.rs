//! Nonces: minted here, good once, for a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use platform_types::Timestamp;

/// The nonces that are out.
#[derive(Debug)]
pub struct Nonces {
    limit: usize,
    lifetime_millis: i64,
    out: Mutex<HashMap<String, Issued>>,
}

/// What a nonce was minted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub host: String,
    pub at: Timestamp,
}

impl Nonces {
    pub fn new(limit: usize, lifetime_millis: i64) -> Self {
        Self { limit, lifetime_millis, out: Mutex::default() }
    }

    /// Mints one, or `None` when too many are out.
    pub fn issue(&self, host: &str, now: Timestamp) -> Option<String> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.retain(|_, issued| self.fresh(issued, now));
        if out.len() >= self.limit {
            return None;
        }
        let nonce = platform_kit::random::id();
        out.insert(nonce.clone(), Issued { host: host.to_owned(), at: now });
        Some(nonce)
    }

    /// Uses one up. `None`: never minted, used already, or expired.
    pub fn take(&self, nonce: &str, now: Timestamp) -> Option<Issued> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.remove(nonce).filter(|issued| self.fresh(issued, now))
    }

    fn fresh(&self, issued: &Issued, now: Timestamp) -> bool {
        now.millis_since(issued.at).abs() <= self.lifetime_millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_for_a_minute_and_not_too_many() {
        let nonces = Nonces::new(2, 60_000);
        let a = nonces.issue("h", Timestamp(0)).expect("the first");
        assert_eq!(nonces.take(&a, Timestamp(60_000)), Some(Issued { host: "h".into(), at: Timestamp(0) }));
        assert_eq!(nonces.take(&a, Timestamp(0)), None);
        let b = nonces.issue("h", Timestamp(0)).expect("the second");
        assert_eq!(nonces.take(&b, Timestamp(60_001)), None);
        assert_eq!(nonces.take("unknown", Timestamp(0)), None);
        assert!(nonces.issue("h", Timestamp(0)).is_some());
        assert!(nonces.issue("h", Timestamp(0)).is_some());
        assert!(nonces.issue("h", Timestamp(0)).is_none());
        assert!(nonces.issue("h", Timestamp(60_001)).is_some());
    }
}
