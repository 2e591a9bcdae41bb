//! Takes an installation away; what was recorded stays unless it is asked for.

use std::path::{Path, PathBuf};

use super::carry::SUFFIX;
use super::folders::recorded;
use super::plan::{ROTATIONS, STAGED};
use super::units::{DROP_IN, FOLDER, FOLLOWS, TIMERS, UNITS, are_packaged};
use super::{Change, Place, Refusal};
use crate::account;
use crate::config::{Config, DEFAULT_PATHS};
use crate::manual;

/// What is to be changed; `data` also deletes what was recorded, the configuration and the account. And
/// what stays although that was asked for: folders with files of others in them.
pub fn removal(
    config: Option<&Config>,
    place: &Place,
    data: bool,
) -> Result<(Vec<Change>, Vec<PathBuf>), Refusal> {
    let units = TIMERS.iter().chain(&[FOLLOWS]);
    let mut all: Vec<_> = units.map(|unit| Change::Disabled((*unit).to_owned())).collect();
    let mut files: Vec<PathBuf> = Vec::new();
    let folder = Path::new(FOLDER);
    files.extend(UNITS.iter().map(|(unit, _)| folder.join(format!("{unit}.d")).join(DROP_IN)));
    files.extend(UNITS.iter().map(|(unit, _)| folder.join(unit)));
    // It names the account; a package's own scripts delete it only when they do that too.
    if data || !are_packaged(place) {
        files.push(Path::new(ROTATIONS).join("maillogsentinel"));
    }
    let pages = manual::files().map_err(|error| Refusal::new(error.to_string(), ""))?;
    files.extend(pages.iter().map(|file| Path::new("/usr/local").join(file.path)));
    if place.is_staging() {
        files.extend(STAGED.iter().map(|(path, _)| PathBuf::from(path)));
    }
    files.push(PathBuf::from("/usr/local/bin/maillogsentinel"));
    // Else timers of a later setup would be late at once.
    let stamps = Path::new("/var/lib/systemd/timers");
    files.extend(TIMERS.iter().map(|timer| stamps.join(format!("stamp-{timer}"))));
    if data {
        files.extend(DEFAULT_PATHS.iter().flat_map(|path| with_backups(Path::new(path), place)));
    }
    all.extend(files.into_iter().map(|path| Change::Deleted { path }));
    all.retain(|change| !change.is_done(place));
    let is_unit =
        |change: &Change| matches!(change, Change::Deleted { path } if path.starts_with(FOLDER));
    if all.iter().any(is_unit) {
        all.push(Change::Reloaded);
    }
    let mut kept = Vec::new();
    if data {
        let account = config.map_or(account::USUAL, Config::account);
        let (folders, others) = recorded(config, account, place);
        all.extend(folders.into_iter().map(|path| Change::Emptied { path }));
        kept = others;
        // Else nobody could tell whose the rest is.
        all.extend(kept.is_empty().then(|| Change::NoAccount(account::USUAL.to_owned())));
    }
    all.retain(|change| !change.is_done(place));
    all.iter().filter_map(Change::path).try_for_each(|path| place.check(path))?;
    Ok((all, kept))
}

/// A configuration, and what setups have kept of earlier ones: passwords may be in them.
fn with_backups(path: &Path, place: &Place) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned() + SUFFIX;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let entries = std::fs::read_dir(place.at(folder)).into_iter().flatten().flatten();
    let kept = entries.map(|entry| entry.file_name());
    let kept = kept.filter(|it| it.to_string_lossy().starts_with(&name));
    let kept = kept.map(|it| folder.join(it));
    std::iter::once(path.to_owned()).chain(kept).collect()
}
