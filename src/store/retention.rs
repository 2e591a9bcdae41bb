//! What is old is forgotten, or made such that nobody is known by it any more.
//!
//! In steps, each a transaction, before which one waits for one's turn: a year that is forgotten at once must
//! keep nobody from recording what is logged meanwhile.

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, params};
use sha2::Sha256;

use super::lock::Lock;
use super::{Store, StoreError};
use crate::event::Network;
use crate::store::batch::Address;
use crate::store::casebook::recent::put_in_place;
use crate::store::figures::text;

/// Rows of one step.
const STEP: i64 = 20_000;
/// How many hexadecimal digits of a name's hash are kept.
const DIGITS: usize = 16;
/// The findings that are as old as what goes: whom somebody has to see to stays, and a thief who was seen
/// to is known for as long again.
const OLD_FINDINGS: &str = "SELECT id FROM finding WHERE time < ?1 \
    AND iif(acknowledged IS NULL, severity = 1, acknowledged < ?1)";
/// What a name that was replaced starts with.
const MARK: &str = "pseudonym-";

/// Waits for the lock, and opens the store for a step.
pub type Turn<'a> = &'a dyn Fn() -> Result<(Lock, Store), StoreError>;

/// Deletes what is older than the second `before`; gives how many failures went.
pub fn forget(turn: Turn<'_>, before: i64, stop: &dyn Fn() -> bool) -> Result<u64, StoreError> {
    let gone = in_steps(turn, stop, |store| store.forget_some(before))?;
    if !stop() {
        let (_lock, mut store) = turn()?;
        store.forget_rest(before).map_err(|e| store.error("write", e))?;
    }
    Ok(gone)
}

/// In what is older than the second `before`, replaces addresses by their networks and names by a hash with this
/// store's own key; gives how many failures that was.
pub fn pseudonymise(
    turn: Turn<'_>,
    before: i64,
    stop: &dyn Fn() -> bool,
) -> Result<u64, StoreError> {
    let (mut after, mut done) = (None, 0);
    in_steps(turn, stop, |store| {
        let (read, changed) = store.pseudonymise_some(before, &mut after)?;
        done += changed;
        Ok(read)
    })?;
    if !stop() {
        let (_lock, mut store) = turn()?;
        store.pseudonymise_rest(before).map_err(|e| store.error("write", e))?;
    }
    Ok(done)
}

/// Does steps until one has nothing to do; gives the sum of what they did.
fn in_steps(
    turn: Turn<'_>,
    stop: &dyn Fn() -> bool,
    mut some_of_it: impl FnMut(&mut Store) -> rusqlite::Result<u64>,
) -> Result<u64, StoreError> {
    let mut done = 0;
    while !stop() {
        let (_lock, mut store) = turn()?;
        let some = some_of_it(&mut store).map_err(|e| store.error("write", e))?;
        done += some;
        if some == 0 {
            break;
        }
    }
    Ok(done)
}

