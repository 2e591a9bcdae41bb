//! Tells the country and the network of an address by databases on this machine.
//!
//! Each file is recognised by its content: sorted ranges (`csv.rs`) or MMDB (`mmdb.rs`). It is opened
//! when an address needs it; the files of a kind are asked in the order of the configuration until
//! one knows. A file that cannot be used costs its answers and nothing else:
//! [`Databases::warnings`] tells why.

mod build;
mod compiled;
mod csv;
mod database;
mod error;
mod mmdb;
mod notes;
mod ranges;
pub mod update;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use compiled::is_compiled_form;
pub use error::GeoError;

use crate::origin::{AutonomousSystem, Country};
use database::{Content, Database, Shared};

/// How to get a database that is missing or broken.
pub const HINT: &str = "run `maillogsentinel ipinfo --update`";

/// What a database is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The country of an address.
    Countries,
    /// The network (AS) of an address.
    Networks,
}

/// Something that the administrator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is wrong, with path and line; fit for a terminal.
    pub text: String,
    /// The command that may help.
    pub hint: Option<&'static str>,
}

/// How a database is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// CSV lines of start, end and what is said of the range.
    Ranges,
    /// MMDB, and its type as its publisher calls it; fit for a terminal.
    Mmdb(String),
}

/// One configured database, for `ipinfo`.
#[derive(Clone, Debug)]
pub struct About {
    /// What it is asked for.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// How it is written; `None` if it cannot be used.
    pub format: Option<Format>,
    /// Ranges; nodes of the tree if it is an MMDB.
    pub ranges: u64,
    /// When an MMDB was built, as it says; else when the file was changed. `None` if there is none.
    pub dated: Option<Timestamp>,
    /// Why it cannot be used, if so.
    pub error: Option<String>,
    /// What may help then.
    pub hint: Option<&'static str>,
}

/// What a file holds, for an update to judge it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Ranges; nodes of the tree if it is an MMDB.
    pub ranges: u64,
    /// Lines that cannot be used.
    pub bad_lines: u64,
    /// How it is written.
    pub format: Format,
}

/// Reads the whole of a database in search of damage, and keeps nothing.
pub fn check(path: &Path, kind: Kind) -> Result<Checked, GeoError> {
    let content = database::open(path, kind, &mut Shared::default())?.content;
    let bad_lines = match &content {
        Content::Ranges(ranges) => ranges.notes().bad,
        Content::Mmdb(mmdb) => match mmdb.verify(kind) {
            Ok(()) => 0,
            Err(what) => return Err(GeoError::Mmdb { path: path.to_path_buf(), what }),
        },
    };
    let (format, ranges, _) = content.describe();
    Ok(Checked { ranges, bad_lines, format })
}

/// All configured databases.
pub struct Databases {
    countries: Vec<Database>,
    networks: Vec<Database>,
    shared: Shared,
}

impl Databases {
    /// Opens nothing yet. Compiled forms are kept in the folder `cache`, if it can be written.
    pub fn new(countries: Vec<PathBuf>, networks: Vec<PathBuf>, cache: Option<PathBuf>) -> Self {
        let of = |paths: Vec<PathBuf>, kind| {
            paths.into_iter().map(|path| Database::new(path, kind)).collect()
        };
        Self {
            countries: of(countries, Kind::Countries),
            networks: of(networks, Kind::Networks),
            shared: Shared::new(cache),
        }
    }

    /// What the databases say of an address. IPv4 inside IPv6 (`::ffff:192.0.2.1`) is IPv4.
    pub fn look_up(&mut self, address: IpAddr) -> (Option<Country>, Option<AutonomousSystem>) {
        let (address, shared) = (address.to_canonical(), &mut self.shared);
        let country = self.countries.iter_mut().find_map(|it| it.country(address, shared));
        (country, self.networks.iter_mut().find_map(|it| it.network(address, shared)))
    }

    /// What there is to warn of in the databases that were opened, each thing once.
    pub fn warnings(&mut self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for database in self.countries.iter_mut().chain(&mut self.networks) {
            database.warnings(&mut warnings);
        }
        warnings
    }

    /// Opens all of them and says what they are, countries first.
    pub fn describe(&mut self) -> Vec<About> {
        let shared = &mut self.shared;
        let all = self.countries.iter_mut().chain(&mut self.networks);
        all.map(|database| database.describe(shared)).collect()
    }
}

/// The inverse of `country_number`; `None` for 0.
fn country(number: u32) -> Option<Country> {
    Country::parse(&u16::try_from(number).ok()?.to_be_bytes())
}
