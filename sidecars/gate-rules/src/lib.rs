//! Which requests a gate lets out, and as what. Pure: bytes in, values out.
//!
//! ```text
//! bytes ─ target, json ─▶ values ─ shape ─▶ fit a rule ─▶ Admitted ─┬─▶ digest, shown, fill: the card of a confirmation
//!                                                                   └─▶ the gate sends it ─▶ answer ─ filter, Stripper ─▶
//! ```
//!
//! Invariants: one rule allows the whole request; what goes out is written here from what was read; what is admitted reads
//! as itself again. What can be read in two ways is not read at all.
//!
//! | module | what |
//! |---|---|
//! | [`admit`](mod@admit) | a request against the rules of an upstream |
//! | [`target`] | path and query, read in one way only, and written in one way |
//! | [`json`] | JSON in which every key occurs once, bounded in depth |
//! | [`shape`] | a value against a shape |
//! | [`check`](mod@check) | rules that make no sense |
//! | [`digest`](mod@digest) | what a person signs |
//! | [`guard`] | what has to hold at the upstream |
//! | [`card`] | what a person reads |
//! | [`answer`] | what of an answer goes to the agent |
//! | [`senders`] | who of a channel is heard |
//! | [`updates`] | what is said on a channel, read and written again |
//! | [`strip`] | secrets taken out of an answer |
//! | [`address`] | which addresses may be connected to |

pub mod address;
pub mod admit;
pub mod answer;
pub mod card;
pub mod check;
pub mod digest;
pub mod guard;
pub mod json;
pub mod senders;
pub mod shape;
pub mod strip;
pub mod target;
pub mod updates;

pub use admit::{Admitted, Denied, Request, admit, with_id};
pub use answer::{Unfit, filter};
pub use card::{fill, fill_path, shown};
pub use check::{Problem, check};
pub use digest::digest;
pub use guard::holds;
pub use strip::Stripper;
