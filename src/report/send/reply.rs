//! What a server answers: three digits and some words, RFC 5321, section 4.2.
//!
//! A server is a stranger, or somebody in its place is. So an answer has limits, and its words are
//! shown like those of a log line.

use std::fmt;
use std::io::{self, Read};

use crate::untrusted::for_terminal;

/// The most bytes of an answer; Postfix stops here, too (`smtp_response_limit` is larger).
const LONGEST: usize = 32 * 1024;
/// So many characters of an answer are shown.
const SHOWN: usize = 400;

/// An answer of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its three digits.
    pub code: u16,
    /// Its lines, without the digits.
    lines: Vec<Vec<u8>>,
}

impl Reply {
    /// Whether it says yes.
    pub(super) fn is_yes(&self) -> bool {
        self.code / 100 == 2
    }

    /// Whether it says no for good; otherwise a later attempt may do better.
    pub(super) fn is_final(&self) -> bool {
        self.code / 100 == 5
    }

    /// Its lines, as they came.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    /// The same without its words, for they may repeat a password.
    pub(super) fn without_words(self) -> Self {
        Self { code: self.code, lines: Vec::new() }
    }
}

/// On one line, fit for a terminal or a log file.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        let words = self.lines.join(&b' ');
        let words = for_terminal(words.trim_ascii());
        if words.is_empty() {
            return Ok(());
        }
        match words.char_indices().nth(SHOWN) {
            None => write!(f, " {words}"),
            Some((end, _)) => write!(f, " {} ...", words.get(..end).unwrap_or_default()),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({self})")
    }
}

/// Reads answers from a connection.
#[derive(Debug, Default)]
pub struct Replies {
    /// What came and was not read yet.
    rest: Vec<u8>,
}

impl Replies {
    /// The next answer. An end before it is [`io::ErrorKind::UnexpectedEof`], and what is no answer
    /// [`io::ErrorKind::InvalidData`].
    pub fn next(&mut self, from: &mut dyn Read) -> io::Result<Reply> {
        let mut reply: Option<Reply> = None;
        let mut length = 0;
        loop {
            let line = self.line(from, LONGEST - length)?;
            length = (length + line.len() + 2).min(LONGEST);
            let (code, last, words) = parts(&line).ok_or_else(|| {
                let shown: String = for_terminal(&line).chars().take(80).collect();
                garbage(&format!("its answer is not one of SMTP: `{shown}`"))
            })?;
            let reply = reply.get_or_insert_with(|| Reply { code, lines: Vec::new() });
            if reply.code != code {
                return Err(garbage("the lines of its answer do not belong together"));
            }
            reply.lines.push(words.to_vec());
            if last {
                return Ok(reply.clone());
            }
        }
    }

    /// Whether more came than was read.
    pub fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    fn line(&mut self, from: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let unseen = self.rest.get(searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unseen) {
                let after = self.rest.split_off(searched + at + 1);
                let mut line = std::mem::replace(&mut self.rest, after);
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Ok(line);
            }
            searched = self.rest.len();
            if searched >= most {
                return Err(garbage("its answer does not end"));
            }
            let mut buffer = [0; 1024];
            let count = from.read(&mut buffer)?;
            if count == 0 {
                let what = "it closed the connection";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            self.rest.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    }
}

/// The code, whether it is the last line, and the words.
fn parts(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_first_chunk::<3>()?;
    let code = std::str::from_utf8(code).ok()?;
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    let code = code.parse().ok().filter(|code| digits && (200..600).contains(code))?;
    match rest {
        [] => Some((code, true, rest)),
        [b' ', words @ ..] => Some((code, true, words)),
        [b'-', words @ ..] => Some((code, false, words)),
        _ => None,
    }
}

fn garbage(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Reply> {
        Replies::default().next(&mut &*bytes)
    }

    #[test]
    fn answers_are_read_and_shown_on_one_harmless_line() {
        assert_eq!(read(b"250 ok\r\n").unwrap().to_string(), "250 ok");
        assert_eq!(read(b"250\n").unwrap().to_string(), "250");
        assert_eq!(
            read(b"550-5.1.1 no\r\n550 such user\r\n").unwrap().to_string(),
            "550 5.1.1 no such user"
        );
        let hostile = read(b"550 a\x1b[2J\xff\rb\r\n").unwrap().to_string();
        assert_eq!(hostile, "550 a\\x1b[2J\\xff\\x0db");
        let long = read(format!("550 {}\r\n", "é".repeat(3000)).as_bytes()).unwrap().to_string();
        assert!(long.ends_with(" ...") && long.chars().count() < 420);
    }

    #[test]
    fn what_is_no_answer_is_said() {
        let said = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(said(b"250 o"), "it closed the connection");
        assert_eq!(said(b"HTTP/1.1 400\r\n"), "its answer is not one of SMTP: `HTTP/1.1 400`");
        for bad in ["\r\n", "25\r\n", "2500\r\n", "999 x\r\n", "100 x\r\n", "+25 x\r\n"] {
            assert!(said(bad.as_bytes()).contains("not one of SMTP"), "{bad:?}");
        }
        assert!(said(b"250-a\r\n550 b\r\n").contains("belong together"));
    }

    #[test]
    fn an_answer_without_end_is_not_kept() {
        let said = |mut from: Box<dyn Read>| Replies::default().next(&mut *from).unwrap_err();
        assert!(said(Box::new(io::repeat(b'2'))).to_string().contains("does not end"));
        let lines = b"250-x\r\n".repeat(1_000_000);
        assert!(said(Box::new(io::Cursor::new(lines))).to_string().contains("does not end"));
    }
}
