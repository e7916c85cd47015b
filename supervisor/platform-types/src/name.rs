//! Names that cannot be wrong: each is parsed once, at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of a profile, bot, secret or installation, in bytes: container names are built from them.
pub const MAX_NAME_BYTES: usize = 32;
/// Longest model id, in bytes. Ids in the wild stay under 100.
pub const MAX_MODEL_ID_BYTES: usize = 256;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
    text: String,
}

impl NameError {
    /// What a valid name looks like, as an imperative sentence without a full stop.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if self.what.starts_with(['i', 'u']) { "an" } else { "a" };
        write!(f, "{:?} is not {article} {}: {}", self.text, self.what, self.rule)
    }
}

impl std::error::Error for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Parses a name; the error says the rule.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(NameError { what: $what, rule: $rule, text })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// A trust zone. `spark`, `backup` and what begins with `spark-` or `backup-` belong to the shared sidecars: their
    /// directories stand beside those of profiles (see [`crate::layout::RunDir`]).
    ProfileName,
    "profile name",
    "use 1 to 32 of a-z, 0-9 and '-', starting with a letter, not ending with '-', and not 'spark', 'backup' or beginning with 'spark-' or 'backup-'",
    |text| is_slug(text) && !matches!(text.split('-').next(), Some("spark" | "backup"))
);
name!(
    /// The name of an installation: containers, networks and volumes begin with it.
    InstallName,
    "installation name",
    "use 1 to 32 of a-z, 0-9 and '-', starting with a letter, not ending with '-'",
    is_slug
);
name!(
    /// A named upstream of a profile; agents reach it as `http://<name>/`.
    UpstreamName,
    "upstream name",
    "use 1 to 32 of a-z, 0-9 and '-', starting with a letter, not ending with '-'",
    is_slug
);
name!(
    /// A bot of a profile; `model` on the OpenAI-compatible endpoint names it.
    BotName,
    "bot name",
    "use 1 to 32 of a-z, 0-9 and '-', starting with a letter, not ending with '-'",
    is_slug
);
name!(
    /// A job that a bot does by the clock; unique among the jobs of its bot.
    JobName,
    "job name",
    "use 1 to 32 of a-z, 0-9 and '-', starting with a letter, not ending with '-'",
    is_slug
);
name!(
    /// The name of a secret, which is also its file name.
    SecretName,
    "secret name",
    "use 1 to 32 of a-z, 0-9 and '-', starting with a letter, not ending with '-'",
    is_slug
);
name!(
    /// SHA-256 of a device's raw Ed25519 public key, in lower-case hex.
    DeviceId,
    "device id",
    "it is 64 lower-case hex digits",
    |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);
name!(
    /// A model id, byte for byte as the model server lists it.
    ModelId,
    "model id",
    "use 1 to 256 bytes without control characters",
    |text| !text.is_empty() && text.len() <= MAX_MODEL_ID_BYTES && !text.chars().any(char::is_control)
);

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= MAX_NAME_BYTES
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_names() {
        let check = |text: &str, valid: bool| assert_eq!(ProfileName::new(text).is_ok(), valid, "{text:?}");
        check("personal", true);
        check("ops-2", true);
        check("", false);
        check("2ops", false);
        check("ops-", false);
        check("Ops", false);
        check("a/b", false);
        check("spark", false);
        check("backup", false);
        check("spark-admin", false);
        check("backup-secrets", false);
        check("sparky", true);
        check(&"a".repeat(33), false);
    }

    #[test]
    fn model_ids_keep_their_bytes() {
        let id = ModelId::new("tiny-lab/Bigram-1.4M.alpha-v1.0").expect("a valid id");
        assert_eq!(id.as_str(), "tiny-lab/Bigram-1.4M.alpha-v1.0");
        assert!(ModelId::new("a\nb").is_err());
    }

    #[test]
    fn a_bad_name_is_refused_when_it_is_read() {
        let error = serde_json::from_str::<ProfileName>("\"../x\"").expect_err("a path is no name");
        assert!(error.to_string().contains("is not a profile name"));
    }
}
