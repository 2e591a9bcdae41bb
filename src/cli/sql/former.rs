//! Finds what of the CSV was not exported yet, also when it was rotated, moved or edited meanwhile.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::rows::{self, Rows, cannot_read};
use crate::position::Bookmark;
use crate::sql::csv_rows::{CsvRows, Next, Row};
use crate::sql::edited::{self, Doubt};

/// A stretch of rows.
pub(super) struct Piece {
    pub(super) rows: Rows,
    /// Bytes and lines of the file before it.
    pub(super) from: (u64, u64),
}

impl Piece {
    fn whole(rows: Rows) -> Self {
        Self { rows, from: (0, 0) }
    }

    fn after(rows: Rows, bookmark: &Bookmark) -> Self {
        Self { rows, from: (bookmark.offset, bookmark.lines) }
    }
}

/// What is to be exported.
pub(super) struct Plan {
    /// The stretches, in their order.
    pub(super) pieces: Vec<Piece>,
    /// What an administrator should know if there are rows in them.
    pub(super) warning: Option<String>,
}

/// Where the Python program noted how many bytes of the CSV it had exported, in its state folder.
pub(in crate::cli) const PYTHON_OFFSET: &str = "sql_state.offset";

/// The place up to which the Python program has exported the CSV, if it has.
pub(super) fn python_bookmark(
    csv: &Rows,
    state_dirs: &[PathBuf],
) -> anyhow::Result<Option<Bookmark>> {
    let Some(note) = state_dirs.iter().map(|dir| dir.join(PYTHON_OFFSET)).find(|it| it.is_file())
    else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&note);
    let offset: Option<u64> = text.ok().and_then(|text| text.trim().parse().ok());
    let cannot = || cannot_read(&csv.path);
    let mut rows = CsvRows::new(csv.content().with_context(cannot)?, (0, 0));
    let (mut row, mut has_rows) = (Row::default(), false);
    // Where a row ends, or it is of another file.
    while offset.is_some_and(|offset| offset > rows.position().0)
        && rows.next(&mut row).with_context(cannot)? != Next::End
    {
        has_rows |= !row.is_header() && !row.is_blank();
    }
    if offset != Some(rows.position().0) {
        log::warn!(
            "{} does not hold a place in {}: all of that is exported, with the rotations beside it",
            note.display(),
            csv.path.display()
        );
    } else if has_rows {
        let content = &mut *csv.content().with_context(cannot)?;
        return Bookmark::new(content, rows.position()).map(Some).with_context(cannot);
    }
    Ok(None)
}

/// What follows `bookmark`, in the CSV or in the rotations beside it; all of them without one.
pub(super) fn plan(csv: Rows, bookmark: Option<&Bookmark>) -> anyhow::Result<Plan> {
    let path = csv.path.clone();
    if let Some(bookmark) = bookmark
        && csv.has(bookmark).with_context(|| cannot_read(&path))?
    {
        return Ok(Plan { pieces: vec![Piece::after(csv, bookmark)], warning: None });
    }
    let files = rows::all(csv)?;
    let Some(bookmark) = bookmark else { return whole_plan(files, &path) };
    let (holders, mut later) = holders(files, bookmark)?;
    if !holders.is_empty() {
        let holders = holders.into_iter().map(|rows| Piece::after(rows, bookmark));
        let pieces = holders.chain(later.into_iter().map(Piece::whole)).collect();
        return Ok(Plan { pieces, warning: None });
    }
    if let Some(at) = later.iter().position(|rows| rows.path == path) {
        let csv = later.remove(at);
        let cannot = || cannot_read(&path);
        let content = csv.content().with_context(cannot)?;
        if let Some(found) = edited::find(bookmark, content).with_context(cannot)? {
            return Ok(edited_plan(csv, found));
        }
        return another_plan(Some(csv), later, (&path, bookmark));
    }
    another_plan(None, later, (&path, bookmark))
}

