//! Looks into a database of SQLite and leaves no trace: no file beside it is made, removed or changed.
//!
//! Opened the usual way, even for reading only, a database in WAL mode gets two files beside it. Without
//! a write-ahead log it can be read as one that nobody changes (`immutable`); with one, the index beside
//! it is used as it is (`readonly_shm`, <https://sqlite.org/wal.html>, "Read-Only Databases").

use std::fs;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::figures::busiest_address;
use super::whole::companion;
use super::{FILE_NAME, StoreError, schema};
use crate::files;

/// What can be seen of a database.
pub enum Seen<T> {
    /// All that was asked for.
    All(T),
    /// Somebody was or is at work: what is there is told by the next run that opens it.
    InBetween,
}

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether another program made it.
    pub foreign: bool,
    /// The version of its schema, and the one that this program makes.
    pub schema: (i64, i64),
    /// What is wrong with it, in SQLite's words; `None` if that took too long to find out.
    pub damage: Option<Vec<String>>,
    /// The failures in it.
    pub failures: i64,
    /// Reports that no server has taken yet.
    pub waiting: i64,
    /// Why the last of them was not taken, if that is known.
    pub trouble: Option<String>,
    /// Of the last day that had any, the address that most failures came from, how many these are, and
    /// how many in all.
    pub busiest: Option<(IpAddr, u64, u64)>,
}

/// How the store in `folder` is; the search for damage ends after `patience`.
pub fn health(folder: &Path, patience: Duration) -> Result<Seen<Health>, StoreError> {
    let path = folder.join(FILE_NAME);
    let failed = |source| StoreError::Database { action: "read", path: path.clone(), source };
    let Some(database) = open(&path)? else { return Ok(Seen::InBetween) };
    let looked = look(&database, patience);
    // Who opened it meanwhile has changed it under our hands.
    if is_in_use(&path) && looked.is_err() {
        return Ok(Seen::InBetween);
    }
    looked.map(Seen::All).map_err(failed)
}

fn look(database: &Connection, patience: Duration) -> rusqlite::Result<Health> {
    let number = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (id, schema) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let mut health = Health { schema: (schema, schema::current()), ..Health::default() };
    health.foreign = id != schema::APPLICATION_ID;
    if health.foreign || schema > schema::current() {
        return Ok(health);
    }
    health.damage = damage(database, patience)?;
    health.failures = number("SELECT count(*) FROM failure")?;
    let last_day = "failure WHERE time > (SELECT max(time) FROM failure) - 86400";
    if let Some((address, count)) = busiest_address(database, last_day)? {
        let all = number(&format!("SELECT count(*) FROM {last_day}"))?;
        health.busiest = Some((address, count, all.unsigned_abs()));
    }
    if number("SELECT count(*) FROM sqlite_master WHERE name = 'outbox'")? > 0 {
        health.waiting = number("SELECT count(*) FROM outbox")?;
        let sql =
            "SELECT (SELECT trouble FROM outbox WHERE trouble <> '' ORDER BY id DESC LIMIT 1)";
        health.trouble = database.query_row(sql, [], |row| row.get(0))?;
    }
    Ok(health)
}

