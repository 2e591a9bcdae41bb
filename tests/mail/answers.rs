//! What becomes of a message with servers that refuse, hesitate, hang up or talk nonsense.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use maillogsentinel::report::send::{SendError, Server, send};

use crate::smtp::{CUT, SILENT, Smtp};
use crate::{HASTY, PATIENT, address, addresses, deliver, letter, server};

const ALL: [&str; 3] = ["a@example.org", "b@example.org", "c@example.org"];

/// Who is told of a failure reads this.
fn told(result: Result<impl std::fmt::Debug, SendError>) -> String {
    let error = result.unwrap_err();
    format!("{error}{}", error.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default())
}

fn hasty(port: u16) -> Server {
    Server { timeout: HASTY, ..server(port) }
}

#[test]
fn a_message_arrives_byte_by_byte() {
    let smtp = Smtp::new(&[(".", "250 2.0.0 Ok: queued as 4abc")]);
    let letter = letter();
    let message = letter.to_bytes();
    let sent = send(&server(smtp.port), (&letter.from, &letter.to), &message, &|| false).unwrap();
    assert_eq!(sent.reply.to_string(), "250 2.0.0 Ok: queued as 4abc");
    assert!(sent.refused.is_empty());
    assert_eq!(String::from_utf8(smtp.message()), String::from_utf8(message.clone()));
    assert_eq!(
        smtp.heard().commands,
        [
            "EHLO mail.example.org".to_owned(),
            format!("MAIL FROM:<sentinel@mail.example.org> SIZE={}", message.len()),
            "RCPT TO:<security@example.org>".to_owned(),
            "DATA".to_owned(),
            "QUIT".to_owned(),
        ]
    );
}

#[test]
fn dots_and_bare_line_ends_do_not_end_a_message() {
    let smtp = Smtp::new(&[]);
    let (from, to) = (address("a@example.org"), addresses(&["b@example.org"]));
    let hostile = b"Subject: x\r\n\r\n.\r\n..\r\n\n.\n.\r\nRSET\r\n.";
    send(&server(smtp.port), (&from, &to), hostile, &|| false).unwrap();
    assert_eq!(smtp.message(), b"Subject: x\r\n\r\n.\r\n..\r\n\r\n.\r\n.\r\nRSET\r\n.\r\n");
    assert!(!smtp.heard().commands.contains(&"RSET".to_owned()));
}

#[test]
fn refused_recipients_are_named_and_the_others_get_it() {
    let smtp = Smtp::new(&[
        ("RCPT TO:<b@", "550-5.1.1 <b@example.org>\r\n550 5.1.1 no \u{1b}[2Jsuch user"),
        ("RCPT TO:<c@", "450 4.2.0 greylisted"),
    ]);
    let sent = deliver(&server(smtp.port), &ALL).unwrap();
    let refused: Vec<_> =
        sent.refused.iter().map(|it| format!("{}: {}", it.to, it.reply)).collect();
    assert_eq!(
        refused,
        [
            "b@example.org: 550 5.1.1 <b@example.org> 5.1.1 no \\x1b[2Jsuch user",
            "c@example.org: 450 4.2.0 greylisted"
        ]
    );
    assert_eq!(smtp.heard().messages.len(), 1);
}

#[test]
fn a_message_that_nobody_may_get_is_not_sent() {
    let smtp = Smtp::new(&[("RCPT", "550 5.1.1 unknown")]);
    let told = told(deliver(&server(smtp.port), &ALL));
    assert_eq!(
        told,
        format!(
            "127.0.0.1:{} refuses mail to a@example.org, b@example.org, c@example.org: \
             550 5.1.1 unknown; hint: check email, sender_override and smtp_host in [report]",
            smtp.port
        )
    );
    let heard = smtp.heard();
    assert!(!heard.commands.contains(&"DATA".to_owned()), "{heard:?}");
    assert_eq!(heard.commands.last().unwrap(), "QUIT");

    let smtp = Smtp::new(&[("RCPT TO:<a@", "550 unknown"), ("RCPT", "451 try later")]);
    let error = deliver(&server(smtp.port), &ALL).unwrap_err();
    assert!(matches!(&error, SendError::Later { reply, .. } if reply.code == 451), "{error}");
}

