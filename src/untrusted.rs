//! Text that a stranger chose, and the only ways out of it.
//!
//! User names, mechanisms and reasons in a mail log are bytes that an attacker typed. `Untrusted`
//! has no `Display`: who prints it must name the place it goes to, and gets it escaped for there.

use std::borrow::Cow;
use std::fmt;

/// Bytes from a log line, kept as they were logged.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Untrusted(Box<[u8]>);

impl Untrusted {
    /// The bytes as logged, for comparing and storing.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For a CSV field: C0 controls, DEL and bytes that are not UTF-8 become `\xhh`.
    ///
    /// Quoting is the CSV writer's work. A plain name is borrowed, not copied.
    pub fn for_csv(&self) -> Cow<'_, str> {
        for_csv(&self.0)
    }

    /// For a terminal or a log file: besides what a CSV field hides, C1 controls and characters
    /// that change the direction of text, which could rewrite what the reader sees.
    pub fn for_terminal(&self) -> Cow<'_, str> {
        for_terminal(&self.0)
    }

    /// For the text or a quoted attribute of a page: besides what a terminal must not see, markup.
    pub fn for_html(&self) -> Cow<'_, str> {
        for_html(&self.0)
    }
}

/// Escapes `bytes` for a CSV field, like [`Untrusted::for_csv`].
pub fn for_csv(bytes: &[u8]) -> Cow<'_, str> {
    escape(bytes, |c| c.is_ascii_control())
}

/// Escapes `bytes` for a text in a database: NUL and bytes that are not UTF-8 become `\xhh`, for not
/// every engine can hold those. Quoting is the work of [`crate::sql::Engine`].
pub fn for_sql(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && memchr::memchr(0, bytes).is_none()
    {
        return Cow::Borrowed(text);
    }
    escape(bytes, |c| c == '\0')
}

/// Escapes `bytes` for a terminal, like [`Untrusted::for_terminal`].
pub fn for_terminal(bytes: &[u8]) -> Cow<'_, str> {
    escape(bytes, |c| c.is_control() || steers_text(c))
}

/// Escapes `bytes` for a page, like [`Untrusted::for_html`].
pub fn for_html(bytes: &[u8]) -> Cow<'_, str> {
    let shown = for_terminal(bytes);
    if !shown.contains(['&', '<', '>', '"', '\'']) {
        return shown;
    }
    let mut out = String::with_capacity(shown.len() + 16);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

impl From<&[u8]> for Untrusted {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.for_terminal())
    }
}

/// Line and paragraph separators, bidirectional controls, and what nobody sees: Unicode's
/// `Default_Ignorable_Code_Point`, by which one name looks like another.
fn steers_text(c: char) -> bool {
    let is_unseen = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    is_unseen
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}')
}

fn escape(bytes: &[u8], hide: impl Fn(char) -> bool) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(&hide)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if hide(c) {
                push_hex(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(c);
            }
        }
        push_hex(&mut out, chunk.invalid());
    }
    Cow::Owned(out)
}

/// What a text with `\xhh` in it stands for; `None` if there is no such thing in it. A stranger may have typed just
/// that, so it is not what is asked first.
pub fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let hex = |at: usize| {
        let digits = text.get(at..)?.strip_prefix(b"\\x")?.get(..2)?;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok().filter(|_| is_hex)
    };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = hex(at);
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 4 } else { 1 };
    }
    (out.len() < text.len()).then_some(out)
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        out.push_str("\\x");
        out.extend([byte >> 4, byte & 15].iter().filter_map(|d| DIGITS.get(usize::from(*d))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_is_found_again() {
        for name in [&b"a\x1b[2Jb"[..], b"\xff\xfe", "\u{202e}x".as_bytes(), b"\\\x07"] {
            let shown = for_terminal(name);
            assert_eq!(unescape(shown.as_bytes()).as_deref(), Some(name), "{shown}");
        }
        for plain in [&b"bob"[..], b"\\", b"\\x", b"\\x4", b"\\xgg", b"\\x+1"] {
            assert_eq!(unescape(plain), None, "{plain:?}");
        }
    }

    #[test]
    fn a_csv_field_keeps_letters_and_hides_controls() {
        let field = |bytes: &[u8]| Untrusted::from(bytes).for_csv().into_owned();
        assert_eq!(field("müller;\"=1+1".as_bytes()), "müller;\"=1+1");
        assert_eq!(field(b"a\x1b[2Jb\x7f\0\r\n"), "a\\x1b[2Jb\\x7f\\x00\\x0d\\x0a");
        assert_eq!(field(b"ab\xe6\x97"), "ab\\xe6\\x97");
        assert_eq!(
            field("\u{85}".as_bytes()),
            "\u{85}",
            "C1 controls are UTF-8 and stay in the CSV"
        );
    }

    #[test]
    fn a_terminal_never_sees_what_could_steer_it() {
        for hostile in ["\u{9b}2J", "\u{202e}live", "a\u{2028}b", "\u{1b}]0;x\u{7}", "\u{feff}"] {
            let shown = Untrusted::from(hostile).for_terminal().into_owned();
            assert!(shown.contains("\\x"), "{shown}");
            assert!(!shown.chars().any(|c| c.is_control() || steers_text(c)));
        }
    }

    #[test]
    fn a_page_never_sees_markup_nor_what_could_steer_it() {
        let page = |text: &str| Untrusted::from(text).for_html().into_owned();
        assert_eq!(page("o'neil@example.org"), "o&#39;neil@example.org");
        assert_eq!(page("</td><script>&\"x\""), "&lt;/td&gt;&lt;script&gt;&amp;&quot;x&quot;");
        assert_eq!(page("a\u{202e}<b"), "a\\xe2\\x80\\xae&lt;b");
        assert!(matches!(Untrusted::from("bob").for_html(), Cow::Borrowed("bob")));
    }
}
