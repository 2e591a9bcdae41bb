//! Stories to disturb a run in: how the folder looks before it, and what must be there in the end.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{Connection, params_from_iter};

use crate::sentinel::{HEADER, Ran, Sentinel};

/// Where the CSV is, in the scratch folder.
pub const CSV: &str = "work/maillogsentinel.csv";
/// What standard input is, where the story has it.
const INPUT: &str = "input";

/// A run that is to be disturbed, and its surroundings.
pub struct Story {
    pub name: &'static str,
    /// Brings the folder to where that run begins.
    pub before: fn(Sentinel) -> Sentinel,
    /// What happens between that run and the next one.
    pub after: Option<fn(&Sentinel)>,
}

/// All of them; each needs another way to recover.
pub const STORIES: [Story; 10] = [
    Story { name: "the first run", before: rotation_set, after: None },
    Story { name: "a run after growth and a rotation", before: grown_and_rotated, after: None },
    Story {
        name: "the log is rotated before the next run",
        before: read_once,
        after: Some(rotate),
    },
    Story { name: "the CSV was moved away", before: csv_moved_away, after: None },
    Story { name: "the CSV got a note", before: csv_with_a_note, after: None },
    Story { name: "the log came back from a backup", before: log_restored, after: None },
    Story { name: "standard input", before: standard_input, after: None },
    Story { name: "the Python program left CSV and offset", before: python_left, after: None },
    Story { name: "the Python program left an offset only", before: offset_left, after: None },
    Story { name: "the Python program left a CSV only", before: old_csv_left, after: None },
];

impl Story {
    /// The scene, in memory where the machine can: its disk would be the slowest part.
    pub fn scene(&self) -> Sentinel {
        (self.before)(Sentinel::inside(&scratch()))
    }

    /// What is there in the end if nothing happens.
    pub fn undisturbed(&self) -> Ending {
        let scene = self.scene();
        Ran::of(&mut command(&scene)).exits(0);
        if let Some(after) = self.after {
            after(&scene);
            Ran::of(&mut command(&scene)).exits(0);
        }
        let ending = Ending::of(&scene, self.after.is_none());
        assert!(ending.rows() > 100, "{}: the story has too few rows to tell", self.name);
        ending
    }

    /// The next run: what is wrong with it or with what it leaves, if anything.
    pub fn finish(&self, scene: &Sentinel, expected: &Ending) -> Option<String> {
        if let Some(after) = self.after {
            after(scene);
        }
        let ran = Ran::of(&mut command(scene));
        let worries = [" ERROR ", " WARNING ", "cannot", "missing"];
        if ran.status != Some(0) || worries.iter().any(|worry| ran.stderr.contains(worry)) {
            return Some(format!("the next run: {ran:?}"));
        }
        Ending::of(scene, self.after.is_none()).difference(expected)
    }
}

/// What went wrong in a test of many runs, all of which are made.
pub struct Troubles {
    story: &'static str,
    runs: usize,
    found: Vec<String>,
}

impl Troubles {
    pub fn of(story: &Story) -> Self {
        Self { story: story.name, runs: 0, found: Vec::new() }
    }

    /// Notes how a run went that was disturbed as `what` says.
    pub fn note(&mut self, what: &str, trouble: Option<String>) {
        self.runs += 1;
        self.found.extend(trouble.map(|trouble| format!("{what}\n  {trouble}")));
    }

    /// Fails if anything went wrong, or if there were fewer runs than a test must have.
    pub fn end(self, least: usize) {
        let Self { story, runs, mut found } = self;
        // What was lost or written twice matters more than what was said.
        found.sort_by_key(|trouble| !trouble.contains("expected"));
        let some = found.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(found.is_empty(), "{story}: {} of {runs} runs: {some}", found.len());
        assert!(runs >= least, "{story}: only {runs} runs could be disturbed");
    }
}

/// The run of `scene`, with its standard input if the story has one.
pub fn command(scene: &Sentinel) -> Command {
    let mut command = scene.command(&[]);
    if let Some(input) = input(scene) {
        command.arg("--set").arg("paths.mail_log=-").stdin(input);
    }
    command
}

/// Standard input, if the story has one.
pub fn input(scene: &Sentinel) -> Option<Stdio> {
    fs::File::open(scene.path(INPUT)).ok().map(Stdio::from)
}

/// A folder that is in memory, if there is one.
pub fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let usable = tempfile::tempfile_in(memory).is_ok();
    let folder = if usable { memory.to_owned() } else { std::env::temp_dir() };
    fs::canonicalize(folder).unwrap()
}

