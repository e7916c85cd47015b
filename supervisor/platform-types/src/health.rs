//! What every admin socket answers: `GET /healthz`, `GET /readyz`, `GET /release`.
//!
//! `/healthz` is 200 with `{}` while the process turns its loop. `/readyz` is 200 or 503 with [`Readiness`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Generation, Revision};

/// The body of `/readyz`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    pub ready: bool,
    /// Why it is not ready, one clear sentence each; empty when ready.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// What is worth knowing while ready (the model is unreachable, say); never makes it unready.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The revision of the configuration in force; `None` before the first push.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// The active generation; agents only, `None` in standby.
    #[serde(default)]
    pub generation: Option<Generation>,
    /// Mount point to the text of the file `.canary` read there. The supervisor wrote it; a mount that is missing shows.
    #[serde(default)]
    pub canaries: BTreeMap<String, String>,
}

/// The body of `/release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Version of the program, as in Cargo.toml.
    pub version: String,
    /// The schema that it writes; 0 where a role keeps no database.
    pub schema_writes: u32,
    /// The oldest schema that it reads.
    pub schema_reads_from: u32,
    /// The oldest schema whose release still reads what it writes.
    pub schema_readable_by: u32,
}

impl Release {
    /// Of a program that keeps no database.
    pub fn without_schema(version: &str) -> Self {
        Self { version: version.to_owned(), schema_writes: 0, schema_reads_from: 0, schema_readable_by: 0 }
    }
}
