//! Refreshes the databases by HTTP, for `ipinfo --update`.
//!
//! A new file replaces the old one in one step, and only if it arrived whole, loads, and has at least
//! half as many ranges; whatever else happens, the old one stays as it is. Several URLs for one file
//! are joined in it, as the projects publish IPv4 and IPv6 apart and the configuration names one path.

mod error;
mod http;
mod memory;
mod proxy;
mod sources;

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

pub use error::UpdateError;
pub use http::{Limits, Progress, without_secrets};
pub use proxy::Proxies;
pub use sources::{
    DB_IP_ATTRIBUTION, DEFAULT_ATTRIBUTION, DEFAULT_COUNTRY_URLS, DEFAULT_NETWORK_URLS,
    FORMER_ATTRIBUTION,
};

use super::{Checked, Format, GeoError, Kind, check};
use http::{Answer, Client};
use memory::{Memory, Version};

/// How the names of unfinished files begin.
const PREFIX: &str = ".update-";
/// No update takes so long.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// One database and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it tells.
    pub kind: Kind,
    /// The file to replace.
    pub path: PathBuf,
    /// One, or several to be joined.
    pub urls: Vec<String>,
}

/// Which URL goes where: one to one if there are as many files as URLs, all into one file if there is
/// but one.
pub fn plan(kind: Kind, paths: &[PathBuf], urls: &[String]) -> Result<Vec<Job>, UpdateError> {
    match paths {
        _ if urls.is_empty() => Ok(Vec::new()),
        _ if paths.len() == urls.len() => Ok(paths
            .iter()
            .zip(urls)
            .map(|(path, url)| Job { kind, path: path.clone(), urls: vec![url.clone()] })
            .collect()),
        [path] => Ok(vec![Job { kind, path: path.clone(), urls: urls.to_vec() }]),
        _ => Err(UpdateError::Plan { urls: urls.len(), paths: paths.len() }),
    }
}

/// Whether the file at `path` is, unchanged, what was last downloaded from `urls`.
pub fn came_from(path: &Path, urls: &[String]) -> bool {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    urls.first().is_some_and(|url| Memory::load(&path, urls).of(url).is_some())
}

/// How an update ended.
#[derive(Debug)]
pub enum Outcome {
    /// The file was replaced.
    Updated {
        /// Ranges of the new file; nodes of the tree if it is an MMDB.
        ranges: u64,
        /// Bytes that came over the network.
        bytes: u64,
    },
    /// The server has nothing newer.
    NotModified,
    /// The file is as it was.
    Failed(UpdateError),
}

/// Refreshes databases.
pub struct Updater {
    client: Client,
}

impl Updater {
    /// Connects to nobody yet.
    pub fn new(limits: Limits, proxies: Proxies) -> Self {
        Self { client: Client::new(limits, proxies) }
    }

