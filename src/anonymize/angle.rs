//! What stands in angle brackets: mail addresses, session ids, names.

use memchr::memchr;

use super::redactor::{Line, Redactor};
use super::shape;

/// No mail address and no id is longer (RFC 5321, section 4.5.3.1, and its brackets).
const LONGEST: usize = 1000;

impl Redactor {
    /// Writes `<…>` at the start of `rest` if it is one value; gives its length.
    pub(super) fn angle(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let rest = rest.get(..LONGEST).unwrap_or(rest);
        let end = memchr(b'>', rest)?;
        let inner = rest.get(1..end)?;
        let is_code = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b':');
        let digits = inner.iter().all(u8::is_ascii_digit);
        if inner.contains(&b'@') {
            out.push(b'<');
            self.placeholders.mailbox(inner, out);
        } else if inner.len() >= 8 && !digits && inner.iter().all(is_code) && is_mixed(inner) {
            out.push(b'<');
            self.placeholders.token(inner, out);
        } else if shape::word(inner) == inner.len() && !digits && !self.words.contain(inner) {
            out.push(b'<');
            let after = rest.get(end..).unwrap_or_default();
            let names_host = shape::is_host_name(inner) || after.starts_with(b">: Helo");
            if shape::groups_of_digits(inner).is_some() {
                self.word(inner, Line::default(), out);
            } else if names_host {
                self.placeholders.host(inner, out);
            } else {
                self.placeholders.mailbox(inner, out);
            }
        } else {
            return None;
        }
        out.push(b'>');
        Some(end + 1)
    }
}

/// Whether a code is more than a word.
fn is_mixed(code: &[u8]) -> bool {
    let kinds: [fn(&u8) -> bool; 3] =
        [u8::is_ascii_uppercase, u8::is_ascii_lowercase, |b| !b.is_ascii_alphabetic()];
    kinds.iter().filter(|kind| code.iter().any(kind)).count() >= 2
}
