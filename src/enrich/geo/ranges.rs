//! Ranges of addresses in one block of bytes: what a CSV file is compiled to, and how it is searched.
//!
//! The block is looked up as it lies on disk, so opening a database costs one read and one checksum.
//! All numbers are little-endian:
//!
//! ```text
//! 16 words of 8 bytes   magic and version, checksum of all that follows, the source's device, inode,
//!                       size and time of change, kind, number of IPv4 ranges, of IPv6 ranges, of
//!                       values, bytes of texts, bytes of notes, and the counts of `Notes`
//! IPv4, then IPv6       all starts, all ends (both inclusive), the number of the value of each
//! values                number (AS number, or the two letters of a country), place and length of text
//! texts, notes          organisations; what was wrong with the source
//! ```
//!
//! The ranges are in order and disjoint. A block that is cut or altered is found out by its length
//! and checksum, and made anew from the source.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::ops::Range;

use foldhash::quality::FixedState;

use super::Kind;
use super::build::{Builder, Row};
use super::compiled::Stamp;
use super::error::Stopped;
use super::notes::Notes;

/// The last byte is the version: raise it with every change of the layout or of the rules of reading.
const MAGIC: u64 = u64::from_le_bytes(*b"MLSGEO\n\x01");
const WORD: usize = 8;
const HEADER: usize = 16 * WORD;
/// Ranges for each signpost. The signposts of half a million ranges fit the cache of a core, so that a
/// search waits for memory once or twice, and not for each of twenty steps.
const STEP: usize = 64;
/// Bytes of a value: three numbers of 32 bits.
const VALUE: usize = 12;

/// An address as a number, of either family.
pub(super) trait Address: Copy + Ord + Sized {
    /// The number after this one; none after the last.
    fn next(self) -> Option<Self>;
    /// The number before this one; none before 0.
    fn before(self) -> Option<Self>;
    /// Appends it, little-endian.
    fn write(self, out: &mut Vec<u8>);
    /// Every `STEP`th of the starts.
    fn signposts(starts: &[u8]) -> Vec<Self>;
    /// The place of the range that covers this address, if one does.
    fn find(self, signposts: &[Self], starts: &[u8], ends: &[u8]) -> Option<usize>;
}

macro_rules! address {
    ($type:ty) => {
        impl Address for $type {
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }

            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn signposts(starts: &[u8]) -> Vec<Self> {
                let (starts, _) = starts.as_chunks();
                starts.iter().step_by(STEP).map(|start| Self::from_le_bytes(*start)).collect()
            }

            fn find(self, signposts: &[Self], starts: &[u8], ends: &[u8]) -> Option<usize> {
                let from = signposts.partition_point(|start| *start <= self).checked_sub(1)? * STEP;
                let (starts, _) = starts.as_chunks();
                let starts = starts.get(from..starts.len().min(from + STEP))?;
                let after = starts.partition_point(|start| Self::from_le_bytes(*start) <= self);
                let at = from + after.checked_sub(1)?;
                let (ends, _) = ends.as_chunks();
                (Self::from_le_bytes(*ends.get(at)?) >= self).then_some(at)
            }
        }
    };
}
address!(u32);
address!(u128);

/// What a database says of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    /// The AS number, or the two letters of a country, the first in the higher byte; 0: unknown.
    pub(super) number: u32,
    /// The organisation; empty for a country.
    pub(super) text: &'a [u8],
}

/// Where the arrays of one family lie.
#[derive(Default)]
struct Family<A> {
    signposts: Vec<A>,
    starts: Range<usize>,
    ends: Range<usize>,
    values: Range<usize>,
}

/// A database of ranges, ready to be asked.
pub(super) struct Ranges {
    block: Vec<u8>,
    four: Family<u32>,
    six: Family<u128>,
    values: Range<usize>,
    texts: Range<usize>,
    notes: Notes,
}

impl Ranges {
    /// Takes a block that was written before; `None` if it is damaged, of another version, or made
    /// of another state of the source than `stamp`.
    pub(super) fn from_block(block: Vec<u8>, kind: Kind, stamp: &Stamp) -> Option<Self> {
        let made_of = [MAGIC, 0, stamp.device, stamp.inode, stamp.size, stamp.modified_ns];
        let expected = |at| if at == 1 { checksum(&block) } else { made_of.get(at).copied() };
        if !(0..made_of.len())
            .all(|at| word(&block, at).is_some() && word(&block, at) == expected(at))
            || word(&block, 6)? != kind.number()
        {
            return None;
        }
        Self::laid_out(block)
    }

