//! Nouns and wire contracts that every process of the platform shares.
//!
//! This crate knows serde and JSON values, and nothing else: no I/O, no clock, no async. A type that stands here is public between
//! processes; a change to one needs a CHANGELOG entry.
//!
//! | module | what |
//! |---|---|
//! | [`name`] | names that cannot be wrong: profile, bot, secret, device, model |
//! | [`number`] | small numbers with a unit: generation, revision, port, timestamp |
//! | [`role`] | what a container is for, and the labels that say so |
//! | [`layout`] | where files, volumes and sockets lie, on the host and in containers |
//! | [`health`] | liveness, readiness, release: what every admin socket answers |
//! | [`error`] | the one error shape on the wire |
//! | [`gate`], [`agent`], [`spark`], [`backup`] | the admin sockets, one module each |
//! | [`meters`] | what spark measures, and what bots have used |
//! | [`chat`] | what the page and the agent say to each other |
//! | [`switch`] | switching the model box to another model |
//! | [`channel`] | chats with people who are not at the page, and who may write |
//! | [`schedule`] | when something is done: a cron expression, or an interval |
//! | [`cron`] | jobs of bots by the clock, and what became of their runs |
//! | [`device`] | what a paired device does about devices |
//! | [`egress`] | what a gate lets out, and confirmations |
//! | [`confinement`] | what a try to get out of an agent's container came to |
//! | [`audit`] | the record of what was done, as a chain |
//! | [`json`] | JSON that can be read in one way only |
//! | [`markdown`] | a message as a tree of a closed set of node types |
//! | [`platform`] | what the supervisor observes, as it tells an agent |
//! | [`text`] | text from elsewhere, made harmless for terminals |
//! | [`update`] | what is said on a channel |
//! | [`ways`] | what is behind the upstreams of a profile, for the tools that speak to it |

pub mod agent;
pub mod audit;
pub mod backup;
pub mod channel;
pub mod chat;
pub mod confinement;
pub mod cron;
pub mod device;
pub mod egress;
pub mod error;
pub mod gate;
pub mod health;
pub mod json;
pub mod layout;
pub mod markdown;
pub mod memory;
pub mod meters;
pub mod name;
pub mod number;
pub mod platform;
pub mod role;
pub mod schedule;
pub mod spark;
pub mod switch;
pub mod text;
pub mod update;
pub mod ways;

pub use error::{ErrorBody, ErrorCode};
pub use name::{BotName, DeviceId, InstallName, JobName, ModelId, NameError, ProfileName, SecretName, UpstreamName};
pub use number::{Generation, Port, Revision, Timestamp};
pub use role::Role;
