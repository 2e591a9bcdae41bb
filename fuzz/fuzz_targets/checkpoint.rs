//! Fuzzes what is remembered between runs: whole runs over a log that grows, is rotated,
//! truncated and compressed in between, compared with what was written to it.
//!
//! The input is the text of the log; after each byte 0xff stands the letter of an event, see
//! [`History::event`]. Each new file of the log begins with a line of its own, as real ones do,
//! which begin with a new time: files that are alike cannot be told apart by their content.

#![no_main]

mod log_files;
mod scratch;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::tz::TimeZone;
use libfuzzer_sys::{Corpus, fuzz_target};
use maillogsentinel::config::{self, Config};
use maillogsentinel::host::Host;
use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::time::Stamp;
use maillogsentinel::parse::{self, Reading, syslog};
use maillogsentinel::pipeline::{self, Progress, Summary};
use maillogsentinel::source::block::BLOCK_BYTES;
use maillogsentinel::untrusted::for_csv;
use tempfile::TempDir;

use log_files::LogFiles;

/// The longer a history, the slower: these are enough for several of each pair of events.
const MOST_EVENTS: usize = 16;
/// No more of a line is read than this: as in `parse/scan.rs`.
const LINE_BYTES: usize = 8 * 1024;

fuzz_target!(|input: &[u8]| -> Corpus {
    let mut pieces = input.split(|b| *b == 0xff);
    // What the line before says of the auth service changes what a line is: that is for `line`.
    let says = |text: &[u8]| input.windows(text.len()).any(|part| part == text);
    if says(b": Connect to ") || pieces.clone().count() > MOST_EVENTS {
        return Corpus::Reject;
    }
    let mut history = History::new();
    history.log.write(pieces.next().unwrap_or_default());
    for piece in pieces {
        let Some((event, text)) = piece.split_first() else { continue };
        history.event(*event);
        history.log.write(text);
    }
    history.finish();
    Corpus::Keep
});

/// The log, the program's folders, and the CSVs that an administrator moved away.
struct History {
    log: LogFiles,
    folder: TempDir,
    config: Config,
    csv: PathBuf,
    moved_csvs: usize,
}

