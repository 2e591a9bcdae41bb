//! The files of SQL that wait in a folder, and whether they may be trusted.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files;
use crate::position::Stamp;
use crate::untrusted::for_csv;

/// Why a folder or a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Anybody could put statements there that would be run with our rights.
    #[error("{} can be written to by everybody: nothing there is trusted", .0.display())]
    WorldWritable(PathBuf),
    /// It stands somewhere else, where others may write.
    #[error("{} is a link: nothing there is trusted", .0.display())]
    Link(PathBuf),
    /// The system said no.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FolderError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::WorldWritable(path) => {
                Some(format!("look at what is in it, then: chmod o-w {}", path.display()))
            }
            Self::Link(_) => Some("put the file itself there".to_owned()),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "set `sql_export_dir` in section [database]; --sql-export makes the folder"
                    .to_owned(),
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("let the user this runs as read it".to_owned())
            }
            Self::Io { .. } => Some("mend it, or move it away".to_owned()),
        }
    }
}

/// A file of SQL.
#[derive(Debug)]
pub struct SqlFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name as the database keeps it.
    pub name: String,
}

/// Whether what is in `folder` may be trusted: not if everybody can put files there.
pub fn check(folder: &Path) -> Result<(), FolderError> {
    let meta = std::fs::metadata(folder);
    let meta = meta.map_err(|source| FolderError::Io { path: folder.to_owned(), source })?;
    if meta.mode() & 0o002 != 0 {
        return Err(FolderError::WorldWritable(folder.to_owned()));
    }
    Ok(())
}

/// The files of `folder` whose names end in `.sql`, in the order of their names.
pub fn files(folder: &Path) -> Result<Vec<SqlFile>, FolderError> {
    let cannot = |source| FolderError::Io { path: folder.to_owned(), source };
    check(folder)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let name: OsString = entry.map_err(cannot)?.file_name();
        let bytes = name.as_bytes();
        // A name that starts with a dot is of a file that is being written.
        if bytes.ends_with(b".sql") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable();
    let file = |name: OsString| SqlFile {
        path: folder.join(&name),
        name: for_csv(name.as_bytes()).into_owned(),
    };
    Ok(names.into_iter().map(file).collect())
}

/// Opens a file if it may be trusted; what is checked is what is read.
pub fn open(path: &Path) -> Result<(File, Stamp), FolderError> {
    let cannot = |source| FolderError::Io { path: path.to_owned(), source };
    if path.is_symlink() {
        return Err(FolderError::Link(path.to_owned()));
    }
    let file = files::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if meta.mode() & 0o002 != 0 {
        return Err(FolderError::WorldWritable(path.to_owned()));
    }
    let modified_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
    let stamp = Stamp { device: meta.dev(), inode: meta.ino(), size: meta.size(), modified_ns };
    Ok((file, stamp))
}
