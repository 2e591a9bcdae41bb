//! Reports that no server took yet: kept until one does.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// A report on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its row.
    pub id: i64,
    /// The day it is about, as `YYYY-MM-DD`, and whose, if not this machine's.
    pub day: String,
    /// Who has not got it.
    pub recipients: Vec<String>,
    /// Whether somebody has.
    pub taken: bool,
}

/// So many reports wait at most.
const MOST: i64 = 31;
/// For so long: a month without a mail server is no trouble that passes.
const LONGEST_SECONDS: i64 = 31 * 24 * 3600;

impl Store {
    /// Keeps a report until it is delivered, in place of an earlier one about the same, a day and whose it
    /// is; gives what those were about that waited for too long, or had to make room for it: they are gone.
    pub fn put_in_outbox(
        &mut self,
        about: &str,
        recipients: &[String],
        message: &[u8],
        made: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "INSERT INTO outbox VALUES (NULL, ?, ?, 0, ?, ?, NULL)";
        let values = params![about, recipients.join("\n"), message, made.as_second()];
        let trim = "DELETE FROM outbox WHERE made < ? OR id <= (SELECT id FROM outbox \
            ORDER BY id DESC LIMIT 1 OFFSET ?) RETURNING day";
        let oldest = made.as_second() - LONGEST_SECONDS;
        let mut write = || -> rusqlite::Result<_> {
            let transaction = self.connection.transaction()?;
            transaction.execute(sql, values)?;
            // One that is being sent at the moment may be among those; its number is not given to the new one.
            let earlier = "DELETE FROM outbox WHERE day = ?1 AND id < ?2";
            transaction.execute(earlier, params![about, transaction.last_insert_rowid()])?;
            let dropped = transaction
                .prepare(trim)?
                .query_map([oldest, MOST], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            transaction.commit()?;
            Ok(dropped)
        };
        write().map_err(|e| self.error("write", e))
    }

    /// What waits, the oldest first.
    pub fn outbox(&self) -> Result<Vec<Waiting>, StoreError> {
        let sql = "SELECT id, day, recipients, taken FROM outbox ORDER BY id";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let recipients: String = row.get(2)?;
                Ok(Waiting {
                    id: row.get(0)?,
                    day: row.get(1)?,
                    recipients: recipients.lines().map(str::to_owned).collect(),
                    taken: row.get(3)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// The message of row `id`; `None` if another took its place.
    pub fn message(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT message FROM outbox WHERE id = ?";
        let found = self.connection.query_row(sql, [id], |row| row.get(0)).optional();
        found.map_err(|e| self.error("read", e))
    }

    /// Notes that `recipients` of row `id` are left, whether others have it, and why; none left means
    /// that it is done.
    pub fn keep_in_outbox(
        &mut self,
        id: i64,
        (recipients, taken): (&[String], bool),
        trouble: &str,
    ) -> Result<(), StoreError> {
        let done = if recipients.is_empty() {
            self.connection.execute("DELETE FROM outbox WHERE id = ?", [id])
        } else {
            let sql = "UPDATE outbox SET recipients = ?, taken = ?, trouble = ? WHERE id = ?";
            self.connection.execute(sql, params![recipients.join("\n"), taken, trouble, id])
        };
        done.map(drop).map_err(|e| self.error("write", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_being_sent_is_not_taken_for_the_one_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let to = ["bob@example.org".to_owned()];
        let mut put = |message: &[u8]| {
            store.put_in_outbox("2026-11-22", &to, message, Timestamp::UNIX_EPOCH).unwrap();
            store.outbox().unwrap().first().unwrap().id
        };
        let (old, new) = (put(b"old"), put(b"new"));
        assert_eq!(store.message(old).unwrap(), None);
        // A server has taken the old one.
        store.keep_in_outbox(old, (&[], true), "").unwrap();
        assert_eq!(store.message(new).unwrap().as_deref(), Some(&b"new"[..]));
    }
}
