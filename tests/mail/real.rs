//! A real Postfix takes our messages over TLS with a login, and delivers what was written.

use maillogsentinel::report::message::{File, Letter};
use maillogsentinel::report::send::{Login, Security, SendError, Server, rehearse, send};

use crate::authority::{Authority, pair};
use crate::letters::{full, read};
use crate::postfix::Postfix;
use crate::{addresses, deliver};

fn start() -> (Authority, Postfix) {
    let authority = Authority::new();
    let postfix = Postfix::start(pair(&authority.sign("DNS:localhost", 2)));
    (authority, postfix)
}

/// The message as Postfix stored it: its own headers first, and lines that end in LF.
fn as_sent(stored: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(stored.to_vec()).unwrap();
    let at = text.find("Date: ").unwrap();
    text[at..].replace('\n', "\r\n").into_bytes()
}

#[test]
fn postfix_delivers_what_was_written() {
    let (authority, postfix) = start();
    let letter = Letter { to: addresses(&["bob@example.org", "carol@example.org"]), ..full() };
    let message = letter.to_bytes();
    for (port, security) in [(postfix.port, Security::StartTls), (postfix.tls_port, Security::Tls)]
    {
        let server = authority.trusted(port, security);
        let sent = send(&server, (&letter.from, &letter.to), &message, &|| false).unwrap();
        assert!(sent.reply.to_string().contains("queued as"), "{:?}", sent.reply);
        assert!(sent.refused.is_empty());
    }
    for user in ["bob", "carol"] {
        for stored in postfix.mail(user, 2) {
            assert!(as_sent(&stored) == message, "{}", String::from_utf8_lossy(&stored));
            read(&as_sent(&stored));
        }
    }
}

#[test]
fn postfix_names_who_is_unknown_and_the_others_get_it() {
    let (authority, postfix) = start();
    let server = authority.trusted(postfix.port, Security::None);
    let sent =
        deliver(&server, &["bob@example.org", "mallory@example.org", "x@example.net"]).unwrap();
    let refused: Vec<_> = sent.refused.iter().map(|it| (it.to.as_str(), it.reply.code)).collect();
    assert_eq!(refused, [("mallory@example.org", 550), ("x@example.net", 554)]);
    assert!(sent.refused[0].reply.to_string().contains("User unknown"), "{:?}", sent.refused);
    assert!(
        sent.refused[1].reply.to_string().contains("Relay access denied"),
        "{:?}",
        sent.refused
    );
    assert_eq!(postfix.mail("bob", 1).len(), 1);
}

#[test]
fn postfix_is_asked_whom_it_takes_and_gets_nothing() {
    let (authority, postfix) = start();
    let server = authority.trusted(postfix.port, Security::StartTls);
    let from = addresses(&["sentinel@example.org"]);
    let to = addresses(&["bob@example.org", "mallory@example.org"]);
    let refused = rehearse(&server, (&from[0], &to), &|| false).unwrap();
    let refused: Vec<_> = refused.iter().map(|it| (it.to.as_str(), it.reply.code)).collect();
    assert_eq!(refused, [("mallory@example.org", 550)]);
    // What is delivered next is all there is.
    deliver(&server, &["bob@example.org"]).unwrap();
    assert_eq!(postfix.mail("bob", 1).len(), 1);
}

#[test]
fn postfix_lets_in_who_has_the_password() {
    let (authority, postfix) = start();
    let login = |password: &str| Some(Login { user: "sentinel".into(), password: password.into() });
    let server = authority.trusted(postfix.port, Security::StartTls);
    deliver(&Server { login: login("secret"), ..server.clone() }, &["bob@example.org"]).unwrap();
    postfix.logs("sasl_username=sentinel");
    let error = deliver(&Server { login: login("wrong"), ..server }, &["bob@example.org"]);
    let error = error.unwrap_err();
    assert!(matches!(&error, SendError::Refused { reply, .. } if reply.code == 535), "{error}");
    assert_eq!(error.hint(), Some("check smtp_user and smtp_password_file"));
    // Without TLS it offers no login.
    let server =
        Server { login: login("secret"), ..authority.trusted(postfix.port, Security::None) };
    let error = deliver(&server, &["bob@example.org"]).unwrap_err();
    assert!(matches!(error, SendError::Unfit { .. }), "{error}");
}

#[test]
fn five_megabytes_arrive_and_more_than_it_takes_does_not_start() {
    let (authority, postfix) = start();
    let server = authority.trusted(postfix.port, Security::StartTls);
    let letter = |bytes: usize| Letter {
        to: addresses(&["bob@example.org"]),
        attachment: Some(File {
            name: "maillogsentinel.csv".into(),
            content_type: "text/csv; charset=utf-8",
            bytes: (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect(),
        }),
        ..full()
    };
    let send =
        |letter: &Letter| send(&server, (&letter.from, &letter.to), &letter.to_bytes(), &|| false);
    let large = letter(5 * 1024 * 1024);
    send(&large).unwrap();
    assert!(as_sent(&postfix.mail("bob", 1)[0]) == large.to_bytes());
    let error = send(&letter(9 * 1024 * 1024)).unwrap_err();
    assert!(error.to_string().contains("and it takes 10240000"), "{error}");
}
