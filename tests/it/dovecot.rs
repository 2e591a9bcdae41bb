//! Dovecot's own logins, and what its auth service knows of those at Postfix.

use crate::sentinel::{Ran, Sentinel};

const BOTH: &str = "detect.services=postfix, dovecot";

/// `session N attempts USER` of the client 203.0.113.9.
fn session(attempts: u32, user: &str) -> String {
    format!(
        "2026-11-24T10:00:00+00:00 mx1 dovecot: imap-login: Disconnected: Connection closed (auth \
         failed, {attempts} attempts in 9 secs): user=<{user}>, method=PLAIN, rip=203.0.113.9, \
         lip=192.0.2.1, session=<x>\n"
    )
}

/// What the auth service says, at this second.
fn asked(second: u32, user: &str, address: &str) -> String {
    format!(
        "2026-11-24T10:00:{second:02}+00:00 mx1 dovecot: auth: passwd-file({user},{address}): \
         Password mismatch\n"
    )
}

/// What an old Postfix says, at this second.
fn refused(second: u32, address: &str) -> String {
    format!(
        "2026-11-24T10:00:{second:02}+00:00 mx1 postfix/smtpd[12]: warning: unknown[{address}]: \
         SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"
    )
}

/// The users of all rows.
fn users(sentinel: &Sentinel) -> String {
    let rows = sentinel.rows();
    let users: Vec<_> = rows.lines().map(|row| row.split(';').nth(3).unwrap()).collect();
    users.join(" ")
}

#[test]
fn a_session_of_three_attempts_is_three_rows() {
    let sentinel = Sentinel::default().file("mail.log", session(3, "bob")).set(BOTH);
    sentinel.run().exits(0).prints("3 failed logins recorded");
    assert_eq!(users(&sentinel), "bob bob bob");
    let manner =
        sentinel.ask_store("SELECT service || ', ' || mechanism || ', ' || reason FROM manner");
    assert_eq!(manner.trim(), "dovecot/imap, PLAIN, auth failed");
}

#[test]
fn each_service_counts_only_where_it_is_asked_for() {
    let failed = "2026-11-24T10:00:01+00:00 mx1 postfix/smtpd[12]: warning: x[203.0.113.7]: SASL \
                  PLAIN authentication failed: x, sasl_username=SASL\n";
    let log = format!("{}{failed}", session(1, "SASL -login: "));
    for (services, expected) in [
        ("postfix", "SASL"),
        ("dovecot", "SASL -login: "),
        ("postfix, dovecot", "SASL -login:  SASL"),
    ] {
        let sentinel = Sentinel::default().file("mail.log", &log);
        let sentinel = sentinel.set(format!("detect.services={services}"));
        sentinel.run().exits(0).prints("0 lines not understood");
        assert_eq!(users(&sentinel), expected, "{services}");
    }
}

#[test]
fn one_attempt_at_postfix_is_one_row_however_many_lines_tell_of_it() {
    let log = asked(1, "bob", "203.0.113.9")
        + "2026-11-24T10:00:03+00:00 mx1 postfix/smtpd[12]: warning: x[203.0.113.9]: SASL PLAIN \
           authentication failed: (reason unavailable), sasl_username=bob\n";
    let sentinel = Sentinel::default().file("mail.log", log).set(BOTH);
    sentinel.run().exits(0);
    assert_eq!(users(&sentinel), "bob");
}

#[test]
fn a_line_that_a_run_has_read_names_the_user_of_one_that_the_next_run_reads() {
    let sentinel = Sentinel::default().file("mail.log", asked(1, "bob", "203.0.113.9"));
    sentinel.run().exits(0);
    sentinel.append("mail.log", refused(3, "203.0.113.9") + &asked(4, "eve", "203.0.113.9"));
    sentinel.run().exits(0);
    sentinel.append("mail.log", refused(6, "203.0.113.9") + &refused(7, "203.0.113.9"));
    sentinel.run().exits(0);
    assert_eq!(users(&sentinel), "bob eve null");
}

