//! Successful logins as a noun: counted by account, network, local day and service.
//!
//! There may be millions of them, and few kinds: what is kept of a kind is how many there were, the
//! first and the last.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::event::Network;
use crate::untrusted::Untrusted;

/// One successful login, or one message of somebody who had logged in.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The account, as the server wrote it.
    pub account: &'a [u8],
    /// The client.
    pub address: IpAddr,
    /// As in [`Manner::service`](crate::event::Manner::service).
    pub service: &'a [u8],
    /// When.
    pub time: Timestamp,
    /// The local day of that.
    pub day: Date,
    /// Where its line starts: bytes from the start of the uncompressed log file.
    pub position: u64,
}

/// All logins of an account from a network on a local day by a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The account.
    pub account: Untrusted,
    /// Where from.
    pub network: Network,
    /// The local day.
    pub day: Date,
    /// By which service.
    pub service: Untrusted,
    /// What is known of them.
    pub known: Known,
}

/// What is known of the logins of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How many.
    pub count: u64,
    /// The time of the first.
    pub first: Timestamp,
    /// The time of the last.
    pub last: Timestamp,
    /// The client of the first.
    pub address: IpAddr,
    /// Where the line of the first starts.
    pub position: u64,
}

impl Known {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.last = self.last.max(other.last);
        if other.first < self.first {
            let Self { first, address, position, .. } = other;
            (self.first, self.address, self.position) = (first, address, position);
        }
    }
}

/// Successful logins, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    /// By a flat key, [`PREFIX_BYTES`] of network, day and service and then the account, so that one
    /// more login of a known account, the usual case, costs no allocation.
    kinds: HashMap<Vec<u8>, Known, foldhash::fast::RandomState>,
    /// What the number of a service in a key means.
    services: Vec<Box<[u8]>>,
    key: Vec<u8>,
    bytes: usize,
}

/// The length of 4 or 6, eight bytes of network, the day as year, month and day, and the service.
const PREFIX_BYTES: usize = 14;
/// Where in a key the number of the service is.
const SERVICE_AT: usize = 13;
/// What a map's entry takes besides the bytes of its key.
const KEY_BYTES: usize = 104;

impl Logins {
    /// Adds one login.
    pub fn add(&mut self, login: &Login<'_>) {
        let mut prefix = [0; PREFIX_BYTES];
        let (version, network) = match Network::of(login.address).address() {
            IpAddr::V4(v4) => (4, u64::from(v4.to_bits()).to_be_bytes()),
            IpAddr::V6(v6) => (6, ((v6.to_bits() >> 64) as u64).to_be_bytes()),
        };
        let day = login.day;
        let [y1, y2] = day.year().to_be_bytes();
        let day = [y1, y2, day.month().cast_unsigned(), day.day().cast_unsigned()];
        let service = self.number_of(login.service);
        let bytes = std::iter::once(version).chain(network).chain(day).chain([service]);
        prefix.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        self.key.clear();
        self.key.extend_from_slice(&prefix);
        self.key.extend_from_slice(login.account);
        let Login { address, time, position, .. } = *login;
        let one = Known { count: 1, first: time, last: time, address, position };
        if let Some(known) = self.kinds.get_mut(&self.key) {
            known.add(one);
        } else {
            self.bytes += self.key.len() + KEY_BYTES;
            self.kinds.insert(self.key.clone(), one);
        }
    }

    /// The number of a service; those past the first 255 share the last one.
    fn number_of(&mut self, service: &[u8]) -> u8 {
        let at = self.services.iter().position(|known| **known == *service);
        let at = at.unwrap_or_else(|| {
            if self.services.len() < usize::from(u8::MAX) {
                self.services.push(service.into());
            }
            self.services.len() - 1
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// Adds those of `later`.
    pub(crate) fn append(&mut self, later: Self) {
        if self.kinds.is_empty() {
            *self = later;
            return;
        }
        let numbers: Vec<_> =
            later.services.iter().map(|service| self.number_of(service)).collect();
        for (mut key, known) in later.kinds {
            if let Some(service) = key.get_mut(SERVICE_AT)
                && let Some(number) = numbers.get(usize::from(*service))
            {
                *service = *number;
            }
            let bytes = key.len() + KEY_BYTES;
            match self.kinds.entry(key) {
                Entry::Occupied(mut kind) => kind.get_mut().add(known),
                Entry::Vacant(new) => {
                    self.bytes += bytes;
                    new.insert(known);
                }
            }
        }
    }

    /// About how much memory they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many logins in all.
    pub fn total(&self) -> u64 {
        self.kinds.values().map(|known| known.count).sum()
    }

    /// The kinds, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Kind> {
        self.kinds.iter().filter_map(|(key, known)| {
            let (prefix, account) = key.split_first_chunk::<PREFIX_BYTES>()?;
            let (version, rest) = prefix.split_first()?;
            let (network, day) = rest.split_first_chunk::<8>()?;
            let network = u64::from_be_bytes(*network);
            let network = match version {
                4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(network).ok()?)),
                _ => IpAddr::V6(Ipv6Addr::from_bits(u128::from(network) << 64)),
            };
            let [y1, y2, month, day, service] = day.first_chunk::<5>()?;
            let year = i16::from_be_bytes([*y1, *y2]);
            let day = Date::new(year, month.cast_signed(), day.cast_signed()).ok()?;
            let service = &**self.services.get(usize::from(*service))?;
            Some(Kind {
                account: account.into(),
                network: Network::of(network),
                day,
                service: service.into(),
                known: *known,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_counted_by_account_network_day_and_service() {
        let (monday, tuesday) = (Date::constant(2026, 11, 23), Date::constant(2026, 11, 24));
        let logins = |tries: &[(&str, &str, Date, &str, i64)]| {
            let mut logins = Logins::default();
            for (account, address, day, service, second) in tries {
                let time = Timestamp::from_second(*second).unwrap();
                logins.add(&Login {
                    account: account.as_bytes(),
                    address: address.parse().unwrap(),
                    service: service.as_bytes(),
                    time,
                    day: *day,
                    position: second.unsigned_abs() * 10,
                });
            }
            logins
        };
        let mut all = logins(&[
            ("bob", "203.0.113.7", monday, "postfix", 5),
            ("bob", "203.0.113.99", monday, "postfix", 3),
        ]);
        all.append(logins(&[
            ("bob", "203.0.113.7", tuesday, "dovecot/imap", 9),
            ("bob", "203.0.113.8", monday, "postfix", 7),
            ("", "2001:db8:1:2::9", monday, "postfix", 8),
        ]));
        let shown = |kind: Kind| {
            let Known { count, first, last, address, position } = kind.known;
            let (first, last) = (first.as_second(), last.as_second());
            let (network, day) = (kind.network.cidr(), kind.day);
            format!(
                "{:?} {network} {day} {:?} {count} {first}-{last} {address} {position}",
                kind.account, kind.service
            )
        };
        let mut kinds: Vec<_> = all.iter().map(shown).collect();
        kinds.sort();
        assert_eq!(
            kinds,
            [
                "\"\" 2001:db8:1:2::/64 2026-11-23 \"postfix\" 1 8-8 2001:db8:1:2::9 80",
                "\"bob\" 203.0.113.0/24 2026-11-23 \"postfix\" 3 3-7 203.0.113.99 30",
                "\"bob\" 203.0.113.0/24 2026-11-24 \"dovecot/imap\" 1 9-9 203.0.113.7 90",
            ]
        );
        assert_eq!(all.total(), 5);
    }
}
