//! `doctor`: each kind of trouble, made for real, gives its line, its cure and the exit status; a healthy
//! scene gives none; and nothing on the disk is changed by looking at it.

use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{Span, Timestamp};
use rusqlite::Connection;
use rustix::fs::{CWD, FileType, FlockOperation, flock, mknodat};
use serde_json::Value;

use crate::disk_full::mount;
use crate::dnsmasq::Dnsmasq;
use crate::http;
use crate::sentinel::{Ran, Sentinel, failure};
use crate::service_user::{GROUP, USER, scene as service, with_account};
use crate::smtp::Smtp;

const STORE: &str = "state/maillogsentinel.db";
const CSV: &str = "work/maillogsentinel.csv";

/// The present, less so many hours, as a stamp of a log line.
fn hours_ago(hours: i64) -> String {
    let time = Timestamp::now().checked_sub(Span::new().hours(hours)).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// All is well, and a run was: the configuration and a mail server that takes reports.
fn healthy(server: &Smtp) -> Sentinel {
    let sentinel = service()
        .set("report.email=bob@example.org, carol@example.org")
        .set("report.sender_override=sentinel@example.org")
        .set("report.smtp_host=127.0.0.1")
        .set(format!("report.smtp_port={}", server.port));
    let databases = ["country.csv", "asn.csv"].map(|name| {
        let path = sentinel.path("state").join(name);
        fs::rename(sentinel.path(name), &path).unwrap();
        path.display().to_string()
    });
    let sentinel = sentinel
        .set(format!("geolocation.country_db_path={}", databases[0]))
        .set(format!("ASN_ASO.asn_db_path={}", databases[1]));
    chown(sentinel.path("maillogsentinel.conf"), Some(0), Some(GROUP)).unwrap();
    fs::set_permissions(sentinel.path("maillogsentinel.conf"), Permissions::from_mode(0o640))
        .unwrap();
    sentinel.write("mail.log", failure(&hours_ago(1), "198.18.7.9", "a"));
    sentinel.run().exits(0);
    sentinel
}

/// Path, mode, owner, size, and times of change of all that is there.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let it = entry.path().symlink_metadata().unwrap();
            if it.is_dir() {
                folders.push(entry.path());
            }
            let times = [it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec()];
            let (path, mode, owner, size) = (entry.path(), it.mode(), it.uid(), it.size());
            found.push(format!("{} {mode:o} {owner} {size} {times:?}", path.display()));
        }
    }
    found.sort();
    found
}

/// Runs `doctor`, which must leave everything as it is.
fn doctor(sentinel: &Sentinel, arguments: &[&str]) -> Ran {
    let before = tree(&sentinel.path(""));
    let ran = Ran::of(&mut sentinel.command(&[&["doctor"], arguments].concat()));
    assert_eq!(tree(&sentinel.path("")), before);
    assert!(!ran.stdout.contains(|c: char| c.is_control() && c != '\n'), "{:?}", ran.stdout);
    ran
}

/// The line that starts with `start` and holds `text`, with its hint.
#[track_caller]
fn finding(ran: &Ran, start: &str, text: &str) -> String {
    let lines: Vec<_> = ran.stdout.lines().collect();
    let at = lines.iter().position(|line| line.starts_with(start) && line.contains(text));
    let at = at
        .unwrap_or_else(|| panic!("no `{start}` with `{text}` in:\n{}{}", ran.stdout, ran.stderr));
    let hint = lines.get(at + 1).and_then(|line| line.strip_prefix("  hint: "));
    format!("{}\n{}", lines[at], hint.unwrap_or_default())
}

/// A trouble: what makes it, its group, what is said of it, and its cure.
type Trouble<'a> = (&'a dyn Fn(Sentinel) -> Sentinel, &'a str, &'a str, &'a str);

/// Each trouble by itself gives a line of this level and the exit status.
fn troubles(level: &str, troubles: &[Trouble]) {
    let server = Smtp::new(&[]);
    for (make, about, what, cure) in troubles {
        let sentinel = make(healthy(&server));
        let ran = doctor(&sentinel, &["-q"]);
        let status = if level == "error" { 2 } else { 1 };
        let told = finding(&ran, &format!("{level:7} {about}: "), what);
        assert!(told.split_once('\n').unwrap().1.contains(cure), "{cure}: {told}");
        let ran = ran.exits(status);
        // It brings no others with it.
        assert_eq!(
            ran.stdout.lines().filter(|line| !line.starts_with("  hint: ")).count(),
            1,
            "{ran:?}"
        );
        assert_eq!(ran.stderr, "");
    }
}

fn shut(sentinel: &Sentinel, name: &str, mode: u32) {
    fs::set_permissions(sentinel.path(name), Permissions::from_mode(mode)).unwrap();
}

fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    mknodat(CWD, path, FileType::Fifo, 0o666.into(), 0).unwrap();
    chown(path, Some(USER), Some(GROUP)).unwrap();
}

