//! Lines of Postfix: what was put in is what is read, and nobody else is blamed.

use std::net::IpAddr;

use maillogsentinel::parse::postfix::{Attempt, Message};
use maillogsentinel::parse::rule::Rule;
use maillogsentinel::parse::syslog::{Header, Layout};
use maillogsentinel::parse::{Reading, read};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Words, cases, hostile};

/// The name of a client: its owner chooses it, Postfix checks that it is a host name.
fn client_name() -> impl Strategy<Value = String> {
    let labels = select(vec![
        "unknown",
        "SASL",
        "sasl",
        "warning",
        "203.0.113.66",
        "hostname",
        "numeric",
        "header",
        "postfix",
        "smtpd",
        "my_host-1",
        "xn--mller-kva",
        "client",
        "Connection",
        "non-SMTP",
    ]);
    vec(labels, 1..4).prop_map(|labels| labels.join("."))
}

/// A mechanism: a plain one, or words that SMTP takes for one, where a blank needs quotes.
fn mechanism() -> impl Strategy<Value = Words> {
    let plain = select(vec!["PLAIN", "login", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "X_y-1"]);
    let brackets = select(vec![(b'"', b'"'), (b'[', b']'), (b'<', b'>')]);
    let quoted = (brackets, hostile()).prop_map(|((open, close), Words(mut words))| {
        words.retain(|b| *b != close);
        [vec![open], words, vec![close]].concat()
    });
    let word = hostile().prop_map(|Words(mut words)| {
        words.retain(|b| !b.is_ascii_whitespace());
        words
    });
    let words = (word.clone(), quoted, word).prop_map(|(a, b, c)| Words([a, b, c].concat()));
    prop_oneof![3 => plain.prop_map(Words::from), 2 => words]
}

/// A reason: the server's own words, which may be any, but not those that end a reason.
fn reason() -> impl Strategy<Value = Words> {
    let usual = select(vec!["(reason unavailable)", "", "UGFzc3dvcmQ6", "authentication failure"]);
    let other = hostile().prop_filter("a failure that is final, one key", |words| {
        !["Connection lost to", "Can't connect to", "Temporary authentication", "generic failure"]
            .iter()
            .any(|start| words.starts_with(start.as_bytes()))
            && ![", sasl_username=", " authentication failed"].iter().any(|key| holds(words, key))
    });
    prop_oneof![usual.prop_map(Words::from), other]
}

fn user() -> impl Strategy<Value = Option<Words>> {
    proptest::option::weighted(
        0.8,
        hostile().prop_filter("a name", |u| *u != Words::from("(unavailable)")),
    )
}

fn layout() -> impl Strategy<Value = Layout> {
    select(vec![Layout::Bsd, Layout::Rfc3339, Layout::Rfc5424, Layout::Container])
}

/// What Postfix knows when it logs a refused login.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    client: String,
    pub(super) address: IpAddr,
    port: Option<u16>,
    mechanism: Words,
    reason: Words,
    pub(super) user: Option<Words>,
}

impl Refusal {
    /// The message after `warning: `.
    pub(super) fn render(&self) -> Words {
        let Self { client, address, port, .. } = self;
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let user = self.user.clone().unwrap_or("(unavailable)".into());
        let client = format!("warning: {client}[{address}]{port}: SASL ");
        let parts = [
            client.as_bytes(),
            &self.mechanism,
            b" authentication failed: ",
            &self.reason,
            b", sasl_username=",
            &user,
        ];
        Words(parts.concat())
    }

    fn has_plain_mechanism(&self) -> bool {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_".contains(b);
        !self.mechanism.is_empty() && self.mechanism.iter().all(plain)
    }
}

prop_compose! {
    /// A user name is only sent with a mechanism that the server has.
    pub(super) fn refusal()(
        client in client_name(),
        address in any::<IpAddr>(),
        port in any::<Option<u16>>(),
        mechanism in mechanism(),
        reason in reason(),
        user in user(),
    ) -> Refusal {
        let refusal = Refusal { client, address, port, mechanism, reason, user };
        let user = refusal.user.clone().filter(|_| refusal.has_plain_mechanism());
        Refusal { user, ..refusal }
    }
}

/// Puts syslog's part before `message`.
pub(super) fn line(layout: Layout, program: &str, message: &[u8]) -> Vec<u8> {
    let start = match layout {
        Layout::Bsd => format!("Nov 22 21:28:34 mx1 {program}[12387]: "),
        Layout::Rfc3339 => format!("2026-11-22T21:28:34.901234+00:00 mx1 {program}[12387]: "),
        // rsyslog cuts the name at the slash, and adds a blank of its own.
        Layout::Rfc5424 => {
            let name = program.split('/').next().unwrap_or_default();
            format!("<20>1 2026-11-22T21:28:34.901234+00:00 mx1 {name} 12387 - -  ")
        }
        Layout::Container => format!(
            "2026-11-22T21:28:34.901234567Z stdout F Nov 22 22:28:34 mx1 {program}[12387]: "
        ),
        Layout::Dovecot => "Nov 22 21:28:34 ".to_owned(),
    };
    [start.as_bytes(), message].concat()
}

fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn a_failed_login_is_read_as_it_was(
        refusal in refusal(),
        layout in layout(),
        program in select(vec!["postfix/smtpd", "postfix/submission/smtpd", "postfix-out/smtpd"]),
    ) {
        let line = line(layout, program, &refusal.render());
        let Reading::Line(header, Ok(Message::Refused(attempt))) = read(&line) else {
            let shown = String::from_utf8_lossy(&line).into_owned();
            return Err(TestCaseError::fail(format!("{shown}\n{:?}", read(&line))));
        };
        let Header { host, process, .. } = header;
        prop_assert_eq!((header.layout, host, process), (layout, &b"mx1"[..], &b"12387"[..]));
        let plain = refusal.has_plain_mechanism();
        let expected = Attempt {
            rule: if plain { Rule::SaslFailed } else { Rule::MechanismRefused },
            client: refusal.client.as_bytes(),
            written_address: attempt.written_address,
            address: refusal.address.to_canonical(),
            mechanism: &refusal.mechanism,
            reason: &refusal.reason,
            user: refusal.user.as_ref().map(|user| user.as_slice()),
            is_nameless: false,
            protocol: b"",
            times: 1,
        };
        prop_assert_eq!(attempt, expected);
    }

    #[test]
    fn an_older_postfix_names_no_user(refusal in refusal(), layout in layout()) {
        let whole = refusal.render();
        let end = whole.len() - refusal.user.as_ref().map_or(13, |user| user.len()) - ", sasl_username=".len();
        let line = line(layout, "postfix/smtpd", &whole[..end]);
        let Reading::Line(_, Ok(Message::Refused(attempt))) = read(&line) else {
            return Err(TestCaseError::fail(format!("{:?}", read(&line))));
        };
        prop_assert_eq!(attempt.address, refusal.address.to_canonical());
        prop_assert_eq!((attempt.reason, attempt.user), (refusal.reason.as_slice(), None));
    }

    /// All that follows the brackets may be anything: the address stays the one in them.
    #[test]
    fn nobody_else_is_blamed(
        client in client_name(),
        address in any::<IpAddr>(),
        words in hostile(),
        layout in layout(),
    ) {
        let message = [format!("warning: {client}[{address}]").as_bytes(), &words].concat();
        let line = line(layout, "postfix/smtpd", &message);
        if let Reading::Line(_, Ok(Message::Refused(attempt) | Message::Accepted(attempt))) = read(&line) {
            prop_assert_eq!(attempt.address, address.to_canonical());
            prop_assert_eq!(attempt.client, client.as_bytes());
        }
    }

    /// What a client says elsewhere is quoted in the log, and is no login.
    #[test]
    fn quoted_words_are_no_login(
        at in 0_usize..12,
        client in client_name(),
        words in hostile(),
        layout in layout(),
    ) {
        let client = format!("{client}[203.0.113.9]");
        let (program, before, after) = [
            ("smtpd", format!("warning: non-SMTP command from {client}: "), ""),
            ("smtpd", format!("improper command pipelining after AUTH from {client}: "), ""),
            ("smtpd", format!("NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <"), ">: Relay access denied"),
            ("smtpd", format!("warning: Illegal address syntax from {client} in MAIL command: <"), ">"),
            ("smtpd", format!("warning: {client}: request longer than 12288: "), "..."),
            ("smtpd", "warning: valid_hostname: invalid character 91(decimal): ".to_owned(), ""),
            ("smtpd", "warning: SASL authentication failure: Couldn't find mech ".to_owned(), ""),
            ("smtpd", format!("disconnect from {client} ehlo=1 auth=0/2 "), ""),
            ("smtpd", format!("lost connection after AUTH from {client}"), ""),
            ("cleanup", "313D59CE8EC: warning: header Subject: ".to_owned(), " from x[203.0.113.9];"),
            ("smtp", "A59429CE8C1: to=<x@example.org>, status=deferred (".to_owned(), ")"),
            ("postscreen", format!("NOQUEUE: reject: RCPT from [203.0.113.9]:4445: 550 5.5.1 {client}"), ""),
        ][at].clone();
        let message = [before.as_bytes(), &words, after.as_bytes()].concat();
        let line = line(layout, &format!("postfix/{program}"), &message);
        let login = matches!(
            read(&line),
            Reading::Line(_, Ok(Message::Refused(_) | Message::Accepted(_)))
        );
        prop_assert!(!login, "{}", String::from_utf8_lossy(&line));
    }

    #[test]
    fn a_login_is_read_as_it_was(
        client in client_name(),
        address in any::<IpAddr>(),
        user in hostile().prop_filter("one key", |user| !holds(user, ", sasl_sender=")),
        sender in proptest::option::of(hostile()),
        layout in layout(),
    ) {
        let start = format!("A59429CE8C1: client={client}[{address}], sasl_method=PLAIN, sasl_username=");
        let sender = sender.map(|sender| [&b", sasl_sender="[..], &sender].concat());
        let message = [start.as_bytes(), &user, &sender.unwrap_or_default()].concat();
        let line = line(layout, "postfix/submission/smtpd", &message);
        let Reading::Line(_, Ok(Message::Accepted(attempt))) = read(&line) else {
            return Err(TestCaseError::fail(format!("{:?}", read(&line))));
        };
        prop_assert_eq!(attempt.address, address.to_canonical());
        prop_assert_eq!(attempt.user, Some(user.as_slice()));
        prop_assert_eq!(attempt.mechanism, b"PLAIN");
    }
}
