//! A prune that dies before each of its writes and removals in turn: nothing after it reaches the disk, as after a kill.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use platform_kit::Secret;
use platform_types::ProfileName;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RepositoryBackends, RusticError, RusticResult, WriteBackend,
};

use super::*;
use crate::snapshot;

const KEY: &str = "correct-horse-battery-staple";
const KEEP: Keep = Keep { daily: 1, weekly: 0, monthly: 0 };

/// Lets so many changes through, and fails all after them.
struct Dying {
    inner: Arc<dyn WriteBackend>,
    left: AtomicUsize,
}

impl Dying {
    fn change(&self) -> RusticResult<()> {
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err();
        if spent { Err(RusticError::new(ErrorKind::Backend, "it was killed")) } else { Ok(()) }
    }
}

impl ReadBackend for Dying {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.inner.list_with_size(kind)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<bytes::Bytes> {
        self.inner.read_full(kind, id)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.inner.warmup_path(kind, id)
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<bytes::Bytes> {
        self.inner.read_partial(kind, id, cacheable, offset, length)
    }
}

impl WriteBackend for Dying {
    fn write_bytes(&self, kind: FileType, id: &Id, cacheable: bool, content: BytesList) -> RusticResult<()> {
        self.change()?;
        self.inner.write_bytes(kind, id, cacheable, content)
    }

    fn remove(&self, kind: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.change()?;
        self.inner.remove(kind, id, cacheable)
    }
}

/// Three snapshots; the two that are forgotten share packs with the one that is kept.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["staging/workspace", "repository"] {
            std::fs::create_dir_all(bench.path(folder)).unwrap();
        }
        std::fs::write(bench.path("key"), KEY).unwrap();
        std::fs::set_permissions(bench.path("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let database = rusqlite::Connection::open(bench.path("staging/agent.db")).unwrap();
        database.execute_batch("CREATE TABLE message (id INTEGER PRIMARY KEY, text TEXT) STRICT").unwrap();
        for round in 0..3_u32 {
            let noise = |seed: u32| {
                (0..100_000_u32).flat_map(move |n| (n ^ seed << 20).wrapping_mul(2_654_435_761).to_le_bytes())
            };
            // One half stays the same, the other is new in each.
            let bytes: Vec<u8> = noise(0).chain(noise(round + 1)).collect();
            std::fs::write(bench.path("staging/workspace/notes.bin"), bytes).unwrap();
            database.execute("INSERT INTO message (text) VALUES (?1)", [format!("round {round}")]).unwrap();
            snapshot::take(&bench.arguments("repository"), &bench.path("staging"), "scheduled").unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self, repository: &str) -> RepositoryArguments {
        let profile = ProfileName::new("personal").unwrap();
        RepositoryArguments { profile, repository: self.path(repository), key_file: self.path("key") }
    }

    fn copy(&self, name: &str) {
        let copied = Command::new("cp").arg("-a").args([self.path("repository"), self.path(name)]).status().unwrap();
        assert!(copied.success());
    }

    /// Prunes, and dies after so many changes. How many there were, and whether it came to its end.
    fn prune_until(&self, repository: &str, changes: usize) -> (usize, bool) {
        let path = self.path(repository);
        let local = repository::backends(&path).unwrap().repository();
        let dying = Arc::new(Dying { inner: local, left: AtomicUsize::new(changes) });
        let backends = RepositoryBackends::new(dying.clone(), None);
        let store = Store::open_on(&backends, &path, &Secret::new(KEY.to_owned())).unwrap();
        let result = tidy(&store, &self.arguments(repository), KEEP, &TimeZone::UTC);
        (changes - dying.left.load(Ordering::SeqCst), result.is_ok())
    }

    fn restic(&self, repository: &str, arguments: &[&str]) -> String {
        let mut restic = Command::new("restic");
        restic.args(["--no-cache", "-r"]).arg(self.path(repository)).args(arguments).env("RESTIC_PASSWORD", KEY);
        let output = restic.output().expect("restic is installed: apt-get install restic");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "restic {arguments:?} of {repository}: {said}");
        said
    }

    /// The newest snapshot restores to what was staged, by stock restic.
    fn assert_whole(&self, repository: &str) {
        assert!(self.restic(repository, &["check", "--read-data"]).contains("no errors were found"), "{repository}");
        let out = self.path(&format!("out-{repository}"));
        self.restic(repository, &["restore", "latest", "--target", out.to_str().unwrap()]);
        for file in ["agent.db", "workspace/notes.bin"] {
            let [before, after] =
                [self.path("staging"), out.join("state")].map(|folder| std::fs::read(folder.join(file)).unwrap());
            assert!(before == after, "{repository}: {file}");
        }
    }
}

#[test]
fn killed_before_each_of_its_changes_the_kept_snapshot_is_whole() {
    let bench = Bench::new();
    bench.copy("whole");
    let (changes, ended) = bench.prune_until("whole", usize::MAX >> 1);
    assert!(ended && changes >= 5, "{changes} changes: two snapshots, a pack, an index and what they replace");
    bench.assert_whole("whole");
    for step in 0..changes {
        let name = format!("killed-{step}");
        bench.copy(&name);
        let (_, ended) = bench.prune_until(&name, step);
        assert!(!ended, "step {step} is one of its changes");
        bench.assert_whole(&name);
        // The next one finishes it.
        let (_, ended) = bench.prune_until(&name, usize::MAX >> 1);
        assert!(ended, "{name} is not finished by the next");
    }
}

#[test]
fn it_frees_space_sweeps_leftovers_and_waits_for_no_other_program() {
    let bench = Bench::new();
    let arguments = bench.arguments("repository");
    let half = bench.path("repository/data/0123-tmp-4567");
    std::fs::write(&half, "half").unwrap();
    std::fs::create_dir_all(bench.path("repository/locks")).unwrap();
    std::fs::write(bench.path("repository/locks/aa"), "somebody's").unwrap();
    let error = prune(&arguments, KEEP, "UTC").unwrap_err().to_string();
    assert!(error.contains("restic unlock"), "{error}");
    std::fs::remove_file(bench.path("repository/locks/aa")).unwrap();
    let TaskReport::Prune(pruned) = prune(&arguments, KEEP, "UTC").unwrap() else { panic!("another report") };
    assert_eq!((pruned.kept, pruned.forgotten), (1, 2));
    assert!(pruned.freed_bytes > 300_000, "{pruned:?}");
    assert!(half.exists(), "it may belong to somebody who writes now");
    let old = std::fs::File::options().write(true).open(&half).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let TaskReport::Prune(again) = prune(&arguments, KEEP, "UTC").unwrap() else { panic!("another report") };
    assert_eq!((again.kept, again.forgotten, half.exists()), (1, 0, false));
    bench.assert_whole("repository");
}
