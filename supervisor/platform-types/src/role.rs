//! What a container is for, and the labels that say so.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Label with the id of the installation: what carries ours is ours, everything else is left alone.
pub const LABEL_INSTALL: &str = "io.bot-platform.install";
/// Label with the profile; absent on shared sidecars.
pub const LABEL_PROFILE: &str = "io.bot-platform.profile";
/// Label with the [`Role`].
pub const LABEL_ROLE: &str = "io.bot-platform.role";
/// Label with the [`crate::Generation`].
pub const LABEL_GENERATION: &str = "io.bot-platform.generation";
/// Label with the digest of an image's content (on images), and of the image a container was made from.
pub const LABEL_RELEASE: &str = "io.bot-platform.release";
/// Label with the digest of the container specification that the supervisor asked for.
pub const LABEL_SPEC: &str = "io.bot-platform.spec";

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Agent,
    Gate,
    Spark,
    Backup,
    /// A short-lived container of one operation: a snapshot, a restore, a drill.
    Task,
}

impl Role {
    /// The roles that stay up.
    pub const SERVICES: [Self; 4] = [Self::Agent, Self::Gate, Self::Spark, Self::Backup];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Gate => "gate",
            Self::Spark => "spark",
            Self::Backup => "backup",
            Self::Task => "task",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "agent" => Ok(Self::Agent),
            "gate" => Ok(Self::Gate),
            "spark" => Ok(Self::Spark),
            "backup" => Ok(Self::Backup),
            "task" => Ok(Self::Task),
            _ => Err(()),
        }
    }
}