#[test]
fn a_no_for_now_is_told_from_one_for_good_at_each_step() {
    for (step, what) in [
        ("", "the connection"),
        ("MAIL", "the sender sentinel@mail.example.org"),
        ("DATA", "the message"),
        (".", "the message"),
    ] {
        let smtp = Smtp::new(&[(step, "554 5.7.1 never")]);
        let error = deliver(&server(smtp.port), &ALL).unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{error}");
        let text = format!("127.0.0.1:{} refuses {what}: 554 5.7.1 never", smtp.port);
        assert_eq!(error.to_string(), text);

        for code in ["421", "450", "452"] {
            let smtp = Smtp::new(&[(step, &format!("{code} 4.3.2 later"))]);
            let error = deliver(&server(smtp.port), &ALL).unwrap_err();
            assert!(matches!(error, SendError::Later { .. }), "{error}");
            let text = format!(
                "127.0.0.1:{} does not take {what} at the moment: {code} 4.3.2 later",
                smtp.port
            );
            assert_eq!(error.to_string(), text);
        }
    }
}

#[test]
fn an_old_server_is_greeted_the_old_way() {
    let smtp = Smtp::new(&[("EHLO", "502 what?"), ("HELO", "250 test")]);
    deliver(&server(smtp.port), &ALL).unwrap();
    let commands = smtp.heard().commands;
    assert_eq!(commands[1..3], ["HELO mail.example.org", "MAIL FROM:<sentinel@mail.example.org>"]);
}

#[test]
fn a_name_that_is_not_full_is_not_told() {
    for own_name in ["mx1", "", "localhost", "x\r\nMAIL FROM:<a@b>"] {
        let smtp = Smtp::new(&[]);
        deliver(&Server { own_name: own_name.into(), ..server(smtp.port) }, &ALL).unwrap();
        assert_eq!(smtp.heard().commands[0], "EHLO [127.0.0.1]", "{own_name:?}");
    }
}

#[test]
fn a_message_that_is_too_large_is_not_even_begun() {
    let smtp = Smtp::new(&[("EHLO", "250-test\r\n250 SIZE 100")]);
    let told = told(deliver(&server(smtp.port), &ALL));
    assert!(told.contains("bytes, and it takes 100; hint: set attach_csv = today"), "{told}");
    assert_eq!(smtp.heard().commands[1], "QUIT");
    let smtp = Smtp::new(&[("EHLO", "250-test\r\n250 SIZE 0")]);
    deliver(&server(smtp.port), &ALL).unwrap();
}

#[test]
fn a_connection_that_breaks_before_the_end_delivered_nothing() {
    for step in ["", "EHLO", "MAIL", "RCPT", "DATA"] {
        let smtp = Smtp::new(&[(step, CUT)]);
        let error = deliver(&server(smtp.port), &ALL).unwrap_err();
        assert!(matches!(error, SendError::Unreachable { .. }), "{step}: {error}");
        assert!(
            error.to_string().contains("clos") || error.to_string().contains("reset"),
            "{error}"
        );
    }
}

#[test]
fn a_connection_that_breaks_after_the_end_leaves_it_open() {
    for answer in [CUT, "250", "354 more?", "what?", "250-ok\r\n550 not ok"] {
        let smtp = Smtp::new(&[(".", answer)]);
        let result = deliver(&server(smtp.port), &ALL);
        assert_eq!(smtp.heard().messages.len(), 1);
        if answer == "250" {
            assert_eq!(result.unwrap().reply.code, 250, "a code alone is an answer");
            continue;
        }
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::Unknown { .. }), "{answer}: {error}");
        assert!(error.to_string().contains("may have taken the message or not"), "{error}");
    }
}

#[test]
fn silence_ends_in_time() {
    for step in ["", "EHLO", "MAIL", "RCPT", "DATA"] {
        let smtp = Smtp::new(&[(step, SILENT)]);
        let started = Instant::now();
        let error = deliver(&hasty(smtp.port), &ALL).unwrap_err();
        assert!(matches!(error, SendError::Unreachable { .. }), "{step}: {error}");
        assert!(error.to_string().ends_with("it does not answer in time"), "{error}");
        // A goodbye has two seconds.
        assert!(started.elapsed() < PATIENT, "{step}");
    }
    let smtp = Smtp::new(&[(".", SILENT)]);
    // All answers before the last one must come in time.
    let patient = Server { timeout: Duration::from_secs(5), ..server(smtp.port) };
    let error = deliver(&patient, &ALL).unwrap_err();
    assert!(matches!(error, SendError::Unknown { .. }), "{error}");
}

