//! A second way through free text, for lines that the first one would make another sense of.
//!
//! It changes nothing but runs of letters, digits, `-` and `_`, each into another such run, and
//! addresses into addresses; and it keeps the phrases that the parser looks for, also in the middle
//! of a word. So all that the parser goes by stays in its place.

use memchr::memmem;

use super::redactor::Redactor;
use super::shape;
use super::text::visible;

/// What `parse` looks for in a line, wherever it ends.
const PHRASES: [&[u8]; 12] = [
    b"SASL",
    b"sasl_username=",
    b"sasl_method=",
    b": client=",
    b" authentication failed",
    b" authentication aborted",
    b"auth socket",
    b"Connection lost to authentication server",
    b"Can't connect to authentication server",
    b"Temporary authentication failure",
    b"AUTH command rate limit exceeded",
    b"Message delivery request rate limit",
];

impl Redactor {
    /// Writes `text` with everything replaced that may name somebody, in the same shape.
    pub fn text_strictly(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let phrases = PHRASES.iter().filter_map(|p| Some((memmem::find(rest, p)?, p.len())));
            let (until, length) = phrases.min().unwrap_or((rest.len(), 0));
            self.runs(rest.get(..until).unwrap_or(rest), out);
            out.extend_from_slice(rest.get(until..until + length).unwrap_or_default());
            at += until + length;
        }
    }

    fn runs(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(colons) = shape::colons(rest) {
                at += self.colons(rest, &colons, out);
                continue;
            }
            let of_address = |b: &u8| b.is_ascii_digit() || *b == b'.';
            let digits = rest.iter().position(|b| !of_address(b)).unwrap_or(rest.len());
            let goes_on = rest.get(digits).is_some_and(|b| is_of_run(*b));
            let numbers = rest.get(..digits).unwrap_or_default();
            if let Some(address) = shape::quad(numbers).filter(|_| !goes_on) {
                self.placeholders.write_address(address.into(), numbers, out);
                at += digits;
                continue;
            }
            // An address that is not written as one, or goes on.
            let open = goes_on || numbers.starts_with(b".");
            if shape::groups_of_digits(numbers).is_some_and(|n| n >= 4 || n == 3 && open) {
                self.placeholders.text(numbers, out);
                at += digits;
                continue;
            }
            let length = rest.iter().position(|b| !is_of_run(*b)).unwrap_or(rest.len());
            let run = rest.get(..length).unwrap_or(rest);
            if run.is_empty() {
                out.extend(rest.first().copied().map(visible));
                at += 1;
                continue;
            }
            match shape::groups_of_digits(run) {
                Some(groups) if groups < 4 => out.extend_from_slice(run),
                Some(_) => self.placeholders.text(run, out),
                None if self.words.make_up(run) => out.extend_from_slice(run),
                None => self.placeholders.text(run, out),
            }
            at += length;
        }
    }
}

fn is_of_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