/// Seconds since 1970 of some moments in the stories.
const NEW_YEARS_EVE: i64 = 1_767_223_800; // 2025-12-31T23:30:00Z
const FEBRUARY: i64 = 1_769_904_000; // 2026-02-01
const MARCH: i64 = 1_772_323_200; // 2026-03-01
const APRIL: i64 = 1_775_001_600; // 2026-04-01

/// Log, a plain rotation and a compressed one whose stamps have no year and pass New Year.
fn rotation_set(scene: Sentinel) -> Sentinel {
    let old = lines(NEW_YEARS_EVE, 200, Stamps::Bsd);
    write(&scene, "mail.log.2.gz", &gzip(&old), NEW_YEARS_EVE + 86_400);
    write(&scene, "mail.log.1", &lines(FEBRUARY, 200, Stamps::Rfc3339), FEBRUARY + 86_400);
    let mut live = lines(MARCH, 150, Stamps::Rfc3339);
    live.extend(&lines(MARCH + 3600, 1, Stamps::Rfc3339)[..40]);
    write(&scene, "mail.log", &live, MARCH + 4000);
    scene
}

fn read_once(scene: Sentinel) -> Sentinel {
    let scene = rotation_set(scene);
    scene.run().exits(0);
    grow(&scene);
    scene
}

fn grown_and_rotated(scene: Sentinel) -> Sentinel {
    let scene = read_once(scene);
    rotate(&scene);
    scene
}

/// The waiting last line gets its end, and more lines follow.
fn grow(scene: &Sentinel) {
    scene.append("mail.log", &lines(MARCH + 3600, 1, Stamps::Rfc3339)[40..]);
    scene.append("mail.log", lines(MARCH + 4000, 200, Stamps::Rfc3339));
    date(scene, "mail.log", MARCH + 9000);
}

/// As logrotate does it, with `create` and `compress`.
fn rotate(scene: &Sentinel) {
    rename(scene, "mail.log.2.gz", "mail.log.3.gz");
    let plain = fs::read(scene.path("mail.log.1")).unwrap();
    write(scene, "mail.log.2.gz", &gzip(&plain), FEBRUARY + 86_400);
    fs::remove_file(scene.path("mail.log.1")).unwrap();
    rename(scene, "mail.log", "mail.log.1");
    write(scene, "mail.log", &lines(APRIL, 150, Stamps::Rfc3339), APRIL + 9000);
}

fn csv_moved_away(scene: Sentinel) -> Sentinel {
    let scene = read_once(scene);
    rename(&scene, CSV, "work/maillogsentinel.csv.1");
    scene
}

fn csv_with_a_note(scene: Sentinel) -> Sentinel {
    let scene = read_once(scene);
    scene.append(CSV, "# looked at by the administrator");
    scene
}

/// A CSV that is longer than any other file.
pub fn long_csv(scene: Sentinel) -> Sentinel {
    let scene = read_once(scene);
    scene.append(CSV, "# a long note by the administrator\n".repeat(30_000));
    scene
}

/// 30,000 lines in ten files.
pub fn large(scene: Sentinel) -> Sentinel {
    static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
        let day = |age: i64| lines(MARCH - age * 86_400, 3000, Stamps::Rfc3339);
        let compressed = (2..10).map(|age| (format!("mail.log.{age}.gz"), gzip(&day(age))));
        let plain = [("mail.log.1".to_owned(), day(1)), ("mail.log".to_owned(), day(0))];
        compressed.chain(plain).collect()
    });
    for (name, content) in &*FILES {
        write(&scene, name, content, MARCH + 86_400);
    }
    scene
}

/// 1,700 lines, five of seven of which are failures, after days that were read before.
pub fn busy_hour(scene: Sentinel) -> Sentinel {
    let scene = read_once(scene);
    scene.append("mail.log", lines(MARCH + 9000, 1500, Stamps::Rfc3339));
    date(&scene, "mail.log", MARCH + 86_400);
    scene
}

/// The log as it was some lines ago, and then different ones.
fn log_restored(scene: Sentinel) -> Sentinel {
    let scene = rotation_set(scene);
    scene.run().exits(0);
    let mut log = lines(MARCH, 100, Stamps::Rfc3339);
    log.extend(lines(MARCH + 5000, 200, Stamps::Rfc3339));
    fs::remove_file(scene.path("mail.log")).unwrap();
    write(&scene, "mail.log", &log, MARCH + 9000);
    scene
}

fn standard_input(scene: Sentinel) -> Sentinel {
    write(&scene, INPUT, &lines(MARCH, 300, Stamps::Rfc3339), MARCH + 9000);
    scene
}

