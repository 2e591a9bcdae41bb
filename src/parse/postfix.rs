//! Reads the messages of Postfix `smtpd` that tell of logins.
//!
//! The failure is written by `smtpd_sasl_auth_cmd()` in `src/smtpd/smtpd_sasl_glue.c`, the success
//! by `smtpd_sasl_mail_log()` and its callers; both carry `sasl_username=`, so that key alone means
//! nothing. Everything between the brackets and the end of line may be the client's own words.
//! What keeps them harmless: the address is read from the first bracket after a name that Postfix
//! has checked, a mechanism that is not a plain token has no user, and the reason of a plain one
//! is the server's. Samples, good and hostile: `tests/corpus/postfix.txt`.

use std::net::{IpAddr, Ipv4Addr};

use memchr::memmem;

use super::rule::Rule;
use crate::event::canonical;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A login was refused.
    Refused(Attempt<'a>),
    /// A message was accepted from a user who had logged in.
    Accepted(Attempt<'a>),
    /// Nothing to record, by this rule.
    Unrelated(Rule),
}

/// A login as one line tells it; every part is a slice of that line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The rule that took the line.
    pub rule: Rule,
    /// The client's name by reverse DNS, which the owner of the address chose.
    pub client: &'a [u8],
    /// The address as written between the brackets.
    pub written_address: &'a [u8],
    /// The same, parsed.
    pub address: IpAddr,
    /// The mechanism, as the client typed it.
    pub mechanism: &'a [u8],
    /// The server's reason; empty if it gave none.
    pub reason: &'a [u8],
    /// The user; `None` if the line names none.
    pub user: Option<&'a [u8]>,
    /// Whether it is a failure of a Postfix before 3.7.8 and 3.8.3, which never logged the user.
    pub is_nameless: bool,
    /// Which of Dovecot's protocols it is, e.g. `imap`; empty for Postfix.
    pub protocol: &'a [u8],
    /// How many attempts the line tells of: Dovecot has one for a session.
    pub times: u32,
}

/// The rule that came nearest to a message, and where it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near<'a> {
    /// The rule.
    pub rule: Rule,
    /// The rest of the message from the first byte that did not fit.
    pub rest: &'a [u8],
    /// What the rule expected there.
    pub expected: &'static str,
}

const FAILED: &[u8] = b" authentication failed";
const USER: &[u8] = b", sasl_username=";
/// What Postfix writes where it has no value.
pub(super) const UNAVAILABLE: &[u8] = b"(unavailable)";

/// Starts of warnings that quote what a client sent, its name or its message.
const QUOTES_CLIENT: [&[u8]; 10] = [
    b"non-SMTP command from ",
    b"AUTH command rate limit exceeded",
    b"Illegal address syntax from ",
    b"hostname ",
    b"header ",
    b"body ",
    b"numeric ",
    b"valid_hostname: ",
    b"Connection ",
    b"Message delivery request rate limit",
];

/// Whether a syslog program name is that of an SMTP server: `ANY-NAME[/SERVICE]/smtpd`.
pub fn is_smtpd(program: &[u8]) -> bool {
    program.strip_suffix(b"/smtpd").is_some_and(|instance| !instance.is_empty())
}

/// Whether it may be one whose name rsyslog cut at the slash (its RFC 5424 template does).
pub fn may_be_smtpd(program: &[u8]) -> bool {
    program.starts_with(b"postfix") && !program.contains(&b'/')
}

/// Reads `message`, the part after `postfix/smtpd[12]: `.
pub fn message(message: &[u8]) -> Result<Message<'_>, Near<'_>> {
    match message.strip_prefix(b"warning: ") {
        Some(rest) => warning(rest),
        None => accepted(message),
    }
}

