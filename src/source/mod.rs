//! Stage 1: the bytes of a log, in whole lines, and where they came from.
//!
//! [`rotation::plan`] finds the files of a log and what of each is new; [`file::open`] gives that
//! in blocks of whole lines, bounded in memory whatever is in the file.

pub mod block;
pub mod compressed;
pub mod file;
pub mod journal;
pub mod name;
pub mod piece;
pub mod rotation;
pub mod watch;

use std::io;
use std::path::{Path, PathBuf};

use crate::account;

/// Why a log, or one file of it, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Neither the log nor a rotation of it exists.
    #[error("{} does not exist, nor does any rotation of it", .0.display())]
    Missing(PathBuf),
    /// It exists, and nothing was ever in it.
    #[error("{} is empty, and has no rotations", .0.display())]
    Empty(PathBuf),
    /// A directory, a pipe or a device.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// No line of it has a time stamp.
    #[error("{} is not a mail log: no line starts with a time stamp that is known", .0.display())]
    NotALog(PathBuf),
    /// It was renamed, truncated or replaced under our hands.
    #[error("{} was rotated while it was being read", .0.display())]
    Moved(PathBuf),
    /// Standard input starts like a log that was read, and does not contain all of that.
    #[error("standard input is neither a new log nor one that was read before with more added")]
    NoContinuation,
    /// There is no journal, or nothing in it (any more).
    #[error("the journal has no entries{}", if *had_entries { " any more" } else { "" })]
    EmptyJournal {
        /// It had some when it was last read.
        had_entries: bool,
    },
    /// It names a boot, and shows no entry of it.
    #[error("the journal has entries that journalctl does not show")]
    DamagedJournal,
    /// journalctl(1) is not installed.
    #[error("cannot read the journal: there is no program journalctl")]
    NoJournalctl,
    /// What journalctl said.
    #[error("cannot read the journal: {0}")]
    Journal(String),
    /// The system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A compressed file that is cut short or broken.
    #[error("{} is damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decompressor met.
        source: io::Error,
    },
}

impl SourceError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// What the administrator can do, if we know.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing(_) => "set `mail_log` in section [paths] to the file that your syslog \
                writes mail messages to; if none does, to `journal`"
                .to_owned(),
            Self::Empty(_) => "nothing was ever logged there: check that Postfix runs and that \
                rsyslog writes facility `mail` to this file, or set `mail_log` in section [paths]"
                .to_owned(),
            Self::NotAFile(_) => "`mail_log` takes files, or `-` for standard input".to_owned(),
            Self::NotALog(_) => "known are BSD (`Nov 22 21:28:34 host`), RFC 3339 and RFC 5424 \
                lines, and those that Docker, Podman and Kubernetes keep; `maillogsentinel explain FILE` \
                says what it sees"
                .to_owned(),
            Self::Moved(_) => {
                "nothing is lost: the next run goes on where this one stopped".to_owned()
            }
            Self::NoContinuation => {
                "give the whole log: what was read of it is recognised".to_owned()
            }
            Self::EmptyJournal { .. } => "is systemd-journald running, and may this user read it \
                (`journalctl -n 1`)? else set `directory` in section [journal] to where its files are, or \
                `mail_log` in section [paths] to a file"
                .to_owned(),
            Self::DamagedJournal => {
                "a file of it may be damaged: `journalctl --verify` tells which".to_owned()
            }
            Self::NoJournalctl => {
                "it is part of systemd; or set `mail_log` in section [paths] to the \
                file that your syslog writes mail messages to"
                    .to_owned()
            }
            Self::Journal(what) if what.contains("permission") => {
                let user = account::own_name();
                format!("add user {user} to the group: `sudo usermod -aG systemd-journal {user}`")
            }
            Self::Journal(_) => "try `journalctl -n 1` as the user this runs as".to_owned(),
            Self::Io { path, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                file::permission_hint(path)
            }
            Self::Io { .. } => return None,
            Self::Damaged { .. } => {
                "the lines well before the damage are recorded; if the file is \
                still being compressed, the next run reads the rest; else mend or remove it"
                    .to_owned()
            }
        })
    }

    /// Whether trying again is the cure, without anybody's doing.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Moved(_))
    }
}
