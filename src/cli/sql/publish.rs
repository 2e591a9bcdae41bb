//! Puts an exported file in its place: whole or not at all, and never over another one.
//!
//! The file is written under another name, promised in the store together with the place in the CSV that
//! it goes to, renamed, and then kept there. A run that ends in between is completed by the next.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::hinted;
use crate::files;
use crate::host::Host;
use crate::store::Store;
use crate::store::exported::Exported;

const START: &str = ".maillogsentinel-";
const END: &str = ".sql.new";

/// Whether a file in `sql_export_dir` of that name is one that a run writes, or has left.
pub(in crate::cli) fn is_being_written(name: &OsStr) -> bool {
    name.as_bytes().starts_with(START.as_bytes()) && name.as_bytes().ends_with(END.as_bytes())
}

/// The file that is being written in `folder`; always the same name for one store, so that what a killed
/// run left is replaced, and another one for other stores, which may share the folder.
pub(super) fn unfinished(store: &mut Store, folder: &Path) -> anyhow::Result<PathBuf> {
    let exporter = store.exporter().map_err(hinted)?;
    Ok(folder.join(format!("{START}{exporter}{END}")))
}

/// A new file that is removed again unless it is kept.
pub(super) struct Unfinished {
    pub(super) path: PathBuf,
    is_kept: bool,
}

impl Unfinished {
    pub(super) fn create(path: &Path) -> std::io::Result<(Self, File)> {
        let file = files::create(path)?;
        Ok((Self { path: path.to_owned(), is_kept: false }, file))
    }

    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}, which is unfinished: {error}", self.path.display());
        }
    }
}

/// Completes what an earlier run has promised; gives what is exported.
pub(super) fn settle(store: &mut Store, host: &Host) -> anyhow::Result<Option<Exported>> {
    let (done, promised) = store.exported().map_err(hinted)?;
    let Some(mut promised) = promised else { return Ok(done) };
    let folder = promised.path.parent().unwrap_or(Path::new(".")).to_owned();
    let new = unfinished(store, &folder)?;
    let is_there = |path: &Path| path.try_exists().with_context(|| cannot_write(path));
    if is_there(&new)? {
        while let Err(error) = files::publish(&new, &promised.path) {
            if error.kind() != ErrorKind::AlreadyExists {
                return Err(error).with_context(|| cannot_write(&promised.path));
            }
            // Somebody else's, of the same server and second.
            promised.sequence += 1;
            promised.path = folder.join(name(host, promised.sequence));
            store.promise_export(&promised).map_err(hinted)?;
        }
    } else if !is_there(&promised.path)? {
        log::warn!(
            "{} was lost before it was in its place: its rows are exported again",
            promised.path.display()
        );
        store.forget_promised_export().map_err(hinted)?;
        return Ok(done);
    }
    let synced = File::open(&folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| cannot_write(&folder))?;
    store.keep_promised_export().map_err(hinted)?;
    Ok(Some(promised))
}

/// `20261125_090700_mx1_000042.sql`, in local time; no two files of a store have the same number.
pub(super) fn name(host: &Host, sequence: u64) -> String {
    let time = (host.now)().to_zoned(host.zone.clone());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '-' };
    let server: String = host.name.chars().map(plain).take(64).collect();
    format!("{}_{server}_{sequence:06}.sql", time.strftime("%Y%m%d_%H%M%S"))
}

pub(super) fn cannot_write(path: &Path) -> String {
    format!(
        "cannot write {}\n  hint: make room on its disk, or let the user this runs as write there, or set \
         `sql_export_dir` in section [database]; nothing is lost: the next run exports the same rows",
        path.display()
    )
}
