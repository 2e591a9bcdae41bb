//! The systemd journal: real journal files, written by systemd-journal-remote, in every state that
//! vacuuming, rotation, reboots and clocks leave them in.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use fastrand::Rng;

use crate::follow::Follower;
use crate::sentinel::{Sentinel, failure};

/// 2026-11-22T22:14:39Z, in microseconds since 1970.
const START: u64 = 1_795_385_679_000_000;
const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// An entry of a mail server.
#[derive(Clone)]
struct Entry {
    boot: u32,
    monotonic_us: u64,
    realtime_us: u64,
    message: Vec<u8>,
}

impl Entry {
    /// A failed login of `user`, `number` seconds after [`START`].
    fn failure(number: u64, user: &str) -> Self {
        let line = String::from_utf8(failure("", "203.0.113.9", user)).unwrap();
        let message = line.split_once("]: ").unwrap().1.trim_end().into();
        let monotonic_us = (number + 1) * 1_000_000;
        Self { boot: 1, monotonic_us, realtime_us: START + number * 1_000_000, message }
    }

    fn noise(number: u64) -> Self {
        Self { message: b"connect from unknown[203.0.113.9]".to_vec(), ..Self::failure(number, "") }
    }

    /// In the Journal Export Format, with `more` fields.
    fn export(&self, more: &[u8]) -> Vec<u8> {
        let Self { boot, monotonic_us, realtime_us, message } = self;
        let mut text = format!(
            "__REALTIME_TIMESTAMP={realtime_us}\n__MONOTONIC_TIMESTAMP={monotonic_us}\n\
             _BOOT_ID={boot:032x}\n_HOSTNAME=mx1\nSYSLOG_FACILITY=2\nSYSLOG_PID=12387\n"
        )
        .into_bytes();
        if !more.starts_with(b"SYSLOG_IDENTIFIER") {
            text.extend_from_slice(b"SYSLOG_IDENTIFIER=postfix/submission/smtpd\n");
        }
        text.extend_from_slice(b"MESSAGE\n");
        text.extend_from_slice(&(message.len() as u64).to_le_bytes());
        for part in [message, b"\n".as_slice(), more, b"\n"] {
            text.extend_from_slice(part);
        }
        text
    }
}

/// A scene whose mail log is the journal in folder `journal`.
fn scene() -> Sentinel {
    let sentinel = Sentinel::default();
    fs::create_dir(sentinel.path("journal")).unwrap();
    let folder = sentinel.path("journal").display().to_string();
    sentinel.set("paths.mail_log=journal").set(format!("journal.directory={folder}"))
}

/// Adds entries in the Journal Export Format to journal file `name`.
fn receive(sentinel: &Sentinel, name: &str, export: &[u8]) {
    let file = sentinel.path("journal").join(name);
    let mut remote = Command::new(REMOTE);
    remote.arg("--output").arg(file).arg("-").stdin(Stdio::piped());
    let mut remote = remote.stderr(Stdio::null()).spawn().expect("systemd-journal-remote runs");
    remote.stdin.take().unwrap().write_all(export).unwrap();
    assert!(remote.wait().unwrap().success());
}

fn add(sentinel: &Sentinel, entries: &[Entry]) {
    let export: Vec<u8> = entries.iter().flat_map(|entry| entry.export(b"")).collect();
    receive(sentinel, "system.journal", &export);
}

fn users(sentinel: &Sentinel) -> Vec<String> {
    sentinel.who().iter().map(|who| who.split_once(' ').unwrap().1.to_owned()).collect()
}

fn corpus(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/servers").join(name);
    fs::read(path).unwrap()
}

fn unpacked(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(&*corpus(name), true).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Fails with the first difference alone: there are hundreds of rows.
#[track_caller]
fn assert_same(rows: &[String], expected: &[String]) {
    let differ = rows.iter().zip(expected).position(|(row, expected)| row != expected);
    if let Some(at) = differ {
        panic!("row {at} is {:?} and should be {:?}", rows[at], expected[at]);
    }
    assert_eq!(rows.len(), expected.len());
}

/// Minute, address and user of each row.
fn rows(sentinel: &Sentinel) -> Vec<String> {
    let csv = sentinel.rows();
    let reader =
        csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(csv.as_bytes());
    let row = |row: csv::StringRecord| format!("{} {} {}", &row[1], &row[2], &row[3]);
    reader.into_records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn the_labelled_journal_of_a_real_server_is_read_without_a_mistake() {
    let sentinel = scene();
    receive(&sentinel, "system.journal", &unpacked("main-journal.export.xz"));
    sentinel.run().exits(0).prints("0 lines not understood");
    let labels = String::from_utf8(corpus("main-journal.tsv")).unwrap();
    let expected: Vec<_> = labels
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            let user = fields[3].strip_prefix('=').unwrap_or("null");
            format!("{} {} {user}", fields[1], fields[2])
        })
        .collect();
    assert_same(&rows(&sentinel), &expected);
    sentinel.run().exits(0).prints("nothing new");
}