/// Each byte comes in time, and the answer never.
#[test]
fn an_answer_that_drips_in_ends_in_time() {
    let smtp = Smtp::raw(|mut stream, _| {
        while stream.write_all(b"2").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    let error = deliver(&hasty(smtp.port), &ALL).unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
    assert!(started.elapsed() < PATIENT);
}

#[test]
fn an_answer_without_end_is_cut_off() {
    for flood in ["2", "220-more\r\n", "\r\n", "\0"] {
        let smtp = Smtp::raw(move |mut stream, _| {
            let flood = flood.repeat(10_000);
            while stream.write_all(flood.as_bytes()).is_ok() {}
        });
        let error = deliver(&server(smtp.port), &ALL).unwrap_err();
        assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("its answer"), "{error}");
    }
}

#[test]
fn what_is_no_mail_server_is_told_harmlessly() {
    let smtp = Smtp::new(&[("", "HTTP/1.1 400 \u{1b}[31mBad\u{202e} Request")]);
    let told = told(deliver(&server(smtp.port), &ALL));
    assert!(
        told.contains("its answer is not one of SMTP: `HTTP/1.1 400 \\x1b[31mBad\\xe2\\x80\\xae"),
        "{told}"
    );
    assert!(told.contains("hint: check smtp_host and smtp_port"), "{told}");
}

/// All answers come at once, before the questions: it would have taken whatever is sent.
#[test]
fn answers_before_the_questions_are_not_believed() {
    let smtp = Smtp::raw(|mut stream, _| {
        let all = "220 hi\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n";
        let _ = stream.write_all(all.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = deliver(&server(smtp.port), &ALL).unwrap_err();
    assert!(error.to_string().contains("makes no sense here"), "{error}");
    let smtp = Smtp::new(&[("DATA", "354 go on\r\n250 taken"), (".", "550 not taken")]);
    let error = deliver(&server(smtp.port), &ALL).unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
}

#[test]
fn a_refusal_in_the_middle_of_a_message_is_read() {
    let smtp = Smtp::raw(|mut stream, _| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let _ = stream.write_all(b"220 hi\r\n");
        for answer in ["250 hi", "250 ok", "250 ok", "354 go on"] {
            lines.read_line(&mut String::new()).unwrap();
            let _ = write!(stream, "{answer}\r\n");
        }
        // It reads on for a while, so that the system does not throw the answer away.
        let _ = stream.write_all(b"552 5.3.4 too much\r\n");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut lines, &mut std::io::sink());
    });
    let message = b"line\r\n".repeat(2_000_000);
    let (from, to) = (address("a@example.org"), addresses(&["b@example.org"]));
    let error = send(&server(smtp.port), (&from, &to), &message, &|| false).unwrap_err();
    assert!(matches!(&error, SendError::Refused { reply, .. } if reply.code == 552), "{error}");
    assert!(error.hint().unwrap().contains("attach_csv"));
}

#[test]
fn nobody_there_is_told_with_what_to_check() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let told = told(deliver(&server(port), &ALL));
    assert_eq!(
        told,
        format!(
            "cannot deliver to 127.0.0.1:{port}: Connection refused; hint: check smtp_host and \
             smtp_port in [report], and whether the server runs"
        )
    );
    let error = deliver(&Server { host: "no-such-host.invalid".into(), ..server(25) }, &ALL);
    assert!(matches!(error.unwrap_err(), SendError::Unreachable { .. }));
}

#[test]
fn who_is_asked_to_end_does_not_wait() {
    for (step, unknown) in [("", false), ("RCPT", false), (".", true)] {
        let smtp = Smtp::new(&[(step, SILENT)]);
        let started = Instant::now();
        let letter = letter();
        // The message is with the server if its last line is.
        let is_there = || !unknown || !smtp.heard().messages.is_empty();
        let stop = || started.elapsed() > HASTY && is_there();
        let server = server(smtp.port);
        let error = send(&server, (&letter.from, &letter.to), &letter.to_bytes(), &stop);
        let error = error.unwrap_err();
        assert_eq!(matches!(error, SendError::Unknown { .. }), unknown, "{error}");
        assert_eq!(matches!(error, SendError::Stopped { .. }), !unknown, "{error}");
        assert!(started.elapsed() < PATIENT / 2);
    }
}

#[test]
fn a_large_message_goes_through() {
    let smtp = Smtp::new(&[]);
    let (from, to) = (address("a@example.org"), addresses(&["b@example.org"]));
    let message = [b"Subject: x\r\n\r\n".as_slice(), &b".dot\r\n".repeat(1_000_000)].concat();
    send(&server(smtp.port), (&from, &to), &message, &|| false).unwrap();
    assert!(smtp.message() == message);
}

#[test]
fn a_server_that_stops_reading_does_not_hold_us() {
    let smtp = Smtp::raw(|mut stream, _| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let _ = stream.write_all(b"220 hi\r\n");
        for answer in ["250 hi", "250 ok", "250 ok", "354 go on"] {
            lines.read_line(&mut String::new()).unwrap();
            let _ = write!(stream, "{answer}\r\n");
        }
        loop {
            thread::park();
        }
    });
    let message = b"line\r\n".repeat(5_000_000);
    let (from, to) = (address("a@example.org"), addresses(&["b@example.org"]));
    let error = send(&hasty(smtp.port), (&from, &to), &message, &|| false).unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
}
