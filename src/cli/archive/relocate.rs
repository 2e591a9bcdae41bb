//! Moves one file so that it is at one of the two places, whole, whenever it is looked at.
//!
//! Within a file system that is a rename. Between two, the file is copied under another name, brought
//! to the disk, and renamed; only then is the original removed. A kill in between leaves it at both.

use std::ffi::OsString;
use std::fs::{File, FileTimes, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

/// A path, relative to an open folder unless it is absolute.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) folder: BorrowedFd<'a>,
    pub(super) path: &'a Path,
}

/// Moves the file at `from`; what is at `to` already is never replaced. After an error it is where
/// it was.
pub(super) fn relocate(
    from: Place<'_>,
    to: Place<'_>,
    stopping: &dyn Fn() -> bool,
) -> io::Result<()> {
    match rename(from, to) {
        Err(Errno::XDEV) => copy_and_remove(from, to, stopping),
        other => Ok(other?),
    }
}

fn rename(from: Place<'_>, to: Place<'_>) -> rustix::io::Result<()> {
    let (old, new) = ((from.folder, from.path), (to.folder, to.path));
    match renameat_with(old.0, old.1, new.0, new.1, RenameFlags::NOREPLACE) {
        // A file system that cannot promise not to replace.
        Err(Errno::INVAL | Errno::NOSYS) => match statat(new.0, new.1, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => renameat(old.0, old.1, new.0, new.1),
            Ok(_) => Err(Errno::EXIST),
            Err(error) => Err(error),
        },
        other => other,
    }
}

fn copy_and_remove(from: Place<'_>, to: Place<'_>, stopping: &dyn Fn() -> bool) -> io::Result<()> {
    let partial = partial(to.path);
    let partial = Place { path: &partial, ..to };
    let remove = |place: Place<'_>| Ok(unlinkat(place.folder, place.path, AtFlags::empty())?);
    // One that was killed.
    let _: io::Result<()> = remove(partial);
    let before = copy(from, partial, stopping).and_then(|before| {
        rename(partial, to)?;
        Ok(before)
    });
    let before = before.inspect_err(|_| {
        let _: io::Result<()> = remove(partial);
    })?;
    let removed = sync_folder(to).and_then(|()| {
        if state(&File::from(open(from)?).metadata()?) != before {
            return Err(io::Error::other("it changed while it was copied"));
        }
        remove(from)
    });
    removed.inspect_err(|_| {
        let _: io::Result<()> = remove(to);
    })
}

/// `.name.partial` for `name`.
fn partial(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

/// Few enough to be copied while somebody waits for Ctrl-C to help.
const PIECE_BYTES: u64 = 16 << 20;

/// Copies a file with its owner, mode and times to a place where there is none, and to the disk; gives
/// its state.
fn copy(from: Place<'_>, to: Place<'_>, stopping: &dyn Fn() -> bool) -> io::Result<State> {
    let mut source = File::from(open(from)?);
    let before = source.metadata()?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut target = File::from(openat(to.folder, to.path, flags, Mode::RUSR | Mode::WUSR)?);
    while io::copy(&mut source.by_ref().take(PIECE_BYTES), &mut target)? > 0 {
        if stopping() {
            return Err(io::Error::new(ErrorKind::Interrupted, "interrupted"));
        }
    }
    // Only root can give a file away; of others the copy is their own.
    let _ = fchown(&target, Some(before.uid()), Some(before.gid()));
    target.set_permissions(before.permissions())?;
    let times = FileTimes::new().set_accessed(before.accessed()?).set_modified(before.modified()?);
    target.set_times(times)?;
    target.sync_all()?;
    Ok(state(&before))
}

fn open(place: Place<'_>) -> rustix::io::Result<OwnedFd> {
    openat(place.folder, place.path, OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Device, inode, size and time.
type State = (u64, u64, u64, i64, i64);

/// What changes when somebody writes to a file, or puts another one in its place.
fn state(meta: &Metadata) -> State {
    (meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec())
}

/// Brings the name of `place` to the disk.
pub(super) fn sync_folder(place: Place<'_>) -> io::Result<()> {
    let parent = place.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(place.folder, parent.unwrap_or(Path::new(".")), flags, Mode::empty())?;
    File::from(folder).sync_all()
}
