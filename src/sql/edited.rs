//! Finds where to go on in a CSV that somebody has cut or edited since it was exported.
//!
//! What is known of the rows exported last are some 40 of them. Where more than one place would fit,
//! the first one is taken, and where none is certain, none: a row that comes twice can be removed from
//! a database, one that never comes is missed by nobody until it matters.

use std::collections::VecDeque;
use std::io::{self, Read};

use jiff::civil::DateTime;
use memchr::memchr;

use super::csv_rows::{CsvRows, Next, Row};
use super::value;
use crate::position::Bookmark;
use crate::untrusted::for_sql;

/// A place in the edited file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes and lines before it.
    pub place: (u64, u64),
    /// Why rows that were exported may follow it.
    pub doubt: Option<Doubt>,
}

/// Why rows may come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Later places would fit as well.
    Several,
    /// Some of the rows exported last are not there, or others now.
    Changed,
}

/// Where `content` goes on after the rows that `bookmark` has; `None` if that cannot be told.
pub fn find(bookmark: &Bookmark, content: impl Read) -> io::Result<Option<Found>> {
    let known = last_rows(bookmark)?;
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return Ok(None) };
    // A row of another minute than the last one is no row of a file that was started since.
    let is_certain = |row: &Row| row.field(1) != last.field(1);
    let (mut ends, mut starts) = (Ends::new(&known), Starts::new(&known));
    let mut rows = CsvRows::new(content, (0, 0));
    let mut row = Row::default();
    while next_row(&mut rows, &mut row)? {
        ends.after(&row, rows.position());
        starts.after(&row, rows.position());
    }
    // What stands before the last rows may have been cut off, or changed; else what stands there now.
    let end = ends.best.filter(|best| {
        let from = known.len() - best.length;
        from == 0 || known.get(from).is_some_and(is_certain)
    });
    Ok(if let Some(end) = end {
        Some(Found { place: end.place, doubt: end.is_one_of_several.then_some(Doubt::Several) })
    } else {
        let place = starts.place.filter(|_| is_certain(first));
        place.map(|place| Found { place, doubt: Some(Doubt::Changed) })
    })
}

/// Whether every row of `content` is later than the last one that `bookmark` has, as far as the first
/// row tells; false if that cannot be told.
pub fn is_later(bookmark: &Bookmark, content: impl Read) -> io::Result<bool> {
    let last = last_rows(bookmark)?.last().and_then(time);
    let first = first_time(content)?;
    Ok(last.is_some_and(|last| first.is_some_and(|first| first >= last)))
}

/// The time of the first row, if it has one that can be read.
pub fn first_time(content: impl Read) -> io::Result<Option<DateTime>> {
    let mut first = Row::default();
    let is_there = next_row(&mut CsvRows::new(content, (0, 0)), &mut first)?;
    Ok(time(&first).filter(|_| is_there))
}

fn time(row: &Row) -> Option<DateTime> {
    row.field(1).map(for_sql).and_then(|text| value::time(&text))
}

/// The rows exported last, as many as the bookmark has whole.
fn last_rows(bookmark: &Bookmark) -> io::Result<Vec<Row>> {
    let mut tail = &bookmark.tail[..];
    if bookmark.offset > tail.len() as u64 {
        // It starts in the middle of a row.
        let end = memchr(b'\n', tail).map_or(tail.len(), |at| at + 1);
        tail = tail.get(end..).unwrap_or_default();
    }
    let (mut rows, mut row, mut known) = (CsvRows::new(tail, (0, 0)), Row::default(), Vec::new());
    while next_row(&mut rows, &mut row)? {
        known.push(row.clone());
    }
    Ok(known)
}

/// Reads the next row that is one; false at the end.
fn next_row<R: Read>(rows: &mut CsvRows<R>, row: &mut Row) -> io::Result<bool> {
    loop {
        match rows.next(row)? {
            Next::End => return Ok(false),
            Next::Row if !row.is_header() && !row.is_blank() => return Ok(true),
            Next::Row | Next::TooLong(_) => {}
        }
    }
}

/// The first place after the most of the last known rows, one after another.
struct Ends<'k> {
    known: &'k [Row],
    /// The last rows that were read, as many as are known at most.
    read: VecDeque<Row>,
    best: Option<End>,
}

#[derive(Clone, Copy)]
struct End {
    length: usize,
    place: (u64, u64),
    is_one_of_several: bool,
}

impl<'k> Ends<'k> {
    fn new(known: &'k [Row]) -> Self {
        Self { known, read: VecDeque::new(), best: None }
    }

    fn after(&mut self, row: &Row, place: (u64, u64)) {
        if self.read.len() == self.known.len() {
            self.read.pop_front();
        }
        self.read.push_back(row.clone());
        let pairs = self.known.iter().rev().zip(self.read.iter().rev());
        let length = pairs.take_while(|(known, read)| known == read).count();
        match &mut self.best {
            Some(best) if length < best.length || length == 0 => {}
            Some(best) if length == best.length => best.is_one_of_several = true,
            best if length > 0 => *best = Some(End { length, place, is_one_of_several: false }),
            _ => {}
        }
    }
}

/// The place after the most of the first known rows, one after another, and after those that follow with
/// nothing but known rows left out.
struct Starts<'k> {
    known: &'k [Row],
    /// For each number of rows that match: how many do if the first of them are left out.
    shorter: Vec<usize>,
    length: usize,
    longest: usize,
    /// How many of the known rows are behind the place, while it moves on.
    passed: Option<usize>,
    place: Option<(u64, u64)>,
}

