//! The record of what was done: the supervisor's own chain, and the three chains of a profile as one timeline.
//!
//! **Invariants.** An entry holds ids, names and reasons; never a secret, never the text of a chat. Agents and gates keep
//! their own chains; their heads are kept here, so that neither can rewrite what it once said without being found.
//!
//! ```text
//!   agent ──head──▶ gate ──┐ anchors
//!     └────head────────────┼──▶ [`anchors`] ──▶ ledger ──▶ [`verify`] ◀── entries of all three
//!                 gate ────┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`own`] | the supervisor's entries |
//! | [`anchors`] | heads of others, fetched as they grow |
//! | [`source`] | entries of another's chain, page by page |
//! | [`verify`] | whether a chain holds (pure) |
//! | [`timeline`] | three chains as one |

pub mod anchors;
pub mod own;
pub mod source;
pub mod timeline;
pub mod verify;

#[cfg(test)]
mod tests;
