//! Opening the ledger of an installation whatever happened to the file, and the copy that makes that possible.
//!
//! **Invariants.** Nothing is deleted: what cannot be used is renamed. The installation keeps its id, its uids,
//! its generations and leases, or is not started. A ledger that was restored, here or by somebody's hand, lets nobody in who was not
//! paired again: the copy may know a device that was revoked since, or a link that was used.
//!
//! ```text
//!   supervisor.db ── whole, not behind supervisor.id ──────────────────────────────────────▶ as it is
//!                 ├─ whole, and behind it: an older copy was put back ─────────────────────▶ nobody is let in
//!                 ├─ whole, and behind what Docker shows: both are older ──────────────────▶ nobody is let in
//!                 └─ missing, or damaged and set aside ─┬─ supervisor.db.copy is whole ────▶ the copy, nobody is let in
//!                                                       └─ supervisor.id only ─────────────▶ empty, with the same id
//! ```

use std::io;
use std::path::{Path, PathBuf};

use platform_types::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction};
use supervisor_plan::Ledger;

use crate::error::{OpenError, StoreError};
use crate::files::{self, Files};
use crate::installation::{install_id, stored, write_document};
use crate::mark::{Found, Mark};
use crate::records::{NewEvent, insert_event};
use crate::senders;
use crate::store::{Guard, Store};

/// The event that tells of a recovery.
pub const RECOVERED: &str = "ledger_recovered";

/// An open ledger, and what had to be done for it.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    pub recovered: Option<Recovered>,
}

/// The ledger is not the one that was there before. The event log says so too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// One sentence for people.
    pub message: String,
    /// What could not be used, under its new name.
    pub set_aside: Vec<PathBuf>,
}

impl Store {
    /// Opens the ledger of an installation, with what lies beside it. Only a ledger that never was is created.
    pub fn open_guarded(path: &Path, now: Timestamp) -> Result<Opened, OpenError> {
        let files = Files::of(path);
        let found = Mark::read(&files.mark);
        let has_guard = !matches!(found, Found::Nothing) || files.copy.exists();
        if files.ledger_is_missing().map_err(|source| recover_error(path, source))? && has_guard {
            let recovery = Recovery { files, found, why: "it was missing".to_owned(), set_aside: Vec::new(), now };
            return recovery.rebuild();
        }
        match Self::open(path) {
            Ok(store) => Self::compare(store, files, found, now),
            Err(OpenError::Corrupt { detail, .. }) if has_guard => {
                let set_aside = aside(path, "damaged", now)?;
                let why = format!("it was damaged ({detail})");
                Recovery { files, found, why, set_aside, now }.rebuild()
            }
            Err(error) => Err(error),
        }
    }

    /// This ledger is an older copy although nothing beside it tells so: nobody is let in any more.
    pub fn declare_older(&self, reason: &str, now: Timestamp) -> Result<Recovered, StoreError> {
        restore(self, None, reason, Vec::new(), now)
    }

