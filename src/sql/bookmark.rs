//! How far a CSV was exported, told by its content: a name or an inode says little once
//! administrators rotate, copy or edit files.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;

use super::csv_rows::{CsvRows, Next, Row};
use crate::position::{Bookmark, Fingerprint};

/// How much of the start of the file is remembered: the header and some rows.
const HEAD_BYTES: u64 = 1024;
/// How much of what was exported last: some 40 rows.
const TAIL_BYTES: u64 = 4096;

impl Bookmark {
    /// The place after `offset` bytes and `lines` lines of `file`.
    pub fn new(file: &File, (offset, lines): (u64, u64)) -> io::Result<Self> {
        let head = Fingerprint::of(&bytes(file, 0, offset.min(HEAD_BYTES))?);
        let length = offset.min(TAIL_BYTES);
        Ok(Self { offset, lines, head, tail: bytes(file, offset - length, length)? })
    }

    /// Whether `file` starts with all that was exported, as far as its ends tell.
    pub fn is_in(&self, file: &File) -> io::Result<bool> {
        let (head, tail) = (self.head.length as u64, self.tail.len() as u64);
        Ok(Fingerprint::of(&bytes(file, 0, head)?) == self.head
            && bytes(file, self.offset.saturating_sub(tail), tail)? == self.tail)
    }

    /// The same of a file that can only be read from its start, such as a compressed one; if it is the
    /// one, `input` stands at the place then.
    pub fn is_read_from(&self, input: &mut impl Read) -> io::Result<bool> {
        let mut start = Vec::new();
        input.take(self.head.length as u64).read_to_end(&mut start)?;
        if Fingerprint::of(&start) != self.head {
            return Ok(false);
        }
        let skip = self.offset.saturating_sub(self.tail.len() as u64);
        let ahead = start.len() as u64;
        if skip > ahead {
            io::copy(&mut input.take(skip - ahead), &mut io::sink())?;
            start.clear();
        } else {
            start.drain(..usize::try_from(skip).unwrap_or_default());
        }
        input.take((self.tail.len() - start.len()) as u64).read_to_end(&mut start)?;
        Ok(start == self.tail)
    }

    /// Where what was exported last ends in `file`, which somebody has edited before that: bytes and
    /// lines, of the last such place. `None` if it is not there.
    pub fn find_in(&self, file: &File) -> io::Result<Option<(u64, u64)>> {
        let before = self.tail.split_last().map_or(&self.tail[..], |(_, before)| before);
        let last = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let last_row = self.tail.get(last..).unwrap_or_default();
        let mut reader = file;
        reader.rewind()?;
        let mut rows = CsvRows::new(reader, (0, 0));
        let mut row = Row::default();
        let (mut start, mut end, mut found) = (0, 0, None);
        while rows.next(&mut row)? != Next::End {
            if end == 0 && row.is_header() {
                start = rows.position().0;
                end = start;
                continue;
            }
            let length = rows.position().0 - end;
            end = rows.position().0;
            if length == last_row.len() as u64 && bytes(file, end - length, length)? == last_row {
                // If rows before it were cut off, all that is left of them must be the same.
                let same = (end - start).min(self.tail.len() as u64);
                if self.tail.ends_with(&bytes(file, end - same, same)?) {
                    found = Some(rows.position());
                }
            }
        }
        Ok(found)
    }
}

fn bytes(file: &File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const HEADER: &str = "server;date;ip;user\n";

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn numbered(range: std::ops::Range<u32>) -> String {
        range.fold(HEADER.to_owned(), |text, n| text + &format!("mx1;2026-11-25;192.0.2.1;u{n}\n"))
    }

    #[test]
    fn a_file_that_grew_is_the_same_and_another_one_is_not() {
        let before = numbered(0..500);
        let place = (before.len() as u64, 501);
        let bookmark = Bookmark::new(&file(&before), place).unwrap();
        assert!(bookmark.is_in(&file(&numbered(0..600))).unwrap());
        assert!(!bookmark.is_in(&file(&numbered(1..600))).unwrap());
        assert!(!bookmark.is_in(&file(&numbered(0..499))).unwrap());
        let grown = numbered(0..600);
        let mut input = grown.as_bytes();
        assert!(bookmark.is_read_from(&mut input).unwrap());
        assert_eq!(input, &grown.as_bytes()[before.len()..]);
        let short = numbered(0..3);
        let bookmark = Bookmark::new(&file(&short), (short.len() as u64, 4)).unwrap();
        assert!(bookmark.is_read_from(&mut grown.as_bytes()).unwrap());
    }

    #[test]
    fn the_place_is_found_in_a_file_that_was_cut_or_edited() {
        let before = numbered(0..500);
        let bookmark = Bookmark::new(&file(&before), (before.len() as u64, 501)).unwrap();
        for (edited, expected) in [
            (numbered(200..550), Some((numbered(200..500).len() as u64, 301))),
            (numbered(497..510), Some((numbered(497..500).len() as u64, 4))),
            (numbered(500..510), None),
            (String::new(), None),
        ] {
            assert_eq!(bookmark.find_in(&file(&edited)).unwrap(), expected);
        }
    }
}
