//! Installs on this machine: what is to be different is a list of changes, each with a sentence, a check
//! whether it is done already, and its undo.
//!
//! The configuration is the only thing that is asked for or read; all else follows from it, so that a
//! second run finds nothing to do. Units are those of packages: where this machine needs something else
//! (times, folders, another account), a drop-in beside them says so.

pub mod calendar;
pub mod carry;
pub mod change;
pub mod find;
pub mod folders;
mod give;
pub mod plan;
mod remove;
mod services;
pub mod text;
mod undo;
mod units;

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::programs;

pub use carry::Actions;
pub use change::Change;
pub use plan::{Wanted, plan};
pub use remove::removal;

/// Where things are put: this machine, or a folder that stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// This machine if `root` is `None`, else what is below `root`.
    pub fn new(root: Option<&Path>) -> Self {
        Self { root: root.unwrap_or(Path::new("/")).to_owned() }
    }

    /// Where `path`, which is absolute, is.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Refuses a path that leads out of a folder that stands for a machine.
    pub fn check(&self, path: &Path) -> Result<(), Refusal> {
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(Refusal::new(
                format!("{} goes up by `..`", path.display()),
                "name the folder itself",
            ));
        }
        let above = self.at(path);
        let mut above = above.ancestors().skip(1).take_while(|it| *it != self.root);
        match above.find(|folder| self.is_staging() && folder.is_symlink()) {
            Some(link) => Err(Refusal::new(
                format!(
                    "{} is a link, and may lead out of {}",
                    link.display(),
                    self.root.display()
                ),
                "stage into an empty folder",
            )),
            None => Ok(()),
        }
    }

    /// Waits for nobody: one setup at a time. `None` if another is at work.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let folder = self.at("/etc");
        let folder = if folder.is_dir() { folder } else { self.root.clone() };
        let file = File::open(folder)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nothing but files can be made: no account, no running service.
    pub fn is_staging(&self) -> bool {
        self.root != Path::new("/")
    }

    /// Whether systemd runs here.
    pub fn has_systemd(&self) -> bool {
        !self.is_staging() && programs::has_systemd()
    }
}

/// Why a change cannot be made, or a plan.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// What cannot be.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl Refusal {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// An error of the system, with what was being done.
fn io_error(action: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {action} {}: {error}", path.display()))
}
