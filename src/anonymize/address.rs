//! Gives every address another one: of the same network where it was of the same network.
//!
//! Loopback and "any" stay, for they name nobody. Private and link-local addresses stay in their
//! range, so that a log still tells inside from outside, but not what is where. All others become
//! addresses that nobody has (`network.rs`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::key::Key;
use super::network::{Networks, documented, shuffle, unused};
use super::table::Table;

/// Ranges of IPv4 that are used inside a network: the first /24 as its upper 24 bits, and how many
/// bits of it are free.
const INSIDE: [(u32, u32); 5] = [
    // RFC 1918.
    (0x000a_0000, 16),
    (0x00ac_1000, 12),
    (0x00c0_a800, 8),
    // Of providers, RFC 6598.
    (0x0064_4000, 14),
    // Link-local, RFC 3927.
    (0x00a9_fe00, 8),
];
/// How many answers are kept at hand; they can all be found again.
const CACHED: usize = 1 << 17;

pub(super) struct Addresses {
    v4: Networks,
    v6: Networks,
    cache: HashMap<IpAddr, IpAddr, foldhash::fast::RandomState>,
    /// Only to know how many there were.
    seen: Table,
}

impl Addresses {
    pub(super) fn new(numbered: bool) -> Self {
        Self {
            v4: Networks::v4(numbered),
            v6: Networks::v6(numbered),
            cache: HashMap::default(),
            seen: Table::new("address", true),
        }
    }

    /// Another address for `address`; an IPv4-mapped one stays IPv4-mapped.
    pub(super) fn replace(&mut self, key: &Key, address: IpAddr) -> IpAddr {
        if let Some(known) = self.cache.get(&address) {
            return *known;
        }
        let other = match address {
            IpAddr::V4(v4) => self.v4(key, v4).into(),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => self.v4(key, v4).to_ipv6_mapped().into(),
                None => self.v6(key, v6).into(),
            },
        };
        if self.cache.len() >= CACHED {
            self.cache.clear();
        }
        self.cache.insert(address, other);
        if other != address {
            let bits = match address.to_canonical() {
                IpAddr::V4(v4) => u128::from(v4.to_bits()),
                IpAddr::V6(v6) => v6.to_bits(),
            };
            self.seen.id(key, &bits.to_le_bytes());
        }
        other
    }

    /// How many were replaced, and whether there were more.
    pub(super) fn count(&self) -> (u64, bool) {
        self.seen.count()
    }

    /// How many networks got another place than their own, and whether some may share one.
    pub(super) fn crowding(&self) -> (u64, bool) {
        (self.v4.moved + self.v6.moved, self.v4.is_full || self.v6.is_full)
    }

    fn v4(&mut self, key: &Key, address: Ipv4Addr) -> Ipv4Addr {
        if address.is_loopback() || address.is_unspecified() || address.is_broadcast() {
            return address;
        }
        let (network, host) = (address.to_bits() >> 8, address.to_bits() & 0xff);
        let inside = INSIDE.iter().find(|(first, bits)| network >> bits == first >> bits);
        let other = if let Some((first, bits)) = inside {
            let free = u64::from(network & ((1 << bits) - 1));
            let among = (*bits, u64::from(*first));
            first | narrow(shuffle(key, "private network", among, free))
        } else {
            unused(self.v4.place(key, network.into()))
        };
        let host = shuffle(key, "host", (8, network.into()), host.into());
        Ipv4Addr::from_bits(other << 8 | narrow(host))
    }

    fn v6(&mut self, key: &Key, address: Ipv6Addr) -> Ipv6Addr {
        if address.is_loopback() || address.is_unspecified() {
            return address;
        }
        let bits = address.to_bits();
        let network = (bits >> 64) as u64;
        let hidden = || key.hash("private network of IPv6", &[&network.to_be_bytes()]);
        let other = if network == 0xfe80 << 48 {
            network
        } else if address.is_unicast_link_local() {
            0xfe80 << 48 | hidden() >> 10
        } else if address.is_unique_local() {
            network & 0xff << 56 | hidden() >> 8
        } else {
            documented(self.v6.place(key, network))
        };
        let host = key.hash("host of IPv6", &[&bits.to_be_bytes()]);
        Ipv6Addr::from_bits(u128::from(other) << 64 | u128::from(host))
    }
}

/// A number of at most 16 bits.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(addresses: &mut Addresses, text: &str) -> String {
        addresses.replace(&Key::of(b"a secret"), text.parse().unwrap()).to_string()
    }

    #[test]
    fn neighbours_stay_neighbours_and_nobody_real_is_named() {
        for numbered in [true, false] {
            let mut addresses = Addresses::new(numbered);
            let mut of = |text: &str| replace(&mut addresses, text);
            let (a, b, c) = (of("8.8.8.8"), of("8.8.8.9"), of("8.8.9.8"));
            let network = |text: &str| text.rsplit_once('.').unwrap().0.to_owned();
            assert_eq!(network(&a), network(&b));
            assert_ne!(a, b);
            assert_ne!(network(&a), network(&c));
            assert_eq!(of("8.8.8.8"), a, "the same again");
            assert_eq!(of("::ffff:8.8.8.8"), format!("::ffff:{a}"));
            let (a, b, c) = (of("2606:4700::1"), of("2606:4700::2"), of("2606:4700:0:1::1"));
            let network = |text: &str| text.split(':').take(4).collect::<Vec<_>>().join(":");
            assert!(a.starts_with("2001:db8:") && a != b, "{a} {b}");
            assert!(numbered || network(&a) == network(&b), "{a} {b}");
            assert_ne!(network(&a), network(&c));
        }
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let mut addresses = Addresses::new(true);
        for (text, start) in [
            ("10.1.2.3", "10."),
            ("172.31.2.3", "172."),
            ("192.168.1.1", "192.168."),
            ("100.64.1.1", "100."),
            ("169.254.7.7", "169.254."),
            ("fe80::1", "fe80::"),
            ("fd12:3456::1", "fd"),
        ] {
            let other = replace(&mut addresses, text);
            assert!(other.starts_with(start) && other != text, "{text} {other}");
        }
        for kept in ["127.0.0.1", "127.0.1.1", "::1", "::", "0.0.0.0", "255.255.255.255"] {
            assert_eq!(replace(&mut addresses, kept), kept);
        }
    }

    #[test]
    fn all_hosts_of_a_network_stay_apart() {
        let mut addresses = Addresses::new(true);
        let all = (0..=255).map(|n| replace(&mut addresses, &format!("8.8.8.{n}")));
        assert_eq!(all.collect::<std::collections::HashSet<_>>().len(), 256);
    }
}
