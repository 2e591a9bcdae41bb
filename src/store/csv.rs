//! Keeps the CSV in line with the store.
//!
//! The store says how long the CSV was when it last held every failure up to some id. What the
//! store has beyond that is appended; if a run was killed while it appended, the file is longer
//! than the store says, and its end is the beginning of what should be appended: the rest is
//! added. Any other difference is the administrator's doing, and right: rows that were moved,
//! cut or edited stay so, and nothing is written twice.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{OptionalExtension, params, params_from_iter};

use super::figures::span;
use super::rows::{COLUMNS, Chunk, ChunkError};
use super::{Store, StoreError};
use crate::files;

/// The header, as the contract has it.
pub const HEADER: &str = "server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n";

/// The CSV when it last was in line with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    length: u64,
    last_failure: i64,
    lines: Option<u64>,
}

/// What stands in the CSV after the place that is remembered.
enum Tail {
    /// The beginning of the rows that are missing.
    Unfinished,
    /// All of them, and then something of an administrator's.
    Finished,
    /// Something else.
    Foreign,
}

impl Store {
    /// Brings the CSV at `path` in line with the store; gives the number of rows appended.
    ///
    /// If `stop` says so in between, the CSV is left as it was.
    pub fn project(
        &mut self,
        path: &Path,
        zone: &TimeZone,
        stop: &dyn Fn() -> bool,
    ) -> Result<u64, StoreError> {
        let mark = self.mark()?;
        let newest = self.newest_failure()?;
        let there = stat(path)?;
        if let (Some(mark), Some(there)) = (mark, there)
            && (mark.device, mark.inode, mark.length, mark.last_failure)
                == (there.0, there.1, there.2, newest)
        {
            return Ok(0);
        }
        let mut file = open(path)?;
        let mark = self.adopt(path, &mut file, mark, zone)?;
        if mark.last_failure == newest {
            return Ok(0);
        }
        match self.append(path, &mut file, (mark, zone), stop) {
            // Not undone if this fails: whatever the store says afterwards, the next run sees that
            // the rows are ours.
            Ok(Some((after, count))) => self.remember(after).map(|()| count),
            unfinished => {
                // The next run writes these rows again, and the file is whole until then.
                let _ = file.set_len(mark.length);
                unfinished.map(|_| 0)
            }
        }
    }

    /// Finds where our rows end in `file`, and remembers that before anything is appended.
    fn adopt(
        &mut self,
        path: &Path,
        file: &mut File,
        mark: Option<Mark>,
        zone: &TimeZone,
    ) -> Result<Mark, StoreError> {
        let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
        let meta = file.metadata().map_err(io)?;
        let last_failure = mark.map_or(0, |mark| mark.last_failure);
        let (device, inode) = (meta.dev(), meta.ino());
        let mut seen = Mark { device, inode, length: meta.size(), last_failure, lines: None };
        if let Some(mark) = mark.filter(|mark| Mark { lines: mark.lines, ..seen } == *mark) {
            seen.lines = mark.lines;
        }
        let same = mark.filter(|mark| (mark.device, mark.inode) == (device, inode));
        if let Some(mark) = same.filter(|mark| mark.length < seen.length) {
            match self.tail(path, file, mark, zone)? {
                Tail::Unfinished => return Ok(mark),
                Tail::Finished => {
                    let seen = Mark { last_failure: self.newest_failure()?, ..seen };
                    return self.remember(seen).map(|()| seen);
                }
                Tail::Foreign => {}
            }
        }
        if mark != Some(seen) {
            self.remember(seen)?;
        }
        Ok(seen)
    }

