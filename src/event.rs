//! The nouns of a login: what was tried, from where, and how it ended.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::untrusted::Untrusted;

/// One failed login, as the mail server logged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, to the second; fractions are dropped.
    pub time: Timestamp,
    /// Where its line starts: bytes from the start of the uncompressed log file.
    pub position: u64,
    /// The client, from the server's own brackets; IPv4-mapped IPv6 as IPv4.
    pub address: IpAddr,
    /// The user name; `None` if the line names none.
    pub user: Option<Untrusted>,
    /// All that is not who and when.
    pub manner: Arc<Manner>,
    /// How often: syslog may sum up equal lines.
    pub times: u32,
}

/// How a login was tried; many failures share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Manner {
    /// The host that logged it, as its syslog wrote it.
    pub server: Untrusted,
    /// The syslog tag without its last part: `postfix/submission`, `postfix`.
    pub service: Untrusted,
    /// The SASL mechanism as the client typed it (RFC 4422), e.g. `LOGIN`.
    pub mechanism: Untrusted,
    /// The reason as the server gave it, e.g. `(reason unavailable)`; may be empty.
    pub reason: Untrusted,
}

/// The network a successful login came from: /24 of IPv4, /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network that `address` belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        })
    }

    /// The network as `address/length`.
    pub fn cidr(self) -> String {
        format!("{}/{}", self.0, if self.0.is_ipv4() { 24 } else { 64 })
    }
}

/// Successful logins, counted by account, network and local day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    /// By a flat key, [`PREFIX_BYTES`] of network and day and then the account, so that one more
    /// login of a known account, the usual case, costs no allocation.
    counts: HashMap<Vec<u8>, u64, foldhash::fast::RandomState>,
    key: Vec<u8>,
    bytes: usize,
}

/// The length of 4 or 6, eight bytes of network, and the day as year, month and day.
const PREFIX_BYTES: usize = 13;
/// What a map's entry takes besides the bytes of its key.
const KEY_BYTES: usize = 48;

impl Logins {
    /// Counts one more login of `account` from `address` on the local `day`.
    pub fn add(&mut self, account: &[u8], address: IpAddr, day: Date) {
        let mut prefix = [0; PREFIX_BYTES];
        let (version, network) = match Network::of(address).0 {
            IpAddr::V4(v4) => (4, u64::from(v4.to_bits()).to_be_bytes()),
            IpAddr::V6(v6) => (6, ((v6.to_bits() >> 64) as u64).to_be_bytes()),
        };
        let [y1, y2] = day.year().to_be_bytes();
        let day = [y1, y2, day.month().cast_unsigned(), day.day().cast_unsigned()];
        let bytes = std::iter::once(version).chain(network).chain(day);
        prefix.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        self.key.clear();
        self.key.extend_from_slice(&prefix);
        self.key.extend_from_slice(account);
        if let Some(count) = self.counts.get_mut(&self.key) {
            *count += 1;
        } else {
            self.bytes += self.key.len() + KEY_BYTES;
            self.counts.insert(self.key.clone(), 1);
        }
    }

    /// Adds those of `later`.
    fn append(&mut self, later: Self) {
        if self.counts.is_empty() {
            *self = later;
            return;
        }
        for (key, count) in later.counts {
            let bytes = key.len() + KEY_BYTES;
            match self.counts.entry(key) {
                Entry::Occupied(mut known) => *known.get_mut() += count,
                Entry::Vacant(new) => {
                    self.bytes += bytes;
                    new.insert(count);
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
        self.counts.values().sum()
    }

    /// Account, network, day and count of each kind, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Untrusted, Network, Date, u64)> {
        self.counts.iter().filter_map(|(key, count)| {
            let (prefix, account) = key.split_first_chunk::<PREFIX_BYTES>()?;
            let (version, rest) = prefix.split_first()?;
            let (network, day) = rest.split_first_chunk::<8>()?;
            let network = u64::from_be_bytes(*network);
            let network = match version {
                4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(network).ok()?)),
                _ => IpAddr::V6(Ipv6Addr::from_bits(u128::from(network) << 64)),
            };
            let [y1, y2, month, day] = day.first_chunk::<4>()?;
            let year = i16::from_be_bytes([*y1, *y2]);
            let day = Date::new(year, month.cast_signed(), day.cast_signed()).ok()?;
            Some((account.into(), Network(network), day, *count))
        })
    }
}

