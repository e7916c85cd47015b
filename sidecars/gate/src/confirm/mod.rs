//! Confirmations: requests that wait for a person, kept and carried out by the gate itself.
//!
//! Their life is that of [`platform_kit::confirmation`]: what is *begun* was released to its upstream. Where the gate stopped then,
//! the outcome is not known, and it is never repeated.
//!
//! | module | what |
//! |---|---|
//! | [`record`] | one confirmation: the request that waits (pure) |
//! | [`store`] | all of them, and spark's among them |
//! | [`ask`] | from an admitted request to a card |
//! | [`facts`] | what the gate fetched itself for a card |
//! | [`decide`] | devices and the operator |
//! | [`carry`] | what was allowed, carried out once |
//! | [`relay`] | cards of spark: shown, and a device's word handed on |
//! | [`routes`] | what browsers ask |
//! | [`watch`] | the socket of the gate's own page, and expiry |

pub mod ask;
pub mod carry;
pub mod decide;
pub mod facts;
pub mod record;
pub mod relay;
pub mod routes;
pub mod store;
pub mod watch;
