//! `--sql-import`: loads the files of SQL that the database does not have yet.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use super::{Told, hinted, layout, open_store, refusal};
use crate::cli::progress::Bar;
use crate::config::Config;
use crate::host::Host;
use crate::pipeline::Progress;
use crate::position::Stamp;
use crate::report::grouped;
use crate::sql::connect::Target;
use crate::sql::import::folder::{self, FolderError, SqlFile};
use crate::sql::import::{Candidate, ImportError, Importer, Outcome, sha256};
use crate::store::Store;
use crate::store::exported::HashedFile;

/// Where the Python program noted the names of the files that it had imported, in its state folder.
pub(in crate::cli) const PYTHON_LIST: &str = "sql_imported_files.log";

/// A run that brings so many rows leaves the index by time to the next one: it is long enough as it is.
const MANY_ROWS: u64 = 100_000;

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
    let before = store.sql_files().map_err(hinted)?;
    let files = without_imported(files, config, &mut sum)?;
    let looked_at = look_at(files, &before, &mut sum);
    let stopping = || host.stopping();
    let mut importer = Importer::new(database.engine, &target, &stopping);
    let known = known(&mut importer, &looked_at, &target)?;
    let is_known = |sha256: &String| known.binary_search(sha256).is_ok();
    let (old, new): (Vec<_>, Vec<_>) =
        looked_at.iter().partition(|it| is_known(&it.candidate.sha256));
    sum.known += old.len() as u64;
    // A file that was imported and then changed would bring its first rows again.
    let (changed, new): (Vec<_>, Vec<_>) =
        new.into_iter().partition(|it| it.former.as_ref().is_some_and(|it| is_known(&it.sha256)));
    for it in &changed {
        sum.failed += 1;
        log::error!(
            "{} was imported, and changed since: what it holds is not imported again\n  hint: put the rows \
             that are new into a file of their own",
            it.path.display()
        );
    }
    remember(&mut store, &looked_at, &before, &changed)?;
    if !new.is_empty()
        && let Some(kept) = importer.take_over(&layout).map_err(|error| stopped(&error, &target))?
    {
        log::info!(
            "The table {} was the Python program's: its rows are taken over, and it is kept as {kept}",
            layout.table
        );
    }
    let total: u64 = new.iter().map(|it| it.stamp.size).sum();
    let mut done = 0;
    for it in new {
        let outcome = match folder::open(&it.path) {
            Ok((file, _)) => importer.import(&it.candidate, &file, &mut |bytes| {
                done += bytes;
                bar.bytes(done, total);
            }),
            Err(error) => {
                sum.failed += 1;
                log::error!("{:#}", refusal(&error));
                continue;
            }
        };
        let outcome = outcome.map_err(|error| {
            stopped(&error, &target).context(format!("{} was not imported", it.path.display()))
        });
        sum.add(&it.path, outcome?);
    }
    if sum.files > 0
        && sum.rows < MANY_ROWS
        && let Some(words) = importer.index(&layout).map_err(|error| stopped(&error, &target))?
    {
        log::debug!("No index by time was made: {words}");
    }
    Ok(Told { text: in_words(&sum, started), well: sum.failed == 0 })
}

/// The hashes, of what the files are and were, that the database has.
fn known(
    importer: &mut Importer<'_>,
    looked_at: &[LookedAt],
    target: &Target,
) -> anyhow::Result<Vec<String>> {
    let former = looked_at.iter().filter_map(|it| it.former.as_ref()).map(|it| it.sha256.as_str());
    let hashes: Vec<_> =
        looked_at.iter().map(|it| it.candidate.sha256.as_str()).chain(former).collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    importer.known(&hashes).map_err(|error| stopped(&error, target))
}

impl Sum {
    fn add(&mut self, path: &Path, outcome: Outcome) {
        match outcome {
            Outcome::Imported(rows) => {
                self.files += 1;
                self.rows += rows;
                let plural = if rows == 1 { "" } else { "s" };
                log::info!("Imported {}: {} row{plural}", path.display(), grouped(rows));
            }
            Outcome::Known => self.known += 1,
            Outcome::Broken { line, what, stays } => {
                self.failed += 1;
                let left = if stays {
                    "it commits by itself, or fills tables without transactions: what it did before that line \
                     stays in the database"
                } else {
                    "nothing of this file was kept"
                };
                log::error!("{}:{line}: {what}; {left}", path.display());
            }
        }
    }
}

