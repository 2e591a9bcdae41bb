//! Values that their surroundings explain: `user=<…>`, `helo=<…>`, `NAME[ADDRESS]`, `imap(bob)`.
//!
//! This finds the kind of a value, so that a user name in text gets the placeholder that it has
//! elsewhere. What is not found here is hidden by `text.rs` all the same, as a word that is not on
//! the list.

use memchr::{memchr, memrchr};

use super::redactor::{Line, Redactor};
use super::shape;

/// What a key says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Mailbox,
    Host,
    /// Where the name of a transport of Postfix may stand as well.
    Relay,
    MessageId,
    Token,
    Text,
}

impl Value {
    /// By the key before `=` or `:`.
    fn of(key: &[u8]) -> Option<Self> {
        let mut lower = [0; 18];
        let lower = lower.get_mut(..key.len())?;
        lower.copy_from_slice(key);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"user" | b"username" | b"sasl_username" | b"sasl_sender" | b"ruser" | b"login"
            | b"logname" | b"account" | b"from" | b"to" | b"orig_to" | b"sender" | b"recipient" => {
                Self::Mailbox
            }
            b"helo" | b"client" | b"rhost" | b"host" | b"hostname" | b"server" => Self::Host,
            b"relay" => Self::Relay,
            b"message-id" | b"resent-message-id" | b"message_id" | b"msgid" => Self::MessageId,
            b"session" | b"sid" => Self::Token,
            b"subject" => Self::Text,
            _ => return None,
        })
    }
}

impl Redactor {
    /// Writes the word of `length` at `at` and the value that goes with it, if there is one; gives
    /// the length of both.
    pub(super) fn field(
        &mut self,
        text: &[u8],
        (at, length): (usize, usize),
        line: Line<'_>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let rest = text.get(at..)?;
        let (word, after) = rest.split_at_checked(length)?;
        match after.first()? {
            b'=' => self.key(word, after, out).map(|value| length + value),
            b'[' if !word.contains(&b'@') && names_client(after) => {
                self.placeholders.host(word, out);
                Some(length)
            }
            b'(' if line.is_dovecots => {
                self.argument(word, after, line, out).map(|value| length + value)
            }
            b':' => self.after_colon(word, after, line, out).map(|value| length + value),
            b' ' => self.phrase(text, (at, length), line, out).map(|value| length + value),
            _ => None,
        }
    }

    /// `KEY=<value>`, `KEY="value"` or `KEY=value`; `after` starts with the mark between them.
    fn key(&mut self, key: &[u8], after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let kind = Value::of(key)?;
        let (open, value) = match after.get(1..)? {
            [open @ (b'<' | b'"'), value @ ..] => (Some(*open), value),
            value => (None, value),
        };
        let end = match open {
            Some(b'<') => memchr(b'>', value)?,
            Some(_) => memchr(b'"', value)?,
            None if kind == Value::Text => end_of_quote(value),
            None => value.iter().position(|b| b" ,;()[]<>\"'".contains(b)).unwrap_or(value.len()),
        };
        let value = value.get(..end)?;
        // Not a name: a path of a socket, an address in brackets, a quoted command.
        let is_name = |value: &[u8]| shape::word(value) == value.len();
        let odd = match kind {
            Value::Host | Value::Relay => {
                !is_name(value) && shape::address(value).is_none()
                    || kind == Value::Relay && self.words.contain(value)
            }
            _ => open.is_none() && value.starts_with(b"/"),
        };
        if odd || value.is_empty() {
            return None;
        }
        out.extend_from_slice(key);
        let mark = 1 + usize::from(open.is_some());
        out.extend_from_slice(after.get(..mark)?);
        self.value(kind, value, out);
        Some(mark + value.len())
    }

    fn value(&mut self, kind: Value, value: &[u8], out: &mut Vec<u8>) {
        match kind {
            Value::Mailbox => self.placeholders.mailbox(value, out),
            Value::Host | Value::Relay => self.placeholders.host(value, out),
            Value::MessageId => self.placeholders.message_id(value, out),
            Value::Token => self.placeholders.token(value, out),
            Value::Text => self.placeholders.text(value, out),
        }
    }

    /// `imap(bob)`, `passwd-file(bob,192.0.2.1)`: Dovecot's way to say who.
    fn argument(
        &mut self,
        word: &[u8],
        after: &[u8],
        line: Line<'_>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let inner = after.get(1..)?;
        let end = inner.iter().position(|b| matches!(b, b',' | b')' | b'=' | b'/'))?;
        let value = inner.get(..end)?;
        let is_number = value.iter().all(u8::is_ascii_digit);
        let is_user = match inner.get(end)? {
            b',' => value != b"?",
            b')' => !is_number,
            _ => false,
        };
        // `euid=103(dovecot)`
        if !is_user || value.is_empty() || word.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.word(word, line, out);
        out.push(b'(');
        self.placeholders.mailbox(value, out);
        Some(1 + end)
    }

