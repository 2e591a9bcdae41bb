//! The database that rows are imported into, if one is used: whether it can be reached, and the rights on
//! its table.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::{Level, Scene, Told, shown};
use crate::config::Database;
use crate::sql::connect::{Connection, Target, Trouble};
use crate::sql::{Engine, Layout, mapping};
use crate::store::look;

/// How long a server may take to let us in.
const ANSWER: Duration = Duration::from_secs(15);
/// How long the search for damage may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn check(scene: &Scene, told: &Told) {
    let database = &scene.config.database;
    let is_server = database.engine != Engine::Sqlite;
    if !is_server && !database.path.exists() && !database.export_dir.exists() {
        return told.ok("not used: nothing was exported, and no server is set");
    }
    let layout = match layout(database) {
        Ok(layout) => layout,
        Err(text) => return told.refusal(Level::Error, &text, None),
    };
    match database.target(scene.host.credentials.as_deref()) {
        Err(note) => told.note(Level::Error, &note),
        Ok(Target::File(path)) => file(&path, &layout, told),
        Ok(target) => servers(database, &target, &layout, told),
    }
}

fn layout(database: &Database) -> Result<Layout, String> {
    let Some(path) = &database.mapping_file else { return Ok(Layout::standard(&database.table)) };
    mapping::read(path, &database.table)
        .map_err(|error| format!("{error}\n  hint: {}", error.hint()))
}

fn file(path: &Path, layout: &Layout, told: &Told) {
    let name = shown(path);
    if path.symlink_metadata().is_err() {
        return told.unknown(&format!("{name}: not there yet; the first import makes it"));
    }
    let damaged = |what: &str| {
        let cure = "move it away, and see what of it can be saved (`sqlite3 FILE .recover`); an import makes a \
                    new one";
        told.error(&format!("{name}: {what}"), cure);
    };
    let database = match look::open(path) {
        Ok(Some(database)) => database,
        Ok(None) => {
            return told.unknown(&format!("{name}: somebody is at work in it; not looked into"));
        }
        Err(error) => return told.refusal(Level::Error, &error, None),
    };
    match look::damage(&database, PATIENCE) {
        Err(error) => return damaged(&error.to_string()),
        Ok(Some(found)) if !found.is_empty() => return damaged(&found.join("; ")),
        Ok(None) => told.unknown(&format!("{name}: too large to be searched for damage in time")),
        Ok(Some(_)) => {}
    }
    let count = format!("SELECT count(*) FROM {}", Engine::Sqlite.table(&layout.table));
    match database.query_row(&count, [], |row| row.get::<_, i64>(0)) {
        Ok(rows) => told.ok(&format!("{name}: {rows} rows in {}", layout.table)),
        Err(_) => told.ok(&format!("{name}: no table {} yet; an import makes it", layout.table)),
    }
}

/// Each of them, for an import may come to need it; rights by the first that answers.
fn servers(database: &Database, target: &Target, layout: &Layout, told: &Told) {
    let engine = database.engine;
    let places: Vec<_> = (0..target.places())
        .map(|at| {
            let place = database.shown(&target.shown(at));
            let target = target.clone();
            let login = in_background(move || target.connect(engine, at).map(drop));
            (at, place, login)
        })
        .collect();
    let (mut first, mut silent) = (None, Vec::new());
    for (at, place, login) in places {
        match answer(&login) {
            Ok(()) => {
                told.ok(&format!("{place} takes the login"));
                first.get_or_insert((at, place));
            }
            Err(words) => silent.push(format!("cannot use {place}: {words}")),
        }
    }
    let level = if first.is_some() { Level::Warning } else { Level::Error };
    for what in &silent {
        told.refusal(level, what, Some(target.hint()));
    }
    let Some((at, place)) = first else { return };
    let (its_target, asked_for) = (target.clone(), layout.clone());
    let asked =
        in_background(move || rights(engine, &mut *its_target.connect(engine, at)?, &asked_for));
    let table = &layout.table;
    let absent = format!("{place} has no table {table} yet; an import makes it");
    match answer(&asked) {
        Ok(Rights::Enough) => {
            told.ok(&format!("{place}: rows can be read and inserted in {table}"));
        }
        Ok(Rights::NoTable { may_make: true }) => told.ok(&absent),
        Ok(Rights::NoTable { may_make: false }) => {
            told.error(&format!("{absent}, and may not"), "grant CREATE on its schema to db_user");
        }
        Ok(Rights::Missing(words)) => told.error(
            &format!("{place}: rows cannot be read and inserted in {table}: {words}"),
            "grant SELECT, INSERT and UPDATE on it to db_user (docs/fleet.md), or set another table_name",
        ),
        Err(words) => {
            told.warning(&format!("{place} does not tell what may be done there: {words}"), target.hint());
        }
    }
}

/// What may be done with the table.
enum Rights {
    Enough,
    NoTable {
        may_make: bool,
    },
    /// In the server's words.
    Missing(String),
}

/// Asks in a thread of its own: the clients of databases wait without end for some answers.
fn in_background<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Receiver<Result<T, Trouble>> {
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || sender.send(ask()));
    answer
}

/// What was answered; the server's words if it has said no, or nothing in time.
fn answer<T>(asked: &Receiver<Result<T, Trouble>>) -> Result<T, String> {
    match asked.recv_timeout(ANSWER) {
        Ok(answer) => answer.map_err(|trouble| trouble.words().to_owned()),
        Err(_) => Err(format!("it does not answer within {} seconds", ANSWER.as_secs())),
    }
}

fn rights(
    engine: Engine,
    connection: &mut dyn Connection,
    layout: &Layout,
) -> Result<Rights, Trouble> {
    let table = &layout.table;
    if first(connection, &existence(engine, table))?.is_none() {
        let may_make = engine != Engine::Postgresql
            || first(connection, &creation(engine, table))?.as_deref() != Some("no");
        return Ok(Rights::NoTable { may_make });
    }
    // Servers look at the rights to a statement when they plan it, and plan it here only.
    let columns = layout.columns.iter().map(|column| engine.identifier(&column.name));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let name = engine.table(table);
    let plan =
        format!("EXPLAIN INSERT INTO {name} ({columns}) SELECT {columns} FROM {name} WHERE 1 = 0");
    match connection.query(&plan, &mut |_| {}) {
        Ok(()) => Ok(Rights::Enough),
        Err(Trouble::Refused { words, .. }) => Ok(Rights::Missing(words)),
        Err(other) => Err(other),
    }
}

/// The first text that `sql` gives.
fn first(connection: &mut dyn Connection, sql: &str) -> Result<Option<String>, Trouble> {
    let mut text = None;
    connection.query(sql, &mut |row| {
        let value = row.first().copied().flatten();
        text = text.take().or(value.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
    })?;
    Ok(text)
}

/// Gives a name if the table is there.
fn existence(engine: Engine, table: &str) -> String {
    if engine == Engine::Postgresql {
        return format!("SELECT to_regclass({})::text", engine.literal(&engine.table(table)));
    }
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (engine.literal(schema), name),
        None => ("DATABASE()".to_owned(), table),
    };
    format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = {schema} AND table_name = {}",
        engine.literal(name)
    )
}

/// Gives `no` if the table cannot be made.
fn creation(engine: Engine, table: &str) -> String {
    let schema = match table.split_once('.') {
        Some((schema, _)) => engine.literal(schema),
        None => "current_schema()".to_owned(),
    };
    format!("SELECT CASE WHEN has_schema_privilege({schema}, 'CREATE') THEN 'yes' ELSE 'no' END")
}
