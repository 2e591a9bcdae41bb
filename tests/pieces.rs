//! A long file is read by several threads; what is recorded, and what is said, is what one thread
//! that reads it from start to end records and says.
//!
//! Logs are random and odd: years that pass, clocks that go wrong, holes, lines without end, an
//! auth service that comes and goes. `PIECES_SEED=n cargo test --test pieces` tries one alone.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test should stop at the first surprise"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maillogsentinel::config;
use maillogsentinel::host::Host;
use maillogsentinel::pipeline::{self, Progress};
use rusqlite::Connection;
use rusqlite::types::Value;

/// How many logs are tried.
const LOGS: u64 = 24;

#[test]
fn several_threads_find_what_one_finds() {
    let number = std::env::var_os("PIECES_SEED").map(|n| n.to_str().unwrap().parse().unwrap());
    let mut failures = 0;
    for seed in number.map_or(0..LOGS, |seed| seed..seed + 1) {
        let mut rng = Rng::with_seed(seed);
        let parts = log(&mut rng);
        let zone = if rng.bool() { TimeZone::UTC } else { TimeZone::get("Europe/Berlin").unwrap() };
        // Lines may be from days after their file was written: a clock that was wrong, a copy.
        let age = Duration::from_secs(if seed % 4 == 1 { 48 * 3600 } else { 0 });
        let read = |threads| {
            let host = Host { zone: zone.clone(), threads, piece_bytes: 1, ..Host::real() };
            recorded(&parts, age, &host)
        };
        let expected = read(1);
        for threads in [2, 3] {
            let found = read(threads);
            let what = format!("PIECES_SEED={seed}, {threads} threads");
            assert_eq!(found.said, expected.said, "{what}");
            for (found, expected) in found.csv.lines().zip(expected.csv.lines()) {
                assert_eq!(found, expected, "{what}");
            }
            assert!(found == expected, "{what}: the store or the number of rows differs");
        }
        failures += expected.failures;
    }
    assert!(number.is_some() || failures > LOGS * 500, "only {failures} failures were compared");
}

/// What two runs say and leave: the log is read up to some line, and then to its end.
#[derive(PartialEq)]
struct Recorded {
    said: Vec<String>,
    csv: String,
    rows: Vec<Vec<Value>>,
    failures: u64,
}

fn recorded(parts: &[Vec<u8>], age: Duration, host: &Host) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let settings = ["mail_log", "working_dir", "state_dir"]
        .map(|key| format!("paths.{key}={path}/{key}"))
        .into_iter()
        .chain(["general.log_file=", "dns.enabled=false"].map(str::to_owned))
        .chain(["detect.services=postfix, dovecot".to_owned()]);
    let settings: Vec<_> = settings.collect();
    let config = config::load(Some(Path::new("/dev/null")), &settings).0.unwrap();
    let (mut said, mut failures) = (Vec::new(), 0);
    for part in 1..=parts.len() {
        let log = folder.path().join("mail_log");
        fs::write(&log, parts[..part].concat()).unwrap();
        let file = fs::File::options().write(true).open(&log).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        let summary = pipeline::run(host, &config, &mut Nobody).unwrap();
        failures += summary.failures;
        let told = format!("{summary:?}").replace(&path.to_string(), "");
        said.push(told);
    }
    let store = folder.path().join("state_dir/maillogsentinel.db");
    let store = Connection::open(store).unwrap();
    let rows = [
        "SELECT * FROM failure",
        "SELECT * FROM manner",
        "SELECT name, account, network, day, service, sum(count), min(first), max(last), min(position) \
         FROM logins GROUP BY 1, 2, 3, 4, 5",
        "SELECT offset, lines, head_length, head, tail_length, tail, unfinished, last_time, outage, \
         names FROM generation",
    ];
    let rows = rows.iter().flat_map(|sql| query(&store, sql)).collect();
    let csv = fs::read_to_string(folder.path().join("working_dir/maillogsentinel.csv")).unwrap();
    Recorded { said, csv, rows, failures }
}

