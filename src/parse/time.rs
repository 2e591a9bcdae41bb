//! Time stamps of log lines, and the year and zone that they leave out.
//!
//! Three kinds: BSD (`Sep 28 00:33:04`, RFC 3164: local, no year), RFC 3339 with an offset, and
//! RFC 3339 without one (local). [`Chronology`] turns them into instants. The year of a BSD stamp
//! follows from two facts: no line is younger than its file, and lines are in order.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A time stamp as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Local time without a year.
    Yearless {
        /// 1 to 12.
        month: i8,
        /// 1 to 31.
        day: i8,
        /// 0 to 23.
        hour: i8,
        /// 0 to 59.
        minute: i8,
        /// 0 to 59.
        second: i8,
    },
    /// Local time with its year.
    Local(DateTime),
    /// A moment: the stamp had an offset.
    Instant(Timestamp),
}

/// How many years a file may span.
pub const YEARS: i16 = 8;
/// Lines may be this much out of order, across New Year too.
const DISORDER: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Lines may be this much out of order when the clock is set back from summer time.
const DISORDER_AT_FOLD: SignedDuration = SignedDuration::from_mins(10);
/// The clock that stamped a line may be ahead of the one that stamped the file.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(25);
/// A step back that is larger was no mistake of a clock: the year was guessed too late.
const WRAP: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Gives every stamp of one file its instant; feed it in the order of the lines.
#[derive(Clone)]
pub struct Chronology {
    zone: TimeZone,
    latest: Timestamp,
    last: Option<Timestamp>,
    seen: Option<Timestamp>,
    years_back: i16,
    hour: Option<Hour>,
    too_late: bool,
}

/// A local hour without a change of offset: its minutes and seconds just add up.
#[derive(Clone)]
struct Hour {
    month: i8,
    day: i8,
    of_day: i8,
    start: Timestamp,
}

impl Chronology {
    /// For a file modified at `modified`, of which lines until `last` were read before.
    ///
    /// `years_back` moves the guess for the first line, see [`Chronology::guessed_too_late`].
    pub fn new(
        zone: TimeZone,
        modified: Timestamp,
        last: Option<Timestamp>,
        years_back: i16,
    ) -> Self {
        let latest = modified.max(last.unwrap_or(modified));
        let latest = latest.saturating_add(CLOCK_SLACK).unwrap_or(Timestamp::MAX);
        Self { zone, latest, last, seen: last, years_back, hour: None, too_late: false }
    }

    /// The instant of `stamp`; `None` for a date that no year has.
    pub fn resolve(&mut self, stamp: Stamp) -> Option<Timestamp> {
        let time = match stamp {
            Stamp::Instant(time) => time,
            Stamp::Local(local) => self.instant(local)?,
            Stamp::Yearless { month, day, hour, minute, second } => {
                let within = SignedDuration::from_secs(i64::from(minute) * 60 + i64::from(second));
                match &self.hour {
                    Some(h) if (h.month, h.day, h.of_day) == (month, day, hour) => {
                        h.start.checked_add(within).ok()?
                    }
                    _ => self.dated(month, day, |date| Some(date.at(hour, minute, second, 0)))?,
                }
            }
        };
        self.seen = Some(time);
        // A stamp from the future tells nothing of the years of lines that follow.
        if time <= self.latest {
            self.last = Some(time);
        }
        Some(time)
    }

    /// Goes on after a line with `stamp`, without having seen those before it.
    pub fn skip_to(&mut self, stamp: Stamp) {
        let too_late = self.too_late;
        self.resolve(stamp);
        // Nothing was seen out of order.
        self.too_late = too_late;
    }

    /// The zone of stamps that have none.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The instant of the last stamp that is not from the future.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The instant of the last stamp, whatever it is: how long ago something was, as lines have it.
    pub fn seen(&self) -> Option<Timestamp> {
        self.seen
    }

    /// Whether the file turned out to span more years than the first guess allowed: read it again
    /// with one more of `years_back`.
    pub fn guessed_too_late(&self) -> bool {
        self.too_late
    }

    /// Finds the year.
    fn dated(
        &mut self,
        month: i8,
        day: i8,
        at: impl Fn(Date) -> Option<DateTime>,
    ) -> Option<Timestamp> {
        let year = self.last.unwrap_or(self.latest).to_zoned(self.zone.clone()).year();
        let in_year = |year| self.instant(at(Date::new(year, month, day).ok()?)?);
        let possible = (year.saturating_sub(YEARS)..=year.saturating_add(YEARS))
            .filter_map(in_year)
            .filter(|time| *time <= self.latest);
        let Some(last) = self.last else {
            let first = possible.rev().nth(usize::try_from(self.years_back).unwrap_or(0));
            return first.inspect(|time| self.remember_hour(*time));
        };
        let possible: Vec<_> = possible.collect();
        let distance = |time: &Timestamp| time.duration_since(last).abs();
        let near =
            possible.iter().copied().min_by_key(distance).filter(|t| distance(t) <= DISORDER);
        let chosen = near.or_else(|| possible.iter().copied().find(|time| *time >= last));
        let chosen = chosen.or_else(|| {
            let back = possible.last().copied()?;
            self.too_late |= last.duration_since(back) > WRAP;
            Some(back)
        })?;
        self.remember_hour(chosen);
        Some(chosen)
    }

