//! Reads the messages of Dovecot 2.2 to 2.4, in syslog and in a file of its own.
//!
//! A line starts with the process that wrote it: `imap-login: `, `auth: `, `auth-worker(12): `; in
//! Dovecot's own file (`log_path`) its level follows, `Info: `. Logins are told by the login
//! processes; what the auth service says of them is said once more, of SMTP too.
//! Samples, good and hostile: `tests/corpus/dovecot.txt`.

pub mod auth;
pub mod login;

use super::postfix::{Message, Near, is_smtpd};
use super::rule::Rule;
use super::syslog::{Header, Layout};

/// Whether Dovecot wrote the line: its `instance_name` is the name in syslog, and `dovecot` is in it. It
/// may be in the name of a service of Postfix (`syslog_name`), too.
pub fn is_dovecots(header: &Header<'_>) -> bool {
    let names_it = || memchr::memmem::find(header.program, b"dovecot").is_some();
    header.layout == Layout::Dovecot || names_it() && !is_smtpd(header.program)
}

/// Reads `message`, which starts with the name of the process.
pub fn message(message: &[u8]) -> Result<Message<'_>, Near<'_>> {
    let (process, rest) = process(message);
    if let Some(protocol) = process.strip_suffix(b"-login")
        && let Some(rest) = rest.strip_prefix(b": ")
        && !protocol.is_empty()
    {
        return login::message(protocol, without_level(rest));
    }
    let rule = if auth::is_auth(process) { Rule::DovecotAuth } else { Rule::DovecotOther };
    Ok(Message::Unrelated(rule))
}

/// Splits behind the name of the process.
fn process(message: &[u8]) -> (&[u8], &[u8]) {
    let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let end = message.iter().take_while(of_name).count();
    message.split_at_checked(end).unwrap_or((message, &[]))
}

/// What follows `Info: `; syslog has the level elsewhere.
fn without_level(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"Info: ").unwrap_or(text)
}
