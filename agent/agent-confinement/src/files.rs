//! Files that an agent must not read or write. What is opened is not written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::{Attempt, Tried, any};

/// Mounts that a profile's agent has read-only: somebody else binds there.
const READ_ONLY: [&str; 2] = ["/run/bot/egress", "/run/bot/llm"];
const SCRATCH: &str = "/tmp";

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "write-root", what: "write into the image", run: || create_in("/") },
    Attempt {
        name: "write-read-only-mounts",
        what: "put a socket where only the gate or spark may",
        run: || any(READ_ONLY.map(|folder| (folder.to_owned(), create_in(folder)))),
    },
    Attempt {
        name: "change-canary",
        what: "change the file that proves a mount",
        run: || write_any(&["/state/.canary", "/run/bot/http/.canary", "/run/bot/admin/.canary"]),
    },
    Attempt {
        name: "docker-socket",
        what: "talk to Docker",
        run: || {
            let paths = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"];
            any(paths.map(|path| (path.to_owned(), connect(Path::new(path)))))
        },
    },
    Attempt {
        name: "kernel-settings",
        what: "change settings of the kernel",
        run: || {
            write_any(&["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory"])
        },
    },
    Attempt {
        name: "sysrq",
        what: "give the kernel a command of the console",
        run: || write_any(&["/proc/sysrq-trigger"]),
    },
    Attempt {
        name: "sysfs",
        what: "change devices and the kernel through /sys",
        run: || write_any(&["/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/sys/power/state"]),
    },
    Attempt {
        name: "control-groups",
        what: "change its own limits, or run a program on the host when a group empties",
        run: || {
            write_any(&[
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/pids/pids.max",
                "/sys/fs/cgroup/rdma/release_agent",
                "/sys/fs/cgroup/memory/release_agent",
                "/sys/fs/cgroup/memory.max",
                "/sys/fs/cgroup/cgroup.procs",
            ])
        },
    },
    Attempt {
        name: "kernel-memory",
        what: "read the memory of the kernel",
        run: || {
            any(["/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"].map(|path| (path.to_owned(), read_some(path))))
        },
    },
    Attempt {
        name: "disk-device",
        what: "read the host's disk",
        run: || {
            any(["/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/dm-0"].map(|path| (path.to_owned(), read_some(path))))
        },
    },
    Attempt { name: "make-device", what: "make a device of its own", run: make_device },
    Attempt { name: "host-processes", what: "see processes of others", run: host_processes },
];

/// Makes a file and removes it.
pub fn create_in(folder: &str) -> Tried {
    let path = Path::new(folder).join("confinement-probe");
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    if made.is_ok() {
        let _ = fs::remove_file(&path);
    }
    Tried::of(made)
}

/// Connects to a Unix socket and says nothing.
pub fn connect(path: &Path) -> Tried {
    Tried::of(UnixStream::connect(path))
}

/// Reads one byte.
pub fn read_some(path: &str) -> Tried {
    let mut byte = [0];
    let read = File::open(path).and_then(|mut file| file.read(&mut byte));
    // Docker covers files with an empty one.
    Tried::of(read.and_then(|count| if count == 0 { Err(io::Error::other("it is empty")) } else { Ok(count) }))
}

fn write_any(paths: &[&str]) -> Tried {
    let open = |path: &&str| ((*path).to_owned(), Tried::of(OpenOptions::new().write(true).open(path)));
    any(paths.iter().map(open))
}

fn make_device() -> Tried {
    let path = Path::new(SCRATCH).join("confinement-device");
    // The null device.
    let made = mknod(&path, SFlag::S_IFCHR, Mode::S_IRUSR, makedev(1, 3));
    if made.is_ok() {
        let _ = fs::remove_file(&path);
    }
    Tried::of(made)
}

/// In a process namespace of its own it is the first, or the child of the first.
fn host_processes() -> Tried {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => return Tried::Blocked(error.to_string()),
    };
    let first = fs::read_link("/proc/1/exe").ok();
    let own = fs::read_link("/proc/self/exe").ok();
    let count = entries.flatten().filter(|entry| is_number(&entry.file_name())).count();
    if first.is_some() && first == own {
        Tried::Blocked(format!("the first process is its own; {count} in all"))
    } else {
        Tried::Succeeded(format!("the first process is another; {count} in all"))
    }
}

fn is_number(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
}