impl Store {
    /// Whether `what`, a day with its limits, was noted last.
    pub fn has_forgotten(&self, what: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM forgotten WHERE what = ?)";
        let done = self.connection.query_row(sql, [what], |row| row.get(0));
        done.map_err(|e| self.error("read", e))
    }

    /// Notes that all is gone that was to be by `what`.
    pub fn note_forgotten(&mut self, what: &str) -> Result<(), StoreError> {
        let noted = self.connection.execute("REPLACE INTO forgotten VALUES (1, ?)", [what]);
        noted.map(drop).map_err(|e| self.error("write", e))
    }

    fn forget_some(&mut self, before: i64) -> rusqlite::Result<u64> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("DROP TABLE IF EXISTS temp.old")?;
        // What is not in the CSV yet, or was not judged, is not forgotten; nor is the last one, whose
        // number the next failure must not get again.
        let sql = "CREATE TEMP TABLE old AS SELECT id FROM failure WHERE time < ?1 \
            AND id < (SELECT max(id) FROM failure) \
            AND id <= (SELECT last_failure FROM judgement) \
            AND id <= coalesce((SELECT last_failure FROM csv), 0) ORDER BY time LIMIT ?2";
        transaction.execute(sql, [before, STEP])?;
        transaction.execute("DELETE FROM own_failure WHERE failure IN (SELECT id FROM old)", [])?;
        transaction.execute("DELETE FROM twin WHERE failure IN (SELECT id FROM old)", [])?;
        let gone =
            transaction.execute("DELETE FROM failure WHERE id IN (SELECT id FROM old)", [])?;
        transaction.execute_batch("DROP TABLE temp.old")?;
        transaction.commit()?;
        Ok(gone as u64)
    }

    /// What hangs on failures that are gone, and all else that is as old.
    fn forget_rest(&mut self, before: i64) -> rusqlite::Result<()> {
        let day = day_of(before);
        let transaction = self.connection.transaction()?;
        put_in_place(&transaction)?;
        for sql in [
            "DELETE FROM source WHERE last < ?1",
            "DELETE FROM aim WHERE last < ?1",
            "DELETE FROM own WHERE last < ?1",
            "DELETE FROM pardon WHERE last < ?1",
            "DELETE FROM stranger WHERE time < ?1",
            "DELETE FROM been WHERE last < ?1",
            &format!("DELETE FROM sign WHERE finding IN ({OLD_FINDINGS})"),
            &format!("DELETE FROM alert WHERE finding IN ({OLD_FINDINGS})"),
            &format!("DELETE FROM finding WHERE id IN ({OLD_FINDINGS})"),
            "DELETE FROM place WHERE campaign IN (SELECT id FROM campaign WHERE last < ?1)",
            "DELETE FROM link WHERE campaign IN (SELECT id FROM campaign WHERE last < ?1)",
            // Nor is the last campaign forgotten, whose row the next one must not get again.
            "DELETE FROM campaign WHERE last < ?1 AND id < (SELECT max(id) FROM campaign)",
            "DELETE FROM tally WHERE start < ?1",
        ] {
            transaction.execute(sql, [before])?;
        }
        for table in ["login", "news", "name_day", "told", "coverage"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE day < ?"), [&day])?;
        }
        // Their numbers grow with time, as those of failures do.
        let sql = "DELETE FROM origin WHERE address IS NOT NULL AND id < \
            (SELECT origin FROM failure ORDER BY id LIMIT 1)";
        transaction.execute(sql, [])?;
        transaction.commit()
    }

    /// Does some failures, from the row `after` on or from where all before are done; gives how many it
    /// read, and how many it changed.
    fn pseudonymise_some(
        &mut self,
        before: i64,
        after: &mut Option<i64>,
    ) -> rusqlite::Result<(u64, u64)> {
        let transaction = self.connection.transaction()?;
        let read = "SELECT key, done FROM pseudonym";
        let sql = "INSERT INTO pseudonym SELECT randomblob(32), 0 \
            WHERE NOT EXISTS (SELECT 1 FROM pseudonym)";
        transaction.execute(sql, [])?;
        let (key, done): (Vec<u8>, i64) =
            transaction.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sql =
            "SELECT min(last_failure, coalesce((SELECT last_failure FROM csv), 0)) FROM judgement";
        let judged: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
        // In the order of rows, among which are younger ones: those of another log, which was read before.
        let sql = "SELECT id, address, user FROM failure WHERE id > ?1 AND time < ?2 AND id <= ?3 \
            AND NOT (ifnull(user, '') LIKE 'pseudonym-%' AND iif(length(address) = 4, substr(address, 4) = x'00', \
            substr(address, 9) = zeroblob(8))) ORDER BY id LIMIT ?4";
        let (mut read, mut changed) = (0, 0);
        {
            let mut rows = Vec::new();
            let mut statement = transaction.prepare_cached(sql)?;
            let mut found = statement.query([after.unwrap_or(done), before, judged, STEP])?;
            while let Some(row) = found.next()? {
                let address = row.get::<_, Address>(1)?.0;
                rows.push((row.get::<_, i64>(0)?, address, text(row, 2)?));
            }
            let mut set = transaction.prepare_cached(
                "UPDATE failure SET address = ?1, user = ?2 WHERE id = ?3 \
                 AND (address <> ?1 OR user IS NOT ?2)",
            )?;
            let mut clear = transaction.prepare_cached(
                "UPDATE origin SET address = iif(address IS NULL, NULL, ?1), hostname = NULL \
                 WHERE id = (SELECT origin FROM failure WHERE id = ?2) \
                 AND (address <> ?1 OR hostname IS NOT NULL)",
            )?;
            for (id, address, user) in &rows {
                let network = Network::of(*address).address();
                let hash = user.as_ref().map(|user| pseudonym(&key, user.as_bytes()));
                read += 1;
                *after = Some(*id);
                let network = Address(network);
                let row = set.execute(params![network, hash, id])?;
                changed += u64::from(clear.execute(params![network, id])? + row > 0);
            }
        }
        // Those before the first that is too young need not be looked at again.
        let until = if read < STEP.unsigned_abs() { judged } else { after.unwrap_or(done) };
        let sql =
            "SELECT id FROM failure WHERE id > ?1 AND id <= ?2 AND time >= ?3 ORDER BY id LIMIT 1";
        let young = transaction.query_row(sql, [done, until, before], |row| row.get(0));
        let young: Option<i64> = young.optional()?;
        let done = young.map_or(until, |young| young - 1).max(done);
        transaction.execute("UPDATE pseudonym SET done = ?", [done])?;
        transaction.commit()?;
        Ok((read, changed))
    }

    /// What else is as old.
    fn pseudonymise_rest(&mut self, before: i64) -> rusqlite::Result<()> {
        let key: Vec<u8> =
            self.connection.query_row("SELECT key FROM pseudonym", [], |row| row.get(0))?;
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        self.connection.create_scalar_function("pseudonym", 1, flags, move |context| {
            Ok(match context.get_raw(0) {
                ValueRef::Text(name) | ValueRef::Blob(name) => Some(pseudonym(&key, name)),
                _ => None,
            })
        })?;
        self.connection.create_scalar_function("network", 1, flags, |context| {
            let address: Option<Address> = context.get(0)?;
            Ok(address.map(|it| Address(Network::of(it.0).address())))
        })?;
        let day = day_of(before);
        let transaction = self.connection.transaction()?;
        put_in_place(&transaction)?;
        for table in ["source", "own", "pardon", "been"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE last < ?"), [before])?;
        }
        for sql in [
            "DELETE FROM link WHERE campaign IN (SELECT id FROM campaign WHERE last < ?1)",
            "UPDATE OR REPLACE aim SET name = pseudonym(name) WHERE last < ?1 AND name <> x'00' \
                AND name NOT LIKE 'pseudonym-%'",
            &format!(
                "UPDATE sign SET address = network(address) WHERE finding IN ({OLD_FINDINGS})"
            ),
            &format!(
                "UPDATE finding SET name = pseudonym(name), account = pseudonym(account) \
                 WHERE id IN ({OLD_FINDINGS})"
            ),
        ] {
            transaction.execute(sql, [before])?;
        }
        for sql in [
            "UPDATE OR REPLACE name_day SET name = pseudonym(name) WHERE day < ?1 AND name <> x'00' \
                AND name NOT LIKE 'pseudonym-%'",
            "UPDATE OR REPLACE login SET name = pseudonym(name), account = pseudonym(account), \
                address = network(address) WHERE day < ?1 AND name NOT LIKE 'pseudonym-%'",
            "DELETE FROM told WHERE day < ?1",
        ] {
            transaction.execute(sql, [&day])?;
        }
        transaction.commit()
    }
}

/// A name's keyed hash, the same for the same name; what is one already stays.
fn pseudonym(key: &[u8], name: &[u8]) -> String {
    if name.starts_with(MARK.as_bytes()) {
        return String::from_utf8_lossy(name).into_owned();
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return MARK.to_owned() };
    mac.update(name);
    let hash = mac.finalize().into_bytes();
    let digits: Vec<_> = hash.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    format!("{MARK}{}", digits.concat())
}

/// The day of a moment in UTC: for what is kept for months, zones do not matter.
fn day_of(second: i64) -> String {
    let time = jiff::Timestamp::from_second(second).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
