//! Keeps the compiled form of a CSV database in a folder, for as long as its source is unchanged.
//!
//! Nothing depends on it: without the folder, or with a damaged file, the source is read instead.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Kind;
use super::ranges::Ranges;
use crate::files;

/// No compiled form is larger.
const MOST_BYTES: u64 = 256 << 20;

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// In bytes.
    pub(super) size: u64,
    /// Nanoseconds since 1970, as the bits of a signed number.
    pub(super) modified_ns: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.mtime().wrapping_mul(1_000_000_000);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: modified.wrapping_add(metadata.mtime_nsec()).cast_unsigned(),
        }
    }
}

/// Where the compiled form of `source` is kept: one file for each path and kind.
fn place(folder: &Path, source: &Path, kind: Kind) -> PathBuf {
    let hash = Sha256::digest(source.as_os_str().as_bytes());
    let start = hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    folder.join(format!("{}-{start:016x}.ranges", kind.plural()))
}

/// Whether a file of this name in such a folder is one, or one that is being written.
pub fn is_compiled_form(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| {
        let (plural, rest) = name.split_once('-')?;
        let (hash, ending) = rest.split_once('.')?;
        Some((plural, hash, ending))
    });
    parts.is_some_and(|(plural, hash, ending)| {
        [Kind::Countries, Kind::Networks].iter().any(|kind| kind.plural() == plural)
            && hash.len() == 16
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && ["ranges", "new"].contains(&ending)
    })
}

/// The compiled form of `source`, if there is one of this state of it.
pub(super) fn load(folder: &Path, source: &Path, kind: Kind, stamp: &Stamp) -> Option<Ranges> {
    let mut file = files::open(&place(folder, source, kind)).ok()?;
    let metadata = file.metadata().ok().filter(|it| it.len() <= MOST_BYTES)?;
    let size = usize::try_from(metadata.len()).ok()?;
    // One byte more than needed, so that the end is met without growing.
    let mut block = Vec::with_capacity(size.checked_add(1)?);
    file.read_to_end(&mut block).ok()?;
    Ranges::from_block(block, kind, stamp)
}

/// Keeps the compiled form of `source`; the folder is created if its parent exists.
pub(super) fn keep(folder: &Path, source: &Path, kind: Kind, ranges: &Ranges) -> io::Result<()> {
    if !folder.exists() {
        fs::create_dir(folder)?;
    }
    let place = place(folder, source, kind);
    // Always the same name: what a killed run left is not left lying about. If two write at once,
    // one of them goes without.
    let new = place.with_extension("new");
    let mut file = files::create(&new)?;
    let written = file.write_all(ranges.block()).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&new, place)).inspect_err(|_| drop(fs::remove_file(&new)))
}
