//! `platform.toml` in, a validated [`Config`] out.
//!
//! Pure: text comes in as `&str`, what exists around the file as [`Surroundings`]; no file is opened, no clock is read.
//! Every error is reported at once, each as a [`Finding`] with line, key and remedy.
//!
//! ```text
//! text ─ document ─▶ TOML with positions ─ shape ─▶ raw, fits the schema ─ validate ─▶ Config ─ effective, diff ─▶ text
//!          │                                 │                                │
//!          └────────────── findings ─────────┴────────────────────────────────┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`config`] | the validated configuration |
//! | [`presets`] | lists of entities, a table, a token: turned into the rules of a gate |
//! | [`read`](mod@read) | text to configuration, with every finding |
//! | [`finding`] | what is wrong, where, and what to do |
//! | [`surroundings`] | what the configuration is checked against |
//! | [`instructions`](mod@instructions) | what bots are told: shipped files, and yours |
//! | [`documents`] | folders that bots read: which are named, and where they are inside |
//! | [`certificates`] | files with certificates of upstreams |
//! | [`effective`](mod@effective), [`diff`](mod@diff) | a configuration as text again; two of them compared |
//! | [`schema`](mod@schema) | the JSON Schema, and the list of keys |

pub mod certificates;
pub mod config;
pub mod diff;
mod document;
pub mod documents;
pub mod effective;
pub mod finding;
pub mod instructions;
mod path;
pub mod presets;
mod raw;
mod raw_cron;
mod raw_rules;
mod raw_switch;
mod raw_values;
pub mod read;
mod report;
pub mod schema;
mod shape;
mod suggest;
pub mod surroundings;
mod validate;
mod written;

pub use config::Config;
pub use diff::{Changed, diff};
pub use effective::effective;
pub use finding::{Finding, Severity};
pub use instructions::instructions;
pub use read::{Reading, read};
pub use schema::schema;
pub use surroundings::{HostFolder, Surroundings};
