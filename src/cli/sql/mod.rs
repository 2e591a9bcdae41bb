//! `--sql-export` and `--sql-import`.

mod export;
mod former;
mod import;
mod publish;
mod rows;

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context;

pub(super) use former::PYTHON_OFFSET;
pub(super) use import::PYTHON_LIST;
pub(super) use publish::is_being_written;

use super::args::Args;
use super::extract;
use super::progress::Bar;
use super::report::in_one;
use crate::account;
use crate::config::{Config, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::oplog::SUMMARY;
use crate::sql::connect::{Connection, Target};
use crate::sql::import::folder::FolderError;
use crate::sql::mapping::{self, MappingError};
use crate::sql::{Engine, Layout};
use crate::store::{Store, StoreError};

/// Runs the action that `args` ask for.
pub(super) fn run(host: &Host, args: &Args, (config, odd): (&Config, &[Note])) -> Status {
    let bar = Bar::new(!args.no_progress && args.quiet == 0);
    let log_failed = extract::start_log(host, args, config, &bar);
    let action = if args.sql_export { "SQL export" } else { "SQL import" };
    log::info!("=== {action} started ===");
    for note in odd {
        log::warn!("{note}");
    }
    // An import waits for a server, and what it has not committed by then the server takes back.
    host.dies_at_once.store(args.sql_import, Ordering::Relaxed);
    let done = if args.sql_export {
        export::run(host, args, config)
    } else {
        import::run(host, config, bar.clone())
    };
    bar.clear();
    let status = match done {
        Ok(told) => tell(args, &told),
        Err(error) => {
            log::error!("{}", in_one(&error));
            match error.downcast_ref::<StoreError>() {
                Some(StoreError::Locked { .. }) => Status::TryLater,
                _ if error.is::<MappingError>() => Status::BadConfig,
                _ => Status::Failed,
            }
        }
    };
    log::info!("=== {action} finished ===");
    let log_failed = log_failed.load(Ordering::Relaxed);
    if log_failed && status == Status::Done { Status::Failed } else { status }
}

/// What was done, and whether all of it went well.
struct Told {
    text: String,
    well: bool,
}

fn tell(args: &Args, told: &Told) -> Status {
    log::info!(target: SUMMARY, "{}", told.text);
    let shown = crate::untrusted::for_terminal(told.text.as_bytes());
    let printed = args.quiet > 0 || writeln!(anstream::stdout(), "{shown}").is_ok();
    if told.well && printed { Status::Done } else { Status::Failed }
}

/// The columns of the table: the usual ones, or those of the mapping.
pub(super) fn layout(config: &Config) -> anyhow::Result<Layout> {
    let database = &config.database;
    Ok(match &database.mapping_file {
        None => Layout::standard(&database.table),
        Some(path) => mapping::read(path, &database.table).map_err(|error| {
            let text = format!("{error}\n  hint: {}", error.hint());
            anyhow::Error::new(error).context(text)
        })?,
    })
}

/// What a folder or a file of SQL is refused for, with what to do.
fn refusal(error: &FolderError) -> anyhow::Error {
    let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
    anyhow::anyhow!("{error}{hint}")
}

/// Opens the store, in a folder that is made if there is none.
fn open_store(config: &Config) -> anyhow::Result<Store> {
    make_folder(&config.paths.state_dir)?;
    Store::open(&config.paths.state_dir).map_err(hinted)
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o750).create(path);
    made.with_context(|| {
        let cure = account::folder_cure(path);
        format!(
            "cannot create the folder {}\n  hint: {}, or set another in the configuration",
            path.display(),
            cure.as_deref().unwrap_or("create it for the user this runs as")
        )
    })
}

/// An error of the store with its hint, and still that error.
pub(super) fn hinted(error: StoreError) -> anyhow::Error {
    match error.hint() {
        None => error.into(),
        Some(hint) => {
            let text = format!("{error}\n  hint: {hint}");
            anyhow::Error::new(error).context(text)
        }
    }
}

/// An error that may mean that another server could answer.
pub(super) trait MayBeLost {
    /// The server's words, if so.
    fn lost(&self) -> Option<&str>;
}

/// Asks the first of the servers that can be reached and can answer; gives its name too.
pub(super) fn at_any_server<T, E: MayBeLost>(
    host: &Host,
    engine: Engine,
    target: &Target,
    ask: &mut dyn FnMut(&mut dyn Connection) -> Result<T, E>,
) -> anyhow::Result<(Result<T, E>, String)> {
    if let Target::File(path) = target
        && !path.exists()
    {
        anyhow::bail!(
            "there is no database {}\n  hint: --sql-import makes and fills it; or set `db_path` in section \
             [database]",
            path.display()
        );
    }
    let mut troubles = Vec::new();
    for at in 0..target.places() {
        if host.stopping() {
            break;
        }
        let place = target.shown(at);
        match target.connect(engine, at) {
            Err(trouble) => troubles.push(format!("{place}: {}", trouble.words())),
            Ok(mut connection) => {
                let answer = ask(&mut *connection);
                match answer.as_ref().err().and_then(MayBeLost::lost) {
                    Some(words) => troubles.push(format!("{place}: {words}")),
                    None => return Ok((answer, place)),
                }
            }
        }
    }
    anyhow::bail!("cannot reach the database: {}\n  hint: {}", troubles.join("; "), target.hint())
}
