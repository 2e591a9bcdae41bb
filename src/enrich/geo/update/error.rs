//! Why an update failed. The database is then as it was.

use std::io;
use std::path::PathBuf;

use crate::account;

/// Why an update failed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The configured URLs do not fit the configured files.
    #[error("{urls} URLs cannot be put into {paths} files")]
    Plan {
        /// How many URLs.
        urls: usize,
        /// How many files.
        paths: usize,
    },
    /// A URL or a proxy's address that makes no sense.
    #[error("{what} is not a URL of http or https")]
    Url {
        /// Which of them, without its secrets.
        what: String,
    },
    /// No certificate authority is known, so nobody can be trusted.
    #[error("there are no certificates of authorities in this system's store")]
    NoAuthorities,
    /// The server could not be reached, or the transfer broke off.
    #[error("cannot download {url}: {what}")]
    Transfer {
        /// From where, without its secrets.
        url: String,
        /// What happened.
        what: String,
    },
    /// The server refused.
    #[error("{url} was answered with status {status}")]
    Status {
        /// From where, without its secrets.
        url: String,
        /// Of HTTP.
        status: u16,
    },
    /// More bytes than any such database has.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// From where, without its secrets.
        url: String,
        /// In bytes.
        limit: u64,
    },
    /// What was downloaded is no database.
    #[error("{url} is no usable database: {what}")]
    Unusable {
        /// From where, without its secrets.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// What was downloaded is suspiciously small.
    #[error("{what} has {new} ranges, and the one in use {old}: it may be damaged")]
    Shrunk {
        /// From where, without its secrets.
        what: String,
        /// Ranges that were downloaded.
        new: u64,
        /// Ranges in use.
        old: u64,
    },
    /// Two MMDB for one file.
    #[error("{url} is an MMDB, which cannot be joined with another file")]
    CannotJoin {
        /// From where, without its secrets.
        url: String,
    },
    /// The disk refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is to be replaced is something else.
    #[error("{what}: it is not replaced")]
    NotOurs {
        /// The file, and what is wrong with it.
        what: String,
    },
    /// The caller asked to end.
    #[error("interrupted")]
    Interrupted,
}

impl UpdateError {
    /// What may help, if anything is known to.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Plan { .. } => "give one file for all URLs, or as many files as URLs",
            Self::NoAuthorities => "apt install ca-certificates",
            Self::Transfer { .. } => "try again later; check the network and the proxy variables",
            Self::Status { status: 401 | 403 | 407, .. } => {
                "check the user name and password or token"
            }
            Self::Status { status: 404 | 410, .. } => {
                "the database may have moved: see https://github.com/sapics/ip-location-db"
            }
            Self::Status { .. } => "try again later",
            Self::Shrunk { .. } => "if it is meant to be so small, delete the one in use first",
            Self::NotOurs { .. } => "set the path of another file, or remove this one",
            Self::CannotJoin { .. } => "give each URL a file of its own",
            Self::Url { .. } | Self::TooLarge { .. } | Self::Unusable { .. } => "check the URL",
            Self::Io { source, path, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                return Some(account::ownership_cure(path).unwrap_or_else(|| {
                    "run it as the user who owns that folder: sudo -u maillogsentinel".to_owned()
                }));
            }
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "make the folder, for the user this runs as",
                io::ErrorKind::StorageFull => "make room on that disk",
                _ => return None,
            },
            Self::Interrupted => return None,
        };
        Some(hint.to_owned())
    }

    /// The error with its causes, in one line.
    pub fn text(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}
