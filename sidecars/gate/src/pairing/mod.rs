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
//! Nobody's attempts are in the way of a good setup link: nonces cost nothing, attempts with and without a code are counted
//! apart, and so are those that wait.
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
    /// Attempts without a code. Of the whole gate: behind the proxy everybody has the same address.
    pub attempts: SharedBucket,
    /// Attempts with a code that is not known. A good one needs no leave.
    pub wrong_codes: SharedBucket,
}

impl Pairing {
    pub fn new(limits: &PairingLimits) -> Self {
        Self {
            nonces: Nonces::new(limits.nonces, limits.nonce_millis),
            requests: Requests::new(limits.pending, limits.lifetime_millis),
            attempts: SharedBucket::new(limits.attempts, 1_000),
            wrong_codes: SharedBucket::new(limits.wrong_codes, 1_000),
        }
    }
}
