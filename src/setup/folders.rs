//! The folders that runs write to: which are made, given to the account, refused, or deleted at the end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::{Change, Place, Refusal};
use crate::account;
use crate::config::Config;

/// What the names of our files begin with, besides that of the CSV.
const OURS: [&str; 5] = ["maillogsentinel", "state.offset", "sql", "country", "asn"];

/// Makes them, or gives them to the account.
pub(super) fn folders(
    config: &Config,
    account: &str,
    place: &Place,
    all: &mut Vec<Change>,
) -> Result<(), Refusal> {
    let mut folders = own(config);
    let log = config.general.log_file.as_deref().and_then(Path::parent);
    folders.extend(log.map(Path::to_owned));
    let databases = config.countries.paths.iter().chain(&config.networks.paths);
    folders.extend(databases.filter_map(|path| path.parent()).map(Path::to_owned));
    folders.sort();
    folders.dedup();
    for path in folders {
        if !path.is_absolute() {
            let what = format!("the folder {} is not told from the root on", path.display());
            return Err(Refusal::new(what, "use a path that starts with / in the configuration"));
        }
        place.check(&path)?;
        // Databases may lie where others put them, the operational log in /var/log.
        if own(config).contains(&path) {
            is_for_one(&path)?;
            if !place.is_staging() {
                is_safe(&path, account)?;
                is_ours(&path, config, account)?;
            }
            all.push(Change::Give { path: path.clone(), account: account.to_owned() });
        }
        if !place.at(&path).exists() {
            all.push(Change::Folder { path, owner: Some(account.to_owned()) });
        }
    }
    Ok(())
}

/// Those that are for this program only.
fn own(config: &Config) -> Vec<PathBuf> {
    vec![config.paths.working_dir.clone(), config.paths.state_dir.clone()]
}

/// Whether an account can have the folder for this program.
pub fn check(path: &Path, account: &str) -> Result<(), Refusal> {
    is_for_one(path).and_then(|()| is_safe(path, account))
}

/// A folder that others use too is not given to one account.
fn is_for_one(path: &Path) -> Result<(), Refusal> {
    let shared =
        ["bin", "boot", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr"];
    let mut parts = path.components().skip(1).map(Component::as_os_str);
    let first = parts.next().and_then(|part| part.to_str()).unwrap_or_default();
    let depth = parts.count();
    let least = if ["home", "var"].contains(&first) { 2 } else { 1 };
    if depth < least || shared.contains(&first) {
        return Err(Refusal::new(
            format!("{} is not a folder for one program: others use it too", path.display()),
            "name one below it in the configuration, such as /var/log/maillogsentinel",
        ));
    }
    Ok(())
}

/// Nobody but root may decide what stands there: he could lead us to files of others.
fn is_safe(path: &Path, name: &str) -> Result<(), Refusal> {
    let own = account::find(name).ok().flatten().map(|it| it.user);
    for folder in path.ancestors() {
        let Ok(meta) = fs::symlink_metadata(folder) else { continue };
        let above = folder != path;
        let what = if !meta.is_dir() {
            "is a link, or no folder"
        } else if above && meta.uid() != 0 && Some(meta.uid()) != own {
            "belongs to somebody else, who could put another in its place"
        } else if above && meta.mode() & 0o002 != 0 {
            "can be written to by everybody"
        } else {
            continue;
        };
        return Err(Refusal::new(
            format!("{} cannot be used: {} {what}", path.display(), folder.display()),
            "name a folder, without links, below folders of root, such as /var/log/maillogsentinel",
        ));
    }
    Ok(())
}

/// A folder of somebody else's is given away only if this program, or the Python one, has written there.
fn is_ours(path: &Path, config: &Config, name: &str) -> Result<(), Refusal> {
    let own = account::find(name).ok().flatten().map(|it| it.user);
    let Ok(meta) = fs::metadata(path) else { return Ok(()) };
    let names: Vec<_> = fs::read_dir(path).into_iter().flatten().flatten().collect();
    let csv = config.paths.csv.file_name().unwrap_or_default().to_string_lossy();
    let is_known = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        OURS.iter().copied().chain([&*csv]).any(|ours| name.starts_with(ours))
    };
    if Some(meta.uid()) == own || names.is_empty() || names.iter().any(is_known) {
        return Ok(());
    }
    Err(Refusal::new(
        format!(
            "{} belongs to user {}, and holds nothing of this program",
            path.display(),
            account::user_name(meta.uid())
        ),
        format!(
            "name a folder of its own in the configuration, or give it away: chown {name} {}",
            account::quoted(path)
        ),
    ))
}

/// What `--purge-data` deletes: folders in which all is the account's; and what it leaves.
pub(super) fn recorded(
    config: Option<&Config>,
    name: &str,
    place: &Place,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let usual = ["/var/log/maillogsentinel", "/var/lib/maillogsentinel"].map(PathBuf::from);
    // Nobody owns what is staged.
    let named = config.filter(|_| !place.is_staging()).map(own).unwrap_or_default();
    let mut folders: Vec<_> = usual.into_iter().chain(named).collect();
    folders.sort();
    folders.dedup();
    folders.retain(|path| fs::symlink_metadata(place.at(path)).is_ok());
    let user = account::local(name).ok().flatten().map(|it| it.user);
    let (mut gone, kept): (Vec<PathBuf>, _) = folders.into_iter().partition(|path| {
        place.check(path).and_then(|()| check(path, name)).is_ok()
            && (place.is_staging() || user.is_some_and(|user| is_whole(path, user)))
    });
    // What is in another one goes with it; sorted, that one comes first.
    gone.dedup_by(|inner, outer| inner.starts_with(&*outer));
    (gone, kept)
}

/// Whether a folder and all that is in it is one user's.
fn is_whole(path: &Path, user: u32) -> bool {
    let Ok(meta) = fs::symlink_metadata(path) else { return false };
    let entries = || fs::read_dir(path).into_iter().flatten();
    meta.uid() == user
        && (!meta.is_dir() || entries().all(|it| it.is_ok_and(|it| is_whole(&it.path(), user))))
}
