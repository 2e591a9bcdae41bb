//! `--sql-export`: rows that no file of SQL has yet, as one file that is there whole or not at all.
//!
//! The file is written under another name, promised in the store together with the place in the CSV
//! that it goes to, renamed, and then kept there. A run that ends in between is completed by the next.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use super::former::{self, Piece};
use super::{Told, hinted, layout, make_folder, open_store};
use crate::cli::args::Args;
use crate::config::Config;
use crate::host::Host;
use crate::position::Bookmark;
use crate::report::grouped;
use crate::sql::csv_rows::{CsvRows, Next, Row};
use crate::sql::export::{Script, Tally};
use crate::store::Store;
use crate::store::exported::Exported;
use crate::store::lock::Lock;

/// The file that is being written; always the same name, so that what a killed run left is replaced.
pub(in crate::cli) const NEW: &str = ".maillogsentinel.sql.new";

pub(super) fn run(host: &Host, args: &Args, config: &Config) -> anyhow::Result<Told> {
    let started = Instant::now();
    let layout = layout(config)?;
    make_folder(&config.paths.state_dir)?;
    let _lock = Lock::wait(&config.paths.state_dir).map_err(hinted)?;
    let mut store = open_store(config)?;
    let folder = &config.database.export_dir;
    make_folder(folder)?;
    let done = settle(&mut store, folder)?;
    let csv = &config.paths.csv;
    let Some(file) = open_csv(csv, done.is_some())? else {
        let text = format!("no {} at the moment: nothing to export", csv.display());
        return Ok(Told { text, well: true });
    };
    let bookmark = match &done {
        _ if args.all => None,
        Some(done) => Some(done.bookmark.clone()),
        None => former::python_bookmark(csv, &file, &config.paths.python_state_dirs)?,
    };
    let plan = former::plan(csv, &file, bookmark.as_ref())?;
    if let Some(warning) = &plan.warning {
        log::warn!("{warning}");
    }
    let sequence = done.as_ref().map_or(1, |done| done.sequence + 1);
    let name = name(host, sequence);
    let new = folder.join(NEW);
    let cannot = || cannot_write(&new);
    let out = create(&new).with_context(cannot)?;
    // Two machines of one name may write the same rows in the same second: their files differ all the same.
    let title = format!("{name} {}", nonce().with_context(cannot)?);
    let script = Script::new(out, config.database.engine, &layout, &title).with_context(cannot)?;
    let written = write(host, script, plan.pieces, &new)?;
    let Some((out, tally, end)) = written else {
        remove(&new)?;
        bail!("interrupted: nothing was exported");
    };
    let bookmark =
        Bookmark::new(&file, end).with_context(|| format!("cannot read {}", csv.display()))?;
    let exported = Exported { path: folder.join(&name), sequence, bookmark };
    report_odd(&tally);
    if tally.rows == 0 {
        drop(out);
        remove(&new)?;
        let path = done.as_ref().map_or_else(PathBuf::new, |done| done.path.clone());
        let unmoved = done.as_ref().is_some_and(|done| done.bookmark == exported.bookmark);
        if !unmoved {
            let to = Exported { path, sequence: sequence - 1, ..exported };
            store.move_bookmark(&to).map_err(hinted)?;
        }
        return Ok(Told { text: "nothing new to export".to_owned(), well: true });
    }
    out.sync_all().with_context(cannot)?;
    store.promise_export(&exported).map_err(hinted)?;
    settle(&mut store, folder)?;
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
fn open_csv(path: &Path, was_there: bool) -> anyhow::Result<Option<File>> {
    match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|meta| meta.is_file()) => Ok(Some(file)),
        Ok(_) => bail!("{} is not a regular file", path.display()),
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

/// Completes what an earlier run has promised; gives what is exported.
fn settle(store: &mut Store, folder: &Path) -> anyhow::Result<Option<Exported>> {
    let (done, promised) = store.exported().map_err(hinted)?;
    let Some(promised) = promised else { return Ok(done) };
    let its_folder = promised.path.parent().unwrap_or(folder);
    let new = its_folder.join(NEW);
    if !promised.path.exists() {
        if !new.exists() {
            log::warn!(
                "{} was lost before it was in its place: its rows are exported again",
                promised.path.display()
            );
            store.forget_promised_export().map_err(hinted)?;
            return Ok(done);
        }
        std::fs::rename(&new, &promised.path).with_context(|| cannot_write(&promised.path))?;
    }
    File::open(its_folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| cannot_write(its_folder))?;
    store.keep_promised_export().map_err(hinted)?;
    Ok(Some(promised))
}

/// Writes all pieces; gives the file, what was written, and the place in the CSV that is reached.
/// `None` if the run was asked to end.
#[expect(clippy::type_complexity, reason = "used once, just above")]
fn write(
    host: &Host,
    mut script: Script<'_, File>,
    pieces: Vec<Piece>,
    new: &Path,
) -> anyhow::Result<Option<(File, Tally, (u64, u64))>> {
    let mut row = Row::default();
    let mut end = (0, 0);
    for piece in pieces {
        let mut rows = CsvRows::new(piece.input, piece.from);
        loop {
            let next = rows.next(&mut row);
            match next.with_context(|| format!("cannot read {}", piece.path.display()))? {
                Next::Row if row.is_header() || row.is_blank() => {}
                Next::Row => script.add(&row).with_context(|| cannot_write(new))?,
                Next::TooLong(line) => {
                    script.note(|| format!("line {line} is longer than any row, and is left out"));
                }
                Next::End => break,
            }
            if host.stopping() {
                return Ok(None);
            }
        }
        end = rows.position();
    }
    let (out, tally) = script.finish().with_context(|| cannot_write(new))?;
    Ok(Some((out, tally, end)))
}

fn report_odd(tally: &Tally) {
    for odd in &tally.odd {
        log::warn!("{odd}");
    }
    let more = tally.odd_count - tally.odd.len() as u64;
    if more > 0 {
        log::warn!("and {} more such fields or lines", grouped(more));
    }
}

/// `20261125_090700_mx1_000042.sql`, in local time; no two files have the same number.
fn name(host: &Host, sequence: u64) -> String {
    let time = (host.now)().to_zoned(host.zone.clone());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '-' };
    let server: String = host.name.chars().map(plain).take(64).collect();
    format!("{}_{server}_{sequence:06}.sql", time.strftime("%Y%m%d_%H%M%S"))
}

/// A number that no other file has.
fn nonce() -> std::io::Result<String> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    // What is in it is what is in the CSV.
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(path)?;
    file.flush()?;
    Ok(file)
}

fn remove(path: &Path) -> anyhow::Result<()> {
    std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

fn cannot_write(path: &Path) -> String {
    format!(
        "cannot write {}\n  hint: make room on its disk, or let the user this runs as write there, or set \
         `sql_export_dir` in section [database]; nothing is lost: the next run exports the same rows",
        path.display()
    )
}
