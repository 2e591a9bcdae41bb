//! Redacted lines: what was read in them is read still, and no name is left.

use maillogsentinel::anonymize::{Key, Kind, Kinds, Naming, Placeholders, Redactor};
use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::syslog::Layout;
use maillogsentinel::parse::{Reading, looks_like_login, read};
use maillogsentinel::pipeline::anonymize::Anonymizer;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::postfix::{line, refusal};
use super::{Words, cases, hostile};

fn anonymizer(kinds: Kinds, naming: Naming) -> Anonymizer {
    let placeholders = Placeholders::new(kinds, Key::of(b"a secret of the test"), naming);
    Anonymizer::new(Redactor::new(placeholders))
}

fn naming() -> impl Strategy<Value = Naming> {
    select(vec![Naming::Numbered, Naming::Hashed])
}

fn layout() -> impl Strategy<Value = Layout> {
    select(vec![Layout::Bsd, Layout::Rfc3339, Layout::Rfc5424])
}

/// What the parser says of a line, but for names.
fn outcome(line: &[u8]) -> String {
    match read(line) {
        Reading::NoHeader(_) => format!("no header {}", looks_like_login(line)),
        Reading::Line(header, message) => {
            let start = format!("{:?} {}", header.stamp.0, header.times);
            match message {
                Err(near) => format!("{start} {} {}", near.rule.name(), looks_like_login(line)),
                Ok(Message::Unrelated(rule)) => format!("{start} {}", rule.name()),
                Ok(Message::Refused(a) | Message::Accepted(a)) => {
                    let user = a.user.map(<[u8]>::is_empty);
                    format!("{start} {} {user:?}", a.rule.name())
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_failed_login_stays_one(refusal in refusal(), layout in layout(), naming in naming()) {
        let line = line(layout, "postfix/submission/smtpd", &refusal.render());
        let mut anonymizer = anonymizer(Kinds::ALL, naming);
        let mut out = Vec::new();
        anonymizer.line(&line, &mut out);
        prop_assert_eq!(outcome(&out), outcome(&line), "{}", out.escape_ascii());
        let Reading::Line(_, Ok(Message::Refused(attempt))) = read(&out) else {
            return Err(TestCaseError::fail(format!("{:?}", Words(out))));
        };
        let placeholders = &mut anonymizer.redactor.placeholders;
        prop_assert_eq!(attempt.address, placeholders.address(refusal.address.to_canonical()));
        let user = refusal.user.as_ref().map(|user| {
            let mut out = Vec::new();
            placeholders.mailbox(user, &mut out);
            out
        });
        prop_assert_eq!(attempt.user.map(<[u8]>::to_vec), user);
        prop_assert!(out.is_ascii() && anonymizer.emptied == 0);
    }

    /// Any line, of pieces that mean something somewhere.
    #[test]
    fn any_line_is_taken_for_the_same(
        layout in layout(),
        program in select(vec![
            "postfix/smtpd", "postfix/cleanup", "dovecot", "zoo", "postfix@x.example/smtpd",
            "postfix-203.0.113.9", "SASL.example",
        ]),
        bare in any::<bool>(),
        start in select(vec!["", "warning: ", "warning: unknown[203.0.113.66]", "A59429CE8C1: client=x[::1]"]),
        words in vec(hostile(), 1..3),
        naming in naming(),
        kept in subsequence(Kind::ALL.to_vec(), 0..4),
    ) {
        let words = words.iter().map(|words| words.to_vec()).collect::<Vec<_>>().concat();
        let message = [start.as_bytes(), &words].concat();
        let line = if bare { message } else { line(layout, program, &message) };
        let mut anonymizer = anonymizer(Kinds::all_but(&kept), naming);
        let mut out = Vec::new();
        anonymizer.line(&line, &mut out);
        prop_assert_eq!(outcome(&out), outcome(&line), "{}", out.escape_ascii());
        prop_assert_eq!(anonymizer.emptied, 0, "{}", out.escape_ascii());
        let mut again = Vec::new();
        anonymizer.line(&line, &mut again);
        prop_assert_eq!(Words(again), Words(out));
    }

    /// A name that is nowhere else, between whatever marks, is in no result.
    #[test]
    fn no_name_is_left(
        layout in layout(),
        program in select(vec!["postfix/smtpd", "postfix/cleanup", "dovecot", "zoo"]),
        before in hostile(),
        after in hostile(),
        secret in select(vec![
            "zebra", "zebra@zebra.quagga", "81.2.69.142", "2a02:c0de::7", "zebra.quagga", "ZEBRA-81-2-69-142",
            "081.002.069.142", "::ffff:81.2.69.142",
        ]),
        naming in naming(),
    ) {
        let line = line(layout, program, &[&before, secret.as_bytes(), &after].concat());
        let mut anonymizer = anonymizer(Kinds::ALL, naming);
        let mut out = Vec::new();
        anonymizer.line(&line, &mut out);
        let text = String::from_utf8(out).unwrap().to_lowercase();
        for part in ["zebra", "quagga", "81.2.69", "81-2-69", "2a02", "c0de", "069.142"] {
            prop_assert!(!text.contains(part), "{part} in {text}");
        }
    }
}
