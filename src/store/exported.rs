//! How far the CSV was exported as SQL, and the hashes of files that were looked at for import.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use crate::position::{Bookmark, Fingerprint, Stamp};

/// Up to here everything is in files that are in their place.
const DONE: i64 = 1;
/// The file that is being put in its place, and how far it goes.
const PENDING: i64 = 2;

/// An exported file, and the place in the CSV that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub path: PathBuf,
    /// The number in its name; each file has another one.
    pub sequence: u64,
    /// How far the CSV is exported with it.
    pub bookmark: Bookmark,
}

/// A file of SQL that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What the file system said.
    pub stamp: Stamp,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

impl Store {
    /// The last file that was exported and, if a run ended just then, the one that was to follow.
    pub fn exported(&self) -> Result<(Option<Exported>, Option<Exported>), StoreError> {
        let read = |id| exported(&self.connection, id).map_err(|e| self.error("read", e));
        Ok((read(DONE)?, read(PENDING)?))
    }

    /// A word that no other store has, 16 hexadecimal digits.
    pub fn exporter(&mut self) -> Result<String, StoreError> {
        let find = || -> rusqlite::Result<String> {
            let make = "INSERT INTO exporter SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS \
                (SELECT 1 FROM exporter)";
            let known = "SELECT id FROM exporter";
            let ask = || self.connection.query_row(known, [], |row| row.get(0)).optional();
            if let Some(id) = ask()? {
                return Ok(id);
            }
            self.connection.execute(make, [])?;
            ask()?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        };
        find().map_err(|e| self.error("write", e))
    }

    /// Remembers a file that is written, but not in its place yet.
    pub fn promise_export(&mut self, next: &Exported) -> Result<(), StoreError> {
        put(&self.connection, PENDING, next).map_err(|e| self.error("write", e))
    }

    /// The promised file is in its place.
    pub fn keep_promised_export(&mut self) -> Result<(), StoreError> {
        let sql = "UPDATE OR REPLACE export SET id = ? WHERE id = ?";
        let done = self.connection.execute(sql, [DONE, PENDING]);
        done.map(drop).map_err(|e| self.error("write", e))
    }

    /// The promised file is gone: its rows are not exported.
    pub fn forget_promised_export(&mut self) -> Result<(), StoreError> {
        let done = self.connection.execute("DELETE FROM export WHERE id = ?", [PENDING]);
        done.map(drop).map_err(|e| self.error("write", e))
    }

    /// Remembers that there was nothing to write up to another place.
    pub fn move_bookmark(&mut self, to: &Exported) -> Result<(), StoreError> {
        put(&self.connection, DONE, to).map_err(|e| self.error("write", e))
    }

    /// The files of SQL that were looked at before, in the order of their paths.
    pub fn sql_files(&self) -> Result<Vec<HashedFile>, StoreError> {
        let sql = "SELECT path, device, inode, size, modified_ns, sha256 FROM sql_file";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let path: Vec<u8> = row.get(0)?;
                let stamp = Stamp {
                    device: super::unsigned(row, 1)?,
                    inode: super::unsigned(row, 2)?,
                    size: super::unsigned(row, 3)?,
                    modified_ns: row.get(4)?,
                };
                let path = std::ffi::OsString::from_vec(path).into();
                Ok(HashedFile { path, stamp, sha256: row.get(5)? })
            })?;
            rows.collect()
        };
        let mut files = read().map_err(|e| self.error("read", e))?;
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// Remembers `files`, and no others.
    pub fn remember_sql_files(&mut self, files: &[HashedFile]) -> Result<(), StoreError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            transaction.execute("DELETE FROM sql_file", [])?;
            let sql = "INSERT INTO sql_file VALUES (?, ?, ?, ?, ?, ?)";
            let mut insert = transaction.prepare(sql)?;
            for HashedFile { path, stamp, sha256 } in files {
                insert.execute(params![
                    path.as_os_str().as_bytes(),
                    stamp.device.cast_signed(),
                    stamp.inode.cast_signed(),
                    stamp.size.cast_signed(),
                    stamp.modified_ns,
                    sha256,
                ])?;
            }
            drop(insert);
            transaction.commit()
        };
        write().map_err(|e| self.error("write", e))
    }
}

fn exported(connection: &Connection, id: i64) -> rusqlite::Result<Option<Exported>> {
    let sql =
        "SELECT path, sequence, offset, lines, head_length, head, tail FROM export WHERE id = ?";
    let found = connection.query_row(sql, [id], |row| {
        let path: Vec<u8> = row.get(0)?;
        Ok(Exported {
            path: Path::new(std::ffi::OsStr::from_bytes(&path)).to_owned(),
            sequence: super::unsigned(row, 1)?,
            bookmark: Bookmark {
                offset: super::unsigned(row, 2)?,
                lines: super::unsigned(row, 3)?,
                head: Fingerprint { length: row.get::<_, u32>(4)? as usize, hash: row.get(5)? },
                tail: row.get(6)?,
            },
        })
    });
    found.optional()
}

fn put(connection: &Connection, id: i64, exported: &Exported) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO export VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let Exported { path, sequence, bookmark } = exported;
    let values = params![
        id,
        path.as_os_str().as_bytes(),
        sequence.cast_signed(),
        bookmark.offset.cast_signed(),
        bookmark.lines.cast_signed(),
        u32::try_from(bookmark.head.length).unwrap_or(u32::MAX),
        bookmark.head.hash,
        bookmark.tail,
    ];
    connection.execute(sql, values).map(drop)
}