    /// When this ledger was put together again; `None` when it never was.
    pub fn restored_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|transaction| {
            let at: Option<i64> =
                transaction.query_row("SELECT restored_at FROM installation", [], |row| row.get(0))?;
            Ok(at.map(Timestamp))
        })
    }

    /// Makes a complete copy beside the ledger; `false` when the newest one has everything already. Other calls are not
    /// held up meanwhile.
    pub fn keep_copy(&self) -> Result<bool, StoreError> {
        let (files, changes) = {
            let held = self.lock();
            let Some(guard) = &held.guard else { return Ok(false) };
            let changes = held.connection.total_changes();
            if guard.copied == Some(changes) {
                return Ok(false);
            }
            (guard.files.clone(), changes)
        };
        let fail = |source| StoreError::Copy { path: files.copy.clone(), source };
        let temporary = files::with_suffix(&files.copy, ".new");
        files::remove_database(&temporary).map_err(fail)?;
        // SQLite would give it the rights that the umask leaves; an empty file keeps its own.
        files::create_private(&temporary).map_err(fail)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(&files.ledger, flags)?;
        source.execute("VACUUM INTO ?1", [temporary.display().to_string()])?;
        std::fs::File::open(&temporary).and_then(|file| file.sync_all()).map_err(fail)?;
        files::put_in_place(&temporary, &files.copy).map_err(fail)?;
        if let Some(guard) = &mut self.lock().guard {
            guard.copied = Some(changes);
        }
        Ok(true)
    }

    /// A whole ledger: is it the newest that there was?
    fn compare(store: Self, files: Files, found: Found, now: Timestamp) -> Result<Opened, OpenError> {
        let path = files.ledger.clone();
        let rebuild = |source| OpenError::Rebuild { path: path.clone(), source };
        let current = store.read(Mark::of).map_err(rebuild)?;
        let mut recovered = None;
        if let Found::Mark(mark) = found {
            same_installation((&path, &current.install), (&files.mark, &mark.install))?;
            if mark.is_ahead_of(&current) {
                let reason = "an older copy of the ledger was put back";
                recovered = Some(restore(&store, Some(&mark), reason, Vec::new(), now).map_err(rebuild)?);
            }
        }
        guard(&store, files).map_err(rebuild)?;
        Ok(Opened { store, recovered })
    }
}

/// A ledger that has to be made again.
struct Recovery {
    files: Files,
    found: Found,
    /// What is wrong with it, as a half sentence.
    why: String,
    set_aside: Vec<PathBuf>,
    now: Timestamp,
}

impl Recovery {
    /// Makes the ledger under another name, and puts it in place when it is complete.
    fn rebuild(mut self) -> Result<Opened, OpenError> {
        let path = self.files.ledger.clone();
        let io_error = |source| recover_error(&path, source);
        // What SQLite left beside a file that is gone would be taken for a part of the next one.
        self.set_aside.extend(aside(&path, "leftover", self.now)?);
        let temporary = files::with_suffix(&path, ".new");
        files::remove_database(&temporary).map_err(io_error)?;
        let (store, source) = self.start(&temporary)?;
        let mark = match &self.found {
            Found::Mark(mark) => Some(mark),
            Found::Nothing | Found::Unreadable(_) => None,
        };
        let reason = format!("the ledger was recovered from {source}: {}", self.why);
        let rebuild = |source| OpenError::Rebuild { path: path.clone(), source };
        let recovered = restore(&store, mark, &reason, self.set_aside, self.now).map_err(rebuild)?;
        close(store).map_err(rebuild)?;
        std::fs::File::open(&temporary).and_then(|file| file.sync_all()).map_err(io_error)?;
        files::put_in_place(&temporary, &path).map_err(io_error)?;
        let store = Store::open(&path)?;
        guard(&store, self.files).map_err(rebuild)?;
        Ok(Opened { store, recovered: Some(recovered) })
    }

    /// The copy, or an empty ledger, under a temporary name; and what it comes from.
    fn start(&mut self, temporary: &Path) -> Result<(Store, &'static str), OpenError> {
        let Files { ledger, mark: mark_path, copy } = &self.files;
        let io_error = |source| recover_error(ledger, source);
        let rebuild = |source| OpenError::Rebuild { path: ledger.clone(), source };
        if copy.exists() {
            let mut file = files::create_private(temporary).map_err(io_error)?;
            std::fs::File::open(copy).and_then(|mut copy| io::copy(&mut copy, &mut file)).map_err(io_error)?;
            match Store::open(temporary) {
                Ok(store) => {
                    if let Found::Mark(mark) = &self.found {
                        let install = store.install_id().map_err(rebuild)?;
                        same_installation((copy, &install), (mark_path, &mark.install))?;
                    }
                    return Ok((store, "its copy"));
                }
                Err(OpenError::Corrupt { .. }) => {
                    files::remove_database(temporary).map_err(io_error)?;
                    self.set_aside.extend(aside(copy, "damaged", self.now)?);
                }
                Err(error) => return Err(error),
            }
        }
        match &self.found {
            Found::Mark(_) => Ok((Store::open(temporary)?, "supervisor.id, without a copy")),
            Found::Nothing => {
                let detail = "its copy is damaged too".to_owned();
                Err(OpenError::Lost { path: ledger.clone(), mark: mark_path.clone(), detail })
            }
            Found::Unreadable(detail) => {
                Err(OpenError::Lost { path: ledger.clone(), mark: mark_path.clone(), detail: detail.clone() })
            }
        }
    }
}

