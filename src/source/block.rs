//! Cuts a stream into blocks of whole lines, in bounded memory.
//!
//! A line that does not fit the buffer is read up to the buffer's size and the rest skipped: no
//! mail server writes such lines, so that nothing is lost but junk. A last line without its end is
//! left for the next run, unless the file can never grow. NUL ends a line like `\n` does.

use std::io::{self, Read};

use memchr::{memchr, memchr2, memrchr2};

use crate::position::{FINGERPRINT_BYTES, Fingerprint};

/// Bytes held at once: large enough for few system calls, small enough for the processor's cache.
pub const BLOCK_BYTES: usize = 256 * 1024;
/// How much of an overlong line is skipped at a time.
const SKIP_BYTES: usize = 64 * 1024;

/// Whole lines, one after another.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The lines, with their ends.
    pub bytes: &'a [u8],
    /// Where the first of them starts, in the uncompressed file.
    pub position: u64,
    /// Whether this is the start of one line whose rest was skipped.
    pub cut: bool,
}

/// What to do with a last line that has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLine {
    /// Leave it: its writer may not be done.
    Waits,
    /// Take it: nobody writes to this file any more.
    IsWhole,
}

/// Reads blocks; remembers what identifies the place where it stopped.
pub struct Blocks<R> {
    input: R,
    last_line: LastLine,
    /// Lines in its first [`BLOCK_BYTES`], room to skip through a long one in the rest.
    buffer: Vec<u8>,
    /// Of `buffer`: where the unread lines start, and where the bytes end.
    unread: usize,
    filled: usize,
    /// In the file: where `unread` is.
    position: u64,
    edges: Edges,
}

impl<R: Read> Blocks<R> {
    /// Reads `input`, which stands at `position` of its file, after the bytes of `edges`.
    pub fn new(input: R, position: u64, edges: Edges, last_line: LastLine) -> Self {
        let buffer = vec![0; BLOCK_BYTES + SKIP_BYTES];
        Self { input, last_line, buffer, unread: 0, filled: 0, position, edges }
    }

    /// The next block; `None` at the end of what can be read.
    pub fn next_block(&mut self) -> io::Result<Option<Block<'_>>> {
        self.buffer.copy_within(self.unread..self.filled, 0);
        self.filled -= self.unread;
        self.unread = 0;
        let mut searched = 0;
        loop {
            let fresh = self.buffer.get(searched..self.filled).unwrap_or_default();
            if let Some(end) = memrchr2(b'\n', 0, fresh) {
                return Ok(Some(self.take_lines(searched + end + 1)));
            }
            searched = self.filled;
            if self.filled >= BLOCK_BYTES {
                return self.cut_line();
            }
            let free = self.buffer.get_mut(self.filled..BLOCK_BYTES).unwrap_or_default();
            let read = read(&mut self.input, free)?;
            if read == 0 {
                let whole = self.last_line == LastLine::IsWhole && self.filled > 0;
                return Ok(whole.then(|| self.take_lines(self.filled)));
            }
            self.filled += read;
        }
    }

    /// Where the next block starts.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The file's first bytes and those just before [`Blocks::position`].
    pub fn edges(&self) -> &Edges {
        &self.edges
    }

    /// Hands out the first `length` bytes of the buffer.
    fn take_lines(&mut self, length: usize) -> Block<'_> {
        self.edges.push(self.buffer.get(..length).unwrap_or_default());
        self.unread = length;
        self.hand_out(length, 0)
    }

    fn hand_out(&mut self, length: usize, skipped: u64) -> Block<'_> {
        let position = self.position;
        self.position += length as u64 + skipped;
        let bytes = self.buffer.get(..length).unwrap_or_default();
        Block { bytes, position, cut: skipped > 0 }
    }

    /// The buffer is full of one line: hands it out and skips the rest, if its end can be found.
    fn cut_line(&mut self) -> io::Result<Option<Block<'_>>> {
        let length = self.filled;
        let mut edges = self.edges.clone();
        edges.push(self.buffer.get(..length).unwrap_or_default());
        let mut skipped = 0;
        loop {
            let room = self.buffer.get_mut(length..).unwrap_or_default();
            let read = read(&mut self.input, room)?;
            if read == 0 && self.last_line == LastLine::Waits {
                return Ok(None);
            }
            let fresh = room.get(..read).unwrap_or_default();
            let end = memchr2(b'\n', 0, fresh).map(|end| end + 1);
            let rest = end.unwrap_or(read);
            edges.push(fresh.get(..rest).unwrap_or_default());
            skipped += rest as u64;
            if end.is_some() || read == 0 {
                self.edges = edges;
                (self.unread, self.filled) = (length + rest, length + read);
                return Ok(Some(self.hand_out(length, skipped)));
            }
        }
    }
}

