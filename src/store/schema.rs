//! The tables of the store, and how older stores become current ones.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as ours (file(1) shows it): `MLSn`.
pub(super) const APPLICATION_ID: i64 = 0x4d4c_536e;

/// What brings a store from version n - 1 to n, for each n; `PRAGMA user_version` holds it.
const MIGRATIONS: [&str; 12] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
    include_str!("schema/12.sql"),
];

/// Whose schema a store has.
pub(super) enum Version {
    /// The current one.
    Ours,
    /// One that we do not know.
    Later(i64),
}

/// The version that this program makes.
pub(super) fn current() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Sets the connection up, and brings the schema up to date.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<Version> {
    // What a row refers to is there because the same transaction found or made it; to check that
    // once more would cost at every insertion, and keep migrations from replacing a table.
    connection.pragma_update(None, "foreign_keys", "off")?;
    parse_once(connection)?;
    connection.busy_timeout(std::time::Duration::from_millis(900))?;
    // One that begins by reading is refused without a wait if another process has written when it wants to.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(missing) = MIGRATIONS.get(done..) else { return Ok(Version::Later(version)) };
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -8000)?;
    // So that what a run writes goes into the file once, when it closes it; in pages of 4 KiB.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    migrate(connection, missing)?;
    Ok(Version::Ours)
}

/// Has statements parsed and planned once.
pub(super) fn parse_once(connection: &Connection) -> rusqlite::Result<()> {
    // A judgement uses some forty statements in turn; to parse one costs more than to run it.
    connection.set_prepared_statement_cache_capacity(128);
    // Nor is a plan to be made anew for each value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn migrate(connection: &mut Connection, missing: &[&str]) -> rusqlite::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", current())?;
    transaction.commit()
}

/// The bytes of an empty store. Written to the disk at once they take one fsync, where making the
/// tables there takes seven.
pub(super) fn empty() -> rusqlite::Result<Vec<u8>> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection, &MIGRATIONS)?;
    let mut bytes = connection.serialize("main")?.to_vec();
    // "File format version numbers" of sqlite.org/fileformat.html: 2 means WAL.
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.fill(2);
    }
    Ok(bytes)
}
