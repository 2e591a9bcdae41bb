//! Lines of real servers: each sample and each labelled log must be read as labelled.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use maillogsentinel::parse::names::Names;
use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::rule::Verdict;
use maillogsentinel::parse::time::Chronology;
use maillogsentinel::parse::{Outage, Reading, looks_like_login, read, unpacked};
use maillogsentinel::untrusted::for_csv;

use crate::sentinel::Sentinel;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

/// Undoes the `\xhh` of the sample file.
fn bytes(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (out.push(byte), rest = &after[2..]).0,
            None => (out.extend_from_slice(b"\\x"), rest = after).0,
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// What lines tell of later ones.
struct Past {
    outage: Outage,
    names: Names,
    times: Chronology,
}

impl Default for Past {
    fn default() -> Self {
        let modified = "2026-11-23T00:00:00Z".parse().unwrap();
        let times = Chronology::new(jiff::tz::TimeZone::UTC, modified, None, 0);
        Self { outage: Outage::default(), names: Names::default(), times }
    }
}

/// What the parser makes of `line`, in the words of the sample file.
fn verdict(line: &[u8], past: &mut Past) -> String {
    let line = &*unpacked(line);
    match read(line) {
        Reading::NoHeader(_) if looks_like_login(line) => "puzzle the-syslog-header".to_owned(),
        Reading::NoHeader(_) => "no line of syslog".to_owned(),
        Reading::Line(_, Err(near)) => format!("puzzle {}", near.rule.name()),
        Reading::Line(header, Ok(message)) => {
            let rule = past.outage.settle(&header, &message);
            let time = past.times.resolve(header.stamp.0).unwrap();
            let joined = past.names.join(&header, &message, time);
            let (Message::Refused(attempt) | Message::Accepted(attempt)) = &message else {
                return format!("unrelated {}", rule.name());
            };
            let mut user =
                attempt.user.map_or("-".to_owned(), |user| format!("={}", for_csv(user)));
            if let Some(joined) = joined {
                user = format!("~{}", for_csv(&joined));
            }
            match rule.verdict() {
                Verdict::Failure if attempt.times > 1 => {
                    format!("failure {} {user} {} times", attempt.address, attempt.times)
                }
                Verdict::Failure => format!("failure {} {user}", attempt.address),
                Verdict::Login => format!("login {} {user}", attempt.address),
                Verdict::Unrelated => format!("unrelated {}", rule.name()),
            }
        }
    }
}

#[test]
fn each_sample_of_postfix_is_taken_for_what_it_is() {
    check_samples("postfix.txt", 70);
}

#[test]
fn each_sample_of_dovecot_is_taken_for_what_it_is() {
    check_samples("dovecot.txt", 90);
}

#[test]
fn each_sample_of_a_container_is_taken_for_what_it_is() {
    check_samples("containers.txt", 15);
}

fn check_samples(name: &str, least: u32) {
    let text = fs::read_to_string(corpus(name)).unwrap();
    let (mut samples, mut wrong) = (0, Vec::new());
    for block in text.split("\n\n") {
        let part = |keep: fn(&&str) -> bool| block.lines().filter(keep).collect::<Vec<_>>();
        let lines = part(|l| !l.starts_with('#') && !l.starts_with("=> ") && !l.is_empty());
        let expected = part(|l| l.starts_with("=> "));
        assert_eq!(lines.len(), expected.len(), "{block}");
        let mut memory = Past::default();
        for (line, expected) in lines.iter().zip(expected) {
            samples += 1;
            let found = verdict(&bytes(line), &mut memory);
            if found != expected[3..] {
                wrong.push(format!("{line}\n   is   {found}\n   not  {}", &expected[3..]));
            }
        }
    }
    assert!(samples >= least, "only {samples} samples were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_rule_takes_its_own_example() {
    use maillogsentinel::parse::rule::Rule;
    for rule in Rule::ALL {
        let mut outage = Outage::default();
        let last = rule.example().lines().map(|line| match read(line.as_bytes()) {
            Reading::Line(header, Ok(message)) => outage.settle(&header, &message),
            other => panic!("{}: {other:?}", rule.name()),
        });
        assert_eq!(last.last(), Some(rule));
    }
}

/// The number of the line, and minute, address and user, of every failure that a label file names.
fn numbered(name: &str) -> Vec<(u32, String)> {
    let text = fs::read_to_string(corpus("servers").join(name)).unwrap();
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let user = fields[3].strip_prefix('=').unwrap_or("null");
        // One of Dovecot's has the number of attempts.
        let attempts = fields[4].parse().unwrap_or(1);
        let row = format!("{} {} {user}", fields[1], fields[2]);
        vec![(fields[0].parse().unwrap(), row); attempts]
    };
    text.lines().skip(1).flat_map(row).collect()
}

fn labels(name: &str) -> Vec<String> {
    numbered(name).into_iter().map(|(_, row)| row).collect()
}

/// The same of the CSV, in its order.
fn recorded(sentinel: &Sentinel) -> Vec<String> {
    let csv = sentinel.rows();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(csv.as_bytes());
    let row = |row: csv::StringRecord| format!("{} {} {}", &row[1], &row[2], &row[3]);
    reader.records().map(|record| row(record.unwrap())).collect()
}

const LABELLED: [&str; 5] =
    ["main-bsd", "main-rfc3339", "main-rfc5424", "portlog-bsd", "portlog-rfc3339"];

/// The bytes of a labelled log.
fn log(name: &str) -> Vec<u8> {
    let packed = fs::read(corpus("servers").join(format!("{name}.log.xz"))).unwrap();
    let mut log = Vec::new();
    lzma_rust2::XzReader::new(&*packed, true).read_to_end(&mut log).unwrap();
    log
}

fn sentinel(log: Vec<u8>) -> Sentinel {
    let sentinel = Sentinel::default().file("mail.log", log);
    // The year of the labels; without it, that of the checkout would count.
    sentinel.set_time("mail.log", "2026-11-23T00:00:00Z");
    sentinel
}

#[test]
fn labelled_logs_of_real_servers_are_read_without_a_mistake() {
    for name in LABELLED {
        let sentinel = sentinel(log(name));
        sentinel.run().exits(0).prints("0 lines not understood");
        assert_eq!(recorded(&sentinel), labels(&format!("{name}.tsv")), "{name}");
    }
}

#[test]
fn with_dovecot_each_of_its_sessions_is_so_many_rows_as_it_had_attempts() {
    for name in LABELLED {
        let run = name.split('-').next().unwrap();
        let mut expected = numbered(&format!("{name}.tsv"));
        expected.extend(numbered(&format!("{run}.dovecot.tsv")));
        expected.sort_by_key(|(line, _)| *line);
        let expected: Vec<_> = expected.into_iter().map(|(_, row)| row).collect();
        let sentinel = sentinel(log(name)).set("detect.services=postfix, dovecot");
        sentinel.run().exits(0).prints("0 lines not understood");
        assert_eq!(recorded(&sentinel), expected, "{name}");
    }
}

/// A log as a Postfix before 3.7.8 and 3.8.3 writes it: no user.
fn of_an_old_postfix(log: &[u8]) -> Vec<u8> {
    let mut old = Vec::new();
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let is_smtpd = text.split(": ").next().is_some_and(|tag| tag.contains("/smtpd["));
        let failed = text.find(" authentication failed: ").filter(|_| is_smtpd);
        // Behind words instead of a mechanism there is no user, and the last key is Postfix's.
        let key = if text.contains("sasl_username=(unavailable)") {
            failed.and_then(|_| text.rfind(", sasl_username="))
        } else {
            failed.and_then(|at| Some(at + text[at..].find(", sasl_username=")?))
        };
        // What is before the key is ASCII.
        old.extend_from_slice(key.map_or(line, |key| &line[..key]));
        old.extend(key.map(|_| b'\n'));
    }
    old
}