/// The first line and the last bytes of what was read of a file, as far as fingerprints need them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Edges {
    /// Of a file that was read before: what stands at its start and before the place of reading.
    pub fn new(head: Vec<u8>, tail: Vec<u8>) -> Self {
        Self { head, tail }
    }

    /// Goes on with `bytes`.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.head.contains(&b'\n') {
            // As `first_bytes` has it: a hole at the start tells nothing.
            let hole = bytes.iter().take_while(|byte| **byte == 0 && self.head.is_empty()).count();
            let bytes = bytes.get(hole..).unwrap_or_default();
            let missing = FINGERPRINT_BYTES.saturating_sub(self.head.len());
            let missing = bytes.get(..missing).unwrap_or(bytes);
            let line = memchr(b'\n', missing).map_or(missing.len(), |end| end + 1);
            self.head.extend_from_slice(missing.get(..line).unwrap_or_default());
        }
        let kept = FINGERPRINT_BYTES.saturating_sub(bytes.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
        let last = bytes.len().saturating_sub(FINGERPRINT_BYTES);
        self.tail.extend_from_slice(bytes.get(last..).unwrap_or_default());
    }

    /// Goes on with a stretch whose edges are `later`.
    pub fn join(&mut self, later: Self) {
        if self.head.is_empty() {
            self.head = later.head;
        }
        self.tail.extend(later.tail);
        let surplus = self.tail.len().saturating_sub(FINGERPRINT_BYTES);
        self.tail.drain(..surplus);
    }

    /// Fingerprints of both.
    pub fn fingerprints(&self) -> (Fingerprint, Fingerprint) {
        (Fingerprint::of(&self.head), Fingerprint::of(&self.tail))
    }
}

/// Reads, also when a signal came in between.
fn read(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `step` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn blocks(text: &[u8], step: usize, last_line: LastLine) -> (Vec<u8>, u64, Edges, usize) {
        let mut blocks = Blocks::new(Slow(text, step), 0, Edges::default(), last_line);
        let (mut all, mut cut) = (Vec::new(), 0);
        while let Some(block) = blocks.next_block().unwrap() {
            all.extend_from_slice(block.bytes);
            cut += usize::from(block.cut);
        }
        (all, blocks.position(), blocks.edges().clone(), cut)
    }

    #[test]
    fn whole_lines_come_whatever_the_reads_are() {
        let text = b"one\ntwo\n\nthree\nunfinished".as_slice();
        for step in 1..=text.len() {
            let (all, position, edges, _) = blocks(text, step, LastLine::Waits);
            assert_eq!(all, b"one\ntwo\n\nthree\n");
            assert_eq!(position, 15);
            assert_eq!(edges.tail, b"one\ntwo\n\nthree\n");
            let (all, position, ..) = blocks(text, step, LastLine::IsWhole);
            assert_eq!((all.as_slice(), position), (text, 25));
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_cut_and_the_next_one_is_whole() {
        for extra in [0, 1, 5, SKIP_BYTES - 1, SKIP_BYTES, 3 * SKIP_BYTES] {
            let long = [vec![b'x'; BLOCK_BYTES + extra], b"\n".to_vec()].concat();
            let text = [&b"a\n"[..], &long, b"b\nc\n"].concat();
            let (all, position, edges, cut) = blocks(&text, usize::MAX, LastLine::Waits);
            assert_eq!(cut, 1);
            assert_eq!(all, [b"a\n", &long[..BLOCK_BYTES], b"b\nc\n"].concat());
            assert_eq!(position, text.len() as u64);
            let mut whole = Edges::default();
            whole.push(&text);
            assert_eq!(edges, whole);
            let unfinished = &text[..text.len() - 5];
            assert_eq!(blocks(unfinished, usize::MAX, LastLine::Waits).1, 2, "waits for its end");
        }
    }

    #[test]
    fn a_hole_of_nul_bytes_hides_no_line() {
        let hole = vec![0; 3 * BLOCK_BYTES];
        let text = [&b"a\n"[..], &hole, b"b\n"].concat();
        let (all, position, _, cut) = blocks(&text, usize::MAX, LastLine::Waits);
        assert_eq!((all == text, position, cut), (true, text.len() as u64, 0));
    }
}
