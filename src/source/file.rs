//! One file of a log: what it is, what is new in it, and its lines from there on.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::SourceError;
use super::block::{Blocks, Edges, LastLine};
use super::compressed::{self, Compression};
use super::piece::{Pieces, Stretch};
use crate::account;
use crate::position::{FINGERPRINT_BYTES, Fingerprint, Generation, Progress, Stamp};

/// A stream of uncompressed bytes.
pub type Stream = Box<dyn Read + Send>;

/// A file to read, and from where.
pub struct Reading {
    /// Its path; `-` for standard input.
    pub path: PathBuf,
    /// What it was when the plan was made.
    pub stamp: Stamp,
    /// Its content, where it cannot be opened twice: standard input. Which of the generations it
    /// continues is seen when it is opened, for that may have to wait.
    pub stream: Option<(Stream, Vec<Generation>)>,
    /// The generation it continues, if it is a known one.
    pub known: Option<i64>,
    /// What of it is new.
    pub from: From,
    /// What its last line is worth without an end.
    pub last_line: LastLine,
    /// Whether another file of the log comes before it.
    pub follows: bool,
}

impl Reading {
    /// The same again, but for a stream, which cannot be read twice.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            path: self.path.clone(),
            stamp: self.stamp.clone(),
            stream: None,
            known: self.known,
            from: self.from.clone(),
            last_line: self.last_line,
            follows: self.follows,
        }
    }
}

/// What of a file is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// All of it.
    Start,
    /// What follows the bytes that are done with.
    After(Box<Progress>),
    /// It starts like a generation that we know, and then differs: a copy brought back from a
    /// backup, say. Whoever reads it must leave out failures that are recorded, and count logins
    /// only after `since`.
    Again {
        /// The time of the last line read of that generation.
        since: Option<Timestamp>,
    },
    /// What follows this many bytes: the Python program has read them.
    TakenOver(u64),
}

/// An open file that stands where reading begins.
pub struct Opened {
    /// Its lines.
    pub blocks: Blocks<Stream>,
    /// What it is now.
    pub stamp: Stamp,
    /// What of it is new, now that all of it could be looked at.
    pub from: From,
    /// The generation it continues, if it is a known one.
    pub known: Option<i64>,
    plain: Option<Arc<File>>,
    path: PathBuf,
    last_line: LastLine,
    counter: Arc<AtomicU64>,
}

/// What the file system says of an open or closed file.
pub fn stamp(metadata: &Metadata) -> Stamp {
    let modified_ns =
        metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Stamp { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), modified_ns }
}

/// The first uncompressed bytes of a file, as many as a fingerprint covers, and its compression.
pub fn head(path: &Path) -> Result<(Vec<u8>, Compression), SourceError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Moved(path.to_owned()),
        _ => SourceError::io("open", path, error),
    })?;
    let (compression, stream) = compressed::open(file).map_err(|e| damaged(path, e))?;
    let head = first_bytes(stream).map_err(|source| match compression {
        Compression::None => SourceError::io("read", path, source),
        _ => damaged(path, source),
    })?;
    Ok((head, compression))
}

/// The first bytes of `stream` that are not NUL, as many as a fingerprint covers: files that
/// start with a hole are not alike for that.
pub(super) fn first_bytes(mut stream: impl Read) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 64 * FINGERPRINT_BYTES];
    loop {
        let read = stream.read(&mut buffer)?;
        let fresh = buffer.get(..read).unwrap_or_default();
        let hole = fresh.iter().take_while(|byte| **byte == 0).count();
        if hole < read || read == 0 {
            let mut head = fresh.get(hole..).unwrap_or_default().to_vec();
            let missing = FINGERPRINT_BYTES.saturating_sub(head.len());
            // What comes before some damage is there to be read; the damage is met again then.
            let _ = stream.take(missing as u64).read_to_end(&mut head);
            head.truncate(FINGERPRINT_BYTES);
            return Ok(head);
        }
    }
}

/// Whether the bytes before `progress.offset` of a plain file are those that were read.
pub fn ends_as_read(path: &Path, progress: &Progress) -> bool {
    File::open(path).is_ok_and(|file| tail(&file, progress.offset, &progress.tail).is_ok())
}

