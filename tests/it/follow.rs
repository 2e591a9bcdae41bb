//! Following a log: what happens to it, to us and beside us, and what is recorded and printed meanwhile.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::sentinel::{Sentinel, failure};

const SECOND: Duration = Duration::from_secs(1);
/// What takes longer than this does not happen. Other tests keep processors and disk busy: what is promised within a
/// second, tests/follow/load.py --timed looks at.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it may take to end when it is told to; without other tests beside it, that is a second.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The program while it follows.
pub struct Follower {
    child: Child,
    lines: Receiver<(Instant, String)>,
}

impl Follower {
    pub fn of(sentinel: &Sentinel, arguments: &[&str]) -> Self {
        Self::with(sentinel, arguments, &[])
    }

    /// The same with variables of the environment.
    fn with(sentinel: &Sentinel, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let said = fs::OpenOptions::new().append(true).create(true).open(sentinel.path("said"));
        let mut command = sentinel.command(&[&["--follow"], arguments].concat());
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(said.unwrap()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines() {
                let _ = sender.send((Instant::now(), line.unwrap()));
            }
        });
        Self { child, lines }
    }

    /// When the next line was printed, and the line.
    #[track_caller]
    pub fn next(&self) -> (Instant, String) {
        self.lines.recv_timeout(PATIENCE).expect("a line is printed")
    }

    /// Fails if the next line does not hold `text`.
    #[track_caller]
    pub fn prints(&self, text: &str) -> String {
        let (_, line) = self.next();
        assert!(line.contains(text), "`{text}` is not in: {line}");
        line
    }

    fn is_silent(&self) -> bool {
        self.lines.recv_timeout(SECOND) == Err(RecvTimeoutError::Timeout)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it; fails if that takes long, or did not go well.
    pub fn end(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.ended(AT_ONCE).code(), Some(0));
    }

    #[track_caller]
    fn ended(&mut self, within: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < within, "it still runs after {within:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its processor time so far, in clock ticks of 10 ms, and its memory in kB.
    fn used(&self) -> (u64, u64) {
        let read = |file| fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        let stat = read("stat");
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        let status = read("status");
        // Of a program that is not optimised, what it has itself: its own text is as large again.
        let which = if cfg!(debug_assertions) { "RssAnon:" } else { "VmRSS:" };
        let memory = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        (ticks, memory.trim().strip_suffix(" kB").unwrap().parse().unwrap())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails if `condition` does not come true.
#[track_caller]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn line(number: usize) -> Vec<u8> {
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string();
    failure(&now, &format!("198.18.7.{}", number % 250), &format!("u{number}"))
}

fn users(sentinel: &Sentinel) -> Vec<String> {
    let who = sentinel.who_so_far().into_iter();
    who.map(|who| who.split_once(' ').unwrap().1.to_owned()).collect()
}

fn said(sentinel: &Sentinel) -> String {
    fs::read_to_string(sentinel.path("said")).unwrap()
}

/// A scene whose log has one line already, for a log without any is an error.
fn scene() -> Sentinel {
    Sentinel::default().file("mail.log", line(0))
}

#[test]
fn what_is_logged_is_recorded_and_printed_soon() {
    let sentinel = scene();
    let follower = Follower::of(&sentinel, &[]);
    follower.prints("u0");
    let mut latencies = Vec::new();
    let mut written = Vec::new();
    for number in 1..=300 {
        written.push(Instant::now());
        sentinel.append("mail.log", line(number));
        thread::sleep(Duration::from_millis(fastrand::u64(0..40)));
    }
    for (number, written) in (1..=300).zip(written) {
        let (printed, text) = follower.next();
        assert!(text.contains(&format!("\"u{number}\"")), "{text}");
        latencies.push(printed - written);
    }
    latencies.sort();
    // How soon is a matter of the machine: tests/follow/load.py --timed.
    assert!(latencies[150] < 5 * SECOND, "{latencies:?}");
    assert_eq!(users(&sentinel), (0..=300).map(|number| format!("u{number}")).collect::<Vec<_>>());
    follower.end();
}

#[test]
fn a_log_is_followed_through_rotations_of_each_kind() {
    let sentinel = scene();
    let follower = Follower::of(&sentinel, &[]);
    follower.prints("u0");
    let (log, rotated) = (sentinel.path("mail.log"), sentinel.path("mail.log.1"));
    // Renamed; a server writes on until it opens the new file.
    fs::rename(&log, &rotated).unwrap();
    sentinel.append("mail.log.1", line(1));
    follower.prints("u1");
    sentinel.append("mail.log", line(2));
    follower.prints("u2");
    // Copied and truncated, and the new content longer than the old one.
    fs::remove_file(&rotated).unwrap();
    fs::copy(&log, &rotated).unwrap();
    fs::File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    sentinel.append("mail.log", [line(3), line(4), line(5)].concat());
    for number in 3..6 {
        follower.prints(&format!("u{number}"));
    }
    // Compressed at once.
    let mut gzip = std::process::Command::new("gzip");
    sentinel.append("mail.log", line(6));
    fs::rename(&log, &rotated).unwrap();
    assert!(gzip.arg(&rotated).status().unwrap().success());
    follower.prints("u6");
    sentinel.append("mail.log", line(7));
    follower.prints("u7");
    assert!(follower.is_silent());
    assert_eq!(users(&sentinel).len(), 8);
    assert!(!said(&sentinel).contains("ERROR"), "{}", said(&sentinel));
    follower.end();
}

#[test]
fn a_log_that_comes_later_is_waited_for_and_that_is_said_once() {
    let sentinel = Sentinel::default();
    let log = sentinel.path("mail/mail.log").display().to_string();
    let sentinel = sentinel.set(format!("paths.mail_log={log}"));
    let follower = Follower::of(&sentinel, &[]);
    eventually("it is said", || said(&sentinel).contains("does not exist"));
    assert!(follower.is_silent());
    sentinel.write("mail/other", "");
    sentinel.write("mail/mail.log", line(1));
    follower.prints("u1");
    follower.end();
    assert_eq!(said(&sentinel).matches("does not exist").count(), 1, "{}", said(&sentinel));
}

#[test]
fn whatever_kills_it_nothing_is_lost_and_nothing_is_there_twice() {
    let sentinel = scene();
    let mut number = 1;
    for _ in 0..12 {
        let mut follower = Follower::of(&sentinel, &["--quiet"]);
        let ends = Instant::now() + Duration::from_millis(fastrand::u64(20..400));
        while Instant::now() < ends {
            sentinel.append("mail.log", line(number));
            number += 1;
            thread::sleep(Duration::from_millis(2));
        }
        follower.child.kill().unwrap();
        follower.ended(AT_ONCE);
    }
    let follower = Follower::of(&sentinel, &["--quiet"]);
    let expected: Vec<_> = (0..number).map(|number| format!("u{number}")).collect();
    eventually("all are recorded", || users(&sentinel) == expected);
    follower.end();
}

#[test]
fn it_and_other_runs_let_each_other_in() {
    let sentinel = scene();
    let follower = Follower::of(&sentinel, &["--quiet"]);
    let mut number = 1;
    for _ in 0..10 {
        for _ in 0..20 {
            sentinel.append("mail.log", line(number));
            number += 1;
            thread::sleep(Duration::from_millis(2));
        }
        // A disk that hangs may keep the lock from it for longer than it waits.
        let started = Instant::now();
        let mut ran = sentinel.run();
        while ran.status == Some(75) && started.elapsed() < PATIENCE {
            ran = sentinel.run();
        }
        ran.exits(0);
    }
    // While another run holds the lock, it waits, and then goes on.
    let lock = fs::File::open(sentinel.path("state/maillogsentinel.lock")).unwrap();
    lock.lock().unwrap();
    sentinel.append("mail.log", line(number));
    thread::sleep(SECOND);
    assert_eq!(users(&sentinel).len(), number);
    drop(lock);
    eventually("the last is recorded", || users(&sentinel).len() == number + 1);
    let report = sentinel.command(&["--report", "--date", "today", "--output", "-"]).output();
    assert!(report.unwrap().status.success());
    follower.end();
    let expected: Vec<_> = (0..=number).map(|number| format!("u{number}")).collect();
    assert_eq!(users(&sentinel), expected);
    assert!(!said(&sentinel).contains("another run"), "{}", said(&sentinel));
}

#[test]
fn after_a_reset_all_is_recorded_anew() {
    let sentinel = scene();
    let follower = Follower::of(&sentinel, &[]);
    follower.prints("u0");
    let backup = sentinel.path("backup").display().to_string();
    fs::create_dir(&backup).unwrap();
    let reset = sentinel.command(&["--reset", "--yes", "--backup-dir", &backup]).output().unwrap();
    assert!(reset.status.success(), "{reset:?}");
    sentinel.append("mail.log", line(1));
    follower.prints("u0");
    follower.prints("u1");
    assert_eq!(users(&sentinel), ["u0", "u1"]);
    follower.end();
}

#[test]
fn it_ends_at_once_and_in_order_when_it_is_told_to() {
    let sentinel = scene();
    for (number, signal) in [(1, Signal::TERM), (2, Signal::INT)] {
        let mut follower = Follower::of(&sentinel, &["--quiet"]);
        // It heeds signals before it reads.
        sentinel.append("mail.log", line(number));
        eventually("it is at work", || users(&sentinel).len() == number + 1);
        follower.signal(signal);
        assert_eq!(follower.ended(AT_ONCE).code(), Some(0), "{}", said(&sentinel));
    }
    assert_eq!(users(&sentinel), ["u0", "u1", "u2"]);
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let sentinel = scene();
    let mut child = sentinel.command(&["--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    drop(reader);
    let mut follower = Follower { child, lines: channel().1 };
    assert_eq!(follower.ended(AT_ONCE).code(), Some(0));
}

#[test]
fn who_does_not_read_keeps_nothing_from_being_recorded() {
    let sentinel = scene();
    let child = sentinel.command(&["--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut follower = Follower { child, lines: channel().1 };
    let count = 5000;
    for first in (1..count).step_by(500) {
        let lines: Vec<_> = (first..(first + 500).min(count)).map(line).collect();
        sentinel.append("mail.log", lines.concat());
        thread::sleep(Duration::from_millis(50));
    }
    eventually("all are recorded", || users(&sentinel).len() == count);
    let printed = BufReader::new(follower.child.stdout.take().unwrap());
    for (number, text) in printed.lines().take(count).enumerate() {
        let text = text.unwrap();
        assert!(text.contains(&format!("\"u{number}\"")), "{number}: {text}");
    }
}

#[test]
fn idle_it_takes_no_time_and_little_memory_whatever_came_before() {
    // Hundreds of thousands of lines to begin with, and databases of a usual size.
    let other =
        b"Nov 24 10:00:00 mx1 postfix/qmgr[8]: 4F00A: from=<a@example.org>, size=1, nrcpt=1\n";
    let mut log = other.repeat(300_000);
    (0..20_000).for_each(|number| log.extend_from_slice(&line(number)));
    let sentinel = Sentinel::default().file("mail.log", log);
    let mut ranges = String::new();
    for number in 0..400_000_u32 {
        let (start, network) = (number << 12, number % 65_000);
        let [start, end] = [start, start + 4095].map(std::net::Ipv4Addr::from);
        writeln!(ranges, "{start},{end},{},\"Organisation {network}\"", network + 1).unwrap();
    }
    sentinel.write("asn.csv", ranges);
    // As the service has it.
    let unit = include_str!("../../packaging/systemd/maillogsentinel-follow.service");
    let variables =
        unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let variables: Vec<_> = variables.collect();
    let follower = Follower::with(&sentinel, &["--quiet"], &variables);
    eventually("all are recorded", || users(&sentinel).len() == 20_000);
    eventually("all are judged", || {
        sentinel.ask_store("SELECT last_failure FROM judgement") == "20000"
    });
    for number in 0..5 {
        sentinel.append("mail.log", line(number));
        thread::sleep(Duration::from_millis(400));
    }
    eventually("these are, too", || {
        sentinel.ask_store("SELECT last_failure FROM judgement") == "20005"
    });
    // What it still had to do may fall into the first of them, if the disk is busy.
    let ticks: Vec<_> = std::iter::repeat_with(|| {
        let (before, _) = follower.used();
        thread::sleep(3 * SECOND);
        follower.used().0 - before
    })
    .take(5)
    .take_while(|ticks| *ticks > 1)
    .collect();
    assert!(ticks.len() < 5, "ticks in 3 s, five times: {ticks:?}");
    let (_, memory) = follower.used();
    // The text of one that is optimised takes less than the other half.
    let most = if cfg!(debug_assertions) { 10_000 } else { 20_000 };
    assert!(memory < most, "{memory} kB");
    follower.end();
}

#[test]
fn each_line_of_json_is_a_document_in_the_terms_of_ecs() {
    let sentinel = scene();
    // Quiet, as docs/follow.md has it for what ships events.
    let follower = Follower::of(&sentinel, &["--json", "--quiet"]);
    let document = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    follower.next();
    let stamp = "2026-11-24T10:00:00.123456+01:00";
    sentinel.append("mail.log", failure(stamp, "198.18.7.9", "bob\x1b[2J\u{202e}"));
    let (_, text) = follower.next();
    assert!(!text.contains(['\x1b', '\u{202e}']));
    let expected = json!({
        "@timestamp": "2026-11-24T09:00:00Z",
        "ecs": { "version": "8.17.0" },
        "event": {
            "kind": "event",
            "category": ["authentication"],
            "type": ["start"],
            "action": "login",
            "outcome": "failure",
            "reason": "(reason unavailable)",
            "module": "maillogsentinel",
            "dataset": "maillogsentinel.login",
            "sequence": 2,
        },
        "host": { "name": "mx1" },
        "service": { "name": "postfix/submission" },
        "source": {
            "ip": "198.18.7.9",
            "geo": { "country_iso_code": "CH" },
            "as": { "number": 64511, "organization": { "name": "Test; Net, Inc." } },
        },
        "user": { "name": "bob\\x1b[2J\\xe2\\x80\\xae" },
        "related": {
            "ip": ["198.18.7.9"],
            "user": ["bob\\x1b[2J\\xe2\\x80\\xae"],
            "hosts": ["mx1"],
        },
        "maillogsentinel": { "mechanism": "LOGIN", "reverse_dns_status": "Errno 4" },
    });
    assert_eq!(document(text), expected);
    // What is not known is left out.
    sentinel.append("mail.log", failure(stamp, "203.0.113.9", "(unavailable)"));
    let last = document(follower.next().1);
    assert_eq!(last["source"], json!({ "ip": "203.0.113.9" }));
    assert_eq!((last.get("user"), last["related"].get("user")), (None, None));
    follower.end();
}

#[test]
fn people_read_who_tried_whom_and_no_escape_reaches_their_terminal() {
    let sentinel = scene();
    let follower = Follower::of(&sentinel, &[]);
    follower.next();
    let hostile = "bob\x1b]0;x\x07\u{202e}";
    sentinel.append("mail.log", failure("2026-11-24T10:00:00+00:00", "198.18.7.9", hostile));
    let line = follower.prints(
        "2026-11-24 10:00:00 mx1 postfix/submission LOGIN 198.18.7.9 \
         \"bob\\x1b]0;x\\x07\\xe2\\x80\\xae\" (CH, AS64511 Test; Net, Inc.)",
    );
    assert!(!line.contains(char::is_control));
    follower.end();
    sentinel.append("mail.log", failure("2026-11-24T10:00:01+00:00", "198.18.7.9", "eve"));
    let follower = Follower::of(&sentinel, &["--color", "always"]);
    follower.prints("\x1b[1m198.18.7.9\x1b[0m");
    follower.end();
}

/// What a socket was told until `text` came.
#[track_caller]
fn told(socket: &UnixDatagram, text: &str) -> String {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect(text);
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if message.contains(text) {
            return message;
        }
    }
}

#[test]
fn systemd_is_told_that_it_is_ready_what_it_does_and_that_it_is_alive() {
    let sentinel = scene();
    let path = sentinel.path("notify");
    let name = format!("maillogsentinel-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let sockets = [
        (UnixDatagram::bind(&path).unwrap(), path.display().to_string()),
        (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}")),
    ];
    for (socket, name) in sockets {
        let variables = [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "600000")];
        let has_store = sentinel.path("state/maillogsentinel.db").exists();
        let follower = Follower::with(&sentinel, &["--quiet"], &variables);
        told(&socket, "READY=1");
        if has_store {
            // To bring a large one up to date may take longer.
            told(&socket, "WATCHDOG_USEC=3600000000");
            told(&socket, "WATCHDOG_USEC=600000");
        }
        told(&socket, "STATUS=Following");
        let started = Instant::now();
        (0..4).for_each(|_| drop(told(&socket, "WATCHDOG=1")));
        assert!(started.elapsed() < AT_ONCE, "every 200 ms");
        let before = users(&sentinel).len();
        sentinel.append("mail.log", line(before));
        told(&socket, "STATUS=Following; ");
        follower.end();
    }
}

#[test]
fn a_hangup_makes_it_read_the_configuration_again_unless_that_is_wrong() {
    let sentinel = scene().file("other.log", line(1));
    let follower = Follower::of(&sentinel, &[]);
    follower.prints("u0");
    let path = sentinel.path("maillogsentinel.conf");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("/mail.log", "/other.log")).unwrap();
    follower.signal(Signal::HUP);
    follower.prints("u1");
    fs::write(&path, format!("{config}[report]\nsmtp_port = many\n")).unwrap();
    follower.signal(Signal::HUP);
    eventually("it is told", || said(&sentinel).contains("what it was before still holds"));
    assert!(said(&sentinel).contains("smtp_port"), "{}", said(&sentinel));
    sentinel.append("other.log", line(2));
    follower.prints("u2");
    follower.end();
}

#[test]
fn trouble_is_said_once_and_its_end_too() {
    let sentinel = scene();
    fs::create_dir_all(sentinel.path("work/maillogsentinel.csv")).unwrap();
    let follower = Follower::of(&sentinel, &[]);
    for number in 1..20 {
        sentinel.append("mail.log", line(number));
        thread::sleep(Duration::from_millis(150));
    }
    eventually("it is said", || said(&sentinel).contains("ERROR"));
    assert_eq!(said(&sentinel).matches("ERROR").count(), 1, "{}", said(&sentinel));
    fs::remove_dir(sentinel.path("work/maillogsentinel.csv")).unwrap();
    eventually("it works again", || said(&sentinel).contains("Works again"));
    assert_eq!(users(&sentinel).len(), 20);
    follower.end();
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let sentinel = scene().set("paths.mail_log=-");
    let mut follower = Follower::of(&sentinel, &[]);
    assert_eq!(follower.ended(PATIENCE).code(), Some(78));
    assert!(said(&sentinel).contains("standard input cannot be followed"));
    let sentinel = scene().set("report.smtp_port=many");
    assert_eq!(Follower::of(&sentinel, &[]).ended(PATIENCE).code(), Some(78));
}

/// Answers each question for a name after `delay`: slow.example.net.
fn slow_name_server(delay: Duration) -> std::net::SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            // RFC 1035: the question, then a record with its name, of type PTR and class IN.
            let mut answer = buffer[..length].to_vec();
            answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
            answer.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, 18]);
            answer.extend(b"\x04slow\x07example\x03net\0");
            let socket = socket.try_clone().unwrap();
            thread::spawn(move || {
                thread::sleep(delay);
                let _ = socket.send_to(&answer, client);
            });
        }
    });
    address
}

#[test]
fn a_slow_name_server_holds_up_nothing_and_later_rows_have_the_name() {
    let server = slow_name_server(3 * SECOND);
    let sentinel = scene()
        .set("dns.enabled=true")
        .set("dns.timeout_ms=20000")
        .set(format!("dns.nameservers={server}"));
    let follower = Follower::of(&sentinel, &[]);
    follower.prints("u0");
    thread::sleep(SECOND / 2);
    let stamp = "2026-11-24T10:00:00+00:00";
    sentinel.append("mail.log", failure(stamp, "198.18.7.9", "bob"));
    let (_, text) = follower.next();
    assert!(!text.contains("slow"), "its name was waited for: {text}");
    eventually("its name is known", || {
        sentinel.append("mail.log", failure(stamp, "198.18.7.9", "bob"));
        follower.next().1.contains("(slow.example.net, CH")
    });
    follower.end();
    let rows = sentinel.rows();
    assert!(
        rows.contains("bob;null;Errno 2;CH") && rows.contains("bob;slow.example.net;OK;CH"),
        "{rows}"
    );
}
