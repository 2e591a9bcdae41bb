//! Whole reports, as text and as a page, of days that look very different.
//!
//! `UPDATE_DOCS=1 cargo test --test it snapshots` writes `tests/it/snapshots/` anew; read the
//! difference before you commit it.

use std::fs;
use std::path::Path;

use crate::sentinel::{Ran, Sentinel, failure};

/// Makes the report of 20 November 2026 in one form, without what differs from run to run.
fn report(sentinel: &Sentinel, form: &str) -> String {
    let name = format!("report.{form}");
    let arguments = ["--report", "--date", "2026-11-20", "--output", &name, "-q"];
    Ran::of(&mut sentinel.command(&arguments)).exits(0);
    let text = fs::read_to_string(sentinel.path(&name)).unwrap();
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        // Pictures are looked at elsewhere; the banner tells of this machine and this minute.
        let line = line.split("data:image/png;base64,").enumerate().map(|(at, part)| match at {
            0 => part.to_owned(),
            _ => format!(
                "PICTURE{}",
                part.split_once('"').map_or(String::new(), |(_, rest)| format!("\"{rest}"))
            ),
        });
        let line: String = line.collect();
        let of_now = [
            "Report at ",
            "Server: ",
            "MailLogSentinel v",
            "Extraction interval",
            "####",
            "</b> v",
        ];
        if !of_now.iter().any(|start| line.contains(start)) {
            kept.push_str(&line);
        }
    }
    kept
}

/// Compares with the file, or writes it.
fn compare(sentinel: &Sentinel, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    for form in ["txt", "html"] {
        let found = report(sentinel, form);
        let path = folder.join(format!("{name}.{form}"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        for (number, (found, expected)) in (1..).zip(found.lines().zip(expected.lines())) {
            assert_eq!(found, expected, "{}:{number}", path.display());
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{}", path.display());
    }
}

fn scene(log: Vec<u8>) -> Sentinel {
    let databases = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/databases");
    Sentinel::default()
        .set(format!("geolocation.country_db_path={}", databases.join("country.csv").display()))
        .set(format!("ASN_ASO.asn_db_path={}", databases.join("asn.csv").display()))
        .file("mail.log", log)
}

#[test]
fn an_empty_day() {
    compare(
        &scene(b"2026-11-20T21:41:07+00:00 mx1 postfix/qmgr[7]: 4F1: removed\n".to_vec()),
        "empty",
    );
}

#[test]
fn an_ordinary_day() {
    let mut log = Vec::new();
    for day in 1..=20 {
        for n in 0..(day * 7) % 11 + 20 {
            let stamp = format!("2026-11-{day:02}T{:02}:{:02}:00+00:00", n % 24, n % 60);
            let user = ["info@example.org", "admin", "bob@example.org"][n % 3];
            log.extend(failure(&stamp, &format!("203.0.113.{}", n * 7 % 200), user));
        }
    }
    compare(&scene(log), "ordinary");
}

#[test]
fn a_campaign_of_139_addresses_with_one_try_each() {
    let mut log = Vec::new();
    for n in 0..139 {
        let stamp = format!("2026-11-20T{:02}:{:02}:11+00:00", n / 6, n % 6 * 10);
        let network = ["192.0.2", "198.51.100", "203.0.113"][n % 3];
        log.extend(failure(&stamp, &format!("{network}.{n}"), ["user3", "user4"][n % 2]));
    }
    compare(&scene(log), "campaign");
}

#[test]
fn hostile_names() {
    let mut log = Vec::new();
    for user in [
        "<script>alert(1)</script>",
        "\u{1b}[2Jclear",
        "a\u{202e}b",
        "=cmd|' /C calc'!A1",
        "日本語@例え.jp",
        "",
        "x\" onmouseover=\"y",
        "%s%n",
        "null",
        "' OR 1=1 --",
    ] {
        log.extend(failure("2026-11-20T10:00:00+00:00", "2001:db8::1", user));
    }
    compare(&scene(log), "hostile");
}

#[test]
fn a_hundred_thousand_failures() {
    let log = (0..100_000_u64).flat_map(|n| {
        let stamp = format!("2026-11-20T{:02}:{:02}:{:02}+00:00", n / 4200, n / 70 % 60, n % 60);
        let address = format!("203.0.{}.{}", n % 113, n % 251);
        failure(&stamp, &address, &format!("user{}", n * n % 977))
    });
    compare(&scene(log.collect()), "flood");
}
