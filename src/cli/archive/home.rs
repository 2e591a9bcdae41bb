//! Where a backup goes: `--backup-dir`, or the home of whoever asked for it, as passwd(5) has it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::account;
use crate::host::Host;

const CURE: &str = "name a folder for the backup with --backup-dir DIR";

/// The folder that a backup is made in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) parent: PathBuf,
    /// User and group that the backup is given to, if not to whom this runs as.
    pub(super) owner: Option<(u32, u32)>,
}

/// The folder for the backup, which exists and may be written to.
pub(super) fn destination(host: &Host, asked: Option<&Path>) -> anyhow::Result<Destination> {
    if let Some(folder) = asked {
        let parent = std::path::absolute(folder)
            .with_context(|| format!("cannot use --backup-dir {}", super::shown(folder)))?;
        usable(&parent, &super::shown(folder), "create it, or name another folder")?;
        return Ok(Destination { parent, owner: None });
    }
    let own = rustix::process::geteuid().as_raw();
    let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
    let (name, account) = match &host.sudo_user {
        Some(name) => (name.clone(), account::user(&passwd, |it, _| it == name.as_bytes())),
        None => (host.user(), account::user(&passwd, |_, number| number == own)),
    };
    let Some(account) = account else {
        bail!("user {name} is not in /etc/passwd, and has no home for a backup\n  hint: {CURE}");
    };
    let what = format!("{} (home of user {name})", super::shown(&account.home));
    if !account.home.is_absolute() {
        bail!("user {name} has no home for a backup\n  hint: {CURE}");
    }
    usable(&account.home, &what, CURE)?;
    let owner = (own == 0 && account.user != 0).then_some((account.user, account.group));
    Ok(Destination { parent: account.home, owner })
}

fn usable(folder: &Path, what: &str, cure: &str) -> anyhow::Result<()> {
    match std::fs::metadata(folder) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => bail!("{what} is not a folder\n  hint: {cure}"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{what} does not exist\n  hint: {cure}")
        }
        Err(error) => bail!("cannot use {what}: {error}\n  hint: {cure}"),
    }
    match may_change(folder) {
        Ok(()) => Ok(()),
        Err(error) => {
            bail!("user {} cannot write to {what}: {error}\n  hint: {cure}", Host::user_name())
        }
    }
}

/// Whether files can be put into `folder`, and taken out.
pub(super) fn may_change(folder: &Path) -> std::io::Result<()> {
    let asked = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, folder, asked, AtFlags::EACCESS).map_err(Into::into)
}