#[test]
fn a_healthy_scene_has_nothing_wrong() {
    with_account("doctor::a_healthy_scene_has_nothing_wrong", || {
        let server = Smtp::new(&[]);
        let sentinel = healthy(&server);
        let before = server.heard().commands.len();
        let ran = doctor(&sentinel, &[]).exits(0).prints("0 errors, 0 warnings; ");
        for (start, text) in [
            ("ok      configuration: ", "no mistakes"),
            (
                "ok      configuration: ",
                "runs are user maillogsentinel's, of groups adm, maillogsentinel",
            ),
            ("ok      secrets: ", "closed to others"),
            ("ok      folders: ", "user maillogsentinel can write"),
            ("ok      disk: ", "MiB are free"),
            ("ok      sources: ", "mail.log: the last line is 60 minutes old"),
            ("unknown clock: ", "without systemd"),
            ("unknown timers: ", "without systemd"),
            ("ok      lock: ", "the last run started "),
            ("ok      records: ", "1 failed logins, no damage"),
            ("ok      records: ", "has its header"),
            ("ok      addresses: ", "countries of "),
            ("ok      names: ", "not asked"),
            (
                "ok      mail: ",
                "takes mail from sentinel@example.org to bob@example.org, carol@example.org",
            ),
            ("ok      alerts: ", "they leave by mail only, which fails with this server"),
            ("ok      sql: ", "not used"),
        ] {
            finding(&ran, start, text);
        }
        let heard = server.heard();
        let said = heard.commands[before..].iter().map(|it| it.split(' ').next().unwrap());
        assert_eq!(said.collect::<Vec<_>>(), ["EHLO", "MAIL", "RCPT", "RCPT", "RSET", "QUIT"]);
        assert!(heard.messages.is_empty());
        assert_eq!(doctor(&sentinel, &["-q"]).exits(0).stdout, "");
        assert_eq!(doctor(&sentinel, &["-q", "--json"]).exits(0).stdout, "[]\n");
        // Before the first run nothing is there, and nothing is made.
        for made in ["work", "state"] {
            for entry in fs::read_dir(sentinel.path(made)).unwrap().map(Result::unwrap) {
                let name = entry.file_name();
                if name != "country.csv" && name != "asn.csv" {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        let ran = doctor(&sentinel, &[]).exits(0);
        finding(&ran, "unknown records: ", "maillogsentinel.db: not there yet");
        finding(&ran, "unknown lock: ", "nothing has run yet");
    });
}

#[test]
fn a_test_message_is_sent_if_asked_for() {
    with_account("doctor::a_test_message_is_sent_if_asked_for", || {
        let server =
            Smtp::new(&[(".", "250 2.0.0 queued as 4XyZ"), ("RCPT TO:<carol", "550 unknown")]);
        let sentinel = healthy(&server);
        let ran = doctor(&sentinel, &["--send-test"]).exits(2);
        let what = "from sentinel@example.org to bob@example.org was sent; 127.0.0.1:";
        let told = finding(&ran, "ok      mail: a test message ", what);
        assert!(told.contains(" answers: 250 2.0.0 queued as 4XyZ"), "{told}");
        finding(&ran, "error   mail: ", "refuses mail to carol@example.org: 550 unknown");
        let message = String::from_utf8(server.message()).unwrap();
        assert!(message.contains("Subject: [MailLogSentinel] Test message of MailLogSentinel on "));
        assert!(message.contains("This is a test message."), "{message}");
    });
}

/// Makes trouble of common kinds.
fn mode(name: &'static str, mode: u32) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        shut(&sentinel, name, mode);
        sentinel
    }
}

fn owner(name: &'static str, user: u32, group: u32) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        chown(sentinel.path(name), Some(user), Some(group)).unwrap();
        sentinel
    }
}

fn content(name: &'static str, bytes: impl AsRef<[u8]>) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| sentinel.file(name, &bytes)
}

fn pipe_at(name: &'static str) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        pipe(&sentinel.path(name));
        sentinel
    }
}

fn set(setting: impl Into<String>) -> impl Fn(Sentinel) -> Sentinel {
    let setting = setting.into();
    move |sentinel| sentinel.set(setting.clone())
}

fn added(text: &'static str) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        sentinel.append("maillogsentinel.conf", text);
        sentinel
    }
}

