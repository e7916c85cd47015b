//! `home.status`, `home.read`, `home.set`, `home.scene`: Home Assistant, over the gate.
//!
//! **Invariants.** A 200 of Home Assistant proves nothing, so what is told is what was read back. Ids that are not in the
//! configuration are refused without asking anybody. Nothing is sent to a device that is not available, and nothing twice.
//!
//! | module | what |
//! |---|---|
//! | [`known`] | which id is meant, and what a bot may do with it |
//! | [`state`] | a state as Home Assistant tells it, and as a model gets it |
//! | [`action`] | actions and the services behind them: ranges, and when they are reached (pure) |
//! | [`server`] | questions to the server, and its refusals in words |
//! | [`settle`] | reading back until it is as it should be |
//! | [`status`], [`read`], [`set`], [`scene`] | the tools |

mod action;
#[cfg(test)]
mod fake;
mod known;
pub mod read;
pub mod scene;
mod server;
pub mod set;
mod settle;
mod state;
pub mod status;
#[cfg(test)]
mod tests;
