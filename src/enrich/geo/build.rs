//! Collects the ranges of a source, and makes them disjoint.
//!
//! Where ranges overlap, the upper line holds, as for a reader who searches the file from its top;
//! if they contradict, that is told. A release of 2026 has such a pair.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::error::Stopped;
use super::ranges::{Address, small};

/// More than four times what the largest database of cities has: a file beyond it is something else,
/// and would fill the memory.
const MOST_RANGES: usize = 20_000_000;

/// One range, both ends inclusive.
#[derive(Clone, Copy)]
pub(super) struct Row<A> {
    pub(super) start: A,
    pub(super) end: A,
    /// Which of the values holds for it.
    pub(super) value: u32,
    /// The line it stands in, from 1.
    pub(super) line: u32,
}

/// Two ends of a range, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Four(u32, u32),
    Six(u128, u128),
}

/// What was read of a source so far.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) four: Vec<Row<u32>>,
    pub(super) six: Vec<Row<u128>>,
    pub(super) values: Values,
}

impl Builder {
    /// Adds a range; its line counts from 1.
    pub(super) fn push(
        &mut self,
        span: Span,
        value: (u32, &[u8]),
        line: u64,
    ) -> Result<(), Stopped> {
        if self.four.len() + self.six.len() >= MOST_RANGES {
            return Err(Stopped::TooLarge);
        }
        let value = self.values.add(value.0, value.1)?;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match span {
            Span::Four(start, end) => self.four.push(Row { start, end, value, line }),
            Span::Six(start, end) => self.six.push(Row { start, end, value, line }),
        }
        Ok(())
    }
}

/// Each distinct value once: half a million ranges name 80,000 organisations.
#[derive(Default)]
pub(super) struct Values {
    /// Number, place of the text, its length.
    pub(super) records: Vec<[u32; 3]>,
    pub(super) texts: Vec<u8>,
    /// By number and hash of the text. Two texts of one hash cost a second record, nothing else.
    known: HashMap<(u32, u64), u32, RandomState>,
}

impl Values {
    fn add(&mut self, number: u32, text: &[u8]) -> Result<u32, Stopped> {
        let key = (number, self.known.hasher().hash_one(text));
        if let Some(index) = self.known.get(&key).copied()
            && self.text(index) == Some(text)
        {
            return Ok(index);
        }
        let index = small(self.records.len())?;
        self.records.push([number, small(self.texts.len())?, small(text.len())?]);
        self.texts.extend_from_slice(text);
        self.known.insert(key, index);
        Ok(index)
    }

    /// The values alone, for there are no more to come.
    pub(super) fn settled(mut self) -> Self {
        self.known = HashMap::default();
        self
    }

    fn text(&self, index: u32) -> Option<&[u8]> {
        let [_, place, length] = *self.records.get(index as usize)?;
        self.texts.get(place as usize..)?.get(..length as usize)
    }
}

/// Ranges that contradict an upper line: how many, the first of them, and the line that holds.
pub(super) type Conflict = Option<(u64, u32, u32)>;

/// Puts ranges in order and makes them disjoint.
pub(super) fn settle<A: Address>(rows: &mut Vec<Row<A>>) -> Conflict {
    if !rows.is_sorted_by_key(|row| row.start) {
        rows.sort_unstable_by_key(|row| (row.start, row.line));
    }
    let (mut conflict, mut overlap) = (Conflict::None, false);
    let mut widest: Option<Row<A>> = None;
    for row in rows.iter() {
        if let Some(before) = widest.filter(|before| before.end >= row.start) {
            overlap = true;
            if before.value != row.value {
                let (holds, line) = (before.line.min(row.line), before.line.max(row.line));
                conflict = match conflict {
                    Some((count, first, holds)) if first < line => Some((count + 1, first, holds)),
                    other => Some((other.map_or(1, |(count, ..)| count + 1), line, holds)),
                };
            }
        }
        if widest.is_none_or(|before| before.end < row.end) {
            widest = Some(*row);
        }
    }
    if overlap {
        *rows = flatten(rows);
    }
    conflict
}