#[test]
fn whoever_changes_from_a_file_to_the_journal_or_back_has_each_login_once() {
    let file = Sentinel::default().file("mail.log", unpacked("main-rfc3339.log.xz"));
    file.run().exits(0);
    let expected = rows(&file);
    let logins = file.ask_store("SELECT sum(count) FROM logins");

    let sentinel = scene().file("mail.log", unpacked("main-rfc3339.log.xz"));
    let log = format!("paths.mail_log={}", sentinel.path("mail.log").display());
    let from_file = |sentinel: &Sentinel| {
        crate::sentinel::Ran::of(sentinel.command(&[]).arg("--set").arg(&log)).exits(0)
    };
    from_file(&sentinel);
    receive(&sentinel, "system.journal", &unpacked("main-journal.export.xz"));
    sentinel.run().exits(0).says("carry the same lines");
    assert_same(&rows(&sentinel), &expected);
    assert_eq!(sentinel.ask_store("SELECT sum(count) FROM logins"), logins);
    // What follows is recorded from whichever is read.
    add(&sentinel, &[Entry::failure(9_000, "from the journal")]);
    sentinel.run().exits(0);
    let stamp = "2026-11-23T01:00:00.000000+00:00";
    sentinel.append("mail.log", failure(stamp, "203.0.113.9", "from the file"));
    from_file(&sentinel);
    assert_eq!(rows(&sentinel).len(), expected.len() + 2);

    let other_way = scene().file("mail.log", unpacked("main-rfc3339.log.xz"));
    receive(&other_way, "system.journal", &unpacked("main-journal.export.xz"));
    other_way.run().exits(0);
    let log = format!("paths.mail_log={}", other_way.path("mail.log").display());
    crate::sentinel::Ran::of(other_way.command(&[]).arg("--set").arg(log)).exits(0);
    assert_eq!(rows(&other_way).len(), expected.len());
    assert_eq!(other_way.ask_store("SELECT sum(count) FROM logins"), logins);
}

#[test]
fn only_what_is_new_is_read_also_where_nothing_of_it_is_about_logins() {
    let sentinel = scene();
    add(&sentinel, &[Entry::failure(0, "one"), Entry::noise(1)]);
    sentinel.run().exits(0);
    sentinel.run().exits(0).prints("nothing new");
    add(&sentinel, &[Entry::noise(2)]);
    sentinel.run().exits(0);
    let done = sentinel.ask_store("SELECT monotonic_us FROM journal");
    assert_eq!(done, "3000000", "an entry that is not about logins is done with too");
    add(&sentinel, &[Entry::failure(3, "two")]);
    sentinel.run().exits(0);
    assert_eq!(users(&sentinel), ["one", "two"]);
}

#[test]
fn entries_that_were_vacuumed_before_they_were_read_are_told_of() {
    let sentinel = scene();
    add(&sentinel, &[Entry::failure(0, "one")]);
    sentinel.run().exits(0);
    let (live, old) =
        (sentinel.path("journal/system.journal"), sentinel.path("journal/system@1.journal"));
    add(&sentinel, &[Entry::failure(1, "lost")]);
    fs::remove_file(&live).unwrap();
    add(&sentinel, &[Entry::failure(2, "two")]);
    let ran = sentinel.run().exits(0);
    ran.says("lines from 2026-11-22 22:14:39 to 2026-11-22 22:14:41 may be missing");
    assert_eq!(users(&sentinel), ["one", "two"]);
    // A rotation alone is none of that.
    add(&sentinel, &[Entry::failure(3, "three")]);
    fs::rename(&live, &old).unwrap();
    add(&sentinel, &[Entry::failure(4, "four")]);
    assert!(!sentinel.run().exits(0).stderr.contains("missing"));
    fs::remove_file(&old).unwrap();
    assert!(!sentinel.run().exits(0).stderr.contains("missing"));
    assert_eq!(users(&sentinel), ["one", "two", "three", "four"]);
    fs::remove_file(&live).unwrap();
    sentinel.run().exits(1).says("the journal has no entries any more");
}

