//! Who may come through a gate: devices, setup links, requests to pair, script tokens.
//!
//! **Invariants.** The ledger decides, in one transaction; gates are told afterwards. A gate never calls the supervisor:
//! one task a gate holds its event stream open. Codes and tokens are shown once and kept as digests.
//!
//! ```text
//!   page ──▶ gate ──events──▶ [`gates`] ──▶ ledger ──▶ push of the configuration ──▶ decision to the gate
//!   botctl ──▶ [`operations`] ──▶ ledger ──▶ push ──▶ decision, when somebody waits for one
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`acts`] | what devices do about devices |
//! | [`code`] | codes, tokens and their digests |
//! | [`decision`] | what an attempt to pair comes to (pure) |
//! | [`gates`] | the event streams |
//! | [`operations`] | what the operator does |
//! | [`switch`] | what spark asks: its cards to the gates, a device's word back |

pub mod acts;
pub mod code;
pub mod decision;
pub mod gates;
pub mod operations;
pub mod switch;

#[cfg(test)]
mod tests;
