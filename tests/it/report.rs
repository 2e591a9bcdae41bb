//! `--report`: what it says of a day, and that it says the same of it whenever it is asked.

use std::fs;

use crate::sentinel::{Ran, Sentinel, failure};
use unicode_width::UnicodeWidthStr;

/// The report of `day` as text, without the banner's time.
fn text(sentinel: &Sentinel, day: &str) -> String {
    let ran = Ran::of(&mut sentinel.command(&["--report", "--date", day, "--output", "-", "-q"]));
    let text = ran.exits(0).stdout;
    text.split_inclusive('\n').filter(|line| !line.contains("### Report at ")).collect()
}

fn json(sentinel: &Sentinel, day: &str) -> serde_json::Value {
    let ran =
        Ran::of(&mut sentinel.command(&["--report", "--date", day, "--output", "r.json", "-q"]));
    ran.exits(0);
    serde_json::from_slice(&fs::read(sentinel.path("r.json")).unwrap()).unwrap()
}

/// A line that has nothing to do with logins.
fn other(stamp: &str) -> Vec<u8> {
    format!("{stamp} mx1 postfix/qmgr[7]: 4F1: removed\n").into_bytes()
}

#[test]
fn an_ordinary_day_in_the_layout_of_the_guide() {
    let mut log = Vec::new();
    for (stamp, address, user) in [
        ("2026-11-19T10:00:00+00:00", "198.18.7.1", "old"),
        ("2026-11-20T10:00:00+00:00", "198.18.7.1", "bob@example.org"),
        ("2026-11-20T10:30:00+00:00", "198.18.7.1", "bob@example.org"),
        ("2026-11-20T11:00:00+00:00", "2001:db8::1", "ann"),
        ("2026-11-20T23:59:59+00:00", "192.0.2.1", "bob@example.org"),
        ("2026-11-21T00:00:00+00:00", "192.0.2.1", "next"),
    ] {
        log.extend(failure(stamp, address, user));
    }
    log.extend(other("2026-11-21T08:00:00+00:00"));
    let sentinel = Sentinel::default().file("mail.log", log);
    let text = text(&sentinel, "2026-11-20");
    for expected in [
        "Total attempts on 2026-11-20: 4\n",
        "4 failed logins on 2026-11-20, ",
        "All came from 3 addresses in 1 known network, against 2 accounts.\n",
        "The busiest hour was 10:00 to 11:00, with 2.\n",
        "\nTop 10 failed authentications on 2026-11-20:\n   \
         1. bob@example.org  198.18.7.1   null  CH   2 times\n   \
         2. ann              2001:db8::1  null  N/A  1 time\n   \
         3. bob@example.org  192.0.2.1    null  N/A  1 time\n",
        "\nTop 10 Usernames on 2026-11-20:\n   1. bob@example.org  3 times\n   2. ann              1 time\n",
        "\nTop 10 countries on 2026-11-20:\n   1. CH   2 times\n   2. N/A  2 times\n",
        "\nTop 10 ASO on 2026-11-20:\n   1. N/A              2 times\n   2. Test; Net, Inc.  2 times\n",
        "\nTop 10 ASN on 2026-11-20:\n   1. N/A    2 times\n   2. 64511  2 times\n",
        "Total failed reverse lookups on 2026-11-20: 4\nBreakdown by error type:\n  Errno 4 : 4  (",
        "\nLines read on 2026-11-20: 4, the last of 23:59\n",
        "\nTotal CSV lines:     7\n",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
}

#[test]
fn a_finished_day_is_the_same_whenever_it_is_asked() {
    let days = ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"];
    let lines = days.iter().flat_map(|day| {
        (0..24).flat_map(move |hour| {
            let stamp = format!("{day}T{hour:02}:15:00+00:00");
            [failure(&stamp, &format!("203.0.113.{hour}"), "bob"), other(&stamp)].concat()
        })
    });
    let log: Vec<u8> = lines.collect();
    let at_once = Sentinel::default().file("mail.log", &log);
    let whole = text(&at_once, "2026-11-20");
    // Read in three pieces, with rows of later days there already.
    let bit_by_bit = Sentinel::default();
    for end in [log.len() / 3, log.len() / 2 + 7, log.len()] {
        bit_by_bit.write("mail.log", &log[..end]);
        bit_by_bit.run().exits(0);
    }
    let same = |text: String| {
        text.lines().filter(|l| !l.contains("CSV")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(same(text(&bit_by_bit, "2026-11-20")), same(whole.clone()));
    bit_by_bit.append("mail.log", failure("2026-11-22T00:00:00+00:00", "203.0.113.9", "late"));
    assert_eq!(same(text(&bit_by_bit, "2026-11-20")), same(whole));
}

#[test]
fn days_are_local_and_have_23_or_25_hours_when_the_clock_is_set() {
    // Berlin: summer time began on 29 March 2026 and ended on 25 October.
    let mut log = Vec::new();
    for hour in 0..72 {
        let spring: jiff::Timestamp = "2026-03-28T00:30:00Z".parse().unwrap();
        log.extend(failure(
            &(spring + jiff::SignedDuration::from_hours(hour)).to_string(),
            "192.0.2.1",
            "u",
        ));
    }
    for hour in 0..72 {
        let autumn: jiff::Timestamp = "2026-10-24T00:30:00Z".parse().unwrap();
        log.extend(failure(
            &(autumn + jiff::SignedDuration::from_hours(hour)).to_string(),
            "192.0.2.1",
            "u",
        ));
    }
    let sentinel = Sentinel::default().zone("Europe/Berlin").file("mail.log", log);
    for (day, hours) in
        [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25), ("2026-10-26", 24)]
    {
        let report = json(&sentinel, day);
        assert_eq!(report["total"], hours, "{day}");
        assert_eq!(report["hours"].as_array().unwrap().len(), hours, "{day}");
        assert!(report["hours"].as_array().unwrap().iter().all(|hour| hour["count"] == 1), "{day}");
        assert_eq!(report["coverage"]["lines"], hours, "{day}");
    }
}

#[test]
fn a_quiet_day_says_how_it_knows_and_an_unread_one_that_it_does_not() {
    let log = [
        failure("2026-11-18T10:00:00+00:00", "192.0.2.1", "u"),
        other("2026-11-20T21:41:00+00:00"),
    ];
    let sentinel = Sentinel::default().file("mail.log", log.concat());
    let quiet = text(&sentinel, "2026-11-20");
    let says = "No failed logins on 2026-11-20: 1 line of that day was read, the last of 21:41.";
    assert!(quiet.contains("No failed logins on 2026-11-20: 1 line"), "{says}\n{quiet}");
    assert!(quiet.contains("the last of 21:41"), "{quiet}");
    assert!(!quiet.contains("Top 10") && quiet.lines().count() < 25, "{quiet}");
    let unread = text(&sentinel, "2026-11-19");
    assert!(unread.contains("Nothing was read of 2026-11-19"), "{unread}");
    assert_eq!(json(&sentinel, "2026-11-19")["known"], false);
    // The log is gone: exit 1, and the report says why.
    fs::remove_file(sentinel.path("mail.log")).unwrap();
    let ran =
        Ran::of(&mut sentinel.command(&["--report", "--date", "2026-11-20", "--output", "-"]));
    ran.exits(1).prints("Not all could be read: ").says("mail.log does not exist");
}

#[test]
fn nothing_hostile_reaches_the_terminal_and_no_line_is_too_wide() {
    let mut log = Vec::new();
    let endless = "x".repeat(300);
    for (at, user) in [
        "\u{1b}[31mred",
        "日本語のとても長いユーザー名です@example.org",
        &endless,
        "\u{202e}evil",
        "",
        "a b",
    ]
    .iter()
    .enumerate()
    {
        let address = format!("2001:db8:1234:5678:9abc:def0:1234:{at}");
        log.extend(failure("2026-11-20T10:00:00+00:00", &address, user));
    }
    let sentinel = Sentinel::default().file("mail.log", log);
    let text = text(&sentinel, "2026-11-20");
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
    assert!(text.lines().all(|line| line.width() <= 100), "{text}");
    assert!(text.contains("\\x1b[31mred") && text.contains('…') && text.contains("\"\""), "{text}");
    let list = text.split("Top 10 failed").nth(1).unwrap().split("\n\n").next().unwrap();
    let columns: Vec<_> =
        list.lines().skip(1).map(|line| line.split("2001:db8").next().unwrap().width()).collect();
    assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "columns line up:\n{list}");
}

#[test]
fn rows_of_the_former_program_count_and_are_marked() {
    let csv = "server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n\
        mx1;20/11/2026 10:00;203.0.113.9;bob;null;Errno 1;CN;4134;Chinanet\n";
    let sentinel = Sentinel::default()
        .file("work/maillogsentinel.csv", csv)
        .file("mail.log", failure("2026-11-20T11:00:00+00:00", "192.0.2.1", "ann"));
    let report = json(&sentinel, "2026-11-20");
    assert_eq!((&report["total"], &report["imported"]), (&2.into(), &1.into()));
    let text = text(&sentinel, "2026-11-20");
    assert!(text.contains("1 of them was taken over"), "{text}");
    // Who got in is not in it.
    assert!(
        text.contains("CANNOT TELL: at least part of that day is known from the former program's"),
        "{text}"
    );
}

#[test]
fn the_day_is_compared_with_the_days_before() {
    let mut log = Vec::new();
    for day in 1..=20 {
        for n in 0..if day == 20 { 40 } else { 10 } {
            log.extend(failure(&format!("2026-11-{day:02}T10:00:{n:02}+00:00"), "192.0.2.1", "u"));
        }
    }
    let sentinel = Sentinel::default().file("mail.log", log);
    let much = text(&sentinel, "2026-11-20");
    assert!(much.contains("40 failed logins on 2026-11-20, much more than usual"), "{much}");
    let much = much.replace('\n', " ");
    assert!(much.contains("(10 the day before, median of the 14 days before 10)"), "{much}");
    assert!(text(&sentinel, "2026-11-19").contains("about as usual"));
    assert!(text(&sentinel, "2026-11-02").contains("too few days before"));
    let hours = json(&sentinel, "2026-11-20")["hours"].clone();
    assert_eq!((&hours[10]["usual"], &hours[11]["usual"]), (&10.0.into(), &0.0.into()));
}

#[test]
fn one_private_address_that_nearly_all_come_from_is_said_to_hide_the_clients() {
    let report = |busiest: &str| {
        let mut log = failure("2026-11-20T09:00:00+00:00", "203.0.113.4", "other");
        for minute in 10..40 {
            log.extend(failure(&format!("2026-11-20T10:{minute}:00+00:00"), busiest, "bob"));
        }
        text(&Sentinel::default().file("mail.log", log), "2026-11-20")
    };
    let hidden = "The clients' addresses are hidden: 30 of the failed logins came from 172.18.0.1,";
    let said = report("172.18.0.1").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(hidden), "{said}");
    assert!(!report("203.0.113.99").contains("hidden"));
}
