//! Gives a folder to the account, as what an attacker may have put there deserves.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

use super::carry::Actions;
use super::io_error;
use super::undo::Undo;

/// Gives away a folder and what is in it, from above, so that nobody can put another file in the place
/// of one. Links, and files that have other names elsewhere, stay whose they are.
pub(super) fn give(
    path: &Path,
    file: &File,
    (user, group): (u32, u32),
    actions: &mut Actions<'_>,
) -> io::Result<()> {
    let failed = |error| io_error("give away", path, &error);
    let meta = file.metadata().map_err(failed)?;
    if meta.is_file() && meta.nlink() > 1 {
        actions.record(&format!("left alone, for it has other names: {}", path.display()));
        return Ok(());
    }
    actions.noted(Undo::own(path, &meta));
    fchown(file, Some(user), Some(group)).map_err(failed)?;
    // Names and addresses are for the account and its group only.
    let mode = fs::Permissions::from_mode(meta.mode() & 0o7770);
    file.set_permissions(mode).map_err(failed)?;
    if meta.is_file() {
        return Ok(());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::RDONLY | OFlags::CLOEXEC;
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_file() || kind.is_dir() {
            let opened = openat(file, entry.file_name(), flags, Mode::empty());
            let opened = opened.map_err(|error| failed(error.into()))?;
            give(&entry.path(), &File::from(opened), (user, group), actions)?;
        }
    }
    Ok(())
}
