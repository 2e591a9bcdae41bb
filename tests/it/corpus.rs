//! Lines of real servers: each sample and each labelled log must be read as labelled.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::rule::Verdict;
use maillogsentinel::parse::{Outage, Reading, looks_like_login, read};
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

/// What the parser makes of `line`, in the words of the sample file.
fn verdict(line: &[u8], outage: &mut Outage) -> String {
    match read(line) {
        Reading::NoHeader(_) if looks_like_login(line) => "puzzle the-syslog-header".to_owned(),
        Reading::NoHeader(_) => "no line of syslog".to_owned(),
        Reading::Line(_, Err(near)) => format!("puzzle {}", near.rule.name()),
        Reading::Line(header, Ok(message)) => {
            let rule = outage.settle(&header, &message);
            let (Message::Refused(attempt) | Message::Accepted(attempt)) = &message else {
                return format!("unrelated {}", rule.name());
            };
            let user = attempt.user.map_or("-".to_owned(), |user| format!("={}", for_csv(user)));
            match rule.verdict() {
                Verdict::Failure => format!("failure {} {user}", attempt.address),
                Verdict::Login => format!("login {} {user}", attempt.address),
                Verdict::Unrelated => format!("unrelated {}", rule.name()),
            }
        }
    }
}

#[test]
fn each_sample_is_taken_for_what_it_is() {
    let text = fs::read_to_string(corpus("postfix.txt")).unwrap();
    let (mut samples, mut wrong) = (0, Vec::new());
    for block in text.split("\n\n") {
        let part = |keep: fn(&&str) -> bool| block.lines().filter(keep).collect::<Vec<_>>();
        let lines = part(|l| !l.starts_with('#') && !l.starts_with("=> ") && !l.is_empty());
        let expected = part(|l| l.starts_with("=> "));
        assert_eq!(lines.len(), expected.len(), "{block}");
        let mut outage = Outage::default();
        for (line, expected) in lines.iter().zip(expected) {
            samples += 1;
            let found = verdict(&bytes(line), &mut outage);
            if found != expected[3..] {
                wrong.push(format!("{line}\n   is   {found}\n   not  {}", &expected[3..]));
            }
        }
    }
    assert!(samples > 70, "only {samples} samples were found");
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

/// Address, user and minute of every failure that a label file names, sorted.
fn labels(name: &str) -> Vec<String> {
    let text = fs::read_to_string(corpus("servers").join(name)).unwrap();
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let user = fields[3].strip_prefix('=').unwrap_or("null");
        format!("{} {} {user}", fields[1], fields[2])
    };
    text.lines().skip(1).map(row).collect()
}

/// The same of the CSV, in its order.
fn recorded(sentinel: &Sentinel) -> Vec<String> {
    let csv = sentinel.rows();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(csv.as_bytes());
    let row = |row: csv::StringRecord| format!("{} {} {}", &row[1], &row[2], &row[3]);
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn labelled_logs_of_real_servers_are_read_without_a_mistake() {
    for name in ["main-bsd", "main-rfc3339", "main-rfc5424", "portlog-bsd", "portlog-rfc3339"] {
        let packed = fs::read(corpus("servers").join(format!("{name}.log.xz"))).unwrap();
        let mut log = Vec::new();
        lzma_rust2::XzReader::new(&*packed, true).read_to_end(&mut log).unwrap();
        let sentinel = Sentinel::default().file("mail.log", log);
        // The year of the labels; without it, that of the checkout would count.
        sentinel.set_time("mail.log", "2026-11-23T00:00:00Z");
        sentinel.run().exits(0).prints("0 lines not understood");
        assert_eq!(recorded(&sentinel), labels(&format!("{name}.tsv")), "{name}");
    }
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
