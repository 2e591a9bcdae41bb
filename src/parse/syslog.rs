//! The part of a log line that syslog writes: time, host, program, process number.
//!
//! Three layouts, by rsyslog's template names: `TraditionalFileFormat` (BSD), `FileFormat`
//! (RFC 3339 stamp, else the same) and `SyslogProtocol23Format` (RFC 5424); and that of the file
//! that Dovecot writes itself (`log_path`), without host and program. Each of them may be wrapped up by a
//! container runtime, see [`super::container`].

use memchr::{memchr, memchr2};

use super::container::{after_stream, object_stamp, without_name};
use super::time::{self, Stamp};

/// What stands before the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Which layout it is.
    pub layout: Layout,
    /// The time stamp, and the bytes it was read from.
    pub stamp: (Stamp, &'a [u8]),
    /// The host's name.
    pub host: &'a [u8],
    /// The program's name: `postfix/submission/smtpd`.
    pub program: &'a [u8],
    /// The process number; empty if none is given.
    pub process: &'a [u8],
    /// How often the message was logged: rsyslog sums up equal ones (`$RepeatedMsgReduction`).
    pub times: u32,
    /// The rest of the line.
    pub message: &'a [u8],
}

/// A layout of syslog lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `Nov 22 21:28:34 host program[12]: message`
    Bsd,
    /// `2026-11-22T21:28:34.901234+00:00 host program[12]: message`
    Rfc3339,
    /// `<20>1 2026-11-22T21:28:34.901234+00:00 host program 12 - - message`
    Rfc5424,
    /// One of the others, or none of them, behind a time that a container runtime wrote.
    Container,
    /// `Nov 22 21:28:34 imap-login: Info: message`; the message is all of what follows the stamp.
    Dovecot,
}

impl Layout {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bsd => "BSD",
            Self::Rfc3339 => "RFC 3339",
            Self::Rfc5424 => "RFC 5424",
            Self::Container => "a container's log",
            Self::Dovecot => "a file of Dovecot's own",
        }
    }
}

/// What a line that has no readable header should have had, and where (the rest of the line there).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHeader<'a> {
    /// The first bytes that did not fit.
    pub rest: &'a [u8],
    /// What belongs there.
    pub expected: &'static str,
}

/// Only the time stamp of `line`, for where nothing else is needed.
pub fn stamp(line: &[u8]) -> Option<Stamp> {
    let plain = dated(without_name(line)).map(|(_, (stamp, _), _)| stamp);
    plain.or_else(|| object_stamp(line))
}

/// What follows the time stamp of `line`, for lines that have no more of a header than that.
pub fn after_stamp(line: &[u8]) -> Option<&[u8]> {
    dated(line).map(|(_, _, rest)| rest)
}

/// What Dovecot writes behind the process in a file of its own: `failure_log_type_prefixes`.
const LEVELS: [&[u8]; 6] =
    [b"Debug: ", b"Info: ", b"Warning: ", b"Error: ", b"Fatal: ", b"Panic: "];

/// Splits `line` into header and message.
pub fn header(line: &[u8]) -> Result<Header<'_>, NoHeader<'_>> {
    let line = without_name(line);
    let whole = whole(line);
    // What a container printed has a program where other lines have a host, or a time of its own.
    let is_whole = whole.as_ref().is_ok_and(|header| !header.host.ends_with(b"]:"));
    let Some((Layout::Rfc3339, stamp, rest)) = dated(line) else { return whole };
    match after_stream(rest) {
        Some(printed) => within(stamp, printed),
        None if is_whole => whole,
        None => rest.strip_prefix(b" ").and_then(|rest| within(stamp, rest).ok()).map_or(whole, Ok),
    }
}

/// A line that a container printed at the time of `stamp`.
fn within<'a>(stamp: (Stamp, &'a [u8]), printed: &'a [u8]) -> Result<Header<'a>, NoHeader<'a>> {
    let layout = Layout::Container;
    match whole(printed) {
        Ok(header) if header.layout == Layout::Dovecot => Ok(Header { stamp, ..header }),
        Ok(header) => Ok(Header { layout, stamp, ..header }),
        Err(stop) => {
            let (program, process, times, message) = tagged(printed).map_err(|_| stop)?;
            let host = printed.get(..0).filter(|_| !process.is_empty()).ok_or(stop)?;
            Ok(Header { layout, stamp, host, program, process, times, message })
        }
    }
}

