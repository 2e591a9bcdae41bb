//! What Python's `email` package, at its strictest, reads in a message of ours.

use std::io::Write;
use std::process::{Command, Stdio};

use maillogsentinel::report::address::Address;
use maillogsentinel::report::html::{Image, Page};
use maillogsentinel::report::message::{File, Letter, message_id};
use serde_json::{Value, json};

use crate::{addresses, letter};

pub(crate) fn read(message: &[u8]) -> Value {
    let mut python = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/read.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run python3: {error}; install the package python3"));
    python.stdin.take().unwrap().write_all(message).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(message));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn header<'a>(read: &'a Value, name: &str) -> &'a str {
    let headers = read["headers"].as_array().unwrap();
    let found: Vec<_> = headers.iter().filter(|header| header[0] == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0][1].as_str().unwrap()
}

/// All that a letter may have.
pub(crate) fn full() -> Letter {
    let image = |name| Image { name, png: (0..=255).cycle().take(10_000).collect() };
    Letter {
        html: Some(Page {
            html: "<p>größer = größer</p>\n<img src=\"cid:hours@report\">".into(),
            images: vec![image("hours@report"), image("days@report")],
        }),
        attachment: Some(File {
            name: "maillogsentinel.csv".into(),
            content_type: "text/csv; charset=utf-8",
            bytes: "server;date\nm;ü\n".repeat(1000).into_bytes(),
        }),
        ..letter()
    }
}

#[test]
fn a_plain_letter_has_the_headers_that_it_needs() {
    let letter = letter();
    let read = read(&letter.to_bytes());
    assert_eq!(read["from"], "sentinel@mail.example.org");
    assert_eq!(read["to"], json!(["security@example.org"]));
    assert_eq!(read["date"], "2025-05-29T00:05:01+02:00");
    assert_eq!(header(&read, "Subject"), letter.subject);
    assert_eq!(header(&read, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&read, "MIME-Version"), "1.0");
    assert_eq!(header(&read, "Message-ID"), format!("<{}>", letter.message_id));
    assert!(letter.message_id.ends_with("@mail.example.org"));
    assert_eq!(read["body"]["type"], "text/plain");
    assert_eq!(read["body"]["text"], letter.text);
    assert!(read["longest"].as_u64().unwrap() <= 78);
}

#[test]
fn all_parts_stand_where_readers_look_for_them() {
    let letter = full();
    let read = read(&letter.to_bytes());
    let body = &read["body"];
    assert_eq!(body["type"], "multipart/mixed");
    let alternative = &body["parts"][0];
    assert_eq!(alternative["type"], "multipart/alternative");
    assert_eq!(alternative["parts"][0]["text"], letter.text);
    let related = &alternative["parts"][1];
    assert_eq!(related["type"], "multipart/related");
    let html = related["parts"][0]["text"].as_str().unwrap();
    assert_eq!(html.trim_end(), letter.html.as_ref().unwrap().html);
    assert_eq!(related["parts"][1]["type"], "image/png");
    assert_eq!(related["parts"][1]["id"], "<hours@report>");
    assert_eq!(related["parts"][1]["file"], "hours.png");
    assert_eq!(related["parts"][1]["disposition"], "inline");
    assert_eq!(related["parts"][2]["bytes"], 10_000);
    let file = &body["parts"][1];
    assert_eq!(file["type"], "text/csv");
    assert_eq!(file["disposition"], "attachment");
    assert_eq!(file["file"], "maillogsentinel.csv");
    assert_eq!(file["bytes"], letter.attachment.as_ref().unwrap().bytes.len());
    assert!(file["start"].as_str().unwrap().starts_with("server;date\nm;"));
    assert!(read["longest"].as_u64().unwrap() <= 78);
}

