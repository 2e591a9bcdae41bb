//! What `--reset` and `--purge` promise, told as runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};

use crate::disk_full::{in_own_mounts, mount};
use crate::sentinel::{HEADER, Ran, Sentinel, failure};

const CSV: &str = "work/maillogsentinel.csv";
const STORE: &str = "state/maillogsentinel.db";
const STAMP: &str = "2026-11-22T21:28:34.901234+00:00";

/// Three failures, recorded; the database of SQLite is in the folder, and one for backups.
fn recorded() -> Sentinel {
    recorded_in(Sentinel::default())
}

pub fn recorded_in(sentinel: Sentinel) -> Sentinel {
    let users = ["a", "b", "c"].map(|user| failure(STAMP, "198.18.7.9", user));
    let database = format!("database.db_path={}", sentinel.path("events.sqlite").display());
    let sentinel = sentinel.set(database).file("mail.log", users.concat());
    fs::create_dir(sentinel.path("backups")).unwrap();
    sentinel.run().exits(0);
    sentinel
}

fn archive(sentinel: &Sentinel, action: &str) -> Ran {
    let folder = sentinel.path("backups").display().to_string();
    Ran::of(&mut sentinel.command(&[action, "--yes", "--backup-dir", &folder]))
}

/// The only backup.
fn backup(sentinel: &Sentinel) -> PathBuf {
    let all = backups(sentinel);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

pub fn backups(sentinel: &Sentinel) -> Vec<PathBuf> {
    let entries = fs::read_dir(sentinel.path("backups")).unwrap();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The names of files in a folder, below it too.
fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().display().to_string();
        if entry.path().is_dir() {
            found.extend(names(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn rows_in(store: &Path) -> i64 {
    let store = Connection::open(store).unwrap();
    store.query_row("SELECT count(*) FROM failure", [], |row| row.get(0)).unwrap()
}

fn users(sentinel: &Sentinel) -> Vec<String> {
    sentinel.who().iter().map(|who| who.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn reset_archives_csv_state_and_log_and_the_next_run_starts_over() {
    let sentinel = recorded()
        .file("operational.log.1", "older\n")
        .file("operational.log.6", "beyond the five that are kept\n")
        .file("operational.log.2.gz", "the administrator's\n")
        .file("work/maillogsentinel.csv.1", "the administrator's\n")
        .file("work/maillogsentinel.csv.new", "left by a kill\n")
        .file("state/maillogsentinel.db.new", "left by a kill\n")
        .file("state/state.offset.taken_over", "17\n")
        .file("state/sql_state.offset", "17\n");
    let csv = fs::read(sentinel.path(CSV)).unwrap();
    let ran = archive(&sentinel, "--reset").exits(0).prints("the next run reads the logs");
    let backup = backup(&sentinel);
    let expected = [
        "maillogsentinel.csv",
        "maillogsentinel.csv.new",
        "maillogsentinel.db",
        "maillogsentinel.db.new",
        "operational.log",
        "operational.log.1",
        "sql_state.offset",
        "state.offset.taken_over",
    ];
    assert_eq!(names(&backup), expected);
    for name in expected {
        let line = format!("{name} -> {}\n", backup.join(name).display());
        assert!(ran.stdout.contains(&line), "{line}: {}", ran.stdout);
    }
    assert_eq!(fs::read(backup.join("maillogsentinel.csv")).unwrap(), csv);
    assert_eq!(rows_in(&backup.join("maillogsentinel.db")), 3);
    assert_eq!(names(&sentinel.path("work")), ["maillogsentinel.csv.1"]);
    for stays in ["operational.log.6", "operational.log.2.gz", "country.csv", "mail.log"] {
        assert!(sentinel.path(stays).exists(), "{stays}");
    }
    let left = names(&sentinel.path("state"));
    assert!(left.iter().any(|name| name.ends_with(".ranges")), "caches stay: {left:?}");
    assert!(!sentinel.path("operational.log").exists(), "a new one would be of the wrong user");
    sentinel.run().exits(0).prints("3 failed logins recorded");
    assert_eq!(users(&sentinel), ["a", "b", "c"]);
}

#[test]
fn purge_archives_exports_database_and_caches_too() {
    let sentinel = recorded()
        .file("work/sql/notes.txt", "the administrator's\n")
        .file("work/maillogsentinel.csv-20261101.gz", "by logrotate")
        .file("work/maillogsentinel.csv.1", HEADER)
        .file("state/sql_imported_files.log", "x.sql\n");
    for action in ["--sql-export", "--sql-import"] {
        Ran::of(&mut sentinel.command(&[action])).exits(0);
    }
    sentinel
        .write("work/sql/20251017_1200_maillogsentinel_export.sql", "-- the Python program's\n");
    sentinel.write("work/sql/.maillogsentinel-0123456789abcdef.sql.new", "left by a kill\n");
    let caches = |folder: &Path| {
        names(folder).into_iter().filter(|name| name.ends_with(".ranges")).collect::<Vec<_>>()
    };
    let compiled = caches(&sentinel.path("state"));
    assert_eq!(compiled.len(), 2, "{compiled:?}");
    let ran = archive(&sentinel, "--purge").exits(0).prints("3 files of ");
    assert!(!ran.stderr.contains("again"), "all is new: {}", ran.stderr);
    let backup = backup(&sentinel);
    assert_eq!(names(&backup.join("sql")).len(), 3);
    assert!(names(&backup).contains(&"events.sqlite".to_owned()), "{:?}", names(&backup));
    assert!(names(&backup).contains(&"sql_imported_files.log".to_owned()));
    assert!(names(&backup).contains(&"maillogsentinel.csv-20261101.gz".to_owned()));
    assert!(names(&backup).contains(&"maillogsentinel.csv.1".to_owned()));
    assert_eq!(caches(&backup), compiled);
    assert_eq!(names(&sentinel.path("state")), ["maillogsentinel.lock"]);
    assert_eq!(names(&sentinel.path("work")), ["sql/notes.txt"]);
    for stays in ["country.csv", "asn.csv", "maillogsentinel.conf", "mail.log"] {
        assert!(sentinel.path(stays).exists(), "{stays}");
    }
    sentinel.run().exits(0).prints("3 failed logins recorded");
    Ran::of(&mut sentinel.command(&["--sql-export"])).exits(0).prints("3 rows exported");
    Ran::of(&mut sentinel.command(&["--sql-import"])).exits(0).prints("1 file imported, 3 rows");
}

#[test]
fn a_database_that_is_not_ours_stays_and_that_is_said() {
    let sentinel = recorded();
    let other = Connection::open(sentinel.path("events.sqlite")).unwrap();
    other.execute_batch("CREATE TABLE invoices (n)").unwrap();
    archive(&sentinel, "--purge").exits(0).says("has no table of this program, and stays");
    assert!(sentinel.path("events.sqlite").exists());
    let sentinel =
        recorded().file("events.sqlite", "not a database, and longer than its header would be");
    archive(&sentinel, "--purge").exits(0).says("cannot tell what is in it");
    assert!(sentinel.path("events.sqlite").exists());
    let sentinel = recorded().set("database.db_type=mysql").set("database.db_name=mail");
    Connection::open(sentinel.path("events.sqlite"))
        .unwrap()
        .execute_batch("CREATE TABLE maillogsentinel_events (n)")
        .unwrap();
    archive(&sentinel, "--purge").exits(0);
    assert!(sentinel.path("events.sqlite").exists(), "db_type says that it is not used");
}

#[test]
fn what_a_reset_means_for_exports_and_waiting_reports_is_said() {
    let sentinel = recorded();
    Ran::of(&mut sentinel.command(&["--sql-export"])).exits(0);
    let nobody = ["--report", "--set", "report.email=x@example.org", "--set", "report.smtp_port=1"];
    Ran::of(&mut sentinel.command(&nobody)).exits(1);
    archive(&sentinel, "--reset")
        .exits(0)
        .says("rows that were exported as SQL before are exported again")
        .says("empty the table maillogsentinel_events")
        .says("reports that no server has taken yet will not be sent: 1");
    sentinel.run().exits(0);
    Ran::of(&mut sentinel.command(&["--sql-export"])).exits(0).prints("3 rows exported");
}

#[test]
fn a_backup_is_private_and_two_in_a_second_have_two_names() {
    let sentinel = recorded();
    for _ in 0..4 {
        archive(&sentinel, "--reset").exits(0);
        sentinel.run().exits(0);
    }
    let all = backups(&sentinel);
    assert_eq!(all.len(), 4);
    for backup in &all {
        assert_eq!(fs::metadata(backup).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(rows_in(&backup.join("maillogsentinel.db")), 3);
        let name = backup.file_name().unwrap().to_str().unwrap();
        let time = name.strip_prefix("maillogsentinel_backup_").unwrap();
        assert!(jiff::civil::DateTime::strptime("%Y%m%d_%H%M%S", &time[..15]).is_ok(), "{name}");
    }
}

#[test]
fn files_of_one_name_come_from_two_folders_and_both_arrive() {
    let sentinel =
        recorded().file("state/state.offset", "1\n").file("work/state/state.offset", "2\n");
    archive(&sentinel, "--reset").exits(0);
    let read = |name: &str| fs::read_to_string(backup(&sentinel).join(name)).unwrap();
    assert_eq!((read("state.offset"), read("state.offset_2")), ("1\n".into(), "2\n".into()));
}

#[test]
fn nothing_is_moved_where_nothing_was_written() {
    let sentinel = Sentinel::default();
    fs::create_dir(sentinel.path("backups")).unwrap();
    for action in ["--reset", "--purge"] {
        archive(&sentinel, action).exits(0).prints("nothing to move");
    }
    assert!(backups(&sentinel).is_empty() && !sentinel.path("state").exists());
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_moved() {
    let sentinel = recorded();
    for action in ["--reset", "--purge"] {
        Ran::of(sentinel.command(&[action]).stdin(std::process::Stdio::null()))
            .exits(2)
            .says("standard input is no terminal: add --yes");
    }
    assert!(sentinel.path(CSV).exists() && sentinel.path(STORE).exists());
}

/// Answers the question on a terminal; prints what is seen there.
const TERMINAL: &str = r#"
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen, answered = b"", False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if not answered and b"[y/N]" in seen:
        os.write(terminal, sys.argv[1].encode() + b"\n")
        answered = True
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn on_a_terminal_it_shows_what_it_will_do_and_asks() {
    let sentinel = recorded();
    let folder = sentinel.path("backups").display().to_string();
    let answer = |answer: &str| {
        let asked = sentinel.command(&["--reset", "--backup-dir", &folder]);
        let mut command = Command::new("python3");
        command.args(["-c", TERMINAL, answer]).arg(asked.get_program()).args(asked.get_args());
        Ran::of(command.env("TZ", "UTC"))
    };
    for no in ["", "n", "perhaps"] {
        let shown = format!("  {}", sentinel.path(CSV).display());
        answer(no)
            .exits(1)
            .prints("These go into a new folder in")
            .prints(&shown)
            .prints("Nothing was moved");
    }
    assert!(backups(&sentinel).is_empty() && sentinel.path(CSV).exists());
    answer("y").exits(0).prints("maillogsentinel.csv -> ");
    assert_eq!(rows_in(&backup(&sentinel).join("maillogsentinel.db")), 3);
}

#[test]
fn another_run_at_work_is_exit_75_and_nothing_is_moved() {
    let sentinel = recorded();
    let lock = fs::File::open(sentinel.path("state/maillogsentinel.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    archive(&sentinel, "--reset").exits(75).says("another run is at work");
    assert!(backups(&sentinel).is_empty() && sentinel.path(CSV).exists());
    drop(lock);
    archive(&sentinel, "--reset").exits(0);
}

#[test]
fn a_store_that_another_program_holds_open_is_not_moved() {
    let sentinel = recorded();
    let reader = Connection::open(sentinel.path(STORE)).unwrap();
    reader.query_row("SELECT count(*) FROM failure", [], |_| Ok(())).unwrap();
    archive(&sentinel, "--reset").exits(1).says("held open by another program").says("hint: close");
    assert!(backups(&sentinel).is_empty() && sentinel.path(CSV).exists());
    drop(reader);
    archive(&sentinel, "--reset").exits(0);
}

/// Leaves the store as a kill may: what was committed last is in the write-ahead log only.
pub fn with_a_write_ahead_log(sentinel: &Sentinel) {
    let wal = format!("{STORE}-wal");
    let store = Connection::open(sentinel.path(STORE)).unwrap();
    store.execute_batch("INSERT INTO sql_file VALUES (x'78', 0, 0, 0, 0, 'late')").unwrap();
    let files = [STORE, &wal].map(|name| (name, fs::read(sentinel.path(name)).unwrap()));
    drop(store);
    for (name, bytes) in files {
        sentinel.write(name, bytes);
    }
}

#[test]
fn what_is_in_the_write_ahead_log_is_in_the_archived_store() {
    let sentinel = recorded();
    with_a_write_ahead_log(&sentinel);
    archive(&sentinel, "--reset").exits(0);
    let backup = backup(&sentinel);
    assert!(names(&backup).iter().all(|name| !name.ends_with("-wal")), "{:?}", names(&backup));
    let store = fs::read(backup.join("maillogsentinel.db")).unwrap();
    assert!(store.windows(4).any(|bytes| bytes == b"late"));
}

#[test]
fn what_a_killed_import_left_is_undone_before_the_database_is_archived() {
    let sentinel = recorded();
    for action in ["--sql-export", "--sql-import"] {
        Ran::of(&mut sentinel.command(&[action])).exits(0);
    }
    let database = Connection::open(sentinel.path("events.sqlite")).unwrap();
    let row = "INSERT INTO maillogsentinel_events (server, event_time, ip, username) \
               SELECT 'mx', '2026', 'x', hex(zeroblob(500)) FROM failures";
    let numbers =
        "WITH RECURSIVE failures(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM failures LIMIT 3000)";
    database.execute_batch(&format!("PRAGMA cache_size = 1; BEGIN; {numbers} {row}")).unwrap();
    let files = ["events.sqlite", "events.sqlite-journal"];
    let files = files.map(|name| (name, fs::read(sentinel.path(name)).unwrap()));
    database.execute_batch("ROLLBACK").unwrap();
    drop(database);
    for (name, bytes) in files {
        sentinel.write(name, bytes);
    }
    archive(&sentinel, "--purge").exits(0);
    assert!(!sentinel.path("events.sqlite").exists());
    assert!(!sentinel.path("events.sqlite-journal").exists());
    let archived = Connection::open(backup(&sentinel).join("events.sqlite")).unwrap();
    let count = "SELECT count(*) FROM maillogsentinel_events";
    assert_eq!(archived.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 3);
}

#[test]
fn what_is_moved_back_goes_on_where_it_was() {
    let sentinel = recorded();
    archive(&sentinel, "--reset").exits(0);
    let backup = backup(&sentinel);
    for (name, place) in [("maillogsentinel.csv", CSV), ("maillogsentinel.db", STORE)] {
        // Copied, as from another disk.
        fs::copy(backup.join(name), sentinel.path(place)).unwrap();
    }
    sentinel.run().exits(0).prints("nothing new to read");
    sentinel.append("mail.log", failure(STAMP, "198.18.7.9", "d"));
    sentinel.run().exits(0);
    assert_eq!(users(&sentinel), ["a", "b", "c", "d"]);
}

#[test]
fn a_broken_store_is_archived_as_it_is() {
    let sentinel =
        recorded().file(STORE, "nonsense").file("state/maillogsentinel.db-wal", "more of it");
    archive(&sentinel, "--reset").exits(0);
    let read = |name: &str| fs::read_to_string(backup(&sentinel).join(name)).unwrap();
    assert_eq!(read("maillogsentinel.db"), "nonsense");
    assert_eq!(read("maillogsentinel.db-wal"), "more of it");
    sentinel.run().exits(0).prints("3 failed logins recorded");
}

#[test]
fn a_csv_behind_a_link_is_archived_and_the_link_stays() {
    let sentinel = recorded();
    fs::create_dir(sentinel.path("elsewhere")).unwrap();
    let real = sentinel.path("elsewhere/failures.csv");
    fs::rename(sentinel.path(CSV), &real).unwrap();
    symlink(&real, sentinel.path(CSV)).unwrap();
    archive(&sentinel, "--reset").exits(0);
    assert!(!backup(&sentinel).join("maillogsentinel.csv").is_symlink());
    sentinel.run().exits(0);
    assert!(sentinel.path(CSV).is_symlink() && real.is_file());
    assert_eq!(users(&sentinel), ["a", "b", "c"]);
}

#[test]
fn an_operational_log_that_is_no_file_stays() {
    let sentinel = recorded();
    for device in ["/dev/null", "/dev/stderr"] {
        let log = format!("general.log_file={device}");
        let folder = sentinel.path("backups").display().to_string();
        let asked = ["--reset", "--yes", "--backup-dir", &folder, "--set", &log];
        Ran::of(&mut sentinel.command(&asked)).exits(0);
        assert!(Path::new(device).exists());
        sentinel.run().exits(0);
    }
}

#[test]
fn the_folder_for_backups_must_be_there() {
    let sentinel = recorded();
    for folder in ["nowhere", "mail.log"] {
        Ran::of(&mut sentinel.command(&["--reset", "--yes", "--backup-dir", folder]))
            .exits(1)
            .says(folder)
            .says("hint: create it, or name another folder");
    }
    assert!(sentinel.path(CSV).exists());
    // Relative to where it was called.
    Ran::of(&mut sentinel.command(&["--reset", "--yes", "--backup-dir", "backups"])).exits(0);
    assert_eq!(rows_in(&backup(&sentinel).join("maillogsentinel.db")), 3);
}

/// The program as user nobody, who has no home.
fn as_nobody(sentinel: &Sentinel, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.env("TZ", "UTC").env_remove("SUDO_USER").current_dir(sentinel.path(""));
    command.arg(sentinel.public_program()).args(sentinel.command(arguments).get_args());
    command
}

fn give_to_nobody(sentinel: &Sentinel) {
    for folder in ["", "work", "state", "backups"] {
        chown(sentinel.path(folder), Some(65534), Some(65534)).unwrap();
        for name in fs::read_dir(sentinel.path(folder)).unwrap() {
            chown(name.unwrap().path(), Some(65534), Some(65534)).unwrap();
        }
    }
}

#[test]
fn a_user_without_a_home_is_told_to_name_a_folder() {
    let sentinel = recorded();
    give_to_nobody(&sentinel);
    Ran::of(&mut as_nobody(&sentinel, &["--reset", "--yes"]))
        .exits(1)
        .says("(home of user nobody) does not exist")
        .says("hint: name a folder for the backup with --backup-dir DIR");
    assert!(sentinel.path(CSV).exists());
    let folder = sentinel.path("backups").display().to_string();
    Ran::of(&mut as_nobody(&sentinel, &["--reset", "--yes", "--backup-dir", &folder])).exits(0);
    Ran::of(&mut as_nobody(&sentinel, &[])).exits(0).prints("3 failed logins recorded");
}

#[test]
fn who_may_not_move_the_files_moves_none_of_them() {
    let sentinel = recorded();
    give_to_nobody(&sentinel);
    chown(sentinel.path("state"), Some(0), Some(0)).unwrap();
    let folder = sentinel.path("backups").display().to_string();
    for (mode, said) in [(0o755, "user nobody cannot move files out of"), (0o700, "cannot look at")]
    {
        fs::set_permissions(sentinel.path("state"), Permissions::from_mode(mode)).unwrap();
        Ran::of(&mut as_nobody(&sentinel, &["--reset", "--yes", "--backup-dir", &folder]))
            .exits(1)
            .says(said)
            .says("hint: run it as root");
    }
    assert!(backups(&sentinel).is_empty() && sentinel.path(CSV).exists());
}

#[test]
fn after_root_has_reset_the_usual_user_can_run_it() {
    let sentinel = recorded();
    give_to_nobody(&sentinel);
    // As a migration from the Python program has it: there is no lock yet.
    fs::remove_file(sentinel.path("state/maillogsentinel.lock")).unwrap();
    archive(&sentinel, "--reset").exits(0);
    let moved = fs::metadata(backup(&sentinel).join("maillogsentinel.csv")).unwrap();
    assert_eq!(moved.uid(), 65534, "owners stay");
    Ran::of(&mut as_nobody(&sentinel, &[])).exits(0).prints("3 failed logins recorded");
}

#[test]
fn root_follows_no_link_that_the_services_user_can_make() {
    let sentinel = recorded().file("victim", "root's");
    let untouched = || {
        let meta = fs::metadata(sentinel.path("victim")).unwrap();
        let text = fs::read_to_string(sentinel.path("victim")).unwrap();
        assert_eq!((meta.uid(), text.as_str()), (0, "root's"));
    };
    let link = |victim: &str, name: &str| {
        let _ = fs::remove_file(sentinel.path(name));
        symlink(sentinel.path(victim), sentinel.path(name)).unwrap();
        lchown(sentinel.path(name), Some(65534), Some(65534)).unwrap();
    };
    let lock = "state/maillogsentinel.lock";
    for victim in ["victim", "none"] {
        link(victim, lock);
        archive(&sentinel, "--reset")
            .exits(1)
            .says("it is a link, has a second name, or is no file");
        untouched();
        assert!(!sentinel.path("none").exists());
    }
    fs::remove_file(sentinel.path(lock)).unwrap();
    fs::hard_link(sentinel.path("victim"), sentinel.path(lock)).unwrap();
    archive(&sentinel, "--reset").exits(1).says("it is a link, has a second name, or is no file");
    untouched();
    fs::remove_file(sentinel.path(lock)).unwrap();
    link("victim", "operational.log.1");
    archive(&sentinel, "--reset").exits(1).says("root does not follow it");
    untouched();
    fs::remove_file(sentinel.path("operational.log.1")).unwrap();
    archive(&sentinel, "--reset").exits(0);
}

#[test]
fn by_sudo_the_backup_goes_to_the_home_of_who_asked() {
    let name = "reset::by_sudo_the_backup_goes_to_the_home_of_who_asked";
    in_own_mounts(name, || {
        let sentinel = recorded();
        Ran::of(&mut sentinel.command(&["--sql-export"])).exits(0);
        let home = sentinel.path("backups").display().to_string();
        let users = format!("root:x:0:0::/nonexistent:\nalice:x:4242:4243::{home}:/bin/sh\n");
        sentinel.write("passwd", users);
        let mut bind = Command::new("mount");
        Ran::of(bind.arg("--bind").arg(sentinel.path("passwd")).arg("/etc/passwd")).exits(0);
        Ran::of(sentinel.command(&["--purge", "--yes"]).env_remove("SUDO_USER")).exits(1);
        Ran::of(sentinel.command(&["--purge", "--yes"]).env("SUDO_USER", "bob"))
            .exits(1)
            .says("user bob is not in /etc/passwd");
        Ran::of(sentinel.command(&["--purge", "--yes"]).env("SUDO_USER", "alice")).exits(0);
        let backup = backup(&sentinel);
        for folder in [&backup, &backup.join("sql")] {
            let meta = fs::metadata(folder).unwrap();
            assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (4242, 4243, 0o700));
        }
    });
}

#[test]
fn to_another_file_system_owner_mode_and_time_go_along() {
    let name = "reset::to_another_file_system_owner_mode_and_time_go_along";
    in_own_mounts(name, || {
        let sentinel = recorded();
        mount(&sentinel.path("backups"), "size=64m");
        sentinel.set_time(CSV, "2025-02-03T04:05:06.000000007Z");
        fs::set_permissions(sentinel.path(CSV), Permissions::from_mode(0o604)).unwrap();
        chown(sentinel.path(CSV), Some(4242), Some(4243)).unwrap();
        let long = HEADER.repeat(500_000);
        sentinel.write("operational.log.3", &long);
        archive(&sentinel, "--reset").exits(0);
        let moved = backup(&sentinel);
        let meta = fs::metadata(moved.join("maillogsentinel.csv")).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (4242, 4243, 0o604));
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (1_738_555_506, 7));
        assert_eq!(rows_in(&moved.join("maillogsentinel.db")), 3);
        assert!(fs::read_to_string(moved.join("operational.log.3")).unwrap() == long);
        assert!(names(&moved).iter().all(|name| !name.ends_with(".partial")));
        assert!(!sentinel.path(CSV).exists() && !sentinel.path(STORE).exists());
    });
}

#[test]
fn a_disk_without_room_for_the_backup_is_said_and_everything_stays() {
    let name = "reset::a_disk_without_room_for_the_backup_is_said_and_everything_stays";
    in_own_mounts(name, || {
        let sentinel = recorded();
        let before = names(&sentinel.path(""));
        mount(&sentinel.path("backups"), "size=64k");
        archive(&sentinel, "--reset").exits(1).says("are free there").says("hint: make room");
        assert_eq!(names(&sentinel.path("")), before);
        // There is room, but not for the names: that shows when some files are there already.
        mount(&sentinel.path("backups"), "remount,size=64m,nr_inodes=4");
        archive(&sentinel, "--reset")
            .exits(1)
            .says("No space left on device")
            .says("everything is where it was")
            .says("hint: make room");
        assert_eq!(names(&sentinel.path("")), before);
        sentinel.run().exits(0).prints("nothing new");
        assert_eq!(users(&sentinel), ["a", "b", "c"]);
    });
}
