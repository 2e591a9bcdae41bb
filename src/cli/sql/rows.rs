//! The files that rows of the CSV are in: itself and its rotations, in their order, without copies.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::files;
use crate::position::Bookmark;
use crate::source::compressed::{self, Compression};
use crate::source::{SourceError, name, rotation};
use crate::sql::bookmark::Content;
use crate::sql::edited;

/// How much of the start of a file is kept, so that files of which that is different are not read again.
const START_BYTES: u64 = 1024;
/// How much of two files is compared at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// A file of rows, plain or compressed.
pub(super) struct Rows {
    pub(super) path: PathBuf,
    file: File,
    is_plain: bool,
}

impl Rows {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = files::open(path)?;
        let mut start = Vec::new();
        file.by_ref().take(8).read_to_end(&mut start)?;
        let is_plain = Compression::of(&start) == Compression::None;
        Ok(Self { path: path.to_owned(), file, is_plain })
    }

    /// Its uncompressed content from the start; one reader at a time.
    pub(super) fn content(&self) -> io::Result<Box<dyn Content>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        if self.is_plain {
            return Ok(Box::new(file));
        }
        let (_, content) = compressed::open(file)?;
        Ok(Box::new(content))
    }

    pub(super) fn has(&self, bookmark: &Bookmark) -> io::Result<bool> {
        bookmark.is_in(&mut *self.content()?)
    }

    fn start(&self) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        self.content()?.take(START_BYTES).read_to_end(&mut start)?;
        Ok(start)
    }

    /// Whether `other` begins with all that is in this one.
    fn is_start_of(&self, other: &Self) -> io::Result<bool> {
        let (mut ours, mut theirs) = (self.content()?, other.content()?);
        let (mut block, mut compared) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
        loop {
            let length = ours.read(&mut block)?;
            let block = block.get(..length).unwrap_or_default();
            let compared = compared.get_mut(..length).unwrap_or_default();
            match theirs.read_exact(compared) {
                Ok(()) if length == 0 => return Ok(true),
                Ok(()) if block == compared => {}
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
                _ => return Ok(false),
            }
        }
    }
}

/// `csv` and its rotations, oldest first, each row in one of them.
///
/// Names tell the order; times of first rows do where names do not: two files that are equal have two
/// places, and `.1` and `.1.gz` have one.
pub(super) fn all(csv: Rows) -> anyhow::Result<Vec<Rows>> {
    let base = csv.path.file_name().unwrap_or_default().to_owned();
    let mut files = rotations(&csv.path)?;
    files.push(csv);
    let (mut files, had_equals) = without_copies(files);
    if had_equals || share_a_place(&files, &base) {
        sort_by_time(&mut files)?;
    }
    Ok(files)
}

/// The rotations of the CSV, oldest first.
fn rotations(csv: &Path) -> anyhow::Result<Vec<Rows>> {
    let (paths, errors) = rotation::beside(csv);
    for error in errors {
        match error {
            SourceError::NotAFile(_) => log::warn!("{error}: it is no rotation of the CSV"),
            error => return Err(error.into()),
        }
    }
    let mut rotations = Vec::new();
    for path in paths {
        match Rows::open(&path) {
            // It was renamed or removed just now: the next run sees what is there then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => rotations.push(other.with_context(|| cannot_read(&path))?),
        }
    }
    Ok(rotations)
}

/// Leaves out each file that another one starts with: a copy made by hand, or one that is being made or
/// compressed. Gives whether two were equal.
fn without_copies(files: Vec<Rows>) -> (Vec<Rows>, bool) {
    // What cannot be read is no copy.
    let mut files: Vec<_> =
        files.into_iter().map(|it| (it.start().unwrap_or_default(), it)).collect();
    let starts = |(start, rows): &(Vec<u8>, Rows), (other_start, other): &(Vec<u8>, Rows)| {
        other_start.starts_with(start) && rows.is_start_of(other).unwrap_or(false)
    };
    let (mut at, mut had_equals) = (0, false);
    while let Some(rows) = files.get(at) {
        let mut others = files.iter().enumerate().filter(|(other_at, _)| *other_at != at);
        let whole = others.find(|(_, other)| starts(rows, other)).map(|(_, other)| other);
        had_equals |= whole.is_some_and(|whole| starts(whole, rows));
        if whole.is_some() { drop(files.remove(at)) } else { at += 1 }
    }
    (files.into_iter().map(|(_, rows)| rows).collect(), had_equals)
}

fn share_a_place(files: &[Rows], base: &OsStr) -> bool {
    let places = files.iter().map(|rows| name::place(base, rows.path.file_name()?));
    let mut places: Vec<_> = places.flatten().collect();
    places.sort();
    places.windows(2).any(|pair| pair.first() == pair.last())
}

/// Sorts by the time of the first row.
fn sort_by_time(files: &mut Vec<Rows>) -> anyhow::Result<()> {
    let mut timed = Vec::new();
    for rows in files.drain(..) {
        let time = rows.content().and_then(edited::first_time);
        timed.push((time.with_context(|| cannot_read(&rows.path))?, rows));
    }
    timed.sort_by_key(|(time, _)| *time);
    files.extend(timed.into_iter().map(|(_, rows)| rows));
    Ok(())
}

/// Why nothing is exported.
pub(super) fn cannot_read(path: &Path) -> String {
    format!(
        "cannot read {}\n  hint: let the user this runs as read it; or mend it, or move it away; nothing \
         was exported",
        path.display()
    )
}
