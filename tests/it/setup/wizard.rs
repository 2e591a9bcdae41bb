//! The questions, in a real terminal.

use std::path::Path;
use std::process::Command;

use super::room::{ATTACK, CONFIG, Room, difference};
use super::{AUTOMATED, Ran};

/// What is asked, in order, and a good answer.
const QUESTIONS: [(&str, &str); 9] = [
    ("Which log does Postfix write?", "\n"),
    ("Who gets the daily report?", "admin@example.org\n"),
    ("When is it mailed?", "07:30\n"),
    ("Send a test message", "n\n"),
    ("How often is the log read?", "\n"),
    ("Where are failed logins recorded?", "\n"),
    ("Export and import SQL each hour?", "y\n"),
    ("Download the databases", "n\n"),
    ("Make these changes?", "y\n"),
];

fn typed(room: &Room, steps: &[(&str, &str)]) -> Ran {
    let steps = serde_json::to_string(steps).unwrap();
    let inside = room.command(&["maillogsentinel", "--setup"]);
    let mut command = Command::new("python3");
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/setup/terminal.py");
    command.arg(driver).arg(steps).arg(inside.get_program()).args(inside.get_args());
    command.env("TZ", "UTC").env("TERM", "xterm");
    Ran::of(&mut command)
}

#[test]
fn eight_questions_and_a_yes_set_it_up() {
    let room = Room::default();
    room.write("etc/maillogsentinel.conf", &CONFIG.replace("root@", "old@"));
    let ran = typed(&room, &QUESTIONS).exits(0).prints("mail log     /var/log/mail.log");
    assert!(ran.stdout.contains("postfix/smtpd[1]: warning"), "no sample line: {}", ran.stdout);
    assert!(!ran.stdout.contains("NEVER SHOWN"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("Reading "), "a bar for a short run: {}", ran.stdout);
    let config = room.read("etc/maillogsentinel.conf");
    assert!(config.contains("email = admin@example.org\n"), "{config}");
    assert!(config.contains("[systemd]\nreport_schedule = 07:30\n"), "{config}");
    let timer = room.read("etc/systemd/system/maillogsentinel-report.timer.d/maillogsentinel.conf");
    assert!(timer.contains("OnCalendar=07:30"), "{timer}");
    assert!(
        room.path("etc/systemd/system/timers.target.wants/maillogsentinel-sql.timer").is_symlink()
    );
    assert!(room.read("var/log/maillogsentinel/maillogsentinel.csv").contains(";bob;"));
    Ran::of(&mut room.command(&AUTOMATED)).exits(0).prints("Nothing to change");
}

#[test]
fn where_there_is_no_file_the_journal_is_found() {
    let room = Room::default().with_journal();
    std::fs::remove_file(room.path("var/log/mail.log")).unwrap();
    room.write("etc/maillogsentinel.conf", CONFIG);
    let ran = typed(&room, &QUESTIONS).exits(0).prints("mail log     journal\n");
    assert!(!ran.stdout.contains("NEVER SHOWN"), "{}", ran.stdout);
    assert!(ran.stdout.contains("postfix/smtpd[1]: warning"), "no sample line: {}", ran.stdout);
    assert!(room.read("etc/maillogsentinel.conf").contains("mail_log = journal\n"));
    assert!(room.read("var/log/maillogsentinel/maillogsentinel.csv").contains(";bob;"));
    // Whoever has the journal is proposed it again, though there is a file by now.
    room.write("var/log/mail.log", ATTACK);
    typed(&room, &QUESTIONS[..8]).prints("[journal]");
    Ran::of(&mut room.command(&AUTOMATED)).exits(0).prints("Nothing to change");
}

#[test]
fn two_logs_that_are_set_stay_two() {
    let room = Room::default();
    room.write("var/log/other.log", ATTACK);
    room.write(
        "etc/maillogsentinel.conf",
        &format!("{CONFIG}[paths]\nmail_log = /var/log/mail.log, /var/log/other.log\n"),
    );
    let ran = typed(&room, &QUESTIONS).prints("[/var/log/mail.log, /var/log/other.log]").exits(0);
    assert!(!ran.stdout.contains("NEVER SHOWN"), "{}", ran.stdout);
    assert!(
        room.read("etc/maillogsentinel.conf").contains("= /var/log/mail.log, /var/log/other.log")
    );
}

#[test]
fn wrong_answers_are_told_why_and_asked_again() {
    let room = Room::default();
    let steps = [
        ("Which log", "/no/such.log\n"),
        ("there is no mail log /no/such.log", "mail.log\n"),
        ("a path that starts with / is needed", "\n"),
        ("daily report?", "not an address\n"),
        ("[-]", "me@example.org\n"),
        ("When is it mailed?", "noonish\n"),
        ("systemd does not take `noonish`", "daily\n"),
        ("test message", "perhaps\n"),
        ("y or n, please", "\u{4}"),
    ];
    let ran = typed(&room, &steps).exits(1).prints("Nothing was changed.");
    assert!(!ran.stdout.contains("NEVER SHOWN"), "{}", ran.stdout);
}

#[test]
fn ctrl_c_and_no_at_each_question_change_nothing() {
    let room = Room::default();
    let before = room.all();
    for last in 0..QUESTIONS.len() {
        let mut steps = QUESTIONS[..=last].to_vec();
        steps[last].1 = "\u{3}";
        assert_eq!(typed(&room, &steps).status, Some(130), "question {last}");
        assert_eq!(difference(&before, &room.all()), Vec::<String>::new(), "question {last}");
    }
    let mut steps = QUESTIONS;
    steps[8].1 = "\n";
    typed(&room, &steps).exits(0).prints("Nothing was changed.");
    assert_eq!(difference(&before, &room.all()), Vec::<String>::new());
    assert!(!room.path("maillogsentinel_setup.log").exists());
}

#[test]
fn what_cannot_be_downloaded_takes_all_else_back_if_that_is_wanted() {
    for (answer, status, said) in [
        ("n\n", 1, "all that was done is undone"),
        ("\u{3}", 130, "all that was done is undone"),
        ("\n", 1, "ipinfo --update; the timer tries it each week"),
    ] {
        let room = Room::default();
        room.write(
            "etc/maillogsentinel.conf",
            "[geolocation]\ncountry_db_url = http://127.0.0.1:1/none.csv\n[dns]\nenabled = no\n",
        );
        let before = room.all();
        let mut steps = QUESTIONS.to_vec();
        steps[7].1 = "y\n";
        steps.push(("Keep all else, and go on? [Y/n]", answer));
        let ran = typed(&room, &steps).exits(status).prints(said);
        assert!(!ran.stdout.contains("NEVER SHOWN"), "{}", ran.stdout);
        let changed = difference(&before, &room.all());
        assert_eq!(changed.is_empty(), answer != "\n", "{answer:?}: {changed:?}");
    }
}
