//! Reads the CSV row by row, in bounded memory, whatever is in it.
//!
//! Only whole lines are rows: the last one without its end waits. A quote that is never closed does
//! not swallow the rows after it.

use std::io::{self, Read};
use std::ops::Range;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter};

/// A row longer than this is none; a user name of 64 KiB fits well.
const LONGEST: usize = 1024 * 1024;
const READ_BYTES: usize = 256 * 1024;
/// More fields than a row may have; the rest of them is left out.
const MOST_FIELDS: usize = 32;
/// A quoted field goes over at most so many lines; ours never do.
const MOST_LINES: u64 = 64;

/// A row. Two are equal if their fields are, wherever they stand.
#[derive(Clone, Debug, Default)]
pub struct Row {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The number of its first line in the file, the first being 1.
    pub line: u64,
}

impl Row {
    /// Field number `at`; `None` if the row has fewer.
    pub fn field(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.range(at)?)
    }

    /// Where that field is in [`Row::bytes`].
    pub fn range(&self, at: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        Some(start..end)
    }

    /// All fields, one right after another.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is a header; the Python program wrote a second one now and then.
    pub fn is_header(&self) -> bool {
        self.field(0) == Some(b"server") && self.field(1) == Some(b"date")
    }

    /// Whether there is nothing in it.
    pub fn is_blank(&self) -> bool {
        self.bytes.is_empty() && self.ends.len() <= 1
    }

    fn split(&mut self, line: &[u8]) {
        self.bytes.clear();
        self.ends.clear();
        let mut start = 0;
        for end in memchr_iter(b';', line).take(MOST_FIELDS - 1).chain([line.len()]) {
            self.bytes.extend_from_slice(line.get(start..end).unwrap_or_default());
            self.ends.push(self.bytes.len());
            start = end + 1;
        }
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        (&self.bytes, &self.ends) == (&other.bytes, &other.ends)
    }
}

/// What some programs write at the start of a file.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What comes next in a CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The row was filled.
    Row,
    /// A line, of this number, that is longer than any row.
    TooLong(u64),
    /// No whole line is left.
    End,
}

/// The rows of a CSV.
pub struct CsvRows<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next line starts in `buffer`.
    at: usize,
    /// Bytes and lines of the file before that.
    offset: u64,
    lines: u64,
    parser: Reader,
}

impl<R: Read> CsvRows<R> {
    /// Rows of `input`, which starts `offset` bytes and `lines` lines into the file.
    pub fn new(input: R, (offset, lines): (u64, u64)) -> Self {
        let parser = ReaderBuilder::new()
            .delimiter(b';')
            .terminator(csv_core::Terminator::Any(b'\n'))
            .build();
        Self { input, buffer: Vec::new(), at: 0, offset, lines, parser }
    }

    /// Bytes and lines of the file that are done with.
    pub fn position(&self) -> (u64, u64) {
        (self.offset, self.lines)
    }

    /// Reads the next row into `row`.
    pub fn next(&mut self, row: &mut Row) -> io::Result<Next> {
        let Some(mut length) = self.line(0)? else { return self.overlong() };
        if self.offset == 0 && self.rest().starts_with(BOM) {
            self.advance(BOM.len(), 0);
            length -= BOM.len();
        }
        row.line = self.lines + 1;
        let line = self.rest().get(..length).unwrap_or_default();
        if memchr(b'"', line).is_none() {
            let content = line.strip_suffix(b"\n").unwrap_or(line);
            row.split(content.strip_suffix(b"\r").unwrap_or(content));
            self.advance(length, 1);
            return Ok(Next::Row);
        }
        let mut lines = 1;
        while !self.parse(row, length) {
            match self.line(length)? {
                Some(more) if lines < MOST_LINES => {
                    length = more;
                    lines += 1;
                }
                // The quote is never closed: it is one of the text.
                _ => {
                    length = self.line(0)?.unwrap_or(length);
                    lines = 1;
                    let line = self.buffer.get(self.at..self.at + length).unwrap_or_default();
                    let content = line.strip_suffix(b"\n").unwrap_or(line);
                    row.split(content.strip_suffix(b"\r").unwrap_or(content));
                    break;
                }
            }
        }
        self.advance(length, lines);
        Ok(Next::Row)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize, lines: u64) {
        self.at += bytes;
        self.offset += bytes as u64;
        self.lines += lines;
    }