/// The files but for those that the Python program has imported; it kept a list of their names.
fn without_imported(
    files: Vec<SqlFile>,
    config: &Config,
    sum: &mut Sum,
) -> anyhow::Result<Vec<SqlFile>> {
    let lists = config.paths.python_state_dirs.iter().map(|folder| folder.join(PYTHON_LIST));
    let Some(path) = lists.into_iter().find(|path| path.is_file()) else { return Ok(files) };
    let list = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let list = String::from_utf8_lossy(&list);
    let imported: HashSet<&str> = list.lines().map(str::trim).collect();
    let (known, new): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| imported.contains(file.name.as_str()));
    sum.known += known.len() as u64;
    Ok(new)
}

/// A file, and what was known of it.
struct LookedAt {
    path: PathBuf,
    stamp: Stamp,
    candidate: Candidate,
    /// What was there under this path when it was looked at before, if that was something else.
    former: Option<HashedFile>,
}

/// Hashes the files, but for those that have not changed since they were looked at `before`, which is
/// sorted by path.
fn look_at(files: Vec<SqlFile>, before: &[HashedFile], sum: &mut Sum) -> Vec<LookedAt> {
    let mut looked_at = Vec::new();
    for SqlFile { path, name } in files {
        let known = before.binary_search_by(|it| it.path.cmp(&path)).ok();
        let known = known.and_then(|at| before.get(at));
        let opened = folder::open(&path).and_then(|(file, stamp)| {
            let same = known.filter(|it| it.stamp == stamp);
            let hash =
                || sha256(&file).map_err(|source| FolderError::Io { path: path.clone(), source });
            let sha256 = same.map_or_else(hash, |it| Ok(it.sha256.clone()))?;
            Ok((stamp, sha256))
        });
        match opened {
            Ok((stamp, sha256)) => {
                let former = known.filter(|it| it.sha256 != sha256).cloned();
                let candidate = Candidate { name, sha256 };
                looked_at.push(LookedAt { path, stamp, candidate, former });
            }
            Err(error) => {
                sum.failed += 1;
                log::error!("{:#}", refusal(&error));
            }
        }
    }
    looked_at
}

/// Remembers the hashes of files; of those that were `changed`, what they were when they were imported.
fn remember(
    store: &mut Store,
    looked_at: &[LookedAt],
    before: &[HashedFile],
    changed: &[&LookedAt],
) -> anyhow::Result<()> {
    let is_changed = |it: &LookedAt| changed.iter().any(|changed| changed.path == it.path);
    let kept = looked_at.iter().map(|it| match &it.former {
        Some(former) if is_changed(it) => former.clone(),
        _ => HashedFile {
            path: it.path.clone(),
            stamp: it.stamp.clone(),
            sha256: it.candidate.sha256.clone(),
        },
    });
    let kept: Vec<_> = kept.collect();
    if kept == before {
        return Ok(());
    }
    match store.remember_sql_files(&kept) {
        // The main job is at work: the files are hashed once more by the next run.
        Err(error) if error.is_busy() => log::debug!("{error}"),
        done => done.map_err(hinted)?,
    }
    Ok(())
}

fn stopped(error: &ImportError, target: &Target) -> anyhow::Error {
    let hint = match error {
        ImportError::Unreachable(_) => {
            return anyhow::anyhow!(
                "{error}\n  hint: {}; nothing is lost: the next run goes on with the first file that is not \
                 imported",
                target.hint()
            );
        }
        ImportError::Table(_) => {
            "\n  hint: the user of the database needs the right to make it, or to read, insert and update \
             there if it exists"
        }
        ImportError::Unable(_) => {
            "\n  hint: make room on the disk of the database; if it is broken or no database, mend it, move it \
             away or name another; nothing is lost: the next run goes on with the first file that is not imported"
        }
        ImportError::Busy(_) => {
            "\n  hint: try again when that is done; nothing is lost: the next run goes on with the first file \
             that is not imported"
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
