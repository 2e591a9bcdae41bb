//! Reports to make pages of: a full one, a quiet one, and some that are hard to show.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use maillogsentinel::figures::{Attempts, Coverage, Figures, Hour};
use maillogsentinel::meaning::{Meaning, Verdict};
use maillogsentinel::report::{Attachment, Report, Scope};
use maillogsentinel::untrusted::Untrusted;

/// What strangers may put into a name; every one of them has a letter or mark that a page must not show.
pub(crate) const HOSTILE: [&str; 10] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style></td></table>--><!--",
    "&lt;b&gt;&amp;",
    "\u{202e}moc.elpmaxe@nimda",
    "\u{1b}[2J\u{7}\u{9b}2J\0",
    "https://evil.example/track.png",
    "{{ 7 * 7 }}{% include \"/etc/passwd\" %}",
    "a\u{200b}b\u{2028}c\r\nSubject: x",
];

/// User, address, its name, its country, its network, and how often.
#[rustfmt::skip]
const FAILURES: [(&str, &str, &str, &str, &str, u64); 10] = [
    ("admin@example.org", "203.0.113.77", "host-203-0-113-77.broadband.example.net", "CN", "CHINA UNICOM China169 Backbone", 53),
    ("info@example.org", "198.51.100.14", "", "CN", "Korea Telecom", 34),
    ("sales", "2001:db8:85a3:8d3:1319:8a2e:370:7348", "scan-14.example.com", "IN", "Hetzner Online GmbH", 27),
    ("webmaster@example.org", "192.0.2.201", "", "KR", "National Internet Backbone", 21),
    ("test", "198.51.100.20", "ec2-198-51-100-20.eu-central-1.compute.cloud.example", "DE", "VNPT Corp", 18),
    ("carol.van-den-heuvel@accounting.example.org", "203.0.113.5", "", "RU", "DigitalOcean, LLC", 11),
    ("root", "2001:db8::1", "", "TW", "Rostelecom", 9),
    ("postmaster@example.org", "203.0.113.199", "static.vnpt.example", "VN", "Data Communication Business Group", 7),
    ("backup", "192.0.2.66", "", "BR", "V tal", 4),
    ("", "192.0.2.9", "mail.old-customer.example", "N/A", "", 2),
];
const COUNTRIES: [(&str, u64); 10] = [
    ("CN", 138),
    ("IN", 60),
    ("KR", 41),
    ("RU", 30),
    ("TW", 22),
    ("N/A", 19),
    ("VN", 12),
    ("BR", 9),
    ("DE", 8),
    ("US", 5),
];

/// Nothing, where the table above has nothing.
fn some(text: &str) -> Option<Untrusted> {
    (!text.is_empty()).then(|| text.into())
}

fn failures() -> Figures {
    let attempts = FAILURES.iter().map(|(user, address, name, country, _, count)| Attempts {
        user: some(user),
        address: (*address).to_owned(),
        hostname: some(name),
        country: (*country).to_owned(),
        count: *count,
    });
    let number = |at: u32| (at < 9).then_some(4_837 + at * 13_331);
    Figures {
        total: 368,
        addresses: 139,
        accounts: 23,
        networks: 82,
        attempts: attempts.collect(),
        users: FAILURES.iter().map(|(user, .., count)| (some(user), count + 20)).collect(),
        countries: COUNTRIES.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
        organisations: FAILURES.iter().map(|(.., name, count)| (some(name), *count)).collect(),
        numbers: (0..).zip(FAILURES).map(|(at, (.., count))| (number(at), count)).collect(),
        reverse_dns: [130, 139, 61, 3, 35],
        ..Figures::default()
    }
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap()
}

/// The hours of a day as its zone has them, with a count for each.
pub(crate) fn hours(day: Date, count: impl Fn(usize) -> u64) -> Vec<Hour> {
    let midnight = day.to_zoned(zone()).unwrap();
    let next = day.tomorrow().unwrap().to_zoned(zone()).unwrap();
    let whole = midnight.timestamp().duration_until(next.timestamp()).as_hours();
    (0..usize::try_from(whole).unwrap())
        .map(|at| {
            let start =
                midnight.timestamp() + SignedDuration::from_hours(i64::try_from(at).unwrap());
            let of_day = start.to_zoned(zone()).hour();
            let usual = 400 + 250 * u64::try_from((of_day - 12).abs()).unwrap();
            let usual_by_then_hundredths = Some(usual * (u64::try_from(of_day).unwrap() + 1));
            Hour {
                start,
                of_day,
                count: count(at),
                usual_hundredths: Some(usual),
                usual_by_then_hundredths,
            }
        })
        .collect()
}

fn days(day: Date) -> Vec<(Date, Option<u64>)> {
    (0..30i32)
        .map(|at| {
            let date = day.checked_sub((29 - at).days()).unwrap();
            let count =
                u64::try_from(210 + (at * 7919) % 173 + if at % 7 < 2 { 0 } else { 60 }).unwrap();
            (date, Some(if at == 29 { 368 } else { count }))
        })
        .collect()
}

