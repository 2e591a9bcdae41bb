//! Fuzzes the cutting of a stream into blocks of whole lines.
//!
//! The input is a small program: how much each read gives, where the stream grows or breaks, and
//! what it holds, with runs of one byte longer than the buffer. Every byte must be handed out
//! once, in its place, or belong to the skipped part of a line that is too long.

#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use maillogsentinel::source::block::{BLOCK_BYTES, Blocks, Edges, LastLine};

/// No stream is longer: enough for several buffers.
const MOST_BYTES: usize = 5 * BLOCK_BYTES;

fuzz_target!(|input: &[u8]| {
    let Some(([flags, cut, sizes @ ..], program)) = input.split_first_chunk::<6>() else { return };
    let content = content(program);
    let last_line = if flags & 1 == 0 { LastLine::Waits } else { LastLine::IsWhole };
    let stream = |content| Stream { content, sizes: *sizes, reads: 0, breaks: None };
    let mut place = Place::default();
    if flags & 2 != 0 {
        // What is there of a file that grows: its last line waits.
        let there = content.len() * usize::from(*cut) / 255;
        place = check(&content, place, stream(&content[..there]), LastLine::Waits);
    }
    if flags & 4 != 0 {
        // A disk that fails: what was handed out before stands.
        let breaks = Some(usize::from(*cut));
        let failing = Stream { breaks, ..stream(&content[place.position..]) };
        place = check(&content, place, failing, last_line);
    }
    let at = place.position;
    place = check(&content, place, stream(&content[at..]), last_line);
    let last = content.iter().rposition(|b| is_end(*b)).map_or(0, |at| at + 1);
    let end = if last_line == LastLine::Waits { last } else { content.len() };
    assert_eq!(place.position, end);
});

/// `0xff BYTE COUNT FINE` is a run of one byte; any other byte stands for itself.
fn content(program: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut rest = program;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (0xff, [byte, count, fine, after @ ..]) => {
                let length = usize::from(*count) * 2048 + usize::from(*fine);
                content.resize(content.len() + length, *byte);
                rest = after;
            }
            _ => content.push(*first),
        }
    }
    content.truncate(MOST_BYTES);
    content
}

/// Where reading stopped.
#[derive(Default)]
struct Place {
    position: usize,
    edges: Edges,
}

/// Reads `stream` from `place` on; checks each block against `content`.
fn check(content: &[u8], place: Place, stream: Stream<'_>, last_line: LastLine) -> Place {
    let mut position = place.position;
    let mut blocks = Blocks::new(stream, position as u64, place.edges, last_line);
    while let Ok(Some(block)) = blocks.next_block() {
        assert_eq!(block.position, position as u64);
        assert!(!block.bytes.is_empty());
        let end = position + block.bytes.len();
        assert!(block.bytes == &content[position..end], "bytes {position} to {end}");
        let cut = block.cut;
        let ended = is_end(content[end - 1]) || end == content.len();
        assert!(cut || ended, "a block ends with a line");
        assert!(!cut || block.bytes.len() == BLOCK_BYTES, "only a line that does not fit is cut");
        let next = usize::try_from(blocks.position()).expect("a position in memory");
        assert!(cut || next == end, "only the rest of a cut line is skipped");
        let skipped = &content[end..next];
        let inner = skipped.split_last().map_or(skipped, |(_, inner)| inner);
        assert!(!cut || !inner.iter().any(|b| is_end(*b)), "no line is skipped");
        assert!(next == content.len() || is_end(content[next - 1]));
        position = next;
    }
    assert_eq!(blocks.position(), position as u64);
    let mut edges = Edges::default();
    edges.push(&content[..position]);
    assert!(*blocks.edges() == edges);
    Place { position, edges }
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | 0)
}

/// Gives few bytes at a time, is interrupted by signals, and may break.
struct Stream<'c> {
    content: &'c [u8],
    sizes: [u8; 4],
    reads: usize,
    breaks: Option<usize>,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.breaks == Some(self.reads) {
            return Err(io::Error::other("broken"));
        }
        let size = self.sizes[self.reads % self.sizes.len()];
        if size == 0 {
            // Never twice in a row, or a stream of nothing but signals would not end.
            self.sizes[self.reads % 4] = 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        // 255 is a read that fills the buffer, as those of files are.
        let most = if size == 255 { usize::MAX } else { usize::from(size) * usize::from(size) };
        let length = most.min(buffer.len()).min(self.content.len());
        let (now, later) = self.content.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.content = later;
        Ok(length)
    }
}
