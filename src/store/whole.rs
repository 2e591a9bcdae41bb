//! Brings a database of SQLite into its one file, so that it can be moved; and a look at what is in it.
//!
//! A killed writer leaves a journal or a write-ahead log beside the file. Moved without it, the
//! database would lose what was committed, or be damaged; and what stays behind would damage the next
//! database of that name.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::StoreError;

/// The files that SQLite keeps beside a database, in the order in which they may be moved: without
/// its write-ahead log a database is an older one, but a log without its database spoils a new one.
pub const COMPANIONS: [&str; 3] = ["-shm", "-wal", "-journal"];

/// How long another program may be at work in it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The path of a file that SQLite keeps beside `database`.
pub fn companion(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What each database begins with, "Magic Header String" of sqlite.org/fileformat.html.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Whether SQLite may see the file at `path`. Beside one that is empty or somebody else's it would
/// remove a write-ahead log.
fn is_a_database(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *MAGIC
}

/// Brings all of the database at `path` into that file, if it can be read at all: a damaged one is
/// left as it is, with what lies beside it. An error if another program has it open.
pub fn gather(path: &Path) -> Result<(), StoreError> {
    if !is_a_database(path) {
        return Ok(());
    }
    let held_open = || Err(StoreError::HeldOpen(path.to_owned()));
    match checkpoint(path) {
        // Whoever closes a database last removes its write-ahead log.
        Ok(true) if !companion(path, "-wal").exists() => Ok(()),
        Ok(_) => held_open(),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => held_open(),
            _ => Err(StoreError::Database {
                action: "bring into one file",
                path: path.to_owned(),
                source: error,
            }),
        },
    }
}

/// Whether nobody was in the way.
fn checkpoint(path: &Path) -> rusqlite::Result<bool> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(PATIENCE)?;
    // What a killed writer left is undone when the lock is taken.
    database.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Whether the database at `path` has one of these tables. What a killed writer left is undone, or
/// nobody could look.
pub fn has_a_table_of(path: &Path, names: &[&str]) -> rusqlite::Result<bool> {
    let database = look_into(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut statement =
        database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?")?;
    for name in names {
        if statement.exists([name])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is lost for the next run when a store is moved away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Reports that no server has taken.
    pub reports: u64,
    /// Whether rows were exported: the next run does not know which.
    pub exported: bool,
}

/// What the store in `folder` holds of that; nothing if it cannot be read.
pub fn unfinished(folder: &Path) -> Unfinished {
    let ask = || -> rusqlite::Result<Unfinished> {
        let store = look_into(&folder.join(super::FILE_NAME), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        store.query_row(
            "SELECT (SELECT count(*) FROM outbox), EXISTS (SELECT 1 FROM export)",
            [],
            |row| Ok(Unfinished { reports: super::unsigned(row, 0)?, exported: row.get(1)? }),
        )
    };
    ask().unwrap_or_default()
}

fn look_into(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    if !is_a_database(path) {
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        return Err(rusqlite::Error::SqliteFailure(error, None));
    }
    let database = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    database.busy_timeout(PATIENCE)?;
    Ok(database)
}