/// A day with everything on it.
pub(crate) fn full() -> Report {
    let day = date(2026, 11, 22);
    let counts =
        [9, 12, 8, 15, 11, 7, 4, 6, 10, 14, 13, 17, 22, 31, 28, 19, 16, 20, 24, 18, 21, 17, 14, 12];
    let mut figures = Figures { hours: hours(day, |at| counts[at]), days: days(day), ..failures() };
    figures.coverage = Coverage {
        lines: 12_311,
        puzzles: 2,
        logins: 412,
        last_line: Some("2026-11-22T22:59:41Z".parse::<Timestamp>().unwrap()),
    };
    Report {
        interval: "hourly".to_owned(),
        made_at: "2026-11-23T06:30:00+01:00[Europe/Paris]".parse::<Zoned>().unwrap(),
        address: "192.168.1.10".to_owned(),
        host: "mail.example.com".to_owned(),
        scope: Scope::Machine,
        day,
        is_today: false,
        figures,
        csv_bytes: 246_886,
        csv_lines: 3_613,
        attachment: Attachment::Full("maillogsentinel.csv".to_owned()),
        errors: vec![],
        meaning: Some(Meaning {
            verdict: Verdict::NobodyGotIn,
            own_failures: 96,
            campaigns: vec![
                "Campaign #3 (distributed): 214 of them from 97 addresses, on alice, bob, info and 2 \
                 more; since 2026-11-18, still running."
                    .to_owned(),
            ],
            own_users: vec![
                "Your user carol@example.com cannot log in (no attack): 96 failures from \
                 203.0.113.0/24, every 15 min, since 2026-11-22."
                    .to_owned(),
            ],
            to_do: vec![
                "To do: nothing urgent. alice, bob exist here: check that the password is strong."
                    .to_owned(),
            ],
        }),
    }
}

/// A day without failures.
pub(crate) fn quiet() -> Report {
    let full = full();
    let coverage = Coverage { puzzles: 0, ..full.figures.coverage };
    let figures = Figures {
        hours: hours(full.day, |_| 0),
        days: full.figures.days.clone(),
        coverage,
        ..Figures::default()
    };
    Report { figures, attachment: Attachment::None { because: None }, ..full }
}

/// The day the clock is set back: 25 hours, some days of which nothing was read, and an import.
pub(crate) fn long_day() -> Report {
    let day = date(2026, 10, 25);
    let mut report = full();
    report.day = day;
    report.is_today = true;
    report.figures.imported = 312;
    report.figures.hours = hours(day, |at| if at == 3 { 40 } else { 2 * at as u64 });
    report.figures.days = days(day);
    for (at, (_, count)) in report.figures.days.iter_mut().enumerate() {
        match at {
            0..9 | 16 => *count = None,
            20 | 21 => *count = Some(0),
            _ => {}
        }
    }
    report.attachment = Attachment::Day { name: "rows-2026-10-25.csv".into(), too_large: true };
    report
}

/// Names that attack whoever reads them, and others that are only long.
pub(crate) fn hostile() -> Report {
    let mut report = full();
    let names: Vec<Untrusted> = HOSTILE.iter().map(|name| Untrusted::from(*name)).collect();
    for (at, attempts) in report.figures.attempts.iter_mut().enumerate() {
        attempts.user = Some(names[at].clone());
        attempts.hostname = Some(names[9 - at].clone());
        attempts.country = HOSTILE[at].into();
        attempts.address = "fe80:1234:5678:9abc:def0:1234:192.168.200.200%enp0s31f6-vlan".into();
    }
    report.figures.users = names.iter().map(|name| (Some(name.clone()), 7)).collect();
    report.figures.organisations = names.iter().map(|name| (Some(name.clone()), 7)).collect();
    report.figures.countries = HOSTILE.iter().map(|name| ((*name).to_owned(), 7)).collect();
    let longest = ["&".repeat(8192), "漢字".repeat(1365), "W".repeat(8192), "\u{301}".repeat(4096)];
    for (at, name) in longest.iter().enumerate() {
        report.figures.users[at].0 = Some(Untrusted::from(name.as_str()));
        report.figures.attempts[at].user = Some(Untrusted::from(name.as_str()));
        report.figures.attempts[at].hostname = Some(Untrusted::from(name.as_str()));
        report.figures.organisations[at].0 = Some(Untrusted::from(name.as_str()));
    }
    report.figures.users[5].0 = Some(Untrusted::from("משתמש@דוגמה.example"));
    report.interval = HOSTILE[0].into();
    report.host = format!("{}.{}", HOSTILE[0], "long-label.".repeat(25));
    report.address = HOSTILE[1].into();
    report.attachment = Attachment::None { because: Some(HOSTILE[3].to_owned()) };
    report
}

/// The most that the page can be asked to hold: the longest names, of what takes the most bytes.
pub(crate) fn largest() -> Report {
    let mut report = huge();
    let name = Untrusted::from("\"&".repeat(4096).as_str());
    for attempts in &mut report.figures.attempts {
        attempts.user = Some(name.clone());
        attempts.hostname = Some(name.clone());
    }
    report.figures.users = vec![(Some(name.clone()), u64::MAX); 10];
    report.figures.organisations = vec![(Some(name), u64::MAX); 10];
    report
}

/// Numbers as large as they can be.
pub(crate) fn huge() -> Report {
    let mut report = full();
    let figures = &mut report.figures;
    let most = u64::MAX;
    (figures.total, figures.addresses, figures.accounts, figures.networks) =
        (most, most, most, most);
    figures.imported = most;
    figures.reverse_dns = [most; 5];
    figures.attempts.iter_mut().for_each(|row| row.count = most);
    figures.users.iter_mut().for_each(|row| row.1 = most);
    figures.countries.iter_mut().for_each(|row| row.1 = most);
    figures.organisations.iter_mut().for_each(|row| row.1 = most);
    figures.numbers = vec![(Some(u32::MAX), most); 10];
    for (at, hour) in figures.hours.iter_mut().enumerate() {
        hour.count = most / (1 + at as u64 % 5);
        hour.usual_hundredths = Some(most);
    }
    figures.days.iter_mut().for_each(|row| row.1 = Some(most));
    figures.coverage = Coverage { lines: most, puzzles: most, logins: most, last_line: None };
    (report.csv_bytes, report.csv_lines) = (most, most);
    report
}
