//! The changes that make a machine what a configuration asks for.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::change::is_active;
use super::folders::folders;
use super::services::services;
use super::units::{FOLLOWS, TIMERS, drop_ins, groups, time};
use super::{Change, Place, Refusal, calendar};
use crate::account;
use crate::config::{Config, MailLog};
use crate::manual;
use crate::source::journal::Journal;

/// What is wanted.
pub struct Wanted<'c> {
    /// The configuration, as it is to be.
    pub config: &'c Config,
    /// Its file, and what is to be in it.
    pub file: (PathBuf, String),
    /// Whether SQL is to be exported and imported by a timer, if anybody said.
    pub sql: Option<bool>,
    /// This program.
    pub program: &'c Path,
}

/// Where programs are that services find without a path, the first being ours.
const PROGRAMS: [&str; 4] = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"];
const NAME: &str = "maillogsentinel";
const ROTATION: &str = include_str!("../../packaging/logrotate.d/maillogsentinel");
pub(super) const ROTATIONS: &str = "/etc/logrotate.d";
pub(super) const STAGED: [(&str, &str); 2] = [
    (
        "/usr/lib/sysusers.d/maillogsentinel.conf",
        include_str!("../../packaging/sysusers.d/maillogsentinel.conf"),
    ),
    (
        "/usr/lib/tmpfiles.d/maillogsentinel.conf",
        include_str!("../../packaging/tmpfiles.d/maillogsentinel.conf"),
    ),
];

/// What is to be changed, in order; what is done already is not in it.
pub fn plan(wanted: &Wanted<'_>, place: &Place) -> Result<Vec<Change>, Refusal> {
    let config = wanted.config;
    let account = config.account();
    let mut all = Vec::new();
    check(config, place)?;
    all.extend(program(wanted.program, place)?);
    if account == account::USUAL {
        all.push(Change::Account(account.to_owned()));
    }
    let groups = groups(config, place);
    all.extend(
        groups
            .iter()
            .map(|group| Change::Member { account: account.to_owned(), group: group.clone() }),
    );
    folders(config, account, place, &mut all)?;
    let (path, text) = &wanted.file;
    all.push(Change::File {
        path: path.clone(),
        bytes: text.clone().into_bytes(),
        mode: 0o640,
        reader: Some(account.to_owned()),
        what: "the configuration",
    });
    all.push(Change::Readable { path: path.clone(), account: account.to_owned() });
    if config.paths.csv == Path::new("/var/log/maillogsentinel/maillogsentinel.csv")
        && !is_rotated(place)
    {
        let path = Path::new(ROTATIONS).join(NAME);
        let rotation = rotation(account, place);
        all.push(file(&path, rotation.into_bytes(), 0o644, "how the CSV is rotated"));
    }
    if place.is_staging() {
        all.extend(STAGED.map(|(path, text)| {
            file(Path::new(path), text.into(), 0o644, "what systemd makes of users and folders")
        }));
    }
    all.extend(pages(place)?);
    let mut all: Vec<_> = all.into_iter().filter(|change| !change.is_done(place)).collect();
    let drop_ins = drop_ins(config, account, &groups)?;
    all.extend(services(wanted, &drop_ins, place));
    // It may have read what is changed: runs that timers start read it anew each time.
    if !all.is_empty() && is_active(place, FOLLOWS) == Some(true) {
        all.push(Change::Restarted(FOLLOWS.to_owned()));
    }
    all.iter().filter_map(Change::path).try_for_each(|path| place.check(path))?;
    Ok(all)
}

/// How the CSV is rotated, by the account whose folder it is in.
fn rotation(account: &str, place: &Place) -> String {
    let known = if place.is_staging() { None } else { account::find(account).ok().flatten() };
    let group = known.map_or(account.to_owned(), |it| account::group_name(it.group));
    ROTATION.replace("su maillogsentinel maillogsentinel", &format!("su {account} {group}"))
}

pub(super) fn file(path: &Path, bytes: Vec<u8>, mode: u32, what: &'static str) -> Change {
    Change::File { path: path.to_owned(), bytes, mode, reader: None, what }
}

