//! What is wrong with a file, where, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; something in it does not do what it seems to.
    Warning,
}

/// One finding. `Display` gives two lines, as people read them:
///
/// ```text
/// platform.toml:12: profile.ops.port: 18789 is the port of profile.personal too
///     Give each profile a port of its own.
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// From 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// From 1, in characters; 0 with the line.
    pub column: u32,
    /// The key's path, for example `profile.ops.port`; empty where the text is not TOML or the file as a whole is meant.
    pub key: String,
    /// What is wrong, without a full stop. Holds no control characters.
    pub message: String,
    /// One sentence that says what to do.
    pub remedy: String,
}

impl Finding {
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, line, column: _, key, message, remedy } = self;
        match line {
            0 => f.write_str("platform.toml: ")?,
            line => write!(f, "platform.toml:{line}: ")?,
        }
        if *severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        write!(f, "{message}\n    {remedy}")
    }
}