#[test]
fn a_boot_that_was_gone_for_a_run_is_read_on_when_it_is_back() {
    let sentinel = scene();
    let live = sentinel.path("journal/system.journal");
    add(&sentinel, &[Entry::failure(0, "one")]);
    sentinel.run().exits(0);
    fs::remove_file(&live).unwrap();
    sentinel.run().exits(1).says("the journal has no entries any more").says("may be missing");
    add(&sentinel, &[Entry::failure(2, "two")]);
    sentinel.run().exits(0).says("may be missing");
    sentinel.run().exits(0).prints("nothing new");
    assert_eq!(users(&sentinel), ["one", "two"]);
}

#[test]
fn a_damaged_journal_that_hides_its_entries_is_an_error() {
    let sentinel = scene();
    let entries: Vec<_> = (0..2000).map(|number| Entry::failure(number, "bob")).collect();
    add(&sentinel, &entries);
    let path = sentinel.path("journal/system.journal");
    let file = fs::File::options().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; 200_000], 600_000).unwrap();
    let ran = sentinel.run();
    // What journalctl shows is recorded; where it shows nothing, that is said.
    let rows = sentinel.path("work/maillogsentinel.csv").exists().then(|| sentinel.who().len());
    if rows.unwrap_or(0) == 0 {
        ran.exits(1).says("entries that journalctl does not show").says("--verify");
    }
}

#[test]
fn hostile_entries_are_single_lines_of_bounded_size() {
    let sentinel = scene();
    let forged = "warning: unknown[198.51.100.66]: SASL LOGIN authentication failed: x, sasl_username=forged";
    let mut export = vec![];
    // Two lines in one message; the second is no line of its own.
    let mut entry =
        Entry::failure(0, &format!("a\nNov 22 22:14:39 mx1 postfix/smtpd[1]: {forged}"));
    export.extend(entry.export(b""));
    // A name that is no UTF-8, and an identifier that would end the header.
    entry = Entry::failure(1, "b");
    entry.message.push(0xe6);
    export.extend(entry.export(b""));
    let identifier = format!("SYSLOG_IDENTIFIER=postfix/smtpd[1]: {forged}\n");
    export.extend(Entry::failure(2, "c").export(identifier.as_bytes()));
    // Megabytes in a field that nobody asked for, and in the message.
    let long = "x".repeat(20_000_000);
    export.extend(Entry::failure(3, "d").export(format!("OTHER={long}\n").as_bytes()));
    export.extend(Entry::failure(4, &long).export(b""));
    receive(&sentinel, "system.journal", &export);
    sentinel.run().exits(0);
    let who = sentinel.who();
    assert!(who.iter().all(|who| who.starts_with("203.0.113.9 ")), "{who:?}");
    let users = users(&sentinel);
    assert_eq!(users.len(), 4, "{users:?}");
    assert!(users[0].starts_with("a?Nov 22"));
    assert_eq!(users[1..3], ["b\\xe6", "d"]);
    assert!(users[3].starts_with("xxxx") && users[3].len() < 9000);
}

#[test]
fn a_journal_that_cannot_be_read_is_an_error_that_names_the_cure() {
    let sentinel = scene();
    sentinel.run().exits(1).says("the journal has no entries").says("systemd-journald");
    let nowhere = Sentinel::default()
        .set("paths.mail_log=journal")
        .set("journal.directory=/nonexistent/journal");
    nowhere.run().exits(1).says("cannot read the journal").says("/nonexistent/journal");
}

#[test]
fn a_user_who_may_not_read_the_journal_is_told_so() {
    let sentinel = scene();
    add(&sentinel, &[Entry::failure(0, "one")]);
    let open = |path: &Path, mode| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&sentinel.path("."), 0o777);
    open(&sentinel.path("journal"), 0o755);
    open(&sentinel.path("journal/system.journal"), 0o640);
    let program = sentinel.public_program();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(program);
    command.current_dir(sentinel.path("."));
    let arguments: Vec<_> = sentinel.command(&[]).get_args().map(ToOwned::to_owned).collect();
    let ran = crate::sentinel::Ran::of(command.args(arguments)).exits(1);
    ran.says("system.journal").says("nobody");
}

