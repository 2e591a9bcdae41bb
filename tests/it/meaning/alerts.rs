//! Alerts: what leaves at once, by which ways, and what is said where it cannot.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{COUNTRIES, DAY, ago, guessed, success};
use crate::authority::{Authority, pair};
use crate::http;
use crate::sentinel::{Ran, Sentinel, failure};
use crate::smtp::{SILENT, Smtp};
use crate::tls;

#[test]
fn an_alert_leaves_once_by_each_way_and_is_tried_until_it_does() {
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let server = http::Server::new(move |_, stream| {
        // The first time it is out of order.
        let status = if seen.fetch_add(1, Ordering::SeqCst) == 0 { "503 No" } else { "200 OK" };
        let _ =
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .set(format!("alert.webhook={}", server.url("/secret-token")));
    let taken = sentinel.path("taken");
    let sentinel = sentinel
        .file("take", format!("#!/bin/sh\ncat >> {}\n", taken.display()))
        .set("alert.mail=false");
    let program = sentinel.path("take");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sentinel = sentinel.set(format!("alert.command={}", program.display()));
    let ran = sentinel.run().exits(1);
    assert!(ran.stderr.contains("did not leave by webhook: the server says 503"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret-token"), "{}", ran.stderr);
    sentinel.run().exits(0);
    sentinel.run().exits(0);
    assert_eq!(calls.load(Ordering::SeqCst), 2, "tried again once, and then never");
    let requests = server.requests();
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    let given = fs::read_to_string(&taken).unwrap();
    assert_eq!(given.lines().count(), 1, "{given}");
    let alert: Value = serde_json::from_str(&given).unwrap();
    assert_eq!((&alert["account"], &alert["severity"]), (&"alice".into(), &"high".into()));
}

/// Two passwords are guessed, each from a place of its own.
fn two_guessed() -> Sentinel {
    let thieves = [("alice", "203.0.113.77"), ("bob", "198.51.100.77")];
    let mut log = Vec::new();
    for day in (1..=10).rev() {
        for (user, _) in thieves {
            log.extend(success(&ago(day * DAY), "198.18.7.5", user));
        }
    }
    for minute in 0..41 {
        for (user, address) in thieves {
            log.extend(failure(&ago(120 - minute), address, user));
        }
    }
    for (user, address) in thieves {
        log.extend(success(&ago(60), address, user));
    }
    let countries = format!("{COUNTRIES}198.51.100.0,198.51.100.255,BR\n");
    Sentinel::default().file("country.csv", countries).file("mail.log", log)
}

#[test]
fn a_way_that_fails_is_not_tried_again_for_each_finding_of_a_run() {
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let server = http::Server::new(move |_, stream| {
        // The first time it is out of order.
        let status = if seen.fetch_add(1, Ordering::SeqCst) == 0 { "503 No" } else { "200 OK" };
        let _ = stream.write_all(&http::response(status, &[], b""));
    });
    let sentinel = two_guessed().set(format!("alert.webhook={}", server.url("/x")));
    let told =
        "the server says 503; it is tried again by the next run, as is the other one that waits";
    let ran = sentinel.run().exits(1).says(told).says("see what is wrong with that server");
    assert_eq!(ran.stderr.matches("did not leave by webhook").count(), 1, "{}", ran.stderr);
    assert_eq!(calls.load(Ordering::SeqCst), 1, "it is asked once in this run");
    sentinel.run().exits(0);
    sentinel.run().exits(0);
    assert_eq!(calls.load(Ordering::SeqCst), 3, "both leave with the next run, and once");
    let keys: Vec<_> =
        server.requests().iter().map(|it| it.header("idempotency-key").to_owned()).collect();
    assert!(keys[1] != keys[2] && keys[1..].contains(&keys[0]), "{keys:?}");
}

#[test]
fn a_mail_server_that_fails_is_asked_once_a_run() {
    let server = Smtp::new(&[("MAIL", "451 later")]);
    let sentinel = two_guessed()
        .set("report.email=bob@example.org")
        .set("report.sender_override=sentinel@example.org")
        .set("report.smtp_host=127.0.0.1")
        .set(format!("report.smtp_port={}", server.port));
    (1..=10).for_each(|day| {
        sentinel.append("mail.log", success(&ago(day * DAY), "198.18.7.5", "carol"));
    });
    let asked = || server.heard().commands.iter().filter(|it| it.starts_with("MAIL")).count();
    sentinel.run().exits(1);
    assert_eq!((asked(), &*sentinel.ask_store("SELECT count(*) FROM outbox")), (1, "2"));
    sentinel.run().exits(1);
    assert_eq!((asked(), &*sentinel.ask_store("SELECT count(*) FROM outbox")), (2, "2"));
    // Nor twice if there is something new beside what waits.
    for minute in 0..41 {
        sentinel.append("mail.log", failure(&ago(45 - minute), "203.0.113.178", "carol"));
    }
    sentinel.append("mail.log", success(&ago(1), "203.0.113.178", "carol"));
    sentinel.run().exits(1);
    assert_eq!((asked(), &*sentinel.ask_store("SELECT count(*) FROM outbox")), (3, "3"));
}

#[test]
fn who_is_told_to_end_does_not_wait_for_a_webhook() {
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let is_over = over.clone();
    let hangs = http::Server::new(move |_, _| {
        eventually("the test is over", &|| is_over.load(Ordering::SeqCst));
    });
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .set(format!("alert.webhook={}", hangs.url("/")));
    let mut child = sentinel.command(&["-q"]).spawn().unwrap();
    eventually("it is told", &|| !hangs.requests().is_empty());
    let began = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    // A second, where no other tests are busy.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Nobody knows whether it was taken: the next one says it again.
    let takes = http::Server::new(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let sentinel = sentinel.set(format!("alert.webhook={}", takes.url("/")));
    sentinel.run().exits(0);
    let key = |server: &http::Server| server.requests()[0].header("idempotency-key").to_owned();
    assert_eq!(key(&takes), key(&hangs));
    over.store(true, Ordering::SeqCst);
}

#[test]
fn what_is_logged_is_recorded_while_a_mail_server_thinks() {
    let hangs = Smtp::new(&[("MAIL", SILENT)]);
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .set("report.email=admin@example.org")
        .set("report.smtp_security=none")
        .set(format!("report.smtp_port={}", hangs.port));
    let _follower = Killed(sentinel.command(&["--follow", "-q"]).spawn().unwrap());
    eventually("it is asked", &|| hangs.heard().commands.iter().any(|it| it.starts_with("MAIL")));
    sentinel.append("mail.log", failure(&ago(0), "203.0.113.200", "late"));
    let began = Instant::now();
    eventually("it is recorded", &|| {
        sentinel.who_so_far().iter().any(|it| it == "203.0.113.200 late")
    });
    // The server has a minute.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    sentinel.append("mail.log", failure(&ago(0), "203.0.113.200", "later"));
    Ran::of(&mut sentinel.command(&["--set", "report.email="])).exits(0);
}

#[test]
fn what_a_killed_process_was_sending_is_sent_without_news() {
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", guessed());
    sentinel.run().exits(0);
    let taken = sentinel.path("taken");
    let sentinel = sentinel.file("take", format!("#!/bin/sh\ncat >> {}\n", taken.display()));
    let program = sentinel.path("take");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Four minutes later, another process may try.
    sentinel.ask_store(
        "INSERT INTO alert VALUES (1, 'command', unixepoch() - 235, NULL, 'it is being sent') RETURNING 1",
    );
    let sentinel = sentinel.set(format!("alert.command={}", program.display()));
    let _follower = Killed(sentinel.command(&["--follow", "-q"]).spawn().unwrap());
    // Lines that are about nobody wake it; it looks once a minute anyway.
    let other = b"Nov 24 10:00:00 mx1 postfix/qmgr[8]: 4F00A: removed\n";
    eventually("the alert", &|| {
        sentinel.append("mail.log", other);
        fs::read_to_string(&taken).is_ok_and(|text| text.ends_with('\n'))
    });
}

#[test]
fn a_command_ends_with_who_follows_and_is_started_again() {
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", guessed());
    let [begun, taken] = ["begun", "taken"].map(|name| sentinel.path(name));
    let script = format!(
        "#!/bin/sh\n[ -e {0} ] || {{ : > {0}; sleep 60; }}\ncat >> {1}\n",
        begun.display(),
        taken.display()
    );
    let sentinel = sentinel.file("take", script);
    let program = sentinel.path("take");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sentinel = sentinel.set(format!("alert.command={}", program.display()));
    let mut child = sentinel.command(&["--follow", "-q"]).spawn().unwrap();
    eventually("it is started", &|| begun.exists());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let trouble = sentinel.ask_store("SELECT trouble FROM alert");
    assert_eq!((&*trouble, taken.exists()), ("the run was told to end", false));
    sentinel.run().exits(0);
    assert_eq!(fs::read_to_string(&taken).unwrap().lines().count(), 1);
}

#[test]
fn who_closes_a_finding_waits_for_who_writes() {
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", guessed());
    sentinel.run().exits(0);
    let store = rusqlite::Connection::open(sentinel.path("state/maillogsentinel.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ack = sentinel.command(&["findings", "ack", "1"]).spawn().unwrap();
    let allow = sentinel.command(&["allow", "add", "bob"]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    store.execute_batch("ROLLBACK").unwrap();
    for mut child in [ack, allow] {
        assert!(child.wait().unwrap().success());
    }
    Ran::of(&mut sentinel.command(&["findings"])).exits(0);
}

#[test]
fn an_error_of_the_command_names_it_and_says_what_to_do() {
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .set("alert.command=/nowhere/take it");
    let absent = "did not leave by command: `[alert] command` /nowhere/take: there is no such file";
    sentinel.run().exits(1).says(absent).says("set `command` in section [alert]");
    let sentinel = sentinel.set("alert.command=false");
    let failed = "bin/false: it ended with exit status: 1";
    sentinel.run().exits(1).says(failed).says("run it by hand").says("doctor --send-test");
}

#[test]
fn a_webhook_that_is_no_url_is_a_mistake_of_the_configuration() {
    for wrong in [
        "hooks.example.org/secret-token",
        "ftp://example.org/secret-token",
        "https:///secret-token",
        "http://:80/secret-token",
        "https://exa mple.org/secret-token",
    ] {
        let mistake = "`webhook` in section [alert] cannot be `(hidden)`\n  hint: allowed: a URL";
        // Nothing was found, and no alert has to leave.
        let sentinel = Sentinel::default().file("mail.log", failure(&ago(9), "192.0.2.1", "x"));
        let setting = format!("alert.webhook={wrong}");
        let ran = Ran::of(&mut sentinel.command(&["--set", &setting])).exits(78);
        let ran = ran.says(&format!("--set alert.webhook: {mistake}"));
        assert!(!ran.stderr.contains("secret-token"), "{}", ran.stderr);
        sentinel.append("maillogsentinel.conf", format!("[alert]\nwebhook = {wrong}\n"));
        let ran = sentinel.run().exits(78).says(&format!("maillogsentinel.conf:16: {mistake}"));
        assert!(!ran.stderr.contains("secret-token"), "{}", ran.stderr);
    }
    let sentinel = Sentinel::default().set("alert.webhook_shape=teams");
    sentinel.run().exits(78).says("allowed: one of json, slack, ntfy, gotify, matrix");
}

#[test]
fn a_webhook_by_https_is_told_only_if_its_certificate_is_good() {
    let authority = Authority::new();
    let server = http::Server::fixed(http::response("200 OK", &[], b""));
    let port = tls::in_front_of(server.address(), pair(&authority.sign("DNS:localhost", 2)));
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .set("alert.mail=false")
        .set(format!("alert.webhook=https://localhost:{port}/secret-token"));
    // This machine does not know the authority.
    let ran = sentinel.run().exits(1).says("did not leave by webhook").says("UnknownIssuer");
    assert!(!ran.stderr.contains("secret-token"), "{}", ran.stderr);
    assert_eq!(server.requests().len(), 0);
    let told = || {
        let mut run = sentinel.command(&[]);
        run.env("SSL_CERT_FILE", authority.certificate()).env_remove("SSL_CERT_DIR");
        Ran::of(&mut run)
    };
    told().exits(0);
    told().exits(0);
    assert_eq!(
        server.requests().iter().map(|it| &*it.target).collect::<Vec<_>>(),
        ["/secret-token"]
    );
}

#[test]
fn a_file_of_the_webhook_that_holds_no_url_is_named_and_not_shown() {
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .file("url", "hooks.example.org/secret-token\n");
    let setting = format!("alert.webhook_file={}", sentinel.path("url").display());
    let sentinel = sentinel.set(setting);
    let wrong =
        format!("{}: `webhook_file` must hold one line, a URL", sentinel.path("url").display());
    let ran = sentinel.run().exits(1).says(&wrong);
    fs::remove_file(sentinel.path("url")).unwrap();
    sentinel.run().exits(1).says("cannot read the webhook's URL of `webhook_file`: No such file");
    let log = fs::read_to_string(sentinel.path("operational.log")).unwrap();
    assert!(!(ran.stderr + &log).contains("secret-token"), "{log}");
}

#[test]
fn what_happened_long_ago_is_no_alert() {
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES);
    let mut log = Vec::new();
    for day in (30..=40).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice"));
    }
    for minute in 0..41 {
        log.extend(failure(&ago(29 * DAY - minute), "203.0.113.77", "alice"));
    }
    log.extend(success(&ago(28 * DAY), "203.0.113.77", "alice"));
    let sentinel = sentinel.file("mail.log", log).set("alert.command=/bin/false");
    sentinel.run().exits(0);
    Ran::of(&mut sentinel.command(&["findings"])).exits(1);
}

#[test]
fn who_follows_the_log_is_alerted_while_it_does() {
    let mut log = guessed();
    let end = success(&ago(60), "203.0.113.77", "alice");
    log.truncate(log.len() - end.len());
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    let taken = sentinel.path("taken");
    let sentinel = sentinel.file("take", format!("#!/bin/sh\ncat >> {}\n", taken.display()));
    let program = sentinel.path("take");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sentinel = sentinel.set(format!("alert.command={}", program.display()));
    let _follower = Killed(sentinel.command(&["--follow", "-q"]).spawn().unwrap());
    eventually("it follows", &|| sentinel.path("work/maillogsentinel.csv").exists());
    assert!(!taken.exists());
    sentinel.append("mail.log", success(&ago(0), "203.0.113.77", "alice"));
    eventually("the alert", &|| fs::read_to_string(&taken).is_ok_and(|text| text.ends_with('\n')));
}

#[test]
fn who_follows_the_log_sends_what_no_server_took() {
    let refusing = Smtp::new(&[("MAIL", "451 later")]);
    let log = [failure(&ago(400 * DAY), "203.0.113.5", "forgotten"), guessed()].concat();
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    // Nobody is told of what it finds yet.
    sentinel.run().exits(0);
    let sentinel = sentinel
        .set("retention.keep_events=365")
        .set("report.email=admin@example.org")
        .set("report.smtp_security=none")
        .set(format!("report.smtp_port={}", refusing.port));
    let follower = Killed(sentinel.command(&["--follow", "-q"]).spawn().unwrap());
    eventually("it is tried", &|| !refusing.heard().commands.is_empty());
    let old = "SELECT count(*) FROM failure WHERE user = 'forgotten'";
    eventually("what is too old is forgotten", &|| sentinel.ask_store(old) == "0");
    drop(follower);
    let taking = Smtp::new(&[]);
    let sentinel = sentinel.set(format!("report.smtp_port={}", taking.port));
    let _follower = Killed(sentinel.command(&["--follow", "-q"]).spawn().unwrap());
    eventually("the alert", &|| taking.heard().messages.len() == 1);
    let message = String::from_utf8(taking.message()).unwrap();
    assert!(message.contains("ACCOUNT alice PROBABLY STOLEN"), "{message}");
}

/// Fails if something does not come true.
fn eventually(what: &str, is: &dyn Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(90), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A process that ends with its test, however that ends.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
