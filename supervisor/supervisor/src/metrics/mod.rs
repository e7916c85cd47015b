//! `/metrics`: `OpenMetrics` text on the configured loopback address.
//!
//! **Invariants.** Labels are words of ours (profile, role, outcome), never texts of a container; numbers that a container
//! reports are just numbers. Every metric is in [`catalogue`], and the catalogue is in `docs/reference/metrics.md`.
//!
//! | module | what |
//! |---|---|
//! | [`catalogue`](mod@catalogue) | names, kinds, labels, meanings |
//! | [`scrape`] | gathering what a scrape needs |
//! | [`samples`](mod@samples) | from that to numbers (pure) |
//! | [`encode`](mod@encode) | numbers as text |
//! | [`serve`](mod@serve) | the listener |

pub mod catalogue;
pub mod encode;
pub mod samples;
pub mod scrape;
pub mod serve;

pub use serve::serve;
