//! Stage 4: what is remembered between runs, in one SQLite file.
//!
//! A run commits what it found and where it stopped in one transaction for each file it reads;
//! that is the truth. The CSV is brought in line with it afterwards, see [`csv`].

mod alerts;
pub mod allowed;
mod batch;
pub mod casebook;
pub mod csv;
pub mod day_rows;
pub mod day_meaning;
mod days;
pub mod exported;
mod figures;
mod generations;
pub mod judged;
pub mod legacy;
pub mod lock;
pub mod look;
mod origins;
pub mod outbox;
pub mod recorded;
pub mod retention;
mod rows;
mod schema;
mod twins;
pub mod whole;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, ToSql};

use crate::account;
use crate::files;
use crate::untrusted::Untrusted;

pub use batch::{Batch, Novelty};

/// So long a run may write without a break, and somebody may wait for that.
const A_WHILE: Duration = Duration::from_secs(120);
/// So often it is tried meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// The store's file, in the state folder.
pub const FILE_NAME: &str = "maillogsentinel.db";

/// Why the store, or the CSV that mirrors it, could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Database {
        /// The verb.
        action: &'static str,
        /// The store.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A later version of this program wrote it.
    #[error("{} was written by a later version of this program (schema {found})", path.display())]
    TooNew {
        /// The store.
        path: PathBuf,
        /// Its schema version.
        found: i64,
    },
    /// Another run holds the lock.
    #[error("another run is {doing}: {holder} holds {}", path.display())]
    Locked {
        /// `at work`, or `mailing`.
        doing: &'static str,
        /// The lock file.
        path: PathBuf,
        /// The process, as `process 12 (maillogsentinel)`.
        holder: String,
    },
    /// Another program has it open.
    #[error("{} is held open by another program", .0.display())]
    HeldOpen(PathBuf),
    /// The Python program's `state.offset` is broken.
    #[error("{} does not hold a number of bytes", .0.display())]
    NotAnOffset(PathBuf),
    /// Where the CSV should be is a file with other rows.
    #[error("{} is there already, and is no CSV of failed logins", .0.display())]
    NotOurCsv(PathBuf),
    /// The CSV's path leads to something that rows cannot be appended to.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
}

impl StoreError {
    /// Whether another process is writing to the store at the moment.
    pub fn is_busy(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        source.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
    }

    /// What the administrator can do, if we know.
    pub fn hint(&self) -> Option<String> {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly,
            SystemIoFailure,
        };
        let full = "make room on that disk and run again: the next run completes what is missing";
        match self {
            Self::Database { source, path, .. } => match source.sqlite_error_code()? {
                NotADatabase | DatabaseCorrupt => Some(format!(
                    "move {0} away, with {0}-wal and {0}-shm if they are there: the next run builds it \
                     anew from the logs and the CSV",
                    path.display()
                )),
                DiskFull => Some(full.to_owned()),
                DatabaseBusy => Some("another run, or another program, writes to it: try again, or close that program".to_owned()),
                SystemIoFailure => Some(format!("the disk is full or broken: {full}")),
                // SQLite does not say which.
                CannotOpen | ReadOnly => {
                    Some(format!("{}; or, if the disk is full, {full}", permission(&denied(path))))
                }
                _ => None,
            },
            Self::Io { source, path, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => Some(full.to_owned()),
                std::io::ErrorKind::PermissionDenied => {
                    Some(permission(path))
                }
                _ => None,
            },
            Self::TooNew { .. } => Some("install that version again".to_owned()),
            Self::Locked { doing: "mailing", .. } => {
                Some("nothing to do: what waits is sent by it, or by the next run".to_owned())
            }
            Self::Locked { .. } => Some("nothing to do: it reads what is new".to_owned()),
            Self::HeldOpen(_) => Some("close that program, and run this again".to_owned()),
            Self::NotAnOffset(_) => Some(
                "remove it, and the log is read from its start; rows that are in the CSV already are \
                 not written again"
                    .to_owned(),
            ),
            Self::NotOurCsv(_) | Self::NotAFile(_) => Some("set `csv_filename` in section [paths]".to_owned()),
        }
    }
}

/// Does `write`, again and again while another run writes, which may ask for names meanwhile; not longer than
/// that may take, or until `stop`.
pub fn patiently<T>(
    stop: &dyn Fn() -> bool,
    mut write: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    loop {
        match write() {
            Err(error) if error.is_busy() && began.elapsed() < A_WHILE && !stop() => {
                std::thread::sleep(LOOK);
            }
            done => return done,
        }
    }
}

/// What is known of a boot in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// It may get more entries.
    GoesOn = 0,
    /// It gets no more, and all of it was read.
    Over = 1,
    /// Its entries were gone when they were last looked for, which was told.
    Gone = 2,
}

