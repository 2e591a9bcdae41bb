//! Reads who a line of the auth service is about.
//!
//! `auth_request_get_log_prefix()` in `src/auth/auth-request.c` writes `PASSDB(USER,ADDRESS): `, and
//! `get_log_prefix()` of 2.4 `auth(USER,ADDRESS,sasl:MECH): PASSDB: `; `,<SESSION>` or `<SESSION>`
//! joins it if the client is one of Dovecot's own. The user is cut at 64 bytes; what follows may
//! hold the user once more, or the password. Neither is escaped, so that a line that can be read in
//! two ways is taken to be about each of them, and to name nobody.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use crate::parse::postfix::{UNAVAILABLE, address};

/// An attempt that the auth service was asked about, by somebody who names no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The client.
    pub address: IpAddr,
    /// The user; `None` if the line does not tell it whole and for sure.
    pub user: Option<Cow<'a, [u8]>>,
    /// The database that says it, and whether a worker asked it. One attempt may be told by several.
    pub by: (&'a [u8], bool),
}

/// How much of a user the prefix holds: 64 bytes, of which the last three may be dots.
const USER_BYTES: usize = 64;
/// How much of a user Postfix logs, where it logs one.
const LOGGED_BYTES: usize = 100;
/// A session is 24 bytes of base64 or, with IPv6, 40; a proxy may give it another.
const SESSION_BYTES: usize = 256;
/// How long a prefix can be: a user, an IPv6 address, a session, and the marks between them.
const PREFIX_BYTES: usize = 512;
const DISALLOWED: &[u8] = b"Username character disallowed by auth_username_chars: 0x";
/// Readings of one line that are looked at; they hold the true one, which is not long.
const READINGS: usize = 16;

/// Whether a process of this name belongs to the auth service.
pub(super) fn is_auth(process: &[u8]) -> bool {
    matches!(process, b"auth" | b"auth-worker")
}

/// Whom `message`, of such a process, may be about.
pub fn asked(message: &[u8]) -> Vec<Asked<'_>> {
    let Some((database, text, is_worker)) = prefix(message) else { return Vec::new() };
    let near = text.get(..PREFIX_BYTES).unwrap_or(text);
    let readings = memchr_iter(b')', near).take(READINGS);
    let readings: Vec<_> = readings.filter_map(|at| reading(text, at, is_worker)).collect();
    let is_clear = readings.len() == 1;
    let matters = |reading: &Reading<'_>| !reading.has_session && !reading.is_idle;
    let mut found = Vec::new();
    for reading in readings.into_iter().filter(matters) {
        let user = reading.user.filter(|_| is_clear);
        let database = if database.is_empty() { reading.said_by } else { database };
        found.push(Asked { address: reading.address, user, by: (database, is_worker) });
    }
    found
}

/// Splits behind the bracket that opens the prefix: the database before it (none in 2.4), what is
/// in it and after it, and whether a worker says it.
fn prefix(message: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let (process, rest) = super::process(message);
    let is_worker = process == b"auth-worker";
    // `auth: `, or `auth-worker(12): `, or else the prefix of 2.4.
    let said = rest.strip_prefix(b": ").or_else(|| {
        let rest = rest.strip_prefix(b"(").filter(|_| is_worker)?;
        let number = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest.get(number..)?.strip_prefix(b"): ")
    });
    let Some(said) = said else {
        return rest.strip_prefix(b"(").map(|text| (&[][..], text, is_worker));
    };
    let levels = [&b"Info: "[..], b"Warning: ", b"Error: "];
    let said = levels.iter().find_map(|level| said.strip_prefix(*level)).unwrap_or(said);
    // `conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: `
    let said = match said.strip_prefix(b"conn ") {
        Some(rest) => rest.get(memmem::find(rest, b">: ")? + 3..)?,
        None => said,
    };
    let (database, rest) = super::process(said);
    rest.strip_prefix(b"(").filter(|_| !database.is_empty()).map(|text| (database, text, is_worker))
}

/// One way to read a prefix and what follows.
struct Reading<'a> {
    address: IpAddr,
    user: Option<Cow<'a, [u8]>>,
    said_by: &'a [u8],
    has_session: bool,
    /// Nothing was judged.
    is_idle: bool,
}

