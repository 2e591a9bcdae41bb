//! Entries in the Journal Export Format (<https://systemd.io/JOURNAL_EXPORT_FORMATS>), one after another.
//!
//! A field is `NAME=value` on a line of its own; or, if the value holds a line's end or is no text,
//! `NAME`, eight bytes of length (little endian), the value, and a line's end. An empty line ends an
//! entry. A value may be of any size: [`MOST_BYTES`] of it are kept.

use std::io::{self, BufRead, ErrorKind, Read};

use crate::position::JournalEntry;

/// The fields that are asked for, besides those that journalctl always gives.
pub(super) const FIELDS: [&str; 8] = [
    "MESSAGE",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_PID",
    "_PID",
    "_HOSTNAME",
    "_SOURCE_REALTIME_TIMESTAMP",
    "CONTAINER_ID",
    "CONTAINER_PARTIAL_ORDINAL",
];

/// More of a value is of no use: a line of a mail log is read up to 8 KiB.
const MOST_BYTES: usize = 16 * 1024;

/// An entry; a field that is not there is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: JournalEntry,
    pub(super) message: Vec<u8>,
    pub(super) identifier: Vec<u8>,
    pub(super) process: Vec<u8>,
    pub(super) host: Vec<u8>,
    /// When it was sent, in microseconds since 1970.
    pub(super) sent_us: Option<u64>,
    pub(super) is_of_container: bool,
    /// It goes on with a line that the container's runtime has split.
    pub(super) goes_on: bool,
}

/// Reads entries.
pub(super) struct Export<R> {
    input: R,
    line: Vec<u8>,
    entry: Entry,
}

impl<R: BufRead> Export<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), entry: Entry::default() }
    }

    /// The next entry; `None` at the end.
    pub(super) fn next_entry(&mut self) -> io::Result<Option<&Entry>> {
        self.entry = Entry::default();
        let mut is_empty = true;
        while self.read_line()? {
            if self.line.is_empty() {
                if is_empty {
                    continue;
                }
                return Ok(Some(&self.entry));
            }
            is_empty = false;
            self.field()?;
        }
        if is_empty { Ok(None) } else { Err(cut_short()) }
    }

    fn field(&mut self) -> io::Result<()> {
        let name_ends = memchr::memchr(b'=', &self.line);
        let name = self.line.get(..name_ends.unwrap_or(self.line.len())).unwrap_or_default();
        let entry = &mut self.entry;
        let mut text = Vec::new();
        let mut number = None;
        let value = match name {
            b"MESSAGE" => &mut entry.message,
            b"SYSLOG_IDENTIFIER" => &mut entry.identifier,
            // That of the sender: systemd says on behalf of others what they print.
            b"SYSLOG_PID" => &mut entry.process,
            b"_PID" if entry.process.is_empty() => &mut entry.process,
            b"_HOSTNAME" => &mut entry.host,
            _ => &mut text,
        };
        match name_ends.and_then(|end| self.line.get(end + 1..)) {
            Some(rest) => {
                value.clear();
                value.extend_from_slice(rest);
            }
            None => read_sized(&mut self.input, value)?,
        }
        if !text.is_empty() {
            number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        }
        match name {
            b"__CURSOR" => entry.place.cursor = String::from_utf8_lossy(&text).into_owned(),
            b"_BOOT_ID" => entry.place.boot = String::from_utf8_lossy(&text).into_owned(),
            b"__MONOTONIC_TIMESTAMP" => entry.place.monotonic_us = number.unwrap_or_default(),
            b"__REALTIME_TIMESTAMP" => entry.place.realtime_us = number.unwrap_or_default(),
            b"_SOURCE_REALTIME_TIMESTAMP" => entry.sent_us = number,
            b"CONTAINER_ID" => entry.is_of_container = true,
            b"CONTAINER_PARTIAL_ORDINAL" => entry.goes_on = number != Some(1),
            _ => {}
        }
        Ok(())
    }

    /// Reads a line without its end, or as much of it as is kept; false at the end of the input.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        loop {
            let fresh = self.input.fill_buf()?;
            if fresh.is_empty() {
                return if self.line.is_empty() { Ok(false) } else { Err(cut_short()) };
            }
            let end = memchr::memchr(b'\n', fresh);
            let used = end.unwrap_or(fresh.len());
            let room = MOST_BYTES.saturating_sub(self.line.len()).min(used);
            self.line.extend_from_slice(fresh.get(..room).unwrap_or_default());
            self.input.consume(used + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

fn read_sized(input: &mut impl BufRead, value: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let kept = length.min(MOST_BYTES as u64);
    value.clear();
    input.by_ref().take(kept).read_to_end(value)?;
    let skipped = io::copy(&mut input.by_ref().take(length - kept), &mut io::sink())?;
    let mut end = [0];
    input.read_exact(&mut end)?;
    if value.len() as u64 + skipped < length || end != *b"\n" {
        return Err(cut_short());
    }
    Ok(())
}

fn cut_short() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "its output ends in the middle of an entry")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &[u8]) -> io::Result<Vec<(String, u64)>> {
        let mut export = Export::new(text);
        let mut entries = vec![];
        while let Some(entry) = export.next_entry()? {
            let message = String::from_utf8_lossy(&entry.message).into_owned();
            entries.push((message, entry.place.realtime_us));
        }
        Ok(entries)
    }

    #[test]
    fn text_and_bytes_of_any_size_are_read() {
        let mut text = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=7\nMESSAGE=a=b\n\n".to_vec();
        text.extend_from_slice(b"__REALTIME_TIMESTAMP=8\nMESSAGE\n\x04\0\0\0\0\0\0\0a\n\xffb\n\n");
        let long = "x".repeat(3_000_000);
        text.extend_from_slice(
            format!("OTHER={long}\nMESSAGE={long}\n__REALTIME_TIMESTAMP=9\n\n").as_bytes(),
        );
        text.extend_from_slice(b"MESSAGE\n");
        text.extend_from_slice(&3_000_000_u64.to_le_bytes());
        text.extend_from_slice(format!("{long}\n__REALTIME_TIMESTAMP=10\n\n\n").as_bytes());
        let read = entries(&text).unwrap();
        let shown: Vec<_> = read.iter().map(|(message, time)| (message.len(), *time)).collect();
        assert_eq!(shown, [(3, 7), (6, 8), (MOST_BYTES - "MESSAGE=".len(), 9), (MOST_BYTES, 10)]);
        assert_eq!(read[0].0, "a=b");
        assert_eq!(read[1].0, "a\n\u{fffd}b");
    }

    #[test]
    fn an_output_that_is_cut_short_is_an_error_wherever_that_is() {
        let mut text = b"__REALTIME_TIMESTAMP=7\nMESSAGE\n\x04\0\0\0\0\0\0\0abcd\n\n".to_vec();
        let whole = text.len();
        for cut in (1..whole - 1).rev() {
            text.truncate(cut);
            assert!(entries(&text).is_err(), "{cut} bytes");
        }
        assert_eq!(entries(b"").unwrap(), []);
    }
}
