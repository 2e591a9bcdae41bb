//! How text and bytes travel in mail: quoted-printable, base64, encoded words and parameters.
//!
//! RFC 2045 (bodies), RFC 2047 (headers), RFC 2231 (parameters). All that is written is ASCII, in
//! lines of at most 78 characters as far as the text can be broken, so that any server takes it.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::untrusted::for_terminal;

/// A line without its end, RFC 5322, section 2.1.1.
const LINE: usize = 78;
/// A line of an encoded body, RFC 2045, sections 6.7 and 6.8.
const BODY_LINE: usize = 76;
/// Bytes of a line in base64.
const BASE64_BYTES: usize = BODY_LINE / 4 * 3;
/// Bytes of an encoded word: 48 characters, which leaves room for a header's name before the first.
const WORD_BYTES: usize = 36;

/// Writes a header whose value is free text.
///
/// Whatever the text is, the header stays one: controls become visible, as on a terminal.
pub(super) fn text_header(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    let value = for_terminal(value.as_bytes());
    let plain = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        // It would be decoded, or be lost, or make a line that is too long.
        && !value.contains("=?")
        && !value.contains("  ")
        && value.trim() == value
        && value.split(' ').all(|word| word.len() < LINE - 2);
    if plain {
        return words(out, name, value.split(' ').map(str::to_owned));
    }
    let encode = |word: &str| format!("=?utf-8?B?{}?=", STANDARD.encode(word));
    words(out, name, pieces(&value, WORD_BYTES, char::len_utf8).iter().map(|word| encode(word)))
}

/// Writes a header whose value is made of words, folded between them.
pub(super) fn words(
    out: &mut dyn Write,
    name: &str,
    words: impl Iterator<Item = String>,
) -> io::Result<()> {
    write!(out, "{name}:")?;
    let mut length = name.len() + 1;
    for (at, word) in words.enumerate() {
        // A line of spaces alone would be the end of the header for some.
        if at > 0 && length + 1 + word.len() > LINE {
            write!(out, "\r\n")?;
            length = 0;
        }
        write!(out, " {word}")?;
        length += 1 + word.len();
    }
    write!(out, "\r\n")
}

/// A parameter of a header: `name="value"`, or the form of RFC 2231 if that cannot hold it.
pub(super) fn parameter(name: &str, value: &str) -> Vec<String> {
    let value = for_terminal(value.as_bytes());
    let plain = |c: char| c.is_ascii_alphanumeric() || " !#$&+-.@^_{}~=".contains(c);
    if value.chars().all(plain) && value.len() <= 50 {
        return vec![format!("{name}=\"{value}\"")];
    }
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_{}~".contains(&byte);
    let width =
        |c: char| c.encode_utf8(&mut [0; 4]).bytes().map(|b| if bare(b) { 1 } else { 3 }).sum();
    let pieces = pieces(&value, 50, width);
    let last = pieces.len().saturating_sub(1);
    let part = |(at, piece): (usize, &&str)| {
        let charset = if at == 0 { "utf-8''" } else { "" };
        let encode = |b: u8| if bare(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
        let end = if at == last { "" } else { ";" };
        format!("{name}*{at}*={charset}{}{end}", piece.bytes().map(encode).collect::<String>())
    };
    pieces.iter().enumerate().map(part).collect()
}

/// Cuts between characters, each piece at most so wide.
fn pieces(text: &str, most: usize, width: impl Fn(char) -> usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut used = 0;
        let end = rest.char_indices().find(|(_, c)| {
            used += width(*c);
            used > most
        });
        let (piece, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Writes bytes as base64.
pub(super) fn base64(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    let mut line = [0; BODY_LINE];
    for chunk in bytes.chunks(BASE64_BYTES) {
        let length = STANDARD.encode_slice(chunk, &mut line).map_err(io::Error::other)?;
        out.write_all(line.get(..length).unwrap_or_default())?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

/// Writes text as quoted-printable; a line ends at `\n`, with or without `\r` before it.
pub(super) fn quoted_printable(out: &mut dyn Write, text: &str) -> io::Result<()> {
    for line in text.lines() {
        let mut width = 0;
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let last = bytes.peek().is_none();
            let space = byte == b' ' || byte == b'\t';
            let plain = (byte.is_ascii_graphic() && byte != b'=') || (space && !last);
            let takes = if plain { 1 } else { 3 };
            // The last character of a line may stand where the `=` of a soft break would.
            if width + takes + usize::from(!last) > BODY_LINE {
                out.write_all(b"=\r\n")?;
                width = 0;
            }
            if plain {
                out.write_all(&[byte])?;
            } else {
                write!(out, "={byte:02X}")?;
            }
            width += takes;
        }
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> String {
        let mut out = Vec::new();
        text_header(&mut out, "Subject", value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_words_stay_readable_and_fold_at_spaces() {
        assert_eq!(header("[Sentinel] 5 attempts"), "Subject: [Sentinel] 5 attempts\r\n");
        let long = ["word"; 30].join(" ");
        let folded = header(&long);
        assert_eq!(folded.replace("\r\n ", " "), format!("Subject: {long}\r\n"));
        assert!(folded.lines().all(|line| line.len() <= LINE));
    }

    #[test]
    fn what_is_not_plain_is_one_header_still() {
        assert_eq!(header("a\r\nBcc: x"), "Subject: a\\x0d\\x0aBcc: x\r\n");
        for value in ["größe", "=?utf-8?q?x?=", " a", "a  b", &"x".repeat(2000)] {
            let header = header(value);
            assert!(header.starts_with("Subject: =?utf-8?B?"), "{header}");
            let mut lines = header.lines();
            lines.next();
            assert!(lines.all(|line| line.starts_with(" =?utf-8?B?")), "{header}");
            assert!(header.lines().all(|line| line.len() <= LINE), "{header}");
            assert!(header.is_ascii());
        }
    }

    #[test]
    fn parameters_are_short_or_in_pieces() {
        assert_eq!(parameter("filename", "a b.csv"), ["filename=\"a b.csv\""]);
        assert_eq!(parameter("filename", "ü\".csv"), ["filename*0*=utf-8''%C3%BC%22.csv"]);
        assert_eq!(parameter("filename", "a\r\nb"), ["filename*0*=utf-8''a%5Cx0d%5Cx0ab"]);
        let long = parameter("filename", &"é".repeat(100));
        assert!(long.len() > 1 && long.iter().all(|part| part.len() < LINE), "{long:?}");
    }

    #[test]
    fn quoted_printable_keeps_ends_of_lines_and_nothing_is_too_long() {
        let encode = |text: &str| {
            let mut out = Vec::new();
            quoted_printable(&mut out, text).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(encode("a=b \n\tc\t\r\n\n.\n"), "a=3Db=20\r\n\tc=09\r\n\r\n.\r\n");
        assert_eq!(encode(&"x".repeat(76)), format!("{}\r\n", "x".repeat(76)));
        assert_eq!(encode(&"x".repeat(77)), format!("{}=\r\nxx\r\n", "x".repeat(75)));
        assert_eq!(encode("a\rb\u{1b}"), "a=0Db=1B\r\n");
        let long = encode(&"é".repeat(500));
        assert!(long.lines().all(|line| line.len() <= BODY_LINE));
    }
}