#[test]
fn users_that_an_old_postfix_leaves_out_are_found_and_never_confused() {
    // With any character allowed in a user, what is cut or has control characters is told nowhere:
    // of the hostile names of that run, one in ten.
    for (name, most) in
        [("main-bsd", 5), ("main-rfc3339", 5), ("portlog-bsd", 10), ("portlog-rfc3339", 10)]
    {
        let sentinel = sentinel(of_an_old_postfix(&log(name)));
        sentinel.run().exits(0).prints("0 lines not understood");
        let (found, true_ones) = (recorded(&sentinel), labels(&format!("{name}.tsv")));
        assert_eq!(found.len(), true_ones.len(), "{name}");
        let mut missed = Vec::new();
        for (found, label) in found.iter().zip(&true_ones) {
            if found != label {
                let without = label.splitn(4, ' ').take(3).collect::<Vec<_>>().join(" ") + " null";
                assert_eq!(*found, without, "{name}: not {label}");
                missed.push(label);
            }
        }
        let share = missed.len() * 100 / true_ones.len();
        assert!(share < most, "{name}: {} of {}: {missed:#?}", missed.len(), true_ones.len());
    }
}

#[test]
fn the_same_attack_in_the_log_of_a_container_gives_the_same_failures() {
    let packed = fs::read(corpus("servers/main-rfc3339.log.xz")).unwrap();
    let mut log = Vec::new();
    lzma_rust2::XzReader::new(&*packed, true).read_to_end(&mut log).unwrap();
    let objects = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
        let line = String::from_utf8_lossy(line);
        let (time, rest) = line.split_once(' ').unwrap();
        // The image has another zone than the machine, and no year.
        let text = format!("Nov 23 03:00:00 {rest}\n");
        serde_json::json!({"log": text, "stream": "stdout", "time": time}).to_string()
    });
    let objects: Vec<_> = objects
        .map(|object| object.replace('<', "\\u003c").replace('>', "\\u003e") + "\n")
        .collect();
    let sentinel = Sentinel::default().file("mail.log", objects.concat());
    sentinel.run().exits(0).prints("0 lines not understood");
    // Docker writes what is no UTF-8 as U+FFFD.
    let known = |row: &String| !row.contains("\\x") && !row.contains('\u{fffd}');
    let (expected, recorded) = (labels("main-rfc3339.tsv"), recorded(&sentinel));
    assert_eq!(recorded.len(), expected.len());
    let differ = recorded.iter().zip(&expected).find(|(row, label)| row != label && known(label));
    assert_eq!(differ, None);
}

