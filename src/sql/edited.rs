//! Finds where to go on in a CSV that somebody has cut or edited since it was exported.
//!
//! What is known of the rows exported last are some 40 of them. Where more than one place would fit,
//! the first one is taken, and where none is certain, none: a row that comes twice can be removed from
//! a database, one that never comes is missed by nobody until it matters.

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
    /// Whether later places would fit as well, so that rows may come twice.
    pub is_one_of_several: bool,
}

/// Where `content` goes on after the rows that `bookmark` has; `None` if that cannot be told.
pub fn find(bookmark: &Bookmark, content: impl Read) -> io::Result<Option<Found>> {
    let known = last_rows(bookmark)?;
    let Some(last) = known.last() else { return Ok(None) };
    // A row of another minute than the last one is no row of a file that was started since.
    let is_certain = |row: Option<&Row>| row.is_some_and(|row| row.field(1) != last.field(1));
    let mut runs = Runs::new(&known);
    let mut start: Vec<Row> = Vec::new();
    let (mut whole, mut again) = (None, false);
    // If rows before the place were cut off; and if rows after it were, or were changed.
    let (mut cut_before, mut cut_after) = (None, (0, None));
    let mut rows = CsvRows::new(content, (0, 0));
    let mut row = Row::default();
    while next_row(&mut rows, &mut row)? {
        let place = rows.position();
        if start.len() < known.len() {
            start.push(row.clone());
            let is_end = known.ends_with(&start) && is_certain(start.first());
            cut_before = is_end.then_some(place).or(cut_before);
        }
        let length = runs.after(&row);
        if length == known.len() {
            again |= whole.is_some();
            whole = whole.or(Some(place));
        }
        if length > cut_after.0 {
            cut_after = (length, Some(place));
        }
    }
    let cut_after = cut_after.1.filter(|_| is_certain(known.first()));
    let place = whole.or(cut_before).or(cut_after);
    Ok(place.map(|place| Found { place, is_one_of_several: again }))
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

/// Tells how many of the first known rows stand one after another at the end of what was read so far
/// (the algorithm of Knuth, Morris and Pratt).
struct Runs<'k> {
    known: &'k [Row],
    /// For each number of rows that match: how many do if the first of them are left out.
    shorter: Vec<usize>,
    length: usize,
}

impl<'k> Runs<'k> {
    fn new(known: &'k [Row]) -> Self {
        let mut runs = Self { known, shorter: vec![0], length: 0 };
        for row in known.iter().skip(1) {
            let length = runs.after(row);
            runs.shorter.push(length);
        }
        runs.length = 0;
        runs
    }

    fn after(&mut self, row: &Row) -> usize {
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
        Some((before.lines().count() - 1, found.is_one_of_several))
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
