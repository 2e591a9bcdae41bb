//! The nouns of a report: what the store knows of one day, in numbers.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::untrusted::Untrusted;

/// The failed logins of one local day, counted, and the days before it to compare with.
///
/// Lists are sorted by count, largest first, and equal counts by name, so that the same data always
/// gives the same report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Failed logins of the day.
    pub total: u64,
    /// Those of `total` that were taken over from a CSV of the Python program, which did not tell
    /// failed logins from successful ones.
    pub imported: u64,
    /// Different addresses they came from.
    pub addresses: u64,
    /// The address that most of them came from, and how many.
    pub busiest_address: Option<(IpAddr, u64)>,
    /// Different user names they tried; names that are not known do not count.
    pub accounts: u64,
    /// Different networks (AS) the addresses are in; unknown ones do not count.
    pub networks: u64,
    /// The most frequent pairs of user and address, at most ten.
    pub attempts: Vec<Attempts>,
    /// The most frequent user names, at most ten; `None` is an unknown name.
    pub users: Vec<(Option<Untrusted>, u64)>,
    /// The most frequent countries, at most ten; two letters, or `N/A`.
    pub countries: Vec<(String, u64)>,
    /// The most frequent organisations (ASO), at most ten; `None` is an unknown one.
    pub organisations: Vec<(Option<Untrusted>, u64)>,
    /// The most frequent network numbers (ASN), at most ten; `None` is an unknown one.
    pub numbers: Vec<(Option<u32>, u64)>,
    /// Failures by outcome of reverse DNS; the index is that of `Errno`, and 0 is `OK`.
    pub reverse_dns: [u64; 5],
    /// Failures in each hour of the day: 24, or 23 or 25 on the days the clock is set.
    pub hours: Vec<Hour>,
    /// Failures of the day and the 29 before it, oldest first; `None` for days of which nothing was
    /// ever read.
    pub days: Vec<(Date, Option<u64>)>,
    /// What was read of the day.
    pub coverage: Coverage,
    /// The servers that the figures are of, in the order of their names; none for this machine alone.
    pub servers: Vec<Server>,
}

/// A mail server whose failures are in a database that several share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: Untrusted,
    /// Failures of the day.
    pub count: u64,
    /// The local time of its last failure up to the end of the day, as `YYYY-MM-DD HH:MM`.
    pub last: String,
}

/// A pair of user and address that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// The user; `None` if unknown.
    pub user: Option<Untrusted>,
    /// The address, as text.
    pub address: String,
    /// Its name by reverse DNS.
    pub hostname: Option<Untrusted>,
    /// Its country, two letters, or `N/A`.
    pub country: String,
    /// How often.
    pub count: u64,
}

/// One hour of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it starts.
    pub start: Timestamp,
    /// The hour on the clock, 0 to 23; one comes twice when the clock is set back.
    pub of_day: i8,
    /// Failures in it.
    pub count: u64,
    /// The median of the same hour of the 14 days before, times 100; `None` if those are not known.
    pub usual_hundredths: Option<u64>,
    /// The median of all that had failed on those days when it was over, times 100.
    pub usual_by_then_hundredths: Option<u64>,
}

/// What of a day's log was read, which tells whether a small number is good news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Lines of that day.
    pub lines: u64,
    /// Those that look like logins but matched no rule.
    pub puzzles: u64,
    /// Messages sent by users who had logged in.
    pub logins: u64,
    /// The time of the last line.
    pub last_line: Option<Timestamp>,
}

/// Whether so many of all failures from one address mean that it stands for others: a proxy, a gateway
/// or a container's bridge, which has an address of the machine's own networks, or the machine's `own`.
pub fn hides_clients(address: IpAddr, count: u64, all: u64, own: Option<IpAddr>) -> bool {
    // Fewer than that may well be one forgotten printer.
    let nearly_all = all >= 20 && count.saturating_mul(10) >= all.saturating_mul(9);
    nearly_all && (is_internal(address) || own == Some(address))
}

/// Whether nobody out on the Internet can have this address.
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10, shared by a provider's clients (RFC 6598).
            let is_shared = v4.to_bits() >> 22 == Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22;
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The median of `counts`, times 100; `None` of fewer than three, which say nothing of what is usual.
pub fn median_hundredths(mut counts: Vec<u64>) -> Option<u64> {
    counts.sort_unstable();
    let middle = counts.len() / 2;
    let upper = *counts.get(middle).filter(|_| counts.len() >= 3)?;
    let lower = if counts.len() % 2 == 1 { upper } else { *counts.get(middle - 1)? };
    Some(lower.saturating_add(upper).saturating_mul(50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_of_our_own_networks_that_nearly_all_come_from_hides_others() {
        let hides = |address: &str, count, all| {
            let own = Some("198.51.100.1".parse().unwrap());
            hides_clients(address.parse().unwrap(), count, all, own)
        };
        for gateway in
            ["172.17.0.1", "10.1.2.3", "127.0.0.1", "100.127.1.1", "fd00::1", "::1", "198.51.100.1"]
        {
            assert!(hides(gateway, 90, 100), "{gateway}");
            assert!(!hides(gateway, 89, 100), "{gateway}");
            assert!(!hides(gateway, 19, 19), "{gateway}");
        }
        for attacker in ["203.0.113.9", "100.128.0.1", "2001:db8::1"] {
            assert!(!hides(attacker, 100, 100), "{attacker}");
        }
    }
}