fn warning(text: &[u8]) -> Result<Message<'_>, Near<'_>> {
    let near = |rest, expected| Near { rule: Rule::SaslFailed, rest, expected };
    let (client, written_address, after) = match client(text, Rule::SaslFailed) {
        Ok(client) => client,
        Err(near) => return about_no_client(text).map_or(Err(near), |r| Ok(Message::Unrelated(r))),
    };
    let Some(after) = after.strip_prefix(b": SASL ") else {
        let about_login = after.starts_with(b": SASL") || !after.starts_with(b": ");
        let other = Ok(Message::Unrelated(Rule::OtherMessage));
        return if about_login { Err(near(after, "`: SASL `")) } else { other };
    };
    let address = address(written_address)
        .ok_or(near(written_address, "an IPv4 or IPv6 address between the brackets"))?;
    let token = after.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)).count();
    let (token, rest) = after.split_at_checked(token).unwrap_or((after, &[]));
    if !token.is_empty() && rest == b" authentication aborted" {
        return Ok(Message::Unrelated(Rule::Aborted));
    }
    let attempt = |rule, mechanism, reason, user| Attempt {
        rule,
        client,
        written_address,
        address,
        mechanism,
        reason,
        user,
        is_nameless: false,
        protocol: &[],
        times: 1,
    };
    if !token.is_empty()
        && let Some(reason) = rest.strip_prefix(FAILED).and_then(after_colon)
    {
        let (reason, user, is_nameless) = match split_once(reason, USER) {
            Some((reason, user)) => (reason, Some(user).filter(|user| *user != UNAVAILABLE), false),
            None => (reason, None, true),
        };
        if is_temporary(reason) {
            return Ok(Message::Unrelated(Rule::TemporaryFailure));
        }
        let attempt = attempt(Rule::SaslFailed, token, reason, user);
        return Ok(Message::Refused(Attempt { is_nameless, ..attempt }));
    }
    // The client's own words stand where a mechanism should: only the end of the line is Postfix's.
    let refused = memmem::rfind(after, FAILED).and_then(|at| after.split_at_checked(at));
    let refused = refused.and_then(|(words, rest)| {
        let reason = rest.strip_prefix(FAILED).and_then(after_colon)?;
        Some((words, split_once(reason, USER).map_or(reason, |(reason, _)| reason)))
    });
    match refused {
        Some((_, reason)) if is_temporary(reason) => Ok(Message::Unrelated(Rule::TemporaryFailure)),
        Some((words, reason)) => {
            Ok(Message::Refused(attempt(Rule::MechanismRefused, words, reason, None)))
        }
        None if contains(after, b" authentication aborted") => {
            Ok(Message::Unrelated(Rule::Aborted))
        }
        None => Err(near(rest, "` authentication failed: ` or ` authentication aborted`")),
    }
}

/// The client of a warning about its login.
pub(super) fn refused_client(message: &[u8]) -> Option<IpAddr> {
    let (_, written, _) = client(message.strip_prefix(b"warning: ")?, Rule::SaslFailed).ok()?;
    address(written)
}

/// The rule for a warning that does not start with a client; a client's name may be `SASL` too.
fn about_no_client(text: &[u8]) -> Option<Rule> {
    if let Some(rest) = text.strip_prefix(b"SASL") {
        let connect = rest.starts_with(b": Connect to ") && contains(rest, b"auth socket");
        return Some(if connect { Rule::AuthServiceDown } else { Rule::SaslLibrary });
    }
    QUOTES_CLIENT.iter().any(|start| text.starts_with(start)).then_some(Rule::OtherMessage)
}

/// `QUEUEID: client=NAME[ADDRESS], sasl_method=M, sasl_username=U[, sasl_sender=S]`
fn accepted(message: &[u8]) -> Result<Message<'_>, Near<'_>> {
    let near = |rest, expected| Near { rule: Rule::LoggedIn, rest, expected };
    let other = Ok(Message::Unrelated(Rule::OtherMessage));
    let queue_id = message.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let rest = message.get(queue_id..).and_then(|rest| rest.strip_prefix(b": client="));
    let Some(rest) = rest.filter(|_| queue_id > 0) else { return other };
    let (client, written_address, after) = client(rest, Rule::LoggedIn)?;
    let Some((before, user)) = split_once(after, USER) else { return other };
    let address = address(written_address)
        .ok_or(near(written_address, "an IPv4 or IPv6 address between the brackets"))?;
    let (_, mechanism) =
        split_once(before, b", sasl_method=").ok_or(near(before, "`, sasl_method=`"))?;
    let user = Some(split_once(user, b", sasl_sender=").map_or(user, |(user, _)| user));
    let (rule, reason) = (Rule::LoggedIn, &[][..]);
    Ok(Message::Accepted(Attempt {
        rule,
        client,
        written_address,
        address,
        mechanism,
        reason,
        user,
        is_nameless: false,
        protocol: &[],
        times: 1,
    }))
}

