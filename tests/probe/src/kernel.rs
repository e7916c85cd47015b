//! System calls that an agent has no use for, made so that the kernel refuses them *after* it would have allowed them.

use std::io;
use std::process::{Command, Stdio};

use agent_confinement::Tried;
use agent_confinement::network::family;
use agent_confinement::privilege::status;
use libc::c_long;
use nix::sys::socket::{AddressFamily, SockType};

use crate::attempts::Attempt;
use crate::{raw, runner};

const NOWHERE: i64 = -1;

/// Name, meaning, number, arguments. With an invalid argument a call that is allowed answers something else than `EPERM`.
const CALLS: &[(&str, &str, c_long, [i64; 5])] = &[
    ("io-uring", "open sockets past the filter", libc::SYS_io_uring_setup, [0; 5]),
    ("bpf", "load a program into the kernel", libc::SYS_bpf, [0; 5]),
    ("perf-events", "watch the processor", libc::SYS_perf_event_open, [0, 0, NOWHERE, NOWHERE, 0]),
    ("userfaultfd", "stop the kernel in the middle of a copy", libc::SYS_userfaultfd, [0o2_000_000 | 1, 0, 0, 0, 0]),
    ("keyring", "use the kernel's keyring", libc::SYS_keyctl, [0, -3, 0, 0, 0]),
    ("kexec", "start another kernel", libc::SYS_kexec_load, [0, 0, 0, 0xffff, 0]),
    ("load-module", "load a module", libc::SYS_finit_module, [NOWHERE, 0, 0, 0, 0]),
    ("remove-module", "remove a module", libc::SYS_delete_module, [0; 5]),
    ("reboot", "restart the host", libc::SYS_reboot, [0; 5]),
    ("set-clock", "set the host's clock", libc::SYS_settimeofday, [0; 5]),
    ("host-name", "rename the host", libc::SYS_sethostname, [0, NOWHERE, 0, 0, 0]),
    ("swap", "change the host's swap", libc::SYS_swapoff, [0; 5]),
    ("pivot-root", "change the root", libc::SYS_pivot_root, [0; 5]),
    ("enter-namespace", "enter another namespace", libc::SYS_setns, [NOWHERE, 0, 0, 0, 0]),
    ("open-by-handle", "open files of the host by number", libc::SYS_open_by_handle_at, [NOWHERE, 0, 0, 0, 0]),
    ("new-mount", "mount the new way", libc::SYS_fsopen, [0; 5]),
    ("clone-mount", "take a mount along", libc::SYS_open_tree, [NOWHERE, 0, 1, 0, 0]),
    ("read-memory", "read the memory of a process", libc::SYS_process_vm_readv, [1, 0, 0, 0, 0]),
    ("take-descriptor", "take a descriptor of a process", libc::SYS_pidfd_getfd, [NOWHERE, 0, 0, 0, 0]),
    ("compare-processes", "compare processes in the kernel", libc::SYS_kcmp, [1, 1, 0, 0, 0]),
    ("kernel-log", "read the kernel's log", libc::SYS_syslog, [3, 0, 0, 0, 0]),
    ("personality", "switch the randomness of addresses off", libc::SYS_personality, [0x004_0000, 0, 0, 0, 0]),
    ("clone3", "make processes where a filter cannot see how", libc::SYS_clone3, [0; 5]),
    ("watch-file-system", "watch every file of a file system", libc::SYS_fanotify_init, [0; 5]),
];

/// Families beyond those that `agent-confinement` tries.
const FAMILIES: &[(&str, AddressFamily)] = &[
    ("key-socket", AddressFamily::Key),
    ("bluetooth-socket", AddressFamily::Bluetooth),
    ("can-socket", AddressFamily::Can),
    ("tipc-socket", AddressFamily::Tipc),
    ("rds-socket", AddressFamily::Rds),
];

pub fn attempts() -> Vec<Attempt> {
    let calls = CALLS
        .iter()
        .map(|(name, what, number, arguments)| Attempt::new(*name, *what, || judge(raw::call(*number, *arguments))));
    let families = FAMILIES.iter().map(|(name, kind)| {
        Attempt::new(*name, "open a socket of a family nobody needs", || family(*kind, SockType::SeqPacket))
    });
    let mut all: Vec<Attempt> = calls.chain(families).collect();
    #[cfg(target_arch = "x86_64")]
    all.push(Attempt::new("port-input", "talk to hardware", || judge(raw::call(libc::SYS_iopl, [3, 0, 0, 0, 0]))));
    all.extend([
        Attempt::new("clone-user-namespace", "make a process that is root in its namespace", || {
            judge(raw::clone_into(libc::CLONE_NEWUSER).map(|()| 0))
        }),
        Attempt::new("take-capabilities", "give itself every capability", || {
            judge(raw::take_all_capabilities().map(|()| 0))
        }),
        Attempt::new("allow-privileges", "switch no_new_privs off", allow_privileges),
        Attempt::new("setuid-file", "run a file of root's that changes the user", setuid_file),
        Attempt::new("calls-of-32-bit", "call the kernel as a 32-bit program does", || other_door("int80")),
        Attempt::new("calls-of-x32", "call the kernel as an x32 program does", || other_door("x32")),
    ]);
    all
}

fn judge(result: io::Result<i64>) -> Tried {
    match result {
        Ok(value) => Tried::Succeeded(format!("answered {value}")),
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => Tried::Blocked(error.to_string()),
            _ => Tried::Succeeded(format!("the kernel got as far as: {error}")),
        },
    }
}

fn allow_privileges() -> Tried {
    const PR_SET_NO_NEW_PRIVS: i64 = 38;
    let said = raw::call(libc::SYS_prctl, [PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0]);
    match status("NoNewPrivs").as_deref() {
        Some("1") => {
            Tried::Blocked(format!("still set; {}", said.err().map_or_else(String::new, |error| error.to_string())))
        }
        other => Tried::Succeeded(format!("no_new_privs is {other:?}")),
    }
}

fn setuid_file() -> Tried {
    let mut command = Command::new("/setuid-probe");
    match said(command.arg("user")) {
        Err(why) => Tried::Blocked(why),
        Ok(user) if user == "0" => Tried::Succeeded("it ran as root".to_owned()),
        Ok(user) => Tried::Blocked(format!("it ran as user {user:?}")),
    }
}

fn other_door(command: &str) -> Tried {
    match said(&mut runner::itself(&[command])) {
        Err(why) => Tried::Blocked(why),
        // A kernel without that door answers with an error number.
        Ok(answer) if answer.starts_with('-') => Tried::Blocked(format!("it answered {answer}")),
        Ok(answer) => Tried::Succeeded(format!("it answered {answer}")),
    }
}

/// What a program writes; or why there is nothing. (`Command::output` needs `ioctl`, which an agent has not.)
fn said(command: &mut Command) -> Result<String, String> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| error.to_string())?;
    let text = runner::output(&mut child);
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { text.ok_or_else(|| "it took too long".to_owned()) } else { Err(status.to_string()) }
}
