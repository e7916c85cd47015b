//! The project bot's tools: documents that it may read, and plans that are checked against them.
//!
//! | module | what |
//! |---|---|
//! | `documents` | `doc.list`, `doc.read`, `doc.search` |
//! | `search` | which files have the words, and the lines that were meant (pure) |
//! | `plans` | `plan.write`, `plan.show`, `plan.list` |

mod documents;
mod plans;
mod search;
#[cfg(test)]
mod tests;

pub use documents::{DocList, DocRead, DocSearch};
pub use plans::{PlanList, PlanShow, PlanWrite};