/// Splits a line that nothing is wrapped around.
fn whole(line: &[u8]) -> Result<Header<'_>, NoHeader<'_>> {
    let stop = |rest, expected| NoHeader { rest, expected };
    let (layout, stamp, rest) = dated(line).ok_or(stop(
        line,
        "a time stamp such as `Nov 22 21:28:34` or `2026-11-22T21:28:34+01:00`",
    ))?;
    let rest = rest.strip_prefix(b" ").ok_or(stop(rest, "a blank after the time stamp"))?;
    let message = rest;
    let (host, rest) = word(rest).ok_or(stop(rest, "a host name and a blank"))?;
    // A process instead of a host, and a level instead of a program.
    let has_level = || LEVELS.iter().any(|level| rest.starts_with(level));
    if layout != Layout::Rfc5424 && host.ends_with(b":") && has_level() {
        let none = message.get(..0).unwrap_or_default();
        let (host, program, process, times) = (none, none, none, 1);
        let layout = Layout::Dovecot;
        return Ok(Header { layout, stamp, host, program, process, times, message });
    }
    if layout == Layout::Rfc5424 {
        let fields = rfc5424_fields(rest);
        let (program, process, message) =
            fields.ok_or(stop(rest, "program, process, message id and structured data"))?;
        let (times, message) = repeated(message);
        return Ok(Header { layout, stamp, host, program, process, times, message });
    }
    // Some images write a padded level where the host should be.
    let (program, process, times, message) = tagged(rest.trim_ascii_start())?;
    Ok(Header { layout, stamp, host, program, process, times, message })
}

/// Program, process, how often, and message.
type Tagged<'a> = (&'a [u8], &'a [u8], u32, &'a [u8]);

/// Splits `rest`, which follows the host.
fn tagged(rest: &[u8]) -> Result<Tagged<'_>, NoHeader<'_>> {
    let end = memchr2(b':', b' ', rest).unwrap_or(rest.len());
    let (tag, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    let expected = "a program name and a colon";
    let after = after.strip_prefix(b":").ok_or(NoHeader { rest, expected })?;
    let (program, process) = match memchr(b'[', tag).and_then(|at| tag.split_at_checked(at)) {
        Some((program, [b'[', process @ .., b']'])) => (program, process),
        _ => (tag, &[][..]),
    };
    let (times, message) = repeated(after.strip_prefix(b" ").unwrap_or(after));
    Ok((program, process, times, message))
}

/// Layout, stamp (with the bytes it was read from) and what follows it.
type Dated<'a> = (Layout, (Stamp, &'a [u8]), &'a [u8]);

/// Reads the stamp at the start of `line`.
fn dated(line: &[u8]) -> Option<Dated<'_>> {
    // A priority in front, as a syslog socket or an RFC 5424 file has it.
    let (priority, line) = match line.split_first() {
        Some((b'<', rest)) => {
            let end = rest.iter().take(4).position(|b| !b.is_ascii_digit())?;
            (true, rest.get(end..)?.strip_prefix(b">").filter(|_| end > 0)?)
        }
        _ => (false, line),
    };
    let (layout, line) = match line.strip_prefix(b"1 ") {
        Some(rest) if priority => (Layout::Rfc5424, rest),
        _ if line.first()?.is_ascii_digit() => (Layout::Rfc3339, line),
        _ => (Layout::Bsd, line),
    };
    let read = if layout == Layout::Bsd { time::bsd } else { time::rfc3339 };
    let (stamp, rest) = read(line)?;
    let written = line.get(..line.len() - rest.len())?;
    Some((layout, (stamp, written), rest))
}

/// Program, process and message of what follows the host in RFC 5424, section 6.
fn rfc5424_fields(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (program, rest) = word(rest)?;
    let (process, rest) = word(rest)?;
    let (_message_id, rest) = word(rest)?;
    let rest = match rest.strip_prefix(b"-") {
        Some(rest) => rest,
        None => after_structured_data(rest)?,
    };
    // rsyslog puts its own blank before a message that already starts with one.
    let message = rest.strip_prefix(b" ").unwrap_or(rest);
    let message = message.strip_prefix(b" ").unwrap_or(message);
    Some((program, process.strip_prefix(b"-").unwrap_or(process), message))
}

