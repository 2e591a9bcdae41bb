//! `anonymize`: what is replaced, what stays, and that the result is read as the log was.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use maillogsentinel::anonymize::{Key, Kinds, Naming, Placeholders, Redactor};
use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::rule::Rule;
use maillogsentinel::parse::{Outage, Reading, looks_like_login, read, unpacked};
use maillogsentinel::pipeline::anonymize::Anonymizer;

use crate::sentinel::{Ran, Sentinel, failure};

fn anonymizer() -> Anonymizer {
    let key = Key::of(b"a secret of the test");
    Anonymizer::new(Redactor::new(Placeholders::new(Kinds::ALL, key, Naming::Numbered)))
}

/// All that the parser says of a line, with names as they are to be in the result.
fn events(lines: &[Vec<u8>], mut redactor: Option<&mut Redactor>) -> Vec<String> {
    let mut outage = Outage::default();
    let event = |line: &Vec<u8>| match read(&unpacked(line)) {
        Reading::NoHeader(_) => format!("no header {}", looks_like_login(line)),
        Reading::Line(_, Err(near)) => format!("near {}", near.rule.name()),
        Reading::Line(header, Ok(message)) => {
            let rule = outage.settle(&header, &message).name();
            let start = format!("{rule} {:?} {}", header.stamp.0, header.times);
            let (Message::Refused(attempt) | Message::Accepted(attempt)) = message else {
                return start;
            };
            let (mut address, mut user) = (attempt.address, attempt.user.map(<[u8]>::to_vec));
            let mut mechanism = attempt.mechanism.to_vec();
            if let Some(redactor) = &mut redactor {
                address = redactor.placeholders.address(address);
                let mut written = Vec::new();
                redactor.placeholders.mailbox(attempt.user.unwrap_or_default(), &mut written);
                user = user.map(|_| written);
                mechanism.clear();
                match attempt.rule {
                    Rule::MechanismRefused => {
                        redactor.no_mechanism(attempt.mechanism, &mut mechanism);
                    }
                    _ => redactor.mechanism(attempt.mechanism, &mut mechanism),
                }
            }
            let (program, mechanism) = (header.program.escape_ascii(), mechanism.escape_ascii());
            format!("{start} {program} {mechanism} {address} {user:?}")
        }
    };
    lines.iter().map(event).collect()
}

/// Every file of the corpus, unpacked.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> =
        ["postfix.txt", "dovecot.txt", "containers.txt"].map(|name| root.join(name)).into();
    for folder in ["servers", "servers/rotation"] {
        files.extend(fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.is_file() && path.extension().is_none_or(|e| e != "tsv"));
    let unpacked = |path: &Path| {
        let file = fs::File::open(path).unwrap();
        let (_, mut stream) = maillogsentinel::source::compressed::open(file).unwrap();
        let mut content = Vec::new();
        stream.read_to_end(&mut content).unwrap();
        content
    };
    files.iter().map(|path| (path.display().to_string(), unpacked(path))).collect()
}

#[test]
fn the_whole_corpus_is_read_the_same_one_for_one() {
    let (mut logins, mut lines) = (0, 0);
    for (name, log) in corpus() {
        let mut anonymizer = anonymizer();
        let mut redacted = Vec::new();
        anonymizer.block(&log, &mut redacted);
        let split = |log: &[u8]| log.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let before = split(&log);
        let expected = events(&before, Some(&mut anonymizer.redactor));
        let found = events(&split(&redacted), None);
        assert_eq!(found.len(), expected.len(), "{name}");
        for ((found, expected), line) in found.iter().zip(&expected).zip(&before) {
            assert_eq!(found, expected, "{name}: {}", line.escape_ascii());
        }
        assert!(redacted.is_ascii(), "{name}: nothing that a stranger wrote is left");
        assert_eq!((anonymizer.emptied, anonymizer.cut), (0, 0), "{name}");
        logins += found.iter().filter(|event| event.contains("Some(")).count();
        lines += found.len();
    }
    assert!(logins > 4000 && lines > 15_000, "{logins} {lines}");
}