    /// A local time as an instant; of the two that a clock set back gives, the one in order.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let AmbiguousOffset::Fold { before, after } = ambiguous.offset() else {
            return ambiguous.compatible().ok();
        };
        let first = before.to_timestamp(local).ok()?;
        match self.last {
            Some(last) if first.saturating_add(DISORDER_AT_FOLD).is_ok_and(|t| t < last) => {
                after.to_timestamp(local).ok()
            }
            _ => Some(first),
        }
    }

    fn remember_hour(&mut self, time: Timestamp) {
        let local = time.to_zoned(self.zone.clone()).datetime();
        let start = local.with().minute(0).second(0).subsec_nanosecond(0).build().ok();
        let end = local.with().minute(59).second(59).subsec_nanosecond(0).build().ok();
        self.hour = start.zip(end).and_then(|(start, end)| {
            let whole = |edge| match self.zone.to_ambiguous_timestamp(edge).offset() {
                AmbiguousOffset::Unambiguous { offset } => Some(offset),
                _ => None,
            };
            let offset = whole(start).filter(|offset| Some(*offset) == whole(end))?;
            let (month, day, hour) = (local.month(), local.day(), local.hour());
            Some(Hour { month, day, of_day: hour, start: offset.to_timestamp(start).ok()? })
        });
    }
}

/// Reads a BSD stamp at the start of `line`; gives it with what follows.
///
/// The day is padded with a blank or a zero, or not at all; a fraction may follow the seconds, as
/// `journalctl -o short-precise` writes it.
pub fn bsd(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let (name, rest) = line.split_at_checked(3)?;
    let month = match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let rest = rest.strip_prefix(b" ")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (day, rest) = match two_digits(rest) {
        Some(both) => both,
        None => (digit(*rest.first()?)?, rest.get(1..)?),
    };
    // The last day of a month is checked where the year is known; 2000 has a 29 February.
    Date::new(2000, month, day).ok()?;
    let (hour, minute, second, rest) = clock(rest.strip_prefix(b" ")?)?;
    Some((Stamp::Yearless { month, day, hour, minute, second }, rest))
}

/// Reads an RFC 3339 stamp at the start of `line`; gives it with what follows.
///
/// Also without an offset (local time), with an offset that has no colon, as
/// `journalctl -o short-iso` writes it, and with a blank instead of the `T`, as many have it in
/// Dovecot's `log_timestamp`.
pub fn rfc3339(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let (century, rest) = two_digits(line)?;
    let (years, rest) = two_digits(rest)?;
    let (month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (_, rest) = rest.split_first().filter(|(mark, _)| matches!(mark, b'T' | b't' | b' '))?;
    let (hour, minute, second, rest) = clock(rest)?;
    let date = Date::new(i16::from(century) * 100 + i16::from(years), month, day).ok()?;
    let local = date.at(hour, minute, second, 0);
    let (offset, rest) = match rest.split_first()? {
        (b'Z' | b'z', rest) => (Offset::UTC, rest),
        (sign @ (b'+' | b'-'), rest) => {
            let (hours, rest) = two_digits(rest)?;
            let (minutes, rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest))?;
            let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
            let seconds = if *sign == b'-' { -seconds } else { seconds };
            (Offset::from_seconds(seconds).ok().filter(|_| minutes < 60)?, rest)
        }
        _ => return Some((Stamp::Local(local), rest)),
    };
    Some((Stamp::Instant(offset.to_timestamp(local).ok()?), rest))
}

/// `hh:mm:ss`, with a fraction of any length that is dropped; a leap second counts as the one before.
fn clock(text: &[u8]) -> Option<(i8, i8, i8, &[u8])> {
    let (hour, rest) = two_digits(text)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let rest = match rest.split_first() {
        Some((b'.' | b',', fraction)) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            fraction.get(digits..).filter(|_| digits > 0)?
        }
        _ => rest,
    };
    (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second.min(59), rest))
}

fn two_digits(text: &[u8]) -> Option<(i8, &[u8])> {
    let [tens, ones, rest @ ..] = text else { return None };
    Some((digit(*tens)? * 10 + digit(*ones)?, rest))
}

