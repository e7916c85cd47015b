//! What there is once per installation: its id, the planner's memory, canaries.

use rusqlite::{OptionalExtension as _, Transaction};
use supervisor_plan::Ledger;

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// 32 lower-case hex digits, made when the ledger was created.
    pub fn install_id(&self) -> Result<String, StoreError> {
        self.read(install_id)
    }

    /// What the planner remembers. It carries the install id from the start.
    pub fn load_ledger(&self) -> Result<Ledger, StoreError> {
        self.read(|transaction| match stored(transaction)? {
            Some(ledger) => Ok(ledger),
            None => Ok(Ledger::new(install_id(transaction)?)),
        })
    }

    /// Replaces what the planner remembers. A ledger that forgot an id, or counts backwards, is refused: a number that
    /// was given away once must never be given away again, not even after this ledger is lost.
    pub fn save_ledger(&self, ledger: &Ledger) -> Result<(), StoreError> {
        self.write(|transaction| {
            if ledger.install != install_id(transaction)? {
                return Err(StoreError::Regress { what: "install id" });
            }
            if let Some(old) = stored(transaction)? {
                if old == *ledger {
                    return Ok(());
                }
                only_grows(&old, ledger)?;
            }
            write_document(transaction, ledger)
        })?;
        self.settle()
    }

    /// The canary of a mount, by the mount's name on the host (a path, a volume). The first call keeps `candidate`.
    pub fn canary(&self, mount: &str, candidate: &str) -> Result<String, StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO canary (mount, text) VALUES (?1, ?2) ON CONFLICT (mount) DO NOTHING",
                (mount, candidate),
            )?;
            Ok(transaction.query_row("SELECT text FROM canary WHERE mount = ?1", [mount], |row| row.get(0))?)
        })
    }
}

pub(crate) fn install_id(transaction: &Transaction<'_>) -> Result<String, StoreError> {
    Ok(transaction.query_row("SELECT id FROM installation", [], |row| row.get(0))?)
}

pub(crate) fn write_document(transaction: &Transaction<'_>, ledger: &Ledger) -> Result<(), StoreError> {
    let document = serde_json::to_string(ledger)
        .map_err(|error| StoreError::Unreadable { what: "planner document", text: error.to_string() })?;
    transaction.execute(
        "INSERT INTO planner (one, document) VALUES (1, ?1)
         ON CONFLICT (one) DO UPDATE SET document = excluded.document",
        [document],
    )?;
    Ok(())
}

pub(crate) fn stored(transaction: &Transaction<'_>) -> Result<Option<Ledger>, StoreError> {
    let document: Option<String> =
        transaction.query_row("SELECT document FROM planner", [], |row| row.get(0)).optional()?;
    document
        .map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| StoreError::Unreadable { what: "planner document", text: error.to_string() })
        })
        .transpose()
}

fn only_grows(old: &Ledger, new: &Ledger) -> Result<(), StoreError> {
    if old.ids.0.iter().any(|(name, id)| new.ids.get(name) != Some(*id)) {
        return Err(StoreError::Regress { what: "uids" });
    }
    if new.revision < old.revision {
        return Err(StoreError::Regress { what: "revision" });
    }
    if old.generations.iter().any(|(profile, generation)| new.generations.get(profile) < Some(generation)) {
        return Err(StoreError::Regress { what: "generations" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use platform_types::{Generation, ProfileName, Revision};

    use super::*;

    #[test]
    fn the_planner_finds_again_what_it_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.db");
        let store = Store::open(&path).unwrap();
        let mut ledger = store.load_ledger().unwrap();
        assert_eq!(ledger, Ledger::new(store.install_id().unwrap()));
        ledger.ids.of("agent-personal");
        ledger.revision = Revision(7);
        store.save_ledger(&ledger).unwrap();
        drop(store);
        assert_eq!(Store::open(&path).unwrap().load_ledger().unwrap(), ledger);
    }

    #[test]
    fn nothing_that_was_given_away_is_taken_back() {
        let store = Store::in_memory().unwrap();
        let mut ledger = store.load_ledger().unwrap();
        ledger.ids.of("agent-personal");
        ledger.revision = Revision(7);
        ledger.generations.insert(ProfileName::new("personal").unwrap(), Generation(3));
        store.save_ledger(&ledger).unwrap();
        let check = |change: fn(&mut Ledger), what: &str| {
            let mut changed = ledger.clone();
            change(&mut changed);
            let error = store.save_ledger(&changed).unwrap_err();
            assert!(matches!(error, StoreError::Regress { what: found } if found == what), "{error}");
        };
        check(|ledger| ledger.ids.0.clear(), "uids");
        check(|ledger| ledger.revision = Revision(6), "revision");
        check(|ledger| ledger.generations.clear(), "generations");
        check(|ledger| ledger.install = "another".to_owned(), "install id");
        assert_eq!(store.load_ledger().unwrap(), ledger);
    }

    #[test]
    fn a_canary_keeps_its_first_text() {
        let store = Store::in_memory().unwrap();
        assert_eq!(store.canary("bot-personal-state", "aa").unwrap(), "aa");
        assert_eq!(store.canary("bot-personal-state", "bb").unwrap(), "aa");
        assert_eq!(store.canary("bot-ops-state", "cc").unwrap(), "cc");
    }
}
