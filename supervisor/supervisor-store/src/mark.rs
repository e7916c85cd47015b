//! `supervisor.id`: the little that must never be forgotten, in a file beside the ledger.
//!
//! **Invariants.** The file is written after the commit that it follows, so it is never ahead of its own ledger: a ledger
//! that is behind the file is an older copy. It is replaced in one step, and belongs to root alone. It holds no secret.

use std::collections::BTreeMap;
use std::path::Path;

use platform_types::{Generation, ProfileName};
use rusqlite::{OptionalExtension as _, Transaction};
use serde::{Deserialize, Serialize};
use supervisor_plan::ledger::Lease;

use crate::error::StoreError;
use crate::files;

/// Longest file that is read. A thousand profiles need less.
const MAX_BYTES: u64 = 1024 * 1024;

/// What names things on the disk and in Docker, and how often the registry changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The install id: the value of the containers' label.
    pub install: String,
    /// uids and gids by name. One that was given away is never given to another name.
    pub ids: BTreeMap<String, u32>,
    /// The highest generation ever given to an agent of a profile.
    pub generations: BTreeMap<ProfileName, Generation>,
    /// Who was last told to open the state: nothing older may open it again.
    pub leases: BTreeMap<ProfileName, Lease>,
    /// Changes of devices, setup links and tokens.
    pub registry: i64,
}

/// What lies beside a ledger.
#[derive(Debug)]
pub(crate) enum Found {
    Mark(Mark),
    Nothing,
    Unreadable(String),
}

/// The part of the planner's document that a mark is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identity {
    ids: BTreeMap<String, u32>,
    generations: BTreeMap<ProfileName, Generation>,
    leases: BTreeMap<ProfileName, Lease>,
}

impl Mark {
    /// What the ledger says at this moment.
    pub fn of(transaction: &Transaction<'_>) -> Result<Self, StoreError> {
        let (install, registry) =
            transaction.query_row("SELECT id, registry FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let document: Option<String> =
            transaction.query_row("SELECT document FROM planner", [], |row| row.get(0)).optional()?;
        let Identity { ids, generations, leases } = match document {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| StoreError::Unreadable { what: "planner document", text: error.to_string() })?,
            None => Identity::default(),
        };
        Ok(Self { install, ids, generations, leases, registry })
    }

    /// Whether `ledger` lacks something that this mark knows of.
    pub fn is_ahead_of(&self, ledger: &Self) -> bool {
        let lent = |mark: &Self, profile| mark.leases.get(profile).map(|lease| lease.generation);
        self.registry > ledger.registry
            || self.leases.keys().any(|profile| lent(self, profile) > lent(ledger, profile))
            || self.ids.iter().any(|(name, id)| ledger.ids.get(name) != Some(id))
            || self.generations.iter().any(|(profile, generation)| ledger.generations.get(profile) < Some(generation))
    }

    pub fn read(path: &Path) -> Found {
        let unreadable = |error: &dyn std::fmt::Display| Found::Unreadable(error.to_string());
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => return unreadable(&error),
            Ok(metadata) if metadata.len() > MAX_BYTES => return unreadable(&"it is too long"),
            Ok(_) => {}
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return unreadable(&error),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(mark) if mark.install.is_empty() => unreadable(&"it names no installation"),
            Ok(mark) => Found::Mark(mark),
            Err(error) => unreadable(&error),
        }
    }

    pub fn write(&self, path: &Path) -> Result<(), StoreError> {
        let fail = |source| StoreError::Mark { path: path.to_path_buf(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        files::replace(path, &text).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use platform_types::Timestamp;
    use supervisor_plan::observed::ContainerId;

    use super::*;

    fn lease(generation: u64) -> Lease {
        Lease { generation: Generation(generation), container: ContainerId("a".to_owned()), at: Timestamp(1) }
    }

    fn mark() -> Mark {
        Mark {
            install: "0123".to_owned(),
            ids: BTreeMap::from([("agent-ops".to_owned(), 210_000)]),
            generations: BTreeMap::from([(ProfileName::new("ops").unwrap(), Generation(3))]),
            leases: BTreeMap::from([(ProfileName::new("ops").unwrap(), lease(2))]),
            registry: 7,
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.id");
        assert!(matches!(Mark::read(&path), Found::Nothing));
        mark().write(&path).unwrap();
        mark().write(&path).unwrap();
        assert!(matches!(Mark::read(&path), Found::Mark(found) if found == mark()));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing temporary stays");
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(Mark::read(&path), Found::Unreadable(_)));
    }

    #[test]
    fn it_knows_a_ledger_that_is_behind() {
        let check = |change: fn(&mut Mark), expected: bool| {
            let mut ledger = mark();
            change(&mut ledger);
            assert_eq!(mark().is_ahead_of(&ledger), expected, "{ledger:?}");
        };
        check(|_| {}, false);
        check(|ledger| ledger.registry += 1, false);
        check(|ledger| ledger.ids.extend([("spark".to_owned(), 210_001)]), false);
        check(|ledger| ledger.generations.values_mut().for_each(|generation| generation.0 += 1), false);
        check(|ledger| ledger.registry -= 1, true);
        check(|ledger| ledger.ids.clear(), true);
        check(|ledger| ledger.ids.values_mut().for_each(|id| *id += 1), true);
        check(|ledger| ledger.generations.clear(), true);
        check(|ledger| ledger.leases.clear(), true);
        check(|ledger| ledger.leases.values_mut().for_each(|held| *held = lease(1)), true);
        check(|ledger| ledger.leases.values_mut().for_each(|held| *held = lease(4)), false);
    }
}
