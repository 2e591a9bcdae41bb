//! Rows of the CSV: any reader of CSV gets the words of the log, and no control characters.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maillogsentinel::event::{Failure, Findings, Manner};
use maillogsentinel::position::{Fingerprint, Progress, Stamp};
use maillogsentinel::store::{Novelty, Store};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{cases, hostile};

/// Whether `shown` is `bytes` with controls and bytes that are not UTF-8 as `\xhh`.
fn is_escaped(bytes: &[u8], shown: &str) -> bool {
    let mut shown = shown.as_bytes();
    for chunk in bytes.utf8_chunks() {
        let visible = chunk.valid().chars().map(|c| (c.to_string(), c.is_ascii_control()));
        let broken = chunk.invalid().iter().map(|b| (format!("\\x{b:02x}"), false));
        for (text, control) in visible.chain(broken) {
            let text = if control { format!("\\x{:02x}", text.as_bytes()[0]) } else { text };
            let Some(rest) = shown.strip_prefix(text.as_bytes()) else { return false };
            shown = rest;
        }
    }
    shown.is_empty()
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_csv_field_is_read_back_as_it_was(
        rows in vec((hostile(), any::<IpAddr>(), proptest::option::of(hostile())), 1..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut store = Store::open(folder.path()).unwrap();
        let failures = rows.iter().zip(0..).map(|((server, address, user), position)| {
            let words = || "x".into();
            let server = server.as_slice().into();
            let manner = Manner { server, service: words(), mechanism: words(), reason: words() };
            let time = Timestamp::from_second(1_800_000_000).unwrap();
            let (user, manner) = (user.as_ref().map(|user| user.as_slice().into()), Arc::new(manner));
            Failure { time, position, address: *address, user, manner, times: 1 }
        });
        let found = Findings { failures: failures.collect(), ..Findings::default() };
        let mut batch = store.begin().unwrap();
        let generation = batch.new_generation(Path::new("log")).unwrap();
        prop_assert_eq!(batch.add(&found, generation, Novelty::New).unwrap(), rows.len() as u64);
        let edge = Fingerprint::of(b"x");
        let (head, tail) = (edge.clone(), edge);
        let (offset, lines, unfinished, last_time, outage) = (1, 1, false, None, Vec::new());
        let progress = Progress { offset, lines, head, tail, unfinished, last_time, outage };
        batch.commit((generation, Path::new("log")), (Path::new("log"), &Stamp::default()), &progress).unwrap();
        prop_assert_eq!(store.project(&path, &TimeZone::UTC, &|| false).unwrap(), rows.len() as u64);

        let text = std::fs::read_to_string(&path).unwrap();
        prop_assert!(!text.chars().any(|c| c.is_ascii_control() && c != '\n'));
        prop_assert_eq!(text.lines().count(), rows.len() + 1, "a row is a line");
        let mut reader = ::csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(b';').from_reader(text.as_bytes());
        for (record, (server, address, user)) in reader.records().zip(&rows) {
            let record = record.unwrap();
            prop_assert_eq!(&record[2], address.to_string());
            prop_assert!(is_escaped(server, &record[0]), "{:?}", record);
            let user = user.clone().unwrap_or("null".into());
            prop_assert!(is_escaped(&user, &record[3]), "{:?} {:?}", record, user);
        }
    }
}
