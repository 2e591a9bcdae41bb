//! Accounts of this machine, by passwd(5) and group(5), or by the directory that getent(1) asks; and
//! whose a file is.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::programs;

/// The account of the services, unless the configuration names another.
pub const USUAL: &str = "maillogsentinel";
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";
/// How long a directory may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub user: u32,
    /// Its own group.
    pub group: u32,
    /// All its groups, that one included, in order.
    pub groups: Vec<u32>,
    /// Its home.
    pub home: PathBuf,
}

/// The account that this machine's own files have under `name`.
pub fn local(name: &str) -> io::Result<Option<Account>> {
    let found = user(&read(USERS)?, |it, _| it == name.as_bytes());
    Ok(match found {
        None => None,
        Some(account) => {
            let members = members(&read(GROUPS)?, name);
            Some(Account { groups: sorted(members, account.group), ..account })
        }
    })
}

/// The account called `name`, here or in a directory.
pub fn find(name: &str) -> io::Result<Option<Account>> {
    match local(name)? {
        Some(account) => Ok(Some(account)),
        None if name.is_empty() || name.contains(|c: char| c.is_control() || c == ':') => Ok(None),
        None => in_directory(name),
    }
}

fn in_directory(name: &str) -> io::Result<Option<Account>> {
    let Some(line) = ask_directory("passwd", name)? else { return Ok(None) };
    let Some(account) = user(line.as_bytes(), |_, _| true) else { return Ok(None) };
    // `name 100 101`: the number of each group.
    let groups = ask_directory("initgroups", &account.name)?.unwrap_or_default();
    let groups = groups.split_whitespace().skip(1).filter_map(|number| number.parse().ok());
    Ok(Some(Account { groups: sorted(groups.collect(), account.group), ..account }))
}

/// What getent(1) says of `key`; `None` if there is no such entry, or no getent.
fn ask_directory(database: &str, key: &str) -> io::Result<Option<String>> {
    match programs::ask(&["getent", "--", database, key], PATIENCE) {
        Ok(answer) if answer.status == Some(0) => Ok(Some(answer.output)),
        // "One or more supplied key could not be found in the database."
        Ok(answer) if answer.status == Some(2) => Ok(None),
        Ok(_) => Err(io::Error::other("getent failed")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("getent: {error}"))),
    }
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        // As in a container that has neither.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

fn sorted(mut groups: Vec<u32>, own: u32) -> Vec<u32> {
    groups.push(own);
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// The first line of `passwd` whose name and number are right; without its groups but its own.
pub fn user(passwd: &[u8], is: impl Fn(&[u8], u32) -> bool) -> Option<Account> {
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<_> = line.split(|byte| *byte == b':').collect();
        let number = |at: usize| std::str::from_utf8(fields.get(at)?).ok()?.parse().ok();
        let (user, group) = (number(2)?, number(3)?);
        let home = PathBuf::from(OsStr::from_bytes(fields.get(5)?));
        let name = fields.first()?;
        let account = || Account {
            name: String::from_utf8_lossy(name).into_owned(),
            user,
            group,
            groups: vec![group],
            home,
        };
        is(name, user).then(account)
    })
}

/// The groups that name `name` as a member.
fn members(group: &[u8], name: &str) -> Vec<u32> {
    let lines = group.split(|byte| *byte == b'\n');
    let numbers = lines.filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let number = std::str::from_utf8(fields.nth(2)?).ok()?.parse().ok()?;
        let mut members = fields.next()?.split(|byte| *byte == b',');
        members.any(|member| member.trim_ascii() == name.as_bytes()).then_some(number)
    });
    numbers.collect()
}

/// The name of a user, or the number if this machine's own files have none.
pub fn user_name(number: u32) -> String {
    name_in(USERS, number)
}

/// The name of a group, or the number.
pub fn group_name(number: u32) -> String {
    name_in(GROUPS, number)
}

/// The number of a group of this machine's own files.
pub fn group_number(name: &str) -> Option<u32> {
    let text = std::fs::read(GROUPS).ok()?;
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let is_it = fields.next()? == name.as_bytes();
        is_it.then(|| std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()).flatten()
    })
}

/// The group whose members may read the file at `path`, if the others may not.
pub fn reading_group(path: &Path) -> Option<String> {
    let meta = path.metadata().ok()?;
    (meta.mode() & 0o044 == 0o040).then(|| group_name(meta.gid()))
}

/// Whether an account, or one still to be made, that gets `groups` may read the file at `path`, or what
/// is in the way.
pub fn in_the_way(
    path: &Path,
    (account, groups): (Option<&Account>, &[String]),
) -> Option<PathBuf> {
    let may = |path: &Path, right: u32| {
        let Ok(meta) = path.metadata() else { return false };
        let is_owner = account.is_some_and(|it| it.user == meta.uid());
        let is_known =
            account.is_some_and(|it| it.group == meta.gid() || it.groups.contains(&meta.gid()));
        let is_member = is_known || groups.contains(&group_name(meta.gid()));
        let shift = if is_owner {
            6
        } else if is_member {
            3
        } else {
            0
        };
        meta.mode() & (right << shift) != 0
    };
    let folder = path.ancestors().skip(1).find(|folder| !may(folder, 0o001));
    folder.or((!may(path, 0o004)).then_some(path)).map(Path::to_owned)
}

