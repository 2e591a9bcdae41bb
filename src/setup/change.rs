//! One change: what it is in words, whether it is done already, and how it is made.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::carry::{Actions, run};
use super::give::give;
use super::undo::Undo;
use super::units::{FOLDER, FOLLOWS, PACKAGED};
use super::{Place, io_error};
use crate::{account, files};

/// A change. Paths are absolute; [`Place`] says where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is a system account.
    Account(String),
    /// It is in a group.
    Member {
        /// The account.
        account: String,
        /// The group.
        group: String,
    },
    /// There is a folder.
    Folder {
        /// Where.
        path: PathBuf,
        /// The account that it is made for; root if `None`.
        owner: Option<String>,
    },
    /// A folder of another user's, with all that is in it, becomes the account's.
    Give {
        /// Where.
        path: PathBuf,
        /// Whose it becomes.
        account: String,
    },
    /// A file has this content; what was there before is kept under another name.
    File {
        /// Where.
        path: PathBuf,
        /// What is in it.
        bytes: Vec<u8>,
        /// Its mode, if it is new.
        mode: u32,
        /// The account whose group may read it; root's if `None`.
        reader: Option<String>,
        /// What it is.
        what: &'static str,
    },
    /// The account may read a file.
    Readable {
        /// Where.
        path: PathBuf,
        /// Who.
        account: String,
    },
    /// A file is out of the way, under another name.
    Aside {
        /// Where.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// A file is not there.
    Deleted {
        /// Where.
        path: PathBuf,
    },
    /// A folder is not there, with all that is in it.
    Emptied {
        /// Where.
        path: PathBuf,
    },
    /// There is no such account.
    NoAccount(String),
    /// systemd has read its units again.
    Reloaded,
    /// A timer is started at each boot, and runs.
    Enabled(String),
    /// It is not, and does not.
    Disabled(String),
    /// It runs with what is new for it.
    Restarted(String),
}

/// Where the account is at home.
pub(super) const HOME: &str = "/var/lib/maillogsentinel";
/// Where links to timers are that boot starts.
pub(super) const WANTS: &str = "/etc/systemd/system/timers.target.wants";

impl Change {
    /// It in words, as `shown` shows paths.
    pub fn sentence(&self, shown: &dyn Fn(&Path) -> String) -> String {
        match self {
            Self::Account(name) => {
                format!("make the system account {name}, which nobody can log in to")
            }
            Self::Member { account, group } => {
                let what = if group == "systemd-journal" { "the journal" } else { "the log" };
                format!("add {account} to the group {group}, to read {what}")
            }
            Self::Folder { path, owner } => match owner {
                Some(owner) => format!("make the folder {} for {owner} only", shown(path)),
                None => format!("make the folder {}", shown(path)),
            },
            Self::Give { path, account } => {
                format!("give {}, with all that is in it, to {account}", shown(path))
            }
            Self::File { path, what, .. } => format!("write {what}: {}", shown(path)),
            Self::Readable { path, account } => format!("let {account} read {}", shown(path)),
            Self::Aside { path, why } => format!("rename {}: {why}", shown(path)),
            Self::Deleted { path } => format!("delete {}", shown(path)),
            Self::Emptied { path } => format!("DELETE {} AND ALL THAT IS IN IT", shown(path)),
            Self::NoAccount(name) => format!("delete the account {name}"),
            Self::Reloaded => "let systemd read its units again".to_owned(),
            Self::Enabled(unit) => format!("start {unit}, now and at each boot"),
            Self::Disabled(unit) => format!("stop {unit}, for good"),
            Self::Restarted(unit) if unit == FOLLOWS => format!("restart {unit}, for what is new"),
            Self::Restarted(unit) => format!("restart {unit}, for its new times"),
        }
    }