#[test]
fn a_rotation_set_over_new_year_is_read_in_order() {
    let mut sentinel = Sentinel::default();
    let times: BTreeMap<&str, &str> = [
        ("mail.log.5.zst", "2025-12-30T05:00:06Z"),
        ("mail.log.4.xz", "2025-12-31T05:56:01Z"),
        ("mail.log.3.gz", "2026-01-01T06:08:33Z"),
        ("mail.log.2.gz", "2026-01-02T05:56:45Z"),
        ("mail.log.1", "2026-01-03T05:54:13Z"),
        ("mail.log", "2026-01-03T10:34:27Z"),
    ]
    .into();
    let mut expected = Vec::new();
    for number in (0..=5).rev() {
        let name = times.keys().find(|name| name.contains(&format!(".{number}")));
        let name = name.copied().unwrap_or("mail.log");
        let bytes = fs::read(corpus("servers/rotation").join(name)).unwrap();
        sentinel = sentinel.file(name, bytes);
        sentinel.set_time(name, times[name]);
        expected.extend(labels(&format!("rotation/{name}.tsv")));
    }
    sentinel.run().exits(0);
    assert_eq!(recorded(&sentinel), expected);
}

// What a Dovecot 2.4.1 (Debian 13) wrote to a file of its own of these logins, with `auth_verbose_passwords = plain`:
// IMAP bob twice wrong, bob right, nobody, eve; POP3 bob wrong, then right; submission, IMAP with a
// hostile name, and ManageSieve, each once wrong.
#[test]
fn the_log_of_a_dovecot_2_4_is_read_without_a_mistake() {
    let log = fs::read(corpus("dovecot-2.4.log")).unwrap();
    let sentinel = Sentinel::default().file("mail.log", log).set("detect.services=dovecot");
    let ran = sentinel.run().exits(0).prints("8 failed logins recorded, 2 ");
    let ran = ran.prints("0 lines not understood");
    assert!(!ran.stderr.contains("wrong2"), "{}", ran.stderr);
    let hostile = "x>, method=PLAIN, rip=203.0.113.66, lip=1.1.1.1, session=<f";
    let users = ["bob", "bob", "nobody", "eve", "bob", "bob", hostile, "bob"];
    assert_eq!(sentinel.who(), users.map(|user| format!("127.0.0.1 {user}")));
}