/// What the Python program had read: all of `mail.log.1`, and this many lines of `mail.log`.
const PYTHON_LINES: usize = 60;

fn python_left(scene: Sentinel) -> Sentinel {
    old_csv_left(offset_left(scene))
}

fn offset_left(scene: Sentinel) -> Sentinel {
    let scene = python_log(scene);
    let offset = lines(MARCH, PYTHON_LINES, Stamps::Rfc3339).len();
    scene.file("state/state.offset", offset.to_string())
}

fn old_csv_left(scene: Sentinel) -> Sentinel {
    let mut rows = HEADER.to_owned();
    rows += &python_rows(FEBRUARY, 200);
    rows += &python_rows(MARCH, PYTHON_LINES);
    python_log(scene).file(CSV, rows)
}

fn python_log(scene: Sentinel) -> Sentinel {
    write(&scene, "mail.log.1", &lines(FEBRUARY, 200, Stamps::Rfc3339), FEBRUARY + 86_400);
    write(&scene, "mail.log", &lines(MARCH, 300, Stamps::Rfc3339), MARCH + 9000);
    scene
}

fn write(scene: &Sentinel, name: &str, bytes: &[u8], modified: i64) {
    scene.write(name, bytes);
    date(scene, name, modified);
}

fn date(scene: &Sentinel, name: &str, modified: i64) {
    scene.set_time(name, &Timestamp::from_second(modified).unwrap().to_string());
}

fn rename(scene: &Sentinel, from: &str, to: &str) {
    fs::rename(scene.path(from), scene.path(to)).unwrap();
}

/// The form of a log's time stamps.
#[derive(Clone, Copy)]
pub enum Stamps {
    Bsd,
    Rfc3339,
}

/// Names that attackers typed, some made to fool who reads the log or the CSV.
const NAMES: [&[u8]; 16] = [
    b"bob",
    b"",
    b"null",
    b"N/A",
    b"(unavailable)",
    b"a;b\"c\"",
    b"=cmd|' /C calc'!A0",
    b"z, sasl_username=boss",
    b"x[192.0.2.1]: SASL LOGIN authentication failed: y, sasl_username=root",
    b"\xff\xfe\xe6\x97",
    b"\x1b[2J\x07\r",
    "m\u{fc}ller@\u{202e}example".as_bytes(),
    b"server;date;ip;user",
    b" blanks ",
    b"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    b"# note",
];

/// What line `number` of a log is about.
enum Event {
    Failure { address: String, user: &'static [u8] },
    Login,
    Other,
}

fn event(number: usize) -> Event {
    let address = match number % 5 {
        0 => format!("2001:db8::{number:x}"),
        _ => format!("203.0.113.{}", number % 250),
    };
    match number % 7 {
        2 => Event::Login,
        5 => Event::Other,
        _ => Event::Failure { address, user: NAMES[number % NAMES.len()] },
    }
}

/// `count` lines, 20 seconds apart, from `start` on.
pub fn lines(start: i64, count: usize, stamps: Stamps) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, time) in (start..).step_by(20).take(count).enumerate() {
        let format = match stamps {
            Stamps::Bsd => "%b %e %H:%M:%S",
            Stamps::Rfc3339 => "%Y-%m-%dT%H:%M:%S.123456+00:00",
        };
        let stamp = Timestamp::from_second(time).unwrap().strftime(format);
        write!(out, "{stamp} mx1 postfix/submission/smtpd[{}]: ", 1000 + number % 9).unwrap();
        match event(number) {
            Event::Failure { address, user } => {
                write!(out, "warning: unknown[{address}]: SASL LOGIN authentication failed: ")
                    .unwrap();
                out.extend(b"(reason unavailable), sasl_username=");
                out.extend(user);
            }
            Event::Login => {
                let client = number % 200;
                write!(out, "0A1B2C: client=unknown[192.0.2.{client}], sasl_method=PLAIN, ")
                    .unwrap();
                write!(out, "sasl_username=user{}", number % 13).unwrap();
            }
            Event::Other => out.extend(b"connect from unknown[192.0.2.1]"),
        }
        out.push(b'\n');
    }
    out
}

