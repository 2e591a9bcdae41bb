//! Loads files of SQL into a database, each exactly once.
//!
//! A file is run in one transaction together with its entry in the table `maillogsentinel_imports`,
//! which is inserted first: whoever else is at the same file waits for that, and then finds it done.
//! What a file says of transactions itself is passed over. If the connection is lost, also while the
//! transaction was being committed, the next server is asked whether the entry is there.

mod attempt;
pub mod folder;
mod former;
pub mod kind;
pub mod script;
mod tables;

use std::fs::File;
use std::io::{Read, Seek};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::connect::{Connection, Target, Trouble};
use super::engine::Engine;
use super::export::MADE_FOR;
use super::layout::Layout;
use attempt::{Stop, attempt};
use script::ScriptError;

/// The table of what was imported.
pub const TABLE: &str = "maillogsentinel_imports";
/// How often a file is tried again when others are in the way, and when the connection is lost.
const MOST_TRIES: u32 = 20;
const MOST_LOSSES: u32 = 8;
/// How often all servers are tried before we give up.
const MOST_ROUNDS: u32 = 3;
/// Files asked for in one question.
const ASKED_AT_ONCE: usize = 500;

/// A file that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// How it ended with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many rows were inserted or changed.
    Imported(u64),
    /// It had been imported before, or another importer was faster.
    Known,
    /// It is broken: it was rolled back.
    Broken {
        /// The line.
        line: u64,
        /// What is wrong, mostly in the server's words.
        what: String,
        /// Whether the database could not take back all of it.
        stays: bool,
    },
}

/// Why no more files can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No server could be reached, or none lets us in.
    #[error("cannot reach the database: {0}")]
    Unreachable(String),
    /// The table of imports cannot be used.
    #[error("cannot use the table {TABLE}: {0}")]
    Table(String),
    /// The database cannot do its work.
    #[error("the database cannot take rows: {0}")]
    Unable(String),
    /// Another program is writing to the file of SQLite.
    #[error("another program is writing to {0}")]
    Busy(String),
    /// A file cannot be read any more.
    #[error("cannot read {name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The run was asked to end.
    #[error("interrupted")]
    Interrupted,
}

/// Loads files into one database.
pub struct Importer<'t> {
    engine: Engine,
    target: &'t Target,
    connection: Option<Box<dyn Connection>>,
    /// The server that is asked first, by its number.
    place: usize,
    stopping: &'t dyn Fn() -> bool,
}

impl<'t> Importer<'t> {
    /// An importer; it connects when it is needed.
    pub fn new(engine: Engine, target: &'t Target, stopping: &'t dyn Fn() -> bool) -> Self {
        Self { engine, target, connection: None, place: 0, stopping }
    }

    /// Which of these hashes are of files that were imported, in their order.
    pub fn known(&mut self, hashes: &[&str]) -> Result<Vec<String>, ImportError> {
        let mut known = Vec::new();
        for chunk in hashes.chunks(ASKED_AT_ONCE) {
            known.extend(self.ask(chunk)?);
        }
        known.sort_unstable();
        Ok(known)
    }

    fn ask(&mut self, hashes: &[&str]) -> Result<Vec<String>, ImportError> {
        let engine = self.engine;
        let literals: Vec<_> = hashes.iter().map(|hash| engine.literal(hash)).collect();
        let (column, table) = (engine.identifier("sha256"), engine.identifier(TABLE));
        let sql =
            format!("SELECT {column} FROM {table} WHERE {column} IN ({})", literals.join(", "));
        let mut tries = 0;
        loop {
            let mut found = Vec::new();
            let asked = self.connection()?.query(&sql, &mut |row| {
                let value = row.first().copied().flatten().unwrap_or_default();
                found.push(String::from_utf8_lossy(value).into_owned());
            });
            match asked {
                Ok(()) => return Ok(found),
                Err(Trouble::Unable(words)) => return Err(ImportError::Unable(words)),
                Err(Trouble::Busy(_)) if engine == Engine::Sqlite => {
                    return Err(ImportError::Busy(self.target.shown(0)));
                }
                Err(trouble) => self.recover(trouble, &mut tries).map_err(ImportError::Table)?,
            }
        }
    }