#[test]
fn what_is_wrong_with_the_configuration_is_told() {
    with_account("doctor::what_is_wrong_with_the_configuration_is_told", || {
        let conf = "maillogsentinel.conf";
        let exposed = |sentinel: Sentinel| {
            mode(conf, 0o644)(added("[report]\nsmtp_password = hunter2\n")(sentinel))
        };
        let secret = |sentinel: Sentinel| {
            let path = sentinel.path("se cret");
            let setting = format!("report.smtp_password_file={}", path.display());
            sentinel.file("se cret", "x\n").set(setting)
        };
        let what = ": the file holds a secret and others can read it";
        let empty_journal = |scene: Sentinel| {
            scene.set("paths.mail_log=journal").set("journal.directory=/etc/init.d")
        };
        troubles(
            "error",
            &[
                (&exposed, "configuration", &format!("{conf}{what}"), "chmod o-r "),
                (&secret, "secrets", &format!("se cret{what}"), "chmod o-r '/"),
                (&mode(conf, 0o642), "secrets", "everybody can change ", "chmod o-w "),
                (
                    &mode(conf, 0o600),
                    "folders",
                    "cannot read the configuration, /",
                    "chgrp maillogsentinel /",
                ),
                (&empty_journal, "sources", "the journal has no entries", "systemd-journald"),
            ],
        );
        let typo = added("[detect]\nservises = x\n");
        troubles(
            "warning",
            &[
                (&typo, "configuration", "unknown key `servises`", "`services`"),
                (&owner(conf, USER, GROUP), "secrets", "runs can change ", "chown root "),
            ],
        );
        let sentinel = healthy(&Smtp::new(&[]));
        sentinel.append(conf, "[report]\nsmtp_port = x\n[nonsense\n");
        let ran = doctor(&sentinel, &[]).exits(2).prints("2 errors, 0 warnings; ");
        finding(&ran, "error   configuration: ", "maillogsentinel.conf:16: `smtp_port`");
        finding(&ran, "unknown configuration: ", "nothing else can be checked");
    });
}

#[test]
fn what_is_wrong_with_a_log_is_told() {
    with_account("doctor::what_is_wrong_with_a_log_is_told", || {
        let missing = |sentinel: Sentinel| {
            fs::remove_file(sentinel.path("mail.log")).unwrap();
            sentinel
        };
        let renamed = |sentinel: Sentinel| {
            fs::rename(sentinel.path("mail.log"), sentinel.path("mail.log.1")).unwrap();
            sentinel
        };
        let still_written = |sentinel: Sentinel| {
            fs::copy(sentinel.path("mail.log"), sentinel.path("mail.log.1")).unwrap();
            sentinel.set_time("mail.log", &hours_ago(1));
            owner("mail.log.1", 0, 4)(sentinel)
        };
        let closed_rotation = |sentinel: Sentinel| {
            let sentinel = mode("mail.log.1", 0o600)(sentinel.file("mail.log.1", "x\n"));
            sentinel.set_time("mail.log.1", "2026-01-01T00:00:00Z");
            sentinel
        };
        let line = |hours| content("mail.log", failure(&hours_ago(hours), "198.18.7.9", "a"));
        let nonsense = content("mail.log", "nonsense\n".repeat(50_000));
        let closed = owner("mail.log", 0, 9);
        troubles(
            "error",
            &[
                (&missing, "sources", "mail.log does not exist", "set `mail_log`"),
                (&pipe_at("mail.log"), "sources", "mail.log is not a regular file", "takes files"),
                (
                    &closed,
                    "sources",
                    "mail.log: Permission denied",
                    "usermod -aG news maillogsentinel",
                ),
                (&nonsense, "sources", "is not a mail log", "explain"),
                (&content("mail.log", ""), "sources", "is empty", "nothing was ever logged"),
                (&renamed, "sources", "is not there, only /", "systemctl status postfix"),
                (&closed_rotation, "sources", "cannot read /", "group adm"),
            ],
        );
        let behind_a_bridge = |sentinel: Sentinel| {
            let line = failure(&hours_ago(0), "172.17.0.1", "bob");
            sentinel.append("mail.log", line.repeat(30));
            sentinel.run().exits(0);
            sentinel
        };
        troubles(
            "warning",
            &[
                (&line(24 * 5), "sources", "the last line is 5 days old", "postconf maillog_file"),
                (&line(-3), "sources", " in the future: clock and time zone", "timedatectl"),
                (&still_written, "sources", "mail.log.1 is written to, and /", "HUP rsyslog"),
                (&behind_a_bridge, "records", "came from 172.17.0.1", "userland-proxy"),
            ],
        );
    });
}

/// Changes the store by `sql`.
fn store(sql: &'static str) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        Connection::open(sentinel.path(STORE)).unwrap().execute_batch(sql).unwrap();
        sentinel
    }
}

#[test]
fn what_is_wrong_with_records_is_told() {
    with_account("doctor::what_is_wrong_with_records_is_told", || {
        let torn = |sentinel: Sentinel| {
            let page = "SELECT rootpage FROM sqlite_master WHERE name = 'tally'";
            let page: usize = sentinel.ask_store(page).parse().unwrap();
            let mut bytes = fs::read(sentinel.path(STORE)).unwrap();
            bytes[(page - 1) * 4096..page * 4096].fill(0x5a);
            sentinel.file(STORE, bytes)
        };
        let later = "a later version of this program (schema 99)";
        troubles(
            "error",
            &[
                (&content(STORE, "nonsense"), "records", "db: file is not a database", "move "),
                (&torn, "records", "maillogsentinel.db is damaged: ", "builds it anew"),
                (&pipe_at(STORE), "records", "maillogsentinel.db: it is not a regular file", ""),
                (&store("PRAGMA user_version = 99"), "records", later, "install"),
                (
                    &store("PRAGMA application_id = 7"),
                    "records",
                    "made by another program",
                    "state_dir",
                ),
                (&pipe_at(CSV), "records", "maillogsentinel.csv: it is not a regular file", ""),
                (
                    &content(CSV, "a;b\n1;2\n"),
                    "records",
                    "does not start with the header",
                    "csv_file",
                ),
            ],
        );
        let waits = "INSERT INTO outbox VALUES (NULL, 'x', 'a@b', 0, x'', 0, 'no\nroom\x1b[2J')";
        let told = "1 report waits for a mail server: no\\x0aroom\\x1b[2J";
        troubles("warning", &[(&store(waits), "records", told, "next run")]);
    });
}