fn digit(byte: u8) -> Option<i8> {
    byte.is_ascii_digit().then(|| (byte - b'0').cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: &str, modified: &str, lines: &[&str]) -> (Vec<String>, bool) {
        let zone = TimeZone::get(zone).unwrap();
        let mut years_back = 0;
        loop {
            let modified = modified.parse().unwrap();
            let mut times = Chronology::new(zone.clone(), modified, None, years_back);
            let stamps = lines.iter().map(|l| bsd(l.as_bytes()).unwrap().0);
            let read: Vec<_> =
                stamps.map(|s| times.resolve(s).map_or("none".into(), |t| t.to_string())).collect();
            if !times.guessed_too_late() {
                return (read, years_back > 0);
            }
            years_back += 1;
        }
    }

    fn years(modified: &str, lines: &[&str]) -> Vec<String> {
        read("UTC", modified, lines).0.iter().map(|t| t[..10].to_owned()).collect()
    }

    #[test]
    fn the_year_follows_from_the_files_time() {
        assert_eq!(years("2026-03-01T00:00:00Z", &["Feb 28 23:59:59"]), ["2026-02-28"]);
        assert_eq!(years("2026-03-01T00:00:00Z", &["Mar  1 12:00:00"]), ["2026-03-01"]);
        assert_eq!(years("2026-03-01T00:00:00Z", &["Mar  9 12:00:00"]), ["2025-03-09"]);
    }

    #[test]
    fn new_year_is_crossed_forwards_and_by_late_lines_backwards() {
        let lines = ["Dec 31 23:59:58", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01"];
        let years = years("2026-01-02T00:00:00Z", &lines);
        assert_eq!(years, ["2025-12-31", "2026-01-01", "2025-12-31", "2026-01-01"]);
    }

    #[test]
    fn a_leap_day_is_of_a_leap_year() {
        assert_eq!(years("2026-05-01T00:00:00Z", &["Feb 29 10:00:00"]), ["2024-02-29"]);
        let around = ["Feb 28 10:00:00", "Feb 29 10:00:00", "Mar  1 10:00:00"];
        assert_eq!(
            years("2028-03-01T11:00:00Z", &around),
            ["2028-02-28", "2028-02-29", "2028-03-01"]
        );
    }

    #[test]
    fn a_file_may_span_years() {
        let lines = ["Nov  1 00:00:00", "Feb  1 00:00:00", "Dec  1 00:00:00", "Mar  1 00:00:00"];
        let (times, again) = read("UTC", "2026-03-02T00:00:00Z", &lines);
        assert!(again, "the first guess, November 2025, leaves no room for December");
        assert_eq!(times.first().unwrap(), "2024-11-01T00:00:00Z");
        let lines = ["Mar  1 00:00:00", "Sep  1 00:00:00", "Mar  1 00:00:00"];
        let dates = years("2026-03-02T00:00:00Z", &lines);
        assert_eq!(dates, ["2025-03-01", "2025-09-01", "2026-03-01"]);
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_apart_by_order() {
        let lines = ["Oct 25 02:59:59", "Oct 25 02:00:01", "Oct 25 02:30:00", "Oct 25 03:00:00"];
        let (times, _) = read("Europe/Berlin", "2026-10-26T00:00:00Z", &lines);
        let expected = ["00:59:59", "01:00:01", "01:30:00", "02:00:00"];
        assert_eq!(times, expected.map(|t| format!("2026-10-25T{t}Z")));
    }

    #[test]
    fn the_hour_that_never_was_does_not_stop_us() {
        let lines = ["Mar 29 01:59:59", "Mar 29 02:10:00", "Mar 29 03:00:00"];
        let (times, _) = read("Europe/Berlin", "2026-03-30T00:00:00Z", &lines);
        assert_eq!(times[0], "2026-03-29T00:59:59Z");
        assert_eq!(times[2], "2026-03-29T01:00:00Z");
    }

    #[test]
    fn offsets_and_fractions_of_any_kind() {
        let instant = |text: &str| match rfc3339(text.as_bytes()) {
            Some((Stamp::Instant(time), rest)) => {
                format!("{time}|{}", String::from_utf8_lossy(rest))
            }
            other => format!("{other:?}"),
        };
        for same in [
            "2026-11-22T21:28:34Z x",
            "2026-11-22T21:28:34.1+00:00 x",
            "2026-11-22T16:28:34.901234567891-05:00 x",
            "2026-11-23T03:13:34+05:45 x",
            "2026-11-22T21:28:34,5+0000 x",
        ] {
            assert_eq!(instant(same), "2026-11-22T21:28:34Z| x", "{same}");
        }
        for bad in [
            "2026-13-22T21:28:34Z",
            "2026-02-29T21:28:34Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T21:28:34.Z",
            "2026-11-22T21:28:34+05:99",
            "2026-11-22",
            "",
        ] {
            assert_eq!(instant(bad), "None", "{bad}");
        }
    }
}
