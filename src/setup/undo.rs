//! What takes a change back.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use super::carry::run;
use crate::{account, files};

/// What a step back has done, in words.
#[derive(Debug)]
pub(super) enum Taken {
    /// There was nothing to take back.
    Nothing,
    Back(String),
    /// It stays, on purpose.
    Kept(String),
}

/// One step back.
#[derive(Debug)]
pub(super) enum Undo {
    /// Deletes a file that was made.
    File(PathBuf),
    /// Deletes a folder that was made, unless there is something in it by now.
    Folder(PathBuf),
    /// Writes a file again that was deleted.
    Content { path: PathBuf, bytes: Vec<u8>, mode: u32 },
    /// Gives a file back its name.
    Name { from: PathBuf, to: PathBuf },
    /// Gives a file back to whose it was, if it is still that file.
    Owner { path: PathBuf, identity: (u64, u64), user: u32, group: u32, mode: u32 },
    /// Makes a link again.
    Link { at: PathBuf, target: PathBuf },
    /// Deletes an account that was made.
    Account(String),
    /// Runs a command.
    Run(Vec<String>),
}

impl Undo {
    pub(super) fn run(words: &[&str]) -> Self {
        Self::Run(words.iter().map(|word| (*word).to_owned()).collect())
    }

    pub(super) fn own(path: &Path, meta: &Metadata) -> Self {
        let (identity, mode) = ((meta.dev(), meta.ino()), meta.mode() & 0o7777);
        Self::Owner { path: path.to_owned(), identity, user: meta.uid(), group: meta.gid(), mode }
    }

    /// Takes the step.
    pub(super) fn take(&self) -> io::Result<Taken> {
        let told = |what: &str, path: &Path| Taken::Back(format!("{what} {}", path.display()));
        match self {
            Self::File(path) => match fs::remove_file(path) {
                Err(error) if is_nothing(&error) => Ok(Taken::Nothing),
                other => other.map(|()| told("deleted", path)),
            },
            Self::Folder(path) => match fs::remove_dir(path) {
                Err(error) if is_nothing(&error) => Ok(Taken::Nothing),
                // What was recorded meanwhile is not ours to delete.
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                    Ok(Taken::Kept(format!("{}, for there is something in it", path.display())))
                }
                other => other.map(|()| told("deleted", path)),
            },
            Self::Content { path, bytes, mode } => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                files::create(path)?.write_all(bytes)?;
                fs::set_permissions(path, fs::Permissions::from_mode(*mode))?;
                Ok(told("put back", path))
            }
            Self::Name { from, to } => match fs::rename(from, to) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Taken::Nothing),
                Ok(()) => {
                    // Two names of one file are left as they are by rename(2).
                    let _ = fs::remove_file(from);
                    Ok(told("put back", to))
                }
                Err(error) => Err(error),
            },
            Self::Owner { path, identity, user, group, mode } => {
                let file = files::open_itself(path)?;
                let meta = file.metadata()?;
                if (meta.dev(), meta.ino()) != *identity {
                    let what = format!("{} is another file by now", path.display());
                    return Err(io::Error::other(what));
                }
                fchown(&file, Some(*user), Some(*group))?;
                file.set_permissions(fs::Permissions::from_mode(*mode))?;
                Ok(told("given back", path))
            }
            Self::Link { at, target } => match symlink(target, at) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Taken::Nothing),
                other => other.map(|()| told("put back", at)),
            },
            Self::Account(name) => undo_account(name),
            Self::Run(words) => {
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                run(&words)?;
                Ok(Taken::Back(words.join(" ")))
            }
        }
    }
}

/// Whether there was nothing to take back.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ReadOnlyFilesystem)
}

fn undo_account(name: &str) -> io::Result<Taken> {
    let Some(account) = account::local(name)? else { return Ok(Taken::Nothing) };
    // What the first run wrote stays, and so does whose it is.
    if fs::metadata(&account.home).is_ok_and(|home| home.uid() == account.user) {
        return Ok(Taken::Kept(format!("the account {name}, for it has files")));
    }
    run(&["userdel", name])?;
    Ok(Taken::Back(format!("deleted the account {name}")))
}
