//! Every attempt by name, for these surroundings.

use std::net::SocketAddr;
use std::path::PathBuf;

use agent_confinement::Tried;
use anyhow::Context as _;
use serde::Deserialize;

use crate::{exhaust, kernel, reach};

/// What the test knows of the host and this container does not.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Surroundings {
    /// Only these attempts; empty: all.
    pub only: Vec<String>,
    pub tcp: Vec<SocketAddr>,
    pub udp: Vec<SocketAddr>,
    /// Names of abstract Unix sockets of the host.
    pub abstract_sockets: Vec<String>,
    /// Files, directories and Unix sockets of the host that belong to others.
    pub paths: Vec<PathBuf>,
    /// Process ids of the host.
    pub processes: Vec<i32>,
}

/// An attempt of either kind.
pub struct Attempt {
    pub name: String,
    pub what: String,
    pub run: Box<dyn Fn() -> Tried>,
}

impl Surroundings {
    pub fn read(json: &str) -> anyhow::Result<Self> {
        serde_json::from_str(json).context("the surroundings cannot be read")
    }
}

impl Attempt {
    pub fn new(name: impl Into<String>, what: impl Into<String>, run: impl Fn() -> Tried + 'static) -> Self {
        Self { name: name.into(), what: what.into(), run: Box::new(run) }
    }
}

/// All that are wanted.
pub fn all(surroundings: &Surroundings) -> Vec<Attempt> {
    let shared = agent_confinement::attempts().map(|attempt| Attempt::new(attempt.name, attempt.what, attempt.run));
    let mut all: Vec<Attempt> = shared.collect();
    all.extend(kernel::attempts());
    all.extend(reach::attempts(surroundings));
    all.extend(exhaust::attempts());
    all.retain(|attempt| surroundings.only.is_empty() || surroundings.only.contains(&attempt.name));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn surroundings() -> Surroundings {
        let json = r#"{"tcp":["192.0.2.1:80"],"udp":["[2001:db8::1]:53"],"paths":["/x"],"processes":[4242],"abstract_sockets":["y"]}"#;
        Surroundings::read(json).unwrap()
    }

    #[test]
    fn there_are_many_and_each_has_a_name_of_its_own() {
        let all = all(&surroundings());
        let names: BTreeSet<&str> = all.iter().map(|attempt| attempt.name.as_str()).collect();
        assert!(names.len() >= 60, "{}", names.len());
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn some_can_be_chosen() {
        let only = Surroundings { only: vec!["io-uring".to_owned()], ..surroundings() };
        assert_eq!(all(&only).len(), 1);
        Surroundings::read(r#"{"unknown":1}"#).unwrap_err();
    }
}
