//! Opens and places files so that nothing makes us wait, and nobody else's file is followed or replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

/// A pipe that is opened with it does not wait for a writer.
const NOT_WAITING: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// Opens a regular file for reading; a pipe, a device or a folder is an error.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(NOT_WAITING).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Opens a regular file or a folder, not what a link leads to.
pub fn open_itself(path: &Path) -> io::Result<File> {
    let flags = NOT_WAITING | OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() || meta.is_dir() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a regular file nor a folder"))
    }
}

/// Reads a regular file of at most `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it is larger than {} KiB", most / 1024);
        return Err(io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Makes a new file that its group may read. What an earlier run left in its place goes, and if that
/// is a link, nothing of where it leads.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).mode(0o640).open(path),
    }
}

/// Gives `from` the name `to`; [`ErrorKind::AlreadyExists`] if another file has it.
pub fn publish(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise not to replace.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        other => return Ok(other?),
    }
    match fs::hard_link(from, to) {
        // A run that ended between the two steps below has left both names.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && !is_same(from, to) => Err(error),
        // Nor one that knows of second names.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            if to.try_exists()? {
                Err(ErrorKind::AlreadyExists.into())
            } else {
                fs::rename(from, to)
            }
        }
        _ => fs::remove_file(from),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether services do not see what is at `path`, by `ProtectHome=` (systemd.exec(5)).
pub fn is_in_a_home(path: &Path) -> bool {
    ["/home", "/root", "/run/user"].iter().any(|home| path.starts_with(home))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [&pipe, folder.path(), Path::new("/dev/null")] {
            let error = open(path).unwrap_err().to_string();
            assert_eq!(error, "it is not a regular file");
        }
        let file = folder.path().join("file");
        create(&file).unwrap().set_len(2000).unwrap();
        assert_eq!(read(&file, 2000).unwrap().len(), 2000);
        assert_eq!(read(&file, 1999).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn nothing_is_followed_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [new, target, name] = ["new", "target", "name"].map(|name| folder.path().join(name));
        create(&target).unwrap().write_all(b"kept").unwrap();
        std::os::unix::fs::symlink(&target, &new).unwrap();
        drop(create(&new).unwrap());
        assert!(!new.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        assert_eq!(publish(&new, &target).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        publish(&new, &name).unwrap();
        assert!(name.exists() && !new.exists());
    }
}
