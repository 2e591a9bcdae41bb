//! One configured database: opened when an address needs it, and what there is to say of it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::compiled::{self, Stamp};
use super::csv;
use super::error::GeoError;
use super::mmdb::{self, Mmdb};
use super::notes::Notes;
use super::ranges::Ranges;
use super::{About, Format, HINT, Kind, Warning, country};
use crate::origin::{AutonomousSystem, Country};
use crate::untrusted::Untrusted;

/// What all databases share.
#[derive(Default)]
pub(super) struct Shared {
    /// Where compiled forms are kept.
    cache: Option<PathBuf>,
    /// One file may tell countries and networks: it is read once.
    mmdbs: Vec<(PathBuf, Arc<Mmdb>)>,
}

/// A configured database.
pub(super) struct Database {
    path: PathBuf,
    kind: Kind,
    /// `None` until an address needs it.
    opened: Option<Result<Opened, GeoError>>,
    told: bool,
    fault_told: bool,
}

/// A database that can be asked.
pub(super) struct Opened {
    pub(super) content: Content,
    /// When the file was changed.
    modified: Option<Timestamp>,
    /// Why its compiled form could not be kept.
    not_kept: Option<io::Error>,
}

/// What is asked.
pub(super) enum Content {
    Ranges(Box<Ranges>),
    Mmdb(Arc<Mmdb>),
}

impl Database {
    pub(super) fn new(path: PathBuf, kind: Kind) -> Self {
        Self { path, kind, opened: None, told: false, fault_told: false }
    }

    /// The country of an address.
    pub(super) fn country(&mut self, address: IpAddr, shared: &mut Shared) -> Option<Country> {
        match self.content(shared)? {
            Content::Ranges(ranges) => ranges.look_up(address).and_then(|it| country(it.number)),
            Content::Mmdb(mmdb) => mmdb.country(address),
        }
    }

    /// The network of an address.
    pub(super) fn network(
        &mut self,
        address: IpAddr,
        shared: &mut Shared,
    ) -> Option<AutonomousSystem> {
        match self.content(shared)? {
            Content::Ranges(ranges) => {
                let value = ranges.look_up(address).filter(|value| value.number != 0)?;
                let organisation = Untrusted::from(value.text);
                Some(AutonomousSystem { number: value.number, organisation })
            }
            Content::Mmdb(mmdb) => mmdb.network(address),
        }
    }

    fn content(&mut self, shared: &mut Shared) -> Option<&Content> {
        let open = || open(&self.path, self.kind, shared);
        self.opened.get_or_insert_with(open).as_ref().ok().map(|opened| &opened.content)
    }

    /// Adds what was not told before. Nothing is opened for it.
    pub(super) fn warnings(&mut self, out: &mut Vec<Warning>) {
        let path = self.path.display();
        let mut warn = |text, hint| out.push(Warning { text, hint });
        match &self.opened {
            None => {}
            Some(Err(error)) if !self.told => warn(error.text(), Some(error.hint())),
            Some(Err(_)) => {}
            Some(Ok(opened)) => {
                if let Content::Mmdb(mmdb) = &opened.content
                    && let Some(fault) = mmdb.fault().filter(|_| !self.fault_told)
                {
                    self.fault_told = true;
                    warn(format!("{path} is a damaged MMDB: {fault}"), Some(HINT));
                }
                if let Some(error) = opened.not_kept.as_ref().filter(|_| !self.told) {
                    let what = "cannot keep the compiled form, so each run reads the whole file";
                    warn(format!("{path}: {what}: {error}"), None);
                }
                if let Content::Ranges(ranges) = &opened.content
                    && !self.told
                {
                    for text in faults(ranges.notes(), &self.path) {
                        warn(text, Some(HINT));
                    }
                }
            }
        }
        self.told |= self.opened.is_some();
    }

    /// Opens it and says what it is.
    pub(super) fn describe(&mut self, shared: &mut Shared) -> About {
        self.content(shared);
        let mut about = About {
            kind: self.kind,
            path: self.path.clone(),
            format: None,
            ranges: 0,
            dated: None,
            error: None,
            hint: None,
        };
        match &self.opened {
            None => {}
            Some(Err(error)) => {
                about.error = Some(error.text());
                about.hint = Some(error.hint());
            }
            Some(Ok(opened)) => {
                let (format, ranges, built) = opened.content.describe();
                (about.format, about.ranges) = (Some(format), ranges);
                about.dated = built.or(opened.modified);
            }
        }
        about
    }
}

impl Content {
    /// Its format, ranges (nodes of an MMDB), and when it was built if it says so.
    pub(super) fn describe(&self) -> (Format, u64, Option<Timestamp>) {
        match self {
            Self::Ranges(ranges) => (Format::Ranges, ranges.notes().ranges, None),
            Self::Mmdb(mmdb) => (Format::Mmdb(mmdb.database_type()), mmdb.nodes(), mmdb.built()),
        }
    }
}

