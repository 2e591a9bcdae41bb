//! The folder that is made for one backup; nobody else may look into it.
//!
//! It may lie in the home of a user while root fills it, so it is held open and what is done in it is
//! done by that: whoever renames it, or puts a link in its place, leads nothing elsewhere.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Zoned;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use super::home::Destination;
use super::plan::Move;

/// An open backup.
pub(super) struct Backup {
    /// Where it is.
    pub(super) path: PathBuf,
    folder: OwnedFd,
    /// The folders in it.
    inner: Vec<PathBuf>,
}

impl Backup {
    /// Makes the folder in `destination`, named for the second, with a number if there is one already.
    pub(super) fn make(destination: &Destination, time: &Zoned) -> anyhow::Result<Self> {
        let name = format!("maillogsentinel_backup_{}", time.strftime("%Y%m%d_%H%M%S"));
        let numbered = (2..).map(|number: u64| format!("{name}_{number}"));
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        let mut path = destination.parent.join(&name);
        for next in numbered {
            match builder.create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = destination.parent.join(next);
                }
                other => {
                    other.with_context(|| cannot_create(&path))?;
                    break;
                }
            }
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || -> io::Result<OwnedFd> {
            // It must last before anything that is copied into it is removed elsewhere.
            File::open(&destination.parent)?.sync_all()?;
            Ok(openat(CWD, &path, flags, Mode::empty())?)
        };
        let folder = open().with_context(|| cannot_create(&path)).inspect_err(|_| {
            let _ = std::fs::remove_dir(&path);
        })?;
        Ok(Self { path, folder, inner: Vec::new() })
    }

    /// Makes the folders that `moves` need in it.
    pub(super) fn make_room_for(&mut self, moves: &[Move]) -> anyhow::Result<()> {
        for folder in moves.iter().filter_map(|it| it.to.parent()) {
            if folder.as_os_str().is_empty() || self.inner.iter().any(|it| it == folder) {
                continue;
            }
            match mkdirat(&self.folder, folder, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => self.inner.push(folder.to_owned()),
                Err(error) => {
                    return Err(io::Error::from(error))
                        .with_context(|| cannot_create(&self.path.join(folder)));
                }
            }
        }
        Ok(())
    }

    /// The open folder.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Gives it, filled, to its owner; the files in it keep theirs.
    pub(super) fn give_to(&self, (user, group): (u32, u32)) -> io::Result<()> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for inner in &self.inner {
            let inner = openat(&self.folder, inner, flags, Mode::empty())?;
            fchown(&inner, Some(user), Some(group))?;
        }
        fchown(&self.folder, Some(user), Some(group))
    }

    /// Takes it away if nothing is in it.
    pub(super) fn remove_if_empty(self) {
        for inner in &self.inner {
            let _ = unlinkat(&self.folder, inner, AtFlags::REMOVEDIR);
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

fn cannot_create(path: &Path) -> String {
    format!(
        "cannot create the folder {}\n  hint: nothing was moved; name another folder with --backup-dir DIR",
        super::shown(path)
    )
}