/// All rows of the CSV and of its rotations; but not of rotations from the time that the CSV itself is of: the
/// logs were read again since, and it has their rows.
fn whole_plan(files: Vec<Rows>, csv: &Path) -> anyhow::Result<Plan> {
    let time = |rows: &Rows| {
        let time = rows.content().and_then(edited::first_time);
        time.with_context(|| cannot_read(&rows.path))
    };
    let of_csv = files.iter().find(|rows| rows.path == csv).map(time).transpose()?.flatten();
    let (mut pieces, mut left) = (Vec::new(), Vec::new());
    for rows in files {
        let is_again = rows.path != csv && of_csv.is_some() && time(&rows)? > of_csv;
        if is_again {
            left.push(rows.path.display().to_string());
        } else {
            pieces.push(Piece::whole(rows));
        }
    }
    let warning = format!(
        "not exported: {}, for it begins later than {}, which was written anew from the logs and has its \
         rows\n  hint: if it has others, rename the CSV to a rotation too, and run --sql-export --all after \
         the next run",
        left.join(", "),
        csv.display()
    );
    Ok(Plan { pieces, warning: Some(warning).filter(|_| !left.is_empty()) })
}

/// What follows the place that was found in an edited CSV.
fn edited_plan(csv: Rows, found: edited::Found) -> Plan {
    let twice = match found.doubt {
        Some(Doubt::Several) => {
            "; several places would fit, this is the first of them, and rows may come twice"
        }
        Some(Doubt::Changed) => {
            "; of the rows exported last some are not there as they were, and those that were changed come twice"
        }
        None => "",
    };
    let warning = format!(
        "{} was edited: exported is what follows the last row that was, from line {} on{twice}",
        csv.path.display(),
        found.place.1 + 1
    );
    Plan { pieces: vec![Piece { rows: csv, from: found.place }], warning: Some(warning) }
}

/// All of the CSV, which is another file than the one that was exported, and the rotations that are
/// later than that.
fn another_plan(
    csv: Option<Rows>,
    rotations: Vec<Rows>,
    (path, bookmark): (&Path, &Bookmark),
) -> anyhow::Result<Plan> {
    let mut later = Vec::new();
    for rows in rotations {
        let cannot = || cannot_read(&rows.path);
        let content = rows.content().with_context(cannot)?;
        if edited::is_later(bookmark, content).with_context(cannot)? {
            later.push(rows);
        }
    }
    let others = if later.is_empty() { "" } else { ", after the rotations that are later" };
    let warning = format!(
        "{} is not the file that was exported up to line {}, or was edited there, and that file is not \
         among the rotations beside it: this one is exported from its beginning{others}. Rows that were \
         added to the other file after that line are in no file of SQL; rows of this one that were exported \
         before come twice\n  hint: if there are such rows, and the CSV and its rotations still hold all that the \
         database has, empty the table and run --sql-export --all",
        path.display(),
        bookmark.lines
    );
    later.extend(csv);
    Ok(Plan { pieces: later.into_iter().map(Piece::whole).collect(), warning: Some(warning) })
}

/// Those of `files` that have the place in them, one unless there is an odd copy, and those that are later;
/// all of them if none has it.
///
/// One that cannot be read may hold rows that are missing, unless it is older than the place.
fn holders(files: Vec<Rows>, bookmark: &Bookmark) -> anyhow::Result<(Vec<Rows>, Vec<Rows>)> {
    let (mut holders, mut later, mut unread) = (Vec::new(), Vec::new(), None);
    for rows in files {
        match rows.has(bookmark) {
            Ok(true) => {
                if holders.is_empty() {
                    // Those before it are older.
                    later.clear();
                    unread = None;
                }
                holders.push(rows);
            }
            Ok(false) => later.push(rows),
            Err(error) => unread = Some(anyhow!(error).context(cannot_read(&rows.path))),
        }
    }
    unread.map_or(Ok((holders, later)), Err)
}
