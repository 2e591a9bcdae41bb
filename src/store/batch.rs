//! One transaction: the findings of one file, and how far it was read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, params};

use super::StoreError;
use crate::event::{Failure, Findings, Manner};
use crate::position::{Progress, Stamp};
use crate::untrusted::Untrusted;

/// How many manners are remembered within a transaction; attackers invent mechanisms.
const MANNERS: usize = 4096;
/// The row of `origin` for addresses that were not looked up.
const NOT_LOOKED_UP: i64 = 1;

/// Leaves out what an earlier reading of a similar file recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The generations it may have come from.
    pub of: Vec<i64>,
}

/// A transaction; dropped without [`Batch::commit`], it never was.
pub struct Batch<'s> {
    transaction: Transaction<'s>,
    path: &'s Path,
    manners: HashMap<Arc<Manner>, i64>,
    /// The last minute for which the CSV that was there before may have rows.
    imported_until: Option<i64>,
}

impl<'s> Batch<'s> {
    pub(super) fn new(connection: &'s mut Connection, path: &'s Path) -> Result<Self, StoreError> {
        let error =
            |source| StoreError::Database { action: "write", path: path.to_owned(), source };
        let begin = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begin.map_err(error)?;
        transaction.execute_batch("DROP TABLE IF EXISTS temp.replayed").map_err(error)?;
        let sql = "SELECT max(time) FROM failure WHERE generation IS NULL";
        let imported_until = transaction.query_row(sql, [], |row| row.get(0)).map_err(error)?;
        Ok(Self { transaction, path, manners: HashMap::new(), imported_until })
    }

