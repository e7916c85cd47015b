//! A simulated engine for the planner: containers, probes, latencies and faults, all in virtual time.
//!
//! **Invariants.** Nothing here does I/O or reads a clock: the same commands give the same history. The simulation watches
//! over safety by itself ([`Simulation::violations`]): two writers, an older generation, a touched stranger.
//!
//! | module | what |
//! |---|---|
//! | [`build`] | a topology to start from |
//! | [`engine`] | the simulated Docker |
//! | [`process`] | what runs in a simulated container, as its probes see it |
//! | [`simulation`] | the supervisor's loop: observe, plan, check, begin, execute, finish |
//! | `execute`, `observe` | what its engine does, and what it would have seen by now |
//! | [`fault`] | what can go wrong |
//! | [`script`] | golden scripts: commands, and the history they must produce |
//! | [`time`] | virtual time, in words |

pub mod build;
pub mod engine;
mod execute;
pub mod fault;
mod observe;
pub mod process;
pub mod script;
pub mod simulation;
pub mod time;

pub use fault::Fault;
pub use simulation::Simulation;
