//! Replaces the fields of a line whose meaning is known; free text is `text.rs`.
//!
//! Whoever calls has taken the line apart, and says what each part is.

use std::net::IpAddr;

use super::placeholders::Placeholders;
use super::shape;
use super::words::Words;

/// Mechanisms that have a name (IANA, and those that Cyrus and Microsoft added), in capitals.
///
/// Any other word in that place is the client's own, and may be a password in the wrong field.
const MECHANISMS: [&[u8]; 29] = [
    b"PLAIN",
    b"LOGIN",
    b"CRAM-MD5",
    b"DIGEST-MD5",
    b"SCRAM-MD5",
    b"SCRAM-SHA-1",
    b"SCRAM-SHA-1-PLUS",
    b"SCRAM-SHA-256",
    b"SCRAM-SHA-256-PLUS",
    b"SCRAM-SHA-512",
    b"SCRAM-SHA-512-PLUS",
    b"NTLM",
    b"GSSAPI",
    b"GSS-SPNEGO",
    b"GS2-KRB5",
    b"GS2-KRB5-PLUS",
    b"XOAUTH2",
    b"XOAUTH",
    b"OAUTHBEARER",
    b"OAUTH10A",
    b"EXTERNAL",
    b"ANONYMOUS",
    b"KERBEROS_V4",
    b"KERBEROS_V5",
    b"OTP",
    b"SKEY",
    b"SRP",
    b"PASSDSS",
    b"APOP",
];

/// What is known of the line that a text stands in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line<'a> {
    /// The host that logged it; its name may stand in the text by itself.
    pub host: &'a [u8],
    /// Whether a program of Dovecot wrote it, which names users as `imap(bob)`.
    pub is_dovecots: bool,
}

/// Replaces what names somebody.
pub struct Redactor {
    /// What became of what.
    pub placeholders: Placeholders,
    pub(super) words: Words,
}

impl Redactor {
    /// A redactor that has seen nothing yet.
    pub fn new(placeholders: Placeholders) -> Self {
        Self { placeholders, words: Words::new() }
    }

    /// The name of the host in syslog's part of the line.
    pub fn log_host(&mut self, host: &[u8], out: &mut Vec<u8>) {
        match host {
            b"-" => out.extend_from_slice(host),
            // Dovecot's own log has its program there: `imap(bob)<12><SESSION>:`.
            [.., b':'] => self.text(host, Line { is_dovecots: true, ..Line::default() }, out),
            _ => self.placeholders.host(host, out),
        }
    }

    /// The name of the program; it stays, but for what looks like an address or a host in it.
    pub fn program(&mut self, program: &[u8], out: &mut Vec<u8>) {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_');
        let plain = program.iter().all(plain) && program.split(|b| *b == b'/').all(is_named);
        if plain {
            out.extend_from_slice(program);
        } else {
            self.text(program, Line::default(), out);
        }
    }

    /// The number of the process.
    pub fn process(&mut self, process: &[u8], out: &mut Vec<u8>) {
        if process.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(process);
        } else {
            self.placeholders.text(process, out);
        }
    }

    /// The name that reverse DNS gave a client.
    pub fn client(&mut self, name: &[u8], out: &mut Vec<u8>) {
        self.placeholders.host(name, out);
    }

    /// A client's address as it was `written`, with its interface if it is link-local.
    pub fn written_address(&mut self, written: &[u8], address: IpAddr, out: &mut Vec<u8>) {
        let end = memchr::memchr(b'%', written).unwrap_or(written.len());
        let (bare, interface) = written.split_at_checked(end).unwrap_or((written, &[]));
        self.placeholders.write_address(shape::address(bare).unwrap_or(address), bare, out);
        self.text(interface, Line::default(), out);
    }

    /// A mechanism that is one word.
    pub fn mechanism(&mut self, mechanism: &[u8], out: &mut Vec<u8>) {
        if MECHANISMS.iter().any(|known| known.eq_ignore_ascii_case(mechanism)) {
            out.extend_from_slice(mechanism);
        } else {
            self.placeholders.text(mechanism, out);
        }
    }

    /// What a client sent where a mechanism belongs, and is none.
    ///
    /// The quotes keep it from being taken for a mechanism.
    pub fn no_mechanism(&mut self, words: &[u8], out: &mut Vec<u8>) {
        if words.is_empty() || !self.placeholders.replaces(super::Kind::Texts) {
            self.text_strictly(words, out);
        } else {
            out.push(b'"');
            self.placeholders.text(words, out);
            out.push(b'"');
        }
    }

    /// A queue id, or NOQUEUE.
    pub fn queue_id(&mut self, id: &[u8], out: &mut Vec<u8>) {
        self.placeholders.queue_id(id, out);
    }

    /// A message of which nothing is known but its line.
    pub fn message(&mut self, message: &[u8], line: Line<'_>, out: &mut Vec<u8>) {
        let word = shape::word(message);
        let (id, rest) = message.split_at_checked(word).unwrap_or((message, &[]));
        if rest.starts_with(b": ") && shape::may_be_queue_id(id) {
            self.placeholders.queue_id(id, out);
            self.text(rest, line, out);
        } else {
            self.text(message, line, out);
        }
    }
}

/// Whether a part of a program's name is one, and not an address with marks in it.
fn is_named(part: &[u8]) -> bool {
    part.is_empty() || part.len() <= 40 && shape::groups_of_digits(part).is_none_or(|n| n < 4)
}