/// A line that talks of a login but that no rule understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// Its number, the first line of the file being 1.
    pub line: u64,
    /// Its first bytes.
    pub text: Untrusted,
    /// Why no rule took it.
    pub because: String,
}

/// What was read of one local day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayRead {
    /// Lines; those without a stamp count with the line before.
    pub lines: u64,
    /// Lines among them that look like logins but matched no rule.
    pub puzzles: u64,
    /// The time of the latest.
    pub last_line: Option<Timestamp>,
}

impl DayRead {
    fn append(&mut self, later: Self) {
        self.lines += later.lines;
        self.puzzles += later.puzzles;
        self.last_line = self.last_line.max(later.last_line);
    }
}

/// How many lines that no rule understood are kept to be shown.
pub const PUZZLE_SAMPLES: usize = 5;

/// What a stretch of a log held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Lines read.
    pub lines: u64,
    /// What was read of each local day.
    pub days: BTreeMap<Date, DayRead>,
    /// Failed logins in the order of the log.
    pub failures: Vec<Failure>,
    /// Successful logins, counted.
    pub logins: Logins,
    /// How many lines look like logins but matched no rule.
    pub puzzles: u64,
    /// The first few of them.
    pub puzzle_samples: Vec<Puzzle>,
    /// Lines longer than the reader's limit, read up to it.
    pub cut_lines: u64,
}

impl Findings {
    /// Adds those of a later stretch, whose lines are numbered from after line `lines_before`.
    pub fn append(&mut self, later: Self, lines_before: u64) {
        self.lines += later.lines;
        for (day, read) in later.days {
            self.days.entry(day).or_default().append(read);
        }
        self.failures.extend(later.failures);
        self.logins.append(later.logins);
        self.puzzles += later.puzzles;
        let room = PUZZLE_SAMPLES.saturating_sub(self.puzzle_samples.len());
        let samples = later.puzzle_samples.into_iter().take(room);
        let numbered = |puzzle: Puzzle| Puzzle { line: lines_before + puzzle.line, ..puzzle };
        self.puzzle_samples.extend(samples.map(numbered));
        self.cut_lines += later.cut_lines;
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address it stands for; others unchanged.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_24_and_64_bits_wide() {
        let network = |ip: &str| Network::of(ip.parse().unwrap()).cidr();
        assert_eq!(network("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }

    #[test]
    fn logins_are_counted_by_account_network_and_day() {
        let mut logins = Logins::default();
        let (monday, tuesday) = (Date::constant(2026, 11, 23), Date::constant(2026, 11, 24));
        for (account, address, day) in [
            ("bob", "203.0.113.7", monday),
            ("bob", "203.0.113.99", monday),
            ("bob", "203.0.113.7", tuesday),
            ("", "2001:db8:1:2::9", monday),
        ] {
            logins.add(account.as_bytes(), address.parse().unwrap(), day);
        }
        let shown = |(account, network, day, count): (Untrusted, Network, Date, u64)| {
            format!("{account:?} {} {day} {count}", network.cidr())
        };
        let mut kinds: Vec<_> = logins.iter().map(shown).collect();
        kinds.sort();
        assert_eq!(
            kinds,
            [
                "\"\" 2001:db8:1:2::/64 2026-11-23 1",
                "\"bob\" 203.0.113.0/24 2026-11-23 2",
                "\"bob\" 203.0.113.0/24 2026-11-24 1",
            ]
        );
        assert_eq!(logins.total(), 4);
    }
}