    /// The path that it is about, if it is about one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder { path, .. }
            | Self::Give { path, .. }
            | Self::File { path, .. }
            | Self::Readable { path, .. }
            | Self::Aside { path, .. }
            | Self::Deleted { path }
            | Self::Emptied { path } => Some(path),
            _ => None,
        }
    }

    /// Whether a list for people may name the first of both only.
    pub fn goes_with(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::File { what, .. }, Self::File { what: other, .. }) => what == other,
            (Self::Deleted { path }, Self::Deleted { path: other }) => {
                path.starts_with(FOLDER) && other.starts_with(FOLDER)
            }
            _ => false,
        }
    }

    /// Whether it changes something that is there and that people should know of.
    pub fn replaces(&self, place: &Place) -> bool {
        match self {
            Self::File { path, .. } => fs::symlink_metadata(place.at(path)).is_ok(),
            _ => false,
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_done(&self, place: &Place) -> bool {
        // A directory may have it.
        let found = |name: &str| account::find(name).ok().flatten();
        match self {
            Self::Account(name) => place.is_staging() || found(name).is_some(),
            Self::Member { account: name, group } => {
                let number = account::group_number(group);
                place.is_staging()
                    || found(name).is_some_and(|it| number.is_some_and(|n| it.groups.contains(&n)))
            }
            Self::Folder { path, .. } => place.at(path).is_dir(),
            Self::Give { path, account: name } => {
                let owner = fs::metadata(place.at(path)).map(|meta| meta.uid()).ok();
                place.is_staging() || owner.is_none() || owner == found(name).map(|it| it.user)
            }
            Self::File { path, bytes, .. } => {
                fs::read(place.at(path)).is_ok_and(|there| there == *bytes)
            }
            Self::Readable { path, account: name } => {
                place.is_staging() || is_readable(&place.at(path), name)
            }
            Self::Aside { path, .. } | Self::Deleted { path } | Self::Emptied { path } => {
                fs::symlink_metadata(place.at(path)).is_err()
            }
            // One that was there before us has another home, and stays.
            Self::NoAccount(name) => {
                place.is_staging()
                    || found(name).is_none_or(|it| it.home != Path::new(HOME) || it.user >= 1000)
            }
            Self::Reloaded | Self::Restarted(_) => !place.has_systemd(),
            Self::Enabled(unit) => is_enabled(place, unit) && is_active(place, unit) != Some(false),
            Self::Disabled(unit) => {
                !is_enabled(place, unit) && is_active(place, unit) != Some(true)
            }
        }
    }

    /// Makes it; what undoes it is noted before it is done.
    pub(super) fn make(&self, actions: &mut Actions<'_>) -> io::Result<()> {
        let place = actions.place.clone();
        match self {
            Self::Account(name) => make_account(name, actions),
            Self::Member { account, group } => {
                run(&["usermod", "--append", "--groups", group, account])?;
                actions.noted(Undo::run(&["gpasswd", "--delete", account, group]));
                Ok(())
            }
            Self::Folder { path, owner } => {
                let mode = if owner.is_some() { 0o750 } else { 0o755 };
                let owner = owner.as_deref().filter(|_| !place.is_staging());
                make_folder(&place.at(path), (mode, owner), actions)
            }
            Self::Give { path, account } => {
                let path = place.at(path);
                let folder =
                    files::open_itself(&path).map_err(|it| io_error("open", &path, &it))?;
                give(&path, &folder, number(account)?, actions)
            }
            Self::File { path, bytes, mode, reader, .. } => {
                let path = place.at(path);
                if let Some(folder) = path.parent() {
                    make_folder(folder, (0o755, None), actions)?;
                }
                let known = reader.as_deref().filter(|_| !place.is_staging());
                let group = known.map(number).transpose()?.map(|(_, group)| group);
                actions.write(&path, bytes, (*mode, group), reader.is_some())
            }
            Self::Readable { path, account } => {
                let (path, (_, group)) = (place.at(path), number(account)?);
                let meta = fs::metadata(&path)?;
                actions.noted(Undo::own(&path, &meta));
                // Root goes by what is in it, and so it is root's.
                std::os::unix::fs::chown(&path, Some(0), Some(group))?;
                let mode = meta.mode() & 0o7755 | 0o040;
                fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            }
            Self::Aside { path, .. } => actions.aside(&place.at(path)).map(drop),
            Self::Deleted { path } => delete(&place.at(path), actions),
            Self::Emptied { path } => fs::remove_dir_all(place.at(path)),
            Self::NoAccount(name) => run(&["userdel", name]),
            Self::Reloaded => run(&["systemctl", "daemon-reload"]),
            Self::Enabled(unit) => enable(&place, unit, actions),
            Self::Disabled(unit) => disable(&place, unit, actions),
            Self::Restarted(unit) => run(&["systemctl", "restart", unit]),
        }
    }
}

/// The numbers of an account and of its group.
fn number(name: &str) -> io::Result<(u32, u32)> {
    let found = account::find(name)?;
    let missing = || io::Error::new(ErrorKind::NotFound, format!("there is no account {name}"));
    found.map(|it| (it.user, it.group)).ok_or_else(missing)
}

fn make_account(name: &str, actions: &mut Actions<'_>) -> io::Result<()> {
    actions.noted(Undo::Account(name.to_owned()));
    let group: &[&str] = match account::group_number(name) {
        Some(_) => &["--gid", name],
        None => &["--user-group"],
    };
    let words = ["useradd", "--system", "--comment", "MailLogSentinel", "--home-dir", HOME];
    let more = ["--no-create-home", "--shell", "/usr/sbin/nologin", name];
    run(&[&words[..], group, &more[..]].concat())
}

/// Makes `path` and the folders above it.
fn make_folder(
    path: &Path,
    (mode, owner): (u32, Option<&str>),
    actions: &mut Actions<'_>,
) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above, (0o755, None), actions)?;
    }
    let failed = |error| io_error("make", path, &error);
    actions.noted(Undo::Folder(path.to_owned()));
    fs::create_dir(path).map_err(failed)?;
    if let Some(owner) = owner {
        let (user, group) = number(owner)?;
        std::os::unix::fs::chown(path, Some(user), Some(group)).map_err(failed)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

fn delete(path: &Path, actions: &mut Actions<'_>) -> io::Result<()> {
    let failed = |error| io_error("delete", path, &error);
    let meta = fs::symlink_metadata(path).map_err(failed)?;
    actions.noted(if meta.is_symlink() {
        Undo::Link { at: path.to_owned(), target: fs::read_link(path).map_err(failed)? }
    } else {
        let bytes = fs::read(path).map_err(failed)?;
        Undo::Content { path: path.to_owned(), bytes, mode: meta.mode() & 0o7777 }
    });
    fs::remove_file(path).map_err(failed)?;
    // What was made for it goes too, as long as nothing else is there.
    for folder in path.ancestors().skip(1).take_while(|folder| is_ours(folder)) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

/// Whether a folder is there for us only.
fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("maillogsentinel")
}

fn enable(place: &Place, unit: &str, actions: &mut Actions<'_>) -> io::Result<()> {
    if place.has_systemd() {
        actions.noted(Undo::run(&["systemctl", "disable", "--now", unit]));
        return run(&["systemctl", "enable", "--now", unit]);
    }
    // What `systemctl enable` does; the next boot starts it.
    let link = place.at(WANTS).join(unit);
    make_folder(&place.at(WANTS), (0o755, None), actions)?;
    let mut folders = std::iter::once(FOLDER).chain(PACKAGED);
    let folder = folders.find(|folder| place.at(folder).join(unit).exists()).unwrap_or(FOLDER);
    if fs::symlink_metadata(&link).is_ok() {
        actions.aside(&link)?;
    }
    actions.noted(Undo::File(link.clone()));
    std::os::unix::fs::symlink(Path::new(folder).join(unit), &link)
        .map_err(|error| io_error("make", &link, &error))
}

fn disable(place: &Place, unit: &str, actions: &mut Actions<'_>) -> io::Result<()> {
    if place.has_systemd() {
        actions.noted(Undo::run(&["systemctl", "enable", "--now", unit]));
        return run(&["systemctl", "disable", "--now", unit]);
    }
    let link = place.at(WANTS).join(unit);
    let target = fs::read_link(&link).map_err(|error| io_error("read", &link, &error))?;
    actions.noted(Undo::Link { at: link.clone(), target });
    fs::remove_file(&link).map_err(|error| io_error("delete", &link, &error))
}

/// Whether boot starts it.
pub(super) fn is_enabled(place: &Place, unit: &str) -> bool {
    let link = place.at(WANTS).join(unit);
    // Some have been enabled under another target.
    fs::symlink_metadata(link).is_ok()
        || place.has_systemd() && run(&["systemctl", "--quiet", "is-enabled", unit]).is_ok()
}

/// Whether it runs, if systemd does.
pub(super) fn is_active(place: &Place, unit: &str) -> Option<bool> {
    place.has_systemd().then(|| run(&["systemctl", "--quiet", "is-active", unit]).is_ok())
}

/// Whether an account, by its groups, may read a file.
fn is_readable(path: &Path, name: &str) -> bool {
    let (Ok(meta), Ok(Some(account))) = (fs::metadata(path), account::find(name)) else {
        return false;
    };
    let mode = meta.mode();
    // Whoever can write it decides what root does.
    if mode & 0o022 != 0 || meta.uid() != 0 {
        return false;
    }
    let is_member = account.groups.contains(&meta.gid());
    mode & if is_member { 0o040 } else { 0o004 } != 0
}