#[test]
fn a_run_that_hangs_and_one_that_does_not_come_are_told() {
    with_account("doctor::a_run_that_hangs_and_one_that_does_not_come_are_told", || {
        let lock = "state/maillogsentinel.lock";
        let held = |sentinel: Sentinel| {
            let file = File::open(sentinel.path(lock)).unwrap();
            flock(file.as_fd(), FlockOperation::LockExclusive).unwrap();
            std::mem::forget(file);
            sentinel.set_time(lock, &hours_ago(3));
            sentinel
        };
        let long_ago = |sentinel: Sentinel| {
            sentinel.set_time(lock, "2026-01-01T00:00:00Z");
            sentinel
        };
        troubles("error", &[(&held, "lock", "has held the lock for 3 hours", "sudo kill ")]);
        troubles("warning", &[(&long_ago, "lock", "the last run started ", "timers")]);
    });
}

#[test]
fn what_the_user_of_the_runs_cannot_do_is_told() {
    with_account("doctor::what_the_user_of_the_runs_cannot_do_is_told", || {
        let nowhere = |sentinel: Sentinel| {
            let state = sentinel.path("new/state").display().to_string();
            sentinel.set(format!("paths.state_dir={state}"))
        };
        let cannot = "is not there, and user maillogsentinel cannot make it";
        let (chown, make) =
            ("sudo chown maillogsentinel /", "sudo install -d -o maillogsentinel -m 750 /");
        let names = "everybody can read the names and addresses in /";
        troubles(
            "error",
            &[
                (&owner("work/own.log", 0, 0), "folders", "cannot write /", chown),
                (
                    &owner("state/maillogsentinel.lock", 0, 0),
                    "folders",
                    "maillogsentinel.lock",
                    chown,
                ),
                (&owner("work", 0, 0), "folders", "(`working_dir`)", chown),
                (&nowhere, "folders", cannot, make),
                (
                    &mode("state", 0o757),
                    "secrets",
                    "everybody can change what is in /",
                    "chmod o-w ",
                ),
                (&mode("work/own.log", 0o646), "secrets", "everybody can change /", "chmod o-rw "),
            ],
        );
        troubles("warning", &[(&mode(CSV, 0o644), "secrets", names, "chmod o-r ")]);
    });
}

#[test]
fn who_checks_and_whose_runs_are_is_told() {
    with_account("doctor::who_checks_and_whose_runs_are_is_told", || {
        let sentinel = healthy(&Smtp::new(&[])).set("User.run_as_user=root");
        let ran = doctor(&sentinel, &[]).exits(1);
        finding(&ran, "warning configuration: ", "runs are root's, as `run_as_user`");
        finding(&ran, "ok      folders: ", "user root can write");
        // Another user sees what that user may see, and is told so.
        shut(&sentinel, "maillogsentinel.conf", 0o644);
        let sentinel = sentinel.set("User.run_as_user=");
        let mut other = Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).env("TZ", "UTC");
        other.arg(sentinel.public_program()).args(sentinel.command(&["doctor"]).get_args());
        let ran = Ran::of(&mut other).exits(2);
        let who = "checked as user nobody, and runs are user maillogsentinel's";
        finding(&ran, "warning configuration: ", who);
        let told = finding(&ran, "error   folders: ", "user nobody cannot make files in /");
        let cure = "run it as that user: `sudo -u maillogsentinel maillogsentinel`";
        assert!(told.ends_with(cure), "{told}");
        let sentinel = sentinel.set("User.run_as_user=no-such-user");
        let ran = doctor(&sentinel, &[]).exits(2);
        finding(&ran, "error   configuration: ", "`no-such-user`: there is no such account");
    });
}

#[test]
fn a_full_disk_is_told() {
    with_account("doctor::a_full_disk_is_told", || {
        let full = |sentinel: Sentinel| {
            let folder = sentinel.path("full");
            fs::create_dir(&folder).unwrap();
            mount(&folder, "size=64k,mode=777");
            sentinel.set(format!("database.sql_export_dir={}/sql", folder.display()))
        };
        let crowded = |sentinel: Sentinel| {
            let folder = sentinel.path("crowded");
            fs::create_dir(&folder).unwrap();
            mount(&folder, "size=900m,nr_inodes=5,mode=777");
            sentinel.set(format!("database.sql_export_dir={}/sql", folder.display()))
        };
        troubles(
            "error",
            &[
                (&full, "disk", "full: 0 MiB are free", "make room"),
                (&crowded, "disk", "more files can be made", "df -i"),
            ],
        );
    });
}

