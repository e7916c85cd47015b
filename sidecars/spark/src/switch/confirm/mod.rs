//! Confirmations of the switch: kept and judged by spark itself.
//!
//! Their life is that of [`platform_kit::confirmation`]: what is *begun* was commanded. Where spark stopped then, it goes on watching,
//! and never commands again.
//!
//! | module | what |
//! |---|---|
//! | [`record`] | one confirmation (pure) |
//! | [`card`] | what a person reads, and the digest (pure) |
//! | [`store`] | all of them |
//! | [`ask`] | from a request to a card |
//! | [`decide`] | devices and the operator |

pub mod ask;
pub mod card;
pub mod decide;
pub mod record;
pub mod store;
