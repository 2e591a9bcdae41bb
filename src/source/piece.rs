//! Cuts a long plain file into pieces of whole lines, so that several threads can read it at once.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use memchr::{memchr2, memrchr2};

/// How much is read at a time to find the end of a line.
const STEP_BYTES: usize = 16 * 1024;

/// The pieces of a file, in order. What follows the last one is shorter than a piece.
pub struct Pieces {
    file: Arc<File>,
    from: u64,
    end: u64,
    piece_bytes: u64,
}

impl Pieces {
    /// Of the bytes `range` of `file`, each piece of `piece_bytes` and the rest of its last line.
    pub fn new(file: Arc<File>, range: Range<u64>, piece_bytes: u64) -> Self {
        Self { file, from: range.start, end: range.end, piece_bytes }
    }

    /// The bytes of the next piece, which ends where a line does.
    pub fn next_piece(&mut self) -> io::Result<Option<Range<u64>>> {
        let mut at = self.from + self.piece_bytes - 1;
        let mut buffer = vec![0; STEP_BYTES];
        while at < self.end {
            let read = self.file.read_at(&mut buffer, at)?;
            let fresh = buffer.get(..read).unwrap_or_default();
            if let Some(end) = memchr2(b'\n', 0, fresh) {
                let piece = self.from..at + end as u64 + 1;
                self.from = piece.end;
                return Ok(Some(piece).filter(|piece| piece.end <= self.end));
            }
            if read == 0 {
                break;
            }
            at += read as u64;
        }
        Ok(None)
    }

    /// The end of the text before `position`: the last line there, or as much as matters of it.
    pub fn before(&self, position: u64) -> io::Result<Vec<u8>> {
        let start = position.saturating_sub(STEP_BYTES as u64);
        let mut text = vec![0; usize::try_from(position - start).unwrap_or_default()];
        self.file.read_exact_at(&mut text, start)?;
        let line_end = text.iter().rposition(|byte| !matches!(byte, b'\n' | 0)).unwrap_or(0);
        let line_start = text.get(..line_end).and_then(|text| memrchr2(b'\n', 0, text));
        text.drain(..line_start.map_or(0, |at| at + 1));
        Ok(text)
    }
}

/// A stretch of a file as a stream; many can be read at once.
pub struct Stretch {
    file: Arc<File>,
    left: Range<u64>,
}

impl Stretch {
    /// The bytes `range` of `file`.
    pub fn new(file: Arc<File>, range: Range<u64>) -> Self {
        Self { file, left: range }
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.left.end.saturating_sub(self.left.start));
        let room = buffer.len().min(left.unwrap_or(usize::MAX));
        let read =
            self.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.left.start)?;
        self.left.start += read as u64;
        Ok(read)
    }
}