#[test]
fn what_a_mail_server_refuses_is_told() {
    with_account("doctor::what_a_mail_server_refuses_is_told", || {
        let refusing = Smtp::new(&[("RCPT TO:<carol", "550 5.1.1 no\x1b[2J")]);
        let greylisting = Smtp::new(&[("RCPT TO:<carol", "451 later")]);
        let refuses_all = Smtp::new(&[("MAIL", "530 authenticate")]);
        let login = Smtp::new(&[("AUTH", "535 no")]);
        let at = |server: &Smtp| set(format!("report.smtp_port={}", server.port));
        let user = set("report.smtp_user=x");
        let with_login =
            |sentinel: Sentinel| at(&login)(set("report.smtp_password=y")(user(sentinel)));
        let pipe_password = |sentinel: Sentinel| {
            let file = format!("report.smtp_password_file={}", sentinel.path("password").display());
            user(mode("password", 0o600)(pipe_at("password")(sentinel))).set(file)
        };
        let closed = "cannot deliver to 127.0.0.1:1: Connection refused";
        let refused = "refuses mail to carol@example.org: 550 5.1.1 no\\x1b[2J";
        let from = "refuses the sender sentinel@example.org: 530 auth";
        let starttls = set("report.smtp_security=starttls");
        troubles(
            "error",
            &[
                (&set("report.smtp_port=1"), "mail", closed, "smtp_host"),
                (&at(&refusing), "mail", refused, "`email`"),
                (&at(&refuses_all), "mail", from, "smtp_user"),
                (&with_login, "mail", "refuses the login: 535 no", "smtp_password_file"),
                (&user, "mail", "there is no password for it", "smtp_password_file"),
                (&pipe_password, "mail", "it is not a regular file", ""),
                (&starttls, "mail", "does not offer STARTTLS", "smtp_security"),
            ],
        );
        let later = "does not take mail to carol@example.org at the moment: 451";
        troubles(
            "warning",
            &[
                (&at(&greylisting), "mail", later, "if it stays so"),
                (&set("report.email="), "mail", "nobody is to get them", "set `email`"),
            ],
        );
    });
}

/// Names a file that the user of the runs may read as that of the webhook.
fn webhook_file(text: &'static str) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        let sentinel = mode("url", 0o640)(content("url", text)(sentinel));
        let setting = format!("alert.webhook_file={}", sentinel.path("url").display());
        owner("url", 0, GROUP)(sentinel).set(setting)
    }
}

/// Names a script of this mode as the command.
fn command(script: &'static str, bits: u32) -> impl Fn(Sentinel) -> Sentinel {
    move |sentinel| {
        let sentinel = mode("take", bits)(content("take", script)(sentinel));
        let setting = format!("alert.command={} now", sentinel.path("take").display());
        sentinel.set(setting)
    }
}

#[test]
fn what_keeps_alerts_from_leaving_is_told() {
    with_account("doctor::what_keeps_alerts_from_leaving_is_told", || {
        let url = "https://hooks.example.org/secret-token\n";
        let closed = |sentinel| mode("url", 0o600)(webhook_file(url)(sentinel));
        let no_url = webhook_file("hooks.example.org/secret-token\n");
        let no_topic =
            |sentinel| webhook_file("https://ntfy.sh\n")(sentinel).set("alert.webhook_shape=ntfy");
        let cannot_read = "cannot read the webhook's URL of `webhook_file`: Permission denied";
        troubles(
            "error",
            &[
                (
                    &set("alert.command=/nowhere/take it"),
                    "alerts",
                    "`[alert] command` /nowhere/take: there is no such file",
                    "set `command`",
                ),
                (
                    &set("alert.command=no-such-program"),
                    "alerts",
                    "`[alert] command` no-such-program: there is no such program in /usr/",
                    "with its path",
                ),
                (
                    &command("#!/bin/sh\n", 0o644),
                    "alerts",
                    "take: user maillogsentinel may not run it",
                    "sudo chmod a+rx /",
                ),
                (&closed, "alerts", cannot_read, "chgrp maillogsentinel "),
                (
                    &no_url,
                    "alerts",
                    "url: `webhook_file` must hold one line, a URL",
                    "ntfy.sh/TOPIC",
                ),
                (&no_topic, "alerts", "the webhook's URL names no topic", "https://ntfy.sh/TOPIC"),
            ],
        );
        let waits = "INSERT INTO alert VALUES (1, 'command', unixepoch(), NULL, 'no\nroom\x1b[2J')";
        let waiting = |sentinel| store(waits)(sentinel).set("alert.command=true");
        let told = "alerts wait to leave by command: no\\x0aroom\\x1b[2J";
        troubles("warning", &[(&waiting, "alerts", told, "the next run sends them")]);
        // What has left, what is leaving, and what nobody tries any more are no trouble.
        let sentinel = healthy(&Smtp::new(&[])).set("alert.command=true");
        for row in [
            "1, 'command', unixepoch(), unixepoch(), NULL",
            "2, 'command', unixepoch(), NULL, 'it is being sent'",
            "3, 'command', unixepoch() - 864000, NULL, 'no room'",
            "4, 'webhook', unixepoch(), NULL, 'no room'",
            "5, 'command', unixepoch(), NULL, 'no room'",
        ] {
            let store = Connection::open(sentinel.path(STORE)).unwrap();
            let seen_to = "INSERT OR IGNORE INTO finding VALUES (5, 'x', 'x', 3, 1, 2, NULL, 0)";
            store.execute(seen_to, []).unwrap();
            store.execute(&format!("INSERT INTO alert VALUES ({row})"), []).unwrap();
        }
        let ran = doctor(&sentinel, &[]).exits(0);
        finding(&ran, "ok      alerts: ", "they leave by mail, command");
        let sentinel = webhook_file(url)(healthy(&Smtp::new(&[])));
        let ran = doctor(&sentinel, &[]).exits(0);
        finding(&ran, "ok      alerts: ", "they leave by mail, webhook json");
        assert!(!ran.stdout.contains("secret-token"), "{}", ran.stdout);
    });
}