/// The first faults, each with its line, and how many there are.
fn faults(notes: &Notes, path: &Path) -> Vec<String> {
    // One in a thousand that contradicts another is its makers' slip: nobody here can mend it.
    if notes.bad == 0 && notes.overlaps * 1000 <= notes.ranges {
        return Vec::new();
    }
    let path = path.display();
    let mut faults: Vec<_> =
        notes.first.iter().map(|(line, what)| format!("{path}:{line}: {what}")).collect();
    if notes.bad > 0 {
        faults.push(format!("{path}: {} of {} lines are left out", notes.bad, notes.lines));
    }
    if notes.overlaps > 1 {
        faults.push(format!("{path}: {} ranges contradict others", notes.overlaps));
    }
    faults
}

/// Opens the file at `path` for questions of this kind.
pub(super) fn open(path: &Path, kind: Kind, shared: &mut Shared) -> Result<Opened, GeoError> {
    let at = || path.to_path_buf();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => GeoError::Missing { path: at() },
        _ => GeoError::Io { path: at(), source },
    };
    // Asked before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(GeoError::NotAFile { path: at() });
    }
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let (stamp, modified) = (Stamp::of(&metadata), metadata.modified().ok());
    let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
    let opened = |content, not_kept| Ok(Opened { content, modified, not_kept });
    let cache = shared.cache.as_deref();
    if let Some(ranges) = cache.and_then(|folder| compiled::load(folder, path, kind, &stamp)) {
        return opened(Content::Ranges(Box::new(ranges)), None);
    }
    if stamp.size == 0 {
        return Err(GeoError::Empty { path: at() });
    }
    if is_mmdb(&mut file, stamp.size).map_err(failed)? {
        return opened(Content::Mmdb(shared.mmdb(path, kind, &mut file)?), None);
    }
    let mut start = Vec::new();
    file.by_ref().take(4096).read_to_end(&mut start).map_err(failed)?;
    if let Some(what) = no_ranges(&start) {
        return Err(GeoError::Unknown { path: at(), what });
    }
    file.rewind().map_err(failed)?;
    let (builder, notes) =
        csv::read(BufReader::with_capacity(1 << 18, &file), kind).map_err(|it| it.of(at()))?;
    if notes.ranges == 0 {
        let first = notes.first.first().map(|(line, what)| format!("line {line}: {what}"));
        let first = first.unwrap_or_else(|| "it has a header only".to_owned());
        return Err(GeoError::Unusable { path: at(), first });
    }
    let ranges = Ranges::build(builder, notes, kind, &stamp);
    let unchanged = file.metadata().is_ok_and(|now| Stamp::of(&now) == stamp);
    let not_kept = cache
        .filter(|_| unchanged)
        .and_then(|folder| compiled::keep(folder, path, kind, &ranges).err());
    opened(Content::Ranges(Box::new(ranges)), not_kept)
}

impl Shared {
    pub(super) fn new(cache: Option<PathBuf>) -> Self {
        Self { cache, mmdbs: Vec::new() }
    }

    fn mmdb(&mut self, path: &Path, kind: Kind, file: &mut File) -> Result<Arc<Mmdb>, GeoError> {
        let damaged = |what| GeoError::Mmdb { path: path.to_path_buf(), what };
        let known = self.mmdbs.iter().find(|(known, _)| known == path);
        let mmdb = if let Some((_, mmdb)) = known {
            Arc::clone(mmdb)
        } else {
            let mut bytes = Vec::new();
            let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
            read.map_err(|source| GeoError::Io { path: path.to_path_buf(), source })?;
            let mmdb = Arc::new(Mmdb::new(bytes).map_err(damaged)?);
            self.mmdbs.push((path.to_path_buf(), Arc::clone(&mmdb)));
            mmdb
        };
        if mmdb.holds(kind).map_err(damaged)? {
            return Ok(mmdb);
        }
        let r#type = mmdb.database_type();
        Err(GeoError::OtherKind { path: path.to_path_buf(), r#type, kind })
    }
}

fn is_mmdb(file: &mut File, size: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(size.saturating_sub(mmdb::SEARCHED)))?;
    let mut end = Vec::new();
    file.by_ref().take(mmdb::SEARCHED).read_to_end(&mut end)?;
    file.rewind()?;
    Ok(mmdb::is_mmdb(&end))
}

/// What a file is, by its beginning, if it cannot be lines of ranges.
fn no_ranges(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x1f, 0x8b, ..] => Some("it is compressed with gzip, unpack it"),
        [b'P', b'K', 3, 4, ..] => Some("it is a zip archive, unpack it"),
        [b'7', b'z', 0xbc, 0xaf, ..] => Some("it is a 7z archive, unpack it"),
        _ if start.trim_ascii_start().starts_with(b"<") => Some("it is HTML or XML"),
        _ if start.contains(&0) => Some("it is binary, perhaps an MMDB that was cut"),
        _ => None,
    }
}
