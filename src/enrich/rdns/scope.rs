//! Which addresses are public, so that their names may be asked of anyone.

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

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

/// From the IANA registry of special-purpose addresses (RFC 6890).
const SITE_V4: [Ipv4Net; 14] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private, RFC 1918
    v4(100, 64, 0, 10),   // behind the NAT of a provider, RFC 6598
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 24),    // documentation, RFC 5737
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // benchmarking, RFC 2544
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // class E and broadcast
];

/// Likewise. 6to4 and Teredo are public: they have, or may have, a reverse zone.
const SITE_V6: [Ipv6Net; 11] = [
    v6(0, 0, 0, 96),          // unspecified, loopback, IPv4-compatible
    v6(0x64, 0xff9b, 1, 48),  // local translation, RFC 8215
    v6(0x100, 0, 0, 64),      // discarded, RFC 6666
    v6(0x2001, 2, 0, 48),     // benchmarking, RFC 5180
    v6(0x2001, 0xdb8, 0, 32), // documentation, RFC 3849
    v6(0x3fff, 0, 0, 20),     // documentation, RFC 9637
    v6(0x5f00, 0, 0, 16),     // segment routing, RFC 9602
    v6(0xfc00, 0, 0, 7),      // unique local, RFC 4193
    v6(0xfe80, 0, 0, 10),     // link-local
    v6(0xfec0, 0, 0, 10),     // site-local, as private used to be
    v6(0xff00, 0, 0, 8),      // multicast
];

impl Scope {
    /// Of an address in its canonical form (not IPv4-mapped).
    pub(super) fn of(address: IpAddr) -> Self {
        let site = match address {
            IpAddr::V4(address) => SITE_V4.iter().any(|net| net.contains(&address)),
            IpAddr::V6(address) => SITE_V6.iter().any(|net| net.contains(&address)),
        };
        if site { Self::Site } else { Self::Public }
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

    fn scope(address: &str) -> Scope {
        Scope::of(address.parse().unwrap())
    }

    #[test]
    fn private_and_reserved_addresses_are_of_the_site() {
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
            assert_eq!(scope(address), Scope::Site, "{address}");
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
            assert_eq!(scope(address), Scope::Public, "{address}");
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
