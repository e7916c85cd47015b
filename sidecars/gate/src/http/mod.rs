//! HTTP/1.1 as the gate speaks it to browsers and scripts.
//!
//! ```text
//! accept ─▶ guard: heads, limits, time ─▶ hyper ─▶ routes: Host, Origin, credential ─▶ page | pairing | forward | socket
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`listener`] | accepts connections, bounded, and drains them |
//! | [`guard`] | the connection that hyper sees: whole, checked heads only |
//! | [`head`] | the check of a head, pure |
//! | [`exchange`] | which side's turn it is on a connection |
//! | [`place`] | exact Host and Origin |
//! | [`routes`] | who answers what |
//! | [`answer`] | responses with the gate's own headers |

pub mod answer;
pub mod entrance;
pub mod exchange;
pub mod guard;
pub mod head;
pub mod listener;
pub mod place;
pub mod routes;