    /// Arranges what was read into a block.
    pub(super) fn build(builder: Builder, notes: Notes, kind: Kind, stamp: &Stamp) -> Self {
        let Builder { mut four, mut six, values } = builder;
        let values = values.settled();
        let mut notes = notes;
        for conflict in [super::build::settle(&mut four), super::build::settle(&mut six)] {
            notes.overlapping(conflict);
        }
        let said = notes.to_bytes();
        let texts = values.texts.len();
        let ranges = four.len() * (4 + 4 + 4) + six.len() * (16 + 16 + 4);
        let size = HEADER + ranges + values.records.len() * VALUE + texts + said.len();
        let mut block = Vec::with_capacity(size);
        let counts = [four.len(), six.len(), values.records.len(), texts, said.len()];
        let made_of = [MAGIC, 0, stamp.device, stamp.inode, stamp.size, stamp.modified_ns];
        let words = made_of.into_iter().chain([kind.number()]);
        let words = words.chain(counts.map(|count| count as u64)).chain(notes.counts());
        for word in words {
            block.extend_from_slice(&word.to_le_bytes());
        }
        // Each is given back before the next is copied: this is where a run needs most memory.
        write_family(four, &mut block);
        write_family(six, &mut block);
        for number in values.records.iter().flatten() {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(&values.texts);
        block.extend_from_slice(&said);
        if let (Some(sum), Some(place)) = (checksum(&block), block.get_mut(WORD..2 * WORD)) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
        let laid_out = Self::laid_out(block);
        debug_assert!(laid_out.is_some(), "what was just written must be readable");
        laid_out.unwrap_or_else(Self::empty)
    }

    fn empty() -> Self {
        let (four, six) = (Family::default(), Family::default());
        Self { block: Vec::new(), four, six, values: 0..0, texts: 0..0, notes: Notes::default() }
    }

    /// Finds the arrays in a block; `None` if they would not fill it to its last byte.
    fn laid_out(block: Vec<u8>) -> Option<Self> {
        let mut at = HEADER;
        let mut part = |count: usize, bytes: usize| {
            let start = at;
            at = start.checked_add(count.checked_mul(bytes)?)?;
            Some(start..at)
        };
        let count = |at| usize::try_from(word(&block, at)?).ok();
        let four = Family::<u32>::laid_out(&block, count(7)?, &mut part)?;
        let six = Family::<u128>::laid_out(&block, count(8)?, &mut part)?;
        let (values, texts) = (part(count(9)?, VALUE)?, part(count(10)?, 1)?);
        let said = part(count(11)?, 1)?;
        let counts = [word(&block, 12)?, word(&block, 13)?, word(&block, 14)?, word(&block, 15)?];
        let notes = Notes::from_bytes(counts, block.get(said.clone())?);
        (said.end == block.len()).then_some(Self { block, four, six, values, texts, notes })
    }

    /// What the database says of `address`; `None` if no range covers it.
    pub(super) fn look_up(&self, address: IpAddr) -> Option<Value<'_>> {
        let index = match address {
            IpAddr::V4(address) => self.index(&self.four, address.to_bits()),
            IpAddr::V6(address) => self.index(&self.six, address.to_bits()),
        }?;
        let (values, _) = self.part(&self.values)?.as_chunks::<VALUE>();
        let (numbers, _) = values.get(usize::try_from(index).ok()?)?.as_chunks::<4>();
        let [number, place, length] = numbers else { return None };
        let [place, length] = [place, length].map(|it| u32::from_le_bytes(*it) as usize);
        let text = self.part(&self.texts)?.get(place..place.checked_add(length)?)?;
        Some(Value { number: u32::from_le_bytes(*number), text })
    }

    fn index<A: Address>(&self, family: &Family<A>, address: A) -> Option<u32> {
        let at = address.find(
            &family.signposts,
            self.part(&family.starts)?,
            self.part(&family.ends)?,
        )?;
        let (values, _) = self.part(&family.values)?.as_chunks();
        values.get(at).copied().map(u32::from_le_bytes)
    }

    fn part(&self, place: &Range<usize>) -> Option<&[u8]> {
        self.block.get(place.clone())
    }

    /// What was wrong with the source, and how many ranges it had.
    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The bytes to write to disk.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }
}

impl<A: Address> Family<A> {
    fn laid_out(
        block: &[u8],
        count: usize,
        part: &mut impl FnMut(usize, usize) -> Option<Range<usize>>,
    ) -> Option<Self> {
        let (starts, ends) = (part(count, size_of::<A>())?, part(count, size_of::<A>())?);
        let signposts = A::signposts(block.get(starts.clone())?);
        Some(Self { signposts, starts, ends, values: part(count, 4)? })
    }
}

fn write_family<A: Address>(rows: Vec<Row<A>>, out: &mut Vec<u8>) {
    for row in &rows {
        row.start.write(out);
    }
    for row in &rows {
        row.end.write(out);
    }
    for row in rows {
        out.extend_from_slice(&row.value.to_le_bytes());
    }
}

/// The word at place `at` of the header.
fn word(block: &[u8], at: usize) -> Option<u64> {
    let (words, _) = block.get(..HEADER)?.as_chunks();
    words.get(at).copied().map(u64::from_le_bytes)
}

/// Of all that stands behind the checksum itself. A hash of another version of its crate differs:
/// the block is then made anew, which is what should happen.
fn checksum(block: &[u8]) -> Option<u64> {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(block.get(2 * WORD..)?);
    Some(hasher.finish())
}

impl Kind {
    fn number(self) -> u64 {
        match self {
            Self::Countries => 1,
            Self::Networks => 2,
        }
    }
}

/// Checks that a count fits the 32 bits that the block has for it.
pub(super) fn small(count: usize) -> Result<u32, Stopped> {
    u32::try_from(count).map_err(|_| Stopped::TooLarge)
}