impl History {
    fn new() -> Self {
        let folder = scratch::folder();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("log")).expect("a folder for the log");
        let log = LogFiles::new(path("log/mail.log"));
        scratch::write(&path("conf"), b"");
        let settings = [
            format!("paths.mail_log={}", path("log/mail.log").display()),
            format!("paths.working_dir={}", path("work").display()),
            format!("paths.state_dir={}", path("state").display()),
            "dns.enabled=false".to_owned(),
        ];
        let config = config::load(Some(&path("conf")), &settings).0.expect("a configuration");
        let csv = config.paths.csv.clone();
        Self { log, folder, config, csv, moved_csvs: 0 }
    }

    fn event(&mut self, letter: u8) {
        match letter {
            b'n' => self.log.rename_and_create(),
            b'c' => self.log.copy_and_truncate(false),
            // The writer did not open the log for appending: its next line comes after a hole.
            b'h' => self.log.copy_and_truncate(true),
            b'z' => self.log.compress(),
            // `gzip` at work: both files are there; the compressed one is whole, or half of it.
            b'k' => self.log.compress_beside(1),
            b'p' => self.log.compress_beside(2),
            b'x' => self.log.delete_oldest(),
            b'b' => self.log.restore(),
            // rsyslog was not told yet: it still writes to the file that was renamed.
            b'w' => self.log.write_to_rotated(),
            b'L' => self.log.write(&vec![b'x'; BLOCK_BYTES]),
            b's' => drop(self.run(Some(1))),
            b't' => drop(self.run(Some(2))),
            b'v' => self.move_csv(),
            b'u' => self.truncate_csv(),
            _ => {
                self.check_run();
            }
        }
    }

    fn check_run(&mut self) {
        let summary = self.run(None);
        assert!(!summary.interrupted);
        // A log that nothing was written to yet, and an archive that is not complete, are told.
        let expected = |error: &String| error.contains("is empty") || error.contains("is damaged");
        assert!(summary.errors.iter().all(expected), "{:?}", summary.errors);
        self.log.was_read();
    }

    /// Runs; is asked to stop when the committing side hears of the readers for the `stop`th time.
    fn run(&mut self, stop: Option<usize>) -> Summary {
        // Each run its own, since the readers of a stopped one may still be on their way out.
        let asked = Arc::new(AtomicBool::new(false));
        let host = Host {
            zone: TimeZone::UTC,
            name: "here".to_owned(),
            threads: 2,
            piece_bytes: 1,
            stop: asked.clone(),
            ..Host::real()
        };
        let mut stopper = Stopper { asked, ticks: stop };
        pipeline::run(&host, &self.config, &mut stopper).expect("a run")
    }

    fn next_csv(&mut self) -> PathBuf {
        self.moved_csvs += 1;
        self.folder.path().join(format!("moved-{}", self.moved_csvs))
    }

    fn move_csv(&mut self) {
        let to = self.next_csv();
        let _ = fs::rename(&self.csv, to);
    }

    fn truncate_csv(&mut self) {
        let to = self.next_csv();
        if fs::copy(&self.csv, to).is_ok() {
            scratch::write(&self.csv, b"");
        }
    }

    /// Lets all lines be read, and compares.
    fn finish(mut self) {
        self.log.write(b"\n");
        // The last rotation may still grow; the one before it cannot.
        for _ in 0..2 {
            self.log.rename_and_create();
            self.log.write(b"end\n");
        }
        self.check_run();
        let recorded = self.recorded();
        self.check_run();
        assert_eq!(self.recorded(), recorded, "a run without news adds nothing");
        // A user that a line does not name may come from another one.
        let asks = |text: &Vec<u8>| text.windows(7).any(|words| words == b"dovecot");
        if self.log.read_or_there().iter().chain(&self.log.lost()).any(asks) {
            return;
        }
        let (mut must, mut may) = (BTreeMap::new(), BTreeMap::new());
        for text in self.log.read_or_there() {
            count_rows(&text, &mut must, &mut may);
        }
        for text in self.log.lost() {
            let mut all = BTreeMap::new();
            count_rows(&text, &mut all, &mut may);
            for (row, count) in all {
                *may.entry(row).or_default() += count;
            }
        }
        if self.log.was_restored() {
            // The same line at the same place of the file and of its backup is taken for one.
            for (row, count) in &mut must {
                *may.entry(row.clone()).or_default() += *count - 1;
                *count = 1;
            }
        }
        for (row, count) in &must {
            let there = recorded.get(row).copied().unwrap_or_default();
            assert!(there >= *count, "lost: {row:?}, {there} of {count}");
        }
        for (row, count) in recorded {
            let limits = [&must, &may].map(|rows| rows.get(&row).copied().unwrap_or_default());
            assert!(count <= limits.iter().sum(), "twice: {row:?}, {count} of {limits:?}");
        }
    }

    /// The rows of all CSVs, counted.
    fn recorded(&self) -> BTreeMap<Row, usize> {
        let moved = (1..=self.moved_csvs).map(|n| self.folder.path().join(format!("moved-{n}")));
        let mut rows = BTreeMap::new();
        for path in moved.chain([self.csv.clone()]) {
            let Ok(bytes) = fs::read(path) else { continue };
            let mut reader = csv::ReaderBuilder::new();
            let reader = reader.delimiter(b';').from_reader(bytes.as_slice());
            for record in reader.into_records() {
                let record = record.expect("nine fields of UTF-8");
                assert!(!record.iter().any(|field| field.bytes().any(|b| b.is_ascii_control())));
                *rows.entry([0, 2, 3].map(|at| record[at].to_owned())).or_default() += 1;
            }
        }
        rows
    }
}

/// A row as far as it does not hang on the time: server, address, user.
type Row = [String; 3];

/// Counts the rows that the lines of `text` must become, and those that they may become.
fn count_rows(text: &[u8], must: &mut BTreeMap<Row, usize>, may: &mut BTreeMap<Row, usize>) {
    let lines = || text.split(|b| matches!(b, b'\n' | 0)).filter(|line| !line.is_empty());
    // Among stamps with another year than that of the log, one without year has no place.
    let other_year = |line| match syslog::stamp(line) {
        Some(Stamp::Instant(time)) => !(2020..2027).contains(&time.to_zoned(TimeZone::UTC).year()),
        Some(Stamp::Local(local)) => !(2020..2027).contains(&local.year()),
        _ => false,
    };
    let strange = lines().any(other_year);
    for line in lines() {
        let line = line.get(..LINE_BYTES).unwrap_or(line);
        let Reading::Line(header, Ok(Message::Refused(attempt))) = parse::read(line) else {
            continue;
        };
        if attempt.rule.is_dovecots() {
            continue;
        }
        let host = if matches!(header.host, b"" | b"-") { b"here" } else { header.host };
        let user = attempt.user.map_or("null".into(), for_csv).into_owned();
        let row = [for_csv(host).into_owned(), attempt.address.to_string(), user];
        let yearless = matches!(header.stamp.0, Stamp::Yearless { .. });
        let rows = if strange && yearless { &mut *may } else { &mut *must };
        *rows.entry(row).or_default() += 1;
    }
}

/// Asks the run to stop after some ticks.
struct Stopper {
    asked: Arc<AtomicBool>,
    ticks: Option<usize>,
}

impl Progress for Stopper {
    fn bytes(&mut self, _done: u64, _total: u64) {
        let Some(left) = &mut self.ticks else { return };
        *left -= 1;
        if *left == 0 {
            self.ticks = None;
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    fn names(&mut self, _addresses: usize) {}
}