fn query(store: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = store.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// A log in two parts, each of which ends with a line.
fn log(rng: &mut Rng) -> Vec<Vec<u8>> {
    let steady = rng.bool();
    let rfc3339 = rng.bool();
    // From some line on, an old Postfix writes, whose users come from lines before.
    let nameless_in = if rng.bool() { rng.usize(1..20_000) } else { usize::MAX };
    // In a busy log, attempts are under way wherever it is cut.
    let pause = if rng.bool() { 3 } else { 120 };
    let mut lines = 0;
    let mut clock = Timestamp::now() - (24 * rng.i64(2..900)).hours();
    let end = Timestamp::now() - 1.hour();
    let mut part = || {
        let mut text = Vec::new();
        for _ in 0..rng.usize(3000..9000) {
            clock += rng.i64(0..pause).seconds();
            if !steady && rng.u16(..600) == 0 {
                clock += (24 * rng.i64(-40..200)).hours();
            }
            clock = clock.min(end);
            let other_format = !steady && rng.u16(..500) == 0;
            lines += 1;
            if lines > nameless_in && rng.u8(..4) == 0 {
                nameless(rng, (clock, rfc3339), &mut text);
            }
            line(rng, (clock, rfc3339 != other_format), steady, &mut text);
        }
        text
    };
    vec![part(), part()]
}

/// An attempt as the auth service and an old Postfix tell it; now and then one of them does not.
fn nameless(rng: &mut Rng, (time, rfc3339): (Timestamp, bool), text: &mut Vec<u8>) {
    let format = if rfc3339 { "%Y-%m-%dT%H:%M:%S.123456+00:00" } else { "%b %e %H:%M:%S" };
    let stamp = time.to_zoned(TimeZone::UTC).strftime(format);
    let (ip, user) = (rng.u8(..20), rng.u8(..3));
    if rng.u8(..20) > 0 {
        let asked =
            format!("{stamp} mx1 dovecot: auth: pam(u{user},198.51.100.{ip}): unknown user\n");
        text.extend(asked.into_bytes());
    }
    if rng.u8(..20) > 0 {
        let refused = format!("warning: x[198.51.100.{ip}]: SASL LOGIN authentication failed: ");
        text.extend(format!("{stamp} mx1 postfix/smtpd[9]: {refused}\n").into_bytes());
    }
}

fn line(rng: &mut Rng, (time, rfc3339): (Timestamp, bool), steady: bool, text: &mut Vec<u8>) {
    let format = if rfc3339 { "%Y-%m-%dT%H:%M:%S.123456+00:00" } else { "%b %e %H:%M:%S" };
    let stamp = time.to_zoned(TimeZone::UTC).strftime(format);
    let pid = rng.u8(1..4);
    let ip = format!("198.51.100.{}", rng.u8(..20));
    let message = match rng.u16(..if steady { 400 } else { 430 }) {
        0..200 => format!("warning: x[{ip}]: SASL LOGIN authentication failed: no, sasl_username=u{pid}"),
        200..300 => format!("A{pid}: client=x[{ip}], sasl_method=PLAIN, sasl_username=user{pid}"),
        300..390 => format!("connect from x[{ip}]"),
        390..400 => {
            let end = "imap-login: Disconnected (auth failed, 2 attempts in 2 secs): user=<u>";
            let line = format!("{stamp} mx1 dovecot: {end}, rip={ip}, lip=192.0.2.1, session=<x>\n");
            return text.extend(line.into_bytes());
        }
        400..405 => format!("warning: x[{ip}]: SASL what is this, sasl_username=u"),
        405..410 => {
            "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused"
                .to_owned()
        }
        410 => return text.extend(vec![0; rng.usize(1..600_000)]),
        411..415 => return text.extend(b"no stamp here, but sasl_username=x\n\n"),
        415 => format!("connect from {}", "long".repeat(rng.usize(1..150_000))),
        _ => format!("message repeated 3 times: [warning: x[{ip}]: SASL PLAIN authentication failed:]"),
    };
    text.extend(format!("{stamp} mx1 postfix/smtpd[{pid}]: {message}\n").as_bytes());
}

/// Does not look.
struct Nobody;

impl Progress for Nobody {
    fn bytes(&mut self, _: u64, _: u64) {}

    fn names(&mut self, _: usize) {}
}
