//! Why a database cannot be used.

use std::io;
use std::path::PathBuf;

use super::{HINT, Kind};

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What it should be the path of.
        path: PathBuf,
    },
    /// It has no content.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Its content is of no kind that we know.
    #[error("{} is neither lines of ranges (CSV) nor a whole MMDB file: {what}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What its content suggests.
        what: &'static str,
    },
    /// None of its lines can be used.
    #[error("{} has no usable line: {first}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with the first line that is not a header.
        first: String,
    },
    /// An MMDB that is damaged.
    #[error("{} is a damaged MMDB: {what}", path.display())]
    Mmdb {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        what: String,
    },
    /// A sound MMDB of something else.
    #[error("{} is an MMDB of type \"{type}\" and tells no {}", path.display(), kind.plural())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is, as its publisher says; fit for a terminal.
        r#type: String,
        /// What it was asked for.
        kind: Kind,
    },
    /// It has more ranges than any such database.
    #[error("{} has more ranges than a database of countries or networks can have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

impl GeoError {
    /// What may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "let the user this runs as read it",
            Self::Missing { .. } | Self::Empty { .. } | Self::Mmdb { .. } => HINT,
            Self::NotAFile { .. }
            | Self::Unknown { .. }
            | Self::Unusable { .. }
            | Self::OtherKind { .. }
            | Self::TooLarge { .. } => {
                "set `country_db_path` in section [geolocation] and `asn_db_path` in section \
                 [ASN_ASO] to databases of their kind"
            }
        }
    }

    /// The error with its causes, in one line.
    pub fn text(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

impl Kind {
    /// `countries` or `networks`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Countries => "countries",
            Self::Networks => "networks",
        }
    }
}

/// Why reading the rows of a source ended early; its path is not known there.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The source could not be read on.
    Read(io::Error),
    /// It has too many ranges.
    TooLarge,
}

impl Stopped {
    /// The same, of this file.
    pub(super) fn of(self, path: PathBuf) -> GeoError {
        match self {
            Self::Read(source) => GeoError::Io { path, source },
            Self::TooLarge => GeoError::TooLarge { path },
        }
    }
}
