//! TLS and logins: who is trusted, and what is never sent in the open.

use std::io::Read;

use maillogsentinel::report::send::{Authorities, Login, Security, SendError, Server};

use crate::authority::{Authority, pair};
use crate::smtp::Smtp;
use crate::{deliver, server};

const TO: [&str; 1] = ["a@example.org"];

impl Authority {
    /// How somebody who trusts it reaches a server.
    pub(crate) fn trusted(&self, port: u16, security: Security) -> Server {
        let authorities = Authorities::File(self.certificate());
        Server { host: "localhost".into(), security, authorities, ..server(port) }
    }
}

fn login() -> Login {
    Login { user: "sentinel".into(), password: "pass word ü".into() }
}

fn told(error: &SendError) -> String {
    format!("{error}; hint: {}", error.hint().unwrap_or("none"))
}

#[test]
fn starttls_encrypts_all_but_the_greeting() {
    let authority = Authority::new();
    let smtp = Smtp::secure(&[], pair(&authority.sign("DNS:localhost", 2)), false);
    let server =
        Server { login: Some(login()), ..authority.trusted(smtp.port, Security::StartTls) };
    deliver(&server, &TO).unwrap();
    let commands = smtp.heard().commands;
    assert_eq!(commands[..3], ["EHLO mail.example.org", "STARTTLS", "*EHLO mail.example.org"]);
    assert!(commands[3].starts_with("*AUTH PLAIN "), "{commands:?}");
    assert!(commands[3..].iter().all(|command| command.starts_with('*')), "{commands:?}");
    assert_eq!(smtp.heard().messages.len(), 1);
}

#[test]
fn tls_encrypts_from_the_start_on() {
    let authority = Authority::new();
    let smtp = Smtp::secure(&[], pair(&authority.sign("DNS:localhost,IP:127.0.0.1", 2)), true);
    let server = authority.trusted(smtp.port, Security::Tls);
    deliver(&server, &TO).unwrap();
    deliver(&Server { host: "127.0.0.1".into(), ..server }, &TO).unwrap();
    assert!(smtp.heard().commands.iter().all(|command| command.starts_with('*')));
}

#[test]
fn a_certificate_that_is_no_good_is_told_with_what_to_do() {
    let authority = Authority::new();
    for (name, days, what, hint) in [
        (
            "DNS:mail.example.net",
            2,
            "the server's certificate is for another name",
            "set smtp_host to a name that the certificate is for",
        ),
        (
            "DNS:localhost",
            -1,
            "the server's certificate has expired",
            "renew it on the server; check this machine's clock",
        ),
    ] {
        for security in [Security::Tls, Security::StartTls] {
            let smtp =
                Smtp::secure(&[], pair(&authority.sign(name, days)), security == Security::Tls);
            let error = deliver(&authority.trusted(smtp.port, security), &TO).unwrap_err();
            assert!(matches!(error, SendError::Unfit { .. }), "{error}");
            let told = told(&error);
            assert!(told.contains(what) && told.ends_with(hint), "{told}");
            let heard = smtp.heard();
            assert!(
                heard.messages.is_empty() && !heard.commands.iter().any(|it| it.contains("MAIL"))
            );
        }
    }
    let smtp = Smtp::secure(&[], pair(&authority.sign("DNS:localhost", 2)), true);
    let stranger =
        Server { authorities: Authorities::System, ..authority.trusted(smtp.port, Security::Tls) };
    let told = told(&deliver(&stranger, &TO).unwrap_err());
    assert!(told.contains("is not signed by an authority that this machine trusts"), "{told}");
    assert!(told.contains("update-ca-certificates"), "{told}");
}

#[test]
fn a_certificate_without_an_authority_is_told() {
    let authority = Authority::new();
    let smtp = Smtp::secure(&[], (&authority.path("ca.pem"), &authority.path("ca.key")), true);
    let other = Authority::new();
    let error = deliver(&other.trusted(smtp.port, Security::Tls), &TO).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    let missing = Authorities::File(other.path("absent.pem"));
    let server = Server { authorities: missing, ..other.trusted(smtp.port, Security::Tls) };
    let error = deliver(&server, &TO).unwrap_err();
    assert!(error.to_string().contains("cannot read certificates from"), "{error}");
}

#[test]
fn without_starttls_nothing_is_sent() {
    let smtp = Smtp::new(&[]);
    let server = Server { security: Security::StartTls, login: Some(login()), ..server(smtp.port) };
    let error = deliver(&server, &TO).unwrap_err();
    assert!(
        error.to_string().ends_with("it does not offer STARTTLS, and nothing is sent without it")
    );
    assert_eq!(smtp.heard().commands, ["EHLO mail.example.org", "QUIT"]);
}

#[test]
fn a_refused_starttls_is_not_gone_around() {
    let authority = Authority::new();
    let smtp = Smtp::secure(
        &[("STARTTLS", "454 4.7.0 TLS not available")],
        pair(&authority.sign("DNS:localhost", 2)),
        false,
    );
    let error = deliver(&authority.trusted(smtp.port, Security::StartTls), &TO).unwrap_err();
    assert!(matches!(error, SendError::Later { .. }), "{error}");
    assert_eq!(smtp.heard().commands.last().unwrap(), "QUIT");
    assert!(smtp.heard().messages.is_empty());
}

