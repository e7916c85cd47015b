//! The only door of a profile.
//!
//! | module | what |
//! |---|---|
//! | [`run`] | binds the sockets, serves, drains |
//! | [`gate`] | what all parts share |
//! | [`config`] | the pushed configuration, parsed |
//! | [`limits`] | every limit |
//! | [`seats`] | bounded places that newcomers can get |
//! | [`http`] | connections, heads, Host and Origin, routes, answers |
//! | [`page`] | the page's files |
//! | [`auth`] | signatures, tickets, tokens, rate limits |
//! | [`pairing`] | how a new device gets to be known |
//! | [`socket`] | WebSockets: challenge, door, pipe |
//! | [`agent`] | the door, and named routes to the agent |
//! | [`devices`] | what devices do about devices |
//! | [`egress`] | the agent's way out |
//! | [`confirm`] | requests that wait for a person |
//! | [`senders`] | who of a channel is heard, and the codes of those who are not |
//! | [`audit`] | the record of what was done |
//! | [`admin`] | what the supervisor tells and asks |
//! | [`events`], [`tally`] | what the supervisor is told; counts and log lines |

pub mod admin;
pub mod agent;
pub mod audit;
pub mod auth;
pub mod config;
pub mod confirm;
pub mod devices;
pub mod egress;
pub mod events;
pub mod gate;
pub mod http;
pub mod limits;
pub mod page;
pub mod pairing;
pub mod run;
pub mod seats;
pub mod senders;
pub mod socket;
pub mod tally;