    /// Refreshes one database. Two at once do not disturb each other: the later one holds.
    pub fn update(&self, job: &Job, progress: &mut Progress<'_>) -> Outcome {
        match self.refresh(job, progress) {
            Ok(Some((ranges, bytes))) => Outcome::Updated { ranges, bytes },
            Ok(None) => Outcome::NotModified,
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Ranges and bytes of what is new; `None` if nothing is.
    fn refresh(
        &self,
        job: &Job,
        progress: &mut Progress<'_>,
    ) -> Result<Option<(u64, u64)>, UpdateError> {
        // A link stays a link: what it points to is replaced.
        let path = fs::canonicalize(&job.path).unwrap_or_else(|_| job.path.clone());
        let in_use = in_use(&path, job.kind)?;
        let memory =
            if in_use.is_some() { Memory::load(&path, &job.urls) } else { Memory::default() };
        let mut parts = Vec::new();
        for url in &job.urls {
            parts.push(self.download(url, memory.of(url), &path, progress)?);
        }
        if parts.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut whole = Vec::new();
        for (url, part) in job.urls.iter().zip(parts) {
            // Of what is the same there is no copy of its own to join with the rest.
            let part = match part {
                Some(part) => Some(part),
                None => self.download(url, None, &path, progress)?,
            };
            whole.extend(part.map(|part| (url.as_str(), part)));
        }
        let mut known = Memory::default();
        for (url, part) in &mut whole {
            let checked = judge(url, part.file.path(), job)?;
            no_fewer(url, checked.ranges, memory.of(url).map(|version| version.ranges))?;
            part.version.ranges = checked.ranges;
            known.add(url, part.version.clone());
        }
        let bytes = whole.iter().map(|(_, part)| part.bytes).sum();
        let first = job.urls.first().map(String::as_str).unwrap_or_default();
        let new = join(whole.into_iter().map(|(_, part)| part.file), &path)?;
        let ranges = judge(first, new.path(), &Job { urls: Vec::new(), ..job.clone() })?.ranges;
        no_fewer(first, ranges, in_use.map(|checked| checked.ranges))?;
        replace(new, &path)?;
        // Without it the next update downloads again, and that is all.
        let _ = known.keep(&path);
        Ok(Some((ranges, bytes)))
    }

    fn download(
        &self,
        url: &str,
        known: Option<&Version>,
        path: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Part>, UpdateError> {
        let mut file = beside(path)?;
        match self.client.fetch(url, known, &mut file, progress)? {
            Answer::Same => Ok(None),
            Answer::New(version, bytes) => Ok(Some(Part { file, version, bytes })),
        }
    }
}

/// What the file to be replaced holds, if it can be used; whose file it is otherwise must be plain.
fn in_use(path: &Path, kind: Kind) -> Result<Option<Checked>, UpdateError> {
    match check(path, kind) {
        Ok(checked) => Ok(Some(checked)),
        Err(
            error @ (GeoError::Unknown { .. }
            | GeoError::Unusable { .. }
            | GeoError::OtherKind { .. }
            | GeoError::NotAFile { .. }),
        ) => Err(UpdateError::NotOurs { what: error.text() }),
        Err(_) => Ok(None),
    }
}

/// What one URL gave.
struct Part {
    file: NamedTempFile,
    version: Version,
    bytes: u64,
}

/// A file that vanishes unless it replaces the one at `path`.
fn beside(path: &Path) -> Result<NamedTempFile, UpdateError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let file = NamedTempFile::with_prefix_in(PREFIX, folder).map_err(|source| {
        // The temporary file's own name would only be in the way.
        let inner = source.get_ref().and_then(|it| it.source()?.downcast_ref::<io::Error>());
        let number = inner.and_then(io::Error::raw_os_error);
        let source = number.map_or(source, io::Error::from_raw_os_error);
        failed("create a file beside", path, source)
    })?;
    clear(folder, file.as_file());
    Ok(file)
}

/// Removes what an update left that was killed: older by a day than the file just made.
fn clear(folder: &Path, now: &File) {
    let age = |metadata: Metadata| {
        let now = now.metadata().and_then(|it| it.modified()).ok()?;
        now.duration_since(metadata.modified().ok()?).ok()
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let old = entry.metadata().ok().and_then(age).is_some_and(|age| age > STALE);
        if old && entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> UpdateError {
    UpdateError::Io { action, path: path.to_path_buf(), source }
}

/// Whether a file can be used, and joined with others if the job has several.
fn judge(url: &str, file: &Path, job: &Job) -> Result<Checked, UpdateError> {
    let url = without_secrets(url);
    let checked = check(file, job.kind).map_err(|error| {
        // The file has no name that the administrator knows.
        let what = error.text().replace(&file.display().to_string(), "it");
        let url = url.clone();
        match error {
            GeoError::Io { source, .. } => failed("read", file, source),
            _ => UpdateError::Unusable { url, what },
        }
    })?;
    if checked.bad_lines > checked.ranges {
        let what = format!("{} lines are bad, {} good", checked.bad_lines, checked.ranges);
        return Err(UpdateError::Unusable { url, what });
    }
    if job.urls.len() > 1 && checked.format != Format::Ranges {
        return Err(UpdateError::CannotJoin { url });
    }
    Ok(checked)
}

/// A file of fewer than half the ranges was cut somewhere, at the server or on the way.
fn no_fewer(url: &str, new: u64, old: Option<u64>) -> Result<(), UpdateError> {
    match old {
        Some(old) if new < old.div_ceil(2) => {
            Err(UpdateError::Shrunk { what: without_secrets(url), new, old })
        }
        _ => Ok(()),
    }
}

/// Puts the parts one after another, each from the beginning of a line.
fn join(
    parts: impl ExactSizeIterator<Item = NamedTempFile>,
    path: &Path,
) -> Result<NamedTempFile, UpdateError> {
    let mut parts = parts;
    if parts.len() == 1
        && let Some(only) = parts.next()
    {
        return Ok(only);
    }
    let mut whole = beside(path)?;
    for part in parts {
        append(part.reopen(), &mut whole)
            .map_err(|source| failed("join the parts of", path, source))?;
    }
    Ok(whole)
}

fn append(part: io::Result<File>, whole: &mut NamedTempFile) -> io::Result<()> {
    let mut part = part?;
    io::copy(&mut part, whole)?;
    let mut last = [b'\n'];
    if part.seek(io::SeekFrom::End(-1)).is_ok() {
        part.read_exact(&mut last)?;
    }
    if last == [b'\n'] { Ok(()) } else { whole.write_all(b"\n") }
}

/// Replaces the file at `path` in one step. Its mode and owner stay; a new one is readable for all.
fn replace(new: NamedTempFile, path: &Path) -> Result<(), UpdateError> {
    let old = fs::metadata(path).ok();
    let mode = old.as_ref().map_or(0o644, |old| old.mode() & 0o777);
    if let Some(old) = &old {
        // Fails unless run by root; the file is then ours, as any new file would be.
        let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
    }
    new.as_file()
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| new.as_file().sync_all())
        .map_err(|source| failed("write", path, source))?;
    new.persist(path).map_err(|error| failed("replace", path, error.error))?;
    let folder = path.parent().and_then(|folder| File::open(folder).ok());
    // The new name lasts through a power cut; the content does in any case.
    let _ = folder.map(|folder| folder.sync_all());
    Ok(())
}