#[test]
fn the_main_job_records_the_same_rows() {
    let logs = corpus();
    let (_, log) = logs.iter().find(|(name, _)| name.contains("main-bsd")).unwrap();
    let run = |log: &str| {
        let sentinel = Sentinel::default();
        fs::copy(log, sentinel.path("mail.log")).unwrap();
        let modified = fs::metadata(log).unwrap().modified().unwrap();
        fs::File::options()
            .append(true)
            .open(sentinel.path("mail.log"))
            .unwrap()
            .set_modified(modified)
            .unwrap();
        sentinel.run().exits(0).prints("0 lines not understood");
        let rows = sentinel.rows();
        rows.lines().map(|row| row.split(';').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let scene = Sentinel::default().file("in.log", log);
    scene.set_time("in.log", "2024-02-11T00:00:00Z");
    Ran::of(&mut scene.command(&["anonymize", "-i", "in.log", "-o", "out.log"])).exits(0);
    let dates = run(&scene.path("out.log").display().to_string());
    assert_eq!(dates, run(&scene.path("in.log").display().to_string()));
    assert!(
        dates[0].starts_with("2023-11-22"),
        "the year comes with the file's time: {}",
        dates[0]
    );
}

/// Lines of many programs, each naming somebody by `zebra` or by an address.
const LEAKS: &str = r#"Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: zebra.example.net[81.2.69.142]: SASL LOGIN authentication failed: Bad password for zebra at 81.2.69.143, sasl_username=zebra
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: zebra[2a02:c0de::7]: SASL emVicmE= authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: zebra[81.2.69.142]: SASL zebra authentication failed: x
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: zebra[81.2.69.142]: SASL CRAM-MD5 authentication failed: PDEyMzQuNTY3QHplYnJhLmV4YW1wbGU+
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: zebra[81.2.69.142]: SASL PLAIN authentication failed: Temporary authentication failure. [zebra1:2026-11-22], sasl_username=zebra
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: A59429CE8C1: client=zebra[81.2.69.142]:4711, sasl_method=PLAIN, sasl_username=zebra@zebra.example, sasl_sender=zebra@zebra.example
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from ip-81-2-69-142.zebra.example[81.2.69.142]: 554 5.7.1 <zebra>: Relay access denied; from=<> to=<"zebra zebra"@zebra.example> proto=ESMTP helo=<zebra>
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from ip-81-2-69-142[81.2.69.142]: 504 5.5.2 <zebra>: Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<[81.2.69.142]>
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: NOQUEUE: reject: MAIL from zebra[81.2.69.142]: 553 5.7.1 <zebra@zebra.example>: Sender address rejected: not owned by user zebra; from=<zebra@zebra.example>
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: non-SMTP command from zebra[81.2.69.142]: To: Zebra <zebra@zebra.example>
Nov 22 21:28:34 zebra1 postfix/smtpd[1]: warning: hostname zebra.example does not resolve to address 81.2.69.142: Name or service not known
Nov 22 21:28:34 zebra1 postfix/cleanup[1]: A59429CE8C1: warning: header Subject: the zebra from Zoo from zebra[81.2.69.142]; from=<zebra@zebra.example> to=<zebra@zebra.example> proto=ESMTP helo=<zebra>: suspicious
Nov 22 21:28:34 zebra1 postfix/cleanup[1]: A59429CE8C1: message-id=<zebra.A59429CE8C1@zebra>
Nov 22 21:28:34 zebra1 postfix/pickup[1]: A59429CE8C1: uid=1000 from=<zebra>
Nov 22 21:28:34 zebra1 postfix/local[1]: A59429CE8C1: to=<zebra@zebra1>, orig_to=<zebra>, relay=local, delay=0.1, dsn=2.0.0, status=sent (delivered to command: /home/zebra/bin/zebra "$ZEBRA")
Nov 22 21:28:34 zebra1 postfix/smtp[1]: A59429CE8C1: to=<zebra@zebra.example>, relay=mx.zebra.example[2a02:c0de::7]:25, dsn=5.1.1, status=bounced (host mx.zebra.example[2a02:c0de::7] said: 550 5.1.1 <zebra@zebra.example>... Zebra moved to Z.Zebra@zebra.example (in reply to RCPT TO command))
Nov 22 21:28:34 zebra1 postfix/smtp[1]: connect to zebra.example[2a02:c0de::7]:25: Network is unreachable
Nov 22 21:28:34 zebra1 postfix/anvil[1]: statistics: max auth rate 6/60s for (smtp:81.2.69.142) at Nov 22 22:14:55
Nov 22 21:28:34 zebra1 postfix/dnsblog[1]: addr 81.2.69.142 listed by domain 142.69.2.81.zebra.example as 127.0.0.4
Nov 22 21:28:34 zebra1 dovecot: imap-login: Disconnected: Aborted login (auth failed, 1 attempts in 2 secs): user=<zebra>, method=PLAIN, rip=81.2.69.142, lip=2a02:c0de::7, session=<kIm0ORgMvrRAkWOzebra>
Nov 22 21:28:34 zebra1 dovecot: imap(zebra)<12534><kIm0ORgMvrRAkWOzebra>: Error: open(/var/vmail/zebra.example/zebra/Maildir) failed: Permission denied
Nov 22 21:28:34 zebra1 dovecot: auth: passwd-file(zebra,81.2.69.142,<kIm0ORgMvrRAkWOzebra>): Password mismatch (SHA1 of given password: a4b48a)
Nov 22 21:28:34 zebra1 dovecot: auth-worker(12): pam(zebra,81.2.69.142): pam_authenticate() failed: Authentication failure (password mismatch?) (given password: zebra)
Nov 22 21:28:34 zebra1 dovecot: auth: plain(?,81.2.69.142): Username character disallowed by auth_username_chars: 0x20 (username: zebra at zoo)
Nov 22 21:28:34 zebra1 dovecot: lmtp(zebra@zebra.example)<1><kIm0ORgMvrRAkWOzebra>: sieve: msgid=<zebra@zebra>: stored mail into mailbox 'Zebra/Zoo'
Nov 22 21:28:34 zebra1 opendkim[1]: A59429CE8C1: DKIM-Signature field added (s=zebra, d=zebra.example)
Nov 22 21:28:34 zebra1 amavis[1]: (00001-01) Passed CLEAN {RelayedInbound}, [81.2.69.142]:4711 [81.2.69.143] <zebra@zebra.example> -> <zebra@zebra.example>, Queue-ID: A59429CE8C1, Message-ID: <zebra@zebra.example>, mail_id: zebrazebra12, Hits: -1.9, Subject: "Zebra: zoo"
Nov 22 21:28:34 zebra1 rspamd[1]: <zebra1>; proxy; rspamd_message_parse: loaded message; id: <zebra@zebra.example>; queue-id: <A59429CE8C1>; size: 379
Nov 22 21:28:34 zebra1 sshd[1]: Failed password for zebra from 81.2.69.142 port 4711 ssh2
Nov 22 21:28:34 zebra1 rsyslogd: [origin software="rsyslogd" swVersion="8.2302.0" x-pid="1" x-info="https://zebra.example"] HUPed
<20>1 2026-11-22T21:28:34.901234+00:00 zebra1 postfix 12387 - [zebra@1 name="zebra" ip="81.2.69.142"]  warning: zebra[81.2.69.142]: SASL LOGIN authentication failed: x, sasl_username=zebra
Nov 22 21:28:34 zebra1 zoo: Received: from zebra (zebra.example. [81.2.69.142]) fingerprint=5A:45:42:52:41:5a:45:42:52:41:5A:45:42:52:41:5A
zebra was here, at ::ffff:81.2.69.142, 081.002.069.142, 81-2-69-142 and [IPv6:2a02:c0de::7], zebra@[81.2.69.142], z%zebra@zebra, Zebra's
"#;

#[test]
fn nobody_is_named_in_lines_of_any_program() {
    let sentinel = Sentinel::default().file("mail.log", LEAKS);
    let ran = Ran::of(&mut sentinel.command(&["anonymize", "-i", "mail.log"])).exits(0);
    for (line, before) in ran.stdout.lines().zip(LEAKS.lines()) {
        let lower = line.to_lowercase();
        for secret in ["zebra", "81.2.69", "81-2-69", "2a02", "c0de", "zoo", "069", "a4b48a"] {
            let program = lower.contains(" zoo: ");
            assert!(program || !lower.contains(secret), "{secret} in\n{line}\n{before}");
        }
        for code in ["emVicmE=", "PDEyMzQu", "kIm0ORg", "A59429CE8C1", "5A:45"] {
            assert!(!line.contains(code), "{code} in\n{line}\n{before}");
        }
    }
    let kept = [
        "postfix/smtpd[1]: warning: ",
        ": SASL LOGIN authentication failed: Bad password for text",
        "sasl_method=PLAIN, sasl_username=user1@domain",
        "Temporary authentication failure. [host1:2026-11-22], sasl_username=user1",
        "554 5.7.1 <user1>: Relay access denied; from=<> to=<user",
        "Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<[",
        "not owned by user user1; from=<user1@domain",
        "uid=1000 from=<user1>",
        "imap(user1)<12534><token",
        ">: Error: open(/var/vmail/",
        "(SHA1 of given password: hidden)",
        "0x20 (username: user",
        "msgid=<id2@message.example>: stored mail into mailbox '",
        "as 127.0.0.4",
        "status=bounced (host host",
        ", Queue-ID: 0000000001, Message-ID: <id",
        " loaded message; id: <id",
        "Network is unreachable",
        " at ::ffff:",
    ];
    for text in kept {
        assert!(ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    }
    Ran::of(&mut sentinel.command(&["anonymize", "-i", "mail.log"]))
        .says("33 lines; replaced: 3 addresses, ")
        .says(" 1 queue id, ");
}

#[test]
fn one_value_is_one_placeholder_and_others_are_others() {
    let users = ["bob", "alice", "bob@example.org", "Bob", "bob@example.com", "alice", ""];
    let log: Vec<u8> =
        users.iter().flat_map(|user| failure("Nov 22 21:28:34", "81.2.69.142", user)).collect();
    let sentinel = Sentinel::default().file("mail.log", log);
    let ran = Ran::of(&mut sentinel.command(&["anonymize", "-i", "mail.log", "-q"])).exits(0);
    let user = |line: &str| line.rsplit_once("sasl_username=").unwrap().1.to_owned();
    let found: Vec<_> = ran.stdout.lines().map(user).collect();
    let expected =
        ["user1", "user2", "user1@domain1.example", "User1", "user1@domain2.example", "user2", ""];
    assert_eq!(found, expected);
    assert_eq!(ran.stderr, "", "-q says only what is wrong");
    let addresses = ran.stdout.matches("unknown[192.0.2.").count();
    assert_eq!(addresses, users.len(), "{}", ran.stdout);
}

#[test]
fn a_user_is_a_user_whatever_a_line_of_dovecot_says_before() {
    // `Disconnected` with something behind it is a word to replace, and the parser goes by its start.
    let line = |(start, reason): (&str, &str)| {
        let start = format!("Nov 22 21:28:34 mx dovecot: imap-login: {start}: Aborted login");
        format!("{start} ({reason}): user=<zebra>, method=PLAIN, rip=81.2.69.142, lip=81.2.69.1\n")
    };
    let lines = [
        ("Disconnected", "auth failed, 1 attempts in 2 secs"),
        ("Disconnected", "auth failed, Subject: 1 in 2 secs"),
        ("Disconnected\u{fe}", "auth failed, 1 attempts in 2 secs"),
    ];
    let mut out = Vec::new();
    anonymizer().block(lines.map(line).concat().as_bytes(), &mut out);
    let told = String::from_utf8(out).unwrap();
    let user = |line: &str| line.split(['<', '>']).nth(1).unwrap().to_owned();
    let users: Vec<_> = told.lines().map(user).collect();
    assert!(users.iter().all(|user| user == "user1"), "{told}");
}

#[test]
fn a_telephone_number_is_a_name_where_a_user_stands() {
    let number = "4915112345678";
    let mut log = failure("Nov 22 21:28:34", "81.2.69.142", number);
    let after =
        format!("Nov 22 21:28:35 mx1 dovecot: auth: Error: ldap: user {number} not found\n");
    log.extend(after.bytes());
    let sentinel = Sentinel::default().file("mail.log", log);
    let ran = Ran::of(&mut sentinel.command(&["anonymize", "-i", "mail.log"])).exits(0);
    assert!(!ran.stdout.contains(number) && ran.stdout.contains("user user1"), "{}", ran.stdout);
}

fn secret(sentinel: &Sentinel, name: &str, content: &str, mode: u32) {
    sentinel.write(name, content);
    fs::set_permissions(sentinel.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_file_makes_runs_agree() {
    let sentinel = Sentinel::default()
        .file("one.log", failure("Nov 22 21:28:34", "81.2.69.142", "bob@example.org"))
        .file("two.log", LEAKS.to_owned() + "Nov 22 21:28:35 x y: bob@example.org 81.2.69.142\n");
    secret(&sentinel, "key", "PTcpJ4tYwzOF1mzPq0D2tWcQ5pXo5nB8cYw4aQ0Zl1k=\n", 0o600);
    let run = |log: &str, key: &[&str]| {
        let arguments = [&["anonymize", "-i", log][..], key].concat();
        Ran::of(&mut sentinel.command(&arguments)).exits(0).stdout
    };
    let key = ["--key-file", "key"];
    let one = run("one.log", &key);
    assert_eq!(run("one.log", &key), one);
    let user = one.trim().rsplit_once('=').unwrap().1;
    let address = one.split(['[', ']']).nth(3).unwrap();
    assert!(user.starts_with("user0") && user.contains("@domain0"), "{user}");
    assert!(run("two.log", &key).ends_with(&format!("{user} {address}\n")), "{user} {address}");
    assert_ne!(run("one.log", &[]), one);
    secret(&sentinel, "other", "PTcpJ4tYwzOF1mzPq0D2tWcQ5pXo5nB8cYw4aQ0Zl1l=\n", 0o400);
    assert!(!run("one.log", &["--key-file", "other"]).contains(user));
}

#[test]
fn a_key_that_others_have_or_guess_is_refused() {
    let sentinel = Sentinel::default().file("mail.log", LEAKS);
    let key = "PTcpJ4tYwzOF1mzPq0D2tWcQ5pXo5nB8cYw4aQ0Zl1k=\n";
    secret(&sentinel, "open", key, 0o644);
    secret(&sentinel, "group", key, 0o640);
    secret(&sentinel, "empty", " \n", 0o600);
    secret(&sentinel, "short", "hunter2\n", 0o600);
    secret(&sentinel, "long", &key.repeat(100), 0o600);
    for (name, what) in [
        ("open", "is open to other users (mode 644)\n  hint: `chmod 600 open`"),
        ("group", "is open to other users (mode 640)"),
        ("empty", "holds 0 bytes, which can be guessed\n  hint: make one: `(umask 077; openssl"),
        ("short", "holds 7 bytes"),
        ("long", "is longer than any key file"),
        ("gone", "cannot read the key file gone: No such file"),
    ] {
        let arguments = ["anonymize", "-i", "mail.log", "-o", "out.log", "--key-file", name];
        let ran = Ran::of(&mut sentinel.command(&arguments)).exits(1).says(what);
        assert!(!ran.stderr.contains("hunter2") && ran.stdout.is_empty());
        assert!(!sentinel.path("out.log").exists());
    }
}

#[test]
fn kinds_can_be_chosen() {
    let line = "Nov 22 21:28:34 mx1 dovecot: imap(bob): Error: Zebra: msgid=<x@y> from bob@example.org[81.2.69.142]\n";
    let sentinel = Sentinel::default().file("mail.log", line);
    let run = |more: &[&str]| {
        let arguments = [&["anonymize", "-i", "mail.log"][..], more].concat();
        Ran::of(&mut sentinel.command(&arguments)).exits(0).stdout
    };
    let only = run(&["--only", "addresses"]);
    assert!(only.starts_with(line.split("81.2").next().unwrap()), "{only}");
    assert!(only.contains("[192.0.2.") && only.ends_with("]\n"), "{only}");
    let keep = run(&["--keep", "users,texts"]);
    assert!(keep.contains("host1 dovecot: imap(bob): Error: Zebra: msgid=<id1@"), "{keep}");
    assert!(keep.contains("bob@domain1.example[192.0.2."), "{keep}");
    for wrong in [&["--only", "names"][..], &["--only", "users", "--keep", "hosts"]] {
        let arguments = [&["anonymize", "-i", "mail.log"][..], wrong].concat();
        Ran::of(&mut sentinel.command(&arguments)).exits(2);
    }
}

#[test]
fn nothing_is_written_over_the_log() {
    let sentinel = Sentinel::default().file("mail.log", LEAKS);
    std::os::unix::fs::symlink(sentinel.path("mail.log"), sentinel.path("link")).unwrap();
    fs::hard_link(sentinel.path("mail.log"), sentinel.path("same")).unwrap();
    for output in ["mail.log", "./mail.log", "link", "same"] {
        let arguments = ["anonymize", "-i", "mail.log", "-o", output];
        Ran::of(&mut sentinel.command(&arguments)).exits(1).says("is the log itself");
        let mut piped = sentinel.command(&["anonymize", "-o", output]);
        piped.stdin(fs::File::open(sentinel.path("mail.log")).unwrap());
        Ran::of(&mut piped).exits(1).says("is the log itself");
    }
    let log = fs::File::options().append(true).open(sentinel.path("mail.log")).unwrap();
    let mut command = sentinel.command(&["anonymize", "-i", "mail.log"]);
    let status = command.stdout(log).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(fs::read(sentinel.path("mail.log")).unwrap(), LEAKS.as_bytes());
    for (output, what) in [
        ("/dev/null", "is not a file that can be replaced"),
        (".", "is not a file that can be replaced"),
        ("gone/out.log", "hint: its folder does not exist"),
    ] {
        let arguments = ["anonymize", "-i", "mail.log", "-o", output];
        Ran::of(&mut sentinel.command(&arguments)).exits(1).says(what);
    }
    for (input, what) in [("gone.log", "cannot read gone.log: No such file"), (".", "is a folder")]
    {
        Ran::of(&mut sentinel.command(&["anonymize", "-i", input])).exits(1).says(what);
    }
}

/// Names of files in the scene that are not of the scene.
fn left_over(sentinel: &Sentinel) -> Vec<String> {
    let files = fs::read_dir(sentinel.path("")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".anonymize") || name == "out.log").collect()
}

#[test]
fn a_damaged_log_leaves_no_half_output() {
    let sentinel = Sentinel::default();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for number in 0..20_000 {
        writeln!(packed, "Nov 22 21:28:34 mx1 x: {number} {}", number * 7919 % 10007).unwrap();
    }
    let packed = packed.finish().unwrap();
    sentinel.write("whole.gz", &packed);
    sentinel.write("half.gz", &packed[..packed.len() / 2]);
    let arguments = ["anonymize", "-i", "half.gz", "-o", "out.log"];
    Ran::of(&mut sentinel.command(&arguments))
        .exits(1)
        .says("cannot read half.gz after line ")
        .says("hint: it is damaged or still being compressed");
    assert_eq!(left_over(&sentinel), Vec::<String>::new());
    let arguments = ["anonymize", "-i", "whole.gz", "-o", "out.log"];
    Ran::of(&mut sentinel.command(&arguments)).exits(0).says("20,000 lines; ");
    assert_eq!(fs::read_to_string(sentinel.path("out.log")).unwrap().lines().count(), 20_000);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = sentinel.command(&["anonymize", "-i", "whole.gz"]);
    let status = command.stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_signal_ends_a_run_that_waits_and_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let sentinel = Sentinel::default();
    let mut command = sentinel.command(&["anonymize", "-o", "out.log"]);
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(LEAKS.as_bytes()).unwrap();
    // The half output is there, and the run waits for more.
    while left_over(&sentinel).is_empty() {
        std::thread::yield_now();
    }
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(left_over(&sentinel), Vec::<String>::new());
    drop(stdin);
}

#[test]
fn lines_of_any_bytes_and_length_come_out_one_for_one() {
    let long = [&b"Nov 22 21:28:34 mx1 x: "[..], &b"zebra ".repeat(200_000)].concat();
    let cut = [&failure("Nov 22 21:28:34", "81.2.69.142", "zebra")[..], b""].concat();
    let cut = [cut.trim_ascii_end(), &b"a".repeat(100_000)].concat();
    let far = [&b"a".repeat(9000)[..], b" SASL LOGIN authentication failed"].concat();
    let hole = vec![0; 700_000];
    let lines: [&[u8]; 8] =
        [b"\xff\xfe\x80zebra\x1b[2J", b"", b"a\r", &long, &cut, &far, &hole, b"\tlast, unfinished"];
    let content = lines.join(&b'\n');
    let sentinel = Sentinel::default().file("in.log", &content);
    let arguments = ["anonymize", "-i", "in.log", "-o", "out.log"];
    Ran::of(&mut sentinel.command(&arguments)).exits(0).says("3 lines longer than 8 KiB");
    let out = fs::read(sentinel.path("out.log")).unwrap();
    let found: Vec<_> = out.split(|b| *b == b'\n').collect();
    assert_eq!(found.len(), lines.len());
    assert!(found[3].len() < 20_000 && !found[3].windows(5).any(|w| w == b"zebra"));
    assert!(found[4].ends_with(b"sasl_username=user1"), "{}", found[4].escape_ascii());
    assert!(looks_like_login(found[5]), "still a line that nobody understands");
    assert_eq!((found[6], found[2]), (&*hole, &b"a\r"[..]));
    assert!(!out.contains(&0x1b) && out.is_ascii());
    // The same from a pipe.
    let mut command = sentinel.command(&["anonymize", "-i", "-", "-o", "-", "-q"]);
    command.stdin(fs::File::open(sentinel.path("in.log")).unwrap());
    let piped = command.output().unwrap().stdout;
    assert_eq!(piped.split(|b| *b == b'\n').count(), lines.len());
}
