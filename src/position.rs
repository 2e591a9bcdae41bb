//! Where reading stopped: the identity of a log file and how far it has been read.
//!
//! A file name says nothing (rotation renames), an inode little (copytruncate reuses it, compression
//! changes it). What stays is the content: a file is the one we know if its first line is the same
//! and if the bytes just before our position are the same too. Where only the first line is, it is
//! a copy of an earlier state, and must be compared line by line with what was recorded.

use std::path::PathBuf;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// How many bytes a fingerprint covers at most. A log line is about 120 bytes and starts with its
/// time, so that a few lines tell two files apart.
pub const FINGERPRINT_BYTES: usize = 1024;

/// A short stretch of a file, hashed: the log itself is not copied into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many bytes it covers.
    pub length: usize,
    /// Their SHA-256.
    pub hash: [u8; 32],
}

impl Fingerprint {
    /// The fingerprint of all of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), hash: Sha256::digest(bytes).into() }
    }

    /// Whether `bytes` begins with what was fingerprinted; never for an empty fingerprint.
    pub fn starts(&self, bytes: &[u8]) -> bool {
        self.length > 0 && bytes.get(..self.length).is_some_and(|start| Self::of(start) == *self)
    }
}

/// What the file system says of a file; if all of it is unchanged, so is the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes, as stored (compressed).
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i64,
}

impl Stamp {
    /// Whether both are the same file, whatever was written to it since.
    pub fn same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// One file in the life of a log: from its creation through its rotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its row in the store.
    pub id: i64,
    /// Whether it was read for the log that is read; else for one that has another name now, or is
    /// not read any more.
    pub own: bool,
    /// Where it was last seen.
    pub path: PathBuf,
    /// What the file system said then.
    pub stamp: Stamp,
    /// How far we got.
    pub progress: Progress,
}

/// How far one file has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the uncompressed content that are done with: whole lines.
    pub offset: u64,
    /// Lines in them.
    pub lines: u64,
    /// The first line of the file, at most [`FINGERPRINT_BYTES`] of it.
    pub head: Fingerprint,
    /// The last bytes before `offset`.
    pub tail: Fingerprint,
    /// Whether a last line without its end was left for later.
    pub unfinished: bool,
    /// The time of the last line read, if any line had one.
    pub last_time: Option<Timestamp>,
    /// The processes whose last line says that they cannot reach the auth service.
    pub outage: Vec<Box<[u8]>>,
    /// Attempts whose user may belong to a line that follows, as `parse` has written them.
    pub names: Vec<u8>,
    /// The last entry that is done with, if it is a journal that was read and no file.
    pub entry: Option<JournalEntry>,
}

/// An entry of a systemd journal, and its place among the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalEntry {
    /// What `journalctl --cursor` takes; `sd_journal_get_cursor(3)`.
    pub cursor: String,
    /// The boot in which it was received.
    pub boot: String,
    /// When, in microseconds of that boot's `CLOCK_MONOTONIC`.
    pub monotonic_us: u64,
    /// When, in microseconds since 1970, by a clock that may have been set since.
    pub realtime_us: u64,
}

impl JournalEntry {
    /// Whether it was received in the same boot as `other`, and not after it: whatever was done to
    /// the clock since, and to the files, whose entries may have got new numbers. Lines that journald
    /// reads at once have one time; then numbers tell, if they are of the same series.
    pub fn is_up_to(&self, other: &Self) -> bool {
        let is_before = self.monotonic_us < other.monotonic_us;
        let is_at_once = self.monotonic_us == other.monotonic_us;
        self.boot == other.boot && (is_before || is_at_once && !self.is_numbered_after(other))
    }

    fn is_numbered_after(&self, other: &Self) -> bool {
        let (Some((own, number)), Some((its, before))) = (self.number(), other.number()) else {
            return false;
        };
        own == its && number > before
    }

    /// The series of numbers that it has one of, and which.
    pub fn number(&self) -> Option<(&str, u64)> {
        let (series, rest) = self.cursor.strip_prefix("s=")?.split_once(";i=")?;
        Some((series, u64::from_str_radix(rest.split_once(';')?.0, 16).ok()?))
    }

    /// When it was received.
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.realtime_us.try_into().ok()?).ok()
    }
}

/// A place in a CSV: everything before it was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// Bytes before it.
    pub offset: u64,
    /// Lines before it.
    pub lines: u64,
    /// The first bytes of the file.
    pub head: Fingerprint,
    /// The last bytes before it, as they are: an edited file is searched for them.
    pub tail: Vec<u8>,
}
