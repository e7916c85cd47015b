//! A consistent copy of database and workspace under `staging/<id>/`, while the agent works.
//!
//! The database is copied through SQLite's online backup in one step, so it is one moment of it. Of the workspace only
//! regular files and folders go, no link is followed, and count and size are bounded. A copy that failed leaves nothing.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use platform_types::Timestamp;
use platform_types::agent::Checkpoint;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::lock::Lock;
use crate::{StateDir, StoreError, schema};

/// Files and folders of a workspace that are copied.
pub const MAX_FILES: u64 = 20_000;
/// Bytes of a workspace that are copied.
pub const MAX_WORKSPACE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Folders inside one another.
pub const MAX_DEPTH: usize = 32;
/// A copy that nobody fetched is removed when the next is made after this.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
const MAX_ID_BYTES: usize = 64;

/// Whether `id` may name a directory under `staging/`.
pub fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(allowed)
}

/// Copies the state of a running agent. The caller makes sure that one copy is made at a time.
pub fn make(state: &StateDir, id: &str, now: Timestamp) -> Result<Checkpoint, StoreError> {
    if !is_id(id) {
        return Err(StoreError::Conflict("a checkpoint id is 1 to 64 of a-z, 0-9 and '-'"));
    }
    let staging = state.staging();
    make_shared_dir(&staging, true)?;
    remove_abandoned(&staging);
    let target = staging.join(id);
    make_shared_dir(&target, false)?;
    let made = fill(state, &target).and_then(|(bytes, files, schema)| {
        File::open(&target).and_then(|directory| directory.sync_all()).map_err(StoreError::io(&target))?;
        Ok(Checkpoint { id: id.to_owned(), at: now, bytes, files, schema })
    });
    if made.is_err() {
        // The error that is returned says more than one about the rest that could not be removed.
        let _ = fs::remove_dir_all(&target);
    }
    made
}

/// Copies the state of an agent that does not run: takes its lock first.
pub fn make_offline(state: &StateDir, id: &str, now: Timestamp) -> Result<Checkpoint, StoreError> {
    let _lock = Lock::take(&state.lock(), "an offline checkpoint")?;
    make(state, id, now)
}

/// Removes a copy. One that is not there is removed already.
pub fn remove(state: &StateDir, id: &str) -> Result<(), StoreError> {
    if !is_id(id) {
        return Err(StoreError::NotFound("checkpoint"));
    }
    let path = state.staging().join(id);
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(StoreError::io(&path)),
    }
}

/// Its bytes, its files, and the schema of the database.
fn fill(state: &StateDir, target: &Path) -> Result<(u64, u64, u32), StoreError> {
    let database = target.join("agent.db");
    let schema = copy_database(&state.database(), &database)?;
    let bytes = fs::metadata(&database).map_err(StoreError::io(&database))?.len();
    let mut copy = Copy { bytes, files: 1, entries: 0 };
    copy.folder(&state.workspace(), &target.join("workspace"), 0)?;
    Ok((copy.bytes, copy.files, schema))
}

/// Its schema: of the copy, which is one moment.
fn copy_database(from: &Path, to: &Path) -> Result<u32, StoreError> {
    let source = schema::open_source(from)?;
    let mut copy = Connection::open(to)?;
    {
        let backup = Backup::new(&source, &mut copy)?;
        // One step copies everything under one read lock: writers go on, the copy is one moment.
        match backup.step(-1)? {
            StepResult::Done => {}
            other => return Err(StoreError::Damaged(format!("the online backup stopped early ({other:?})"))),
        }
    }
    let mode: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(StoreError::Damaged(format!("the copy stayed in journal mode {mode}")));
    }
    let found: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(StoreError::Damaged(found));
    }
    let schema = schema::version(&copy)?;
    copy.close().map_err(|(_, error)| StoreError::from(error))?;
    seal(&File::open(to).map_err(StoreError::io(to))?, to)?;
    Ok(schema)
}

/// Readable by the group, and on disk.
fn seal(file: &File, path: &Path) -> Result<(), StoreError> {
    file.set_permissions(Permissions::from_mode(0o640)).map_err(StoreError::io(path))?;
    file.sync_all().map_err(StoreError::io(path))
}

/// A directory that the group may read; its group is inherited from `staging/`.
fn make_shared_dir(path: &Path, may_exist: bool) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o2750).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o2750)).map_err(StoreError::io(path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && may_exist => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::Conflict("a checkpoint with this id exists; delete it first"))
        }
        Err(error) => Err(StoreError::io(path)(error)),
    }
}

/// What cannot be read or removed stays: the next copy tries again.
fn remove_abandoned(staging: &Path) {
    for entry in fs::read_dir(staging).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|found| found.modified()).map(|at| at.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > ABANDONED_AFTER) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A walk through the workspace, counting.
struct Copy {
    bytes: u64,
    files: u64,
    entries: u64,
}

impl Copy {
    fn folder(&mut self, from: &Path, to: &Path, depth: usize) -> Result<(), StoreError> {
        if depth > MAX_DEPTH {
            return Err(StoreError::TooLarge(format!("folders lie more than {MAX_DEPTH} deep")));
        }
        make_shared_dir(to, false)?;
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth == 0 => return Ok(()),
            other => other.map_err(StoreError::io(from))?,
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::io(from))?;
            self.entries += 1;
            if self.entries > MAX_FILES {
                return Err(StoreError::TooLarge(format!("it has more than {MAX_FILES} files")));
            }
            let kind = entry.file_type().map_err(StoreError::io(from))?;
            let target = to.join(entry.file_name());
            if kind.is_dir() {
                self.folder(&entry.path(), &target, depth + 1)?;
            } else if kind.is_file() {
                self.file(&entry.path(), &target)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
        let source = match OpenOptions::new().read(true).custom_flags(flags).open(from) {
            // Removed, or replaced by a link, since it was listed.
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::ELOOP)) => return Ok(()),
            other => other.map_err(StoreError::io(from))?,
        };
        if !source.metadata().map_err(StoreError::io(from))?.is_file() {
            return Ok(());
        }
        let left = MAX_WORKSPACE_BYTES.saturating_sub(self.bytes);
        let mut target =
            OpenOptions::new().write(true).create_new(true).mode(0o640).open(to).map_err(StoreError::io(to))?;
        let copied = std::io::copy(&mut source.take(left + 1), &mut target).map_err(StoreError::io(to))?;
        if copied > left {
            return Err(StoreError::TooLarge(format!("it has more than {MAX_WORKSPACE_BYTES} bytes")));
        }
        seal(&target, to)?;
        self.bytes += copied;
        self.files += 1;
        Ok(())
    }
}
