//! Pairing: how a new device gets to be known.
//!
//! ```text
//! page                         gate                              supervisor
//!  │ POST /pair/nonce ────────▶ │                                    │
//!  │ ◀─ nonce, time, host ───── │                                    │
//!  │ POST /pair (signed) ─────▶ │ ── pairing attempt (event) ──────▶ │  writes its ledger,
//!  │                            │ ◀─ POST /pairings/{id} ─────────── │  then decides
//!  │ ◀─ 200 | 202, then poll ── │                                    │
//! ```
//!
//! The gate proves possession of the key and knows which setup codes are good; whether a device is paired is the supervisor's
//! word alone.

pub mod nonces;
pub mod requests;
pub mod routes;

use crate::gate::SharedBucket;
use crate::limits::PairingLimits;
use nonces::Nonces;
use requests::Requests;

/// What pairing remembers.
#[derive(Debug)]
pub struct Pairing {
    pub nonces: Nonces,
    pub requests: Requests,
    /// Of the whole gate: behind the proxy everybody has the same address.
    pub attempts: SharedBucket,
}

impl Pairing {
    pub fn new(limits: &PairingLimits) -> Self {
        Self {
            nonces: Nonces::new(limits.nonces, limits.nonce_millis),
            requests: Requests::new(limits.pending, limits.lifetime_millis),
            attempts: SharedBucket::new(limits.attempts, 1_000),
        }
    }
}
