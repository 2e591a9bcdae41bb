//! One transaction: the findings of one file, and how far it was read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};

use super::StoreError;
use super::days::{count_days, count_failures};
use super::origins::Origins;
use super::twins::Twins;
use crate::event::{Failure, Findings, Manner, Network};
use crate::logins::{Kind, Logins};
use crate::position::{Fingerprint, JournalEntry, Progress, Stamp};
use crate::untrusted::Untrusted;

/// How many manners are remembered within a transaction; attackers invent mechanisms.
const MANNERS: usize = 1024;

/// What a file's failures are to those that are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// They go on where those of this generation stop.
    Continues(i64),
    /// They are of a file that was not read before.
    New,
    /// The file is much like one that was read: leave out what is recorded.
    Doubtful,
}

/// A transaction; dropped without [`Batch::commit`], it never was.
pub struct Batch<'s> {
    pub(super) transaction: Transaction<'s>,
    path: &'s Path,
    manners: Manners,
    origins: Origins,
    /// The last minute for which the CSV that was there before may have rows.
    imported_until: Option<i64>,
    twins: Twins,
}

impl<'s> Batch<'s> {
    pub(super) fn new(
        connection: &'s mut Connection,
        path: &'s Path,
        is_journal: bool,
    ) -> Result<Self, StoreError> {
        let error =
            |source| StoreError::Database { action: "write", path: path.to_owned(), source };
        let begin = connection.transaction();
        let transaction = begin.map_err(error)?;
        transaction
            .execute_batch("DROP TABLE IF EXISTS temp.recorded; DROP TABLE IF EXISTS temp.other")
            .map_err(error)?;
        let sql = "SELECT max(time) FROM failure WHERE generation IS NULL";
        let imported_until = transaction.query_row(sql, [], |row| row.get(0)).map_err(error)?;
        let twins = Twins::new(&transaction, is_journal).map_err(error)?;
        let (manners, origins) = (Manners::default(), Origins::default());
        Ok(Self { transaction, path, manners, origins, imported_until, twins })
    }