/// What journald and an administrator do, at random, between runs that may be killed.
struct History {
    sentinel: Sentinel,
    random: Rng,
    boot: u32,
    monotonic_us: u64,
    realtime_us: u64,
    next_user: u32,
    /// The entries of each file, the live one last, for those that are copied.
    files: Vec<(String, Vec<Entry>)>,
    expected: Vec<String>,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            sentinel: scene(),
            random: Rng::with_seed(seed),
            boot: 1,
            monotonic_us: 1000,
            realtime_us: START,
            next_user: 0,
            files: vec![("system.journal".into(), vec![])],
            expected: vec![],
        }
    }

    fn write(&mut self) {
        let count = self.random.usize(1..6);
        let mut entries = vec![];
        for _ in 0..count {
            self.monotonic_us += self.random.u64(1..2_000_000);
            self.realtime_us += self.random.u64(1..2_000_000);
            let is_noise = self.random.u8(0..3) == 0;
            let user = format!("{}-{}", self.boot, self.next_user);
            let entry = if is_noise { Entry::noise(0) } else { Entry::failure(0, &user) };
            if !is_noise {
                self.next_user += 1;
                self.expected.push(user);
            }
            let (boot, monotonic_us, realtime_us) =
                (self.boot, self.monotonic_us, self.realtime_us);
            entries.push(Entry { boot, monotonic_us, realtime_us, ..entry });
        }
        add(&self.sentinel, &entries);
        self.files.last_mut().unwrap().1.extend(entries);
    }

    fn rotate(&mut self) {
        let number = self.files.len();
        let name = format!("system@{number:04}.journal");
        let live = self.files.last_mut().unwrap();
        if live.1.is_empty() {
            return;
        }
        live.0.clone_from(&name);
        let folder = self.sentinel.path("journal");
        fs::rename(folder.join("system.journal"), folder.join(name)).unwrap();
        self.files.push(("system.journal".into(), vec![]));
    }

    /// As journald does with what it kept in memory until the disk was there.
    fn copy(&mut self) {
        let Some((name, entries)) = self.files.last().filter(|file| !file.1.is_empty()) else {
            return;
        };
        let path = self.sentinel.path("journal").join(name);
        let export: Vec<u8> = entries.iter().flat_map(|entry| entry.export(b"")).collect();
        fs::remove_file(path).unwrap();
        receive(&self.sentinel, name, &export);
    }

    /// All has been read, and the last entry stays: else nobody could know whether more is gone.
    fn vacuum(&mut self) {
        self.run(false);
        if self.files.last().is_none_or(|(_, entries)| entries.is_empty()) {
            return;
        }
        while self.files.len() > 1 {
            let (name, _) = self.files.remove(0);
            fs::remove_file(self.sentinel.path("journal").join(name)).unwrap();
            if self.random.bool() {
                break;
            }
        }
    }

    fn run(&mut self, killed: bool) {
        if self.files.iter().all(|(_, entries)| entries.is_empty()) {
            return;
        }
        if killed {
            let mut running = self.sentinel.command(&[]);
            running.stdout(Stdio::null()).stderr(Stdio::null());
            let mut running = running.spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(self.random.u64(5..120)));
            let _ = running.kill();
            running.wait().unwrap();
        } else {
            let ran = self.sentinel.run().exits(0);
            // If clocks went back, nobody knows which of two boots that were new at once was last.
            let said = ran.stderr.replace("to an unknown time may be missing", "");
            assert!(!said.contains("missing"), "{}", ran.stderr);
        }
    }

    fn step(&mut self) {
        match self.random.u8(0..12) {
            0..4 => self.write(),
            4 => self.rotate(),
            5 => self.copy(),
            6 => self.vacuum(),
            7 => {
                self.boot += 1;
                self.monotonic_us = self.random.u64(0..1000);
                // journald starts a new file with each boot.
                self.rotate();
            }
            // Somebody sets the clock.
            8 => {
                let jump = self.random.i64(-90_000_000..90_000_000);
                self.realtime_us = self.realtime_us.saturating_add_signed(jump);
            }
            9 => self.run(true),
            _ => self.run(false),
        }
    }
}

#[test]
fn whatever_happens_to_a_journal_each_login_is_recorded_once_and_in_the_order_of_its_boot() {
    for seed in 0..40 {
        let mut history = History::new(seed);
        (0..14).for_each(|_| history.step());
        history.write();
        history.run(false);
        let mut users = users(&history.sentinel);
        // Which of two boots was first nobody knows if the clock was set back.
        let boot = |user: &String| user.split_once('-').unwrap().0.parse::<u32>().unwrap();
        users.sort_by_key(boot);
        assert_eq!(users, history.expected, "seed {seed}");
    }
}

#[test]
fn the_journal_is_followed() {
    let sentinel = scene();
    add(&sentinel, &[Entry::failure(0, "ann")]);
    let follower = Follower::of(&sentinel, &[]);
    follower.prints("\"ann\"");
    // Until it listens for sure, it looks each second.
    add(&sentinel, &[Entry::failure(1, "bob")]);
    follower.prints("\"bob\"");
    std::thread::sleep(std::time::Duration::from_secs(5));
    // It looks by itself once a minute: what comes in seconds, it was woken for.
    for (number, user) in (2..).zip(["eve", "dan", "joe"]) {
        add(&sentinel, &[Entry::noise(number), Entry::failure(number, user)]);
        follower.prints(user);
    }
    follower.end();
    assert_eq!(sentinel.who().len(), 5);
}