/// What `PRAGMA quick_check` finds, or `None` if it takes longer than `patience`.
pub fn damage(database: &Connection, patience: Duration) -> rusqlite::Result<Option<Vec<String>>> {
    let handle = database.get_interrupt_handle();
    let (done, wait) = mpsc::channel::<()>();
    thread::spawn(move || {
        if wait.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let mut found = Vec::new();
    let mut check = || -> rusqlite::Result<()> {
        let mut statement = database.prepare("PRAGMA quick_check(5)")?;
        for line in statement.query_map([], |row| row.get::<_, String>(0))? {
            found.push(line?);
        }
        Ok(())
    };
    let checked = check();
    drop(done);
    found.retain(|line| line != "ok");
    match checked.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
        Err(Some(ErrorCode::OperationInterrupted)) => return Ok(None),
        // It may fail over what it has just told.
        Err(Some(ErrorCode::DatabaseCorrupt)) if !found.is_empty() => {}
        _ => checked?,
    }
    Ok(Some(found))
}

/// Opens the database at `path`; `None` if that cannot be done without a trace.
pub fn open(path: &Path) -> Result<Option<Connection>, StoreError> {
    let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
    // SQLite would wait for the other end of a pipe.
    drop(files::open(path).map_err(io)?);
    let holds = |ending| fs::metadata(companion(path, ending)).is_ok_and(|meta| meta.len() > 0);
    // A journal is undone, and a log without its index is read, by who may write.
    if holds("-journal") || (holds("-wal") && !holds("-shm")) {
        return Ok(None);
    }
    let how = if holds("-wal") { "mode=ro&readonly_shm=1" } else { "mode=ro&immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(address(path, how), flags);
    let failed = |source| StoreError::Database { action: "open", path: path.to_owned(), source };
    opened.map(Some).map_err(failed)
}

/// Whether a connection to the database at `path` is open, or one was killed.
fn is_in_use(path: &Path) -> bool {
    ["-wal", "-journal"].iter().any(|ending| companion(path, ending).exists())
}

/// `file:PATH?how`, <https://sqlite.org/uri.html>.
fn address(path: &Path, how: &str) -> String {
    use std::fmt::Write;
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            address.push(char::from(*byte));
        } else {
            let _ = write!(address, "%{byte:02x}");
        }
    }
    format!("{address}?{how}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const LONG: Duration = Duration::from_secs(60);

    /// Names, sizes and times of what is in `folder`.
    fn files(folder: &Path) -> Vec<(String, u64, std::time::SystemTime)> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut all: Vec<_> = entries
            .map(|entry| {
                let meta = entry.metadata().unwrap();
                (entry.file_name().display().to_string(), meta.len(), meta.modified().unwrap())
            })
            .collect();
        all.sort();
        all
    }

    fn all(folder: &Path) -> Option<Health> {
        match health(folder, LONG).unwrap() {
            Seen::All(health) => Some(health),
            Seen::InBetween => None,
        }
    }

    #[test]
    fn a_store_is_seen_closed_open_and_killed_and_nothing_changes() {
        let folder = tempfile::Builder::new().prefix("a b%?#&é").tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let write = "INSERT INTO outbox VALUES (NULL, '2026-11-25', 'a@b', 0, x'', 0, 'no room')";
        store.connection.execute(write, []).unwrap();
        let expected = Health {
            foreign: false,
            schema: (schema::current(), schema::current()),
            damage: Some(Vec::new()),
            failures: 0,
            waiting: 1,
            trouble: Some("no room".to_owned()),
            busiest: None,
        };
        // What was written is in the write-ahead log still.
        let before = files(folder.path());
        assert_eq!(before.len(), 3, "{before:?}");
        assert_eq!(all(folder.path()).as_ref(), Some(&expected));
        assert_eq!(files(folder.path()), before);
        // As after a kill, from another place: nobody holds a lock on these.
        let killed = tempfile::tempdir().unwrap();
        for (name, ..) in &before {
            fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
        }
        let before = files(killed.path());
        assert_eq!(all(killed.path()).as_ref(), Some(&expected));
        assert_eq!(files(killed.path()), before);
        fs::remove_file(killed.path().join(format!("{FILE_NAME}-shm"))).unwrap();
        assert_eq!(all(killed.path()), None);
        drop(store);
        let before = files(folder.path());
        assert_eq!(before.len(), 1, "{before:?}");
        assert_eq!(all(folder.path()), Some(expected));
        assert_eq!(files(folder.path()), before);
    }

    #[test]
    fn a_search_that_takes_too_long_is_ended() {
        let database = Connection::open_in_memory().unwrap();
        let many = "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                    LIMIT 300000) SELECT i, hex(i) AS h FROM n; CREATE INDEX i ON t (h)";
        database.execute_batch(many).unwrap();
        // An interrupt that comes before the search begins is none: on a busy machine that may be.
        let is_ended = |_| damage(&database, Duration::from_millis(3)).unwrap().is_none();
        assert!((0..50).any(is_ended));
        assert_eq!(damage(&database, LONG).unwrap(), Some(Vec::new()));
    }
}
