//! The command line and the configuration, as the contract has them.

use std::fs;

use crate::sentinel::{Ran, Sentinel, failure};

#[test]
fn a_wrong_command_line_is_exit_2() {
    let sentinel = Sentinel::default();
    for wrong in [
        &["--report", "--reset"][..],
        &["--nonsense"],
        &["--date", "today"],
        &["--yes"],
        &["--setup", "--automated", "--interactive"],
        &["--report", "doctor"],
        &["--report", "--date", "tomorrow"],
        &["--report", "--output", "x.pdf"],
        &["--color", "red"],
        &["-v", "-q"],
    ] {
        Ran::of(&mut sentinel.command(wrong)).exits(2);
    }
}

#[test]
fn help_and_version_are_exit_0() {
    let sentinel = Sentinel::default();
    Ran::of(&mut sentinel.command(&["--help"])).exits(0).prints("--sql-export").prints("explain");
    Ran::of(&mut sentinel.command(&["--version"])).exits(0).prints(env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_mistake_of_a_configuration_is_told_in_one_go() {
    let config = "[paths]\nmail_log =\nworkin_dir = /x\n[report]\nemail = not an address\n\
                  smtp_port = 99999\nhtml = perhaps\nnonsense\n[sql]\nx = 1\n[general]\nlog_level = LOUD\n";
    let sentinel = Sentinel::default().file("maillogsentinel.conf", config);
    let ran = sentinel.run().exits(78);
    for (line, what) in [
        (3, "did you mean `working_dir` in section [paths]?"),
        (5, "e-mail addresses"),
        (6, "a whole number from 1 to 65535"),
        (7, "true or false"),
        (8, "not `key = value`"),
        (10, "unknown section [sql]"),
        (12, "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ] {
        let place = format!("maillogsentinel.conf:{line}:");
        let told = ran
            .stderr
            .lines()
            .skip_while(|l| !l.contains(&place))
            .take(2)
            .any(|l| l.contains(what));
        assert!(told, "{place} {what}\n{}", ran.stderr);
    }
}

#[test]
fn the_configuration_of_the_python_program_works_unchanged() {
    let sentinel =
        Sentinel::default().file("mail.log", failure("2026-11-22T21:28:34Z", "203.0.113.9", "bob"));
    let path = sentinel.path("").display().to_string();
    let config = format!(
        "[paths]\n# Working directory + logs + CSV\nworking_dir = {path}/work\nstate_dir   = {path}/state\n\
         mail_log    = {path}/mail.log\ncsv_filename = intrusions.csv\n\n[report]\n\
         email = security-team@example.org\nreport_subject_prefix = [MailLogSentinel]\n\
         report_sender_override =\n\n[geolocation]\ncountry_db_path = {path}/country.csv\n\
         country_db_url = https://example.org/x.csv\n\n[ASN_ASO]\nasn_db_path = {path}/asn.csv\n\
         [general]\nlog_level = info\nlog_file = {path}/op.log\nlog_file_max_bytes = 1_000_000\n\
         log_file_backup_count = 5\n[dns_cache]\nenabled = True\nsize = 128\nttl_seconds = 3600\n\
         [sqlite_database]\ndb_type = sqlite3\ndb_path = /var/lib/x.sqlite\nuser =\npassword_hash =\n\
         salt =\n[sql_export_settings]\ncolumn_mapping_file =\ntable_name = maillogsentinel_events\n\
         [sql_export_systemd]\nfrequency = *:0/4\n[sql_import_systemd]\nfrequency = *:0/5\n\
         [User]\nrun_as_user = root\n[systemd]\nextraction_schedule = hourly\nreport_schedule = daily\n\
         ip_update_schedule = weekly\n\n[DEFAULT]\n"
    );
    sentinel.write("maillogsentinel.conf", config);
    let ran = sentinel.run().exits(0);
    assert!(!ran.stderr.contains("warning") && !ran.stderr.contains("WARNING"), "{}", ran.stderr);
    let csv = fs::read_to_string(sentinel.path("work/intrusions.csv")).unwrap();
    assert!(csv.contains("203.0.113.9;bob"), "{csv}");
}

#[test]
fn no_configuration_is_an_error_unless_every_path_is_given() {
    let sentinel =
        Sentinel::default().file("mail.log", failure("2026-11-22T21:28:34Z", "203.0.113.9", "bob"));
    let program = crate::sentinel::program();
    assert!(!std::path::Path::new("/etc/maillogsentinel.conf").exists());
    Ran::of(&mut std::process::Command::new(program)).exits(78).says("--config FILE");
    let set = |key: &str, value: &str| format!("paths.{key}={}", sentinel.path(value).display());
    let mut command = std::process::Command::new(program);
    command.args(["--set", &set("mail_log", "mail.log"), "--set", &set("working_dir", "work")]);
    command.args(["--set", &set("state_dir", "state"), "--set", "general.log_file="]);
    Ran::of(&mut command).exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.9 bob"]);
}

#[test]
fn a_secret_that_others_can_read_is_warned_of_and_never_shown() {
    let sentinel =
        Sentinel::default().file("mail.log", failure("2026-11-22T21:28:34Z", "203.0.113.9", "bob"));
    let config = fs::read_to_string(sentinel.path("maillogsentinel.conf")).unwrap();
    sentinel.write("maillogsentinel.conf", format!("{config}[report]\nsmtp_password = hunter2\n"));
    let ran = sentinel.run().exits(0).says("holds a secret").says("chmod o-r");
    assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"));
}

#[test]
fn explain_points_at_columns_and_at_the_nearest_rule() {
    let sentinel = Sentinel::default();
    let line = "Oct  1 14:00:02 mx1 postfix/smtps/smtpd[77]: warning: host-10.1.2.3.evil.example[198.51.100.7]: \
                SASL LOGIN authentication failed: UGFzc3dvcmQ6";
    let ran = Ran::of(&mut sentinel.command(&["explain", line])).exits(0).prints("FAILURE");
    let field = |name: &str| {
        let mut fields = ran.stdout.lines().map(|l| l.split_whitespace().collect::<Vec<_>>());
        fields
            .find(|f| f.first() == Some(&name))
            .unwrap_or_else(|| panic!("{name}: {}", ran.stdout))
    };
    let columns = |name: &str| {
        let (start, end) = field(name)[1].split_once('-').unwrap();
        line[start.parse::<usize>().unwrap() - 1..end.parse().unwrap()].to_owned()
    };
    assert_eq!(columns("address"), "198.51.100.7");
    assert_eq!(columns("name"), "host-10.1.2.3.evil.example");
    assert_eq!(columns("mechanism"), "LOGIN");
    assert_eq!(columns("reason"), "UGFzc3dvcmQ6");
    assert_eq!(columns("program"), "postfix/smtps/smtpd");
    assert_eq!(columns("time"), "Oct  1 14:00:02");
    let odd = line.replace("authentication failed", "authentication refused");
    Ran::of(&mut sentinel.command(&["explain", &odd]))
        .exits(0)
        .prints("postfix-sasl-failed stops at column 107: expected ` authentication failed: `");
    assert_eq!(odd.find(" authentication refused"), Some(106), "columns count from 1");
    Ran::of(&mut sentinel.command(&["explain", "--rules"])).exits(0).prints("postfix-logged-in");
}

#[test]
fn explain_missed_lists_what_no_rule_took() {
    let log = [
        failure("2026-11-22T21:28:34Z", "203.0.113.9", "bob"),
        b"2026-11-22T21:28:35Z mx1 postfix/smtpd[1]: warning: x[192.0.2.1]: SASL PLAIN refused\n"
            .to_vec(),
        b"2026-11-22T21:28:35Z mx1 postfix/smtpd[1]: connect from x[192.0.2.1]\n".to_vec(),
    ];
    let sentinel = Sentinel::default().file("some.log", log.concat());
    let ran = Ran::of(&mut sentinel.command(&["explain", "--missed", "some.log"])).exits(0);
    assert!(ran.stdout.starts_with("some.log:2: MISSED"), "{}", ran.stdout);
    assert!(ran.stdout.contains("3 lines: 1 failed logins"), "{}", ran.stdout);
    Ran::of(&mut sentinel.command(&["explain", "gone.log"])).exits(1).says("gone.log");
}

#[test]
fn settings_count_on_both_sides_of_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut command = std::process::Command::new(crate::sentinel::program());
    command.arg("--set").arg(format!("paths.mail_log={}", path("mail.log")));
    command.arg(format!("--set=paths.working_dir={}", path("work"))).arg("doctor");
    command.arg("--set").arg(format!("paths.state_dir={}", path("state")));
    command.arg("--set").arg("general.log_file=");
    let ran = Ran::of(&mut command);
    assert!(!ran.stdout.contains("no configuration file"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&path("mail.log")), "{}", ran.stdout);
}
