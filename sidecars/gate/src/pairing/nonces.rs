//! Nonces: minted here, good once, for a minute. When too many are out, the oldest makes way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use platform_types::Timestamp;

/// The nonces that are out.
#[derive(Debug)]
pub struct Nonces {
    limit: usize,
    lifetime_millis: i64,
    out: Mutex<Out>,
}

#[derive(Debug, Default)]
struct Out {
    issued: HashMap<String, Issued>,
    /// In the order of minting; those that were used are still in it.
    order: VecDeque<String>,
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

    /// Mints one.
    pub fn issue(&self, host: &str, now: Timestamp) -> String {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.order.len() >= self.limit
            && let Some(oldest) = out.order.pop_front()
        {
            out.issued.remove(&oldest);
        }
        let nonce = platform_kit::random::id();
        out.issued.insert(nonce.clone(), Issued { host: host.to_owned(), at: now });
        out.order.push_back(nonce.clone());
        nonce
    }

    /// Uses one up. `None`: never minted, used already, or expired.
    pub fn take(&self, nonce: &str, now: Timestamp) -> Option<Issued> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.issued.remove(nonce).filter(|issued| now.millis_since(issued.at).abs() <= self.lifetime_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_for_a_minute() {
        let nonces = Nonces::new(2, 60_000);
        let a = nonces.issue("h", Timestamp(0));
        assert_eq!(nonces.take(&a, Timestamp(60_000)), Some(Issued { host: "h".into(), at: Timestamp(0) }));
        assert_eq!(nonces.take(&a, Timestamp(0)), None);
        let b = nonces.issue("h", Timestamp(0));
        assert_eq!(nonces.take(&b, Timestamp(60_001)), None);
        assert_eq!(nonces.take("unknown", Timestamp(0)), None);
    }

    #[test]
    fn the_oldest_makes_way() {
        let nonces = Nonces::new(2, 60_000);
        let [a, b, c] = [(); 3].map(|()| nonces.issue("h", Timestamp(0)));
        let known = [a, b, c].map(|nonce| nonces.take(&nonce, Timestamp(0)).is_some());
        assert_eq!(known, [false, true, true]);
    }
}
