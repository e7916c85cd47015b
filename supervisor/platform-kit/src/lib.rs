//! The edge of every process: what touches the clock, the environment, sockets, signals and the log.
//!
//! | module | what |
//! |---|---|
//! | [`telemetry`] | JSON log lines on standard output |
//! | [`environment`] | the variables a process reads, parsed, all errors at once |
//! | [`clock`] | the system clock behind a trait |
//! | [`secret`] | `Secret<T>`, and files that hold one |
//! | [`random`] | ids and nonces |
//! | [`socket`] | binding and connecting Unix sockets, with and without trust in names |
//! | [`client`] | a bounded HTTP client over a Unix socket |
//! | [`connection`] | HTTP connections that are kept for a moment |
//! | [`journal`] | a file of steps, each on the disk before it counts |
//! | [`confirmation`] | what waits for a person, is decided once, and carried out at most once |
//! | [`lines`] | newline-delimited answers, line by line |
//! | [`serve`] | an axum router on a listener, drained on shutdown |
//! | [`admin`] | `/healthz`, `/readyz`, `/release`, and the health check that images run |
//! | [`answer`] | errors as HTTP answers |
//! | [`chain`] | hash chains of audits |
//! | [`task`] | named tasks, and the signal to stop |

pub mod admin;
pub mod answer;
pub mod chain;
pub mod client;
pub mod clock;
pub mod confirmation;
pub mod connection;
pub mod environment;
pub mod journal;
pub mod lines;
pub mod random;
pub mod secret;
pub mod serve;
pub mod socket;
pub mod task;
pub mod telemetry;

pub use answer::Failure;
pub use clock::{Clock, SystemClock};
pub use secret::Secret;
