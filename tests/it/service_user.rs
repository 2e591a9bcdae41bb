//! Started by root, the program becomes the user that the services run as, before it opens anything.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::disk_full::in_own_mounts;
use crate::http::{Server, response};
use crate::sentinel::{Ran, Sentinel, failure, program};

const STAMP: &str = "2026-11-22T21:28:34.901234+00:00";
pub const USER: u32 = 4711;
pub const GROUP: u32 = 4712;

/// Calls `body` where there is the account, a member of group adm (4) and of no other.
pub fn with_account(name: &str, body: impl FnOnce()) {
    with_accounts(name, "maillogsentinel", body);
}

/// The same with an account of this name.
fn with_accounts(name: &str, account: &str, body: impl FnOnce()) {
    in_own_mounts(name, || {
        let folder = tempfile::tempdir().unwrap();
        let passwd = format!(
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n{account}:x:{USER}:{GROUP}::/nonexistent:/bin/false\n"
        );
        let group =
            format!("root:x:0:\nadm:x:4:syslog,{account}\nnews:x:9:\n{account}:x:{GROUP}:\n");
        for (file, text) in [("passwd", passwd), ("group", group)] {
            fs::write(folder.path().join(file), text).unwrap();
            let (from, to) = (folder.path().join(file), format!("/etc/{file}"));
            Ran::of(Command::new("mount").arg("--bind").arg(from).arg(to)).exits(0);
        }
        body();
    });
}

/// A log that group adm may read, a configuration for root's eyes only, and folders of the account.
pub fn scene() -> Sentinel {
    let work = |sentinel: Sentinel| {
        let log = format!("general.log_file={}", sentinel.path("work/own.log").display());
        let database = format!("database.db_path={}", sentinel.path("state/sql.sqlite").display());
        sentinel.set(log).set(database).set("User.run_as_user=")
    };
    let sentinel = work(Sentinel::default());
    sentinel.write("mail.log", failure(STAMP, "198.18.7.9", "a"));
    fs::set_permissions(sentinel.path(""), Permissions::from_mode(0o755)).unwrap();
    for name in ["country.csv", "asn.csv"] {
        fs::set_permissions(sentinel.path(name), Permissions::from_mode(0o644)).unwrap();
    }
    for (name, mode, group) in [("mail.log", 0o640, 4), ("maillogsentinel.conf", 0o600, 0)] {
        fs::set_permissions(sentinel.path(name), Permissions::from_mode(mode)).unwrap();
        chown(sentinel.path(name), Some(0), Some(group)).unwrap();
    }
    for folder in ["work", "state"] {
        fs::create_dir(sentinel.path(folder)).unwrap();
        chown(sentinel.path(folder), Some(USER), Some(GROUP)).unwrap();
    }
    sentinel
}

/// The files below `folder`, with their users and groups.
fn owners(folder: &Path) -> Vec<(String, u32, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let meta = entry.metadata().unwrap();
        found.push((entry.path().display().to_string(), meta.uid(), meta.gid()));
        if meta.is_dir() {
            found.extend(owners(&entry.path()));
        }
    }
    found
}

fn run(sentinel: &Sentinel, arguments: &[&str]) -> Ran {
    Ran::of(&mut sentinel.command(arguments))
}

