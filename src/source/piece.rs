//! Cuts a long plain file into pieces of whole lines, so that several threads can read it at once.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use memchr::memrchr2;

use super::block::BLOCK_BYTES;

/// How much is read at a time to find the end of a line.
const STEP_BYTES: usize = 4 * 1024;

/// The pieces of a file, in order. What follows the last one is to be read in order.
pub struct Pieces {
    file: Arc<File>,
    from: u64,
    end: u64,
    piece_bytes: u64,
}

impl Pieces {
    /// Of the bytes `range` of `file`, each piece of about `piece_bytes`.
    pub fn new(file: Arc<File>, range: Range<u64>, piece_bytes: u64) -> Self {
        Self { file, from: range.start, end: range.end, piece_bytes }
    }

    /// The bytes of the next piece: as many of the blocks that [`Blocks`] would read in order as
    /// make up its size. So the edges of blocks are the same whoever reads them.
    ///
    /// [`Blocks`]: super::block::Blocks
    pub fn next_piece(&mut self) -> io::Result<Option<Range<u64>>> {
        let start = self.from;
        while self.from - start < self.piece_bytes
            && let Some(end) = self.block_end()?
        {
            self.from = end;
        }
        Ok((self.from > start).then_some(start..self.from))
    }

    /// Where the block that starts at `from` ends; `None` at the file's last block and at a line
    /// that is longer than a block.
    fn block_end(&self) -> io::Result<Option<u64>> {
        let mut until = self.from + BLOCK_BYTES as u64;
        if until > self.end {
            return Ok(None);
        }
        let mut buffer = vec![0; STEP_BYTES];
        while until > self.from {
            let start = until.saturating_sub(STEP_BYTES as u64).max(self.from);
            let length = usize::try_from(until - start).unwrap_or_default();
            let text = buffer.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(text, start)?;
            if let Some(end) = memrchr2(b'\n', 0, text) {
                return Ok(Some(start + end as u64 + 1));
            }
            until = start;
        }
        Ok(None)
    }

    /// The text before `position`: at least the last `most` bytes, where a line may be cut, and the last
    /// line, or as much as matters of it.
    pub fn before(&self, position: u64, most: usize) -> io::Result<Vec<u8>> {
        let start = position.saturating_sub(STEP_BYTES.max(most) as u64);
        let mut text = vec![0; usize::try_from(position - start).unwrap_or_default()];
        self.file.read_exact_at(&mut text, start)?;
        let line_end = text.iter().rposition(|byte| !matches!(byte, b'\n' | 0)).unwrap_or(0);
        let wanted = line_end.min(text.len().saturating_sub(most));
        let line_start = text.get(..wanted).and_then(|text| memrchr2(b'\n', 0, text));
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
