//! Fuzzes the import of a CSV that the Python program, or an administrator's editor, left.
//!
//! A file of other rows is refused and left alone. Else it stays as it is; the rows of it are known
//! again when the log that they came from is read; and a new failure is appended as a row.

#![no_main]

mod scratch;

use std::fs;
use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use maillogsentinel::config;
use maillogsentinel::host::Host;
use maillogsentinel::pipeline::{self, Progress, RunError};
use maillogsentinel::store::StoreError;

const HEADER: &[u8] = b"server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n";
/// A failure of another time, place and user than all rows of the file.
const NEW: &str = "2033-05-18T03:33:20Z mx1 postfix/smtpd[1]: warning: x[198.18.0.255]: SASL PLAIN \
    authentication failed: x, sasl_username=new;\"user\"\u{7f}";
const NEW_ROW: [&str; 4] = ["mx1", "2033-05-18 03:33", "198.18.0.255", "new;\"user\"\\x7f"];

fuzz_target!(|input: &[u8]| {
    if input.windows(4).any(|part| part == b"2033") {
        return; // The fuzzer is clever enough to write the new row itself.
    }
    let folder = scratch::folder();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("work")).expect("a folder");
    let csv = path("work/rows.csv");
    scratch::write(&csv, input);
    let rows = rows(input);
    let lines: Vec<_> = rows.iter().map(Row::line).chain([NEW.to_owned()]).collect();
    scratch::write(&path("mail.log"), (lines.join("\n") + "\n").as_bytes());
    scratch::write(&path("conf"), b"");
    let settings = [
        format!("paths.mail_log={}", path("mail.log").display()),
        format!("paths.working_dir={}", path("work").display()),
        format!("paths.state_dir={}", path("state").display()),
        "paths.csv_filename=rows.csv".to_owned(),
        "dns.enabled=false".to_owned(),
    ];
    let config = config::load(Some(&path("conf")), &settings).0.expect("a configuration");
    let host = Host { zone: TimeZone::UTC, name: "here".to_owned(), threads: 1, ..Host::real() };
    match pipeline::run(&host, &config, &mut Nobody) {
        Ok(summary) => {
            assert!(summary.errors.is_empty(), "{:?}", summary.errors);
            assert_eq!(summary.puzzles, 0, "{:?}", summary.warnings);
            assert_eq!(summary.failures, 1, "of {} rows all are known again", rows.len());
            check_appended(input, &fs::read(&csv).expect("the CSV"));
        }
        Err(RunError::Store(StoreError::NotOurCsv(_))) => {
            assert!(rows.is_empty() && !input.is_empty() && !input.starts_with(HEADER));
            assert_eq!(fs::read(&csv).expect("the file"), input, "it is somebody else's");
        }
        Err(error) => panic!("{error}"),
    }
});

/// A row that a line of a log can have become.
struct Row {
    time: DateTime,
    address: IpAddr,
    user: String,
}

impl Row {
    /// Of a record that is beyond doubt.
    fn of(record: &csv::ByteRecord) -> Option<Self> {
        let field = |at| record.get(at).map(|field| field.strip_suffix(b"\r").unwrap_or(field));
        let text = |at| field(at).and_then(|field| std::str::from_utf8(field).ok());
        let time = DateTime::strptime("%Y-%m-%d %H:%M", text(1)?).ok()?;
        let (address, user) = (text(2)?.parse().ok()?, text(3)?.to_owned());
        let sane = (1970..2030).contains(&time.year()) && record.len() >= 6;
        let in_a_line = user != "(unavailable)" && !user.contains(['\n', '\r', '\0']);
        Some(Self { time, address, user }).filter(|_| sane && in_a_line)
    }

    /// The line, some seconds into the minute.
    fn line(&self) -> String {
        let Self { time, address, user } = self;
        let user = if user == "null" { "(unavailable)" } else { user };
        format!(
            "{}:07Z mx1 postfix/smtpd[1]: warning: x[{address}]: SASL PLAIN authentication failed: \
             x, sasl_username={user}",
            time.strftime("%Y-%m-%dT%H:%M")
        )
    }
}

fn rows(input: &[u8]) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(b';').has_headers(false).flexible(true);
    let reader = reader.terminator(csv::Terminator::Any(b'\n'));
    let records = reader.from_reader(input).into_byte_records();
    records.filter_map(|record| Row::of(&record.expect("any bytes are records"))).collect()
}

/// What is new in `after` is the row of [`NEW`].
fn check_appended(before: &[u8], after: &[u8]) {
    let row = after.strip_prefix(before).expect("the CSV is continued, not rewritten");
    let row = row.strip_prefix(b"\n").unwrap_or(row);
    let row = row.strip_prefix(HEADER).filter(|_| before.is_empty()).unwrap_or(row);
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(b';').has_headers(false);
    let records: Vec<_> = reader.from_reader(row).into_records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].iter().take(4).collect::<Vec<_>>(), NEW_ROW);
    assert_eq!(records[0].len(), 9);
}

/// Watches nothing.
struct Nobody;

impl Progress for Nobody {
    fn bytes(&mut self, _done: u64, _total: u64) {}

    fn names(&mut self, _addresses: usize) {}
}