/// Somebody on the way adds answers that would be read after the handshake.
#[test]
fn what_was_said_before_tls_is_not_believed_after_it() {
    let smtp = Smtp::new(&[
        ("EHLO", "250-test\r\n250 STARTTLS"),
        ("STARTTLS", "220 go on\r\n250-mallory\r\n250 AUTH PLAIN"),
    ]);
    let server = Server { security: Security::StartTls, login: Some(login()), ..server(smtp.port) };
    let error = deliver(&server, &TO).unwrap_err();
    assert!(error.to_string().ends_with("it went on in plain text after STARTTLS"), "{error}");
}

#[test]
fn tls_to_a_port_without_it_says_so() {
    let smtp = Smtp::new(&[]);
    let server = Server { security: Security::Tls, ..server(smtp.port) };
    let told = told(&deliver(&server, &TO).unwrap_err());
    assert!(told.contains("no TLS") && told.contains("starttls for 587 and 25"), "{told}");
}

#[test]
fn plain_text_to_a_port_with_tls_ends_in_time() {
    let authority = Authority::new();
    let smtp = Smtp::secure(&[], pair(&authority.sign("DNS:localhost", 2)), true);
    let server = Server { timeout: crate::HASTY, ..server(smtp.port) };
    let error = deliver(&server, &TO).unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
}

#[test]
fn a_handshake_that_stops_ends_in_time() {
    let smtp = Smtp::raw(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let server = Server { security: Security::Tls, timeout: crate::HASTY, ..server(smtp.port) };
    let error = deliver(&server, &TO).unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
}

/// An end without TLS's own goodbye may be somebody's on the way: no answer is made of it.
#[test]
fn a_connection_cut_in_tls_after_the_message_leaves_it_open() {
    let authority = Authority::new();
    let smtp =
        Smtp::secure(&[(".", crate::smtp::CUT)], pair(&authority.sign("DNS:localhost", 2)), true);
    let error = deliver(&authority.trusted(smtp.port, Security::Tls), &TO).unwrap_err();
    assert!(matches!(error, SendError::Unknown { .. }), "{error}");
    assert!(error.to_string().ends_with("it closed the connection"), "{error}");
}

#[test]
fn plain_or_login_whatever_the_server_offers() {
    // `printf '\0sentinel\0pass word ü' | base64`
    let plain = "AUTH PLAIN AHNlbnRpbmVsAHBhc3Mgd29yZCDDvA==";
    let smtp = Smtp::new(&[]);
    deliver(&Server { login: Some(login()), ..server(smtp.port) }, &TO).unwrap();
    assert_eq!(smtp.heard().commands[1], plain);

    let smtp = Smtp::new(&[
        ("EHLO", "250-test\r\n250 AUTH=LOGIN CRAM-MD5"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("c2VudGluZWw=", "334 UGFzc3dvcmQ6"),
        ("cGFzcyB3b3JkIMO8", "235 welcome"),
    ]);
    deliver(&Server { login: Some(login()), ..server(smtp.port) }, &TO).unwrap();
    assert_eq!(smtp.heard().commands[1..4], ["AUTH LOGIN", "c2VudGluZWw=", "cGFzcyB3b3JkIMO8"]);
}

#[test]
fn a_refused_login_is_told_without_the_password() {
    for repeated in ["pass word ü", "cGFzcyB3b3JkIMO8", "AHNlbnRpbmVsAHBhc3Mgd29yZCDDvA=="] {
        let smtp = Smtp::new(&[("AUTH", &format!("535-5.7.8 bad\r\n535 {repeated}"))]);
        let error =
            deliver(&Server { login: Some(login()), ..server(smtp.port) }, &TO).unwrap_err();
        assert_eq!(
            told(&error),
            format!(
                "127.0.0.1:{} refuses the login: 535; hint: check smtp_user and smtp_password_file",
                smtp.port
            )
        );
        assert!(!format!("{error:?}").contains(repeated));
    }
    let smtp = Smtp::new(&[("AUTH", "454 4.7.0 auth server is down")]);
    let error = deliver(&Server { login: Some(login()), ..server(smtp.port) }, &TO).unwrap_err();
    assert!(matches!(error, SendError::Later { .. }), "{error}");
    assert!(!format!("{:?}", login()).contains("pass word"));
}

#[test]
fn a_login_that_is_not_offered_is_told() {
    let smtp = Smtp::new(&[("EHLO", "250-test\r\n250 AUTH CRAM-MD5 GSSAPI")]);
    let told =
        told(&deliver(&Server { login: Some(login()), ..server(smtp.port) }, &TO).unwrap_err());
    assert!(told.contains("it offers no login by PLAIN or LOGIN"), "{told}");
}

/// Another address of this machine stands for a server elsewhere.
#[test]
fn a_password_never_travels_in_the_open() {
    let Some(outside) = outside_address() else {
        panic!("this machine has no address but its loopback: `ip addr add 192.0.2.1/32 dev lo`")
    };
    let smtp = Smtp::on(&outside, &[]);
    let server = Server { host: outside, login: Some(login()), ..server(smtp.port) };
    let error = deliver(&server, &TO).unwrap_err();
    assert!(told(&error).ends_with(
        "smtp_user is set, and the password would travel unencrypted; hint: set smtp_security = starttls or tls"
    ));
    assert!(!smtp.heard().commands.iter().any(|command| command.starts_with("AUTH")));
}

fn outside_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the system only chooses which of its addresses it would be from.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}
