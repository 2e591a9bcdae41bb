//! Which addresses are public, and what the others are for: nobody outside can tell of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Who can know the name of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Any resolver.
    Public,
    /// Only a server of the same site: the address is private or reserved.
    Site,
}

impl Scope {
    /// Of an address in its canonical form (not IPv4-mapped).
    pub(super) fn of(address: IpAddr) -> Self {
        if special(address).is_some() { Self::Site } else { Self::Public }
    }
}

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

/// From the IANA registry of special-purpose addresses (RFC 6890).
const SPECIAL_V4: [(Ipv4Net, &str); 14] = [
    (v4(0, 0, 0, 8), "this network (RFC 791)"),
    (v4(10, 0, 0, 8), PRIVATE),
    (v4(100, 64, 0, 10), "behind the NAT of a provider (RFC 6598)"),
    (v4(127, 0, 0, 8), LOOPBACK),
    (v4(169, 254, 0, 16), LINK_LOCAL),
    (v4(172, 16, 0, 12), PRIVATE),
    (v4(192, 0, 0, 24), "protocol assignment (RFC 6890)"),
    (v4(192, 0, 2, 24), DOCUMENTATION),
    (v4(192, 168, 0, 16), PRIVATE),
    (v4(198, 18, 0, 15), BENCHMARKING),
    (v4(198, 51, 100, 24), DOCUMENTATION),
    (v4(203, 0, 113, 24), DOCUMENTATION),
    (v4(224, 0, 0, 4), MULTICAST),
    (v4(240, 0, 0, 4), "reserved (RFC 1112)"),
];

/// Likewise. 6to4 and Teredo are public: they have, or may have, a reverse zone.
const SPECIAL_V6: [(Ipv6Net, &str); 13] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified (RFC 4291)"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback (RFC 4291)"),
    (v6(0, 0, 0, 96), "IPv4-compatible (RFC 4291)"),
    (v6(0x64, 0xff9b, 1, 48), "local translation (RFC 8215)"),
    (v6(0x100, 0, 0, 64), "discarded (RFC 6666)"),
    (v6(0x2001, 2, 0, 48), BENCHMARKING),
    (v6(0x2001, 0xdb8, 0, 32), DOCUMENTATION),
    (v6(0x3fff, 0, 0, 20), DOCUMENTATION),
    (v6(0x5f00, 0, 0, 16), "segment routing (RFC 9602)"),
    (v6(0xfc00, 0, 0, 7), "unique local (RFC 4193)"),
    (v6(0xfe80, 0, 0, 10), LINK_LOCAL),
    (v6(0xfec0, 0, 0, 10), "site-local (RFC 3879)"),
    (v6(0xff00, 0, 0, 8), MULTICAST),
];

const PRIVATE: &str = "private (RFC 1918)";
const LOOPBACK: &str = "loopback (RFC 1122)";
const LINK_LOCAL: &str = "link-local (RFC 3927, RFC 4291)";
const DOCUMENTATION: &str = "for documentation (RFC 5737, RFC 3849, RFC 9637)";
const BENCHMARKING: &str = "for benchmarking (RFC 2544, RFC 5180)";
const MULTICAST: &str = "multicast (RFC 5771, RFC 4291)";

/// What a private or reserved address is for, in words; `None` if it is public. The address is in
/// its canonical form (not IPv4-mapped).
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            SPECIAL_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what)
        }
        IpAddr::V6(address) => {
            SPECIAL_V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what)
        }
    }
}

/// Whether a server at this address is the administrator's own: private, link-local or loopback.
pub(super) fn is_own(server: IpAddr) -> bool {
    match server.to_canonical() {
        IpAddr::V4(it) => it.is_private() || it.is_loopback() || it.is_link_local(),
        IpAddr::V6(it) => it.is_unique_local() || it.is_loopback() || it.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(address: &str) -> Option<&'static str> {
        special(address.parse().unwrap())
    }

    #[test]
    fn private_and_reserved_addresses_are_known() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.53",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::192.0.2.1",
            "64:ff9b:1::1",
            "100::1",
            "2001:2::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(what(address).is_some(), "{address}");
        }
    }

    #[test]
    fn their_neighbours_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.255",
            "192.0.3.0",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.0",
            "203.0.112.255",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2002:c633:6401::1",
            "2001::1",
            "64:ff9b::1.2.3.4",
            "fbff::1",
            "fe00::1",
        ] {
            assert_eq!(what(address), None, "{address}");
        }
    }

    #[test]
    fn an_own_server_is_private_or_loopback() {
        for own in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "::1",
            "fd00::53",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_own(own.parse().unwrap()), "{own}");
        }
        for other in ["9.9.9.9", "100.64.0.1", "192.0.2.53", "2620:fe::fe"] {
            assert!(!is_own(other.parse().unwrap()), "{other}");
        }
    }
}