#[test]
fn parts_that_are_not_there_leave_nothing_behind() {
    let page = |images| Some(Page { html: "<p>x</p>".into(), images });
    let types = |letter: &Letter| {
        let body = read(&letter.to_bytes())["body"].clone();
        (body["type"].clone(), body["parts"][0]["type"].clone(), body["parts"][1]["type"].clone())
    };
    let html = Letter { html: page(vec![]), ..letter() };
    assert_eq!(
        types(&html),
        (json!("multipart/alternative"), json!("text/plain"), json!("text/html"))
    );
    let file = Letter { html: None, ..full() };
    assert_eq!(types(&file), (json!("multipart/mixed"), json!("text/plain"), json!("text/csv")));
}

#[test]
fn the_same_report_is_the_same_message_and_another_is_not() {
    assert_eq!(full().to_bytes(), full().to_bytes());
    assert_ne!(message_id("2025-05-28", "a"), message_id("2025-05-29", "a"));
    let other = Letter { message_id: message_id("x", "a"), ..full() };
    assert_ne!(other.to_bytes(), full().to_bytes());
}

#[test]
fn nobody_adds_a_header() {
    let hostile = [
        "x\r\nBcc: victim@example.org",
        "x\nBcc: victim@example.org\n\nbody",
        "x\rBcc: victim@example.org",
        "x\u{2028}Bcc: victim@example.org",
        "x\u{85}Bcc: victim@example.org",
        "x\0Bcc: victim@example.org",
        "=?utf-8?q?x=0D=0ABcc:_victim@example.org?=",
        "\u{202e}x",
        "\u{1b}]0;x\u{7}",
        "\r\n\r\n<script>",
        "\"; filename=\"evil.exe",
        "a;b,c<d>(e)\\",
    ];
    for text in hostile {
        let letter = Letter {
            from: Address::of_user(text, text),
            subject: format!("{text} report"),
            message_id: format!("{text}@{text}"),
            attachment: Some(File {
                name: text.into(),
                content_type: "text/csv",
                bytes: b"x".to_vec(),
            }),
            ..full()
        };
        let read = read(&letter.to_bytes());
        let names: Vec<_> =
            read["headers"].as_array().unwrap().iter().map(|it| it[0].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "Date",
                "From",
                "To",
                "Subject",
                "Message-ID",
                "Auto-Submitted",
                "MIME-Version",
                "Content-Type"
            ],
            "{text:?}"
        );
        let subject = header(&read, "Subject");
        assert!(!subject.chars().any(char::is_control), "{subject:?}");
        assert!(subject.ends_with(" report"), "{subject:?}");
        assert_eq!(read["body"]["parts"][1]["type"], "text/csv");
        // An address or a Message-ID cannot be folded.
        assert!(read["longest_header"].as_u64().unwrap() <= 120, "{text:?}");
    }
}

#[test]
fn letters_of_all_alphabets_arrive() {
    let subject =
        "[Größe] Отчёт 報告書 📬 for 2025-05-28 on mail.example.org: 1 attempts ".repeat(5);
    let letter = Letter {
        subject: subject.trim().to_owned(),
        attachment: Some(File {
            name: format!("журнал \"{}\".csv", "é".repeat(60)),
            content_type: "text/csv; charset=utf-8",
            bytes: vec![],
        }),
        text: format!("{}\n{}\n", "é".repeat(400), "x".repeat(5000)),
        ..full()
    };
    let read = read(&letter.to_bytes());
    assert_eq!(header(&read, "Subject"), letter.subject);
    assert_eq!(read["body"]["parts"][1]["file"], letter.attachment.unwrap().name);
    assert_eq!(read["body"]["parts"][0]["parts"][0]["text"], letter.text);
    assert!(read["longest"].as_u64().unwrap() <= 78);
}

#[test]
fn many_recipients_are_folded() {
    let to: Vec<_> = (0..100).map(|at| format!("a.rather.long.name.{at}@example.org")).collect();
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    let read = read(&Letter { to: addresses(&to), ..letter() }.to_bytes());
    assert_eq!(read["to"], json!(to));
    assert!(read["longest"].as_u64().unwrap() <= 78);
}