#[test]
fn what_root_has_made_by_a_run_is_the_accounts() {
    with_account("service_user::what_root_has_made_by_a_run_is_the_accounts", || {
        let server = Server::new(|request, stream| {
            let value = if request.target == "/c" { "CH" } else { "64511,Net" };
            let ranges = format!("198.18.7.0,198.18.7.255,{value}\n");
            let _ = stream.write_all(&response("200 OK", &[], ranges.as_bytes()));
        });
        let sentinel = scene();
        let databases = [
            format!("geolocation.country_db_url={}", server.url("/c")),
            format!("geolocation.country_db_path={}", sentinel.path("state/c.csv").display()),
            format!("ASN_ASO.asn_db_url={}", server.url("/n")),
            format!("ASN_ASO.asn_db_path={}", sentinel.path("state/n.csv").display()),
        ];
        let sentinel = databases.into_iter().fold(sentinel, Sentinel::set);
        run(&sentinel, &["ipinfo", "--update"]).exits(0);
        run(&sentinel, &["-v"]).exits(0).says("DEBUG Runs as user maillogsentinel\n");
        let page = sentinel.path("work/today.html").display().to_string();
        let output = ["--report", "--date", "2026-11-22", "--output", &page];
        run(&sentinel, &output).exits(0);
        run(&sentinel, &["--sql-export"]).exits(0).prints("1 row exported");
        run(&sentinel, &["--sql-import"]).exits(0).prints("1 file imported, 1 row");
        let made: Vec<_> =
            ["work", "state"].iter().flat_map(|folder| owners(&sentinel.path(folder))).collect();
        for wanted in [
            "own.log",
            "maillogsentinel.csv",
            "maillogsentinel.db",
            "sql.sqlite",
            "today.html",
            "c.csv",
        ] {
            assert!(made.iter().any(|(path, ..)| path.ends_with(wanted)), "{wanted}: {made:?}");
        }
        for (path, user, group) in made {
            assert_eq!((user, group), (USER, GROUP), "{path}");
        }
    });
}

/// What the kernel says of a run that waits for its log on standard input.
fn status(mut command: Command) -> String {
    let mut child = command
        .args(["--set", "paths.mail_log=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let read = || fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    loop {
        let status = read();
        let dropped =
            status.contains("NoNewPrivs:\t1") && status.contains("CapPrm:\t0000000000000000");
        if dropped || status.contains("State:\tZ") {
            break;
        }
    }
    // Its lines are not all of one moment: the first ones may be from before.
    let status = read();
    let _ = child.kill();
    child.wait().unwrap();
    status
}

#[test]
fn nothing_of_root_is_left_whatever_the_kernel_was_told_to_keep() {
    let name = "service_user::nothing_of_root_is_left_whatever_the_kernel_was_told_to_keep";
    with_account(name, || {
        let sentinel = scene();
        let plain = sentinel.command(&[]);
        // Of itself the kernel would keep all capabilities.
        let mut keeping = Command::new("setpriv");
        keeping.args([
            "--securebits",
            "+no_setuid_fixup",
            "--inh-caps",
            "+chown",
            "--groups",
            "9,4",
        ]);
        keeping.arg(plain.get_program()).args(plain.get_args());
        for command in [plain, keeping] {
            let status = status(command);
            let line = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("{name} {status}"))
                    .split_whitespace()
                    .collect::<Vec<_>>()
            };
            assert_eq!(line("Uid:"), ["4711"; 4], "{status}");
            assert_eq!(line("Gid:"), ["4712"; 4]);
            assert_eq!(line("Groups:"), ["4", "4712"]);
            assert_eq!(line("NoNewPrivs:"), ["1"]);
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(line(set), ["0000000000000000"], "{set}");
            }
        }
    });
}

#[test]
fn before_it_opens_only_the_configuration() {
    with_account("service_user::before_it_opens_only_the_configuration", || {
        let sentinel = scene()
            .set("geolocation.country_db_url=http://127.0.0.1:1/")
            .set("ASN_ASO.asn_db_url=http://127.0.0.1:1/");
        for arguments in [&[][..], &["--sql-export"], &["--sql-import"], &["ipinfo", "--update"]] {
            let trace = sentinel.path("trace");
            let mut strace = Command::new("strace");
            strace.args(["-f", "-y", "-e", "trace=%file,setresuid,flock", "-o"]).arg(&trace);
            let asked = sentinel.command(arguments);
            strace.arg(asked.get_program()).args(asked.get_args());
            strace.output().unwrap();
            let trace = fs::read_to_string(trace).unwrap();
            let dropped = trace.split_once("setresuid(4711, 4711, 4711)");
            let (before, _) = dropped.unwrap_or_else(|| panic!("{arguments:?}: {trace}"));
            let folder = sentinel.path("").display().to_string();
            let mut touched = before.lines().filter(|line| line.contains(&folder));
            let foreign = touched
                .find(|line| !line.contains("maillogsentinel.conf") && !line.contains("execve("));
            assert_eq!(foreign, None, "{arguments:?}");
        }
    });
}

