//! The configuration: mistakes, and what is odd; and who runs are by it.

use std::path::Path;
use std::sync::mpsc;

use super::{Finding, Level, Told, shown};
use crate::account::{self, Account};
use crate::config::{Config, EXPOSED, Note};

/// What reading the file at `path` gave.
pub fn read(path: Option<&Path>, mistakes: &[Note], warnings: &[Note]) -> Vec<Finding> {
    collect(|told| {
        for note in mistakes {
            told.note(Level::Error, note);
        }
        for note in warnings {
            let exposed = note.what == EXPOSED;
            told.note(if exposed { Level::Error } else { Level::Warning }, note);
        }
        if !mistakes.is_empty() {
            told.unknown("nothing else can be checked before that is mended");
        } else if warnings.is_empty() {
            let file = path.map_or("the command line".to_owned(), shown);
            told.ok(&format!("{file}: no mistakes"));
        }
    })
}

/// Who runs are: `account`, or an error, or whoever calls.
pub fn who(config: &Config, account: Result<&Option<Account>, &Note>) -> Vec<Finding> {
    collect(|told| {
        let own = rustix::process::geteuid();
        match account {
            Err(note) => told.note(Level::Error, note),
            Ok(None) if own.is_root() && config.run_as.is_some() => told.warning(
                "runs are root's, as `run_as_user` in section [User] says",
                "name an account of its own: `maillogsentinel --setup` makes one",
            ),
            Ok(None) if own.is_root() => told.warning(
                "runs are root's: there is no account `maillogsentinel`",
                "sudo maillogsentinel --setup",
            ),
            Ok(None) => told.ok(&format!("checked as user {}", account::own_name())),
            Ok(Some(account)) if !own.is_root() && account.user != own.as_raw() => {
                let (user, runs) = (account::own_name(), &account.name);
                told.warning(
                    &format!("checked as user {user}, and runs are user {runs}'s"),
                    "sudo maillogsentinel doctor",
                );
            }
            Ok(Some(account)) => {
                let groups = account.groups.iter().map(|group| account::group_name(*group));
                let groups = groups.collect::<Vec<_>>().join(", ");
                told.ok(&format!("runs are user {}'s, of groups {groups}", account.name));
            }
        }
    })
}

fn collect(tell: impl FnOnce(&Told)) -> Vec<Finding> {
    let (sender, findings) = mpsc::channel();
    tell(&Told { about: "configuration", sender });
    findings.into_iter().collect()
}
