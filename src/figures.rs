//! The nouns of a report: what the store knows of one day, in numbers.

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

/// The median of `counts`, times 100; `None` of fewer than three, which say nothing of what is usual.
pub fn median_hundredths(mut counts: Vec<u64>) -> Option<u64> {
    counts.sort_unstable();
    let middle = counts.len() / 2;
    let upper = *counts.get(middle).filter(|_| counts.len() >= 3)?;
    let lower = if counts.len() % 2 == 1 { upper } else { *counts.get(middle - 1)? };
    Some(lower.saturating_add(upper).saturating_mul(50))
}
