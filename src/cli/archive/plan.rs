//! What is moved, and in which order: a list of files that are there, which nothing has touched yet.
//!
//! The order makes every place at which a kill can end it one that the next run is made for. While
//! the store is there, the CSV is one that an administrator has moved away: nothing is written twice.
//! The store goes last; once it is gone so is all that a run could mix with a new beginning.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::links::end_of;
use crate::cli::sql::{PYTHON_LIST, PYTHON_OFFSET, is_being_written};
use crate::config::{Config, MailLog};
use crate::enrich::geo::is_compiled_form;
use crate::source::{SourceError, rotation};
use crate::sql::{Engine, import};
use crate::store::whole::{COMPANIONS, companion, has_a_table_of};
use crate::store::{self, legacy};

/// How much is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// CSV, state and operational log.
    Reset,
    /// All that the program wrote.
    Purge,
}

/// Who can do it.
pub(super) const WHO: &str = "run it as root, or as the user whose files they are";
/// The folder for files of SQL in a backup.
const SQL_FOLDER: &str = "sql";

/// A file and its place in the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// Where it is: no link.
    pub(super) from: PathBuf,
    /// Its name in the backup, maybe with a folder.
    pub(super) to: PathBuf,
}

/// All moves, in their order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) moves: Vec<Move>,
    /// Databases of SQLite among them, each to be brought into one file first.
    pub(super) databases: Vec<PathBuf>,
    /// What may look forgotten, and stays for a reason.
    pub(super) notes: Vec<String>,
    /// The files that are never moved, whatever the configuration calls them.
    kept: HashSet<PathBuf>,
}

/// What of `scope` is there.
pub(super) fn plan(config: &Config, scope: Scope) -> anyhow::Result<Plan> {
    let logs = config.paths.mail_logs.iter().filter_map(|log| match log {
        MailLog::File(path) => Some(path),
        _ => None,
    });
    let others = [&config.countries.paths, &config.networks.paths].into_iter().flatten();
    let kept = logs.chain(others).filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut plan = Plan { kept, ..Plan::default() };
    if scope == Scope::Purge {
        plan.add_sql(config)?;
        plan.add_caches(&config.paths.state_dir)?;
        plan.add_rotated(&config.paths.csv)?;
    }
    plan.add_operational_log(config)?;
    plan.add(&companion(&config.paths.csv, ".new"))?;
    plan.add(&config.paths.csv)?;
    plan.add_state(config)?;
    Ok(plan)
}

