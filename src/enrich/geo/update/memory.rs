//! Remembers what was downloaded into a database, so that the next update can ask for changes only.
//!
//! Kept beside the database, as `<name>.source`. The first line tells the state of the file that it
//! speaks of; once the administrator replaces the file, the memory is void. One line follows for each
//! URL, known by its hash since a URL may hold a password. Nothing but a download is lost with it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::super::compiled::Stamp;

const VERSION: &str = "maillogsentinel-source-1";

/// What a server said of the content of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) etag: Option<String>,
    /// As the server writes it.
    pub(super) modified: Option<String>,
    /// How many ranges came from there; nodes of an MMDB.
    pub(super) ranges: u64,
}

/// What is remembered of a database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Memory(Vec<(String, Version)>);

impl Memory {
    /// What is remembered of the file at `path`; nothing if it was changed since, or came from other
    /// URLs.
    pub(super) fn load(path: &Path, urls: &[String]) -> Self {
        let read = || {
            let text = fs::read_to_string(place(path)).ok()?;
            let (first, rest) = text.split_once('\n')?;
            (first == state(path).ok()?).then_some(())?;
            let known: Vec<_> = rest.lines().map(parse).collect::<Option<_>>()?;
            let of = known.iter().map(|(hash, _)| hash.clone());
            of.eq(urls.iter().map(|url| hash(url))).then_some(Self(known))
        };
        read().unwrap_or_default()
    }

    /// What is known of `url`.
    pub(super) fn of(&self, url: &str) -> Option<&Version> {
        let hash = hash(url);
        self.0.iter().find(|(known, _)| *known == hash).map(|(_, version)| version)
    }

    /// Adds what was downloaded from `url`.
    pub(super) fn add(&mut self, url: &str, version: Version) {
        self.0.push((hash(url), version));
    }

    /// Keeps it, as what is known of the file that is at `path`.
    pub(super) fn keep(&self, path: &Path) -> io::Result<()> {
        let mut text = state(path)? + "\n";
        for (hash, version) in &self.0 {
            let [etag, modified] = [&version.etag, &version.modified].map(|it| {
                it.as_deref().filter(|it| !it.contains(['\t', '\n'])).unwrap_or_default()
            });
            let _ = writeln!(text, "{hash}\t{}\t{etag}\t{modified}", version.ranges);
        }
        let place = place(path);
        let mut file = NamedTempFile::with_prefix_in(".source-", place.parent().unwrap_or(path))?;
        file.write_all(text.as_bytes())?;
        // As readable as the database.
        file.as_file().set_permissions(fs::metadata(path)?.permissions())?;
        file.persist(place)?;
        Ok(())
    }
}

fn place(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".source");
    path.with_file_name(name)
}

fn state(path: &Path) -> io::Result<String> {
    let Stamp { device, inode, size, modified_ns } = Stamp::of(&fs::metadata(path)?);
    Ok(format!("{VERSION}\t{device}\t{inode}\t{size}\t{modified_ns}"))
}

fn hash(url: &str) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(url) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn parse(line: &str) -> Option<(String, Version)> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (hash, ranges) = (next()?.to_owned(), next()?.parse().ok()?);
    let mut text = || next().map(|it| Some(it.to_owned()).filter(|it| !it.is_empty()));
    Some((hash, Version { ranges, etag: text()?, modified: text()? }))
}