/// The rows that the Python program had written for the same lines.
fn python_rows(start: i64, count: usize) -> String {
    let mut rows = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    for (number, time) in (start..).step_by(20).take(count).enumerate() {
        let Event::Failure { address, user } = event(number) else { continue };
        let date = Timestamp::from_second(time).unwrap().strftime("%d/%m/%Y %H:%M").to_string();
        let user = String::from_utf8_lossy(user);
        let user = user.split(',').next().unwrap();
        let row = ["mx1", &date, &address, user, "null", "Errno 1", "N/A", "N/A", "N/A"];
        rows.write_record(row).unwrap();
    }
    String::from_utf8(rows.into_inner().unwrap()).unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// All that a run leaves, but for what differs between two folders of the same content.
#[derive(PartialEq, Eq)]
pub struct Ending {
    /// The files in the CSV's folder, and the names of those in the store's.
    files: BTreeMap<String, Vec<u8>>,
    /// The rows of each table, as text.
    tables: BTreeMap<String, Vec<String>>,
}

impl Ending {
    /// What there is in `scene`.
    ///
    /// `places` says whether the tables count that tell how far files were read: two runs note
    /// other names and sizes of a file that was rotated in between than one run afterwards.
    pub fn of(scene: &Sentinel, places: bool) -> Self {
        let mut files = BTreeMap::new();
        for (folder, keep_content) in [("work", true), ("state", false)] {
            for entry in fs::read_dir(scene.path(folder)).unwrap() {
                let entry = entry.unwrap();
                let content = if keep_content && entry.file_type().unwrap().is_file() {
                    fs::read(entry.path()).unwrap()
                } else {
                    Vec::new()
                };
                let name = entry.file_name().display().to_string();
                // The compiled form of a database may be there or not; it is made when needed.
                if name.ends_with(".ranges") {
                    continue;
                }
                files.insert(format!("{folder}/{name}"), content);
            }
        }
        let mut tables = tables(scene);
        if !places {
            tables.remove("generation");
            tables.remove("csv");
        }
        Self { files, tables }
    }

    /// The first difference from `expected`, in words.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        if self == expected {
            return None;
        }
        let names = |ending: &Self| ending.files.keys().cloned().collect::<Vec<_>>().join(", ");
        if names(self) != names(expected) {
            return Some(format!("files: {}\nexpected: {}", names(self), names(expected)));
        }
        for (name, content) in &self.files {
            let lines = |bytes: &[u8]| bytes.split(|b| *b == b'\n').map(shown).collect::<Vec<_>>();
            if let Some(found) = first_other(name, &lines(content), &lines(&expected.files[name])) {
                return Some(found);
            }
        }
        for (name, rows) in &expected.tables {
            let found = self.tables.get(name).map(Vec::as_slice).unwrap_or_default();
            if let Some(found) = first_other(&format!("table {name}"), found, rows) {
                return Some(found);
            }
        }
        Some("there are more tables than expected".to_owned())
    }

    /// The CSV.
    pub fn csv(&self) -> &[u8] {
        &self.files[CSV]
    }

    /// The number of failures in the store.
    fn rows(&self) -> usize {
        self.tables["failure"].len()
    }
}

fn first_other(name: &str, found: &[String], expected: &[String]) -> Option<String> {
    let at = (0..found.len().max(expected.len())).find(|at| found.get(*at) != expected.get(*at))?;
    let (counts, line) = ((found.len(), expected.len()), at + 1);
    Some(format!(
        "{name}: {} lines, expected {}; line {line}: {:?}\nexpected: {:?}",
        counts.0,
        counts.1,
        found.get(at),
        expected.get(at)
    ))
}

/// Every table of the store, each row as SQL text, sorted.
fn tables(scene: &Sentinel) -> BTreeMap<String, Vec<String>> {
    let root = fs::canonicalize(scene.path("")).unwrap().into_os_string().into_vec();
    let store = Connection::open(scene.path("state/maillogsentinel.db")).unwrap();
    let all = |sql: &str, root: &[&[u8]]| -> Vec<String> {
        let mut statement = store.prepare(sql).unwrap();
        let rows = statement.query_map(params_from_iter(root), |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(all("PRAGMA integrity_check", &[]), ["ok"], "the store is damaged");
    let schema = all("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name", &[]);
    let mut tables = BTreeMap::from([("sqlite_master".to_owned(), schema)]);
    for name in all("SELECT name FROM sqlite_master WHERE type = 'table'", &[]) {
        // Another folder has another path, which is kept as bytes, and other inodes.
        let columns = format!(
            "SELECT group_concat('replace(quote(' || name || '), hex(?1), ''ROOT'')', ' || '' '' || ') \
             FROM pragma_table_info('{name}') WHERE name NOT IN ('device', 'inode')"
        );
        let columns = all(&columns, &[]).remove(0);
        let mut rows = all(&format!("SELECT {columns} FROM {name}"), &[&root]);
        rows.sort();
        tables.insert(name, rows);
    }
    tables
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
