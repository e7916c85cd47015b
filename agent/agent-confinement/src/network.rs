//! Ways onto a network. Under the agent's profile even the socket is refused, so no packet is ever written.

use std::fs;
use std::net::{SocketAddr, TcpStream, UdpSocket};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::{Attempt, PATIENCE, Tried};

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "tcp-socket", what: "open a TCP socket", run: || family(AddressFamily::Inet, SockType::Stream) },
    Attempt { name: "udp-socket", what: "open a UDP socket", run: || family(AddressFamily::Inet, SockType::Datagram) },
    Attempt {
        name: "tcp6-socket",
        what: "open an IPv6 socket",
        run: || family(AddressFamily::Inet6, SockType::Stream),
    },
    Attempt {
        name: "raw-socket",
        what: "open a raw IP socket",
        run: || Tried::of(socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp)),
    },
    Attempt {
        name: "netlink-socket",
        what: "talk to the kernel's network configuration",
        run: || family(AddressFamily::Netlink, SockType::Raw),
    },
    Attempt {
        name: "packet-socket",
        what: "read and write raw frames",
        run: || family(AddressFamily::Packet, SockType::Raw),
    },
    Attempt {
        name: "vsock-socket",
        what: "open a socket to the hypervisor",
        run: || family(AddressFamily::Vsock, SockType::Stream),
    },
    Attempt {
        name: "alg-socket",
        what: "use the kernel's cryptography",
        run: || family(AddressFamily::Alg, SockType::SeqPacket),
    },
    Attempt { name: "interfaces", what: "see an interface besides the loopback", run: interfaces },
];

/// Opens a socket and closes it again.
pub fn family(family: AddressFamily, kind: SockType) -> Tried {
    Tried::of(socket(family, kind, SockFlag::SOCK_CLOEXEC, None))
}

/// Connects, and is gone again.
pub fn tcp(address: SocketAddr) -> Tried {
    Tried::of(TcpStream::connect_timeout(&address, PATIENCE))
}

/// Sends one datagram; an answer is not needed to have got out.
pub fn udp(address: SocketAddr, payload: &[u8]) -> Tried {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    Tried::of(UdpSocket::bind(any).and_then(|socket| socket.send_to(payload, address)))
}

/// The loopback, and tunnels that the kernel shows in every namespace: down, and nobody here may change that.
const ALWAYS_THERE: [&str; 10] =
    ["lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

fn interfaces() -> Tried {
    let text = match fs::read_to_string("/proc/net/dev") {
        Ok(text) => text,
        Err(error) => return Tried::Blocked(error.to_string()),
    };
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    let others: Vec<&str> = names.iter().copied().filter(|name| !ALWAYS_THERE.contains(name)).collect();
    if others.is_empty() {
        return Tried::Blocked(format!("there are only {}", names.join(", ")));
    }
    Tried::Succeeded(others.join(", "))
}
