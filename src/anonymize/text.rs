//! Replaces what may name somebody in text that nobody has described, word by word.
//!
//! Marks stay, so the text keeps its shape. What looks like an address, a host name, a mail address,
//! a queue id or a code becomes a placeholder of that kind; numbers stay; all other words must be on
//! the list to stay.

use super::redactor::{Line, Redactor};
use super::shape::{self, Colons};

impl Redactor {
    /// Writes `text` with everything replaced that may name somebody.
    pub fn text(&mut self, text: &[u8], line: Line<'_>, out: &mut Vec<u8>) {
        let mut at = 0;
        while at < text.len() {
            at += self.piece(text, at, line, out).max(1);
        }
    }

    /// Writes what starts at `at`; gives its length.
    fn piece(&mut self, text: &[u8], at: usize, line: Line<'_>, out: &mut Vec<u8>) -> usize {
        let rest = text.get(at..).unwrap_or_default();
        let Some(first) = rest.first() else { return 0 };
        if (first.is_ascii_hexdigit() || *first == b':')
            && let Some(colons) = shape::colons(rest)
        {
            return self.colons(rest, &colons, out);
        }
        if !shape::is_of_word(*first) {
            if *first == b'<'
                && let Some(length) = self.angle(rest, out)
            {
                return length;
            }
            out.push(visible(*first));
            return 1 + written_mark(text, at, out);
        }
        let length = shape::word(rest);
        let word = rest.get(..length).unwrap_or(rest);
        if first.is_ascii_digit() && word.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(word);
            return length;
        }
        if let Some(length) = self.field(text, (at, length), line, out) {
            return length;
        }
        if self.words.contain(word) {
            out.extend_from_slice(word);
            return length;
        }
        if let Some(length) = shape::code(rest) {
            let code = rest.get(..length).unwrap_or(rest);
            if !shape::is_queue_id(code) && !self.words.make_up(code) {
                self.placeholders.token(code, out);
                return length;
            }
        }
        self.word(word, line, out);
        length
    }

    pub(super) fn colons(&mut self, rest: &[u8], colons: &Colons, out: &mut Vec<u8>) -> usize {
        match *colons {
            Colons::Address(address, length) => {
                let written = rest.get(..length).unwrap_or(rest);
                self.placeholders.write_address(address.into(), written, out);
                length
            }
            Colons::Code(length) => {
                self.placeholders.token(rest.get(..length).unwrap_or(rest), out);
                length
            }
        }
    }

    /// Writes a word; marks around it stay.
    pub(super) fn word(&mut self, word: &[u8], line: Line<'_>, out: &mut Vec<u8>) {
        let is_mark = |b: &u8| matches!(b, b'.' | b'-' | b'_' | b'+');
        let start = word.iter().position(|b| !is_mark(b)).unwrap_or(word.len());
        let end = word.iter().rposition(|b| !is_mark(b)).map_or(start, |last| last + 1);
        out.extend_from_slice(word.get(..start).unwrap_or_default());
        self.bare_word(word.get(start..end).unwrap_or_default(), line, out);
        out.extend_from_slice(word.get(end..).unwrap_or_default());
    }

    fn bare_word(&mut self, word: &[u8], line: Line<'_>, out: &mut Vec<u8>) {
        if let Some(groups) = shape::groups_of_digits(word) {
            match shape::quad(word) {
                Some(address) => self.placeholders.write_address(address.into(), word, out),
                // Four numbers are an address, however they are joined.
                None if groups >= 4 => self.placeholders.text(word, out),
                None => out.extend_from_slice(word),
            }
        } else if word.contains(&b'@') {
            self.with_at(word, line, out);
        } else if shape::is_host_name(word) && !self.is_file(word) {
            self.placeholders.host(word, out);
        } else if shape::is_queue_id(word) {
            self.placeholders.queue_id(word, out);
        } else if self.words.make_up(word) {
            out.extend_from_slice(word);
        } else if is_name_of(word, line.host) {
            self.placeholders.host(word, out);
        } else {
            self.placeholders.text(word, out);
        }
    }

    /// A mail address, or the half of one.
    fn with_at(&mut self, word: &[u8], line: Line<'_>, out: &mut Vec<u8>) {
        match word {
            [b'@', domain @ ..] if !domain.contains(&b'@') => {
                out.push(b'@');
                self.placeholders.host(domain, out);
            }
            [local @ .., b'@'] => {
                self.bare_word(local, line, out);
                out.push(b'@');
            }
            _ => self.placeholders.mailbox(word, out),
        }
    }

    /// Whether a word that looks like a host name is that of a file: `main.cf`.
    fn is_file(&self, word: &[u8]) -> bool {
        shape::ends_as_file(word) && word.split(|b| *b == b'.').all(|part| self.words.make_up(part))
    }
}

/// Writes the letters that belong to the mark at `at`: `\\r` of a quoted command, `'t` of `didn't`.
fn written_mark(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
    let letters: &[u8] = match rest {
        [b'\\', letter @ (b'r' | b'n' | b't'), ..] => std::slice::from_ref(letter),
        [b'\'', letters @ ..] if before.last().is_some_and(u8::is_ascii_alphabetic) => {
            let letters = letters.get(..shape::word(letters)).unwrap_or_default();
            if matches!(letters, b"t" | b"s") { letters } else { &[] }
        }
        _ => &[],
    };
    out.extend_from_slice(letters);
    letters.len()
}

/// Whether `word` is the name of `host`, with or without its domain.
fn is_name_of(word: &[u8], host: &[u8]) -> bool {
    word.eq_ignore_ascii_case(host)
        || host.split(|b| *b == b'.').next().is_some_and(|short| word.eq_ignore_ascii_case(short))
}

/// A mark as it is, and `?` for what no terminal should see, as Postfix itself writes it.
pub(super) fn visible(byte: u8) -> u8 {
    if byte == b'\t' || matches!(byte, b' '..=b'~') { byte } else { b'?' }
}