    /// The length of what comes next up to the first line end after `from` bytes of it; `None` if
    /// there is none within [`LONGEST`] bytes.
    fn line(&mut self, from: usize) -> io::Result<Option<usize>> {
        let mut searched = from;
        loop {
            let rest = self.rest();
            if let Some(at) = memchr(b'\n', rest.get(searched..).unwrap_or_default()) {
                return Ok(Some(searched + at + 1));
            }
            searched = rest.len();
            if searched > LONGEST || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more; false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let read = loop {
            match self.input.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        self.buffer.truncate(length + read.as_ref().map_or(0, |read| *read));
        Ok(read? > 0)
    }

    /// The end of the input, or a line that is too long, which is passed over.
    fn overlong(&mut self) -> io::Result<Next> {
        if self.rest().len() <= LONGEST {
            return Ok(Next::End);
        }
        let mut passed = 0;
        loop {
            if let Some(at) = memchr(b'\n', self.rest()) {
                self.at += at + 1;
                self.offset += passed + at as u64 + 1;
                self.lines += 1;
                return Ok(Next::TooLong(self.lines));
            }
            passed += self.rest().len() as u64;
            self.at = self.buffer.len();
            if !self.fill()? {
                return Ok(Next::End);
            }
        }
    }

    /// Parses the next `length` bytes as one row with quotes; false if a quote is still open.
    fn parse(&mut self, row: &mut Row, length: usize) -> bool {
        self.parser.reset();
        row.bytes.clear();
        row.bytes.resize(length, 0);
        row.ends.clear();
        row.ends.resize(length.min(MOST_FIELDS) + 1, 0);
        let line = self.buffer.get(self.at..self.at + length).unwrap_or_default();
        let (result, _, written, fields) =
            self.parser.read_record(line, &mut row.bytes, &mut row.ends);
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => return false,
            // Fields that no row has are left out.
            ReadRecordResult::OutputEndsFull | ReadRecordResult::Record | ReadRecordResult::End => {
            }
        }
        row.bytes.truncate(written);
        row.ends.truncate(fields);
        // A line that ends in CR LF, outside of quotes.
        if line.ends_with(b"\r\n") && row.bytes.last() == Some(&b'\r') {
            row.bytes.pop();
            let length = row.bytes.len();
            row.ends.iter_mut().for_each(|end| *end = (*end).min(length));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> (Vec<Vec<String>>, (u64, u64)) {
        let mut reader = CsvRows::new(text, (0, 0));
        let (mut row, mut rows) = (Row::default(), Vec::new());
        while reader.next(&mut row).unwrap() != Next::End {
            let fields = (0..).map_while(|at| row.field(at));
            rows.push(fields.map(|f| String::from_utf8_lossy(f).into_owned()).collect());
        }
        (rows, reader.position())
    }

    #[test]
    fn quotes_hold_delimiters_quotes_and_lines() {
        let (found, position) = rows(b"a;\"b;\"\"c\";d\r\n\"x\ny\";\"z\r\"\nunfinished;\"");
        assert_eq!(found, [vec!["a", "b;\"c", "d"], vec!["x\ny", "z\r"]]);
        assert_eq!(position, (24, 3));
    }

    #[test]
    fn an_open_quote_does_not_swallow_what_follows() {
        let (found, _) = rows(b"a;\"b\nc;d\ne;f\n");
        assert_eq!(found, [["a", "\"b"], ["c", "d"], ["e", "f"]]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut text = vec![b'x'; 3 * LONGEST];
        text.extend(b"\na;b\n");
        let mut reader = CsvRows::new(&text[..], (0, 0));
        let mut row = Row::default();
        assert_eq!(reader.next(&mut row).unwrap(), Next::TooLong(1));
        assert_eq!(reader.next(&mut row).unwrap(), Next::Row);
        assert_eq!((row.field(1), row.line), (Some(&b"b"[..]), 2));
        assert_eq!(reader.position(), (text.len() as u64, 2));
    }
}
