//! Asks a database in MMDB format: MaxMind's GeoLite2, DB-IP Lite, IPinfo Lite, sapics/ip-location-db.
//!
//! Each publisher names the fields in his own way, so they are tried in turn:
//!
//! | of | country | AS number | organisation |
//! |---|---|---|---|
//! | MaxMind, DB-IP | `country.iso_code`, `registered_country.iso_code` | `autonomous_system_number` | `autonomous_system_organization` |
//! | sapics | `country_code` | `autonomous_system_number` | `autonomous_system_organization` |
//! | IPinfo Lite | `country_code` | `asn` ("AS15169") | `as_name` |
//! | IPinfo, older | `country` | `asn` | `as_name` |
//!
//! The file is read whole, not mapped: a file that is cut while it is mapped ends the process.
//! Format: <https://maxmind.github.io/MaxMind-DB/>.

use std::net::IpAddr;
use std::sync::OnceLock;

use jiff::Timestamp;
use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};

use super::csv::{as_number, country_number, is_nobody};
use super::{Kind, country};
use crate::origin::{AutonomousSystem, Country};
use crate::untrusted::{Untrusted, for_terminal};

/// What stands before the metadata, at most `SEARCHED` bytes before the end.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// In bytes; the format promises it.
pub(super) const SEARCHED: u64 = 128 * 1024;
/// So many records are looked at to tell whether a database is of the kind it is configured as.
const SAMPLE: usize = 1000;
const COUNTRY: [&[&str]; 4] = [
    &["country", "iso_code"],
    &["registered_country", "iso_code"],
    &["country_code"],
    &["country"],
];
const NUMBER: [&[&str]; 2] = [&["autonomous_system_number"], &["asn"]];
const ORGANISATION: [&[&str]; 2] = [&["autonomous_system_organization"], &["as_name"]];

type Found<'a> = LookupResult<'a, Vec<u8>>;

/// Whether a file that ends so is an MMDB.
pub(super) fn is_mmdb(end: &[u8]) -> bool {
    memchr::memmem::rfind(end, MARKER).is_some()
}

/// A database, in memory.
pub(super) struct Mmdb {
    reader: Reader<Vec<u8>>,
    /// The first fault that a look-up met.
    fault: OnceLock<String>,
}

impl Mmdb {
    /// Takes the bytes of a file; the error says what is wrong with them.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let reader = Reader::from_source(bytes).map_err(|error| shown(&error))?;
        Ok(Self { reader, fault: OnceLock::new() })
    }

    /// Whether any of its first records says something of this kind.
    pub(super) fn holds(&self, kind: Kind) -> Result<bool, String> {
        self.walk(kind, SAMPLE)
    }

    /// Walks through all records in search of damage. Not `Reader::verify`: that asks for a description
    /// in the metadata, which the files of sapics do not have.
    pub(super) fn verify(&self, kind: Kind) -> Result<(), String> {
        self.walk(kind, usize::MAX).map(|_| ())
    }

    fn walk(&self, kind: Kind, most: usize) -> Result<bool, String> {
        let networks = self.reader.networks(WithinOptions::default());
        let mut holds = false;
        for found in networks.map_err(|error| shown(&error))?.take(most) {
            let found = found.map_err(|error| shown(&error))?;
            holds |= match kind {
                Kind::Countries => first(&COUNTRY, &found, text)?.is_some(),
                Kind::Networks => number(&found)?.is_some(),
            };
            if holds && most == SAMPLE {
                break;
            }
        }
        Ok(holds)
    }

    /// The country of an address.
    pub(super) fn country(&self, address: IpAddr) -> Option<Country> {
        self.ask(address, |found| {
            for path in COUNTRY {
                // IPinfo Lite has the country's name where its older files have the code.
                let code = text(found, path)?.and_then(|code| country_number(code.as_bytes()));
                if let Some(country) = code.and_then(country) {
                    return Ok(Some(country));
                }
            }
            Ok(None)
        })
    }

    /// The network of an address.
    pub(super) fn network(&self, address: IpAddr) -> Option<AutonomousSystem> {
        self.ask(address, |found| {
            let Some(number) = number(found)?.filter(|number| *number != 0) else {
                return Ok(None);
            };
            let name = first(&ORGANISATION, found, text)?.unwrap_or_default();
            let name = if is_nobody(name.as_bytes()) { "" } else { name };
            Ok(Some(AutonomousSystem { number, organisation: Untrusted::from(name) }))
        })
    }

    fn ask<T>(
        &self,
        address: IpAddr,
        answer: impl Fn(&Found<'_>) -> Result<Option<T>, String>,
    ) -> Option<T> {
        // A database of IPv4 knows nothing of IPv6: that is no fault.
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        let found = self.reader.lookup(address).map_err(|error| shown(&error));
        found.and_then(|found| answer(&found)).unwrap_or_else(|fault| {
            self.fault.get_or_init(|| fault);
            None
        })
    }

    /// The first fault that a look-up met.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// Its type, as the publisher calls it, fit for a terminal.
    pub(super) fn database_type(&self) -> String {
        for_terminal(self.reader.metadata().database_type.as_bytes()).into_owned()
    }

    /// Nodes of its tree: what can be known of its size without a walk through it.
    pub(super) fn nodes(&self) -> u64 {
        self.reader.metadata().node_count.into()
    }

    /// When it was made, as it says.
    pub(super) fn built(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.reader.metadata().build_epoch).ok()?;
        Timestamp::from_second(seconds).ok()
    }
}

/// The value of the first of these paths that leads to one.
fn first<'a, T>(
    paths: &[&[&str]],
    found: &Found<'a>,
    read: impl Fn(&Found<'a>, &[&str]) -> Result<Option<T>, String>,
) -> Result<Option<T>, String> {
    for path in paths {
        if let Some(value) = read(found, path)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn number(found: &Found<'_>) -> Result<Option<u32>, String> {
    first(&NUMBER, found, |found, path| {
        if let Some(number) = text(found, path)?.and_then(|text| as_number(text.as_bytes())) {
            return Ok(Some(number));
        }
        // The reader wants to be told the very type; some writers take the smallest that fits.
        let path = keys(path);
        Ok(match present(found.decode_path::<u32>(&path))? {
            Some(number) => Some(number),
            None => match present(found.decode_path::<u16>(&path))? {
                Some(number) => Some(number.into()),
                None => present(found.decode_path::<u64>(&path))?
                    .and_then(|number| u32::try_from(number).ok()),
            },
        })
    })
}

fn text<'a>(found: &Found<'a>, path: &[&str]) -> Result<Option<&'a str>, String> {
    present(found.decode_path(&keys(path)))
}

fn keys<'p>(path: &[&'p str]) -> Vec<PathElement<'p>> {
    path.iter().map(|key| PathElement::Key(key)).collect()
}

/// A field of another type is as good as missing; damage is not.
fn present<T>(decoded: Result<Option<T>, MaxMindDbError>) -> Result<Option<T>, String> {
    match decoded {
        Ok(value) => Ok(value),
        Err(MaxMindDbError::Decoding { .. }) => Ok(None),
        Err(error) => Err(shown(&error)),
    }
}

/// An error may repeat what the file says.
fn shown(error: &MaxMindDbError) -> String {
    for_terminal(error.to_string().as_bytes()).into_owned()
}
