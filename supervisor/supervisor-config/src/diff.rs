//! What is different between two configurations, key by key.

use std::collections::BTreeSet;
use std::fmt;

use platform_types::ProfileName;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::config::Config;
use crate::effective::Entries;
use crate::path::{KeyPath, Step};
use crate::schema::change_of;

/// A key that has another value. Values are written as in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The key's path, for example `profile.ops.port`.
    pub key: String,
    /// `None`: the key is new.
    pub old: Option<String>,
    /// `None`: the key is gone.
    pub new: Option<String>,
    /// What the change does to a running platform, in the words of the reference. A hint: `plan` has the last word.
    pub change: Option<String>,
}

/// Every key that differs, in the order of the effective file; keys that are gone stand at the end.
pub fn diff(old: &Config, new: &Config) -> Vec<Changed> {
    let (old_entries, new_entries) = (Entries::of(old).0, Entries::of(new).0);
    let (old_profiles, new_profiles) = (profile_names(old), profile_names(new));
    let find = |entries: &[(KeyPath, Value)], path: &KeyPath| {
        entries.iter().find(|(other, _)| other == path).map(|(_, value)| value.to_string())
    };
    let added_or_changed = new_entries.iter().map(|(path, value)| {
        let old = find(&old_entries, path);
        (path, old, Some(value.to_string()))
    });
    let gone = old_entries
        .iter()
        .filter(|(path, _)| find(&new_entries, path).is_none())
        .map(|(path, value)| (path, Some(value.to_string()), None));
    let keys = added_or_changed.chain(gone).filter(|(_, old, new)| old != new).map(|(path, old, new)| {
        let change = effect(path, &old_profiles, &new_profiles);
        Changed { key: path.to_string(), old, new, change: change.map(str::to_owned) }
    });
    keys.chain(moved_bots(old, new)).collect()
}

/// What the change of a key does; a profile that comes or goes does so as a whole.
fn effect(path: &KeyPath, old: &BTreeSet<&str>, new: &BTreeSet<&str>) -> Option<&'static str> {
    if let [Step::Key(section), Step::Key(profile), ..] = path.steps()
        && section == "profile"
    {
        match (old.contains(profile.as_str()), new.contains(profile.as_str())) {
            (false, true) => return Some("new containers"),
            (true, false) => return Some("its containers stop"),
            _ => {}
        }
    }
    change_of(&path.to_string())
}

fn profile_names(config: &Config) -> BTreeSet<&str> {
    config.profiles.keys().map(ProfileName::as_str).collect()
}

/// The first bot is the default: another order of the same bots is a change too.
fn moved_bots(old: &Config, new: &Config) -> Vec<Changed> {
    let order = |config: &Config, name| {
        let bots = &config.profiles.get(name)?.bots;
        Some(bots.iter().map(|bot| bot.name.to_string()).collect::<Vec<_>>())
    };
    let mut moved = Vec::new();
    for name in new.profiles.keys() {
        let (Some(old), Some(new)) = (order(old, name), order(new, name)) else { continue };
        let same_bots = old.len() == new.len() && old.iter().all(|bot| new.contains(bot));
        if same_bots && old != new {
            moved.push(Changed {
                key: format!("profile.{name}.bot"),
                old: Some(old.join(", ")),
                new: Some(new.join(", ")),
                change: Some("pushed live".to_owned()),
            });
        }
    }
    moved
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, old, new, change } = self;
        match (old, new) {
            (Some(old), Some(new)) => write!(f, "{key}: {old} -> {new}")?,
            (None, Some(new)) => write!(f, "{key}: {new} (new)")?,
            (Some(old), None) => write!(f, "{key}: {old} (gone)")?,
            (None, None) => write!(f, "{key}")?,
        }
        match change {
            Some(change) => write!(f, " [{change}]"),
            None => Ok(()),
        }
    }
}