/// The name of the user that this runs as, also if a directory has it.
pub fn own_name() -> String {
    let number = rustix::process::geteuid().as_raw();
    let local = user_name(number);
    if local != number.to_string() {
        return local;
    }
    let line = ask_directory("passwd", &local).ok().flatten().unwrap_or_default();
    user(line.as_bytes(), |_, it| it == number).map_or(local, |account| account.name)
}

/// The name of `number` in passwd(5) or group(5), which both have it in their third field.
fn name_in(file: &str, number: u32) -> String {
    let number = number.to_string();
    let text = std::fs::read(file).unwrap_or_default();
    let name = text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        (fields.nth(1)? == number.as_bytes()).then(|| String::from_utf8_lossy(name).into_owned())
    });
    name.unwrap_or(number)
}

/// Whether a number of a user or group is what a service sees of all but its own and root's (`PrivateUsers=` in
/// systemd.exec(5)): who that is, it cannot tell.
pub fn is_hidden(number: u32) -> bool {
    const OVERFLOW: u32 = 65_534;
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    number == OVERFLOW && map.lines().count() > 1
}

/// What lets the file at `path` be written, if that, or its folder, is somebody else's: root's, who once
/// ran this program, or that of the user whose runs are. A sentence with the command.
pub fn ownership_cure(path: &Path) -> Option<String> {
    let own = rustix::process::geteuid();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    let blamed = if path.exists() {
        // SQLite, and whatever is replaced by renaming, needs the folder too.
        [path, parent].into_iter().find(|path| !is_writable(path))?
    } else {
        path.ancestors().find(|path| path.exists()).filter(|path| !is_writable(path))?
    };
    let owner = blamed.metadata().ok()?.uid();
    if own.is_root() || owner == own.as_raw() {
        return None;
    }
    if is_hidden(owner) {
        let what = format!("{} belongs to somebody else", blamed.display());
        return Some(format!("{what}: `sudo maillogsentinel doctor` says to whom"));
    }
    let whose = format!("{} belongs to user {}", blamed.display(), user_name(owner));
    if owner != 0 {
        return Some(format!(
            "{whose}: run it as that user: `sudo -u {} maillogsentinel`",
            user_name(owner)
        ));
    }
    let user = own_name();
    if blamed != path && accessat(CWD, blamed, Access::EXEC_OK, AtFlags::EACCESS).is_err() {
        return Some(format!("{whose}, and user {user} may not enter it: choose another folder"));
    }
    let command = if blamed != path && blamed != parent {
        format!("sudo install -d -o {user} -m 750 {}", quoted(parent))
    } else if blamed == parent && parent.components().count() <= 3 {
        // To give /var/log to one user would take it away from others.
        format!("sudo install -o {user} -m 640 /dev/null {}", quoted(path))
    } else {
        format!("sudo chown {user} {}", quoted(blamed))
    };
    Some(format!("{whose}: `{command}`"))
}

/// The same for files in the folder `path`, which may not be there.
pub fn folder_cure(path: &Path) -> Option<String> {
    ownership_cure(&path.join("file"))
}

/// Whether the user of this process may write to a file or change a folder.
pub fn is_writable(path: &Path) -> bool {
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// What lets the user of this process, and nobody new besides, read a secret at `path`.
pub fn secret_cure(path: &Path) -> String {
    let own = rustix::process::geteuid();
    if own.is_root() {
        return "let root read it, and nobody else".to_owned();
    }
    let user = own_name();
    let closed = path.ancestors().skip(1).find(|folder| folder.exists());
    if let Some(folder) = closed.filter(|_| path.metadata().is_err()) {
        return format!("let user {user} enter the folder {}", folder.display());
    }
    let group = group_name(rustix::process::getegid().as_raw());
    let path = quoted(path);
    format!(
        "let user {user} read it, and nobody else: `sudo chgrp {group} {path}; sudo chmod 640 {path}`"
    )
}

/// A path as a word that a shell takes for nothing else.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken:x\n\nmls:x:998:997::/nonexistent:\n";
        let mls = user(passwd, |name, _| name == b"mls").unwrap();
        assert_eq!((mls.name.as_str(), mls.user, mls.group), ("mls", 998, 997));
        assert_eq!(mls.home, Path::new("/nonexistent"));
        assert_eq!(user(passwd, |_, number| number == 0).unwrap().home, Path::new("/root"));
        assert_eq!(user(passwd, |name, _| name == b"broken"), None);
    }

    #[test]
    fn groups_are_those_that_name_the_user() {
        let group =
            b"root:x:0:\nadm:x:4:syslog,mls\nmlsx:x:5:mlsx\nbroken\nmls:x:997:\nx:x:9: mls\n";
        assert_eq!(members(group, "mls"), [4, 9]);
        assert_eq!(sorted(vec![9, 4, 9], 997), [4, 9, 997]);
    }

    #[test]
    fn a_directory_is_asked_as_getent_does() {
        // The machine's own files are one of its sources.
        let root = in_directory("root").unwrap().unwrap();
        assert_eq!((root.user, root.groups.contains(&root.group)), (0, true));
        assert_eq!(in_directory("no-such-user-of-ours").unwrap(), None);
        assert_eq!(find("--help").unwrap(), None);
        assert_eq!(find("").unwrap(), None);
    }

    #[test]
    fn paths_are_words_of_a_shell() {
        assert_eq!(quoted(Path::new("/var/log/mail.log")), "/var/log/mail.log");
        assert_eq!(quoted(Path::new("/a b/$(x)'y")), r"'/a b/$(x)'\''y'");
        assert_eq!(quoted(Path::new("-rf")), "'-rf'");
    }
}
