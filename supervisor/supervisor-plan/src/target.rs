//! Who a container is: a role, and the profile it serves. Written `personal/agent`, `spark`, `backup`.

use std::fmt;
use std::str::FromStr;

use platform_types::{ProfileName, Role};
use serde::{Deserialize, Serialize};

/// Who a container is. The unit of concurrency: one action at a time for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// `None` for shared sidecars. First, so that an ordered map lists the shared ones and then profile by profile.
    profile: Option<ProfileName>,
    role: Role,
}

impl Target {
    /// A target that can exist: agents, gates and tasks have a profile, spark and backup have none.
    pub fn new(role: Role, profile: Option<ProfileName>) -> Option<Self> {
        let shared = matches!(role, Role::Spark | Role::Backup);
        (shared == profile.is_none()).then_some(Self { profile, role })
    }

    pub fn agent(profile: &ProfileName) -> Self {
        Self { profile: Some(profile.clone()), role: Role::Agent }
    }

    pub fn gate(profile: &ProfileName) -> Self {
        Self { profile: Some(profile.clone()), role: Role::Gate }
    }

    /// The one short-lived container that a profile may have at a time: a snapshot, a restore, a drill.
    pub fn task(profile: &ProfileName) -> Self {
        Self { profile: Some(profile.clone()), role: Role::Task }
    }

    pub fn spark() -> Self {
        Self { profile: None, role: Role::Spark }
    }

    pub fn backup() -> Self {
        Self { profile: None, role: Role::Backup }
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn profile(&self) -> Option<&ProfileName> {
        self.profile.as_ref()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "{profile}/{}", self.role),
            None => self.role.fmt(f),
        }
    }
}

/// Why a text names no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetError(String);

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} names nothing that runs here: use PROFILE/agent, PROFILE/gate, spark or backup", self.0)
    }
}

impl std::error::Error for TargetError {}

impl FromStr for Target {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let refuse = || TargetError(text.to_owned());
        let (profile, role) = match text.split_once('/') {
            Some((profile, role)) => (Some(ProfileName::new(profile).map_err(|_| refuse())?), role),
            None => (None, text),
        };
        Self::new(role.parse().map_err(|()| refuse())?, profile).ok_or_else(refuse)
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;
    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> String {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_it_is_written() {
        let check = |text: &str, valid: bool| {
            let parsed = text.parse::<Target>();
            assert_eq!(parsed.is_ok(), valid, "{text:?}");
            if let Ok(target) = parsed {
                assert_eq!(target.to_string(), text);
            }
        };
        check("personal/agent", true);
        check("ops/gate", true);
        check("ops/task", true);
        check("spark", true);
        check("backup", true);
        check("agent", false);
        check("ops/spark", false);
        check("Ops/agent", false);
        check("", false);
    }
}
