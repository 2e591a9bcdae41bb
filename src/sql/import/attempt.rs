//! One attempt at one file: one transaction, with the entry for the file in it.

use std::fs::File;
use std::io::Read;
use std::sync::mpsc::{SyncSender, sync_channel};

use sha2::{Digest, Sha256};

use super::kind::{Kind, kind};
use super::script::{Script, ScriptError, Statement};
use super::{Candidate, Outcome, TABLE, hex};
use crate::sql::Engine;
use crate::sql::connect::{Connection, Trouble};

/// Something that stops the work on one file.
pub(super) enum Stop {
    /// In which line; 0 is before the file's first.
    Trouble(Trouble, u64),
    Script(ScriptError),
    Broken(u64, String),
    /// Somebody else has imported it.
    Known,
    Interrupted,
}

/// How many statements are read ahead; ours have 128 KiB.
const AHEAD: usize = 2;

/// Runs the statements of `file`, but for those of transactions, in one transaction; `progress` is told
/// how many bytes are done with.
pub(super) fn attempt(
    engine: Engine,
    connection: &mut dyn Connection,
    (candidate, file): (&Candidate, &File),
    progress: &mut dyn FnMut(u64),
    stopping: &dyn Fn() -> bool,
) -> Result<Outcome, Stop> {
    let mut run = Run { engine, connection, open: None, rows: 0 };
    run.connection.reset().map_err(|trouble| Stop::Trouble(trouble, 0))?;
    // One thread reads and splits the file while the other waits for the database.
    let (sender, receiver) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read(engine, file, &sender));
        let mut statements = receiver.into_iter().map(|read| {
            let read = read.map_err(Stop::Script)?;
            progress(read.text.len() as u64 + 1);
            if stopping() { Err(Stop::Interrupted) } else { Ok(read) }
        });
        run.all(candidate, &mut statements)?;
        drop(statements);
        let hash = reader.join().unwrap_or_default();
        if hash != candidate.sha256 {
            return Err(Stop::Broken(1, "the file was changed while it was read".to_owned()));
        }
        run.commit(candidate)
    })
}

/// Sends the statements of `file` until nobody takes them; gives the hash of what was read.
fn read(
    engine: Engine,
    file: &File,
    sender: &SyncSender<Result<Statement, ScriptError>>,
) -> String {
    let mut hashed = Hashed { input: file, hasher: Sha256::new() };
    let mut script = Script::new(&mut hashed, engine);
    while let Some(next) = script.statement().transpose() {
        let failed = next.is_err();
        if sender.send(next).is_err() || failed {
            break;
        }
    }
    drop(script);
    hex(&hashed.hasher.finalize())
}

/// One attempt's state.
struct Run<'c> {
    engine: Engine,
    connection: &'c mut dyn Connection,
    /// The line of a transaction that the file has started and not ended.
    open: Option<u64>,
    rows: u64,
}

