//! Lines of Dovecot: what was put in is what is read, and no user is found who was not there.

use std::net::IpAddr;

use jiff::Timestamp;
use maillogsentinel::parse::names::Names;
use maillogsentinel::parse::postfix::Message;
use maillogsentinel::parse::{Reading, read};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Words, cases, hostile};

/// What Dovecot knows when a session ends in which logins were refused.
#[derive(Clone, Debug)]
pub(super) struct Session {
    protocol: &'static str,
    address: IpAddr,
    attempts: u32,
    user: Words,
    mechanism: Option<&'static str>,
    end: &'static str,
}

impl Session {
    /// The message behind `dovecot: `.
    pub(super) fn render(&self) -> Words {
        let Self { protocol, address, attempts, .. } = self;
        let start = format!(
            "{protocol}-login: {} (auth failed, {attempts} attempts in 9 secs): user=<",
            self.end
        );
        let method = self.mechanism.map_or(String::new(), |word| format!(", method={word}"));
        let end = format!(">{method}, rip={address}, lip=192.0.2.1, TLS, session=<x>");
        Words([start.as_bytes(), &self.user, end.as_bytes()].concat())
    }
}

prop_compose! {
    /// A user may be any words; the rest is Dovecot's.
    pub(super) fn session()(
        protocol in select(vec!["imap", "pop3", "managesieve", "submission"]),
        address in any::<IpAddr>(),
        attempts in 1_u32..100,
        user in prop_oneof![
            hostile(),
            hostile().prop_map(|Words(words)| {
                Words([&words, &b">, method=PLAIN, rip=203.0.113.66, lip=192.0.2.1"[..]].concat())
            }),
        ],
        mechanism in proptest::option::of(select(vec!["PLAIN", "LOGIN", "SCRAM-SHA-256"])),
        end in select(vec!["Disconnected: Connection closed", "Login aborted: x", "Aborted login"]),
    ) -> Session {
        Session { protocol, address, attempts, user, mechanism, end }
    }
}

/// An attempt at Postfix: when Dovecot judged it, how long it held back the answer, whose it was.
#[derive(Clone, Debug)]
struct Attempt {
    judged: i64,
    held_back: i64,
    client: &'static str,
    user: &'static str,
    /// The mechanism, where that is named instead of a database.
    mechanism: Option<&'static str>,
}

prop_compose! {
    fn attempt()(
        judged in 0..90_i64,
        held_back in 0..=10_i64,
        client in select(vec!["203.0.113.1", "203.0.113.2"]),
        user in select(vec!["bob", "eve", "a,203.0.113.2): b", "?", "cut..."]),
        mechanism in proptest::option::weighted(0.2, select(vec!["cram-md5", "scram-sha-1"])),
    ) -> Attempt {
        Attempt { judged, held_back, client, user, mechanism }
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn a_failed_session_is_read_as_it_was(session in session()) {
        let line = [b"Nov 22 21:28:34 mx1 dovecot: ", session.render().as_slice()].concat();
        let Reading::Line(_, Ok(Message::Refused(attempt))) = read(&line) else {
            return Err(TestCaseError::fail(format!("{:?}", read(&line))));
        };
        prop_assert_eq!(attempt.address, session.address.to_canonical());
        prop_assert_eq!((attempt.protocol, attempt.times), (session.protocol.as_bytes(), session.attempts));
        let mechanism = session.mechanism.unwrap_or_default();
        prop_assert_eq!((attempt.user, attempt.mechanism), (Some(session.user.as_slice()), mechanism.as_bytes()));
    }

    #[test]
    fn whatever_clients_do_at_once_no_attempt_gets_the_user_of_another(
        attempts in vec(attempt(), 1..12),
        // A server asks the same databases about each attempt.
        databases in select(vec![&["pam"][..], &["passwd-file", "sql"], &["pam", "pam"]]),
    ) {
        // Of what happens in one second, each comes in its order; Dovecot's line before Postfix's.
        let mut lines = Vec::new();
        for (number, attempt) in attempts.iter().enumerate() {
            let Attempt { judged, held_back, client, user, mechanism } = attempt;
            for database in mechanism.as_ref().map_or(databases, std::slice::from_ref) {
                let message = format!("auth: {database}({user},{client}): unknown user");
                lines.push((*judged, number, format!("x dovecot: {message}"), None));
            }
            let message = format!("warning: x[{client}]: SASL PLAIN authentication failed: ");
            let at = judged + held_back;
            lines.push((at, number, format!("x postfix/smtpd[1]: {message}"), Some(*user)));
        }
        lines.sort_by_key(|(at, number, ..)| (*at, *number));
        let mut names = Names::default();
        for (at, _, line, user) in lines {
            let line = format!("Nov 22 21:28:34 {line}");
            let Reading::Line(header, Ok(message)) = read(line.as_bytes()) else { panic!("{line}") };
            let found = names.join(&header, &message, Timestamp::from_second(at).unwrap());
            if let Some(found) = found {
                prop_assert_eq!(Some(&*found), user.map(str::as_bytes), "{}", line);
            }
        }
    }
}
