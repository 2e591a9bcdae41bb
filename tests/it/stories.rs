//! What the program promises, told as runs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::sentinel::{HEADER, Ran, Sentinel, failure};

const STAMP: &str = "2026-11-22T21:28:34.901234+00:00";

#[test]
fn a_refused_login_becomes_a_row() {
    let sentinel = Sentinel::default().file("mail.log", failure(STAMP, "203.0.113.9", "bob"));
    sentinel.run().exits(0).prints("1 failed login recorded");
    let row = "mx1;2026-11-22 21:28;203.0.113.9;bob;null;Errno 4;N/A;N/A;N/A\n";
    assert_eq!(sentinel.rows(), row);
    sentinel.run().exits(0).prints("nothing new");
    assert_eq!(sentinel.rows(), row, "a second run finds nothing new");
}

#[test]
fn a_service_of_postfix_may_be_named_after_dovecot() {
    let log = String::from_utf8(failure(STAMP, "203.0.113.9", "bob")).unwrap();
    let log = ["postfix/dovecot-sasl", "dovecot"].map(|it| log.replace("postfix/submission", it));
    let sentinel = Sentinel::default().file("mail.log", log.concat());
    sentinel.run().exits(0).prints("2 failed logins recorded");
}

#[test]
fn a_login_that_succeeded_is_no_row_and_is_counted_apart() {
    let line = |id: &str, address: &str| {
        format!(
            "{STAMP} mx1 postfix/submission/smtpd[1]: {id}: client=unknown[{address}], \
             sasl_method=PLAIN, sasl_username=bob\n"
        )
    };
    let log =
        [line("A1", "198.51.100.7"), line("A2", "198.51.100.200"), line("A3", "2001:db8::1:2")];
    let sentinel = Sentinel::default().file("mail.log", log.concat());
    sentinel.run().exits(0).prints("3 messages of logged-in users");
    assert_eq!(sentinel.rows(), "");
    let login =
        "SELECT group_concat(account || ' ' || network || ' ' || day || ' ' || count) FROM logins";
    let counted = "bob 198.51.100.0/24 2026-11-22 2,bob 2001:db8::/64 2026-11-22 1";
    assert_eq!(sentinel.ask_store(login), counted);
}

#[test]
fn the_csv_shows_local_time_whatever_the_log_says() {
    let log = failure("2026-07-01T22:30:00Z", "203.0.113.9", "bob");
    let sentinel = Sentinel::default().zone("Europe/Berlin").file("mail.log", log);
    sentinel.run().exits(0);
    assert!(sentinel.rows().starts_with("mx1;2026-07-02 00:30;"), "{}", sentinel.rows());
}

#[test]
fn hostile_names_are_kept_and_cannot_break_the_csv() {
    let hostile: [&[u8]; 6] = [
        b"a;b\"c",
        b"=cmd|' /C calc'!A1",
        b"\x1b[2J\x07",
        b"x, sasl_username=victim",
        b"cut \xe6\x97",
        "müller".as_bytes(),
    ];
    let line = |user: &[u8]| {
        let line = failure(STAMP, "203.0.113.9", "");
        [line.trim_ascii_end(), user, b"\n"].concat()
    };
    let log: Vec<u8> = hostile.iter().flat_map(|user| line(user)).collect();
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let expected = [
        "a;b\"c",
        "=cmd|' /C calc'!A1",
        "\\x1b[2J\\x07",
        "x, sasl_username=victim",
        "cut \\xe6\\x97",
        "müller",
    ];
    assert_eq!(sentinel.who(), expected.map(|user| format!("203.0.113.9 {user}")));
}

#[test]
fn a_line_waits_until_it_is_whole() {
    let line = failure(STAMP, "203.0.113.9", "administrator");
    let (start, end) = line.split_at(line.len() - 5);
    let sentinel = Sentinel::default().file("mail.log", start);
    sentinel.run().exits(0);
    assert_eq!(sentinel.rows(), "");
    sentinel.append("mail.log", end);
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.9 administrator"]);
}

#[test]
fn a_line_of_fifty_megabytes_is_passed_over_and_said() {
    let mut log = failure(STAMP, "203.0.113.1", "before");
    log.extend(vec![b'x'; 50_000_000]);
    log.extend(b"\n");
    log.extend(failure(STAMP, "203.0.113.2", "after"));
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0).says("longer than any that a mail server writes");
    assert_eq!(sentinel.who(), ["203.0.113.1 before", "203.0.113.2 after"]);
}

