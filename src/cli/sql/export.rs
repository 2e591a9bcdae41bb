//! `--sql-export`: rows that no file of SQL has yet, as one file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};

use super::former::{self, Piece};
use super::publish::{self, Unfinished, cannot_write};
use super::rows::Rows;
use super::{Told, hinted, layout, make_folder, open_store, refusal};
use crate::cli::args::Args;
use crate::config::Config;
use crate::host::Host;
use crate::position::Bookmark;
use crate::report::grouped;
use crate::sql::csv_rows::{CsvRows, Next, Row};
use crate::sql::export::{Script, Tally};
use crate::sql::import::folder;
use crate::sql::value;
use crate::store::exported::Exported;
use crate::store::lock::Lock;
use crate::untrusted::for_sql;

pub(super) fn run(host: &Host, args: &Args, config: &Config) -> anyhow::Result<Told> {
    let started = Instant::now();
    let layout = layout(config)?;
    make_folder(&config.paths.state_dir)?;
    let _lock = Lock::wait(&config.paths.state_dir, &|| host.stopping()).map_err(hinted)?;
    let mut store = open_store(config)?;
    let folder = &config.database.export_dir;
    make_folder(folder)?;
    folder::check(folder).map_err(|error| refusal(&error))?;
    let done = publish::settle(&mut store, host)?;
    let csv = &config.paths.csv;
    let Some(rows) = open_csv(csv, done.is_some())? else {
        let text = format!(
            "no {} at the moment: nothing is exported until the next run makes it, rows in its rotations neither",
            csv.display()
        );
        return Ok(Told { text, well: true });
    };
    let bookmark = match &done {
        _ if args.all => None,
        Some(done) => Some(done.bookmark.clone()),
        None => former::python_bookmark(&rows, &config.paths.python_state_dirs)?,
    };
    let plan = former::plan(rows, bookmark.as_ref())?;
    let sequence = done.as_ref().map_or(1, |done| done.sequence + 1);
    let name = publish::name(host, sequence);
    let new = publish::unfinished(&mut store, folder)?;
    let cannot = || cannot_write(&new);
    let (unfinished, out) = Unfinished::create(&new).with_context(cannot)?;
    // Two machines of one name may write the same rows in the same second: their files differ all the same.
    let title = format!("{name} {}", nonce().with_context(cannot)?);
    let script = Script::new(out, config.database.engine, &layout, &title).with_context(cannot)?;
    let Some((out, tally, reached)) = write(host, script, &plan.pieces, &new)? else {
        bail!("interrupted: nothing was exported");
    };
    report_odd(&tally);
    let bookmark = reached.map(|reached| reached.bookmark()).transpose()?;
    if tally.rows == 0 {
        if let Some(bookmark) = bookmark
            && done.as_ref().is_none_or(|done| done.bookmark != bookmark)
        {
            let (path, sequence) = done.map_or_else(Default::default, |it| (it.path, it.sequence));
            store.move_bookmark(&Exported { path, sequence, bookmark }).map_err(hinted)?;
        }
        return Ok(Told { text: "nothing new to export".to_owned(), well: true });
    }
    if let Some(warning) = &plan.warning {
        log::warn!("{warning}");
    }
    let bookmark = bookmark.context("rows were written, and none was read")?;
    out.sync_all().with_context(cannot)?;
    let exported = Exported { path: folder.join(name), sequence, bookmark };
    store.promise_export(&exported).map_err(hinted)?;
    unfinished.keep();
    let exported = publish::settle(&mut store, host)?.unwrap_or(exported);
    let text = format!(
        "{} {} exported to {}; {:.2} s",
        grouped(tally.rows),
        if tally.rows == 1 { "row" } else { "rows" },
        exported.path.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(Told { text, well: true })
}

/// Opens the CSV; `None` if there is none although there was one before: it has been moved away.
fn open_csv(path: &Path, was_there: bool) -> anyhow::Result<Option<Rows>> {
    match Rows::open(path) {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.kind() == ErrorKind::NotFound && was_there => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!(
                "cannot read {}\n  hint: run maillogsentinel first, as the same user; or set \
                 `csv_filename` in section [paths]",
                path.display()
            )
        }),
    }
}

/// How far the rows of a piece were read.
struct Reached<'p> {
    rows: &'p Rows,
    place: (u64, u64),
}

impl Reached<'_> {
    fn bookmark(&self) -> anyhow::Result<Bookmark> {
        let made = self.rows.content().and_then(|mut it| Bookmark::new(&mut *it, self.place));
        made.with_context(|| format!("cannot read {}", self.rows.path.display()))
    }
}

/// Writes all pieces; gives the file, what was written, and the place that is reached: a place before
/// which there are no rows would be found in every file. `None` if the run was asked to end.
fn write<'p>(
    host: &Host,
    mut script: Script<'_, File>,
    pieces: &'p [Piece],
    new: &Path,
) -> anyhow::Result<Option<(File, Tally, Option<Reached<'p>>)>> {
    let mut row = Row::default();
    let mut reached = None;
    for Piece { rows: source, from } in pieces {
        let cannot = || format!("cannot read {}", source.path.display());
        let mut content = source.content().with_context(cannot)?;
        content.skip(from.0).with_context(cannot)?;
        let mut rows = CsvRows::new(content, *from);
        let before = script.rows();
        script.reads_from(source.path.display().to_string());
        loop {
            let lines = rows.position().1;
            match rows.next(&mut row).with_context(cannot)? {
                Next::Row if row.is_header() || row.is_blank() => {}
                Next::Row if row.line == 1 && !is_ours(&row) => bail!(
                    "{} is no CSV of failed logins: its first line is neither our header nor a row; nothing was \
                     exported\n  hint: put it right, or move it away, or set `csv_filename` in section [paths]",
                    source.path.display()
                ),
                Next::Row => {
                    script.add(&row).with_context(|| cannot_write(new))?;
                    let more = rows.position().1 - lines;
                    if more > 1 {
                        script.note(row.line, || format!("a quoted field goes over {more} lines"));
                    }
                    if row.line == 1 {
                        script.note(1, || format!("the header is missing: {BY_PLACE}"));
                    }
                }
                Next::TooLong(line) => {
                    script.note(line, || "longer than any row, and left out".to_owned());
                }
                Next::End => break,
            }
            if host.stopping() {
                return Ok(None);
            }
        }
        if script.rows() > before || from.0 > 0 {
            reached = Some(Reached { rows: source, place: rows.position() });
        }
    }
    let (out, tally) = script.finish().with_context(|| cannot_write(new))?;
    Ok(Some((out, tally, reached)))
}

/// Whether it can be a row: it has a date where that belongs.
fn is_ours(row: &Row) -> bool {
    row.field(1).is_some_and(|date| value::time(&for_sql(date)).is_some())
}

/// What holds for a CSV without its header.
const BY_PLACE: &str = "columns are taken by their place";

fn report_odd(tally: &Tally) {
    for odd in &tally.odd {
        log::warn!("{odd}");
    }
    let more = tally.odd_count - tally.odd.len() as u64;
    if more > 0 {
        log::warn!("and {} more such fields or lines", grouped(more));
    }
}

/// A number that no other file has.
fn nonce() -> std::io::Result<String> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
