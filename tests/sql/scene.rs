//! A CSV, the program, and one of three databases that it exports for and imports into.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::database::{Rows, Setup};
use crate::galera::Galera;
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::sentinel::{HEADER, Ran, Sentinel};

/// The database in each server, and what is asked of it.
pub const DATABASE: &str = "mail";
pub const EVENTS: &str = "SELECT server, event_time, ip, username, hostname, reverse_dns_status, \
    country_code, asn_int, asn_varchar FROM maillogsentinel_events ORDER BY id";
const CSV: &str = "work/maillogsentinel.csv";

/// A database of one kind.
pub enum Target {
    Sqlite(tempfile::TempDir),
    Postgres(Postgres),
    MariaDb(MariaDb),
    Galera(Galera),
}

impl Target {
    pub fn sqlite() -> Self {
        // In memory: those who wait for their turn with a slow disk may wait too long.
        Self::Sqlite(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    pub fn postgres() -> Self {
        let server = Postgres::start();
        server.create_database(DATABASE);
        Self::Postgres(server)
    }

    pub fn mariadb() -> Self {
        let server = MariaDb::start();
        server.create_database(DATABASE);
        Self::MariaDb(server)
    }

    pub fn galera() -> Self {
        // Reads wait for what other nodes have committed.
        let settings = &[("wsrep_sync_wait", "1")];
        let cluster = Galera::with(3, &Setup { settings, ..Setup::default() });
        cluster.node(0).create_database(DATABASE);
        Self::Galera(cluster)
    }

    /// Settings that make the program use it.
    pub fn settings(&self) -> Vec<String> {
        let Setup { user, password, .. } = Setup::default();
        let server = |kind: &str, hosts: String| {
            vec![
                format!("database.db_type={kind}"),
                format!("database.db_host={hosts}"),
                format!("database.db_name={DATABASE}"),
                format!("database.db_user={user}"),
                format!("database.db_password={password}"),
            ]
        };
        match self {
            Self::Sqlite(_) => vec![format!("database.db_path={}", self.file().display())],
            Self::Postgres(it) => server("postgresql", format!("127.0.0.1:{}", it.port())),
            Self::MariaDb(it) => server("mysql", format!("127.0.0.1:{}", it.port())),
            Self::Galera(it) => {
                let hosts = [0, 1, 2].map(|node| format!("127.0.0.1:{}", it.node(node).port()));
                server("mysql", hosts.join(", "))
            }
        }
    }

    /// The file of SQLite.
    fn file(&self) -> PathBuf {
        let Self::Sqlite(folder) = self else { panic!("not a file") };
        folder.path().join("events.sqlite")
    }

    /// Loads `file` by the native client.
    pub fn load(&self, file: &Path) -> Output {
        match self {
            Self::Sqlite(_) => Command::new("sqlite3")
                .arg("-bail")
                .arg(self.file())
                .stdin(fs::File::open(file).unwrap())
                .output()
                .unwrap(),
            Self::Postgres(it) => it.load_file(DATABASE, file),
            Self::MariaDb(it) => it.load_file(DATABASE, file),
            Self::Galera(it) => it.node(0).load_file(DATABASE, file),
        }
    }

    /// Runs a statement that must not fail.
    pub fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => {
                rusqlite::Connection::open(self.file()).unwrap().execute_batch(sql).unwrap();
            }
            Self::Postgres(it) => it.execute(DATABASE, sql),
            Self::MariaDb(it) => it.execute(DATABASE, sql),
            Self::Galera(it) => it.node(1).execute(DATABASE, sql),
        }
    }

    /// The answer to a SELECT.
    pub fn query(&self, sql: &str) -> Rows {
        match self {
            Self::Sqlite(_) => {
                let database = rusqlite::Connection::open(self.file()).unwrap();
                let mut statement = database.prepare(sql).unwrap();
                let columns = statement.column_count();
                let rows = statement.query_map([], |row| {
                    (0..columns).map(|at| row.get_ref(at).map(shown)).collect()
                });
                rows.unwrap().map(Result::unwrap).collect()
            }
            Self::Postgres(it) => it.query(DATABASE, sql),
            Self::MariaDb(it) => it.query(DATABASE, sql),
            Self::Galera(it) => it.query(2, DATABASE, sql),
        }
    }

    /// The first column of the answer, nothing NULL.
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.query(sql).into_iter().map(|row| row[0].clone().unwrap()).collect()
    }
}

fn shown(value: rusqlite::types::ValueRef<'_>) -> Option<String> {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Text(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// The program beside a CSV, with its own folders, for a database.
pub fn sentinel(target: &Target) -> Sentinel {
    target.settings().into_iter().fold(Sentinel::default(), Sentinel::set)
}

/// Adds rows of `server` to the CSV; each has a user name of its own.
pub fn add_rows(scene: &Sentinel, server: &str, numbers: std::ops::Range<usize>) {
    let row = |number: usize| {
        format!(
            "{server};2026-11-22 21:{:02};203.0.113.{};user{number};null;Errno 1;CN;4837;China Unicom\n",
            number % 60,
            number % 250
        )
    };
    let rows: Vec<_> = numbers.map(row).collect();
    let header = if scene.path(CSV).exists() { "" } else { HEADER };
    fs::create_dir_all(scene.path("work")).unwrap();
    scene.append(CSV, header.to_owned() + &rows.concat());
}

/// Writes the CSV.
pub fn write_csv(scene: &Sentinel, bytes: &[u8]) {
    scene.write(CSV, bytes);
}

pub fn export(scene: &Sentinel) -> Ran {
    Ran::of(&mut scene.command(&["--sql-export"]))
}

pub fn import(scene: &Sentinel) -> Ran {
    Ran::of(&mut scene.command(&["--sql-import"]))
}

/// The files of SQL, in the order of their names.
pub fn files(scene: &Sentinel) -> Vec<PathBuf> {
    let entries = fs::read_dir(scene.path("work/sql")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "sql"));
    files.sort();
    files
}

/// What of the user names `user0` up to `user{count}` is missing or there twice, if anything.
pub fn wrong(target: &Target, server: &str, count: usize) -> Option<String> {
    let sql = format!("SELECT username FROM maillogsentinel_events WHERE server = '{server}'");
    let mut seen = vec![0; count];
    for name in target.column(&sql) {
        seen[name.strip_prefix("user").unwrap().parse::<usize>().unwrap()] += 1;
    }
    let odd: Vec<_> = seen.iter().enumerate().filter(|(_, times)| **times != 1).collect();
    (!odd.is_empty()).then(|| format!("{server}: {} rows, such as {:?}", odd.len(), odd.first()))
}
