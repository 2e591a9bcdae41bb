//! Reports as messages, read by another program, and handed to servers good and bad.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test should stop at the first surprise"
)]

#[path = "../servers/authority.rs"]
mod authority;
#[path = "../servers/smtp.rs"]
mod smtp;
#[path = "../servers/tls.rs"]
mod tls;
#[path = "../servers/postfix.rs"]
mod postfix;

mod letters;
mod answers;
mod secrets;
mod real;

use std::time::Duration;

use jiff::Zoned;
use maillogsentinel::report::address::Address;
use maillogsentinel::report::message::{Letter, message_id};
use maillogsentinel::report::send::{Authorities, Security, SendError, Sent, Server, send};

/// How long a test that expects an answer waits for it; an idle machine needs no thousandth.
const PATIENT: Duration = Duration::from_secs(30);
/// How long a test waits for silence.
const HASTY: Duration = Duration::from_millis(300);

fn address(text: &str) -> Address {
    Address::parse(text, "mail.example.org").unwrap()
}

fn addresses(texts: &[&str]) -> Vec<Address> {
    texts.iter().map(|text| address(text)).collect()
}

/// A short report.
fn letter() -> Letter {
    let date: Zoned = "2025-05-29T00:05:01+02:00[Europe/Berlin]".parse().unwrap();
    Letter {
        from: address("sentinel@mail.example.org"),
        to: addresses(&["security@example.org"]),
        subject: "[MailLogSentinel] MailLogSentinel report for 2025-05-28 on mail.example.org: 55 attempts".into(),
        message_id: message_id("2025-05-28 at 2025-05-29T00:05:01", "mail.example.org"),
        date,
        text: "Total attempts today: 55\n\n.\n.hidden\nFrom here\n".into(),
        html: None,
        attachment: None,
    }
}

/// The server on loopback with this port.
fn server(port: u16) -> Server {
    Server {
        host: "127.0.0.1".into(),
        port,
        security: Security::None,
        login: None,
        authorities: Authorities::System,
        own_name: "mail.example.org".into(),
        timeout: PATIENT,
    }
}

/// Sends a short report to these.
fn deliver(server: &Server, to: &[&str]) -> Result<Sent, SendError> {
    let letter = Letter { to: addresses(to), ..letter() };
    send(server, (&letter.from, &letter.to), &letter.to_bytes(), &|| false)
}
