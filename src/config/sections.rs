//! The checked configuration, section by section, as the rest of the program uses it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::alert::Alert;
use super::database::Database;
use super::report::Report;
use super::schedules::Schedules;
use crate::account;
use crate::event::Services;
use crate::judge::Thresholds;

/// A checked configuration; each stage gets its own section of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Files and folders.
    pub paths: Paths,
    /// The operational log.
    pub general: General,
    /// What counts.
    pub detect: Detect,
    /// How findings that cannot wait leave.
    pub alert: Alert,
    /// What is old is deleted after so many days; `None`: never.
    pub keep_events: Option<i64>,
    /// What is old names nobody after so many days; `None`: never.
    pub pseudonymise_after: Option<i64>,
    /// From when on what is found is worth showing.
    pub thresholds: Thresholds,
    /// Files that list the accounts there are.
    pub accounts: Vec<PathBuf>,
    /// Which user runs are, if one is set.
    pub run_as: Option<RunAs>,
    /// Whether each run that found something is to mail a summary.
    pub after_extraction: bool,
    /// The mailed report.
    pub report: Report,
    /// Rows as SQL.
    pub database: Database,
    /// When what is done.
    pub schedules: Schedules,
    /// How names are looked up; `None`: not at all.
    pub dns: Option<Dns>,
    /// How long they are remembered.
    pub name_cache: NameCache,
    /// Which country an address is in.
    pub countries: Databases,
    /// Which network it belongs to.
    pub networks: Databases,
}

impl Config {
    /// The account that runs are to be.
    pub fn account(&self) -> &str {
        self.run_as.as_ref().map_or(account::USUAL, |set| set.name.as_str())
    }
}

/// Section `[User]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The account.
    pub name: String,
    /// The file and the line that say so.
    pub place: String,
}

/// Section `[paths]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Where the CSV is.
    pub working_dir: PathBuf,
    /// Where the store is.
    pub state_dir: PathBuf,
    /// The logs, in the order of the file.
    pub mail_logs: Vec<MailLog>,
    /// The CSV.
    pub csv: PathBuf,
    /// Where the Python program may have left its offset.
    pub python_state_dirs: Vec<PathBuf>,
}

/// Where log lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailLog {
    /// A file and its rotations.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// The systemd journal: that of this machine, or of a folder.
    Journal(Option<PathBuf>),
}

impl MailLog {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

/// Section `[general]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct General {
    /// From which level on.
    pub log_level: log::LevelFilter,
    /// Where to; `None` means nowhere.
    pub log_file: Option<PathBuf>,
    /// Its size before it is rotated; 0 means never.
    pub log_file_max_bytes: u64,
    /// How many rotated ones are kept.
    pub log_file_backup_count: u64,
}

/// Section `[detect]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detect {
    /// Whose logins are recorded.
    pub services: Services,
    /// Networks that are never recorded.
    pub ignore_networks: Vec<IpNet>,
}

/// Section `[dns]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Whom to ask; `None` means the system's servers.
    pub nameservers: Option<Vec<SocketAddr>>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How many are asked for at once.
    pub concurrency: usize,
    /// How long a run may wait for all answers together.
    pub budget: Duration,
}

/// Section `[dns_cache]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameCache {
    /// Whether names are remembered from run to run.
    pub enabled: bool,
    /// How many at least.
    pub size: u64,
    /// For how long.
    pub ttl: Duration,
}

/// Sections `[geolocation]` and `[ASN_ASO]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Databases {
    /// Where they are.
    pub paths: Vec<PathBuf>,
    /// Where they come from; none means this version's default.
    pub urls: Vec<String>,
}