#[test]
fn a_test_alert_leaves_by_each_way_and_is_no_finding() {
    with_account("doctor::a_test_alert_leaves_by_each_way_and_is_no_finding", || {
        let server = http::Server::fixed(http::response("200 OK", &[], b""));
        let taken = tempfile::tempdir().unwrap();
        fs::set_permissions(taken.path(), Permissions::from_mode(0o777)).unwrap();
        let taken = taken.path().join("taken");
        let sentinel = command("", 0o755)(healthy(&Smtp::new(&[])));
        sentinel.write("take", format!("#!/bin/sh\ncat >> {}\n", taken.display()));
        let sentinel = sentinel.set(format!("alert.webhook={}", server.url("/secret-token")));
        // Nothing leaves unless asked for.
        doctor(&sentinel, &[]).exits(0);
        assert!(server.requests().is_empty() && !taken.exists());
        let ran = doctor(&sentinel, &["--send-test"]).exits(0);
        for way in ["webhook", "command"] {
            finding(&ran, "ok      alerts: ", &format!("a test alert left by {way}"));
        }
        assert!(!ran.stdout.contains("secret-token"), "{}", ran.stdout);
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].header("idempotency-key").contains("-test-"), "{requests:?}");
        let given = fs::read_to_string(&taken).unwrap();
        let alert: Value = serde_json::from_str(&given).unwrap();
        assert_eq!((&alert["severity"], &alert["finding"]), (&"test".into(), &0.into()));
        let title = alert["title"].as_str().unwrap();
        assert!(title.starts_with("TEST ") && title.contains("NOBODY GOT IN"), "{title}");
        assert_eq!(sentinel.ask_store("SELECT count(*) FROM alert"), "0");
        // What fails is told, each by itself.
        let refusing = http::Server::fixed(http::response("404 No", &[], b""));
        let sentinel = sentinel.set(format!("alert.webhook={}", refusing.url("/secret-token")));
        sentinel.write("take", "#!/bin/sh\nexit 3\n");
        let ran = doctor(&sentinel, &["--send-test"]).exits(2).prints("2 errors, 0 warnings; ");
        let told =
            finding(&ran, "error   alerts: ", "did not leave by webhook: the server says 404");
        assert!(told.contains("`webhook_shape`"), "{told}");
        let told =
            finding(&ran, "error   alerts: ", "did not leave by command: `[alert] command` /");
        assert!(told.contains("/take: it ended with exit status: 3\nrun it by hand"), "{told}");
        assert!(!ran.stdout.contains("secret-token"), "{}", ran.stdout);
    });
}

#[test]
fn a_list_of_accounts_that_cannot_be_read_is_told() {
    with_account("doctor::a_list_of_accounts_that_cannot_be_read_is_told", || {
        let list = |bits| {
            move |sentinel| {
                let sentinel = mode("users", bits)(content("users", "ann:x\n")(sentinel));
                let setting = format!("accounts.lists={}", sentinel.path("users").display());
                sentinel.set(setting)
            }
        };
        let denied = "users, of `lists` in section [accounts]: Permission denied";
        let absent = "cannot read /nowhere/users, of `lists` in section [accounts]: No such file";
        troubles(
            "error",
            &[
                (&list(0o600), "accounts", denied, "setfacl -m u:maillogsentinel:r /"),
                (&set("accounts.lists=/nowhere/users"), "accounts", absent, "correct `lists`"),
            ],
        );
        let ran = doctor(&list(0o644)(healthy(&Smtp::new(&[]))), &[]).exits(0);
        finding(&ran, "ok      accounts: ", "users, of `lists` in section [accounts], can be read");
        assert!(!doctor(&healthy(&Smtp::new(&[])), &[]).stdout.contains(" accounts: "));
    });
}

