//! The networks that placeholders come from: /24 of IPv4 and /64 of IPv6.
//!
//! Public ones become networks that nobody has: of documentation (RFC 5737, RFC 3849), then of
//! benchmarks (RFC 2544), then of the class that was never given out (240.0.0.0/4, RFC 1112). These
//! are 1,049,090 of the 14 million that are routed; different ones stay different up to
//! [`MOST`], where memory ends.

use std::collections::{HashMap, HashSet};

use super::key::Key;

/// IPv4 networks: the first, as its upper 24 bits, and how many.
const UNUSED: [(u32, u32); 5] = [
    (0x00c0_0002, 1),
    (0x00c6_3364, 1),
    (0x00cb_0071, 1),
    (0x00c6_1200, 512),
    // Without 255.255.255.0, which has the broadcast address.
    (0x00f0_0000, 0x000f_ffff),
];
/// How many they are.
const UNUSED_NETWORKS: u64 = 3 + 512 + 0x000f_ffff;
/// `2001:db8::/32` has so many /64.
const DOCUMENTED_NETWORKS: u64 = 1 << 32;
/// How many networks are remembered.
const MOST: usize = 900_000;

/// What every public network of one address family became.
pub(super) struct Networks {
    purpose: &'static str,
    places: u64,
    numbered: bool,
    known: HashMap<u64, u64, foldhash::fast::RandomState>,
    taken: HashSet<u64, foldhash::fast::RandomState>,
    /// Networks that found their place taken by another, and got the next one.
    pub(super) moved: u64,
    /// Whether later networks may share a place.
    pub(super) is_full: bool,
}

impl Networks {
    pub(super) fn v4(numbered: bool) -> Self {
        Self::new("network of IPv4", UNUSED_NETWORKS, numbered)
    }

    pub(super) fn v6(numbered: bool) -> Self {
        Self::new("network of IPv6", DOCUMENTED_NETWORKS, numbered)
    }

    fn new(purpose: &'static str, places: u64, numbered: bool) -> Self {
        Self {
            purpose,
            places,
            numbered,
            known: HashMap::default(),
            taken: HashSet::default(),
            moved: 0,
            is_full: false,
        }
    }

    /// The place of `network` among those that nobody has.
    pub(super) fn place(&mut self, key: &Key, network: u64) -> u64 {
        if let Some(place) = self.known.get(&network) {
            return *place;
        }
        let chosen = || key.hash(self.purpose, &[&network.to_be_bytes()]) % self.places;
        if self.known.len() >= MOST {
            self.is_full = true;
            return chosen();
        }
        let place = if self.numbered {
            self.known.len() as u64
        } else {
            let mut place = chosen();
            self.moved += u64::from(self.taken.contains(&place));
            while !self.taken.insert(place) {
                place = (place + 1) % self.places;
            }
            place
        };
        self.known.insert(network, place);
        place
    }
}

/// The IPv4 network at `place`, as its upper 24 bits.
pub(super) fn unused(place: u64) -> u32 {
    let mut rest = u32::try_from(place % UNUSED_NETWORKS).unwrap_or_default();
    for (first, count) in UNUSED {
        if rest < count {
            return first + rest;
        }
        rest -= count;
    }
    0x00c0_0002
}

/// The IPv6 network at `place`, as its upper 64 bits.
pub(super) fn documented(place: u64) -> u64 {
    (0x2001_0db8 << 32) | (place % DOCUMENTED_NETWORKS)
}

/// Shuffles the numbers of `bits` bits, an even number: each gets another one, and none gets two.
///
/// Four rounds of a Feistel network: a place is found without a table, and always the same one.
pub(super) fn shuffle(key: &Key, purpose: &str, (bits, among): (u32, u64), number: u64) -> u64 {
    let (half, mask) = (bits / 2, (1 << (bits / 2)) - 1);
    let (mut left, mut right) = (number >> half & mask, number & mask);
    for round in 0_u8..4 {
        let scrambled =
            key.hash(purpose, &[&[round], &among.to_be_bytes(), &right.to_be_bytes()]) & mask;
        (left, right) = (right, left ^ scrambled);
    }
    left << half | right
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_shuffle_gives_every_number_once() {
        let key = Key::of(b"a secret");
        for bits in [8, 12, 14, 16] {
            let mut all: Vec<_> =
                (0..1 << bits).map(|n| shuffle(&key, "test", (bits, 7), n)).collect();
            assert!(!all.is_sorted(), "{bits}");
            all.sort_unstable();
            assert!(all.into_iter().eq(0..1 << bits), "{bits}");
        }
    }

    #[test]
    fn networks_of_documentation_come_first_and_then_those_that_nobody_routes() {
        let shown = |place| Ipv4Addr::from_bits(unused(place) << 8).to_string();
        let first: Vec<_> = [0, 1, 2, 3, 514, 515, UNUSED_NETWORKS - 1].map(shown).into();
        let expected = [
            "192.0.2.0",
            "198.51.100.0",
            "203.0.113.0",
            "198.18.0.0",
            "198.19.255.0",
            "240.0.0.0",
            "255.255.254.0",
        ];
        assert_eq!(first, expected);
    }

    #[test]
    fn with_a_key_a_network_whose_place_is_taken_gets_the_next_one() {
        let key = Key::of(b"a secret");
        let mut networks = Networks::v4(false);
        let places: HashSet<_> = (0..20_000).map(|n| networks.place(&key, n)).collect();
        assert_eq!(places.len(), 20_000, "different ones stay different");
        assert!((50..400).contains(&networks.moved), "{}", networks.moved);
        let mut again = Networks::v4(false);
        assert_eq!(again.place(&key, 19_000), Networks::v4(false).place(&key, 19_000));
    }
}