/// More repetitions than rsyslog sums up between two flushes; a larger number is no number.
const MOST_TIMES: u32 = 10_000;

/// `message repeated 3 times: [ MESSAGE]` as 3 and MESSAGE; others as 1.
fn repeated(message: &[u8]) -> (u32, &[u8]) {
    let parts = message.strip_prefix(b"message repeated ").and_then(|rest| {
        let (number, rest) = word(rest)?;
        let inner = rest.strip_prefix(b"times: [")?.strip_suffix(b"]")?;
        let times = std::str::from_utf8(number).ok()?.parse().ok()?;
        let inner = inner.strip_prefix(b" ").unwrap_or(inner);
        (1..=MOST_TIMES).contains(&times).then_some((times, inner))
    });
    parts.unwrap_or((1, message))
}

/// Skips `[id name="value" …]…`; in values `"`, `\` and `]` are escaped by `\`.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some(element) = rest.strip_prefix(b"[") {
        let (mut quoted, mut escaped) = (false, false);
        let end = element.iter().position(|byte| {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' => escaped = !was_escaped,
                b'"' if !was_escaped => quoted = !quoted,
                b']' if !quoted => return true,
                _ => {}
            }
            false
        })?;
        rest = element.get(end + 1..)?;
    }
    (rest.len() < text.len()).then_some(rest)
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', text).filter(|end| *end > 0)?;
    text.split_at_checked(end).map(|(word, rest)| (word, rest.strip_prefix(b" ").unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> [String; 5] {
        let h = header(line.as_bytes()).unwrap();
        [h.layout.name().as_bytes(), h.host, h.program, h.process, h.message]
            .map(|part| String::from_utf8_lossy(part).into_owned())
    }

    #[test]
    fn the_three_layouts_say_the_same() {
        let rest = ["mx1", "postfix/smtpd", "12", "warning: x"];
        let bsd = parts("Nov  2 21:28:34 mx1 postfix/smtpd[12]: warning: x");
        assert_eq!(bsd[1..], rest);
        let rfc3339 = parts("2026-11-22T21:28:34.901234+00:00 mx1 postfix/smtpd[12]: warning: x");
        assert_eq!(rfc3339[1..], rest);
        for data in ["-", "[a@1 b=\"c\\\"]d\"][e f=\"g\"]"] {
            let rfc5424 = parts(&format!(
                "<20>1 2026-11-22T21:28:34.901234+00:00 mx1 postfix/smtpd 12 - {data}  warning: x"
            ));
            assert_eq!(rfc5424[1..], rest);
            assert_eq!(rfc5424[0], "RFC 5424");
        }
    }

    #[test]
    fn a_priority_is_one_to_three_digits() {
        let line = |priority: &str| format!("{priority}Nov 22 21:28:34 mx1 postfix/smtpd[12]: x");
        assert!(header(line("<191>").as_bytes()).is_ok());
        for priority in ["<>", "<1234>", "<x0>", "<2", "<20>>"] {
            assert!(header(line(priority).as_bytes()).is_err(), "{priority}");
        }
    }

    #[test]
    fn equal_messages_that_rsyslog_summed_up_are_counted() {
        let times = |message: &str| {
            let line = format!("Nov 22 21:28:34 mx1 postfix/smtpd[12]: {message}");
            let header = header(line.as_bytes()).unwrap();
            (header.times, String::from_utf8_lossy(header.message).into_owned())
        };
        assert_eq!(
            times("message repeated 3 times: [ warning: x[1]: y]"),
            (3, "warning: x[1]: y".into())
        );
        for odd in [
            "message repeated 0 times: [ x]",
            "message repeated 99999 times: [ x]",
            "message repeated",
        ] {
            assert_eq!(times(odd), (1, odd.to_owned()));
        }
    }

    #[test]
    fn a_line_without_header_says_what_it_lacks() {
        for (line, expected) in [
            ("hello", "a time stamp"),
            ("Nov 22 21:28:34", "a blank"),
            ("Nov 22 21:28:34 mx1", "a host name"),
            ("Nov 22 21:28:34 mx1 no tag here: x", "a program name"),
            ("", "a time stamp"),
        ] {
            let stop = header(line.as_bytes()).unwrap_err();
            assert!(stop.expected.starts_with(expected), "{line}: {}", stop.expected);
        }
    }
}