#[test]
fn what_is_wrong_with_databases_and_name_servers_is_told() {
    with_account("doctor::what_is_wrong_with_databases_and_name_servers_is_told", || {
        let postgres = |sentinel: Sentinel| {
            let sentinel = sentinel.set("database.db_type=postgresql").set("database.db_name=x");
            sentinel.set("database.db_host=127.0.0.1:1")
        };
        let file = "state/sql.sqlite";
        let broken = |sentinel| owner(file, USER, GROUP)(content(file, "nonsense")(sentinel));
        troubles(
            "error",
            &[
                (&postgres, "sql", "cannot use x at 127.0.0.1:1", "db_host"),
                (
                    &set("database.db_type=mysql"),
                    "sql",
                    "`db_name` is not set",
                    "name the database",
                ),
                (&broken, "sql", "sql.sqlite: file is not a database", "move it away"),
            ],
        );
        let old = |sentinel: Sentinel| {
            sentinel.set_time("state/asn.csv", "2026-01-01T00:00:00Z");
            sentinel
        };
        let missing = |sentinel: Sentinel| {
            fs::remove_file(sentinel.path("state/country.csv")).unwrap();
            sentinel
        };
        let dead = |sentinel: Sentinel| {
            let sentinel = sentinel.set("dns.enabled=true").set("dns.timeout_ms=200");
            sentinel.set("dns.nameservers=127.0.0.1:1")
        };
        troubles(
            "warning",
            &[
                (&old, "addresses", "days old", "ipinfo --update"),
                (&missing, "addresses", "country.csv does not exist", "ipinfo --update"),
                (&dead, "names", "127.0.0.1:1 does not answer", "nameservers"),
            ],
        );
        let knowing = ["--ptr-record=4.0.41.198.in-addr.arpa,a.root-servers.net"];
        for (options, start, what) in [
            (&knowing[..], "ok      names: ", "answers in "),
            (&[], "warning names: ", "refuses to"),
        ] {
            let server = Dnsmasq::start(options);
            let sentinel = healthy(&Smtp::new(&[])).set("dns.enabled=true");
            let sentinel = sentinel.set(format!("dns.nameservers={}", server.address));
            finding(&doctor(&sentinel, &[]), start, what);
        }
    });
}

#[test]
fn a_database_of_sqlite_that_is_used_is_looked_into() {
    with_account("doctor::a_database_of_sqlite_that_is_used_is_looked_into", || {
        let sentinel = healthy(&Smtp::new(&[]));
        for action in ["--sql-export", "--sql-import"] {
            Ran::of(&mut sentinel.command(&[action])).exits(0);
        }
        let ran = doctor(&sentinel, &[]).exits(0);
        finding(&ran, "ok      sql: ", "sql.sqlite: 1 rows in maillogsentinel_events");
    });
}

/// Puts `script` where the program finds `name`, in this test's own mounts.
fn program_called(sentinel: &Sentinel, name: &str, script: &str) {
    sentinel.write(name, format!("#!/bin/sh\n{script}"));
    shut(sentinel, name, 0o755);
    let found =
        Ran::of(Command::new("sh").args(["-c", &format!("command -v {name} || true")])).stdout;
    let place = match found.trim() {
        "" => PathBuf::from("/run/current-system/sw/bin").join(name),
        path => fs::canonicalize(path).unwrap(),
    };
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    File::options().append(true).create(true).open(&place).unwrap();
    Ran::of(Command::new("mount").arg("--bind").arg(sentinel.path(name)).arg(place)).exits(0);
}