/// Makes a ledger the successor of the one that is lost: nothing is given away twice, nobody is let in.
fn restore(
    store: &Store,
    mark: Option<&Mark>,
    reason: &str,
    set_aside: Vec<PathBuf>,
    now: Timestamp,
) -> Result<Recovered, StoreError> {
    let names: Vec<_> = set_aside.iter().map(|path| path.display().to_string()).collect();
    let kept = if names.is_empty() { String::new() } else { format!("; kept as {}", names.join(", ")) };
    let message = format!(
        "{reason}{kept}; devices, senders and script tokens have to be allowed again: botctl open PROFILE, botctl dm list PROFILE, \
         botctl token create"
    );
    store.write(|transaction| {
        if let Some(mark) = mark {
            raise(transaction, mark)?;
        }
        let at = now.as_millis();
        transaction.execute("UPDATE device SET revoked_at = ?1 WHERE revoked_at IS NULL", [at])?;
        transaction.execute("UPDATE token SET revoked_at = ?1 WHERE revoked_at IS NULL", [at])?;
        transaction.execute("UPDATE setup_link SET expires_at = ?1 WHERE used_at IS NULL AND expires_at > ?1", [at])?;
        senders::revoke_all(transaction, now)?;
        let registry = mark.map_or(0, |mark| mark.registry);
        transaction
            .execute("UPDATE installation SET registry = max(registry, ?1) + 1, restored_at = ?2", (registry, at))?;
        let event = NewEvent { at: now, kind: RECOVERED.to_owned(), subject: None, message: message.clone() };
        insert_event(transaction, &event)?;
        Ok(())
    })?;
    Ok(Recovered { message, set_aside })
}

/// Takes over what the file remembers and the ledger does not.
fn raise(transaction: &Transaction<'_>, mark: &Mark) -> Result<(), StoreError> {
    let Mark { install, ids, generations, leases, registry: _ } = mark;
    transaction.execute("UPDATE installation SET id = ?1", [install])?;
    let mut ledger = match stored(transaction)? {
        Some(ledger) => ledger,
        None => Ledger::new(install_id(transaction)?),
    };
    ledger.ids.0.extend(ids.iter().map(|(name, id)| (name.clone(), *id)));
    for (profile, generation) in generations {
        let known = ledger.generations.entry(profile.clone()).or_default();
        *known = (*known).max(*generation);
    }
    for (profile, lease) in leases {
        let held = ledger.leases.get(profile).map(|held| held.generation);
        if Some(lease.generation) > held {
            ledger.leases.insert(profile.clone(), lease.clone());
        }
    }
    write_document(transaction, &ledger)
}

/// From now on the file beside the ledger follows it.
fn guard(store: &Store, files: Files) -> Result<(), StoreError> {
    let mark = store.read(Mark::of)?;
    let mut guard = Guard::new(files);
    guard.follow(mark)?;
    store.lock().guard = Some(guard);
    Ok(())
}

/// Leaves one complete file, with nothing beside it.
fn close(store: Store) -> Result<(), StoreError> {
    store.lock().connection.pragma_update(None, "journal_mode", "DELETE")?;
    drop(store);
    Ok(())
}

fn same_installation(one: (&Path, &str), other: (&Path, &str)) -> Result<(), OpenError> {
    if one.1 == other.1 {
        return Ok(());
    }
    Err(OpenError::OtherInstallation {
        one: one.0.to_path_buf(),
        one_install: one.1.to_owned(),
        other: other.0.to_path_buf(),
        other_install: other.1.to_owned(),
    })
}

fn aside(path: &Path, word: &str, now: Timestamp) -> Result<Vec<PathBuf>, OpenError> {
    files::set_aside(path, word, now.as_millis()).map_err(|source| recover_error(path, source))
}

fn recover_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Recover { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests;