#[test]
fn a_rotation_between_two_lines_never_gives_a_wrong_user() {
    // Bob's attempt and Eve's are under way when the log is rotated; who reads the new file alone
    // would take Eve's line for that of Bob's failure.
    let old = asked(1, "bob", "203.0.113.9");
    let quiet = "2026-11-24T10:00:40+00:00 mx1 postfix/smtpd[12]: connect from x[203.0.113.9]\n";
    let new = asked(2, "eve", "203.0.113.9")
        + &refused(3, "203.0.113.9")
        + &refused(4, "203.0.113.9")
        + quiet
        + &asked(41, "carol", "203.0.113.9")
        + &refused(43, "203.0.113.9");
    let at_once = Sentinel::default().file("mail.log.1", &old).file("mail.log", &new);
    at_once.run().exits(0);
    assert_eq!(users(&at_once), "null null carol");
    let one_by_one = Sentinel::default().file("mail.log", &old);
    one_by_one.run().exits(0);
    std::fs::rename(one_by_one.path("mail.log"), one_by_one.path("mail.log.1")).unwrap();
    one_by_one.write("mail.log", &new);
    one_by_one.run().exits(0);
    assert_eq!(users(&one_by_one), "null null carol");
}

#[test]
fn the_user_of_a_long_log_is_found_behind_megabytes_of_other_lines() {
    let other = |minute: u32| {
        format!(
            "2026-11-24T09:{minute:02}:00+00:00 mx1 postfix/smtpd[12]: connect from x[192.0.2.1]\n"
        )
    };
    // Between the two lines a block of the reader's ends, wherever those are.
    for lines in 0..8 {
        let log = other(58).repeat(9000)
            + &other(59).repeat(400 * lines)
            + &asked(1, "bob", "203.0.113.9")
            + &other(59).repeat(100)
            + &refused(3, "203.0.113.9");
        let sentinel = Sentinel::default().file("mail.log", log);
        sentinel.run().exits(0);
        assert_eq!(users(&sentinel), "bob");
    }
}

#[test]
fn explain_tells_that_a_user_was_joined() {
    let log = asked(1, "bob", "203.0.113.9") + &refused(3, "203.0.113.9") + &session(3, "eve");
    let sentinel = Sentinel::default().file("mail.log", log);
    let ran = Ran::of(&mut sentinel.command(&["explain", "mail.log"])).exits(0);
    let ran = ran.prints("bob  joined from a line of Dovecot's auth service before");
    ran.prints("3, recorded as so many rows").prints("3 lines: 4 failed logins");
}

#[test]
fn a_password_that_dovecot_logged_is_never_shown() {
    let secret = "SASL hunter2 SASL imap-login: (auth failed, ";
    let auth =
        format!("passwd-file(bob,203.0.113.9): Password mismatch (given password: {secret})");
    let stamp = "2026-11-24T10:00:01+00:00";
    let log = [
        format!("{stamp} mx1 dovecot: auth: {auth}\n"),
        format!("{stamp} mx1 dovecot: auth(bob,203.0.113.9,sasl:plain): pam: Password mismatch (given password: {secret})\n"),
        format!("Nov 24 10:00:01 auth: Info: {auth}\n"),
        // What no syslog wrote: a puzzle, and shown as one.
        format!("{stamp} imap-login: {auth}\n"),
        format!("container-1 | {stamp} mx1 dovecot: auth: {auth}\n"),
        format!("container-1 : {stamp} mx1 dovecot: auth: {auth}\n"),
        refused(3, "203.0.113.9"),
    ]
    .concat();
    let sentinel = Sentinel::default().file("mail.log", log).set(BOTH);
    let run = sentinel.run();
    let explained = Ran::of(&mut sentinel.command(&["explain", "mail.log"])).exits(0);
    let redacted = Ran::of(&mut sentinel.command(&["anonymize", "-i", "mail.log"])).exits(0);
    for ran in [&run, &explained, &redacted] {
        assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{ran:?}");
    }
    run.says("given password: ");
    for entry in walk(&sentinel.path("")) {
        if entry.file_name().is_some_and(|name| name != "mail.log") {
            let bytes = std::fs::read(&entry).unwrap();
            assert!(!bytes.windows(7).any(|w| w == b"hunter2"), "{}", entry.display());
        }
    }
}

/// All files in a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
