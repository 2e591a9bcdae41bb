//! Does what the plan says, or undoes what of it was done.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use rustix::fs::{CWD, statvfs};

use super::backup::Backup;
use super::home::{Destination, may_change};
use super::plan::{Move, WHO};
use super::relocate::{Place, relocate, sync_folder};
use crate::host::Host;
use crate::report::grouped;

/// Finds what would be in the way, before anything is touched.
pub(super) fn check(moves: &[Move], destination: &Destination) -> anyhow::Result<()> {
    let folders: BTreeSet<&Path> = moves.iter().filter_map(|it| it.from.parent()).collect();
    for folder in folders {
        if let Err(error) = may_change(folder) {
            bail!(
                "user {} cannot move files out of {}: {error}\n  hint: {WHO}",
                Host::user_name(),
                super::shown(folder)
            );
        }
    }
    let parent = &destination.parent;
    let cannot = || format!("cannot look at {}", super::shown(parent));
    let device = std::fs::metadata(parent).with_context(cannot)?.dev();
    let mut needed = 0;
    for Move { from, .. } in moves {
        let meta = std::fs::metadata(from)
            .with_context(|| format!("cannot look at {}", super::shown(from)))?;
        needed += if meta.dev() == device { 0 } else { meta.size() };
    }
    let disk = statvfs(parent).map_err(io::Error::from).with_context(cannot)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > free {
        bail!(
            "the backup takes {} bytes in {}, and {} are free there\n  hint: make room, or name a folder on \
             another disk with --backup-dir DIR; nothing was moved",
            grouped(needed),
            super::shown(parent),
            grouped(free)
        );
    }
    Ok(())
}

/// Makes all moves, or none if one fails. What could not be moved back either is named in the error.
pub(super) fn carry(
    moves: &[Move],
    backup: &mut Backup,
    stopping: &dyn Fn() -> bool,
) -> anyhow::Result<()> {
    backup.make_room_for(moves)?;
    let backup = &*backup;
    for (at, next) in moves.iter().enumerate() {
        let done = if stopping() {
            Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"))
        } else {
            relocate(original(&next.from), archived(backup, &next.to), stopping)
        };
        if let Err(error) = done {
            let before = moves.get(..at).unwrap_or_default();
            return Err(refusal(next, &error, &undo(before, backup), backup));
        }
    }
    // A rename reaches the disk by itself, some time; then it shall have.
    let ends = moves.iter().flat_map(|it| [original(&it.from), archived(backup, &it.to)]);
    for end in ends {
        sync_folder(end).with_context(|| {
            format!("all is in {}, and cannot be brought to the disk", super::shown(&backup.path))
        })?;
    }
    Ok(())
}

fn original(path: &Path) -> Place<'_> {
    Place { folder: CWD, path }
}

fn archived<'a>(backup: &'a Backup, path: &'a Path) -> Place<'a> {
    Place { folder: backup.folder(), path }
}

/// Moves back what was moved, the last first; gives what stays in the backup.
fn undo<'m>(done: &'m [Move], backup: &Backup) -> Vec<(&'m Path, PathBuf)> {
    let stranded = done
        .iter()
        .rev()
        .filter(|it| relocate(archived(backup, &it.to), original(&it.from), &|| false).is_err());
    stranded.map(|it| (it.from.as_path(), backup.path.join(&it.to))).collect()
}

fn refusal(
    failed: &Move,
    error: &io::Error,
    stranded: &[(&Path, PathBuf)],
    backup: &Backup,
) -> anyhow::Error {
    let to = backup.path.join(&failed.to);
    let mut text =
        format!("cannot move {} to {}: {error}", super::shown(&failed.from), super::shown(&to));
    let cure = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or name a folder on another disk with --backup-dir DIR"
        }
        io::ErrorKind::Interrupted => "run it again",
        _ => "see that reason, and run it again",
    };
    if stranded.is_empty() {
        text += "; everything is where it was";
        return anyhow!("{text}\n  hint: {cure}");
    }
    for (from, to) in stranded {
        let _ = write!(text, "; {} is now {}", super::shown(from), super::shown(to));
    }
    anyhow!("{text}\n  hint: {cure}, which moves the rest; nothing is lost")
}