/// Whether runs can work at all.
fn check(config: &Config, place: &Place) -> Result<(), Refusal> {
    for timer in TIMERS {
        if let Some(text) = time(config, timer) {
            let hint = "set it in section [systemd] of the configuration";
            calendar::check(text).map_err(|what| Refusal::new(format!("{timer}: {what}"), hint))?;
        }
    }
    if let Some(set) = &config.run_as
        && !set.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@+$".contains(&byte))
    {
        return Err(Refusal::new(
            format!("{}: `run_as_user` is no name of an account", set.place),
            "a name has letters, digits, and `-_.@+$`",
        ));
    }
    if let Some(set) = &config.run_as
        && !place.is_staging()
        && !account::find(&set.name).is_ok_and(|it| it.is_some_and(|it| it.name == set.name))
    {
        return Err(Refusal::new(
            format!("{}: `run_as_user` is {}, and there is no such account", set.place, set.name),
            "make it, or remove the key: an account maillogsentinel is made then",
        ));
    }
    for log in &config.paths.mail_logs {
        match log {
            MailLog::File(path) if !place.is_staging() => {
                log_is_there(path)?;
                let own = account::find(config.account()).ok().flatten();
                let reader = (own.as_ref(), &*groups(config, place));
                if let Some(closed) = account::in_the_way(path, reader) {
                    return Err(Refusal::new(
                        format!(
                            "the mail log {} cannot be read by the service: {} is closed to its groups",
                            path.display(),
                            closed.display()
                        ),
                        format!(
                            "let the group adm read it: chgrp adm {0}; chmod g+rX {0}",
                            account::quoted(&closed)
                        ),
                    ));
                }
            }
            MailLog::Stdin => {
                let what = "`mail_log = -` is standard input, which services do not have";
                return Err(Refusal::new(what, "set mail_log to a file"));
            }
            MailLog::Journal(directory) if !place.is_staging() => {
                journal_is_there(directory.as_deref())?;
            }
            MailLog::Journal(_) | MailLog::File(_) => {}
        }
    }
    Ok(())
}

/// Whether there is a log, and a file.
pub fn log_is_there(path: &Path) -> Result<(), Refusal> {
    let hint = "set mail_log to where Postfix logs to; if that is the journal only, to journal";
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(()),
        Ok(_) => Err(Refusal::new(format!("the mail log {} is no file", path.display()), hint)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Refusal::new(format!("there is no mail log {}", path.display()), hint))
        }
        Err(error) => Err(Refusal::new(format!("the mail log {}: {error}", path.display()), hint)),
    }
}

/// Whether there is a journal.
pub fn journal_is_there(directory: Option<&Path>) -> Result<(), Refusal> {
    Journal { directory }.check().map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| "set mail_log to a file".to_owned());
        Refusal::new(error.to_string(), hint)
    })
}

/// The program where services find it.
fn program(own: &Path, place: &Place) -> Result<Option<Change>, Refusal> {
    let same = |path: &PathBuf| {
        let identity = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
        let is_it = identity(path).is_some() && identity(path) == identity(own);
        // A package's in an image is that image's own.
        is_it && (!place.is_staging() || !path.starts_with(place.at(PROGRAMS[0])))
    };
    let found: Vec<_> = PROGRAMS.iter().map(|folder| place.at(folder).join(NAME)).collect();
    let first = found.iter().find(|path| path.exists());
    if first.is_some_and(same) {
        return Ok(None);
    }
    // The last two are where packages put it; an upgrade of one would not reach a copy before it.
    let is_packaged = found.iter().skip(2).any(same);
    if let Some(other) = first.filter(|it| is_packaged || !it.starts_with(place.at(PROGRAMS[0]))) {
        return Err(Refusal::new(
            format!("{} is another one than this, and services would run that", other.display()),
            format!("remove it first, or run {} --setup", other.display()),
        ));
    }
    let bytes = fs::read(own).map_err(|error| {
        Refusal::new(
            format!("cannot read this program: {error}"),
            "put it into /usr/local/bin yourself",
        )
    })?;
    Ok(Some(file(&Path::new(PROGRAMS[0]).join(NAME), bytes, 0o755, "this program")))
}

/// Man pages and completions, unless a package has brought them.
fn pages(place: &Place) -> Result<Vec<Change>, Refusal> {
    if place.at("/usr/share/man/man8/maillogsentinel.8.gz").exists() {
        return Ok(Vec::new());
    }
    let files = manual::files().map_err(|error| Refusal::new(error.to_string(), ""))?;
    let made = files.into_iter().map(|it| {
        file(&Path::new("/usr/local").join(it.path), it.bytes, 0o644, "man pages and completions")
    });
    Ok(made.collect())
}

/// Whether some rule of logrotate names the CSV: two would be an error of logrotate.
fn is_rotated(place: &Place) -> bool {
    let folder = place.at(ROTATIONS);
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .filter_map(|path| fs::read(path).ok())
        .any(|text| String::from_utf8_lossy(&text).contains("maillogsentinel"))
}
