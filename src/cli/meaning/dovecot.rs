//! What Dovecot is asked: which accounts there are, and where their passwords are.

use std::cell::{Cell, OnceCell};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::process::{getegid, geteuid};

use crate::cli::args::Command;
use crate::config::Config;
use crate::programs::Started;

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where `doveadm user` asks, unless `base_dir` is another. Who may write to it may list the accounts; but if
/// everybody may, its owner and group only: others get nothing but an error in Dovecot's log.
const SOCKET: &str = "/run/dovecot/auth-userdb";

/// What Dovecot was asked, and answers while something else is done.
#[derive(Default)]
pub(in crate::cli) struct Dovecot {
    settings: Cell<Option<Started>>,
    heard: OnceCell<String>,
    users: Cell<Option<Started>>,
}

impl Dovecot {
    /// Asks what `command` may have to know. Root is told more than the user that it becomes afterwards.
    pub(in crate::cli) fn ask(command: &Command, config: &Config) -> Self {
        let asked = Self::default();
        match command {
            Command::Findings(it) if it.action.is_none() && !it.json => {
                asked.settings.set(Started::new(&["doveconf", "-n"]).ok());
            }
            Command::Account(_) | Command::Accounts(_)
                if config.accounts.is_empty() && may_list() =>
            {
                asked.users.set(Started::new(&["doveadm", "user", "*"]).ok());
            }
            _ => {}
        }
        asked
    }

    /// What `doveconf -n` says; nothing if it is not there.
    pub(super) fn settings(&self) -> &str {
        self.heard.get_or_init(|| {
            let answer = self.settings.take().and_then(|asked| asked.answer(PATIENCE).ok());
            answer.map(|answer| answer.output).unwrap_or_default()
        })
    }

    /// The accounts that `doveadm user '*'` names, one on each line; `None` if it names none.
    pub(super) fn users(&self) -> Option<String> {
        let answer = self.users.take()?.answer(PATIENCE).ok()?;
        (answer.status == Some(0) && !answer.output.trim().is_empty()).then_some(answer.output)
    }
}

fn may_list() -> bool {
    let (user, group) = (geteuid(), getegid());
    user.is_root()
        || std::fs::metadata(SOCKET).is_ok_and(|it| {
            it.mode() & 0o777 != 0o666 || it.uid() == user.as_raw() || it.gid() == group.as_raw()
        })
}

/// A place where Dovecot finds passwords.
#[derive(Default)]
pub(super) struct Passdb<'a> {
    pub(super) driver: &'a str,
    pub(super) file: Option<&'a str>,
    /// It holds the passwords of masters, or lists who is refused.
    lets_nobody_in: bool,
}

/// The places that `doveconf -n` names: Dovecot 2.3 has the driver and its arguments in each, 2.4 the driver
/// as its name and settings of its own.
pub(super) fn passdbs(settings: &str) -> Vec<Passdb<'_>> {
    let mut places: Vec<Passdb<'_>> = Vec::new();
    let mut blocks = Vec::new();
    for line in settings.lines().map(str::trim) {
        if let Some(block) = line.strip_suffix('{') {
            let mut words = block.split_whitespace();
            let is_place = words.next() == Some("passdb");
            if is_place {
                places
                    .push(Passdb { driver: words.next().unwrap_or_default(), ..Passdb::default() });
            }
            blocks.push(is_place);
        } else if line == "}" {
            blocks.pop();
        } else if let (Some(true), Some((key, value))) = (blocks.last(), line.split_once('='))
            && let Some(place) = places.last_mut()
        {
            let (key, value) = (key.trim(), value.trim());
            match key.strip_prefix("passdb_").unwrap_or(key) {
                "driver" => place.driver = value,
                "args" => {
                    let last = value.split_whitespace().last();
                    place.file = last.filter(|path| path.starts_with('/'));
                }
                "passwd_file_path" => place.file = Some(value),
                "master" | "deny" => place.lets_nobody_in |= value == "yes",
                _ => {}
            }
        }
    }
    places.retain(|place| !place.lets_nobody_in);
    places
}
