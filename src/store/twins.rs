//! Failures that the journal and a file both tell of are recorded once.
//!
//! Whoever changes `mail_log` from a file to the journal, or back, has what was logged before in both.
//! The times of one line differ there by what it takes to hand it on, and files round down to seconds;
//! journald takes the blanks off the end of a line.

use rusqlite::{Connection, OptionalExtension, params};

use super::batch::Address;
use crate::event::Failure;
use crate::untrusted::Untrusted;

/// How far the times of one line may be apart, in seconds.
const APART: i64 = 2;

/// The time of the last line that was read of journals, or else of files: seconds since 1970.
pub(super) fn until(connection: &Connection, in_journals: bool) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT max(last_time) FROM generation \
        WHERE (id IN (SELECT generation FROM journal)) = ?";
    connection.query_row(sql, [in_journals], |row| row.get(0))
}

/// What is recorded from the other kind of source, for one transaction.
pub(super) struct Twins {
    /// Whether the other kind are the journals.
    in_journals: bool,
    until: Option<i64>,
    is_ready: bool,
    taken: u64,
}

impl Twins {
    pub(super) fn new(connection: &Connection, is_journal: bool) -> rusqlite::Result<Self> {
        let in_journals = !is_journal;
        let until = until(connection, in_journals)?;
        Ok(Self { in_journals, until, is_ready: false, taken: 0 })
    }

    /// How many were found.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the other kind told of `failure`; each of its failures answers for one.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        failure: &Failure,
    ) -> rusqlite::Result<bool> {
        let time = failure.time.as_second();
        if self.until.is_none_or(|until| time > until + APART) {
            return Ok(false);
        }
        if !self.is_ready {
            self.gather(connection, time)?;
        }
        let sql = "DELETE FROM temp.other WHERE id = (SELECT id FROM temp.other \
            WHERE address = ?1 AND user IS ?2 AND time BETWEEN ?3 - ?4 AND ?3 + ?4 \
            ORDER BY time, id LIMIT 1) RETURNING id";
        let user =
            failure.user.as_ref().map(|user| Untrusted::from(user.as_bytes().trim_ascii_end()));
        let values = params![Address(failure.address), user, time, APART];
        let mut statement = connection.prepare_cached(sql)?;
        let Some(id) = statement.query_row(values, |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(false);
        };
        connection.prepare_cached("INSERT INTO twin VALUES (?)")?.execute([id])?;
        self.taken += 1;
        Ok(true)
    }

    /// Gathers what may answer for failures from `time` on.
    fn gather(&mut self, connection: &Connection, time: i64) -> rusqlite::Result<()> {
        // Gone with the transaction. A clock that was set back makes for some that are not found:
        // a day of them is.
        let day = 86_400;
        connection.execute_batch(&format!(
            "CREATE TEMP TABLE other AS SELECT id, address, time, \
                 CASE typeof(user) WHEN 'text' THEN rtrim(user) ELSE user END AS user FROM failure \
                 WHERE time >= {} AND id NOT IN (SELECT failure FROM twin) AND generation IN \
                 (SELECT id FROM generation \
                  WHERE (id IN (SELECT generation FROM journal)) = {}); \
             CREATE INDEX temp.other_who ON other (address, user, time, id);",
            time - day,
            self.in_journals
        ))?;
        self.is_ready = true;
        Ok(())
    }
}