    /// Imports one file.
    pub fn import(
        &mut self,
        candidate: &Candidate,
        file: &File,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Outcome, ImportError> {
        if let Some(other) = made_for_another(self.engine, file) {
            let what = format!(
                "it was exported for {other}, and db_type asks for {}: move it away, and make another by \
                 --sql-export --all",
                self.engine.name()
            );
            return Ok(Outcome::Broken { line: 1, what, stays: false });
        }
        let mut tries = 0;
        loop {
            if tries > 0 && !self.known(&[&candidate.sha256])?.is_empty() {
                return Ok(Outcome::Known);
            }
            let mut source = file;
            source
                .rewind()
                .map_err(|source| ImportError::Io { name: candidate.name.clone(), source })?;
            let (engine, stopping) = (self.engine, self.stopping);
            let what = (candidate, file);
            let done = attempt(engine, self.connection()?, what, progress, stopping);
            let stop = match done {
                Ok(outcome) => return Ok(outcome),
                Err(stop) => stop,
            };
            let (trouble, line) = match stop {
                Stop::Trouble(Trouble::Unable(words), _) => {
                    self.roll_back();
                    return Err(ImportError::Unable(words));
                }
                Stop::Trouble(trouble, line) => (trouble, line),
                Stop::Known => {
                    self.roll_back();
                    return Ok(Outcome::Known);
                }
                Stop::Broken(line, what) | Stop::Script(ScriptError::Wrong(line, what)) => {
                    return self.broken(candidate, line, what);
                }
                Stop::Script(ScriptError::Io(source)) => {
                    self.roll_back();
                    return Err(ImportError::Io { name: candidate.name.clone(), source });
                }
                Stop::Interrupted => {
                    self.roll_back();
                    return Err(ImportError::Interrupted);
                }
            };
            let lost = matches!(trouble, Trouble::Lost(_));
            if self.engine == Engine::Sqlite && matches!(trouble, Trouble::Busy(_)) {
                // It has waited already.
                self.roll_back();
                return Err(ImportError::Busy(self.target.shown(0)));
            }
            if let Err(what) = self.recover(trouble, &mut tries) {
                // It is no fault of the file's if no server can be written to; but it is if each lets us in
                // and is lost at the same statement.
                return if lost && line == 0 {
                    Err(ImportError::Unreachable(what))
                } else {
                    self.broken(candidate, line.max(1), what)
                };
            }
        }
    }

    /// Rolls a file back. In MySQL a file can commit by itself, by what it calls, or fill tables without
    /// transactions: its entry goes then, so that the next run does not take it for imported.
    fn broken(
        &mut self,
        candidate: &Candidate,
        line: u64,
        what: String,
    ) -> Result<Outcome, ImportError> {
        let mut stays = self.roll_back();
        if self.engine == Engine::Mysql && !self.known(&[&candidate.sha256])?.is_empty() {
            stays = true;
            let (table, column) = (self.engine.identifier(TABLE), self.engine.identifier("sha256"));
            let hash = self.engine.literal(&candidate.sha256);
            let sql = format!("DELETE FROM {table} WHERE {column} = {hash}");
            let deleted = self.connection()?.execute(&sql);
            deleted.map_err(|trouble| ImportError::Table(trouble.words().to_owned()))?;
        }
        Ok(Outcome::Broken { line, what, stays })
    }

    /// Takes over the table of the Python program, if there is one; gives the name that it has then.
    pub fn take_over(&mut self, layout: &Layout) -> Result<Option<String>, ImportError> {
        if self.engine != Engine::Sqlite {
            return Ok(None);
        }
        let taken_over = former::take_over(self.connection()?, layout);
        taken_over.map_err(|trouble| ImportError::Unable(trouble.words().to_owned()))
    }

    /// Makes an index by time unless there is one. Not everybody may, and the rows are there without
    /// it: gives the server's words then.
    pub fn index(&mut self, layout: &Layout) -> Result<Option<String>, ImportError> {
        let engine = self.engine;
        let made = tables::index(self.connection()?, engine, layout);
        Ok(made.err().map(|trouble| trouble.words().to_owned()))
    }

    /// Whether it is worth to go on after `trouble`; what is wrong if not.
    fn recover(&mut self, trouble: Trouble, tries: &mut u32) -> Result<(), String> {
        *tries += 1;
        match trouble {
            Trouble::Lost(words) => {
                self.connection = None;
                self.place += 1;
                (*tries < MOST_LOSSES).then_some(()).ok_or(words)
            }
            Trouble::Busy(words) => {
                self.roll_back();
                log::info!(
                    "Another client of the database is in the way, so it is tried again: {words}"
                );
                // Not all at the same time again.
                let spread = u64::from(std::process::id() % 50);
                std::thread::sleep(Duration::from_millis(spread + 20 * u64::from(*tries)));
                (*tries < MOST_TRIES && !(self.stopping)()).then_some(()).ok_or(words)
            }
            Trouble::Unable(words) | Trouble::Refused { words, .. } => {
                self.roll_back();
                Err(words)
            }
        }
    }

    /// Gives whether tables without transactions have kept something.
    fn roll_back(&mut self) -> bool {
        let engine = self.engine;
        let Some(connection) = &mut self.connection else { return false };
        let done = connection.execute("ROLLBACK");
        let mut stays = false;
        if done.is_ok() && engine == Engine::Mysql {
            // "Some non-transactional changed tables couldn't be rolled back."
            let _ = connection.query("SHOW WARNINGS", &mut |row| {
                stays |= row.get(1).copied().flatten() == Some(b"1196");
            });
        }
        // SQLite has ended some transactions by itself then.
        if done.is_err() && engine != Engine::Sqlite {
            self.connection = None;
        }
        stays
    }

    /// The connection; if there is none, the servers are tried in turn.
    fn connection(&mut self) -> Result<&mut (dyn Connection + 'static), ImportError> {
        if self.connection.is_none() {
            self.connection = Some(self.connect()?);
        }
        self.connection.as_deref_mut().ok_or(ImportError::Unreachable(String::new()))
    }

    fn connect(&mut self) -> Result<Box<dyn Connection>, ImportError> {
        let places = self.target.places().max(1);
        let mut troubles = Vec::new();
        for round in 0..MOST_ROUNDS {
            troubles.clear();
            for step in 0..places {
                if (self.stopping)() {
                    return Err(ImportError::Interrupted);
                }
                let at = (self.place + step) % places;
                let connected = self.target.connect(self.engine, at).and_then(|mut connection| {
                    tables::prepare(&mut *connection, self.engine).map(|()| connection)
                });
                match connected {
                    Ok(connection) => {
                        self.place = at;
                        return Ok(connection);
                    }
                    Err(Trouble::Refused { words, .. }) => {
                        return Err(ImportError::Table(words));
                    }
                    Err(Trouble::Unable(words)) => return Err(ImportError::Unable(words)),
                    Err(Trouble::Busy(_)) if self.engine == Engine::Sqlite => {
                        return Err(ImportError::Busy(self.target.shown(at)));
                    }
                    Err(trouble) => {
                        let place = self.target.shown(at);
                        log::debug!("{place}: {}", trouble.words());
                        troubles.push(format!("{place}: {}", trouble.words()));
                    }
                }
            }
            // One server that is down stays down; of several, one takes over in a moment.
            let wait = Duration::from_millis(if places > 1 { 1000 } else { 300 });
            if round + 1 < MOST_ROUNDS {
                std::thread::sleep(wait);
            }
        }
        Err(ImportError::Unreachable(troubles.join("; ")))
    }
}

/// Which other engine a file of ours says that it is for.
fn made_for_another(engine: Engine, mut file: &File) -> Option<&'static str> {
    let mut start = Vec::new();
    file.rewind().ok()?;
    file.take(200).read_to_end(&mut start).ok()?;
    let first = start.split(|byte| *byte == b'\n').next()?;
    let name = std::str::from_utf8(first).ok()?.strip_prefix(MADE_FOR)?.trim_end();
    let engines = [Engine::Sqlite, Engine::Postgresql, Engine::Mysql].map(Engine::name);
    engines.into_iter().find(|it| *it == name && *it != engine.name())
}

/// The SHA-256 of all that `input` holds, as 64 hexadecimal digits.
pub fn sha256(mut input: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