#[test]
fn what_rotated_away_unread_is_said_with_its_time() {
    let sentinel =
        Sentinel::default().file("mail.log", failure("2026-11-20T10:00:00Z", "203.0.113.1", "a"));
    sentinel.run().exits(0);
    fs::remove_file(sentinel.path("mail.log")).unwrap();
    sentinel.write("mail.log", failure("2026-11-22T12:00:00Z", "203.0.113.2", "b"));
    let gap = "lines from 2026-11-20 10:00:00 to 2026-11-22 12:00:00 may be missing";
    sentinel.run().exits(0).says(gap);
    assert_eq!(sentinel.who().len(), 2);
    let again = sentinel.run().exits(0);
    assert!(!again.stderr.contains("missing"), "said once: {}", again.stderr);
}

#[test]
fn a_hole_in_the_numbers_of_rotations_is_said() {
    let day =
        |day: u8| failure(&format!("2026-11-{day}T10:00:00Z"), "203.0.113.1", &day.to_string());
    let sentinel = Sentinel::default().file("mail.log", day(10));
    sentinel.run().exits(0);
    fs::rename(sentinel.path("mail.log"), sentinel.path("mail.log.3")).unwrap();
    sentinel.write("mail.log.1", day(12));
    sentinel.write("mail.log", day(13));
    sentinel
        .run()
        .exits(0)
        .says("lines from 2026-11-10 10:00:00 to 2026-11-12 10:00:00 may be missing");
}

#[test]
fn a_missing_log_is_an_error_with_its_cure_and_the_other_log_is_read() {
    let sentinel = Sentinel::default().file("other.log", failure(STAMP, "203.0.113.9", "bob"));
    let logs =
        format!("{},{}", sentinel.path("gone.log").display(), sentinel.path("other.log").display());
    let sentinel = sentinel.set(format!("paths.mail_log={logs}"));
    sentinel.run().exits(1).says("gone.log does not exist").says("set `mail_log`");
    assert_eq!(sentinel.who(), ["203.0.113.9 bob"]);
}

#[test]
fn an_empty_log_that_never_had_a_line_is_an_error() {
    let sentinel = Sentinel::default().file("mail.log", "");
    sentinel.run().exits(1).says("is empty").says("rsyslog");
}

#[test]
fn an_empty_new_log_after_a_rotation_is_fine() {
    let sentinel = Sentinel::default().file("mail.log", failure(STAMP, "203.0.113.9", "bob"));
    sentinel.run().exits(0);
    fs::rename(sentinel.path("mail.log"), sentinel.path("mail.log.1")).unwrap();
    sentinel.write("mail.log", "");
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.9 bob"]);
}