/// An open store.
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the store in `folder`, which exists; creates or migrates it as needed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        if path.exists() && !path.is_file() {
            return Err(StoreError::NotAFile(path));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if !path.exists() {
            create(&path)?;
        }
        let opened = Connection::open_with_flags(&path, flags);
        let error = |action| {
            let path = path.clone();
            move |source| StoreError::Database { action, path, source }
        };
        let mut connection = opened.map_err(error("open"))?;
        match schema::prepare(&mut connection).map_err(error("prepare"))? {
            schema::Version::Ours => Ok(Self { connection, path }),
            schema::Version::Later(found) => Err(StoreError::TooNew { path, found }),
        }
    }

    /// Lets what people ask for wait for a run that writes: it may ask for names meanwhile.
    pub fn be_patient(&self) -> Result<(), StoreError> {
        self.connection.busy_timeout(A_WHILE).map_err(|e| self.error("prepare", e))
    }

    /// Whether it never had to do with a CSV.
    pub fn is_new(&self) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM csv)";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error("read", e))
    }

    /// The Python program's offset, while the file it is of is still to be taken over.
    pub fn offset_to_take_over(&self) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT offset FROM takeover";
        let found = self.connection.query_row(sql, [], |row| unsigned(row, 0)).optional();
        found.map_err(|e| self.error("read", e))
    }

    /// What the Python program had read is found, or gone.
    pub fn end_takeover(&self) -> Result<(), StoreError> {
        if self.offset_to_take_over()?.is_none() {
            return Ok(());
        }
        self.connection
            .execute("DELETE FROM takeover", [])
            .map(drop)
            .map_err(|e| self.error("write", e))
    }

    /// What is known of generation `id`, a boot.
    pub fn boot(&self, id: i64) -> Result<Boot, StoreError> {
        let sql = "SELECT over FROM journal WHERE generation = ?";
        let over = self.connection.query_row(sql, [id], |row| row.get(0)).optional();
        Ok(match over.map_err(|e| self.error("read", e))? {
            Some(1_i64) => Boot::Over,
            Some(2) => Boot::Gone,
            _ => Boot::GoesOn,
        })
    }

    /// Notes what became of generation `id`, a boot.
    pub fn note_boot(&self, id: i64, boot: Boot) -> Result<(), StoreError> {
        let sql = "UPDATE journal SET over = ? WHERE generation = ?";
        let values = [boot as i64, id];
        self.connection.execute(sql, values).map(drop).map_err(|e| self.error("write", e))
    }

    /// Starts a transaction, for lines of the journal or of a file.
    pub fn begin(&mut self, is_journal: bool) -> Result<Batch<'_>, StoreError> {
        Batch::new(&mut self.connection, &self.path, is_journal)
    }

    /// The time of the last line that was read of journals, or else of files.
    ///
    /// Whoever changes from one to the other has the lines before in both.
    pub fn counted_until(&self, in_journals: bool) -> Result<Option<Timestamp>, StoreError> {
        let until =
            twins::until(&self.connection, in_journals).map_err(|e| self.error("read", e))?;
        Ok(until.and_then(|second| Timestamp::from_second(second).ok()))
    }

    fn error(&self, action: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::Database { action, path: self.path.clone(), source }
    }
}

/// Which of the files of the store at `path` cannot be written: SQLite names but the first.
fn denied(path: &Path) -> PathBuf {
    let beside = whole::COMPANIONS.map(|ending| whole::companion(path, ending));
    let closed = beside.into_iter().find(|path| path.exists() && !account::is_writable(path));
    closed.filter(|_| account::is_writable(path)).unwrap_or_else(|| path.to_owned())
}

/// What to do about a file that the user of this process may not write, and why.
fn permission(path: &Path) -> String {
    account::ownership_cure(path).unwrap_or_else(|| {
        let user = account::own_name();
        format!("let user {user}, whom this runs as, write to it and change its folder")
    })
}

/// What a store is called while it is made.
pub fn unfinished_store(path: &Path) -> PathBuf {
    path.with_extension("db.new")
}

/// Makes an empty store, which is there whole or not at all.
fn create(path: &Path) -> Result<(), StoreError> {
    let made = |source| StoreError::Database { action: "make", path: path.to_owned(), source };
    let empty = schema::empty().map_err(made)?;
    let io = |source| StoreError::Io { action: "create", path: path.to_owned(), source };
    // Always the same name: what a killed run left is replaced, not left lying about.
    let new = unfinished_store(path);
    // SQLite gives the files beside it the same mode.
    let mut file = files::create(&new).map_err(io)?;
    file.write_all(&empty).and_then(|()| file.sync_all()).map_err(io)?;
    // What is left of another store would be played into this one.
    for companion in whole::COMPANIONS.map(|end| whole::companion(path, end)) {
        let aside = whole::companion(&companion, ".old");
        match std::fs::rename(&companion, &aside) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => {
                done.map_err(io)?;
                log::warn!(
                    "{} was left without its store: it is {} now",
                    companion.display(),
                    aside.display()
                );
            }
        }
    }
    // The first transaction makes a file beside it, and with that the folder reaches the disk.
    std::fs::rename(&new, path).map_err(io)
}

/// The id of the row that `find` gives for `values`; if there is none, `add` makes it.
fn find_or_add(
    connection: &Connection,
    (find, add): (&str, &str),
    values: &[&dyn ToSql],
) -> rusqlite::Result<i64> {
    let found = connection.prepare_cached(find)?.query_row(values, |row| row.get(0)).optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection.prepare_cached(add)?.execute(values)?;
    Ok(connection.last_insert_rowid())
}

/// SQLite's integers are signed; device and inode numbers may need all 64 bits.
fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// Text where it is UTF-8, so that people can read the store with `sqlite3`; else a blob.
impl ToSql for Untrusted {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = self.as_bytes();
        let text = std::str::from_utf8(bytes).is_ok();
        Ok(ToSqlOutput::Borrowed(if text { ValueRef::Text(bytes) } else { ValueRef::Blob(bytes) }))
    }
}
