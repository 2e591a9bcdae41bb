//! What was wrong with a source, kept with its compiled form and told by each run that opens it.

use std::fmt::Display;

use super::build::Conflict;

/// How many faults are told one by one; the rest are counted.
const TOLD: usize = 3;

/// What was wrong with a source of ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// All lines, empty ones too.
    pub(super) lines: u64,
    /// Lines that became a range.
    pub(super) ranges: u64,
    /// Lines that could not be used.
    pub(super) bad: u64,
    /// Ranges that contradict another.
    pub(super) overlaps: u64,
    /// The first few faults, with the lines they are in.
    pub(super) first: Vec<(u64, String)>,
}

impl Notes {
    /// Counts a line that cannot be used, and keeps why for the first ones.
    pub(super) fn bad(&mut self, line: u64, why: impl Display) {
        self.bad += 1;
        if self.first.len() < TOLD {
            self.first.push((line, why.to_string()));
        }
    }

    /// Counts ranges that contradict one another.
    pub(super) fn overlapping(&mut self, conflict: Conflict) {
        let Some((count, line, holds)) = conflict else { return };
        if self.overlaps == 0 {
            let what =
                format!("the range overlaps that of line {holds}, which says otherwise and holds");
            self.first.push((line.into(), what));
        }
        self.overlaps += count;
    }

    /// The four words that a compiled form keeps in its header.
    pub(super) fn counts(&self) -> [u64; 4] {
        [self.lines, self.ranges, self.bad, self.overlaps]
    }

    /// The faults as lines of text.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let lines = self.first.iter().map(|(line, what)| format!("{line} {what}\n"));
        lines.collect::<String>().into_bytes()
    }

    /// The inverse of [`Notes::counts`] and [`Notes::to_bytes`].
    pub(super) fn from_bytes([lines, ranges, bad, overlaps]: [u64; 4], said: &[u8]) -> Self {
        let said = String::from_utf8_lossy(said);
        let fault = |line: &str| {
            let (line, what) = line.split_once(' ')?;
            Some((line.parse().ok()?, what.to_owned()))
        };
        Self { lines, ranges, bad, overlaps, first: said.lines().filter_map(fault).collect() }
    }
}