    /// What follows `mark.length` in `file`.
    ///
    /// After a crash of the machine some of our rows may be zeros: written, but not to the disk.
    fn tail(
        &self,
        path: &Path,
        file: &mut File,
        mark: Mark,
        zone: &TimeZone,
    ) -> Result<Tail, StoreError> {
        let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
        let start = leading(file, mark.length).map_err(io)?;
        file.seek(SeekFrom::Start(mark.length)).map_err(io)?;
        let mut reader = io::BufReader::new(&mut *file);
        let (mut ours, mut whole, mut zeros) = (true, true, false);
        let mut compare = |expected: &[u8]| -> io::Result<bool> {
            let mut there = Vec::with_capacity(expected.len());
            reader.by_ref().take(expected.len() as u64).read_to_end(&mut there)?;
            ours &= there.iter().zip(expected).all(|(there, ours)| there == ours || *there == 0);
            zeros |= there.contains(&0);
            whole &= there.len() == expected.len();
            Ok(ours && whole)
        };
        compare(start.as_bytes()).map_err(io)?;
        self.render(("id > ?", &[mark.last_failure]), zone, &mut |rows, _| {
            compare(rows).map_err(io)
        })?;
        let beyond = reader.read(&mut [0]).map_err(io)? > 0;
        Ok(match (ours, beyond) {
            (true, false) => Tail::Unfinished,
            (true, true) if whole && !zeros && mark.last_failure < self.newest_failure()? => {
                Tail::Finished
            }
            _ => Tail::Foreign,
        })
    }

    /// Appends what is missing, overwriting only what [`Store::tail`] found to be ours; gives what
    /// to remember then, or `None` if it was stopped.
    fn append(
        &self,
        path: &Path,
        file: &mut File,
        (mark, zone): (Mark, &TimeZone),
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<(Mark, u64)>, StoreError> {
        let io = |source| StoreError::Io { action: "write", path: path.to_owned(), source };
        let start = leading(file, mark.length).map_err(io)?;
        file.seek(SeekFrom::Start(mark.length)).map_err(io)?;
        file.write_all(start.as_bytes()).map_err(io)?;
        let (mut length, mut last_failure, mut count) = (mark.length + start.len() as u64, 0, 0);
        self.render(("id > ?", &[mark.last_failure]), zone, &mut |rows, (last, rendered)| {
            length += rows.len() as u64;
            (last_failure, count) = (last, count + rendered);
            file.write_all(rows).map_err(io).map(|()| !stop())
        })?;
        if stop() {
            return Ok(None);
        }
        file.sync_all().map_err(io)?;
        // A line cannot hold another: what breaks lines is escaped in a field.
        let leading = start.matches('\n').count() as u64;
        let lines = match (mark.length, mark.lines) {
            (0, _) => Some(leading + count),
            (_, lines) => lines.map(|lines| lines + leading + count),
        };
        Ok(Some((Mark { length, last_failure, lines, ..mark }, count)))
    }

    /// Renders the failures that a condition selects, chunk by chunk, with the last id and the number of
    /// rows in each; stops when `sink` says false.
    fn render(
        &self,
        (which, values): (&str, &[i64]),
        zone: &TimeZone,
        sink: &mut Sink<'_>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM failure WHERE {which} ORDER BY id");
        let read = |e| self.error("read", e);
        let rendered = |e| match e {
            ChunkError::Read(e) => self.error("read", e),
            ChunkError::Render(e) => StoreError::Io {
                action: "render rows from",
                path: self.path.clone(),
                source: e.into(),
            },
        };
        let mut statement = self.connection.prepare_cached(&sql).map_err(read)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(read)?;
        let mut chunk = Chunk::new(&self.connection, zone.clone());
        loop {
            let row = rows.next().map_err(read)?;
            let done = row.is_none();
            row.map_or(Ok(()), |row| chunk.push(row)).map_err(rendered)?;
            if chunk.is_full() || (done && chunk.count > 0) {
                let (bytes, last, count) = chunk.take().map_err(rendered)?;
                if !sink(&bytes, (last, count))? {
                    return Ok(());
                }
            }
            if done {
                return Ok(());
            }
        }
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let sql = "SELECT device, inode, length, last_failure, lines FROM csv";
        let mark = self.connection.query_row(sql, [], |row| {
            let (device, inode) = (super::unsigned(row, 0)?, super::unsigned(row, 1)?);
            let (length, last_failure) = (super::unsigned(row, 2)?, row.get(3)?);
            let lines = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
            Ok(Mark { device, inode, length, last_failure, lines })
        });
        mark.optional().map_err(|e| self.error("read", e))
    }

    fn remember(&mut self, mark: Mark) -> Result<(), StoreError> {
        let Mark { device, inode, length, last_failure, lines } = mark;
        let lines = lines.map(u64::cast_signed);
        let (device, inode) = (device.cast_signed(), inode.cast_signed());
        let values = params![device, inode, length.cast_signed(), last_failure, lines];
        let mut write = || {
            let transaction = self.connection.transaction()?;
            transaction.execute("DELETE FROM csv", [])?;
            transaction.execute("INSERT INTO csv VALUES (?, ?, ?, ?, ?)", values)?;
            transaction.commit()
        };
        write().map_err(|e| self.error("write", e))
    }

    /// Bytes and lines of the CSV at `path`, 0 if there is none. The lines are counted once and
    /// then known.
    pub fn csv_size(&mut self, path: &Path) -> Result<(u64, u64), StoreError> {
        let Some((device, inode, length)) = stat(path)? else { return Ok((0, 0)) };
        let mark =
            self.mark()?.filter(|it| (it.device, it.inode, it.length) == (device, inode, length));
        if let Some(lines) = mark.and_then(|mark| mark.lines) {
            return Ok((length, lines));
        }
        let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let lines = count_lines(file.take(length)).map_err(io)?;
        if let Some(mark) = mark {
            self.remember(Mark { lines: Some(lines), ..mark })?;
        }
        Ok((length, lines))
    }

    /// The rows of a local day's failures as the CSV has them, with its header; `None` if they are
    /// more than `most` bytes.
    pub fn rows_of(
        &self,
        day: Date,
        zone: &TimeZone,
        most: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (from, to) = span(day, zone).unwrap_or_default();
        let mut out = HEADER.as_bytes().to_vec();
        let mut fits = true;
        self.render(("time >= ? AND time < ?", &[from, to]), zone, &mut |rows, _| {
            out.extend_from_slice(rows);
            fits = out.len() as u64 <= most;
            Ok(fits)
        })?;
        Ok(fits.then_some(out))
    }
}

fn count_lines(mut input: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let read = input.read(&mut buffer)?;
        let fresh = buffer.get(..read).unwrap_or_default();
        let Some(end) = fresh.last() else { return Ok(lines + u64::from(last != b'\n')) };
        lines += memchr::memchr_iter(b'\n', fresh).count() as u64;
        last = *end;
    }
}

