//! The gate's record of what it did, and the heads that it keeps for the agent and the supervisor.
//!
//! | module | what |
//! |---|---|
//! | [`trail`] | the chain: appended, rotated, read page by page |
//! | [`segment`] | one file of it |
//! | [`anchors`] | heads of the agent's and of the supervisor's chain |
//! | [`routes`] | the timeline, for the gate's page |
//! | [`record`] | what is written when |

pub mod anchors;
pub mod record;
pub mod routes;
pub mod segment;
pub mod trail;