#[test]
fn the_account_reads_what_its_groups_may() {
    with_account("service_user::the_account_reads_what_its_groups_may", || {
        let sentinel = scene();
        run(&sentinel, &[]).exits(0).prints("1 failed login recorded");
        chown(sentinel.path("mail.log"), Some(0), Some(9)).unwrap();
        sentinel.append("mail.log", failure(STAMP, "198.18.7.9", "b"));
        run(&sentinel, &[]).exits(1).says(
            "add user maillogsentinel to group news: `sudo usermod -aG news maillogsentinel`",
        );
        // What only reads, and what moves to the home of who asks, stays root.
        let log = sentinel.path("mail.log").display().to_string();
        run(&sentinel, &["explain", &log]).exits(0).prints("2 failed logins");
        run(&sentinel, &["anonymize", "-i", &log]).exits(0).prints("user2");
        fs::create_dir(sentinel.path("backups")).unwrap();
        let folder = sentinel.path("backups").display().to_string();
        run(&sentinel, &["--reset", "--yes", "--backup-dir", &folder]).exits(0);
    });
}

#[test]
fn run_as_user_names_another_account() {
    with_accounts("service_user::run_as_user_names_another_account", "sentry", || {
        let sentinel = scene().set("User.run_as_user=sentry");
        run(&sentinel, &[]).exits(0);
        assert_eq!(fs::metadata(sentinel.path("work/own.log")).unwrap().uid(), USER);
        // Without the key there is no account, and root stays root.
        let sentinel = scene();
        run(&sentinel, &["-v"]).exits(0).says("there is no account maillogsentinel to become");
        assert_eq!(fs::metadata(sentinel.path("work/own.log")).unwrap().uid(), 0);
        let sentinel = scene().set("User.run_as_user=root");
        run(&sentinel, &[]).exits(0);
        assert_eq!(fs::metadata(sentinel.path("work/own.log")).unwrap().uid(), 0);
    });
}

#[test]
fn a_directory_is_asked_for_an_account_that_is_not_here() {
    with_account("service_user::a_directory_is_asked_for_an_account_that_is_not_here", || {
        let sentinel = scene().set("User.run_as_user=DOM\\sentry");
        let getent = "#!/bin/sh\nshift\ncase $1 in\npasswd) echo 'DOM\\sentry:*:4711:4712::/:/bin/false';;\n\
                      initgroups) echo 'DOM\\sentry    4 4712 70000';;\nesac\n";
        sentinel.write("getent", getent);
        fs::set_permissions(sentinel.path("getent"), Permissions::from_mode(0o755)).unwrap();
        let real = Ran::of(Command::new("sh").args(["-c", "realpath $(command -v getent)"])).stdout;
        Ran::of(Command::new("mount").arg("--bind").arg(sentinel.path("getent")).arg(real.trim()))
            .exits(0);
        let status = status(sentinel.command(&[]));
        assert!(status.contains("Groups:\t4 4712 70000 \n"), "{status}");
        run(&sentinel, &[]).exits(0);
        assert_eq!(fs::metadata(sentinel.path("work/own.log")).unwrap().uid(), USER);
    });
}

#[test]
fn an_account_that_does_not_exist_is_a_mistake_of_the_configuration() {
    let missing = "[paths]\nmail_log = /nowhere\n[User]\nrun_as_user = no-such-user\n";
    let sentinel = Sentinel::default().file("maillogsentinel.conf", missing);
    for arguments in [&[][..], &["--report"], &["--sql-import"], &["ipinfo", "--update"]] {
        run(&sentinel, arguments)
            .exits(78)
            .says(
                "maillogsentinel.conf:4: `run_as_user` in section [User] cannot be `no-such-user`",
            )
            .says("\n  hint: name one that exists");
    }
    run(&sentinel, &["ipinfo", "192.0.2.1"]);
    run(&sentinel, &["explain", "--rules"]).exits(0);
}