/// Opens `reading` where its news begin; each raw byte read is added to `bytes_read`.
pub fn open(mut reading: Reading, bytes_read: &Arc<AtomicU64>) -> Result<Opened, SourceError> {
    if let Some((stream, generations)) = reading.stream.take() {
        return open_stream(stream, &generations, reading);
    }
    let path = &reading.path;
    let io = |action| move |error| SourceError::io(action, path, error);
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Moved(path.clone()),
        _ => io("open")(error),
    })?;
    let now = stamp(&file.metadata().map_err(io("look at"))?);
    if !now.same_file(&reading.stamp) {
        return Err(SourceError::Moved(reading.path));
    }
    let place = (now, reading.path.clone());
    let again = file.try_clone().map_err(io("open"))?;
    let counted = Counted(again, bytes_read.clone());
    let (compression, stream) = compressed::open(counted).map_err(|e| damaged(path, e))?;
    if compression == Compression::None {
        drop(stream);
        let rules = (reading.from, reading.last_line);
        let opened = open_plain(file, rules, place, bytes_read.clone())?;
        return Ok(Opened { known: reading.known, ..opened });
    }
    match (skip(stream, reading.from.clone(), LastLine::IsWhole, place), reading.from) {
        // It starts like a file that we know, and is another.
        (Err(SourceError::Moved(_)), From::After(progress)) => {
            let from = From::Again { since: progress.last_time };
            open(Reading { from, ..reading }, bytes_read)
        }
        (opened, _) => opened.map(|opened| Opened { known: reading.known, ..opened }),
    }
}

/// Finds out which of `generations` a stream continues, and passes over what was read of it.
fn open_stream(
    stream: Stream,
    generations: &[Generation],
    reading: Reading,
) -> Result<Opened, SourceError> {
    let Reading { path, stamp, last_line, .. } = reading;
    let io = |error| SourceError::io("read", &path, error);
    let (_, mut stream) = compressed::open(stream).map_err(io)?;
    let mut start = Vec::new();
    stream.by_ref().take(FINGERPRINT_BYTES as u64).read_to_end(&mut start).map_err(io)?;
    let known = generations.iter().rev().find(|g| g.progress.head.starts(&start));
    let from = known.map_or(From::Start, |g| From::After(Box::new(g.progress.clone())));
    let whole = Box::new(io::Cursor::new(start).chain(stream));
    let opened = skip(whole, from, last_line, (stamp, path)).map_err(|error| match error {
        SourceError::Moved(_) => SourceError::NoContinuation,
        error => error,
    })?;
    Ok(Opened { known: known.map(|g| g.id), ..opened })
}

fn open_plain(
    file: File,
    (from, last_line): (From, LastLine),
    (stamp, path): (Stamp, PathBuf),
    counter: Arc<AtomicU64>,
) -> Result<Opened, SourceError> {
    let io = |error| SourceError::io("read", &path, error);
    let (position, edges) = match &from {
        From::After(progress) => {
            let moved = |_| SourceError::Moved(path.clone());
            let tail = tail(&file, progress.offset, &progress.tail).map_err(moved)?;
            (&file).seek(SeekFrom::Start(0)).map_err(io)?;
            let mut head = first_bytes(&file).map_err(moved)?;
            if !progress.head.starts(&head) {
                return Err(SourceError::Moved(path));
            }
            head.truncate(progress.head.length);
            (progress.offset, Edges::new(head, tail))
        }
        _ => (0, Edges::default()),
    };
    let file = Arc::new(file);
    // What is written from here on is for the next run: a busy log must not keep us for ever.
    let stretch = Stretch::new(file.clone(), position..stamp.size);
    let reader = Counted(stretch, counter.clone());
    let blocks = Blocks::new(Box::new(reader) as Stream, position, edges, last_line);
    Ok(Opened { blocks, stamp, from, known: None, plain: Some(file), path, last_line, counter })
}

/// Reads past what is done with in a stream that cannot seek.
fn skip(
    mut stream: Stream,
    from: From,
    last_line: LastLine,
    (stamp, path): (Stamp, PathBuf),
) -> Result<Opened, SourceError> {
    let opened = |stream, from, position, edges, path| Opened {
        blocks: Blocks::new(stream, position, edges, last_line),
        stamp,
        from,
        known: None,
        plain: None,
        path,
        last_line,
        counter: Arc::default(),
    };
    let From::After(progress) = &from else {
        return Ok(opened(stream, from, 0, Edges::default(), path));
    };
    let mut edges = Edges::default();
    let mut left = progress.offset;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let room = buffer.get_mut(..want).unwrap_or_default();
        let read = stream.read(room).map_err(|e| damaged(&path, e))?;
        if read == 0 {
            break;
        }
        edges.push(room.get(..read).unwrap_or_default());
        left -= read as u64;
    }
    if left > 0 || edges.fingerprints().1 != progress.tail {
        return Err(SourceError::Moved(path));
    }
    let position = progress.offset;
    Ok(opened(stream, from, position, edges, path))
}

