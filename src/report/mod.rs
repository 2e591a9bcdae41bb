//! The daily report: what there is to say of a day, and the forms it is said in.

pub mod address;
mod encoding;
pub mod message;
pub mod send;

use jiff::Zoned;
use jiff::civil::Date;

use crate::figures::Figures;

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

/// Where the documentation is.
pub const DOCUMENTATION: &str = "https://github.com/monozoide/MailLogSentinel/wiki";
