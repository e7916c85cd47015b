//! The supervisor's ledger: `supervisor.db`, SQLite in WAL mode with `synchronous=FULL`.
//!
//! **Invariants.** What a function returned `Ok` for is on the disk. A decision that must happen once (a setup link, an
//! approval, a uid) is made inside one write transaction. Secrets never come here, only their digests. Time and
//! randomness come in as arguments.
//!
//! | module | what |
//! |---|---|
//! | [`store`] | opening, migrations, transactions |
//! | [`recovery`] | a ledger that is lost, damaged or older than it should be; the copy beside it |
//! | `mark` | the file beside it: what must never be forgotten |
//! | `files` | where they lie, how they are replaced |
//! | [`error`] | what can go wrong |
//! | [`installation`] | the install id, the planner's memory, canaries |
//! | [`devices`] | paired devices and setup links |
//! | [`pairings`] | requests that wait for the operator |
//! | [`senders`] | who may write through a channel, and who waits for it |
//! | [`tokens`] | bearer tokens of scripts |
//! | [`records`] | the event log and the snapshots |
//! | [`jobs`] | work on repositories by the clock |
//! | [`audit`] | the supervisor's chain, and the heads of others |

pub mod audit;
pub mod devices;
pub mod error;
mod files;
pub mod installation;
pub mod jobs;
mod mark;
pub mod pairings;
pub mod records;
pub mod recovery;
pub mod senders;
pub mod store;
pub mod tokens;

pub use devices::links::{LinkRecord, Redemption};
pub use devices::rotate::Rotation;
pub use devices::{DeviceRecord, GateRegistry, NewDevice};
pub use error::{OpenError, StoreError};
pub use jobs::Jobs;
pub use pairings::{Approval, Offer, PairingRecord, PairingState};
pub use records::{EventCount, EventRecord, NewEvent};
pub use recovery::{Opened, Recovered};
pub use senders::{GateSenders, SenderApproval, SenderOffer, SenderRecord, SenderState};
pub use store::Store;
pub use tokens::TokenRecord;
