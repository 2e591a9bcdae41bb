//! Log lines as container runtimes keep them: the line that was printed, with a time before or around it.
//!
//! Docker's `json-file` driver writes an object for each line, `docker logs -t` a time and the line,
//! `docker compose logs` the container's name and the line, and Kubernetes and Podman (CRI, `k8s-file`)
//! a time, the stream, `F` or `P` (the line goes on), and the line. The time is the runtime's, exact and
//! with a zone, where that of the line may have neither.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;

use super::time::{self, Stamp};

/// What stands before the time of an object, which is last. In a text this would be `\"time\"`.
const TIME: &[u8] = b"\"time\"";
/// So much of a line Docker puts into one object.
const PIECE_BYTES: usize = 16 << 10;
/// The longest name of a container in front of a line.
const NAME_BYTES: usize = 128;

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// An object of Docker's as the line that CRI would have written; `None` if it is none.
pub fn without_object(line: &[u8]) -> Option<Vec<u8>> {
    if !is_object(line) {
        return None;
    }
    let Object { log, time } = serde_json::from_slice(line).ok()?;
    let log = log.trim_end_matches(['\n', '\r']).as_bytes();
    let mut written = [time.as_bytes(), b" stdout F "].concat();
    // What a line cannot hold is written as Postfix would.
    written.extend(log.iter().map(|byte| if matches!(byte, b'\n' | 0) { b'?' } else { *byte }));
    Some(written)
}

/// The time of an object of Docker's.
pub(super) fn object_stamp(line: &[u8]) -> Option<Stamp> {
    let line = Some(line).filter(|line| is_object(line))?;
    let rest = line.get(memmem::rfind(line, TIME)? + TIME.len()..)?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    time::rfc3339(rest.strip_prefix(b"\"")?).map(|(stamp, _)| stamp)
}

/// Whether a line starts as Docker's objects do, also where another program has written them anew.
fn is_object(line: &[u8]) -> bool {
    let inner = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inner.is_some_and(|inner| inner.starts_with(b"\"log\""))
}

/// Whether a runtime wrote something around this line.
pub fn is_wrapped(line: &[u8]) -> bool {
    is_object(line) || stream(line).is_some()
}

/// Whether a runtime wrote the start of a line only, which it found too long: CRI marks it by `P`, and an
/// object of Docker's is full and lacks the end of the line. One that is not full may lack it as well:
/// a container died, or another program has written the object anew.
pub fn is_split(line: &[u8]) -> bool {
    if is_object(line) {
        let object: Result<Object<'_>, _> = serde_json::from_slice(line);
        return object.is_ok_and(|it| it.log.len() >= PIECE_BYTES && !it.log.ends_with('\n'));
    }
    stream(line).is_some_and(|rest| rest.starts_with(b"P "))
}

/// What follows the stream in a line of CRI.
fn stream(line: &[u8]) -> Option<&[u8]> {
    let (_, rest) = time::rfc3339(without_name(line))?;
    rest.strip_prefix(b" stdout ").or_else(|| rest.strip_prefix(b" stderr "))
}

/// Leaves out the name of a container in front of a line: `postfix-1  | `.
pub(super) fn without_name(line: &[u8]) -> &[u8] {
    let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let name = line.iter().take(NAME_BYTES).take_while(is_of_name).count();
    let rest = line.get(name..).filter(|_| name > 0).unwrap_or_default();
    let blanks = rest.iter().take(NAME_BYTES).take_while(|byte| **byte == b' ').count();
    let rest = rest.get(blanks..).filter(|_| blanks > 0).unwrap_or_default();
    rest.strip_prefix(b"| ").unwrap_or(line)
}

/// What follows the stream in what follows the time: ` stdout F `.
pub(super) fn after_stream(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(b" stdout ").or_else(|| rest.strip_prefix(b" stderr "))?;
    rest.strip_prefix(b"F ").or_else(|| rest.strip_prefix(b"P "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn an_object_becomes_the_line_in_it() {
        let object = br#"{"log":"Nov 22 21:28:34 mx1 postfix/smtpd[1]: a \u003cb\u003e \"time\":\"x\"\n","stream":"stdout","time":"2026-11-22T21:28:34.123456789Z"}"#;
        let line = without_object(object).unwrap();
        let expected = "2026-11-22T21:28:34.123456789Z stdout F Nov 22 21:28:34 mx1 \
            postfix/smtpd[1]: a <b> \"time\":\"x\"";
        assert_eq!(text(&line), expected);
        assert_eq!(object_stamp(object), time::rfc3339(&line).map(|(stamp, _)| stamp));
        let spaced = br#"{"log": "a", "stream": "stdout", "time": "2026-11-22T21:28:34Z"}"#;
        assert_eq!(text(&without_object(spaced).unwrap()), "2026-11-22T21:28:34Z stdout F a");
        assert!(object_stamp(spaced).is_some());
        let two_lines = br#"{"log":"a\nb\u0000\n","time":"2026-11-22T21:28:34Z"}"#;
        assert!(text(&without_object(two_lines).unwrap()).ends_with(" stdout F a?b?"));
        for none in [&b"{\"log\":\"a\"}"[..], b"{\"log\":\"a\",\"time\":", b"{}", b"", b"x"] {
            assert_eq!(without_object(none), None);
        }
    }

    #[test]
    fn a_name_is_left_out_and_nothing_else_is() {
        for (line, rest) in [
            ("postfix-mailcow-1  | Nov 22", "Nov 22"),
            ("a | ", ""),
            ("Nov 22 21:28:34 mx1 a | b", "Nov 22 21:28:34 mx1 a | b"),
            ("a| b", "a| b"),
            ("| b", "| b"),
            ("", ""),
        ] {
            assert_eq!(text(without_name(line.as_bytes())), rest);
        }
    }
}
