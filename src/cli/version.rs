//! `--version`, and whom to thank for the data.

use std::io::Write;

use crate::enrich::geo::update::{DB_IP_ATTRIBUTION, DEFAULT_ATTRIBUTION, FORMER_ATTRIBUTION};
use crate::exit::Status;

pub(super) fn run(verbose: bool) -> Status {
    let mut text = format!("maillogsentinel {}\n", env!("CARGO_PKG_VERSION"));
    if verbose {
        text.extend([
            format!("SQLite {}; licence {}\n", rusqlite::version(), env!("CARGO_PKG_LICENSE")),
            format!("\nThe databases that `ipinfo --update` downloads by default\n  {DEFAULT_ATTRIBUTION}\n"),
            format!("Others of the same project, if you use them\n  asn, dbip-country, dbip-asn: {DB_IP_ATTRIBUTION}\n"),
            format!("  asn and asn-country as npm has them: {FORMER_ATTRIBUTION}\n"),
        ]);
    }
    match anstream::stdout().write_all(text.as_bytes()) {
        Ok(()) => Status::Done,
        Err(error) => super::fail(&format!("cannot write: {error}"), None),
    }
}