    /// Makes a row for a file that is read for the first time; gives its id.
    pub fn new_generation(&mut self, log: &Path) -> Result<i64, StoreError> {
        let sql = "INSERT INTO generation VALUES \
            (NULL, ?, x'', 0, 0, 0, 0, 0, 0, 0, zeroblob(32), 0, zeroblob(32), 0, NULL, x'', x'')";
        let made = self.transaction.execute(sql, [log.as_os_str().as_bytes()]);
        made.map_err(|e| self.error(e))?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Adds `findings` of generation `generation`; gives the number of failures that were new.
    pub fn add(
        &mut self,
        findings: &Findings,
        generation: i64,
        novelty: Novelty,
    ) -> Result<u64, StoreError> {
        let mut add = || -> rusqlite::Result<u64> {
            let added = self.add_failures(&findings.failures, generation, novelty)?;
            self.add_logins(&findings.logins, generation)?;
            count_days(&self.transaction, findings)?;
            count_failures(&self.transaction, added.iter().copied())?;
            Ok(added.len() as u64)
        };
        add().map_err(|e| self.error(e))
    }

    /// Gives the seconds of those that were new.
    fn add_failures(
        &mut self,
        failures: &[Failure],
        generation: i64,
        novelty: Novelty,
    ) -> rusqlite::Result<Vec<i64>> {
        let mut added = Vec::new();
        let sql = "INSERT INTO failure VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)";
        let mut insert = self.transaction.prepare_cached(sql)?;
        for failure in failures {
            let manner = self.manners.id(&self.transaction, &failure.manner)?;
            let doubtful = novelty == Novelty::Doubtful;
            if doubtful && is_recorded(&self.transaction, failure)? {
                continue;
            }
            for _ in 0..failure.times {
                if self.twins.take(&self.transaction, failure)? {
                    continue;
                }
                if self.claim(failure, manner, generation)? {
                    continue;
                }
                insert.execute(params![
                    failure.time.as_second(),
                    Address(failure.address),
                    failure.user,
                    manner,
                    self.origins.id(&self.transaction, failure.address)?,
                    generation,
                    failure.position.cast_signed(),
                ])?;
                added.push(failure.time.as_second());
            }
        }
        Ok(added)
    }

    /// Adds what is new of logins, as it is: the judge puts it to the rows that it belongs to.
    fn add_logins(&self, logins: &Logins, generation: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO news VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut insert = self.transaction.prepare_cached(sql)?;
        let mut kinds: Vec<_> = logins.iter().collect();
        kinds.sort_by_key(|kind| (kind.known.first, kind.known.position));
        for Kind { account, network, day, service, known } in kinds {
            insert.execute(params![
                account,
                network.cidr(),
                day.to_string(),
                service,
                known.count.cast_signed(),
                known.first.as_second(),
                known.last.as_second(),
                Address(known.address),
                generation,
                known.position.cast_signed(),
            ])?;
        }
        Ok(())
    }

    /// How many failures were left out because the journal and a file tell of them.
    pub fn twins(&self) -> u64 {
        self.twins.taken()
    }

    /// The file that the Python program's offset is of has been read.
    pub fn end_takeover(&mut self) -> Result<(), StoreError> {
        let done = self.transaction.execute("DELETE FROM takeover", []);
        done.map(drop).map_err(|e| self.error(e))
    }

    /// Notes how far generation `id`, now at `path`, was read, and commits.
    pub fn commit(
        self,
        (id, log): (i64, &Path),
        (path, stamp): (&Path, &Stamp),
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE generation SET log = ?, path = ?, device = ?, inode = ?, size = ?, \
            modified_ns = ?, offset = ?, lines = ?, head_length = ?, head = ?, tail_length = ?, \
            tail = ?, unfinished = ?, last_time = ?, outage = ?, names = ? WHERE id = ?";
        let values = params![
            log.as_os_str().as_bytes(),
            path.as_os_str().as_bytes(),
            stamp.device.cast_signed(),
            stamp.inode.cast_signed(),
            stamp.size.cast_signed(),
            stamp.modified_ns,
            progress.offset.cast_signed(),
            progress.lines.cast_signed(),
            length(&progress.head),
            progress.head.hash,
            length(&progress.tail),
            progress.tail.hash,
            progress.unfinished,
            progress.last_time.map(Timestamp::as_second),
            progress.outage.join(&b' '),
            progress.names,
            id,
        ];
        let Self { transaction, path, .. } = self;
        let done = transaction
            .execute(sql, values)
            .and_then(|_| progress.entry.as_ref().map_or(Ok(()), |e| note(&transaction, id, e)))
            .and_then(|()| transaction.commit());
        done.map_err(|source| StoreError::Database {
            action: "write",
            path: path.to_owned(),
            source,
        })
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
            AND (user IS ? OR user IS ? OR user IS ? OR (? AND user IS NULL)) ORDER BY id";
        let user = failure.user.as_ref();
        let written = user.map(Untrusted::for_csv);
        let cut = user.map(as_the_python_program_cut_it);
        // In a CSV, a user who is called null looks like none.
        let null = user.is_some_and(|user| user.as_bytes() == b"null");
        let values = params![minute, Address(failure.address), user, written, cut, null];
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

    pub(super) fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { action: "write", path: PathBuf::from(self.path), source }
    }
}

/// Notes the last entry of a journal that is done with.
fn note(connection: &Connection, id: i64, entry: &JournalEntry) -> rusqlite::Result<()> {
    let JournalEntry { cursor, boot, monotonic_us, realtime_us } = entry;
    let (monotonic_us, realtime_us) = (monotonic_us.cast_signed(), realtime_us.cast_signed());
    let values = params![id, cursor, boot, monotonic_us, realtime_us];
    connection.execute("REPLACE INTO journal VALUES (?, ?, ?, ?, ?, 0)", values).map(drop)
}

/// Whether a failure from the same place of a file, with the same time, address and user, is there.
fn is_recorded(connection: &Connection, failure: &Failure) -> rusqlite::Result<bool> {
    // Made only when a log came back from a backup, and gone with the transaction.
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS recorded AS \
             SELECT position, time, address, user FROM failure WHERE position IS NOT NULL; \
         CREATE INDEX IF NOT EXISTS temp.recorded_position ON recorded (position);",
    )?;
    // Of what names nobody any more, the network is left (`pseudonymise_after`).
    let sql = "SELECT EXISTS (SELECT 1 FROM temp.recorded WHERE position = ?1 AND time = ?2 \
        AND ((address = ?3 AND user IS ?4) OR (address = ?5 AND user LIKE 'pseudonym-%') \
             OR (address = ?5 AND user IS NULL AND ?4 IS NULL)))";
    let (place, time) = (failure.position.cast_signed(), failure.time.as_second());
    let network = Address(Network::of(failure.address).address());
    let values = params![place, time, Address(failure.address), failure.user, network];
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

/// The ids of manners.
#[derive(Default)]
struct Manners(HashMap<Arc<Manner>, i64, foldhash::fast::RandomState>);

impl Manners {
    /// The id of a manner, which is added if it is new.
    fn id(&mut self, connection: &Connection, manner: &Arc<Manner>) -> rusqlite::Result<i64> {
        if let Some(id) = self.0.get(manner) {
            return Ok(*id);
        }
        let Manner { server, service, mechanism, reason } = &**manner;
        let values = params![server, service, mechanism, reason];
        let find = "SELECT id FROM manner \
            WHERE server = ? AND service IS ? AND mechanism IS ? AND reason IS ?";
        let add = "INSERT INTO manner VALUES (NULL, ?, ?, ?, ?)";
        let id = super::find_or_add(connection, (find, add), values)?;
        if self.0.len() >= MANNERS {
            self.0.clear();
        }
        self.0.insert(manner.clone(), id);
        Ok(id)
    }
}

/// The Python program's pattern for a user was `[^,]+`.
fn as_the_python_program_cut_it(user: &Untrusted) -> Untrusted {
    let bytes = user.as_bytes();
    let end = bytes.iter().position(|b| *b == b',').unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes).trim_ascii().into()
}

/// The length of a fingerprint, which is small.
fn length(fingerprint: &Fingerprint) -> i64 {
    i64::try_from(fingerprint.length).unwrap_or(i64::MAX)
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
