//! Addresses, paths and processes of the host that the test names.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::path::Path;

use agent_confinement::Tried;
use agent_confinement::network::{tcp, udp};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, socket};
use nix::unistd::Pid;

use crate::attempts::{Attempt, Surroundings};

/// Asks for the address of `probe.invalid`: a name that exists nowhere.
const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05probe\x07invalid\x00\x00\x01\x00\x01";
const DNS_PORT: u16 = 53;

pub fn attempts(surroundings: &Surroundings) -> Vec<Attempt> {
    let mut all = vec![
        Attempt::new("resolver", "ask the name servers of /etc/resolv.conf", resolver),
        Attempt::new("vsock-connect", "connect to the hypervisor, and to the host", vsock),
        Attempt::new("roots-of-others", "read files of the host through /proc", roots_of_others),
    ];
    for address in surroundings.tcp.clone() {
        all.push(Attempt::new(format!("tcp {address}"), "connect to an address", move || tcp(address)));
    }
    for address in surroundings.udp.clone() {
        all.push(Attempt::new(format!("udp {address}"), "send a datagram", move || udp(address, QUERY)));
    }
    for name in surroundings.abstract_sockets.clone() {
        let what = "connect to an abstract socket of the host";
        all.push(Attempt::new(format!("abstract {name}"), what, move || abstract_socket(&name)));
    }
    for path in surroundings.paths.clone() {
        let name = format!("path {}", path.display());
        all.push(Attempt::new(name, "reach a file, directory or socket of others", move || reach(&path)));
    }
    for process in surroundings.processes.clone() {
        let name = format!("process {process}");
        all.push(Attempt::new(name, "signal a process of the host, or look into it", move || foreign(process)));
    }
    all
}

/// The port where services for virtual machines begin.
const VSOCK_PORT: u32 = 1024;

/// Whatever comes back from the other side counts, a refusal too: then something got there.
fn vsock() -> Tried {
    let mut refusals = Vec::new();
    for machine in [libc::VMADDR_CID_HYPERVISOR, libc::VMADDR_CID_LOCAL, libc::VMADDR_CID_HOST] {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let opened = socket(AddressFamily::Vsock, SockType::Stream, flags, None);
        let asked = opened.and_then(|socket| connect(socket.as_raw_fd(), &VsockAddr::new(machine, VSOCK_PORT)));
        match asked {
            Ok(()) => return Tried::Succeeded(format!("connected to {machine}")),
            Err(error @ (Errno::EINPROGRESS | Errno::ECONNRESET | Errno::ECONNREFUSED | Errno::ETIMEDOUT)) => {
                return Tried::Succeeded(format!("{machine} was asked: {error}"));
            }
            Err(error) => refusals.push(format!("{machine}: {error}")),
        }
    }
    Tried::Blocked(refusals.join(", "))
}

fn resolver() -> Tried {
    let text = match fs::read_to_string("/etc/resolv.conf") {
        Ok(text) => text,
        Err(error) => return Tried::Blocked(error.to_string()),
    };
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    let mut refusals = Vec::new();
    for server in servers {
        for tried in [udp(SocketAddr::new(server, DNS_PORT), QUERY), tcp(SocketAddr::new(server, DNS_PORT))] {
            match tried {
                Tried::Blocked(why) => refusals.push(why),
                succeeded @ Tried::Succeeded(_) => return succeeded,
            }
        }
    }
    Tried::Blocked(if refusals.is_empty() { "it names none".to_owned() } else { refusals.join("; ") })
}

fn abstract_socket(name: &str) -> Tried {
    let address = UnixAddress::from_abstract_name(name);
    Tried::of(address.and_then(|address| UnixStream::connect_addr(&address)))
}

/// A socket is connected to, a directory is listed, a file is read.
fn reach(path: &Path) -> Tried {
    if UnixStream::connect(path).is_ok() {
        return Tried::Succeeded("connected".to_owned());
    }
    Tried::of(fs::read_dir(path).map(drop).or_else(|_| fs::File::open(path).map(drop)))
}

/// The root of the first process of the host would be `/proc/1/root`; here that is its own.
fn roots_of_others() -> Tried {
    let files =
        ["/proc/1/root/etc/shadow", "/proc/1/root/var/lib/docker", "/proc/1/cwd/etc/shadow", "/proc/self/root/root"];
    let opened = files.iter().find(|path| fs::metadata(path).is_ok());
    match opened {
        Some(path) => Tried::Succeeded((*path).to_owned()),
        None => Tried::Blocked("none of them is there".to_owned()),
    }
}

fn foreign(process: i32) -> Tried {
    match kill(Pid::from_raw(process), None) {
        Err(Errno::ESRCH) => {}
        other => return Tried::Succeeded(format!("the kernel knows it: {other:?}")),
    }
    let environment = fs::read(format!("/proc/{process}/environ"));
    Tried::of(environment.map_err(|error: io::Error| error))
}
