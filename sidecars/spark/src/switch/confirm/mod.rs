//! Confirmations of the switch: kept and judged by spark itself.
//!
//! ```text
//! created ─▶ decided: allow ─▶ commanded ─▶ ended
//!    │  └──▶ decided: deny         └─ spark stopped here: it goes on watching, and never commands again
//!    ├─────▶ expired
//!    └─────▶ superseded: what was shown does not hold any more
//! ```
//!
//! Each step is on the disk before anything follows from it. One that was used stays used: no step leads back.
//!
//! | module | what |
//! |---|---|
//! | [`record`] | one confirmation, and its steps (pure) |
//! | [`card`] | what a person reads, and the digest (pure) |
//! | [`store`] | all of them, and the file |
//! | [`ask`] | from a request to a card |
//! | [`decide`] | devices and the operator |

pub mod ask;
pub mod card;
pub mod decide;
pub mod record;
pub mod store;
