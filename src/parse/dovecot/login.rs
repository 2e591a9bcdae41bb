//! Reads what `imap-login`, `pop3-login`, `managesieve-login` and `submission-login` say.
//!
//! `client_get_log_str()` in `src/login-common/client-common.c` writes `MESSAGE: ELEMENTS`; a login
//! that failed is told when its connection ends, with the number of attempts, by
//! `client_get_extra_disconnect_reason()` there. The elements are `login_log_format_elements`:
//! `user=<%u> method=%m rip=%r lip=%l …`. The user is the client's own word, up to 80 bytes of it,
//! and nothing in it is escaped; what follows the mechanism is Dovecot's again, so the address is
//! that of the last `rip=`.

use memchr::memmem;

use crate::parse::postfix::{Attempt, Message, Near, address};
use crate::parse::rule::Rule;

const USER: &[u8] = b": user=<";
const METHOD: &[u8] = b">, method=";
const CLIENT: &[u8] = b", rip=";

/// How messages start that tell of a connection that ended before a login.
const ENDS: [&[u8]; 5] = [
    b"Disconnected",
    b"Login aborted",
    b"Aborted login",
    b"Authentication response too large",
    b"Maximum number of connections",
];

/// What the words in brackets say of the attempts of a session.
#[derive(Clone, Copy)]
enum Outcome {
    /// All of them were refused.
    Refused,
    /// The last was not finished; those before it were refused.
    Unfinished,
    /// The service was at fault.
    Temporary,
}

/// The words, by version; those of 2.4 are `client_auth_fail_code_reasons` and what is beside them.
///
/// Any other says that nothing was tried, or nothing that names a password.
const REASONS: [(&[u8], Outcome); 20] = [
    (b"auth failed", Outcome::Refused),
    (b"authorization failed", Outcome::Refused),
    (b"user disabled", Outcome::Refused),
    (b"password expired", Outcome::Refused),
    (b"login disabled", Outcome::Refused),
    (b"sent invalid base64 in response", Outcome::Refused),
    // A password was sent, though it should not have been.
    (b"tried to use disallowed plaintext auth", Outcome::Refused),
    (b"tried to use disallowed cleartext auth", Outcome::Refused),
    (b"proxy dest auth failed", Outcome::Refused),
    (b"proxy dest authentication failure", Outcome::Refused),
    (b"auth aborted by client", Outcome::Unfinished),
    (b"aborted authentication", Outcome::Unfinished),
    (b"client didn't finish SASL auth", Outcome::Unfinished),
    (b"disconnected while authenticating", Outcome::Unfinished),
    (b"disconnected while finishing login", Outcome::Unfinished),
    (b"auth service reported temporary failure", Outcome::Temporary),
    (b"auth process communication failure", Outcome::Temporary),
    (b"proxy dest temporary authentication failure", Outcome::Temporary),
    (b"proxy dest connection failed", Outcome::Temporary),
    (b"internal failure", Outcome::Temporary),
];

/// More attempts than a connection can make before it is ended; a larger number is no number.
const MOST_ATTEMPTS: u32 = 10_000;

const ONE_USER: &str = "one user in a line of a proxy";

/// Whether a client may have written a part of a proxy's line: its name stands there in brackets as well.
fn is_forged(text: &[u8], is_proxied: bool) -> bool {
    // `auth_user=<…>` and the like may be among the elements.
    let is_own = |at: &usize| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
    };
    is_proxied && memmem::find_iter(text, b"user=<").filter(is_own).count() > 1
}

