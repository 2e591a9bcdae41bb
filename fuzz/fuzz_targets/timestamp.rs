//! Fuzzes the readers of time stamps and the year that is guessed for them.
//!
//! The first bytes choose a zone, the file's time and how many years back its first line is; each
//! line after them is a stamp. RFC 3339 must agree with jiff's own reader, and a stamp without a
//! year must keep its month, day and clock whatever year it is given.

#![no_main]

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use maillogsentinel::parse::syslog;
use maillogsentinel::parse::time::{Chronology, Stamp, bsd, rfc3339};

/// Zones with folds and gaps of all sizes and signs: half an hour, at midnight, a whole day.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Africa/Casablanca",
];

/// The clock that stamped a line may be this much ahead of the file's, and its hour may be known.
const SLACK: SignedDuration = SignedDuration::from_hours(27);

fuzz_target!(|input: &[u8]| {
    let Some(([zone, years_back, days @ ..], text)) = input.split_first_chunk::<4>() else {
        return;
    };
    let name = ZONES[usize::from(*zone) % ZONES.len()];
    let zone = TimeZone::get(name).expect("a zone of the system or of jiff");
    let day = i64::from(u16::from_le_bytes(*days));
    let modified = Timestamp::from_second(day * 86_400).expect("until 2149");
    let mut times = Chronology::new(zone.clone(), modified, None, i16::from(years_back % 8));
    for line in text.split(|b| *b == b'\n') {
        check_rfc3339(line);
        let stamp = bsd(line).map(|read| check_rest(line, read)).or_else(|| syslog::stamp(line));
        let Some(stamp) = stamp else { continue };
        let before = times.last();
        let time = times.resolve(stamp);
        let after = times.last();
        // A stamp from the future is not remembered: what follows must not be dated by it.
        assert!(after == before || after == time);
        assert!(after.is_none_or(|after| after <= modified + SLACK));
        if let Some(time) = time {
            check_resolved(stamp, time, &zone, modified);
        }
    }
});

/// What is left after a stamp is the end of the line, and what was read reads the same again.
fn check_rest(line: &[u8], (stamp, rest): (Stamp, &[u8])) -> Stamp {
    assert!(line.ends_with(rest));
    let read = &line[..line.len() - rest.len()];
    let again = if matches!(stamp, Stamp::Yearless { .. }) { bsd(read) } else { rfc3339(read) };
    // `...+01` ends where a stamp without offset would: only whole stamps can be read again.
    if let Some((again, rest)) = again {
        assert_eq!((again, rest), (stamp, &b""[..]));
    }
    stamp
}

fn check_rfc3339(line: &[u8]) {
    let Some(read) = rfc3339(line) else { return };
    let stamp = check_rest(line, read);
    let text = &line[..line.len() - read.1.len()];
    let text = std::str::from_utf8(text).expect("a stamp is ASCII");
    match stamp {
        Stamp::Instant(time) => {
            if let Ok(theirs) = text.parse::<Timestamp>() {
                let second = theirs.as_nanosecond().div_euclid(1_000_000_000);
                assert_eq!(i128::from(time.as_second()), second, "{text}");
            }
        }
        Stamp::Local(local) => {
            if let Ok(theirs) = text.parse::<jiff::civil::DateTime>() {
                let theirs = theirs.with().subsec_nanosecond(0).build().expect("a whole second");
                assert_eq!(local, theirs, "{text}");
            }
        }
        Stamp::Yearless { .. } => panic!("RFC 3339 has a year: {text}"),
    }
}

/// Whatever the year: the local clock shows what was written, if it ever did.
fn check_resolved(stamp: Stamp, time: Timestamp, zone: &TimeZone, modified: Timestamp) {
    let local = time.to_zoned(zone.clone()).datetime();
    match stamp {
        Stamp::Instant(instant) => assert_eq!(time, instant),
        Stamp::Local(written) => assert!(shows(local, written, zone)),
        Stamp::Yearless { month, day, hour, minute, second } => {
            assert!(time <= modified.saturating_add(SLACK).unwrap_or(Timestamp::MAX));
            let date = jiff::civil::Date::new(local.year(), month, day);
            let written = date.map(|date| date.at(hour, minute, second, 0));
            // A gap at midnight may even move the date on.
            let written = written.expect("the year that was chosen has this date");
            assert!(shows(local, written, zone), "{local} is not {written}");
        }
    }
}

/// Whether a clock that showed `written` showed `local`: the same, or past a gap.
fn shows(local: jiff::civil::DateTime, written: jiff::civil::DateTime, zone: &TimeZone) -> bool {
    local == written || zone.to_ambiguous_timestamp(written).is_ambiguous()
}