#[test]
fn what_an_earlier_run_left_to_root_is_named_with_the_command_that_gives_it() {
    let name =
        "service_user::what_an_earlier_run_left_to_root_is_named_with_the_command_that_gives_it";
    with_account(name, || {
        for (name, command) in [
            ("work/own.log", "chown maillogsentinel"),
            ("work/maillogsentinel.csv", "chown maillogsentinel"),
            ("state/maillogsentinel.db", "chown maillogsentinel"),
            ("state/maillogsentinel.lock", "chown maillogsentinel"),
            ("state", "chown maillogsentinel"),
            ("work", "chown maillogsentinel"),
        ] {
            let sentinel = scene();
            run(&sentinel, &[]).exits(0);
            sentinel.append("mail.log", failure(STAMP, "198.18.7.9", "b"));
            let path = sentinel.path(name);
            chown(&path, Some(0), Some(0)).unwrap();
            if name == "work" {
                // It is needed for what is new there only.
                fs::remove_file(sentinel.path("work/maillogsentinel.csv")).unwrap();
            }
            let cure = format!("belongs to user root: `sudo {command} {}`", path.display());
            run(&sentinel, &[]).exits(1).says(&cure);
            chown(&path, Some(USER), Some(GROUP)).unwrap();
            run(&sentinel, &[]).exits(0);
            assert_eq!(sentinel.who().last().unwrap(), "198.18.7.9 b");
        }
        // Folders that are not there, where only root can make them.
        let sentinel = scene();
        let state = format!("paths.state_dir={}", sentinel.path("new/state").display());
        let folder = sentinel.path("new/state").display().to_string();
        run(&sentinel, &["--set", &state])
            .exits(1)
            .says(&format!("`sudo install -d -o maillogsentinel -m 750 {folder}`"));
    });
}

#[test]
fn a_password_that_only_root_can_read_is_named_with_its_cure() {
    with_account("service_user::a_password_that_only_root_can_read_is_named_with_its_cure", || {
        let password = |sentinel: &Sentinel| sentinel.path("secret word").display().to_string();
        let sentinel = scene().file("secret word", "x\n");
        let sentinel = ["db_type=postgresql", "db_name=x", "db_host=127.0.0.1:1"]
            .into_iter()
            .fold(sentinel, |sentinel, it| sentinel.set(format!("database.{it}")));
        let file = format!("database.db_password_file={}", password(&sentinel));
        let sentinel = sentinel.set(file);
        run(&sentinel, &[]).exits(0);
        run(&sentinel, &["--sql-export"]).exits(0);
        fs::set_permissions(sentinel.path("secret word"), Permissions::from_mode(0o600)).unwrap();
        let path = format!("'{}'", password(&sentinel));
        run(&sentinel, &["--sql-import"])
            .exits(1)
            .says("cannot read the password of `db_password_file`: Permission denied")
            .says(&format!("`sudo chgrp maillogsentinel {path}; sudo chmod 640 {path}`"));
        chown(sentinel.path("secret word"), Some(0), Some(GROUP)).unwrap();
        fs::set_permissions(sentinel.path("secret word"), Permissions::from_mode(0o640)).unwrap();
        run(&sentinel, &["--sql-import"]).exits(1).says("cannot reach the database");
    });
}

#[test]
fn a_page_that_cannot_be_written_to_roots_folder_is_said() {
    with_account("service_user::a_page_that_cannot_be_written_to_roots_folder_is_said", || {
        let sentinel = scene();
        run(&sentinel, &["--report", "--date", "2026-11-22", "--output", "/root/x.html"])
            .exits(1)
            .says("user maillogsentinel may not write there")
            .says("--output - > FILE");
        run(&sentinel, &["--report", "--date", "2026-11-22", "--output", "-"])
            .exits(0)
            .prints("Total attempts");
    });
}

#[test]
fn a_configuration_that_is_no_regular_file_is_not_waited_for() {
    let sentinel = Sentinel::default();
    let pipe = sentinel.path("pipe");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, 0o600.into(), 0).unwrap();
    for path in [pipe.as_path(), Path::new("/dev/zero"), &sentinel.path("")] {
        Ran::of(Command::new(program()).arg("--config").arg(path))
            .exits(78)
            .says("it is not a regular file");
    }
}
