//! How far a CSV was exported, told by its content: a name or an inode says little once
//! administrators rotate, copy or edit files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::position::{Bookmark, Fingerprint};

/// How much of the start of the file is remembered: the header and some rows.
const HEAD_BYTES: u64 = 1024;
/// How much of what was exported last: some 40 rows.
const TAIL_BYTES: u64 = 4096;

/// A file that is read from its start, with stretches that are passed over.
pub trait Content: Read {
    /// Passes over so many bytes, or to the end.
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

impl Content for File {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.seek(SeekFrom::Current(bytes.cast_signed())).map(drop)
    }
}

impl Content for Box<dyn Read + Send> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
    }
}

impl Content for &[u8] {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
    }
}

impl Bookmark {
    /// The place after `offset` bytes and `lines` lines of `content`, which stands at its start.
    pub fn new(content: &mut dyn Content, (offset, lines): (u64, u64)) -> io::Result<Self> {
        let head = read(content, offset.min(HEAD_BYTES))?;
        let tail = before(content, &head, offset, offset.min(TAIL_BYTES))?;
        Ok(Self { offset, lines, head: Fingerprint::of(&head), tail })
    }

    /// Whether `content`, which stands at its start, begins with all that was exported, as far as the
    /// ends of that tell. If so, it stands at the place then.
    pub fn is_in(&self, content: &mut dyn Content) -> io::Result<bool> {
        let head = read(content, self.head.length as u64)?;
        // The rest of a compressed file that is another one is not unpacked.
        Ok(Fingerprint::of(&head) == self.head
            && before(content, &head, self.offset, self.tail.len() as u64)? == self.tail)
    }
}

fn read(content: &mut dyn Content, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last `length` bytes before `offset`, as many as are there; `head` was read before.
fn before(content: &mut dyn Content, head: &[u8], offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let start = offset.saturating_sub(length);
    let mut tail = Vec::new();
    match start.checked_sub(head.len() as u64) {
        Some(between) => content.skip(between)?,
        None => tail.extend(head.iter().skip(usize::try_from(start).unwrap_or(usize::MAX))),
    }
    let missing = length.saturating_sub(tail.len() as u64);
    tail.extend(read(content, missing)?);
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn numbered(range: std::ops::Range<u32>) -> String {
        let header = "server;date;ip;user\n".to_owned();
        range.fold(header, |text, n| text + &format!("mx1;2026-11-25;192.0.2.1;u{n}\n"))
    }

    #[test]
    fn a_file_that_grew_is_the_same_and_another_one_is_not() {
        for rows in [1, 3, 30, 200, 500] {
            let before = numbered(0..rows);
            let place = (before.len() as u64, u64::from(rows) + 1);
            let bookmark = Bookmark::new(&mut before.as_bytes(), place).unwrap();
            let grown = numbered(0..600);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(grown.as_bytes()).unwrap();
            file.rewind().unwrap();
            let mut boxed: Box<dyn Read + Send> = Box::new(io::Cursor::new(grown.clone()));
            for content in [&mut grown.as_bytes() as &mut dyn Content, &mut file, &mut boxed] {
                assert!(bookmark.is_in(content).unwrap());
                let mut rest = String::new();
                content.read_to_string(&mut rest).unwrap();
                assert_eq!(rest, grown[before.len()..]);
            }
            assert!(!bookmark.is_in(&mut numbered(1..600).as_bytes()).unwrap());
            assert!(!bookmark.is_in(&mut numbered(0..rows - 1).as_bytes()).unwrap());
        }
    }
}
