//! Takes more and more of something until the bound is met. Without a bound it stops at a cap of its own, and has succeeded.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use agent_confinement::Tried;

use crate::attempts::Attempt;
use crate::runner;

const MIB: usize = 1 << 20;
const MOST_PROCESSES: usize = 600;
const MOST_FILES_OPEN: usize = 20_000;
const MOST_MEMORY_MIB: usize = 1_024;
const MOST_INODES: usize = 5_000;
/// The kernel bounds no volume of a file system without quotas; more than this is not tried.
const STATE_MIB: usize = 64;

pub fn attempts() -> Vec<Attempt> {
    vec![
        Attempt::new("many-processes", "start processes without end", many_processes),
        Attempt::new("much-memory", "take memory without end", much_memory),
        Attempt::new("many-open-files", "open files without end", many_open_files),
        Attempt::new("fill-scratch", "fill the disk through /tmp", || fill("/tmp", 64)),
        Attempt::new("fill-shared-memory", "fill the disk through /dev/shm", || fill("/dev/shm", 256)),
        Attempt::new("fill-http-sockets", "fill the host's memory through a directory of sockets", || {
            fill("/run/bot/http", 16)
        }),
        Attempt::new("fill-admin-sockets", "fill the host's memory through a directory of sockets", || {
            fill("/run/bot/admin", 16)
        }),
        Attempt::new("many-http-files", "make files without end", || many_files("/run/bot/http")),
        Attempt::new("many-admin-files", "make files without end", || many_files("/run/bot/admin")),
        // Last: where quotas are missing it succeeds, and the test says so.
        Attempt::new("fill-state", "fill the disk through the state volume", || fill("/state", STATE_MIB)),
    ]
}

fn many_processes() -> Tried {
    // They end when this process does: their input closes.
    let mut children: Vec<Child> = Vec::new();
    let error = loop {
        if children.len() == MOST_PROCESSES {
            break None;
        }
        match runner::itself(&["wait"]).stdin(Stdio::piped()).spawn() {
            Ok(child) => children.push(child),
            Err(error) => break Some(error),
        }
    };
    let count = children.len();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    bounded(count, "processes", error.as_ref())
}

fn much_memory() -> Tried {
    let status = runner::itself(&["eat", &MOST_MEMORY_MIB.to_string()]).status();
    match status {
        Ok(status) if status.success() => Tried::Succeeded(format!("{MOST_MEMORY_MIB} MiB")),
        Ok(status) => Tried::Blocked(format!("the process that did was ended by signal {:?}", status.signal())),
        Err(error) => Tried::Blocked(error.to_string()),
    }
}

/// Touches so much memory, and ends.
pub fn eat(mebibytes: usize) -> anyhow::Result<()> {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for turn in 0..mebibytes {
        held.push(vec![u8::try_from(turn % 255)? + 1; MIB]);
    }
    anyhow::ensure!(held.iter().all(|block| block[MIB / 2] != 0), "memory that does not keep what it is given");
    Ok(())
}

fn many_open_files() -> Tried {
    let mut files = Vec::new();
    let error = loop {
        if files.len() == MOST_FILES_OPEN {
            break None;
        }
        match File::open("/proc/self/exe") {
            Ok(file) => files.push(file),
            Err(error) => break Some(error),
        }
    };
    bounded(files.len(), "files", error.as_ref())
}

/// Writes a file until it does not fit, and removes it.
fn fill(folder: &str, mebibytes: usize) -> Tried {
    let path = Path::new(folder).join("probe-filler");
    let block = vec![1_u8; MIB / 16];
    let mut file = match File::create(&path) {
        Ok(file) => file,
        Err(error) => return Tried::Blocked(error.to_string()),
    };
    let written = (0..mebibytes * 16).find_map(|turn| file.write_all(&block).err().map(|error| (turn, error)));
    let _ = fs::remove_file(&path);
    match written {
        None => Tried::Succeeded(format!("{mebibytes} MiB")),
        Some((turn, error)) => Tried::Blocked(format!("{} KiB, then {error}", turn * 64)),
    }
}

/// Makes empty files until there is no more room, and removes them.
fn many_files(folder: &str) -> Tried {
    let name = |number| -> PathBuf { Path::new(folder).join(format!("probe-file-{number}")) };
    let mut made = 0;
    let error = loop {
        if made == MOST_INODES {
            break None;
        }
        match File::create(name(made)) {
            Ok(_) => made += 1,
            Err(error) => break Some(error),
        }
    };
    for number in 0..made {
        let _ = fs::remove_file(name(number));
    }
    bounded(made, "files", error.as_ref())
}

fn bounded(count: usize, what: &str, error: Option<&io::Error>) -> Tried {
    match error {
        None => Tried::Succeeded(format!("{count} {what}")),
        Some(error) => Tried::Blocked(format!("{count} {what}, then {error}")),
    }
}

/// Writes lines to standard output, which Docker keeps as a log.
pub fn flood(mebibytes: usize) -> anyhow::Result<()> {
    let line = format!("{}\n", "x".repeat(1_023));
    let mut out = io::stdout().lock();
    for _ in 0..mebibytes * 1_024 {
        out.write_all(line.as_bytes())?;
    }
    Ok(out.flush()?)
}