/// Takes what is before the bracket at `close` for user and address, if it can be.
fn reading(text: &[u8], close: usize, is_worker: bool) -> Option<Reading<'_>> {
    let inner = text.get(..close)?;
    let mut rest = text.get(close + 1..)?;
    // 2.4 has the process of a worker and the session behind the bracket.
    let mut marks = 0;
    while let Some(mark) = rest.strip_prefix(b"<") {
        rest = mark.get(memchr(b'>', mark.get(..SESSION_BYTES).unwrap_or(mark))? + 1..)?;
        marks += 1;
    }
    let said = rest.strip_prefix(b": ")?;
    let (inner, has_session) = match memrchr(b',', inner).and_then(|at| inner.split_at_checked(at))
    {
        Some((before, last)) if last.starts_with(b",<") && last.ends_with(b">") => (before, true),
        _ => (inner, marks > usize::from(is_worker)),
    };
    let (inner, is_master) = match inner.strip_suffix(b",master") {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    let inner = match memmem::rfind(inner, b",sasl:") {
        Some(at) if !inner.get(at + 1..)?.contains(&b',') => inner.get(..at)?,
        _ => inner,
    };
    let (user, written) = inner.split_at_checked(memrchr(b',', inner)?)?;
    let address = address(written.get(1..)?)?;
    let said = match said.strip_prefix(b"request [") {
        Some(rest) => rest.get(memmem::find(rest, b"]: ")? + 3..)?,
        None => said,
    };
    let reading = Reading {
        address,
        user: user_of(user, said).filter(|_| !is_master),
        said_by: super::process(said).0,
        has_session,
        is_idle: said.starts_with(b"Request timed out ") || said.starts_with(b"Debug: "),
    };
    (user.len() <= USER_BYTES).then_some(reading)
}

/// The user that the prefix names, or else what is said.
fn user_of<'a>(user: &'a [u8], said: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if user == b"?" && said.starts_with(b"Empty username") {
        return Some(Cow::Borrowed(&[]));
    }
    // No such text fits into the 64 bytes of a user, so that it is not the client's.
    let disallowed =
        memmem::find(said, DISALLOWED).and_then(|at| said.get(at + DISALLOWED.len()..));
    let (user, code) = match disallowed.filter(|_| user == b"?") {
        Some(said) => {
            let user = after(said, b" (username: ")?.strip_suffix(b")")?;
            // What follows may be a password, and is no user's name.
            let is_alone = memmem::find(user, b" (given password: ").is_none();
            (Some(user).filter(|_| is_alone)?, byte(said))
        }
        None => (user, None),
    };
    let user = as_postfix_logs(user, code)?;
    // Dots are for what did not fit; and Postfix writes a user whom it does not know like one who
    // has that name.
    let is_whole = !user.is_empty() && !user.ends_with(b"...") && *user != *UNAVAILABLE;
    is_whole.then_some(user)
}

/// The byte whose two hexadecimal digits `text` starts with.
fn byte(text: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(text.get(..2)?).ok()?, 16).ok()
}

/// What a later Postfix would log of `user`, as Dovecot wrote it; `code` is the first byte in it
/// that is not allowed.
///
/// Dovecot writes `?` for a control character and for a byte that is not UTF-8. It sends Postfix
/// four of the former as two bytes, of which the second stays; and Postfix logs 100 bytes.
fn as_postfix_logs(user: &[u8], code: Option<u8>) -> Option<Cow<'_, [u8]>> {
    let mut marks = memchr_iter(b'?', user);
    let spelling: &[u8] = match (marks.next(), marks.next(), code) {
        (None, ..) => b"",
        (Some(_), None, Some(b'?')) => b"?",
        (Some(_), None, Some(b'\t')) => b"?t",
        (Some(_), None, Some(b'\n')) => b"?n",
        (Some(_), None, Some(b'\r')) => b"?r",
        (Some(_), None, Some(1)) => b"?1",
        (Some(_), None, Some(code)) if code < b' ' => b"?",
        // The one that is not allowed may be a good one, beside one that is not UTF-8.
        (Some(_), None, Some(code)) if code > 0x7f && user.is_ascii() => b"?",
        _ => return None,
    };
    let is_plain = spelling.is_empty() && !user.contains(&0x7f);
    if is_plain && user.len() <= LOGGED_BYTES {
        return Some(Cow::Borrowed(user));
    }
    let mut logged = Vec::new();
    for byte in user {
        match byte {
            b'?' => logged.extend_from_slice(spelling),
            0x7f => logged.push(b'?'),
            byte => logged.push(*byte),
        }
    }
    logged.truncate(LOGGED_BYTES);
    // A character that is cut is logged as it is, but for a single byte of it.
    if logged.utf8_chunks().last().is_some_and(|chunk| chunk.invalid().len() == 1) {
        logged.pop();
        logged.push(b'?');
    }
    Some(Cow::Owned(logged))
}

fn after<'a>(text: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
    text.get(memmem::find(text, part)? + part.len()..)
}
