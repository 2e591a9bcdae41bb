//! `--report` without `--output`: nothing is claimed that a server did not say, and a report that no
//! server took is sent by a later run, once.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::sentinel::{Ran, Sentinel, failure};
use crate::smtp::{CUT, Smtp};

fn sentinel(port: u16) -> Sentinel {
    Sentinel::default()
        .file("mail.log", failure("2026-11-20T10:00:00+00:00", "198.18.7.1", "=cmd()"))
        .set("report.email=bob@example.org, carol@example.org")
        .set("report.sender_override=sentinel@example.org")
        .set("report.smtp_host=127.0.0.1")
        .set(format!("report.smtp_port={port}"))
}

fn report(sentinel: &Sentinel) -> Ran {
    Ran::of(&mut sentinel.command(&["--report", "--date", "2026-11-20"]))
}

fn log(sentinel: &Sentinel) -> String {
    fs::read_to_string(sentinel.path("operational.log")).unwrap()
}

/// What Python's `email` finds in a message: its headers, and type and text or bytes of each part.
fn read(message: &[u8]) -> serde_json::Value {
    const READ: &str = r#"
import email, email.policy, json, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default.clone(raise_on_defect=True))
parts = []
for part in message.walk():
    if not part.is_multipart():
        content = part.get_content()
        parts.append([part.get_content_type(), part.get_filename(), content.replace("\r\n", "\n") if isinstance(content, str) else len(content)])
json.dump({"headers": {name: str(value) for name, value in message.items()}, "parts": parts}, sys.stdout)
"#;
    let mut python = Command::new("python3")
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run python3: {error}; install it"));
    python.stdin.take().unwrap().write_all(message).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(message));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_mail_has_what_the_guide_promises() {
    let server = Smtp::new(&[]);
    let sentinel = sentinel(server.port).set("report.subject_prefix=[Wächter]");
    report(&sentinel)
        .exits(0)
        .says("Report sent from sentinel@example.org to bob@example.org, carol@");
    let mail = read(&server.message());
    let subject = mail["headers"]["Subject"].as_str().unwrap();
    assert!(
        subject.starts_with("[Wächter] NOBODY GOT IN - MailLogSentinel report for 2026-11-20 on "),
        "{subject}"
    );
    assert!(subject.ends_with(": 1 attempts"), "{subject}");
    assert_eq!(mail["headers"]["To"], "bob@example.org, carol@example.org");
    assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
    let parts = mail["parts"].as_array().unwrap();
    let types: Vec<_> = parts.iter().map(|part| part[0].as_str().unwrap()).collect();
    assert_eq!((types[0], types[1], types[2]), ("text/plain", "text/html", "image/png"));
    assert!(parts[0][2].as_str().unwrap().contains("Total attempts on 2026-11-20: 1\n"));
    assert!(parts[1][2].as_str().unwrap().contains("cid:hours@maillogsentinel"));
    let csv = parts.last().unwrap();
    assert_eq!((&csv[0], &csv[1]), (&"text/csv".into(), &"maillogsentinel.csv".into()));
    assert!(csv[2].as_str().unwrap().contains(";198.18.7.1;'=cmd();null;"), "{csv}");
    assert!(sentinel.rows().contains(";198.18.7.1;=cmd();null;"), "the CSV itself is as it was");
    let log = log(&sentinel);
    for line in [
        "INFO === Report Generation Started ===",
        "INFO Report sent from sentinel@example.org to ",
        "INFO === Report Generation Finished ===",
    ] {
        assert!(log.contains(line), "{line} is not in {log}");
    }
    assert!(!log.contains("WARNING"), "{log}");
}

#[test]
fn a_report_that_was_not_taken_is_sent_by_the_next_run_and_once() {
    // Refused at each stage; the connection cut; nobody there.
    for (stage, answer) in [
        ("", "554 go away"),
        ("EHLO", "421 busy"),
        ("MAIL", "451 later"),
        ("RCPT", "550 unknown"),
        ("DATA", "452 full"),
        (".", "554 no thanks"),
        (".", CUT),
        ("", CUT),
    ] {
        let refusing = Smtp::new(&[(stage, answer)]);
        let failing = sentinel(refusing.port);
        let ran = report(&failing).exits(1).says("was not sent").says("kept, and ");
        assert!(!ran.stderr.contains("Report sent"), "{stage}: {}", ran.stderr);
        // A plain run that finds nothing new.
        let taking = Smtp::new(&[]);
        let sentinel = failing.set(format!("report.smtp_port={}", taking.port));
        sentinel
            .run()
            .exits(0)
            .says("Report sent from sentinel@example.org to bob@example.org, carol@");
        let mail = read(&taking.message());
        assert!(mail["headers"]["Subject"].as_str().unwrap().contains("2026-11-20"), "{stage}");
        sentinel.run().exits(0);
        assert_eq!(taking.heard().messages.len(), 1, "{stage} {answer}: once");
    }
}

#[test]
fn the_message_is_the_same_when_it_is_sent_again() {
    let cutting = Smtp::new(&[(".", CUT)]);
    let sentinel = sentinel(cutting.port);
    report(&sentinel).exits(1).says("may have taken the message or not").says("Message-ID");
    let taking = Smtp::new(&[]);
    let sentinel = sentinel.set(format!("report.smtp_port={}", taking.port));
    sentinel.run().exits(0);
    assert_eq!(taking.message(), cutting.message(), "so that a second copy can be told");
}