impl Run<'_> {
    fn execute(&mut self, statement: &Statement) -> Result<u64, Stop> {
        self.connection.execute(&statement.text).map_err(|trouble| {
            let within = match &trouble {
                Trouble::Refused { line, .. } => line.unwrap_or(0),
                _ => 0,
            };
            Stop::Trouble(trouble, statement.line + within)
        })
    }

    /// Runs all statements, but for the end of the transaction.
    fn all(
        &mut self,
        candidate: &Candidate,
        statements: &mut dyn Iterator<Item = Result<Statement, Stop>>,
    ) -> Result<(), Stop> {
        let mut statement = statements.next().transpose()?;
        // In MySQL, tables that are made end the transaction: those at the start come before it.
        while self.engine == Engine::Mysql
            && let Some(first) = statement.as_ref()
            && kind(self.engine, &first.text) == Kind::Preparing
        {
            self.execute(first)?;
            statement = statements.next().transpose()?;
        }
        if !self.claim(candidate)? {
            return Err(Stop::Known);
        }
        while let Some(next) = statement {
            self.step(&next)?;
            statement = statements.next().transpose()?;
        }
        match self.open {
            None => Ok(()),
            Some(line) => {
                let what =
                    "the transaction that starts here is never committed: the file is incomplete";
                Err(Stop::Broken(line, what.to_owned()))
            }
        }
    }

    /// Starts the transaction with the entry for the file; false if another importer has it.
    fn claim(&mut self, candidate: &Candidate) -> Result<bool, Stop> {
        let engine = self.engine;
        let begun = self.connection.execute(engine.begin());
        begun.map_err(|trouble| Stop::Trouble(trouble, 0))?;
        let names = ["file", "sha256", "rows"].map(|name| engine.identifier(name)).join(", ");
        let (ignore, conflict) = match engine {
            Engine::Mysql => (" IGNORE", ""),
            _ => ("", " ON CONFLICT DO NOTHING"),
        };
        let sql = format!(
            "INSERT{ignore} INTO {} ({names}) VALUES ({}, {}, 0){conflict}",
            engine.identifier(TABLE),
            engine.literal(&candidate.name),
            engine.literal(&candidate.sha256),
        );
        let claimed = self.connection.execute(&sql);
        claimed.map(|rows| rows > 0).map_err(|trouble| Stop::Trouble(trouble, 0))
    }

    fn step(&mut self, statement: &Statement) -> Result<(), Stop> {
        let broken = |what: &str| Err(Stop::Broken(statement.line, what.to_owned()));
        match kind(self.engine, &statement.text) {
            Kind::Begin => self.open = Some(statement.line),
            Kind::Commit => self.open = None,
            Kind::Rollback => {
                return broken(
                    "it takes back what the file has done, which is run as a whole or not at all",
                );
            }
            Kind::CommitsImplicitly => {
                return broken(
                    "this statement commits what is before it, so that the file could not be taken back: \
                     remove it",
                );
            }
            Kind::Leaves => {
                return broken(
                    "it goes to another database: put its rows into a file for that one, or name the table \
                     as DATABASE.TABLE",
                );
            }
            Kind::Configures => {
                return broken("it changes how the database works, for other files too: remove it");
            }
            Kind::TalksToClient => {
                return broken("it reads from the client, or writes to it: use INSERT");
            }
            Kind::Preparing if self.engine == Engine::Mysql && !is_setting(&statement.text) => {
                return broken(
                    "this statement commits what is before it, so that the file could not be taken back: \
                     put it at the start, or into a file of its own",
                );
            }
            Kind::Preparing => self.execute(statement).map(drop)?,
            Kind::Plain => {
                let rows = self.execute(statement)?;
                // PostgreSQL tells how many rows a question has, too.
                let start = statement.text.get(..6).unwrap_or_default();
                self.rows += if start.eq_ignore_ascii_case("SELECT") { 0 } else { rows };
            }
        }
        Ok(())
    }

    fn commit(&mut self, candidate: &Candidate) -> Result<Outcome, Stop> {
        let engine = self.engine;
        let sql = format!(
            "UPDATE {} SET {} = {} WHERE {} = {}",
            engine.identifier(TABLE),
            engine.identifier("rows"),
            self.rows,
            engine.identifier("sha256"),
            engine.literal(&candidate.sha256),
        );
        let trouble = |trouble| Stop::Trouble(trouble, 1);
        // The file may have changed which tables are found by their bare names.
        if engine == Engine::Postgresql {
            self.connection.execute("RESET search_path").map_err(trouble)?;
        }
        if self.connection.execute(&sql).map_err(trouble)? != 1 && self.rows > 0 {
            let what = format!("the file has removed its entry in {TABLE}, or hidden it");
            return Err(Stop::Broken(1, what));
        }
        self.connection.execute("COMMIT").map_err(trouble)?;
        Ok(Outcome::Imported(self.rows))
    }
}

fn is_setting(text: &str) -> bool {
    let text =
        text.trim_start_matches(|c: char| "/*!".contains(c) || c.is_ascii_digit()).trim_start();
    text.get(..3)
        .is_some_and(|word| word.eq_ignore_ascii_case("SET") || word.eq_ignore_ascii_case("USE"))
}

/// Hashes what is read.
struct Hashed<'f> {
    input: &'f File,
    hasher: Sha256,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
