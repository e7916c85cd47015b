//! A staged copy, a repository and a key in a folder of their own, and the program as the supervisor runs it.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use platform_types::backup::{Checked, Restored, Snapshot, TaskLine, TaskReport};

pub const KEY: &str = "correct-horse-battery-staple";

pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    /// A small but real staged copy: a database with rows, notes, an empty file.
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(bench.path("staging/workspace/notes")).unwrap();
        fs::create_dir(bench.path("repository")).unwrap();
        fs::write(bench.path("staging/workspace/notes/tee.md"), "# Tee\n").unwrap();
        fs::write(bench.path("staging/workspace/leer"), "").unwrap();
        let incompressible: Vec<u8> =
            (0..400_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        fs::write(bench.path("staging/workspace/large.bin"), incompressible).unwrap();
        bench.write_database(3);
        Self::write_key(&bench.path("key"), KEY);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write_database(&self, rows: u32) {
        let database = rusqlite::Connection::open(self.path("staging/agent.db")).unwrap();
        database.execute_batch("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, text TEXT) STRICT; PRAGMA user_version = 1;").unwrap();
        for _ in 0..rows {
            database.execute("INSERT INTO message (text) VALUES ('hallo')", []).unwrap();
        }
    }

    pub fn write_key(path: &Path, key: &str) {
        fs::write(path, key).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(arguments: &[&str]) -> (Output, Vec<TaskLine>) {
        let output = Command::new(env!("CARGO_BIN_EXE_bot-backup")).args(arguments).output().unwrap();
        let lines = String::from_utf8_lossy(&output.stdout);
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output, lines)
    }

    pub fn snapshot_of(&self, profile: &str) -> Result<Snapshot, String> {
        let [staging, repository, key] =
            ["staging", "repository", "key"].map(|name| self.path(name).display().to_string());
        let arguments = [
            "snapshot",
            "--profile",
            profile,
            "--repository",
            &repository,
            "--key-file",
            &key,
            "--source",
            &staging,
            "--reason",
            "manual",
        ];
        match outcome(Self::run(&arguments))? {
            TaskReport::Snapshot(snapshot) => Ok(snapshot),
            other => Err(format!("{other:?}")),
        }
    }

    pub fn restore(&self, profile: &str, snapshot: &str, into: &str) -> Result<Restored, String> {
        let [repository, key, into] = ["repository", "key", into].map(|name| self.path(name).display().to_string());
        let arguments = [
            "restore",
            "--profile",
            profile,
            "--repository",
            &repository,
            "--key-file",
            &key,
            "--snapshot",
            snapshot,
            "--into",
            &into,
        ];
        match outcome(Self::run(&arguments))? {
            TaskReport::Restore(restored) => Ok(restored),
            other => Err(format!("{other:?}")),
        }
    }

    pub fn check(&self, all_data: bool) -> Result<Checked, String> {
        let [repository, key] = ["repository", "key"].map(|name| self.path(name).display().to_string());
        let mut arguments = vec!["check", "--profile", "personal", "--repository", &repository, "--key-file", &key];
        arguments.extend(all_data.then_some("--read-data"));
        match outcome(Self::run(&arguments))? {
            TaskReport::Check(checked) => Ok(checked),
            other => Err(format!("{other:?}")),
        }
    }

    /// Flips one bit in the middle of the largest pack; gives its name.
    pub fn flip(&self) -> String {
        let packs = self.tree("repository").into_iter().filter(|(path, _)| path.starts_with("data/"));
        let (path, mut bytes) = packs.max_by_key(|(_, bytes)| bytes.len()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let pack = self.path("repository").join(&path);
        fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&pack, bytes).unwrap();
        path
    }

    /// Every file below a folder with its bytes.
    pub fn tree(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let root = self.path(name);
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().display().to_string();
                    files.push((name, fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

fn outcome((output, lines): (Output, Vec<TaskLine>)) -> Result<TaskReport, String> {
    match lines.last() {
        Some(TaskLine::Done { report }) if output.status.success() => Ok(report.clone()),
        Some(TaskLine::Failed { message }) if !output.status.success() => Err(message.clone()),
        other => Err(format!("{:?} {other:?} {}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}
