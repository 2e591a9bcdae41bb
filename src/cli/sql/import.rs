//! `--sql-import`: loads the files of SQL that the database does not have yet.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use super::{Told, UNREACHABLE, hinted, layout, open_store};
use crate::cli::progress::Bar;
use crate::config::Config;
use crate::host::Host;
use crate::pipeline::Progress;
use crate::position::Stamp;
use crate::report::grouped;
use crate::sql::import::folder::{self, FolderError, SqlFile};
use crate::sql::import::{Candidate, ImportError, Importer, Outcome, sha256};
use crate::store::Store;

/// What was done with all files.
#[derive(Default)]
struct Sum {
    files: u64,
    rows: u64,
    known: u64,
    failed: u64,
}

pub(super) fn run(host: &Host, config: &Config, mut bar: Bar) -> anyhow::Result<Told> {
    let started = Instant::now();
    let database = &config.database;
    let layout = layout(config)?;
    let mut sum = Sum::default();
    let files = folder::files(&database.export_dir).map_err(|error| refusal(&error))?;
    if let Some(warning) = database.password.warning() {
        log::warn!("{warning}");
    }
    let target = database.target(host.credentials.as_deref());
    let target = target.map_err(|note| anyhow::anyhow!("{note}"))?;
    let mut store = open_store(config)?;
    let looked_at = look_at(&mut store, files, &mut sum)?;
    let candidates: Vec<_> = looked_at.iter().map(|(_, _, it)| it.clone()).collect();
    let stopping = || host.stopping();
    let mut importer = Importer::new(database.engine, &target, &stopping);
    let (known, renamed) = if candidates.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        importer.known(&candidates).map_err(|error| stopped(&error))?
    };
    let is_new = |at: &usize| known.binary_search(at).is_err();
    let total = looked_at.iter().enumerate().filter(|(at, _)| is_new(at));
    let total: u64 = total.map(|(_, (_, stamp, _))| stamp.size).sum();
    let mut done = 0;
    for (at, (path, _, candidate)) in looked_at.iter().enumerate() {
        if !is_new(&at) {
            sum.known += 1;
            continue;
        }
        if renamed.contains(&at) {
            sum.failed += 1;
            log::error!(
                "{}: a file of this name was imported with another content, here or on another server\n  \
                 hint: give it another name if all of it is new; if rows were added to it, put those into \
                 a file of their own",
                path.display()
            );
            continue;
        }
        let file = match folder::open(path) {
            Ok((file, _)) => file,
            Err(error) => {
                sum.failed += 1;
                log::error!("{:#}", refusal(&error));
                continue;
            }
        };
        let outcome = importer.import(candidate, &file, &mut |bytes| {
            done += bytes;
            bar.bytes(done, total);
        });
        match outcome.map_err(|error| stopped(&error))? {
            Outcome::Imported(rows) => {
                sum.files += 1;
                sum.rows += rows;
                log::info!("Imported {}: {} rows", path.display(), grouped(rows));
            }
            Outcome::Known => sum.known += 1,
            Outcome::Broken { line, what } => {
                sum.failed += 1;
                log::error!("{}:{line}: {what}; nothing of this file was kept", path.display());
            }
        }
    }
    if sum.files > 0
        && let Some(words) = importer.index(&layout).map_err(|error| stopped(&error))?
    {
        log::debug!("No index by time was made: {words}");
    }
    Ok(Told { text: in_words(&sum, started), well: sum.failed == 0 })
}

/// Hashes the files, but for those that have not changed since they were looked at before.
fn look_at(
    store: &mut Store,
    files: Vec<SqlFile>,
    sum: &mut Sum,
) -> anyhow::Result<Vec<(PathBuf, Stamp, Candidate)>> {
    let mut before = store.sql_files().map_err(hinted)?;
    before.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let mut seen = Vec::new();
    let mut changed = false;
    for SqlFile { path, name } in files {
        let opened = folder::open(&path);
        let (file, stamp) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                sum.failed += 1;
                log::error!("{:#}", refusal(&error));
                continue;
            }
        };
        let known = before.binary_search_by(|it| it.0.cmp(&path)).ok();
        let known = known.and_then(|at| before.get(at)).filter(|it| it.1 == stamp);
        changed |= known.is_none();
        let hashed = known.map_or_else(|| sha256(&file), |(_, _, sha256)| Ok(sha256.clone()));
        let sha256 = match hashed {
            Ok(sha256) => sha256,
            Err(source) => {
                sum.failed += 1;
                log::error!("{:#}", refusal(&FolderError::Io { path, source }));
                continue;
            }
        };
        seen.push((path, stamp, Candidate { name, sha256 }));
    }
    if changed || seen.len() != before.len() {
        let hashes: Vec<_> = seen
            .iter()
            .map(|(path, stamp, it)| (path.clone(), stamp.clone(), it.sha256.clone()))
            .collect();
        store.remember_sql_files(&hashes).map_err(hinted)?;
    }
    Ok(seen)
}

fn refusal(error: &FolderError) -> anyhow::Error {
    let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
    anyhow::anyhow!("{error}{hint}")
}

fn stopped(error: &ImportError) -> anyhow::Error {
    let hint = match error {
        ImportError::Unreachable(_) => {
            return anyhow::anyhow!(
                "{error}\n  hint: {UNREACHABLE}; nothing is lost: the next run goes on with the first file \
                 that is not imported"
            );
        }
        ImportError::Table(_) => {
            "\n  hint: the user of the database needs the right to make it, or to read, insert and update \
             there if it exists"
        }
        ImportError::Interrupted => {
            "; the next run goes on with the first file that is not imported"
        }
        ImportError::Io { .. } => "",
    };
    anyhow::anyhow!("{error}{hint}")
}

fn in_words(sum: &Sum, started: Instant) -> String {
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let mut text = if sum.files == 0 {
        "nothing new to import".to_owned()
    } else {
        format!(
            "{} file{} imported, {} row{}",
            grouped(sum.files),
            plural(sum.files),
            grouped(sum.rows),
            plural(sum.rows)
        )
    };
    if sum.known > 0 {
        let _ = write!(text, "; {} imported before", grouped(sum.known));
    }
    if sum.failed > 0 {
        let _ = write!(text, "; {} file{} failed", grouped(sum.failed), plural(sum.failed));
    }
    let _ = write!(text, "; {:.2} s", started.elapsed().as_secs_f64());
    text
}
