//! The supervisor's ledger: `supervisor.db`, SQLite in WAL mode with `synchronous=FULL`.
//!
//! **Invariants.** What a function returned `Ok` for is on the disk. A decision that must happen once (a setup link, an
//! approval, a uid) is made inside one write transaction. Secrets never come here, only their digests. Time and
//! randomness come in as arguments.
//!
//! | module | what |
//! |---|---|
//! | [`store`] | opening, migrations, transactions |
//! | [`error`] | what can go wrong |
//! | [`installation`] | the install id, the planner's memory, canaries |
//! | [`devices`] | paired devices and setup links |
//! | [`pairings`] | requests that wait for the operator |
//! | [`tokens`] | bearer tokens of scripts |
//! | [`records`] | the event log and the snapshots |

pub mod devices;
pub mod error;
pub mod installation;
pub mod pairings;
pub mod records;
pub mod store;
pub mod tokens;

pub use devices::{DeviceRecord, GateRegistry, LinkRecord, NewDevice, Redemption};
pub use error::{OpenError, StoreError};
pub use pairings::{Approval, Offer, PairingRecord, PairingState};
pub use records::{EventCount, EventRecord, NewEvent};
pub use store::Store;
pub use tokens::TokenRecord;