#[test]
fn a_binary_file_is_no_log_and_that_is_said() {
    let junk: Vec<u8> =
        (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    let sentinel = Sentinel::default().file("mail.log", junk);
    sentinel.run().exits(1).says("is not a mail log");
    assert_eq!(sentinel.rows(), "");
}

#[test]
fn a_log_that_may_not_be_read_is_an_error_that_names_the_group() {
    let sentinel = Sentinel::default().file("mail.log", failure(STAMP, "203.0.113.9", "bob"));
    fs::set_permissions(sentinel.path("mail.log"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(is_root(), "this test runs the program as user nobody, which needs root");
    // Debian's group adm.
    std::os::unix::fs::chown(sentinel.path("mail.log"), None, Some(4)).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(sentinel.path(""), open).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let program = sentinel.public_program();
    let arguments = sentinel.command(&[]);
    command.arg(program).args(arguments.get_args()).current_dir(sentinel.path(""));
    Ran::of(&mut command).exits(1).says("mail.log").says("add user nobody to group adm");
    // Nobody should be put into the group root.
    std::os::unix::fs::chown(sentinel.path("mail.log"), None, Some(0)).unwrap();
    Ran::of(&mut command).exits(1).says("chgrp adm");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_damaged_archive_gives_what_it_holds_and_an_error_once() {
    let lines: Vec<u8> = (0..20_000)
        .flat_map(|n: u32| {
            failure(STAMP, "203.0.113.9", &format!("user{}", n.wrapping_mul(2_654_435_761)))
        })
        .collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&lines).unwrap();
    let mut packed = encoder.finish().unwrap();
    packed.truncate(packed.len() / 2);
    let sentinel = Sentinel::default()
        .file("mail.log.2.gz", packed)
        .file("mail.log", failure(STAMP, "203.0.113.2", "live"));
    sentinel.run().exits(1).says("mail.log.2.gz is damaged");
    let found = sentinel.who();
    assert!(found.len() > 5_000 && found.last().unwrap() == "203.0.113.2 live", "{}", found.len());
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), found);
}

#[test]
fn standard_input_is_read_and_a_second_look_at_it_adds_only_what_is_new() {
    let sentinel = Sentinel::default().set("paths.mail_log=-");
    let give = |log: &[u8]| {
        let mut command = sentinel.command(&[]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(log).unwrap();
        assert!(child.wait().unwrap().success());
    };
    let first = failure(STAMP, "203.0.113.1", "a");
    give(&first);
    give(&[first, failure(STAMP, "203.0.113.2", "b")].concat());
    assert_eq!(sentinel.who(), ["203.0.113.1 a", "203.0.113.2 b"]);
}

#[test]
fn a_link_that_moves_to_another_file_every_day_is_followed() {
    let sentinel = Sentinel::default()
        .file("logs/day1.log", failure("2026-11-20T10:00:00Z", "203.0.113.1", "a"));
    let link = sentinel.path("mail.log");
    std::os::unix::fs::symlink(sentinel.path("logs/day1.log"), &link).unwrap();
    sentinel.run().exits(0);
    sentinel.append("logs/day1.log", failure("2026-11-20T23:59:00Z", "203.0.113.2", "b"));
    sentinel.write("logs/day2.log", failure("2026-11-21T00:01:00Z", "203.0.113.3", "c"));
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(sentinel.path("logs/day2.log"), &link).unwrap();
    let ran = sentinel.run().exits(0);
    assert!(!ran.stderr.contains("missing"), "{}", ran.stderr);
    assert_eq!(sentinel.who(), ["203.0.113.1 a", "203.0.113.2 b", "203.0.113.3 c"]);
}

#[test]
fn a_csv_that_was_moved_away_is_started_anew_and_nothing_comes_twice() {
    let sentinel = Sentinel::default().file("mail.log", failure(STAMP, "203.0.113.1", "a"));
    sentinel.run().exits(0);
    let csv = sentinel.path("work/maillogsentinel.csv");
    fs::rename(&csv, sentinel.path("old.csv")).unwrap();
    sentinel.run().exits(0);
    assert_eq!(fs::read_to_string(&csv).unwrap(), HEADER);
    sentinel.append("mail.log", failure(STAMP, "203.0.113.2", "b"));
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.2 b"]);
}

#[test]
fn what_an_administrator_did_to_the_csv_stays() {
    let sentinel = Sentinel::default().file("mail.log", failure(STAMP, "203.0.113.1", "a"));
    sentinel.run().exits(0);
    sentinel.append("work/maillogsentinel.csv", "a note without an end");
    sentinel.append("mail.log", failure(STAMP, "203.0.113.2", "b"));
    sentinel.run().exits(0);
    let rows: Vec<_> = sentinel.rows().lines().map(|row| row[..12].to_owned()).collect();
    assert_eq!(rows, ["mx1;2026-11-", "a note witho", "mx1;2026-11-"]);
    // Rows cut out of the middle, by an editor that writes a new file.
    sentinel.write("new", format!("{HEADER}a note\n"));
    fs::rename(sentinel.path("new"), sentinel.path("work/maillogsentinel.csv")).unwrap();
    sentinel.append("mail.log", failure(STAMP, "203.0.113.3", "c"));
    sentinel.run().exits(0);
    assert!(sentinel.rows().starts_with("a note\nmx1;2026-11-22 21:28;203.0.113.3;c;"));
    assert_eq!(sentinel.rows().lines().count(), 2);
}

#[test]
fn a_csv_of_the_python_program_is_continued_and_its_rows_come_once() {
    let legacy = format!(
        "{}mx1;22/11/2026 21:28;203.0.113.1;a;host.example;OK;CN;4837;\"CHINA; UNICOM\"\r\n\
         mx1;05/11/2026 01:02;203.0.113.7;old;null;Errno 1;N/A;N/A;N/A\r\nnonsense\r\n",
        HEADER.replace('\n', "\r\n")
    );
    let log = [failure(STAMP, "203.0.113.1", "a"), failure(STAMP, "203.0.113.2", "b")].concat();
    let sentinel =
        Sentinel::default().file("work/maillogsentinel.csv", &legacy).file("mail.log", log);
    sentinel.run().exits(0).says("1 lines of").says(":4: the field `date` is missing");
    let csv = fs::read_to_string(sentinel.path("work/maillogsentinel.csv")).unwrap();
    let added = "mx1;2026-11-22 21:28;203.0.113.2;b;null;Errno 4;N/A;N/A;N/A\n";
    assert_eq!(csv, format!("{legacy}{added}"), "the row of user a is there already");
    let imported = "SELECT count(*) FROM failure WHERE generation IS NULL";
    assert_eq!(sentinel.ask_store(imported), "1", "of 5 November: its log is gone");
    assert_eq!(sentinel.ask_store("SELECT count(*) FROM failure"), "3");
}

#[test]
fn a_csv_whose_networks_are_no_numbers_is_continued_judged_and_reported() {
    let mut rows = HEADER.to_owned();
    for (at, asn) in ["AS64496", "99999999999", "-1", "x"].iter().enumerate() {
        let row = ["mx0;2026-11-22 21:28;203.0.113.9;user", &at.to_string(), ";null;OK;FR;", asn];
        rows.extend(row);
        rows.push_str(";Example\n");
    }
    let log: Vec<u8> = (0..5)
        .flat_map(|at| failure("2026-11-22T21:28:33Z", "203.0.113.9", &format!("user{at}")))
        .collect();
    let sentinel = Sentinel::default().file("work/maillogsentinel.csv", rows).file("mail.log", log);
    sentinel.run().exits(0).prints("1 failed login recorded");
    let report = ["--report", "--date", "2026-11-22", "--output", "-"];
    Ran::of(&mut sentinel.command(&report)).exits(0).prints("user3");
}

#[test]
fn the_python_programs_offset_is_taken_over() {
    let before = failure("2026-11-20T10:00:00Z", "203.0.113.1", "seen");
    let after = failure("2026-11-21T10:00:00Z", "203.0.113.2", "new");
    let older = failure("2026-11-19T10:00:00Z", "203.0.113.3", "older");
    let sentinel = Sentinel::default()
        .file("mail.log.1", older)
        .file("state/state.offset", before.len().to_string())
        .file("mail.log", [before.clone(), after].concat());
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.2 new"]);
    // Rotated since: the offset is that of the file that is now `.1`.
    let sentinel = Sentinel::default()
        .file("state/state.offset", before.len().to_string())
        .file(
            "mail.log.1",
            [before, failure("2026-11-21T10:00:00Z", "203.0.113.2", "tail")].concat(),
        )
        .file("mail.log", failure("2026-11-22T10:00:00Z", "203.0.113.4", "x"));
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.2 tail", "203.0.113.4 x"]);
}

#[test]
fn a_lost_store_is_built_anew_from_log_and_csv() {
    let log: Vec<_> = ["a", "b;\"c", "caf\u{e9}", "\x1b[x"]
        .iter()
        .flat_map(|user| failure(STAMP, "203.0.113.1", user))
        .collect();
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let rows = sentinel.rows();
    fs::remove_dir_all(sentinel.path("state")).unwrap();
    sentinel.run().exits(0);
    assert_eq!(sentinel.rows(), rows);
}

#[test]
fn ignored_networks_are_never_recorded() {
    let log = [failure(STAMP, "192.0.2.7", "a"), failure(STAMP, "203.0.113.2", "b")].concat();
    let sentinel =
        Sentinel::default().file("mail.log", log).set("detect.ignore_networks=192.0.2.0/24");
    sentinel.run().exits(0).prints("1 from ignored networks");
    assert_eq!(sentinel.who(), ["203.0.113.2 b"]);
}

#[test]
fn a_line_that_no_rule_understands_is_shown_with_its_place() {
    let odd = format!(
        "{STAMP} mx1 postfix/smtpd[1]: warning: x[192.0.2.1]: SASL \x1b PLAIN was refused\n"
    );
    let log = [failure(STAMP, "203.0.113.9", "bob"), odd.into_bytes()].concat();
    let sentinel = Sentinel::default().file("mail.log", log);
    let ran = sentinel.run().exits(0).prints("1 line not understood");
    assert!(ran.stderr.contains("mail.log:2 looks like a login"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b') && ran.stderr.contains("\\x1b"), "{}", ran.stderr);
}

#[test]
fn the_operational_log_has_the_words_of_the_guide() {
    let sentinel = Sentinel::default()
        .file("mail.log", failure(STAMP, "203.0.113.9", "bob"))
        .set("general.log_level=DEBUG");
    sentinel.run().exits(0);
    let log = fs::read_to_string(sentinel.path("operational.log")).unwrap();
    let path = sentinel.path("mail.log").display().to_string();
    let messages: Vec<_> = log.lines().map(|line| line.split_at(24)).collect();
    assert!(messages.iter().all(|(stamp, _)| {
        jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", &stamp[..19]).is_ok()
            && stamp.as_bytes()[19] == b','
    }));
    let version = env!("CARGO_PKG_VERSION");
    for expected in [
        format!("INFO === Start of MailLogSentinel v{version} ==="),
        format!("DEBUG Files to process: [PosixPath('{path}')], starting from offset: 0"),
        format!("INFO Processing {path} (gzip: False)"),
        "INFO === End of MailLogSentinel execution ===".to_owned(),
    ] {
        assert!(messages.iter().any(|(_, message)| *message == expected), "{expected}: {log}");
    }
}

#[test]
fn an_operational_log_that_cannot_be_written_fails_the_run_but_loses_nothing() {
    let sentinel = Sentinel::default()
        .file("mail.log", failure(STAMP, "203.0.113.9", "bob"))
        .set("general.log_file=/proc/nothing/x.log");
    sentinel.run().exits(1).says("cannot write the operational log").says("log_file");
    assert_eq!(sentinel.who(), ["203.0.113.9 bob"]);
}

#[test]
fn summed_up_lines_count_as_often_as_they_say() {
    let line = format!(
        "{STAMP} mx1 postfix/smtpd[1]: message repeated 3 times: [ warning: unknown[203.0.113.9]: \
         SASL LOGIN authentication failed: UGFzc3dvcmQ6]\n"
    );
    let sentinel = Sentinel::default().file("mail.log", line);
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.9 null"; 3]);
}

#[test]
fn a_file_that_two_logs_claim_is_read_once() {
    let sentinel = Sentinel::default()
        .file("mail.log.1", failure("2026-11-21T10:00:00Z", "203.0.113.1", "a"))
        .file("mail.log", failure("2026-11-22T10:00:00Z", "203.0.113.2", "b"));
    std::os::unix::fs::symlink(sentinel.path("mail.log"), sentinel.path("maillog")).unwrap();
    let logs: Vec<_> = ["mail.log", "mail.log.1", "maillog"]
        .map(|name| sentinel.path(name).display().to_string())
        .into();
    let sentinel = sentinel.set(format!("paths.mail_log={}", logs.join(", ")));
    sentinel.run().exits(0);
    sentinel.append("mail.log", failure("2026-11-22T11:00:00Z", "203.0.113.3", "c"));
    sentinel.run().exits(0);
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.1 a", "203.0.113.2 b", "203.0.113.3 c"]);
}

#[test]
fn a_log_that_is_called_otherwise_now_is_still_the_same_log() {
    let sentinel = Sentinel::default().file("logs/mail.log", failure(STAMP, "203.0.113.1", "a"));
    let run = |log: &str| {
        let set = format!("paths.mail_log={}/{log}", sentinel.path("").display());
        Ran::of(&mut sentinel.command(&["--set", &set])).exits(0)
    };
    run("logs/mail.log");
    sentinel.append("logs/mail.log", failure(STAMP, "203.0.113.2", "b"));
    run("logs/../logs/mail.log");
    fs::rename(sentinel.path("logs"), sentinel.path("elsewhere")).unwrap();
    sentinel.append("elsewhere/mail.log", failure(STAMP, "203.0.113.3", "c"));
    let ran = run("elsewhere/mail.log");
    assert!(!ran.stderr.contains("missing"), "{}", ran.stderr);
    assert_eq!(sentinel.who(), ["203.0.113.1 a", "203.0.113.2 b", "203.0.113.3 c"]);
}

#[test]
fn an_offset_that_fits_no_file_is_not_kept_for_later_ones() {
    let sentinel = Sentinel::default()
        .file("state/state.offset", "300")
        .file("mail.log", failure(STAMP, "203.0.113.1", "a"));
    sentinel.run().exits(0);
    assert!(!sentinel.path("state/state.offset").exists(), "it is renamed once it is used");
    fs::rename(sentinel.path("mail.log"), sentinel.path("mail.log.1")).unwrap();
    let later = ["b", "c", "d"].map(|user| failure(STAMP, "203.0.113.2", user)).concat();
    sentinel.write("mail.log", later);
    sentinel.run().exits(0);
    assert_eq!(sentinel.who().len(), 4, "{:?}", sentinel.who());
}

#[test]
fn a_files_wrong_time_does_not_spoil_the_years_for_ever() {
    let today = jiff::Timestamp::now().strftime("%b %e 00:00:01").to_string();
    for wrong in ["2040-03-01T00:00:00Z", "1970-03-01T00:00:00Z"] {
        let sentinel = Sentinel::default().file("mail.log", failure(&today, "203.0.113.1", "a"));
        sentinel.set_time("mail.log", wrong);
        sentinel.run().exits(0);
        sentinel.append("mail.log", failure(&today, "203.0.113.2", "b"));
        sentinel.run().exits(0).prints("1 failed login recorded");
        let year = jiff::Timestamp::now().strftime(";%Y-").to_string();
        assert!(sentinel.rows().lines().all(|row| row.contains(&year)), "{}", sentinel.rows());
    }
}

#[test]
fn a_line_from_the_future_does_not_move_the_others() {
    let today = jiff::Timestamp::now();
    let day = |hours: i64, user: &str| {
        let time = today - jiff::SignedDuration::from_hours(hours);
        failure(&time.strftime("%b %e %H:%M:%S").to_string(), "203.0.113.1", user)
    };
    let log =
        [day(50, "a"), failure("2099-01-01T00:00:00+00:00", "203.0.113.2", "wrong"), day(2, "b")];
    let sentinel = Sentinel::default().file("mail.log", log.concat());
    sentinel.run().exits(0);
    let year =
        |hours| (today - jiff::SignedDuration::from_hours(hours)).strftime("%Y-%m-%d").to_string();
    let rows = sentinel.rows();
    let dates: Vec<_> = rows.lines().map(|row| &row.split(';').nth(1).unwrap()[..10]).collect();
    assert_eq!(dates, [year(50).as_str(), "2099-01-01", year(2).as_str()]);
}

#[test]
fn a_zstd_archive_with_a_wrong_checksum_is_damaged() {
    let mut child = Command::new("zstd")
        .args(["-c", "--check"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&failure(STAMP, "203.0.113.9", "bob")).unwrap();
    let mut packed = child.wait_with_output().unwrap().stdout;
    *packed.last_mut().unwrap() ^= 1;
    let sentinel = Sentinel::default().file("mail.log.1.zst", packed).file("mail.log", "");
    sentinel.run().exits(1).says("is damaged: its checksum is wrong");
}

#[test]
fn a_user_called_null_comes_once_when_the_store_is_lost() {
    let log =
        [failure(STAMP, "203.0.113.1", "null"), failure(STAMP, "203.0.113.2", "(unavailable)")];
    let sentinel = Sentinel::default().file("mail.log", log.concat());
    sentinel.run().exits(0);
    fs::remove_dir_all(sentinel.path("state")).unwrap();
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.1 null", "203.0.113.2 null"]);
}

#[test]
fn a_copy_beside_the_log_is_read_once() {
    let line = failure(STAMP, "203.0.113.1", "a");
    let sentinel = Sentinel::default().file("mail.log.1", &line).file("mail.log", &line);
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.1 a"]);
}

#[test]
fn standard_input_that_is_another_log_is_no_success() {
    let sentinel = Sentinel::default().set("paths.mail_log=-");
    let give = |users: &[&str]| {
        let log: Vec<u8> =
            users.iter().flat_map(|user| failure(STAMP, "203.0.113.1", user)).collect();
        let mut command = sentinel.command(&[]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&log).unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(give(&["a", "b"]).status.success());
    let second = give(&["a", "c", "d"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("neither a new log nor"));
}

#[test]
fn a_folder_that_may_not_be_listed_is_said() {
    assert!(is_root(), "this test runs the program as user nobody, which needs root");
    let sentinel = Sentinel::default().file("logs/mail.log", failure(STAMP, "203.0.113.9", "bob"));
    let mode = |path: &str, mode| {
        fs::set_permissions(sentinel.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o777);
    mode("logs", 0o711);
    mode("logs/mail.log", 0o644);
    let set = format!("paths.mail_log={}/logs/mail.log", sentinel.path("").display());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let arguments = sentinel.command(&["--set", &set]);
    command
        .arg(sentinel.public_program())
        .args(arguments.get_args())
        .current_dir(sentinel.path(""));
    Ran::of(&mut command).exits(1).says("cannot list").says("logs");
    assert_eq!(sentinel.who(), ["203.0.113.9 bob"]);
}

#[test]
fn one_file_cannot_be_log_and_csv() {
    let sentinel = Sentinel::default().file("work/mail.log", failure(STAMP, "203.0.113.9", "bob"));
    let log = format!("paths.mail_log={}", sentinel.path("work/mail.log").display());
    let sentinel = sentinel.set(log).set("paths.csv_filename=mail.log");
    sentinel.run().exits(78).says("lead to the same file");
}

#[test]
fn a_log_that_is_not_configured_any_more_is_left_alone() {
    let sentinel = Sentinel::default()
        .file("mail.log", failure("2026-11-20T10:00:00Z", "203.0.113.1", "a"))
        .file("other.log", failure("2026-11-21T10:00:00Z", "203.0.113.2", "b"));
    let path = |name: &str| sentinel.path(name).display().to_string();
    let both = format!("paths.mail_log={}, {}", path("mail.log"), path("other.log"));
    Ran::of(&mut sentinel.command(&["--set", &both])).exits(0);
    sentinel.append("other.log", failure("2026-11-22T10:00:00Z", "203.0.113.3", "c"));
    fs::rename(sentinel.path("mail.log"), sentinel.path("mail.log.1")).unwrap();
    sentinel.write("mail.log", failure("2026-11-22T11:00:00Z", "203.0.113.4", "d"));
    let ran = sentinel.run().exits(0);
    assert!(!ran.stderr.contains("missing"), "{}", ran.stderr);
    assert_eq!(sentinel.who(), ["203.0.113.1 a", "203.0.113.2 b", "203.0.113.4 d"]);
}

#[test]
fn the_rest_of_a_line_that_a_container_runtime_has_split_is_no_line_of_its_own() {
    let forged = "Nov 26 01:00:03 mx postfix/smtpd[10]: warning: unknown[203.0.113.66]: SASL LOGIN \
        authentication failed: x, sasl_username=forged";
    let real = forged.replace("203.0.113.66", "198.51.100.7").replace("forged", "real");
    let cri = |flag: &str, text: &str| format!("2026-11-26T01:00:03.5Z stdout {flag} {text}\n");
    let object = |text: &str| {
        format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"2026-11-26T01:00:03Z\"}}\n")
    };
    for log in [
        [cri("P", "xxxx"), cri("F", forged), cri("F", &real)],
        // Docker splits at 16 KiB.
        [
            object(&"x".repeat(1 << 14)),
            object(&format!("{forged}\\n")),
            object(&format!("{real}\\n")),
        ],
    ] {
        let sentinel = Sentinel::default().file("mail.log", log.concat());
        sentinel.run().exits(0);
        assert_eq!(sentinel.who(), ["198.51.100.7 real"]);
        let ran = Ran::of(&mut sentinel.command(&["explain", "mail.log"])).exits(0);
        ran.prints("3 lines: 1 failed logins");
    }
    // What ends without a newline is whole where it is short: another program has written it anew.
    let anew = [object(forged), object(&real), object(&real)];
    let sentinel = Sentinel::default().file("mail.log", anew.concat());
    sentinel.run().exits(0).prints("3 failed logins recorded");
}

#[test]
fn an_auth_service_that_one_host_cannot_reach_hides_no_failure_of_another() {
    let line = |host: &str, text: &str| {
        format!("Nov 22 21:28:33 {host} postfix/smtpd[100]: warning: {text}\n")
    };
    let failed = |address: &str, user: &str| {
        format!("unknown[{address}]: SASL LOGIN authentication failed: x, sasl_username={user}")
    };
    let log = [
        line(
            "mx1",
            "SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused",
        ),
        line("mx2", &failed("203.0.113.9", "real")),
        line("mx1", &failed("203.0.113.8", "(unavailable)")),
    ];
    let sentinel = Sentinel::default().file("mail.log", log.concat());
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.9 real"]);
}