impl<'k> Starts<'k> {
    fn new(known: &'k [Row]) -> Self {
        let (shorter, length) = (vec![0], 0);
        let mut starts = Self { known, shorter, length, longest: 0, passed: None, place: None };
        for row in known.iter().skip(1) {
            let length = starts.matching(row);
            starts.shorter.push(length);
        }
        starts.length = 0;
        starts
    }

    fn after(&mut self, row: &Row, place: (u64, u64)) {
        let length = self.matching(row);
        self.passed = if length > self.longest {
            self.longest = length;
            Some(length)
        } else {
            self.passed.and_then(|passed| {
                let left = self.known.iter().skip(passed);
                left.zip(passed + 1..).find(|(known, _)| *known == row).map(|(_, passed)| passed)
            })
        };
        if self.passed.is_some() {
            self.place = Some(place);
        }
    }

    /// How many of the first known rows stand at the end of what was read (the algorithm of Knuth, Morris
    /// and Pratt).
    fn matching(&mut self, row: &Row) -> usize {
        loop {
            if self.known.get(self.length) == Some(row) {
                self.length += 1;
                return self.length;
            }
            let Some(at) = self.length.checked_sub(1) else { return 0 };
            self.length = self.shorter.get(at).copied().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u32) -> String {
        format!("mx1;2026-11-22 {:02}:{:02};192.0.2.1;u{n}\n", n / 60, n % 60)
    }

    fn csv(rows: impl IntoIterator<Item = u32>) -> String {
        rows.into_iter().fold("server;date;ip;user\n".to_owned(), |text, n| text + &row(n))
    }

    /// After which of its rows `edited` goes on, if `before` was exported; whether others would do.
    fn goes_on(before: &str, edited: &str) -> Option<(usize, bool)> {
        let lines = before.lines().count() as u64;
        let place = (before.len() as u64, lines);
        let bookmark = Bookmark::new(&mut before.as_bytes(), place).unwrap();
        let found = find(&bookmark, edited.as_bytes()).unwrap()?;
        let (bytes, lines) = found.place;
        let before = &edited[..usize::try_from(bytes).unwrap()];
        assert_eq!(before.lines().count() as u64, lines);
        Some((before.lines().count() - 1, found.doubt == Some(Doubt::Several)))
    }

    #[test]
    fn rows_that_were_cut_or_changed_before_the_place_change_nothing() {
        let before = csv(0..500);
        assert_eq!(goes_on(&before, &csv(200..550)), Some((300, false)));
        assert_eq!(goes_on(&before, &csv(497..510)), Some((3, false)));
        assert_eq!(goes_on(&before, &csv((0..100).chain(200..510))), Some((400, false)));
        // An editor that quotes, and ends lines as DOS does.
        let quoted = csv(490..502).replace(";u", ";\"u").replace('\n', "\"\r\n");
        let quoted = quoted.replacen("user\"", "user", 1);
        assert_eq!(goes_on(&before, &quoted), Some((10, false)));
    }

    #[test]
    fn rows_that_were_cut_or_changed_at_the_place_are_told_from_those_that_follow() {
        let before = csv(0..500);
        assert_eq!(goes_on(&before, &csv((0..490).chain(500..510))), Some((490, false)));
        assert_eq!(goes_on(&before, &csv((0..490).chain(700..705))), Some((490, false)));
        assert_eq!(goes_on(&csv(0..60), &csv(0..50)), Some((50, false)));
    }

    #[test]
    fn one_row_that_is_deleted_or_changed_among_the_last_brings_none_twice() {
        let before = csv(0..500);
        for gone in [465, 480, 490, 498] {
            let left = (0..500).filter(|n| *n != gone).chain(500..503);
            assert_eq!(goes_on(&before, &csv(left)), Some((499, false)), "{gone} was deleted");
        }
        for changed in [465, 480, 490, 497] {
            let edited = csv(0..503).replace(&format!(";u{changed}\n"), ";REDACTED\n");
            assert_eq!(goes_on(&before, &edited), Some((500, false)), "{changed} was changed");
        }
        let few = csv(0..20);
        assert_eq!(goes_on(&few, &csv((0..10).chain(11..22))), Some((19, false)));
    }

    #[test]
    fn what_is_not_certain_is_not_taken_for_exported() {
        assert_eq!(goes_on(&csv(0..500), &csv(500..510)), None);
        assert_eq!(goes_on(&csv(0..500), &csv(0..100)), None);
        assert_eq!(goes_on(&csv(0..500), ""), None);
        // A file that was started anew in the minute of the last row.
        assert_eq!(goes_on(&csv([1, 1, 2]), &csv([2, 3])), None);
        assert_eq!(goes_on(&csv([2, 2, 2, 2]), &csv([2, 2, 3])), None);
        // Many equal rows: some may come twice, none is left out.
        let same = |count| csv(std::iter::repeat_n(7, count));
        assert_eq!(goes_on(&same(300), &(same(400) + &row(8))), Some((120, true)));
    }

    #[test]
    fn the_first_row_tells_whether_a_file_is_later() {
        let before = csv(0..10);
        let bookmark = Bookmark::new(&mut before.as_bytes(), (before.len() as u64, 11)).unwrap();
        for (other, later) in [(csv(9..12), true), (csv(8..12), false), (csv([]), false)] {
            assert_eq!(is_later(&bookmark, other.as_bytes()).unwrap(), later);
        }
    }
}
