//! `/metrics`: `OpenMetrics` text on the configured loopback address.
//!
//! **Invariants.** Labels are words of ours (profile, role, outcome) and ids of models as spark checked them, never other
//! texts of a container; numbers that a container reports are just numbers. What spark tells has a bounded number of rows. Every metric is in [`catalogue`], and the catalogue is in `docs/reference/metrics.md`.
//!
//! | module | what |
//! |---|---|
//! | [`catalogue`](mod@catalogue) | names, kinds, labels, meanings |
//! | [`scrape`] | gathering what a scrape needs |
//! | [`samples`](mod@samples) | from that to numbers (pure) |
//! | [`spark`](mod@spark) | the same for what spark tells (pure) |
//! | [`encode`](mod@encode) | numbers as text |
//! | [`serve`](mod@serve) | the listener |

pub mod catalogue;
pub mod encode;
pub mod samples;
pub mod scrape;
pub mod serve;
pub mod spark;

pub use serve::serve;