impl Plan {
    /// Adds the file that `path` leads to, if there is one. A link stays and points to nothing, as
    /// the program makes a new file there.
    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        self.add_to(Path::new(""), path)
    }

    fn add_to(&mut self, folder: &Path, path: &Path) -> anyhow::Result<()> {
        // An operational log may be what another program has opened for us.
        let foreign = ["/dev/std", "/dev/fd/", "/proc/"];
        if foreign.iter().any(|start| path.as_os_str().as_bytes().starts_with(start.as_bytes())) {
            return Ok(());
        }
        let cannot = || format!("cannot look at {}\n  hint: {WHO}", super::shown(path));
        let from = match end_of(path) {
            Err(error) if is_absent(&error) => return Ok(()),
            other => other.with_context(cannot)?,
        };
        let is_file = fs::metadata(&from).with_context(cannot)?.is_file();
        let known = self.kept.contains(&from) || self.moves.iter().any(|it| it.from == from);
        if is_file && !known {
            let name = path.file_name().unwrap_or(from.as_os_str());
            let to = self.free_name(folder.join(name));
            self.moves.push(Move { from, to });
        }
        Ok(())
    }

    /// `name`, numbered if another file has it.
    fn free_name(&self, name: PathBuf) -> PathBuf {
        let is_free = |name: &PathBuf| self.moves.iter().all(|it| it.to != *name);
        let numbered = (2..).map(|number: u64| companion(&name, &format!("_{number}")));
        std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
    }

    /// Files of SQL before the database and the list of what is imported: as long as they are there
    /// these say which of them are loaded.
    fn add_sql(&mut self, config: &Config) -> anyhow::Result<()> {
        let folder = &config.database.export_dir;
        for name in names(folder)? {
            let is_sql = name.as_bytes().ends_with(b".sql") && !name.as_bytes().starts_with(b".");
            if (is_sql || is_being_written(&name)) && is_file(&folder.join(&name)) {
                self.add_to(Path::new(SQL_FOLDER), &folder.join(name))?;
            }
        }
        self.add_database(config)?;
        for folder in &config.paths.python_state_dirs {
            self.add(&folder.join(PYTHON_LIST))?;
        }
        Ok(())
    }

    /// The database of SQLite, if the program has written to it.
    fn add_database(&mut self, config: &Config) -> anyhow::Result<()> {
        let database = &config.database;
        if database.engine != Engine::Sqlite || !database.path.is_file() {
            return Ok(());
        }
        let file = end_of(&database.path)
            .with_context(|| format!("cannot look at {}", super::shown(&database.path)))?;
        match has_a_table_of(&file, &[import::TABLE, &database.table]) {
            Ok(true) => self.add_with_companions(&database.path),
            Ok(false) => {
                let path = super::shown(&database.path);
                self.notes.push(format!("{path} has no table of this program, and stays"));
                Ok(())
            }
            Err(error) => {
                let path = super::shown(&database.path);
                self.notes.push(format!("{path} stays: cannot tell what is in it: {error}"));
                Ok(())
            }
        }
    }

    fn add_with_companions(&mut self, database: &Path) -> anyhow::Result<()> {
        let file = end_of(database).unwrap_or_else(|_| database.to_owned());
        for ending in COMPANIONS {
            self.add(&companion(&file, ending))?;
        }
        self.databases.push(file);
        self.add(database)
    }

    fn add_caches(&mut self, state_dir: &Path) -> anyhow::Result<()> {
        for name in names(state_dir)? {
            if is_compiled_form(&name) && is_file(&state_dir.join(&name)) {
                self.add(&state_dir.join(name))?;
            }
        }
        Ok(())
    }

    /// What logrotate has made of the CSV.
    fn add_rotated(&mut self, csv: &Path) -> anyhow::Result<()> {
        let (rotations, errors) = rotation::beside(csv);
        let unseen = errors.into_iter().find(|error| !matches!(error, SourceError::NotAFile(_)));
        unseen.map_or(Ok(()), Err)?;
        rotations.iter().filter(|path| is_file(path)).try_for_each(|path| self.add(path))
    }

    /// The operational log and the rotations that the program makes of it.
    fn add_operational_log(&mut self, config: &Config) -> anyhow::Result<()> {
        let Some(log) = &config.general.log_file else { return Ok(()) };
        let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
        let base = log.file_name().unwrap_or_default().as_bytes();
        let mut rotations: Vec<(u64, PathBuf)> = Vec::new();
        for name in names(folder.unwrap_or(Path::new(".")))? {
            let number = name.as_bytes().strip_prefix(base).and_then(|it| it.strip_prefix(b"."));
            let number = number.and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
            let ours = |number: &u64| (1..=config.general.log_file_backup_count).contains(number);
            rotations.extend(number.filter(ours).map(|it| (it, log.with_file_name(&name))));
        }
        rotations.sort();
        for (_, rotation) in rotations {
            self.add(&rotation)?;
        }
        self.add(log)
    }

    /// The Python program's places before the store: they count only when there is none.
    fn add_state(&mut self, config: &Config) -> anyhow::Result<()> {
        for folder in &config.paths.python_state_dirs {
            for name in [legacy::OFFSET, legacy::RETIRED_OFFSET, PYTHON_OFFSET] {
                self.add(&folder.join(name))?;
            }
        }
        let store = config.paths.state_dir.join(store::FILE_NAME);
        self.add(&store::unfinished_store(&store))?;
        self.add_with_companions(&store)
    }
}

/// The names in `folder`, sorted; none if it is not there.
fn names(folder: &Path) -> anyhow::Result<Vec<std::ffi::OsString>> {
    let cannot = || format!("cannot list {}\n  hint: {WHO}", super::shown(folder));
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        other => other.with_context(cannot)?,
    };
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|it| it.file_name())).collect();
    let mut names = names.with_context(cannot)?;
    names.sort();
    Ok(names)
}

/// Whether it is a file and no link: where the program makes names of its own, links are others'.
fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
