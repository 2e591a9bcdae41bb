//! Alerts: which finding has left by which way.

use rusqlite::{OptionalExtension, params};

use super::casebook::findings::Which;
use super::{Store, StoreError};
use crate::finding::Finding;

/// What was found of a time longer ago is no alert: a first run reads months of logs.
const RECENT: i64 = 7 * 86_400;
/// What stands for the trouble of an alert that a process is sending.
const UNDER_WAY: &str = "it is being sent";
/// After so many seconds that process was killed: a command has 30, and to note its end may take 120 more.
const ABANDONED: i64 = 240;

impl Store {
    /// Severe findings that have not left by `way`: those that were never tried, then those that were tried
    /// longest ago, so that one that a server does not like holds up no other for good; else the oldest first.
    pub fn alerts_due(&self, way: &str, now: i64) -> Result<Vec<Finding>, StoreError> {
        let findings = self.findings(&Which::Severe, usize::MAX)?;
        let is_recent = |finding: &Finding| {
            let last = finding.signs.iter().map(|sign| sign.time).max().unwrap_or(finding.time);
            last >= now - RECENT
        };
        let mut due = Vec::new();
        for finding in findings.into_iter().rev() {
            let sql = "SELECT sent, since FROM alert WHERE finding = ? AND way = ?";
            let tried: Option<(Option<i64>, i64)> = self
                .connection
                .query_row(sql, params![finding.id, way], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(|e| self.error("read", e))?;
            match tried {
                Some((Some(_), _)) => {}
                // What is tried goes on, however long a way is out of reach.
                None if !is_recent(&finding) => {}
                tried => due.push((tried.map(|(_, since)| since), finding)),
            }
        }
        // It keeps the order of those that are equal.
        due.sort_by_key(|(since, _)| *since);
        Ok(due.into_iter().map(|(_, finding)| finding).collect())
    }

    /// Takes an alert upon this process; false if it has left, or another process is at it.
    pub fn claim_alert(
        &mut self,
        (finding, way): (i64, &str),
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO alert VALUES (?1, ?2, ?3, NULL, ?4) ON CONFLICT DO UPDATE \
            SET since = excluded.since, trouble = excluded.trouble \
            WHERE sent IS NULL AND (trouble IS NOT ?4 OR since NOT BETWEEN ?3 - ?5 AND ?3 + ?5)";
        let values = params![finding, way, now, UNDER_WAY, ABANDONED];
        let claimed = self.connection.execute(sql, values);
        claimed.map(|rows| rows > 0).map_err(|e| self.error("write", e))
    }

    /// Notes that an alert that was taken at `since` has left, or why it has not.
    pub fn note_alert(
        &mut self,
        (finding, way, since): (i64, &str, i64),
        now: i64,
        result: Result<(), &str>,
    ) -> Result<(), StoreError> {
        // If it is not there any more, the store was reset meanwhile, or another process has taken it.
        let sql = "UPDATE alert SET sent = ?4, trouble = ?5 \
            WHERE finding = ?1 AND way = ?2 AND since = ?3 AND trouble = ?6";
        let (sent, trouble) = (result.is_ok().then_some(now), result.err());
        let values = params![finding, way, since, sent, trouble, UNDER_WAY];
        self.connection.execute(sql, values).map(drop).map_err(|e| self.error("write", e))
    }

    /// Notes that an alert has left by mail, and puts its message where it is sent from, in one step; false if it
    /// was there before.
    pub fn mail_alert(
        &mut self,
        finding: i64,
        now: i64,
        (about, recipients, message): (&str, &[String], &[u8]),
    ) -> Result<bool, StoreError> {
        let mut write = || -> rusqlite::Result<bool> {
            let transaction = self.connection.transaction()?;
            let note = "INSERT INTO alert VALUES (?1, 'mail', ?2, ?2, NULL) ON CONFLICT DO UPDATE \
                SET sent = excluded.sent, trouble = NULL WHERE sent IS NULL";
            let is_new = transaction.execute(note, [finding, now])? > 0;
            if is_new {
                let sql = "INSERT INTO outbox VALUES (NULL, ?, ?, 0, ?, ?, NULL)";
                transaction.execute(sql, params![about, recipients.join("\n"), message, now])?;
            }
            transaction.commit().map(|()| is_new)
        };
        write().map_err(|e| self.error("write", e))
    }
}