    /// `Message-ID: <…>`, `username: …)`, `Subject: …`, `notification: QUEUEID`.
    fn after_colon(
        &mut self,
        word: &[u8],
        after: &[u8],
        line: Line<'_>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let value = after.strip_prefix(b": ")?;
        let is = |key: &[u8]| word.eq_ignore_ascii_case(key);
        let (start, end, kind) = if is(b"username") {
            (0, memrchr(b')', value).unwrap_or(value.len()), Value::Mailbox)
        } else if is(b"subject") && !line.is_dovecots {
            // Of header_checks; a line of Dovecot may have a user after it.
            (0, end_of_quote(value), Value::Text)
        } else if value.starts_with(b"<")
            && (is(b"id") || Value::of(word) == Some(Value::MessageId))
        {
            (1, memchr(b'>', value)?, Value::MessageId)
        } else if is(b"notification") || is(b"queue-id") || is(b"queue_id") {
            let end = shape::word(value);
            if !shape::may_be_queue_id(value.get(..end)?) {
                return None;
            }
            out.extend_from_slice(word);
            out.extend_from_slice(b": ");
            self.placeholders.queue_id(value.get(..end)?, out);
            return Some(2 + end);
        } else {
            return None;
        };
        out.extend_from_slice(word);
        out.extend_from_slice(after.get(..2 + start)?);
        self.value(kind, value.get(start..end)?, out);
        Some(2 + end)
    }

    /// `user bob`, `queued as QUEUEID`, `header NAME: …`.
    fn phrase(
        &mut self,
        text: &[u8],
        (at, length): (usize, usize),
        line: Line<'_>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let (before, rest) = text.split_at_checked(at)?;
        let (word, after) = rest.split_at_checked(length)?;
        let value = after.get(1..)?;
        match word {
            b"user" | b"account" => {
                let end = value.iter().position(|b| b" ,;:()[]<>\"'".contains(b));
                let name = value.get(..end.unwrap_or(value.len())).filter(|n| !n.is_empty())?;
                // Numbers stay, but a long one where a user stands is a telephone's: a name.
                let is_number = name.len() > 5 && name.iter().all(u8::is_ascii_digit);
                let is_said = self.words.make_up(name) && !is_number;
                if is_said && !before.ends_with(b"owned by ") {
                    return None;
                }
                out.extend_from_slice(word);
                out.push(b' ');
                self.placeholders.mailbox(name, out);
                Some(1 + name.len())
            }
            b"as" if before.ends_with(b"queued ") => {
                let id = value.get(..shape::word(value))?;
                let bare = id.strip_suffix(b".").unwrap_or(id);
                if !shape::may_be_queue_id(bare) {
                    return None;
                }
                out.extend_from_slice(b"as ");
                self.placeholders.queue_id(bare, out);
                Some(1 + bare.len())
            }
            // Of header_checks and body_checks in cleanup: what follows is a line of a mail.
            b"header" | b"body" if before.ends_with(b": ") && !line.is_dovecots => {
                let quote = value.get(..end_of_quote(value)).filter(|quote| !quote.is_empty())?;
                out.extend_from_slice(word);
                out.push(b' ');
                self.placeholders.text(quote, out);
                Some(1 + quote.len())
            }
            _ => None,
        }
    }
}

/// Whether a bracket holds what stands behind the name of a client or a relay.
fn names_client(after: &[u8]) -> bool {
    let inner = memchr(b']', after.get(..80).unwrap_or(after)).and_then(|end| after.get(1..end));
    inner.is_some_and(|inner| {
        inner == b"unknown" || inner.contains(&b'/') || shape::address(inner).is_some()
    })
}

/// Where a quoted line of a mail ends: before ` from NAME[ADDRESS];`, which cleanup adds.
fn end_of_quote(text: &[u8]) -> usize {
    let is_end = |at: &usize| {
        let Some(after) = text.get(at + b" from ".len()..) else { return false };
        let name = after.iter().take_while(|b| !matches!(b, b' ' | b'[' | b';')).count();
        match after.get(name) {
            Some(b'[') => memchr::memmem::find(after, b"]; ").is_some(),
            Some(b';') => after.starts_with(b"local;"),
            _ => false,
        }
    };
    memchr::memmem::rfind(text, b" from ").filter(is_end).unwrap_or(text.len())
}
