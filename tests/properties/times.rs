//! Time stamps: as jiff wrote them, and with the year that was left out.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use maillogsentinel::parse::time::{Chronology, Stamp, bsd, rfc3339};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::cases;

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn an_rfc3339_stamp_is_the_moment_that_jiff_wrote(
        second in -62_000_000_000_i64..253_000_000_000,
        nanosecond in 0_i32..1_000_000_000,
        digits in 0_usize..10,
        minutes in -1439_i32..1440,
        colon in any::<bool>(),
        zulu in any::<bool>(),
        after in select(vec!["", " mx1", "x", "+", ":30"]),
    ) {
        let moment = Timestamp::new(second, nanosecond).unwrap();
        let offset = if zulu { Offset::UTC } else { Offset::from_seconds(minutes * 60).unwrap() };
        let local = offset.to_datetime(moment);
        prop_assume!((0..10_000).contains(&local.year()));
        let fraction = format!(".{:09}", local.subsec_nanosecond());
        let fraction = if digits == 0 { "" } else { &fraction[..=digits] };
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
        let colon = if colon { ":" } else { "" };
        let zone = if zulu { "Z".to_owned() } else { format!("{sign}{hours:02}{colon}{rest:02}") };
        let text = format!("{}{fraction}{zone}{after}", local.strftime("%Y-%m-%dT%H:%M:%S"));
        // A second has begun when its fraction is not negative: `as_second` rounds towards 1970.
        let second = if moment.subsec_nanosecond() < 0 { moment.as_second() - 1 } else { moment.as_second() };
        let whole = Timestamp::from_second(second);
        let expected = (Stamp::Instant(whole.unwrap()), after.as_bytes());
        prop_assert_eq!(rfc3339(text.as_bytes()), Some(expected), "{}", text);
    }
}

/// The zone of a server, and the moments at which it logged, in order: less than a year apart.
fn moments() -> impl Strategy<Value = (TimeZone, Vec<Timestamp>)> {
    let zone = select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]);
    let step = prop_oneof![
        4 => 0_i64..100,
        3 => 100_i64..90_000,
        2 => 90_000_i64..3_000_000,
        1 => 3_000_000_i64..25_000_000,
    ];
    let start = 946_684_800_i64..1_900_000_000;
    (zone, start, vec(step, 0..25)).prop_map(|(zone, start, steps)| {
        let later = steps.into_iter().scan(start, |now, step| {
            *now += step;
            Some(*now)
        });
        let moments = std::iter::once(start).chain(later).map(Timestamp::from_second);
        (TimeZone::get(zone).unwrap(), moments.collect::<Result<_, _>>().unwrap())
    })
}

/// Resolves `stamps` as the reader of a file does: once more for each year that was too late.
fn resolve(zone: &TimeZone, modified: Timestamp, stamps: &[Stamp]) -> Option<Vec<Timestamp>> {
    (0..12).find_map(|years_back| {
        let mut times = Chronology::new(zone.clone(), modified, None, years_back);
        let resolved: Option<Vec<_>> = stamps.iter().map(|stamp| times.resolve(*stamp)).collect();
        resolved.filter(|_| !times.guessed_too_late())
    })
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn the_year_that_a_bsd_stamp_leaves_out_is_found((zone, moments) in moments(), late in 0_i64..3600) {
        let last = *moments.last().unwrap();
        let span = last.duration_since(moments[0]);
        // Past that nobody keeps a log in one file, and the reader gives up.
        prop_assume!(span < SignedDuration::from_hours(24 * 365 * 7));
        let local = |moment: &Timestamp| moment.to_zoned(zone.clone()).datetime();
        let stamps: Vec<_> = moments
            .iter()
            .map(|moment| {
                let text = local(moment).strftime("%b %e %H:%M:%S").to_string();
                bsd(text.as_bytes()).unwrap().0
            })
            .collect();
        let modified = last + SignedDuration::from_secs(late);
        let resolved = resolve(&zone, modified, &stamps);
        prop_assert!(resolved.is_some());
        for (found, truth) in resolved.unwrap().iter().zip(&moments) {
            prop_assert_eq!(local(found), local(truth));
            // In the hour that comes twice, only close lines tell which of them it is.
            if !zone.to_ambiguous_timestamp(local(truth)).is_ambiguous() {
                prop_assert_eq!(found, truth);
            }
        }
    }

    #[test]
    fn a_bsd_stamp_is_read_as_written(date in 0_i32..366, second in 0_i32..86_400, padding in 0_usize..3) {
        let day = Date::constant(2000, 1, 1) + SignedDuration::from_hours(24 * i64::from(date));
        let time = day.at(0, 0, 0, 0) + SignedDuration::from_secs(second.into());
        let format = ["%b %e %H:%M:%S", "%b %d %H:%M:%S", "%b %-d %H:%M:%S"][padding];
        let text = format!("{} mx1", time.strftime(format));
        let (month, day, hour, minute, second) =
            (time.month(), time.day(), time.hour(), time.minute(), time.second());
        let expected = Stamp::Yearless { month, day, hour, minute, second };
        prop_assert_eq!(bsd(text.as_bytes()), Some((expected, &b" mx1"[..])));
    }
}