    /// Makes a row for a file that is read for the first time; gives its id.
    pub fn new_generation(&mut self, log: &Path) -> Result<i64, StoreError> {
        let sql = "INSERT INTO generation VALUES \
            (NULL, ?, x'', 0, 0, 0, 0, 0, 0, 0, zeroblob(32), 0, zeroblob(32), 0, NULL, x'')";
        let made = self.transaction.execute(sql, [log.as_os_str().as_bytes()]);
        made.map_err(|e| self.error(e))?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Adds `findings` of generation `generation`; gives the number of failures that were new.
    pub fn add(
        &mut self,
        findings: &Findings,
        generation: i64,
        replay: Option<&Replay>,
    ) -> Result<u64, StoreError> {
        let mut added = 0;
        for failure in &findings.failures {
            let manner = self.manner(&failure.manner)?;
            let known = match replay {
                Some(replay) => self.is_recorded(failure, replay),
                None => Ok(false),
            };
            let known =
                known.and_then(|known| Ok(known || self.claim(failure, manner, generation)?));
            if !known.map_err(|e| self.error(e))? {
                self.insert(failure, manner, generation).map_err(|e| self.error(e))?;
                added += 1;
            }
        }
        for (key, count) in &findings.logins {
            let sql = "INSERT INTO login VALUES (?, ?, ?, ?) \
                ON CONFLICT DO UPDATE SET count = count + excluded.count";
            let (network, day) = (key.network.cidr(), key.day.to_string());
            let values = params![key.account, network, day, count.cast_signed()];
            let done = self.transaction.prepare_cached(sql).and_then(|mut s| s.execute(values));
            done.map_err(|e| self.error(e))?;
        }
        Ok(added)
    }

    /// Notes how far generation `id`, now at `path`, was read, and commits.
    pub fn commit(
        self,
        id: i64,
        (path, stamp): (&Path, &Stamp),
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE generation SET path = ?, device = ?, inode = ?, size = ?, \
            modified_ns = ?, offset = ?, lines = ?, head_length = ?, head = ?, tail_length = ?, \
            tail = ?, unfinished = ?, last_time = ?, outage = ? WHERE id = ?";
        let values = params![
            path.as_os_str().as_bytes(),
            stamp.device.cast_signed(),
            stamp.inode.cast_signed(),
            stamp.size.cast_signed(),
            stamp.modified_ns,
            progress.offset.cast_signed(),
            progress.lines.cast_signed(),
            progress.head.length as i64,
            progress.head.hash,
            progress.tail.length as i64,
            progress.tail.hash,
            progress.unfinished,
            progress.last_time.map(Timestamp::as_second),
            progress.outage.join(&b' '),
            id,
        ];
        let Self { transaction, path, .. } = self;
        let done = transaction.execute(sql, values).and_then(|_| transaction.commit());
        done.map_err(|source| StoreError::Database {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }

    fn insert(&self, failure: &Failure, manner: i64, generation: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO failure VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)";
        self.transaction.prepare_cached(sql)?.execute(params![
            failure.time.as_second(),
            Address(failure.address),
            failure.user,
            manner,
            NOT_LOOKED_UP,
            generation,
            failure.position.cast_signed(),
        ])?;
        Ok(())
    }

    /// Whether the same line was recorded from one of the generations of `replay`.
    fn is_recorded(&self, failure: &Failure, replay: &Replay) -> rusqlite::Result<bool> {
        // Made only when a log came back from a backup, and gone with the connection.
        self.transaction.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS replayed AS \
                 SELECT generation, position, time, address, user FROM failure; \
             CREATE INDEX IF NOT EXISTS temp.replayed_position ON replayed (position);",
        )?;
        let sql = "SELECT generation FROM temp.replayed \
            WHERE position = ? AND time = ? AND address = ? AND user IS ?";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query(params![
            failure.position.cast_signed(),
            failure.time.as_second(),
            Address(failure.address),
            failure.user,
        ])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, Option<i64>>(0)?.is_some_and(|id| replay.of.contains(&id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes a row that was imported from the CSV this failure's own, if there is one for it.
    fn claim(&self, failure: &Failure, manner: i64, generation: i64) -> rusqlite::Result<bool> {
        let second = failure.time.as_second();
        let minute = second - second.rem_euclid(60);
        if self.imported_until.is_none_or(|until| minute > until) {
            return Ok(false);
        }
        let find = "SELECT id FROM failure \
            WHERE generation IS NULL AND time = ? AND address = ? \
            AND (user IS ? OR user IS ? OR user IS ?) ORDER BY id";
        let user = failure.user.as_ref();
        let written = user.map(Untrusted::for_csv);
        let cut = user.map(as_the_python_program_cut_it);
        let values = params![minute, Address(failure.address), user, written, cut];
        let mut statement = self.transaction.prepare_cached(find)?;
        let row: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
        let Some(id) = row else { return Ok(false) };
        let claim = "UPDATE failure SET time = ?, user = ?, manner = ?, generation = ?, position = ? \
            WHERE id = ?";
        let position = failure.position.cast_signed();
        let values = params![second, failure.user, manner, generation, position, id];
        self.transaction.prepare_cached(claim)?.execute(values)?;
        Ok(true)
    }

    /// The id of a manner, which is added if it is new.
    fn manner(&mut self, manner: &Arc<Manner>) -> Result<i64, StoreError> {
        if let Some(id) = self.manners.get(manner) {
            return Ok(*id);
        }
        let Manner { server, service, mechanism, reason } = &**manner;
        let find_or_add = || {
            let values = params![server, service, mechanism, reason];
            let find = "SELECT id FROM manner \
                WHERE server = ? AND service IS ? AND mechanism IS ? AND reason IS ?";
            let found = self.transaction.prepare_cached(find)?.query_row(values, |row| row.get(0));
            if let Some(id) = found.optional()? {
                return Ok(id);
            }
            let add = "INSERT INTO manner VALUES (NULL, ?, ?, ?, ?)";
            self.transaction.prepare_cached(add)?.execute(values)?;
            Ok(self.transaction.last_insert_rowid())
        };
        let id = find_or_add().map_err(|e| self.error(e))?;
        if self.manners.len() >= MANNERS {
            self.manners.clear();
        }
        self.manners.insert(manner.clone(), id);
        Ok(id)
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { action: "write", path: PathBuf::from(self.path), source }
    }
}

/// The Python program's pattern for a user was `[^,]+`.
fn as_the_python_program_cut_it(user: &Untrusted) -> Untrusted {
    let bytes = user.as_bytes();
    let end = bytes.iter().position(|b| *b == b',').unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes).trim_ascii().into()
}

/// An address as the store keeps it: its bytes.
pub(super) struct Address(pub(super) IpAddr);

impl ToSql for Address {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            IpAddr::V4(v4) => v4.octets().to_vec().into(),
            IpAddr::V6(v6) => v6.octets().to_vec().into(),
        })
    }
}