/// Takes rows, with the last id and the number of them; says whether it wants more.
type Sink<'a> = dyn FnMut(&[u8], (i64, u64)) -> Result<bool, StoreError> + 'a;

/// What must come before the first row that is appended to the first `length` bytes of `file`.
fn leading(file: &File, length: u64) -> io::Result<&'static str> {
    let Some(last) = length.checked_sub(1) else { return Ok(HEADER) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(if byte == *b"\n" { "" } else { "\n" })
}

/// Device, inode and length of the file at `path`; `None` if there is none.
fn stat(path: &Path) -> Result<Option<(u64, u64, u64)>, StoreError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some((meta.dev(), meta.ino(), meta.size()))),
        Ok(_) => Err(StoreError::NotAFile(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { action: "look at", path: path.to_owned(), source }),
    }
}

/// Opens the CSV; where there is none, it appears with its header, complete.
fn open(path: &Path) -> Result<File, StoreError> {
    // A link to a file that is not there yet: that file is the CSV.
    let target =
        std::fs::read_link(path).map(|to| path.parent().unwrap_or(Path::new(".")).join(to));
    let path = target.as_deref().unwrap_or(path);
    let io = |action| move |source| StoreError::Io { action, path: path.to_owned(), source };
    if stat(path)?.is_none() {
        // Always the same name: what a killed run left is replaced, not left lying about.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let mut file = files::create(&new).map_err(io("create"))?;
        file.write_all(HEADER.as_bytes()).map_err(io("write"))?;
        file.sync_all().map_err(io("write"))?;
        match files::publish(&new, path) {
            // Somebody made the file in between: it is theirs, and continued.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_file(&new).map_err(io("remove"))?;
            }
            other => other.map_err(io("create"))?,
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(io("create"))?;
    }
    OpenOptions::new().read(true).write(true).open(path).map_err(io("open"))
}
