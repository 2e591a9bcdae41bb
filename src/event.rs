//! The nouns of a login: what was tried, from where, and how it ended.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::logins::Logins;
use crate::untrusted::Untrusted;

/// Whose logins are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services {
    /// Those of Postfix.
    pub postfix: bool,
    /// Those of Dovecot: IMAP, POP3, Sieve scripts and submission.
    pub dovecot: bool,
}

impl Default for Services {
    fn default() -> Self {
        Self { postfix: true, dovecot: false }
    }
}

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
    /// The syslog tag without its last part: `postfix/submission`, `postfix`; or `dovecot/imap`.
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

    /// What `cidr` was made of.
    pub fn parse(cidr: &str) -> Option<Self> {
        let (address, _) = cidr.split_once('/')?;
        Some(Self::of(address.parse().ok()?))
    }

    /// The first address of it.
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// The network as `address/length`.
    pub fn cidr(self) -> String {
        format!("{}/{}", self.0, if self.0.is_ipv4() { 24 } else { 64 })
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
}
