//! Fuzzes `anonymize`: whatever a log holds, the result has the same lines, each is taken for the
//! same or emptied, nothing but plain characters is in it, and the same input gives the same result.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maillogsentinel::anonymize::{Key, Kinds, Naming, Placeholders, Redactor};
use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::{self, Outage, Reading};
use maillogsentinel::pipeline::anonymize::Anonymizer;

fuzz_target!(|log: &[u8]| {
    let (redacted, mut anonymizer) = redact(log, Naming::Numbered);
    assert_eq!(marks(log), marks(&redacted));
    assert!(redacted.iter().all(|b| matches!(b, b'\n' | b'\r' | b'\t' | 0 | b' '..=b'~')));
    let (mut before, mut after) = (Outage::default(), Outage::default());
    for (old, new) in lines(log).zip(lines(&redacted)) {
        if anonymizer.emptied > 0 && new == b"redacted" {
            // No way was found to keep its meaning, which is said; those after it may hang on it.
            break;
        }
        let (old, new) = (event(old, &mut before), event(new, &mut after));
        if let (Some((_, Some(old))), Some((_, Some(new)))) = (&old, &new) {
            let placeholders = &mut anonymizer.redactor.placeholders;
            assert_eq!(placeholders.address(old.0), new.0);
            let mut user = Vec::new();
            placeholders.mailbox(&old.1, &mut user);
            assert_eq!(user, new.1);
        }
        assert_eq!(old.map(|old| old.0), new.map(|new| new.0));
    }
    let (hashed, _) = redact(log, Naming::Hashed);
    assert_eq!(hashed, redact(log, Naming::Hashed).0);
});

fn redact(log: &[u8], naming: Naming) -> (Vec<u8>, Anonymizer) {
    let placeholders = Placeholders::new(Kinds::ALL, Key::of(b"a secret"), naming);
    let mut anonymizer = Anonymizer::new(Redactor::new(placeholders));
    let mut out = Vec::new();
    anonymizer.block(log, &mut out);
    (out, anonymizer)
}

/// The ends of lines.
fn marks(log: &[u8]) -> Vec<u8> {
    log.iter().copied().filter(|b| matches!(b, b'\n' | 0)).collect()
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split(|b| matches!(b, b'\n' | 0))
}

/// Address and user.
type Who = (std::net::IpAddr, Vec<u8>);

/// What a line is taken for, and whom it names; `None` if it is no line of syslog.
fn event(line: &[u8], outage: &mut Outage) -> Option<(String, Option<Who>)> {
    match parse::read(line) {
        Reading::NoHeader(_) => {
            parse::looks_like_login(line).then(|| ("puzzle".to_owned(), None))
        }
        Reading::Line(_, Err(near)) => {
            let puzzle = parse::looks_like_login(line);
            Some((format!("{} {puzzle}", near.rule.name()), None))
        }
        Reading::Line(header, Ok(message)) => {
            let rule = outage.settle(&header, &message).name();
            let what = format!("{rule} {:?} {}", header.stamp.0, header.times);
            let (Message::Refused(attempt) | Message::Accepted(attempt)) = message else {
                return Some((what, None));
            };
            let user = attempt.user.unwrap_or_default().to_vec();
            Some((format!("{what} {}", attempt.user.is_some()), Some((attempt.address, user))))
        }
    }
}
