//! Users, capabilities, namespaces, mounts, other processes.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::ptrace;
use nix::unistd::{Gid, Pid, Uid, chroot, setgid, setgroups, setuid};

use crate::{Attempt, Tried, any};

const SCRATCH: &str = "/tmp";

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "capabilities", what: "have a capability", run: capabilities },
    Attempt { name: "new-privileges", what: "gain privileges by running a program", run: new_privileges },
    Attempt { name: "system-calls", what: "call the kernel without a filter", run: filtered },
    Attempt { name: "trace", what: "trace another process", run: trace },
    Attempt { name: "mount", what: "mount a file system", run: mount_tmpfs },
    Attempt { name: "unmount", what: "take a mount away", run: unmount },
    Attempt { name: "chroot", what: "change the root", run: || Tried::of(chroot(Path::new(SCRATCH))) },
    Attempt {
        name: "user-namespace",
        what: "be root in a namespace of its own",
        run: || Tried::of(unshare(CloneFlags::CLONE_NEWUSER)),
    },
    Attempt {
        name: "network-namespace",
        what: "make interfaces in a namespace of its own",
        run: || Tried::of(unshare(CloneFlags::CLONE_NEWNET)),
    },
    Attempt {
        name: "mount-namespace",
        what: "mount in a namespace of its own",
        run: || Tried::of(unshare(CloneFlags::CLONE_NEWNS)),
    },
    Attempt { name: "other-group", what: "become a member of another group", run: other_group },
    Attempt { name: "root-user", what: "become root", run: root_user },
];

/// A line of `/proc/self/status`.
pub fn status(name: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

fn capabilities() -> Tried {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    any(sets.map(|set| {
        let held = status(set).unwrap_or_else(|| "unknown".to_owned());
        let none = held.bytes().all(|digit| digit == b'0');
        (set.to_owned(), if none { Tried::Blocked(held) } else { Tried::Succeeded(held) })
    }))
}

/// Nothing switches the flag off again once it is set.
fn new_privileges() -> Tried {
    match status("NoNewPrivs").as_deref() {
        Some("1") => Tried::Blocked("no_new_privs is set".to_owned()),
        other => Tried::Succeeded(format!("no_new_privs is {other:?}")),
    }
}

fn filtered() -> Tried {
    match status("Seccomp").as_deref() {
        Some("2") => Tried::Blocked("a filter is in force".to_owned()),
        other => Tried::Succeeded(format!("seccomp mode is {other:?}")),
    }
}

/// Letting go of a process that is not traced: the kernel says so (`ESRCH`) to whoever may trace at all.
fn trace() -> Tried {
    match ptrace::detach(Pid::from_raw(1), None) {
        Err(Errno::EPERM) => Tried::Blocked(Errno::EPERM.to_string()),
        other => Tried::Succeeded(format!("the kernel looked for the process: {other:?}")),
    }
}

fn mount_tmpfs() -> Tried {
    let made = mount(Some("probe"), SCRATCH, Some("tmpfs"), MsFlags::empty(), None::<&str>);
    if made.is_ok() {
        let _ = umount2(SCRATCH, MntFlags::MNT_DETACH);
    }
    Tried::of(made)
}

/// Of a path that is no mount: the kernel says so (`EINVAL`) to whoever may unmount at all.
fn unmount() -> Tried {
    match umount2("/proc/self", MntFlags::empty()) {
        Err(Errno::EPERM) => Tried::Blocked(Errno::EPERM.to_string()),
        other => Tried::Succeeded(format!("the kernel looked for the mount: {other:?}")),
    }
}

fn other_group() -> Tried {
    let root = Gid::from_raw(0);
    any([("setgroups".to_owned(), Tried::of(setgroups(&[root]))), ("setgid".to_owned(), Tried::of(setgid(root)))])
}

fn root_user() -> Tried {
    Tried::of(setuid(Uid::from_raw(0)))
}