#[test]
fn who_is_refused_is_named_and_the_others_have_it() {
    let server = Smtp::new(&[("RCPT TO:<carol", "550 5.1.1 no carol here")]);
    let sentinel = sentinel(server.port);
    let ran = report(&sentinel)
        .exits(1)
        .says("Report sent from sentinel@example.org to bob@example.org\n");
    ran.says("refuses carol@example.org (550 5.1.1 no carol here)");
    sentinel.run().exits(0);
    assert_eq!(server.heard().messages.len(), 1, "nobody is left to ask for");

    let server = Smtp::new(&[("RCPT TO:<carol", "451 4.2.1 try later")]);
    let sentinel = sentinel.set(format!("report.smtp_port={}", server.port));
    report(&sentinel).exits(1).says("carol@example.org (451 4.2.1 try later)");
    let later = Smtp::new(&[]);
    let sentinel = sentinel.set(format!("report.smtp_port={}", later.port));
    sentinel.run().exits(0).says("Report sent from sentinel@example.org to carol@example.org\n");
    let rcpt: Vec<_> =
        later.heard().commands.into_iter().filter(|it| it.starts_with("RCPT")).collect();
    assert_eq!(rcpt.len(), 1, "bob has it already: {rcpt:?}");
}

#[test]
fn one_report_that_is_refused_holds_up_no_other_and_the_configuration_may_be_mended() {
    let refusing = Smtp::new(&[("RCPT TO:<typo", "550 unknown")]);
    let wrong = sentinel(refusing.port).set("report.email=typo@example.org");
    report(&wrong).exits(1).says("550 unknown");
    // Asked for once more, there is still one of that day.
    report(&wrong).exits(1);
    let mended = wrong.set("report.email=bob@example.org");
    mended.run().exits(0).says("Report sent from sentinel@example.org to bob@example.org\n");
    assert_eq!(refusing.heard().messages.len(), 1);

    let picky = Smtp::new(&[(".", "554 I do not like it")]);
    let sentinel = sentinel(picky.port);
    report(&sentinel).exits(1).says("554 I do not like it");
    Ran::of(&mut sentinel.command(&["--report", "--date", "2026-11-19"])).exits(1);
    let sent = picky.heard().commands.iter().filter(|it| it.starts_with("DATA")).count();
    assert_eq!(sent, 3, "the second run tried both");
}

#[test]
fn who_has_a_report_does_not_get_it_again_when_another_is_taken_off_the_list() {
    let server = Smtp::new(&[("RCPT TO:<carol", "451 4.2.1 try later")]);
    let sentinel = sentinel(server.port);
    report(&sentinel).exits(1).says("carol@example.org (451 4.2.1 try later)");
    let sentinel = sentinel.set("report.email=bob@example.org");
    sentinel.run().exits(0);
    assert_eq!(server.heard().messages.len(), 1);
}

#[test]
fn a_summary_is_of_the_day_that_was_found() {
    let server = Smtp::new(&[]);
    let sentinel = sentinel(server.port).set("report.after_extraction=true");
    sentinel.run().exits(0);
    let mail = read(&server.message());
    assert!(mail["headers"]["Subject"].as_str().unwrap().contains("for 2026-11-20 on "), "{mail}");
}

#[test]
fn a_report_without_recipient_is_an_error() {
    let sentinel = sentinel(1).set("report.email=");
    report(&sentinel).exits(1).says("has no recipient").says("section [report]");
}

#[test]
fn the_attachment_is_what_was_asked_for_and_no_larger() {
    let server = Smtp::new(&[]);
    let old: Vec<u8> = (0..200)
        .flat_map(|n| failure("2026-11-19T10:00:00+00:00", "192.0.2.1", &format!("u{n}")))
        .collect();
    let new = failure("2026-11-20T10:00:00+00:00", "192.0.2.9", "new");
    let sentinel = sentinel(server.port).file("mail.log", [old, new].concat());
    let eml = |sentinel: &Sentinel| {
        let ran = Ran::of(&mut sentinel.command(&[
            "--report",
            "--date",
            "2026-11-20",
            "--output",
            "r.eml",
        ]));
        ran.exits(0);
        read(&fs::read(sentinel.path("r.eml")).unwrap())
    };
    let csv =
        |mail: &serde_json::Value| mail["parts"].as_array().unwrap().last().unwrap()[2].clone();
    assert_eq!(csv(&eml(&sentinel)).as_str().unwrap().lines().count(), 202);
    let sentinel = sentinel.set("report.attach_csv=today");
    assert_eq!(csv(&eml(&sentinel)).as_str().unwrap().lines().count(), 2);
    let sentinel = sentinel.set("report.attach_csv=full").set("report.attach_max_bytes=2000");
    let mail = eml(&sentinel);
    assert_eq!(csv(&mail).as_str().unwrap().lines().count(), 2);
    assert!(mail["parts"][0][2].as_str().unwrap().contains("(the rows on 2026-11-20 only, as all"));
    let sentinel = sentinel.set("report.attach_max_bytes=100").set("report.html=false");
    let mail = eml(&sentinel);
    assert_eq!(mail["parts"].as_array().unwrap().len(), 1, "{mail}");
    assert!(mail["parts"][0][2].as_str().unwrap().contains("Nothing is attached: even the rows"));
}

#[test]
fn a_plain_run_that_found_something_mails_if_that_is_wanted() {
    let server = Smtp::new(&[]);
    let sentinel = sentinel(server.port).set("report.after_extraction=true");
    sentinel.run().exits(0).says("Report sent");
    sentinel.run().exits(0);
    assert_eq!(server.heard().messages.len(), 1);
}