/// A client's name and address, and what follows them.
type Client<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// `NAME[ADDRESS]` or `NAME[ADDRESS]:PORT`, and what follows. A name has no blank and no bracket.
fn client(text: &[u8], rule: Rule) -> Result<Client<'_>, Near<'_>> {
    let near = |rest, expected| Near { rule, rest, expected };
    let open = memchr::memchr2(b'[', b' ', text).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(open).unwrap_or((text, &[]));
    let rest = rest.strip_prefix(b"[").ok_or(near(rest, "a client as `name[address]`"))?;
    let close = memchr::memchr2(b']', b' ', rest).unwrap_or(rest.len());
    let (address, after) = rest.split_at_checked(close).unwrap_or((rest, &[]));
    let after = after.strip_prefix(b"]").ok_or(near(after, "a closing bracket"))?;
    let port = after.strip_prefix(b":").map(|port| port.iter().take_while(|b| b.is_ascii_digit()));
    let port = port.map_or(0, Iterator::count);
    let after = if port > 0 { after.get(port + 1..).unwrap_or_default() } else { after };
    Ok((name, address, after))
}

/// Reads an address as Postfix prints it; a link-local one may carry its interface (`fe80::1%eth0`).
pub(super) fn address(written: &[u8]) -> Option<IpAddr> {
    if let Some(v4) = dotted_quad(written) {
        return Some(v4.into());
    }
    let end = memchr::memchr(b'%', written).unwrap_or(written.len());
    let text = std::str::from_utf8(written.get(..end)?).ok()?;
    text.parse().ok().map(canonical)
}

/// Most clients are IPv4; this takes a fraction of what the standard library's parser does.
fn dotted_quad(written: &[u8]) -> Option<Ipv4Addr> {
    let (mut bits, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in written {
        match byte {
            // No leading zero, as in the standard library.
            b'0'..=b'9' if digits < 3 && (digits == 0 || octet > 0) => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 && dots < 3 => {
                bits = bits << 8 | octet;
                (octet, digits, dots) = (0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && octet < 256).then(|| Ipv4Addr::from_bits(bits << 8 | octet))
}

/// What follows the colon; Postfix before 2.3 wrote none, and journald drops blanks at the end.
fn after_colon(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        b"" | b":" => Some(&[]),
        _ => rest.strip_prefix(b": "),
    }
}

/// The server's words for "I could not judge": it answered 454, not 535.
fn is_temporary(reason: &[u8]) -> bool {
    reason.starts_with(b"Connection lost to authentication server")
        || reason.starts_with(b"Can't connect to authentication server")
        || reason.starts_with(b"Temporary authentication failure")
        || reason == b"generic failure"
}

/// Whether the auth service was asked; Postfix refuses some by itself.
pub(super) fn was_judged(attempt: &Attempt<'_>) -> bool {
    attempt.rule == Rule::SaslFailed
        && !attempt.reason.starts_with(b"Invalid base64 data in ")
        && !attempt.reason.starts_with(b"Invalid authentication mechanism")
}

/// Splits at the first `part`, which starts with a comma.
fn split_once<'a>(text: &'a [u8], part: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    memchr::memchr_iter(b',', text).find_map(|comma| {
        let (before, rest) = text.split_at_checked(comma)?;
        rest.strip_prefix(part).map(|after| (before, after))
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        for text in [
            "1.2.3.4",
            "255.255.255.255",
            "0.0.0.0",
            "256.1.1.1",
            "01.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            "1.2.3.4 ",
            "a.2.3.4",
            "",
            "1.2.3.1000",
            "::1",
            "::ffff:1.2.3.4",
            "2001:db8::1",
            "00.0.0.0",
        ] {
            let expected = text.parse().ok().map(canonical);
            assert_eq!(address(text.as_bytes()), expected, "{text}");
        }
    }
}
