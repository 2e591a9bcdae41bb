//! Fuzzes the import of a CSV that the Python program, or an administrator's editor, left.
//!
//! Every record is a row or is counted as bad; the file stays as it is; its rows are known again
//! when the log that they came from is read; and a new failure is appended as a row of its own.

#![no_main]

mod scratch;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use maillogsentinel::event::{Failure, Findings, Manner};
use maillogsentinel::position::{Fingerprint, Progress, Stamp};
use maillogsentinel::store::{Novelty, Store};

const LOG: &str = "/var/log/mail.log";
/// Later than any row of a log of today, so that it claims none of them.
const NEW: (i64, &str, &str) = (1_999_999_980, "203.0.113.9", "new;\"user\"\u{7f}");
const NEW_ROW: [&str; 4] = ["mx1", "2033-05-18 03:33", "203.0.113.9", "new;\"user\"\\x7f"];

fuzz_target!(|input: &[u8]| {
    let folder = scratch::folder();
    let path = folder.path().join("maillogsentinel.csv");
    scratch::write(&path, input);
    let mut store = Store::open(folder.path()).expect("a store");
    let imported = store.take_over(&path, None, &TimeZone::UTC).expect("an import");

    let (rows, all) = rows(input);
    assert_eq!(imported.rows + imported.bad_count, all);
    assert!(imported.rows >= rows.len() as u64, "{imported:?} {rows:?}");
    assert_eq!(imported.bad.len() as u64, imported.bad_count.min(5));
    assert_eq!(store.project(&path, &TimeZone::UTC, &|| false).expect("nothing to append"), 0);
    assert_eq!(std::fs::read(&path).expect("the CSV"), input, "it is continued, not rewritten");

    let known = rows.len() as u64;
    let failures = rows.into_iter().enumerate();
    let failures =
        failures.map(|(at, (time, address, user))| failure(at, time, address, user.as_deref()));
    assert_eq!(add(&mut store, failures.collect()), 0, "{known} rows are known again");
    if imported.rows == known {
        let (second, address, user) = NEW;
        let time = Timestamp::from_second(second).expect("a time in 2033");
        let address = address.parse().expect("an address");
        assert_eq!(add(&mut store, vec![failure(0, time, address, Some(user))]), 1);
        assert_eq!(store.project(&path, &TimeZone::UTC, &|| false).expect("a row to append"), 1);
        check_appended(input, &std::fs::read(&path).expect("the CSV"));
    }
});

type Row = (Timestamp, IpAddr, Option<String>);

/// The rows of a CSV that are beyond doubt, and how many records it has.
fn rows(input: &[u8]) -> (Vec<Row>, u64) {
    let (mut rows, mut all) = (Vec::new(), 0);
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(b';').has_headers(false).flexible(true);
    let reader = reader.terminator(csv::Terminator::Any(b'\n'));
    for record in reader.from_reader(input).into_byte_records() {
        let record = record.expect("any bytes are records");
        if record.get(0) == Some(b"server") && record.get(1) == Some(b"date") {
            continue;
        }
        all += 1;
        rows.extend(row(&record).filter(|_| record.len() >= 6));
    }
    (rows, all)
}

fn row(record: &csv::ByteRecord) -> Option<Row> {
    let field = |at| record.get(at).map(|field| field.strip_suffix(b"\r").unwrap_or(field));
    let text = |at| field(at).and_then(|field| std::str::from_utf8(field).ok());
    let date = DateTime::strptime("%Y-%m-%d %H:%M", text(1)?).ok()?;
    let time = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let address = text(2)?.parse::<IpAddr>().ok()?.to_canonical();
    let user = Some(text(3)?).filter(|user| *user != "null").map(str::to_owned);
    Some((time, address, user))
}

/// The failure that a row came from: as seconds and position have it, not the row.
fn failure(at: usize, time: Timestamp, address: IpAddr, user: Option<&str>) -> Failure {
    let manner = Manner {
        server: "mx1".into(),
        service: "postfix".into(),
        mechanism: "PLAIN".into(),
        reason: "".into(),
    };
    Failure {
        time,
        position: at as u64,
        address,
        user: user.map(Into::into),
        manner: Arc::new(manner),
    }
}

/// Commits `failures` as those of one file; gives how many were new.
fn add(store: &mut Store, failures: Vec<Failure>) -> u64 {
    let found = Findings { failures, ..Findings::default() };
    let mut batch = store.begin().expect("a transaction");
    let generation = batch.new_generation(LOG.as_ref()).expect("a generation");
    let added = batch.add(&found, generation, Novelty::New).expect("failures that can be stored");
    let progress = Progress {
        offset: 1,
        lines: 1,
        head: Fingerprint::of(b"x"),
        tail: Fingerprint::of(b"x"),
        unfinished: false,
        last_time: None,
        outage: Vec::new(),
    };
    batch.commit(generation, (LOG.as_ref(), &Stamp::default()), &progress).expect("a commit");
    added
}

fn check_appended(before: &[u8], after: &[u8]) {
    assert!(after.starts_with(before));
    let row = &after[before.len()..];
    let row = row.strip_prefix(b"\n").unwrap_or(row);
    let header = b"server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n";
    let row = row.strip_prefix(header).filter(|_| before.is_empty()).unwrap_or(row);
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(b';').has_headers(false);
    let record = reader.from_reader(row).into_records().next().expect("a row").expect("UTF-8");
    assert_eq!(record.iter().take(4).collect::<Vec<_>>(), NEW_ROW);
    assert_eq!(record.len(), 9);
}
