//! Which addresses a gate may connect to: public ones, and those inside a network that the configuration names.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Not public, although parts of them are routed: special-purpose addresses (RFC 6890 and its registry), and the
/// metadata address of one cloud that lies among public ones.
const SPECIAL_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Inside `2000::/3`, the only part of IPv6 that is public: protocol assignments with Teredo, documentation, and 6to4.
const SPECIAL_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// A public unicast address: not private, loopback, link-local, shared (tailnet), multicast, documentation, and none that
/// carries an IPv4 address inside (mapped, NAT64, 6to4, Teredo, ISATAP).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4
            .iter()
            .any(|(network, prefix)| Ipv4Net::new(*network, *prefix).is_ok_and(|network| network.contains(&address))),
        IpAddr::V6(address) => {
            let unicast = address.segments()[0] & 0xe000 == 0x2000;
            let isatap = address.segments()[4] & !0x0200 == 0 && address.segments()[5] == 0x5efe;
            let special = SPECIAL_V6.iter().any(|(network, prefix)| {
                Ipv6Net::new(*network, *prefix).is_ok_and(|network| network.contains(&address))
            });
            unicast && !isatap && !special
        }
    }
}

/// Networks that may be reached although they are not public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// From CIDR notation; the error is the text that is none.
    pub fn parse(networks: &[String]) -> Result<Self, String> {
        networks.iter().map(|text| text.parse().map_err(|_| text.clone())).collect::<Result<_, _>>().map(Self)
    }

    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        let check = |public: bool, addresses: &[&str]| {
            for address in addresses {
                assert_eq!(is_public(address.parse().expect("an address")), public, "{address}");
            }
        };
        check(
            true,
            &["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1"],
        );
        check(
            true,
            &["149.154.167.220", "223.255.255.255", "198.20.0.0", "2606:4700::1111", "2a00:1450::1", "2001:200::1"],
        );
        check(
            false,
            &["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "100.100.100.200", "127.0.0.1"],
        );
        check(
            false,
            &["169.254.169.254", "172.16.0.1", "172.17.0.1", "172.31.255.255", "192.168.1.1", "168.63.129.16"],
        );
        check(
            false,
            &["192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"],
        );
        check(
            false,
            &["255.255.255.255", "192.88.99.1", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"],
        );
        check(false, &["fd7a:115c:a1e0::1", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "::1.1.1.1", "64:ff9b::101:101"]);
        check(false, &["64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:0:4136:e378::1", "2001:10::1", "2001:db8::1"]);
        check(
            false,
            &["3fff::1", "fec0::1", "100::1", "5f00::1", "2a00:1450::5efe:a00:1", "2a00:1450::200:5efe:a00:1"],
        );
    }

    #[test]
    fn a_named_network_is_allowed_and_nothing_beside_it() {
        let networks = Networks::parse(&["192.168.1.0/24".to_owned(), "fd00:1::/64".to_owned()]).unwrap();
        let check =
            |address: &str, allowed| assert_eq!(networks.allows(address.parse().unwrap()), allowed, "{address}");
        check("192.168.1.20", true);
        check("fd00:1::5", true);
        check("1.1.1.1", true);
        check("192.168.2.20", false);
        check("::ffff:192.168.1.20", false);
        check("169.254.169.254", false);
        assert_eq!(Networks::parse(&["192.168.1.0".to_owned()]), Err("192.168.1.0".to_owned()));
        assert!(!Networks::default().allows("127.0.0.1".parse().unwrap()));
    }
}
