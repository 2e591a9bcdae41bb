//! Started by root, the program becomes the user that the services run as, before it opens anything
//! but its configuration.
//!
//! So a run by hand leaves no file that the next run of a timer cannot write, and what an attacker
//! puts into a log is never parsed by root. The kernel keeps users and capabilities for each thread
//! (credentials(7)), and we change those of this thread only: so it must be the only one, and those
//! that are started later inherit from it.
//!
//! The environment stays root's. It does no harm: nothing here reads HOME and its like, other programs are
//! started without it, and a folder for temporary files that is closed to the user is not used.
//!
//! Before, and as root, `doveconf -n` and `doveadm user '*'` are started where a command needs their answers: others are
//! told less, or nothing. No word of theirs comes from a log, and the answers are read afterwards.
//!
//! `--reset` and `--purge` stay root: they archive to the home of whoever asks. So do commands that
//! read only what the user names and write only where he says: `explain`, `anonymize`, look-ups.

use std::io;
use std::path::Path;

use rustix::fs::Access;
use rustix::process::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
    set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    set_thread_uid,
};

use super::say;
use crate::account::{self, Account, USUAL};
use crate::config::{Config, Note};
use crate::exit::Status;

/// Becomes the user that the services run as, if this is root and there is one; for good.
pub(super) fn become_it(config: &Config) -> Result<(), Status> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let account = whom(config).map_err(|note| {
        say("error", &note.to_string());
        Status::BadConfig
    })?;
    let Some(account) = account else { return Ok(()) };
    become_user(&account).map_err(|error| {
        let what =
            format!("cannot become user {}, as runs started by root do: {error}", account.name);
        let hint = format!("run it as that user: sudo -u {} maillogsentinel", account.name);
        super::fail(&what, Some(&hint))
    })
}

/// The user that runs are to be, if it is another than root.
///
/// A directory is asked only for a name that is set: a run must not wait for one otherwise.
pub(super) fn whom(config: &Config) -> Result<Option<Account>, Note> {
    let (name, place) = match &config.run_as {
        Some(set) => (set.name.as_str(), set.place.clone()),
        None => (USUAL, "/etc/passwd".to_owned()),
    };
    let found = if config.run_as.is_some() { account::find(name) } else { account::local(name) };
    let note = |what: String, hint: &str| Note { place, what, hint: Some(hint.to_owned()) };
    match found {
        Ok(None) if config.run_as.is_some() => {
            let what = format!(
                "`run_as_user` in section [User] cannot be `{name}`: there is no such account"
            );
            Err(note(
                what,
                "name one that exists, or remove the key: `maillogsentinel --setup` makes one",
            ))
        }
        Ok(account) => Ok(account.filter(|account| account.user != 0)),
        Err(error) => {
            let what = format!("cannot look up user `{name}`: {error}");
            Err(note(what, "see whether `getent passwd` and `id` know it"))
        }
    }
}

/// Who this runs as, and why, for the operational log.
pub(super) fn told(config: &Config) -> String {
    let user = account::own_name();
    match &config.run_as {
        _ if !geteuid().is_root() => format!("Runs as user {user}"),
        Some(set) => format!("Runs as user {user}, as {} says", set.place),
        None => format!("Runs as user {user}: there is no account {USUAL} to become"),
    }
}

fn become_user(account: &Account) -> io::Result<()> {
    // Without /proc nobody can tell; this is called before any thread is started.
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other("other threads would stay root"));
    }
    let (user, group) = (Uid::from_raw(account.user), Gid::from_raw(account.group));
    let groups: Vec<_> = account.groups.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(group, group, group)?;
    set_no_new_privs(true)?;
    set_thread_res_uid(user, user, user)?;
    // The kernel has cleared them, unless secure bits (capabilities(7)) told it not to.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    check(account)?;
    // A folder for temporary files that was root's own, as pam_tmpdir(8) makes one.
    if !usable(&tempfile::env::temp_dir()) {
        let _ = tempfile::env::override_temp_dir(Path::new("/tmp"));
    }
    Ok(())
}

/// Whether all of it was done, and cannot be undone.
fn check(account: &Account) -> io::Result<()> {
    let mut groups: Vec<_> = getgroups()?.into_iter().map(Gid::as_raw).collect();
    groups.sort_unstable();
    let left = capabilities(None)?;
    let users = [getuid(), geteuid()].map(Uid::as_raw);
    let own_groups = [getgid(), getegid()].map(Gid::as_raw);
    let as_wanted = users == [account.user; 2]
        && own_groups == [account.group; 2]
        && groups == account.groups
        && (left.effective | left.permitted | left.inheritable).is_empty()
        && no_new_privs()?;
    // There is no way back, neither by the saved user nor by a capability.
    if as_wanted && set_thread_uid(Uid::ROOT).is_err() {
        return Ok(());
    }
    Err(io::Error::other("the system has not done all of it"))
}

fn usable(folder: &Path) -> bool {
    rustix::fs::accessat(
        rustix::fs::CWD,
        folder,
        Access::WRITE_OK | Access::EXEC_OK,
        rustix::fs::AtFlags::EACCESS,
    )
    .is_ok()
}
