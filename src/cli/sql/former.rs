//! Finds what of the CSV was not exported yet, also when it was rotated, moved or edited meanwhile.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::position::Bookmark;
use crate::source::compressed;
use crate::source::name::{Age, place};
use crate::sql::csv_rows::{CsvRows, Next, Row};

/// A stretch of rows.
pub(super) struct Piece {
    /// The file.
    pub(super) path: PathBuf,
    /// Its rows that are not exported.
    pub(super) input: Box<dyn Read>,
    /// Bytes and lines before them.
    pub(super) from: (u64, u64),
}

/// What is to be exported.
pub(super) struct Plan {
    /// The stretches, in their order; the last one is of the CSV itself.
    pub(super) pieces: Vec<Piece>,
    /// What an administrator should know.
    pub(super) warning: Option<String>,
}

/// Where the Python program noted how many bytes of the CSV it had exported, in its state folder.
pub(in crate::cli) const PYTHON_OFFSET: &str = "sql_state.offset";

/// The place up to which the Python program has exported `file`, the CSV at `path`, if it has.
pub(super) fn python_bookmark(
    path: &Path,
    file: &File,
    state_dirs: &[PathBuf],
) -> anyhow::Result<Option<Bookmark>> {
    let Some(note) = state_dirs.iter().map(|dir| dir.join(PYTHON_OFFSET)).find(|it| it.is_file())
    else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&note);
    let offset: Option<u64> = text.ok().and_then(|text| text.trim().parse().ok());
    let cannot = || format!("cannot read {}", path.display());
    let mut rows = CsvRows::new(file.try_clone().with_context(cannot)?, (0, 0));
    let mut row = Row::default();
    // Where a row ends, or it is of another file.
    while offset.is_some_and(|offset| offset > rows.position().0)
        && rows.next(&mut row).with_context(cannot)? != Next::End
    {}
    if offset != Some(rows.position().0) {
        log::warn!(
            "{} does not hold a place in {}: all of that is exported",
            note.display(),
            path.display()
        );
        return Ok(None);
    }
    Bookmark::new(file, rows.position()).map(Some).with_context(cannot)
}

/// What follows `bookmark`: in `file`, the CSV at `path`, or in the rotations beside it.
pub(super) fn plan(path: &Path, file: &File, bookmark: Option<&Bookmark>) -> anyhow::Result<Plan> {
    let cannot = || format!("cannot read {}", path.display());
    let piece = |from: (u64, u64)| -> anyhow::Result<Piece> {
        let mut input = file.try_clone().with_context(cannot)?;
        input.seek(SeekFrom::Start(from.0)).with_context(cannot)?;
        Ok(Piece { path: path.to_owned(), input: Box::new(input), from })
    };
    let Some(bookmark) = bookmark else {
        return Ok(Plan { pieces: vec![piece((0, 0))?], warning: None });
    };
    if bookmark.is_in(file).with_context(cannot)? {
        let from = (bookmark.offset, bookmark.lines);
        return Ok(Plan { pieces: vec![piece(from)?], warning: None });
    }
    if let Some(mut pieces) = rotations(path, bookmark)? {
        pieces.push(piece((0, 0))?);
        return Ok(Plan { pieces, warning: None });
    }
    if let Some(from) = bookmark.find_in(file).with_context(cannot)? {
        let warning = format!(
            "{} was edited: exported is what follows the last row that was, from line {} on",
            path.display(),
            from.1 + 1
        );
        return Ok(Plan { pieces: vec![piece(from)?], warning: Some(warning) });
    }
    let warning = format!(
        "{} is another file than the one that was exported up to line {}, and that is not among the \
         rotations beside it: this one is exported from its beginning; rows that were added to the \
         former one after that line are in no file of SQL",
        path.display(),
        bookmark.lines
    );
    Ok(Plan { pieces: vec![piece((0, 0))?], warning: Some(warning) })
}

/// What of the rotations is not exported, if one of them is the file that `bookmark` is in.
fn rotations(csv: &Path, bookmark: &Bookmark) -> anyhow::Result<Option<Vec<Piece>>> {
    let folder = csv.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = csv.file_name().unwrap_or_default();
    let cannot = || format!("cannot read {}", folder.display());
    let mut found: Vec<(_, OsString)> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let name = entry.with_context(cannot)?.file_name();
        found.extend(place(base, &name).filter(|it| it.age != Age::Live).map(|it| (it, name)));
    }
    // Oldest first; of a file and its compressed twin, the plain one, which has the shorter name.
    found.sort();
    found.dedup_by(|one, other| one.0 == other.0);
    for (at, (_, name)) in found.iter().enumerate().rev() {
        let path = folder.join(name);
        let Some(mut input) = open(&path)? else { continue };
        // What cannot be read is not the file.
        if !bookmark.is_read_from(&mut input).unwrap_or(false) {
            continue;
        }
        let mut pieces = vec![Piece { path, input, from: (bookmark.offset, bookmark.lines) }];
        for (_, name) in found.iter().skip(at + 1) {
            let path = folder.join(name);
            if let Some(input) = open(&path)? {
                pieces.push(Piece { path, input, from: (0, 0) });
            }
        }
        return Ok(Some(pieces));
    }
    Ok(None)
}

/// The uncompressed content of a rotation; `None` if it is no regular file.
fn open(path: &Path) -> anyhow::Result<Option<Box<dyn Read>>> {
    let cannot = || format!("cannot read {}", path.display());
    if !path.is_file() {
        return Ok(None);
    }
    let file = File::open(path).with_context(cannot)?;
    let (_, input) = compressed::open(file).with_context(cannot)?;
    Ok(Some(input))
}
