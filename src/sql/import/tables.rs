//! The tables beside the rows: what was imported, and an index by time.

use std::time::Duration;

use super::TABLE;
use crate::sql::Engine;
use crate::sql::connect::{Connection, Trouble};
use crate::sql::layout::{Field, Layout};

/// How often a table is made again that others make at the same time, and how long it takes them.
const MOST_TRIES: u32 = 20;
const WAIT: Duration = Duration::from_millis(50);

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
    let mut tries = 0;
    loop {
        match connection.execute(&sql) {
            // Somebody else makes it at this moment. SQLite has waited already.
            Err(Trouble::Busy(_)) if engine != Engine::Sqlite && tries < MOST_TRIES => {}
            // It is something else that has this name.
            Err(Trouble::Busy(words)) if engine != Engine::Sqlite => {
                return Err(Trouble::Refused { words, line: None });
            }
            done => return done.map(drop),
        }
        tries += 1;
        std::thread::sleep(WAIT);
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