impl Opened {
    /// Lines that come from no file, from where those before them ended.
    pub fn endless(stream: Stream, (from, known): (From, Option<i64>), path: &Path) -> Self {
        let position = if let From::After(progress) = &from { progress.offset } else { 0 };
        let last_line = LastLine::IsWhole;
        Self {
            blocks: Blocks::new(stream, position, Edges::default(), last_line),
            stamp: Stamp::default(),
            from,
            known,
            plain: None,
            path: path.to_owned(),
            last_line,
            counter: Arc::default(),
        }
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What of a plain file can be read in pieces, if that is worth it.
    pub fn pieces(&self, piece_bytes: u64) -> Option<Pieces> {
        let start = self.blocks.position();
        let worth = self.stamp.size.saturating_sub(start) >= 2 * piece_bytes;
        let file = self.plain.clone().filter(|_| worth)?;
        Some(Pieces::new(file, start..self.stamp.size, piece_bytes))
    }

    /// The lines of one piece.
    pub fn stretch(&self, piece: Range<u64>) -> Option<Blocks<Stream>> {
        let position = piece.start;
        let stretch = Stretch::new(self.plain.clone()?, piece);
        let reader = Box::new(Counted(stretch, self.counter.clone())) as Stream;
        Some(Blocks::new(reader, position, Edges::default(), LastLine::Waits))
    }

    /// Goes on after the pieces that were read, whose end is `position`.
    pub fn go_on_at(&mut self, position: u64, edges: Edges) {
        let Some(file) = self.plain.clone() else { return };
        let stretch = Stretch::new(file, position..self.stamp.size);
        let reader = Box::new(Counted(stretch, self.counter.clone()));
        self.blocks = Blocks::new(reader, position, edges, self.last_line);
    }

    /// Whether a last line was left for later.
    pub fn unfinished(&self) -> bool {
        self.plain.is_some() && self.stamp.size > self.blocks.position()
    }

    /// Checks that nobody truncated the file while it was read, which would have mixed two files.
    pub fn still_the_same(&self) -> Result<(), SourceError> {
        let Some(file) = &self.plain else { return Ok(()) };
        let (head, end) = self.blocks.edges().fingerprints();
        let mut start = &**file;
        let mut same_start = || start.seek(SeekFrom::Start(0)).and_then(|_| first_bytes(start));
        let same_end = tail(file, self.blocks.position(), &end).is_ok();
        let nothing_read = head.length == 0;
        if nothing_read || same_end && same_start().is_ok_and(|bytes| head.starts(&bytes)) {
            return Ok(());
        }
        Err(SourceError::Moved(self.path.clone()))
    }

    /// What a read error of this file means.
    pub fn error(&self, source: io::Error) -> SourceError {
        if self.plain.is_some() {
            SourceError::io("read", &self.path, source)
        } else {
            damaged(&self.path, source)
        }
    }
}

/// The bytes of `fingerprint` before `offset`, if they are there.
fn tail(file: &File, offset: u64, fingerprint: &Fingerprint) -> io::Result<Vec<u8>> {
    let start = offset.checked_sub(fingerprint.length as u64).ok_or(io::ErrorKind::InvalidData)?;
    let bytes = range(file, start, fingerprint.length)?;
    if Fingerprint::of(&bytes) == *fingerprint {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

fn range(file: &File, start: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.min(FINGERPRINT_BYTES)];
    file.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

fn damaged(path: &Path, source: io::Error) -> SourceError {
    SourceError::Damaged { path: path.to_owned(), source }
}

/// Who may read `path`, in words that can be typed.
pub fn permission_hint(path: &Path) -> String {
    let user = account::own_name();
    if path.metadata().is_ok_and(|meta| account::is_hidden(meta.gid())) {
        return "`sudo maillogsentinel doctor` says what mends it".to_owned();
    }
    let closed = path.ancestors().skip(1).find(|folder| folder.read_dir().is_err());
    if let Some(folder) = closed.filter(|_| path.metadata().is_err()) {
        let folder = folder.display();
        return format!("let user {user} enter the folder {folder}, for example by its group");
    }
    // Nobody should be put into the group root for a log.
    let readable = path.metadata().ok().filter(|m| m.mode() & 0o040 != 0 && m.gid() != 0);
    match readable.map(|meta| account::group_name(meta.gid())) {
        Some(group) => {
            format!("add user {user} to group {group}: `sudo usermod -aG {group} {user}`")
        }
        None => format!(
            "add user {user} to group adm (`sudo usermod -aG adm {user}`) and let that group read \
             it: `sudo chgrp adm {0}; sudo chmod g+r {0}`",
            path.display()
        ),
    }
}

/// Counts what is read, for the progress bar.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