/// Sweeps over ordered rows: at each address the uppermost line of those that cover it holds.
fn flatten<A: Address>(rows: &[Row<A>]) -> Vec<Row<A>> {
    let mut sweep =
        Sweep { covering: BinaryHeap::new(), rows, out: Vec::with_capacity(rows.len()) };
    for (index, row) in rows.iter().enumerate() {
        if let (Some(before), Some(next)) = (index.checked_sub(1), row.start.before())
            && let Some(from) = rows.get(before).map(|it| it.start)
        {
            sweep.write(from, Some(next));
        }
        sweep.covering.push(Reverse((row.line, index)));
    }
    if let Some(last) = rows.last() {
        sweep.write(last.start, None);
    }
    sweep.out
}

struct Sweep<'a, A> {
    /// Line and place of the rows that began, the one that holds on top.
    covering: BinaryHeap<Reverse<(u32, usize)>>,
    rows: &'a [Row<A>],
    out: Vec<Row<A>>,
}

impl<A: Address> Sweep<'_, A> {
    /// Writes what holds from `from` until `until`, both inclusive, or until the last row ends.
    fn write(&mut self, from: A, until: Option<A>) {
        let mut at = from;
        while let Some(Reverse((_, index))) = self.covering.peek() {
            let Some(row) = self.rows.get(*index) else { return };
            if row.end < at {
                self.covering.pop();
                continue;
            }
            if until.is_some_and(|until| until < at) {
                return;
            }
            let end = until.map_or(row.end, |until| until.min(row.end));
            match self.out.last_mut() {
                Some(last)
                    if (last.line, last.value) == (row.line, row.value)
                        && last.end.next() == Some(at) =>
                {
                    last.end = end;
                }
                _ => self.out.push(Row { start: at, end, ..*row }),
            }
            match end.next() {
                Some(next) => at = next,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(rows: &[(u32, u32, u32)]) -> (Vec<(u32, u32, u32)>, Conflict) {
        let line = |at| u32::try_from(at + 1).unwrap();
        let mut rows: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(at, &(start, end, value))| Row { start, end, value, line: line(at) })
            .collect();
        let conflict = settle(&mut rows);
        (rows.iter().map(|row| (row.start, row.end, row.value)).collect(), conflict)
    }

    #[test]
    fn the_upper_line_holds() {
        let (rows, conflict) = settled(&[(10, 20, 1), (0, 25, 2), (20, 30, 3)]);
        assert_eq!(rows, [(0, 9, 2), (10, 20, 1), (21, 25, 2), (26, 30, 3)]);
        assert_eq!(conflict, Some((2, 2, 1)));
    }

    #[test]
    fn ranges_that_agree_are_no_conflict() {
        assert_eq!(settled(&[(5, 9, 1), (0, 6, 1)]), (vec![(0, 4, 1), (5, 9, 1)], None));
        assert_eq!(settled(&[(7, 7, 1), (7, 7, 1)]), (vec![(7, 7, 1)], None));
    }

    #[test]
    fn the_last_address_ends_no_sweep_wrongly() {
        let (rows, _) = settled(&[(0, u32::MAX, 1), (u32::MAX, u32::MAX, 2), (0, 0, 3)]);
        assert_eq!(rows, [(0, u32::MAX, 1)]);
        let (rows, _) = settled(&[(u32::MAX, u32::MAX, 2), (0, 0, 3), (0, u32::MAX, 1)]);
        assert_eq!(rows, [(0, 0, 3), (1, u32::MAX - 1, 1), (u32::MAX, u32::MAX, 2)]);
    }

    #[test]
    fn any_ranges_become_disjoint_and_the_upper_line_holds_everywhere() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..3000 {
            let rows: Vec<_> = (0..random.u32(0..9))
                .map(|_| {
                    let (a, b) = (random.u32(0..24), random.u32(0..24));
                    (a.min(b), a.max(b), random.u32(0..4))
                })
                .collect();
            let (disjoint, _) = settled(&rows);
            assert!(disjoint.windows(2).all(|pair| pair[0].1 < pair[1].0), "{rows:?}");
            for address in 0..25 {
                let covers = |row: &&(u32, u32, u32)| (row.0..=row.1).contains(&address);
                let expected = rows.iter().find(covers);
                let found = disjoint.iter().find(covers);
                assert_eq!(
                    found.map(|row| row.2),
                    expected.map(|row| row.2),
                    "{address}: {rows:?}"
                );
            }
        }
    }
}
