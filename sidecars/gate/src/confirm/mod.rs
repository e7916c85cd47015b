//! Confirmations: requests that wait for a person, kept and carried out by the gate itself.
//!
//! ```text
//! created ─▶ decided: allow ─▶ released ─▶ done | failed | unknown
//!    │  └──▶ decided: deny        └─ the gate stopped here: unknown, and never again
//!    ├─────▶ expired
//!    └─────▶ superseded: the rule is another, or gone
//! ```
//!
//! Each step is on the disk before anything follows from it.
//!
//! | module | what |
//! |---|---|
//! | [`record`] | one confirmation, and its steps |
//! | [`store`] | all confirmations |
//! | [`ask`] | from an admitted request to a card, with facts |
//! | [`decide`] | devices and the operator |
//! | [`carry`] | what was allowed, carried out once |
//! | [`relay`] | cards of spark: shown, and a device's word handed on |
//! | [`routes`] | what browsers ask |
//! | [`watch`] | the socket of the gate's own page, and expiry |

pub mod ask;
pub mod carry;
pub mod decide;
pub mod record;
pub mod relay;
pub mod routes;
pub mod store;
pub mod watch;
