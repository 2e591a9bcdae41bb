//! The daily report: what there is to say of a day, and the forms it is said in.

pub mod attachment;
pub mod json;
pub mod summary;
pub mod text;
pub mod charts;
pub mod html;
mod numbers;
pub mod palette;
pub mod address;
mod encoding;
pub mod message;
pub mod send;

pub use numbers::{counted, grouped, rhythm};

use jiff::Zoned;
use jiff::civil::Date;

use crate::figures::Figures;
use crate::meaning::Meaning;

/// All that a report says, whatever its form.
#[derive(Clone, Debug)]
pub struct Report {
    /// How often the log is read, in words: `hourly`.
    pub interval: String,
    /// When the report is made, in the machine's zone.
    pub made_at: Zoned,
    /// The server's own address.
    pub address: String,
    /// The server's full name.
    pub host: String,
    /// Whose failures it is about.
    pub scope: Scope,
    /// The day it is about.
    pub day: Date,
    /// Whether that day is not over: headings say `today`.
    pub is_today: bool,
    /// What is known of it.
    pub figures: Figures,
    /// The size of the CSV in bytes.
    pub csv_bytes: u64,
    /// The lines of the CSV, its header included.
    pub csv_lines: u64,
    /// What is attached.
    pub attachment: Attachment,
    /// What went wrong when the logs were read just before.
    pub errors: Vec<String>,
    /// What it means; `None` if that is not known, as of a database.
    pub meaning: Option<Meaning>,
}

impl Report {
    /// `today`, or `on 2026-11-22`, as headings say it.
    pub fn when(&self) -> String {
        if self.is_today { "today".to_owned() } else { format!("on {}", self.day) }
    }

    /// Whether nothing was read of the day at all, so that no number means anything.
    pub fn knows_nothing(&self) -> bool {
        let read = &self.figures.coverage;
        let from_database = !self.figures.servers.is_empty();
        self.figures.total == 0 && read.lines == 0 && read.logins == 0 && !from_database
    }

    /// Whose failures these are, for the banner.
    pub fn servers(&self) -> String {
        match &self.scope {
            Scope::Machine => format!("Server: {}   ({})", self.address, self.host),
            Scope::Database { shown, server: None } => format!("Servers: all in {shown}"),
            Scope::Database { shown, server: Some(server) } => {
                format!("Server: {server}, in {shown}")
            }
        }
    }

    /// The time of the last line of the day, as `23:41`.
    pub fn last_line(&self) -> Option<String> {
        let at = self.figures.coverage.last_line?;
        Some(at.to_zoned(self.made_at.time_zone().clone()).strftime("%H:%M").to_string())
    }

    /// The day, and whose it is if not this machine's: what tells reports apart.
    pub fn about(&self) -> String {
        match &self.scope {
            Scope::Machine => self.day.to_string(),
            Scope::Database { server: None, .. } => format!("{} of all servers", self.day),
            Scope::Database { server: Some(server), .. } => format!("{} of {server}", self.day),
        }
    }

    /// The subject, without the prefix that the administrator chose.
    pub fn subject(&self) -> String {
        let whose = match &self.scope {
            Scope::Machine => &self.host,
            Scope::Database { server: None, .. } => "all servers",
            Scope::Database { server: Some(server), .. } => server,
        };
        let verdict = self.meaning.as_ref().map(|meaning| meaning.verdict.text() + " - ");
        let verdict = verdict.unwrap_or_default();
        let about = format!("{verdict}MailLogSentinel report for {} on {whose}", self.day);
        if self.knows_nothing() {
            return format!("{about}: nothing was read");
        }
        // Rules of mail programs look for the word.
        format!("{about}: {} attempts", self.figures.total)
    }
}

/// Whose failures a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those of this machine's store.
    #[default]
    Machine,
    /// Those in a database.
    Database {
        /// Which, for people.
        shown: String,
        /// One server of those in it.
        server: Option<String>,
    },
}

/// What of the CSV goes with the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// All of it, under this name.
    Full(String),
    /// The rows of the day, for all of it would be too large or was not wanted.
    Day {
        /// Its name.
        name: String,
        /// Whether all rows were wanted and are too large.
        too_large: bool,
    },
    /// Nothing: it is not wanted, or not even the day's rows would fit.
    None {
        /// Why, if it is not the administrator's choice.
        because: Option<String>,
    },
}

/// Whose data countries and networks are, for the databases of `ipinfo --update` and their CC BY 4.0
/// siblings.
pub const DATA: &str = "Countries and networks: sapics/ip-location-db (PDDL 1.0; its DB-IP files: IP \
    Geolocation by DB-IP, CC BY 4.0), unless other databases are configured.";

/// Where the documentation is.
pub const DOCUMENTATION: &str = "https://github.com/monozoide/MailLogSentinel/wiki";

/// What `Errno 1` to `Errno 4` of the CSV mean.
pub const ERRORS: [&str; 4] = [
    "Host name not found",
    "Server failed to respond",
    "Server refused to answer",
    "No name for the address, or not asked",
];