#[test]
fn what_systemd_says_of_timers_services_and_the_clock_is_told() {
    let name = "doctor::what_systemd_says_of_timers_services_and_the_clock_is_told";
    with_account(name, || {
        mount(Path::new("/run"), "size=1m,mode=755");
        fs::create_dir_all("/run/systemd/system").unwrap();
        let sentinel = healthy(&Smtp::new(&[]));
        let absent = "for it; do case $it in *.timer|*.service) echo \"LoadState=not-found\"; echo;; esac; done\n";
        program_called(&sentinel, "systemctl", "exec sh /run/systemctl \"$@\"\n");
        program_called(&sentinel, "timedatectl", "cat /run/ntp\n");
        fs::write("/run/systemctl", absent).unwrap();
        fs::write("/run/ntp", "no\n").unwrap();
        let ran = doctor(&sentinel, &[]);
        finding(&ran, "warning timers: ", "no timers are installed");
        finding(&ran, "warning clock: ", "not kept by NTP");
        let units = "for it; do case $it in\n\
            maillogsentinel.timer) printf 'LoadState=loaded\\nUnitFileState=enabled\\nActiveState=active\\nNextElapseUSecRealtime=Wed 2026-11-25 18:00:00 UTC\\n\\n';;\n\
            maillogsentinel.service) printf 'LoadState=loaded\\nActiveState=inactive\\nResult=exit-code\\nExecMainStatus=1\\nExecMainExitTimestamp=Wed 2026-11-25 10:00:00 UTC\\n\\n';;\n\
            maillogsentinel-report.timer) printf 'LoadState=loaded\\nUnitFileState=enabled\\nActiveState=inactive\\n\\n';;\n\
            maillogsentinel-report.service) printf 'LoadState=loaded\\nActiveState=inactive\\nResult=success\\nExecMainStatus=0\\nExecMainExitTimestamp=Wed 2026-11-25 10:00:00 UTC\\n\\n';;\n\
            maillogsentinel-ipdb.timer) printf 'LoadState=loaded\\nUnitFileState=disabled\\nActiveState=inactive\\n\\n';;\n\
            maillogsentinel-ipdb.service) printf 'LoadState=loaded\\nActiveState=inactive\\nResult=success\\nExecMainExitTimestamp=\\n\\n';;\n\
            maillogsentinel-follow.service) printf 'LoadState=loaded\\nUnitFileState=disabled\\nActiveState=inactive\\n\\n';;\n\
            maillogsentinel-sql.timer) printf 'LoadState=loaded\\nUnitFileState=disabled\\nActiveState=inactive\\n\\n';;\n\
            maillogsentinel-sql.service) printf 'LoadState=loaded\\nActiveState=inactive\\nResult=exit-code\\nExecMainStatus=75\\nExecMainExitTimestamp=Wed 2026-11-25 10:00:00 UTC\\n\\n';;\n\
            esac; done\n";
        fs::write("/run/systemctl", units).unwrap();
        fs::write("/run/ntp", "yes\n").unwrap();
        let ran = doctor(&sentinel, &[]).exits(2);
        for (start, text) in [
            (
                "ok      timers: ",
                "maillogsentinel.timer is armed, next at Wed 2026-11-25 18:00:00 UTC",
            ),
            ("error   timers: ", "maillogsentinel.service failed "),
            ("error   timers: ", "maillogsentinel-report.timer is enabled and not started"),
            ("ok      timers: ", "maillogsentinel-report.service ended well "),
            ("warning timers: ", "maillogsentinel-ipdb.timer is not armed"),
            (
                "unknown timers: ",
                "not run since this machine was started: maillogsentinel-ipdb.service",
            ),
            (
                "ok      timers: ",
                "maillogsentinel-sql.timer is not armed, as it is unless asked for",
            ),
            ("warning timers: ", "maillogsentinel-sql.service gave up "),
            ("ok      clock: ", "kept by NTP"),
        ] {
            finding(&ran, start, text);
        }
        // What follows the log does the timer's work.
        let state = |enabled, active| format!("UnitFileState={enabled}\\nActiveState={active}");
        let [on, off] = [state("enabled", "active"), state("disabled", "inactive")];
        let service = "maillogsentinel-follow.service) printf 'LoadState=loaded\\n";
        let units = units
            .replace(&format!("{service}{off}"), &format!("{service}{on}"))
            .replace(&format!("{on}\\nNext"), &format!("{off}\\nNext"));
        fs::write("/run/systemctl", units).unwrap();
        let ran = doctor(&sentinel, &[]);
        finding(&ran, "ok      timers: ", "maillogsentinel-follow.service follows the log");
        finding(&ran, "ok      timers: ", "maillogsentinel.timer is not armed, and need not be");
        fs::write("/run/systemctl", "exit 1\n").unwrap();
        finding(&doctor(&sentinel, &[]).exits(0), "unknown timers: ", "systemctl failed");
    });
}

#[test]
fn findings_are_json_for_programs_and_hostile_names_steer_nothing() {
    let name = "doctor::findings_are_json_for_programs_and_hostile_names_steer_nothing";
    with_account(name, || {
        let sentinel = healthy(&Smtp::new(&[]));
        let hostile = "a\x1b[2J\nerror   disk: full\u{202e}é";
        let log = sentinel.path(hostile).display().to_string();
        symlink(sentinel.path("mail.log"), sentinel.path(hostile)).unwrap();
        fs::write(sentinel.path(&format!("{hostile}.1")), "x\n").unwrap();
        shut(&sentinel, &format!("{hostile}.1"), 0o600);
        let sentinel = sentinel.set(format!("paths.mail_log={log}"));
        let config = sentinel.path("\x1b]0;x\x07.conf");
        fs::copy(sentinel.path("maillogsentinel.conf"), &config).unwrap();
        let mut ran = doctor(&sentinel, &["--config", config.to_str().unwrap()]);
        assert!(!ran.stdout.contains("\nerror   disk"), "{}", ran.stdout);
        ran = doctor(&sentinel, &["--json"]);
        let all: Value = serde_json::from_str(&ran.stdout).unwrap();
        let all = all.as_array().unwrap();
        assert!(all.len() > 10);
        for finding in all {
            let keys: Vec<_> = finding.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["about", "cure", "level", "what"]);
            assert!(
                ["ok", "unknown", "warning", "error"].contains(&finding["level"].as_str().unwrap())
            );
        }
        assert!(!ran.stdout.contains(['\u{202e}', '\x1b']));
        let wrong = doctor(&sentinel, &["--json", "-q"]);
        let wrong: Value = serde_json::from_str(&wrong.stdout).unwrap();
        assert!(
            wrong
                .as_array()
                .unwrap()
                .iter()
                .all(|it| it["level"] == "error" || it["level"] == "warning")
        );
    });
}
