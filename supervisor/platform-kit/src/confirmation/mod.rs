//! Confirmations: each waits for a person, is decided once, and is carried out at most once.
//!
//! ```text
//! created ─▶ decided: allow ─▶ begun ─▶ ended
//!    │  └──▶ decided: deny       └─ the process stopped here: it may have taken effect, and never begins again
//!    ├─────▶ expired
//!    └─────▶ superseded: what was shown does not hold any more
//! ```
//!
//! Each step is on the disk before anything follows from it, and no step leads back: one that was used stays used.
//!
//! | module | what |
//! |---|---|
//! | [`life`] | the steps of one (pure) |
//! | [`store`] | all of one owner, and their file |
//!
//! What is asked, who may decide and what comes of it belongs to the owner, which says so by [`Confirmation`].

pub mod life;
pub mod store;

pub use life::{Confirmation, Phase, Step};
pub use store::{Bounds, Store};

#[cfg(test)]
mod tests;
