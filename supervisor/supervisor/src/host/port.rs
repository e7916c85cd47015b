//! Whether a port of the host is free.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use platform_types::Port;

/// Whether something listens on the port, or on all addresses with it. Docker tells only when it starts a container.
pub fn is_taken(port: Port) -> bool {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.get());
    matches!(TcpListener::bind(address), Err(error) if error.kind() == std::io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_takes_its_port() {
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let listener = TcpListener::bind((address, 0)).unwrap();
            let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
            assert!(is_taken(port), "{address}");
        }
    }
}