/// Reads what follows `PROTOCOL-login: `.
pub(super) fn message<'a>(protocol: &'a [u8], text: &'a [u8]) -> Result<Message<'a>, Near<'a>> {
    let (text, is_proxied) = match text.strip_prefix(b"proxy(") {
        Some(rest) => (after(rest, b"): ").unwrap_or_default(), true),
        None => (text, false),
    };
    let is_login = [&b"Login: "[..], b"Logged in: "].iter().any(|start| text.starts_with(start))
        || is_proxied && text.get(1..).is_some_and(|text| text.starts_with(b"tarted proxying to "));
    if is_login {
        let near = |rest, expected| Near { rule: Rule::DovecotLoggedIn, rest, expected };
        if is_forged(text, is_proxied) {
            return Err(near(text, ONE_USER));
        }
        let (_, elements) = split(text).ok_or(near(text, "`: user=<`"))?;
        let attempt = attempt((protocol, elements), (Rule::DovecotLoggedIn, &[][..], 1), near)?;
        return Ok(Message::Accepted(attempt));
    }
    if !ENDS.iter().any(|start| text.starts_with(start)) {
        return Ok(Message::Unrelated(Rule::DovecotOther));
    }
    let near = |rest, expected| Near { rule: Rule::DovecotFailed, rest, expected };
    let (head, elements) = split(text).unwrap_or((text, &[]));
    let Some((reason, outcome, rest)) = reason(head) else {
        return Ok(Message::Unrelated(Rule::DovecotNoAttempt));
    };
    // Submission is handed on to a server that logs the refusal itself.
    if protocol == b"submission" && reason.starts_with(b"proxy dest") {
        return Ok(Message::Unrelated(Rule::DovecotOther));
    }
    let attempts = || attempts(rest).ok_or(near(rest, "a number of attempts"));
    let attempts = match outcome {
        Outcome::Temporary => return Ok(Message::Unrelated(Rule::DovecotTemporary)),
        Outcome::Refused => attempts()?,
        Outcome::Unfinished => attempts()?.saturating_sub(1),
    };
    if attempts == 0 {
        return Ok(Message::Unrelated(Rule::DovecotNoAttempt));
    }
    if elements.is_empty() {
        return Err(near(text.get(text.len()..).unwrap_or_default(), "`: user=<`"));
    }
    if is_forged(text, is_proxied) {
        return Err(near(elements, ONE_USER));
    }
    attempt((protocol, elements), (Rule::DovecotFailed, reason, attempts), near)
        .map(Message::Refused)
}

/// What stands before and after the first `: user=<`; no client chose what is before it.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memmem::find(text, USER)?;
    Some((text.get(..at)?, text.get(at + USER.len()..)?))
}

/// The known words at the start of a pair of brackets, and what follows them.
fn reason(head: &[u8]) -> Option<(&[u8], Outcome, &[u8])> {
    memmem::find_iter(head, b" (").find_map(|at| {
        let inner = head.get(at + 2..)?;
        REASONS.iter().find_map(|(words, outcome)| {
            let rest = inner
                .strip_prefix(*words)
                .filter(|rest| rest.first().is_none_or(|next| matches!(next, b',' | b')')))?;
            Some((inner.get(..words.len())?, *outcome, rest))
        })
    })
}

/// `, 3 attempts in 2 secs)`; before 2.4 not all reasons tell it.
fn attempts(rest: &[u8]) -> Option<u32> {
    let Some(rest) = rest.strip_prefix(b", ").filter(|r| r.first().is_some_and(u8::is_ascii_digit))
    else {
        return Some(1);
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    let is_one = rest.starts_with(b" attempts") && (1..=MOST_ATTEMPTS).contains(&number);
    is_one.then_some(number)
}

/// Reads what follows `: user=<`.
fn attempt<'a>(
    (protocol, elements): (&'a [u8], &'a [u8]),
    (rule, reason, times): (Rule, &'a [u8], u32),
    near: impl Fn(&'a [u8], &'static str) -> Near<'a>,
) -> Result<Attempt<'a>, Near<'a>> {
    let at = memmem::rfind(elements, CLIENT).ok_or(near(elements, "`, rip=`"))?;
    let written = elements.get(at + CLIENT.len()..).unwrap_or_default();
    let written_address = written.split(|byte| *byte == b',').next().unwrap_or_default();
    let address =
        address(written_address).ok_or(near(written, "an IPv4 or IPv6 address after `rip=`"))?;
    let who = elements.get(..at).unwrap_or_default();
    let is_token = |text: &[u8]| {
        !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
    };
    let named = memmem::rfind(who, METHOD).and_then(|at| {
        let mechanism = who.get(at + METHOD.len()..).filter(|text| is_token(text))?;
        Some((who.get(..at)?, mechanism))
    });
    let (user, mechanism) = match (named, who.strip_suffix(b">")) {
        (Some(named), _) => named,
        (None, Some(user)) => (user, who.get(who.len()..).unwrap_or_default()),
        (None, None) => return Err(near(who, "`>` after the user")),
    };
    Ok(Attempt {
        rule,
        client: protocol.get(..0).unwrap_or_default(),
        protocol,
        written_address,
        address,
        mechanism,
        reason,
        // Also empty where Dovecot found none in a malformed answer; the line does not tell.
        user: Some(user),
        is_nameless: false,
        times,
    })
}

fn after<'a>(text: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
    text.get(memmem::find(text, part)? + part.len()..)
}
