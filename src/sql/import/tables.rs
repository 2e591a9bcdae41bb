//! The tables beside the rows: what was imported, and an index by time.

use super::TABLE;
use crate::sql::Engine;
use crate::sql::connect::{Connection, Trouble};
use crate::sql::layout::{Field, Layout};

/// Makes the table of imports unless it is there; not everybody may make tables.
pub(super) fn prepare(connection: &mut dyn Connection, engine: Engine) -> Result<(), Trouble> {
    let table = engine.identifier(TABLE);
    let probe = format!("SELECT {} FROM {table} WHERE 1 = 0", engine.identifier("sha256"));
    match connection.query(&probe, &mut |_| {}) {
        Err(Trouble::Refused { .. }) => {}
        other => return other,
    }
    let (text, time, tail) = match engine {
        Engine::Sqlite => ("TEXT", "TEXT", ""),
        Engine::Postgresql => ("text", "timestamptz", ""),
        Engine::Mysql => (
            "VARCHAR(255)",
            "TIMESTAMP",
            " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        ),
    };
    let [file, sha256, rows, at] =
        ["file", "sha256", "rows", "imported_at"].map(|name| engine.identifier(name));
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {table} ({file} {text} NOT NULL, {sha256} CHAR(64) PRIMARY KEY, \
         {rows} BIGINT NOT NULL, {at} {time} NOT NULL DEFAULT CURRENT_TIMESTAMP){tail}"
    );
    match connection.execute(&sql) {
        // Somebody else makes it at this moment.
        Err(Trouble::Busy(words)) => Err(Trouble::Lost(words)),
        done => done.map(drop),
    }
}

/// Makes an index by time unless there is one: reports need it once rows are many.
pub(super) fn index(
    connection: &mut dyn Connection,
    engine: Engine,
    layout: &Layout,
) -> Result<(), Trouble> {
    let Some(column) = layout.column(Field::Date) else { return Ok(()) };
    let bare = layout.table.rsplit('.').next().unwrap_or_default();
    let table = engine.table(&layout.table);
    let index = engine.identifier(&format!("{bare}_{}", column.name));
    let name = engine.literal(index.trim_matches(['"', '`']));
    let probe = match engine {
        Engine::Sqlite => format!("SELECT 'x' FROM sqlite_master WHERE name = {name}"),
        Engine::Postgresql => format!(
            "SELECT 'x' FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid \
             WHERE relname = {name} AND indrelid = to_regclass({})",
            engine.literal(&table)
        ),
        Engine::Mysql => format!("SHOW INDEX FROM {table} WHERE Key_name = {name}"),
    };
    let mut is_there = false;
    connection.reset()?;
    connection.query(&probe, &mut |_| is_there = true)?;
    if !is_there {
        let column = engine.identifier(&column.name);
        connection.execute(&format!("CREATE INDEX {index} ON {table} ({column})"))?;
    }
    Ok(())
}
