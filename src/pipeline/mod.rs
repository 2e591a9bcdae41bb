//! One run: read, parse, commit, project. The only place that knows all stages.
//!
//! Reader threads turn files into findings, in parallel where there are several; this thread
//! commits them in the order of the log, one transaction for each file, and brings the CSV in
//! line at the end. Whatever stops it, the next run ends as if nothing had happened.

pub mod anonymize;
mod commit;
mod enrich;
mod pieces;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{Config, MailLog};
use crate::event::Puzzle;
use crate::host::Host;
use crate::source::file::{From, Reading};
use crate::source::rotation::{self, Gap, Plan};
use crate::source::{SourceError, compressed};
use crate::store::lock::Lock;
use crate::store::{Store, StoreError, legacy};
use crate::untrusted::for_terminal;

use commit::{Committed, Counts, File};
use enrich::Enricher;
use reader::start_readers;

/// What a run did, for people.
#[derive(Debug, Default)]
pub struct Summary {
    /// Lines read.
    pub lines: u64,
    /// Failures recorded.
    pub failures: u64,
    /// Messages of users who logged in.
    pub logins: u64,
    /// Failures from networks that are to be ignored.
    pub ignored: u64,
    /// Lines that look like logins but matched no rule.
    pub puzzles: u64,
    /// Lines longer than the reader's limit.
    pub cut_lines: u64,
    /// Rows that an earlier run had recorded and could not write to the CSV.
    pub late_rows: u64,
    /// What went wrong, though the run went on.
    pub errors: Vec<String>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
    /// Whether reports wait for a server that takes them.
    pub reports_wait: bool,
    /// The run was asked to end before it was done.
    pub interrupted: bool,
}

/// Why a run is over before it could read anything.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store or the CSV.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder that must be there.
    #[error("cannot create the folder {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// How far a run is, for a progress bar; all zero when nobody looks.
pub trait Progress {
    /// `done` of `total` bytes are read, as stored.
    fn bytes(&mut self, done: u64, total: u64);

    /// The names of so many addresses are waited for.
    fn names(&mut self, addresses: usize);
}

/// A mail server that writes no line for so long is not one.
const A_DAY_NS: i128 = 24 * 3600 * 1_000_000_000;

/// Does one run.
pub fn run(host: &Host, config: &Config, progress: &mut dyn Progress) -> Result<Summary, RunError> {
    let paths = &config.paths;
    for folder in [&paths.working_dir, &paths.state_dir] {
        make_folder(folder)?;
    }
    let _lock = Lock::take(&paths.state_dir)?;
    let store = Store::open(&paths.state_dir)?;
    let enricher = Enricher::new(host, config);
    let mut run = Run { host, config, store, enricher, summary: Summary::default() };
    // What an earlier run could not finish comes first, so that rows keep the order of the log.
    run.take_over()?;
    let stop = || host.stopping();
    run.summary.late_rows = run.store.project(&paths.csv, &host.zone, &stop)?;
    for log in &paths.mail_logs {
        run.read_log(log, progress)?;
        if host.stopping() {
            run.summary.interrupted = true;
            return Ok(run.summary);
        }
    }
    run.store.project(&paths.csv, &host.zone, &stop)?;
    run.enricher.catch_up(&mut run.store, host)?;
    for (what, hint) in run.enricher.warnings() {
        run.warn(hint.map_or(what.clone(), |hint| format!("{what}\n  hint: {hint}")));
    }
    if run.summary.errors.is_empty() {
        run.store.end_takeover()?;
    }
    run.summary.reports_wait = !run.store.outbox()?.is_empty();
    run.summary.interrupted = stop();
    Ok(run.summary)
}

fn make_folder(path: &Path) -> Result<(), RunError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(path);
    made.map_err(|source| RunError::Folder { path: path.to_owned(), source })
}

struct Run<'h> {
    host: &'h Host,
    config: &'h Config,
    store: Store,
    enricher: Enricher,
    summary: Summary,
}

impl Run<'_> {
    /// In a new store: imports the CSV that is there and finds the Python program's offset.
    fn take_over(&mut self) -> Result<(), StoreError> {
        let paths = &self.config.paths;
        let offset_file = legacy::offset_file(&paths.python_state_dirs);
        let mut imported = legacy::Imported::default();
        if self.store.is_new()? {
            let offset = offset_file.as_deref().map(legacy::offset).transpose()?;
            imported = self.store.take_over(&paths.csv, offset, &self.host.zone)?;
            if let Some(offset) = offset {
                log::info!("Took over the offset of the Python program: {offset} bytes are read");
            }
        }
        offset_file.as_deref().map_or(Ok(()), legacy::retire_offset)?;
        if imported.rows > 0 {
            log::info!("Took over {} rows of {}", imported.rows, paths.csv.display());
        }
        if imported.bad_count > 0 {
            let csv = paths.csv.display();
            self.warn(format!(
                "{} lines of {csv} are not rows of a login; they stay there, and count nowhere",
                imported.bad_count
            ));
            for (line, what) in &imported.bad {
                self.warn(format!("{csv}:{line}: {what}"));
            }
        }
        Ok(())
    }

    /// Reads what is new of `log`.
    fn read_log(&mut self, log: &MailLog, progress: &mut dyn Progress) -> Result<(), StoreError> {
        if *log == MailLog::Journal {
            let hint = "set `mail_log` in section [paths] to the file that rsyslog writes";
            self.error("reading the journal is not built yet in this version", Some(hint));
            return Ok(());
        }
        let path = name(log);
        let configured: Vec<_> = self.config.paths.mail_logs.iter().map(name).collect();
        let (known, others) = self.store.generations(&path, &configured)?;
        let mut plan = if *log == MailLog::Stdin {
            rotation::plan_stream(Box::new(std::io::stdin()), known)
        } else {
            rotation::plan(&path, &known, &others)
        };
        for error in std::mem::take(&mut plan.errors) {
            self.source_error(&error);
        }
        if let Some(newest) = plan.live_missing {
            let what = format!("{} does not exist; its rotations do", path.display());
            let age = (self.host.now)().as_nanosecond().saturating_sub(newest.into());
            // Between a rotation and the next line there may be no log, but not for long.
            if age > A_DAY_NS {
                self.error(
                    &what,
                    Some("is rsyslog running? set `mail_log` to where it writes now"),
                );
            } else {
                self.warn(what);
            }
        }
        // The Python program knew one log only.
        if self.config.paths.mail_logs.first() == Some(log)
            && let Some(offset) = self.store.offset_to_take_over()?
        {
            take_over_offset(&mut plan.readings, offset);
        }
        self.read_plan(&path, plan, progress)
    }

    fn read_plan(
        &mut self,
        log: &Path,
        plan: Plan,
        progress: &mut dyn Progress,
    ) -> Result<(), StoreError> {
        let files: Vec<_> =
            plan.readings.iter().map(|r| format!("PosixPath('{}')", shown(&r.path))).collect();
        let offset = plan.readings.last().map_or(0, |reading| match &reading.from {
            From::After(progress) => progress.offset,
            From::TakenOver(offset) => *offset,
            _ => 0,
        });
        log::debug!("Files to process: [{}], starting from offset: {offset}", files.join(", "));
        let total = plan.readings.iter().map(|reading| reading.stamp.size).sum();
        let bytes_read = Arc::new(AtomicU64::new(0));
        let (files, mut hand_out_next) = start_readers(self.host, plan.readings, &bytes_read);
        let mut gap = plan.gap;
        for (at, file) in files.into_iter().enumerate() {
            log::info!("Processing {} (gzip: {})", shown(&file.path), is_gzip(&file.path));
            let mut tick = |names| {
                progress.names(names);
                progress.bytes(bytes_read.load(Ordering::Relaxed), total);
            };
            let first_time = self.read_file(log, &file, &mut tick)?;
            hand_out_next();
            if self.host.stopping() {
                return Ok(());
            }
            // An empty span is the seam between two files that follow each other.
            let in_between = |gap: &Gap| first_time.is_none_or(|first| Some(first) > gap.since);
            if let Some(gap) = gap.take_if(|gap| gap.before == at).filter(in_between) {
                self.warn(gap_text(log, gap.since, first_time, &self.host.zone));
            }
        }
        Ok(())
    }

    /// Commits the findings of one file; gives the time of its first line.
    fn read_file(
        &mut self,
        log: &Path,
        file: &File,
        tick: &mut dyn FnMut(usize),
    ) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let tools = (self.host, self.config, &mut self.enricher);
            match commit::file(&mut self.store, (log, file), tools, tick)? {
                Committed::Done(counts, ended) => {
                    self.count(&file.path, &counts);
                    if let Some(error) = &ended.error {
                        self.source_error(error);
                    }
                    return Ok(ended.first_time);
                }
                Committed::Again => {}
                Committed::Interrupted => return Ok(None),
            }
        }
    }

    fn count(&mut self, path: &Path, counts: &Counts) {
        self.summary.lines += counts.lines;
        self.summary.failures += counts.failures;
        self.summary.logins += counts.logins;
        self.summary.ignored += counts.ignored;
        self.summary.puzzles += counts.puzzles;
        self.summary.cut_lines += counts.cut_lines;
        for Puzzle { line, text, because } in &counts.puzzle_samples {
            self.warn(format!(
                "{}:{line} looks like a login but matched no rule ({because}): {}",
                shown(path),
                text.for_terminal()
            ));
        }
        let more = counts.puzzles.saturating_sub(counts.puzzle_samples.len() as u64);
        if more > 0 {
            let path = shown(path);
            self.warn(format!(
                "{path}: {more} more; `maillogsentinel explain --missed {path}` lists them"
            ));
        }
        if counts.cut_lines > 0 {
            self.warn(format!(
                "{}: {} lines are longer than any that a mail server writes; only their start was read",
                shown(path),
                counts.cut_lines
            ));
        }
    }

    fn source_error(&mut self, error: &SourceError) {
        if error.is_passing() {
            let hint = error.hint().unwrap_or_default();
            return self
                .warn(format!("{}\n  hint: {hint}", for_terminal(error.to_string().as_bytes())));
        }
        self.error(&error.to_string(), error.hint().as_deref());
    }

    fn error(&mut self, what: &str, hint: Option<&str>) {
        let text = for_terminal(what.as_bytes()).into_owned();
        let text = hint.map_or(text.clone(), |hint| format!("{text}\n  hint: {hint}"));
        log::error!("{text}");
        self.summary.errors.push(text);
    }

    fn warn(&mut self, text: String) {
        log::warn!("{text}");
        self.summary.warnings.push(text);
    }
}

/// Finds the file of which the Python program had read `offset` bytes, and passes over what it
/// had read. If the log was rotated since, it is the newest rotation that is long enough.
fn take_over_offset(readings: &mut [Reading], offset: u64) {
    let compressed = |reading: &Reading| {
        !matches!(
            compressed::Compression::of_file(&reading.path),
            Ok(compressed::Compression::None)
        )
    };
    let holder = readings.iter().rposition(|r| r.stamp.size >= offset || compressed(r));
    let Some(holder) = holder else { return };
    for (at, reading) in readings.iter_mut().enumerate().take(holder + 1) {
        if reading.from != From::Start {
            continue;
        }
        reading.from = From::TakenOver(if at == holder { offset } else { u64::MAX });
    }
}

/// What the store knows a log by.
fn name(log: &MailLog) -> PathBuf {
    match log {
        MailLog::File(path) => path.clone(),
        MailLog::Stdin => PathBuf::from("-"),
        MailLog::Journal => PathBuf::from("journal"),
    }
}

fn gap_text(
    log: &Path,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    zone: &TimeZone,
) -> String {
    let show = |time: Option<Timestamp>| {
        let unknown = || "an unknown time".to_owned();
        time.map_or_else(unknown, |t| {
            t.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        })
    };
    format!(
        "{}: lines from {} to {} may be missing: the file that was read last, or one that followed \
         it, is gone\n  hint: run more often, or let logrotate keep more files",
        shown(log),
        show(since),
        show(until)
    )
}

fn is_gzip(path: &Path) -> &'static str {
    match compressed::Compression::of_file(path) {
        Ok(compressed::Compression::Gzip) => "True",
        _ => "False",
    }
}

/// A path for a log line; its name may hold anything.
fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    for_terminal(path.as_os_str().as_bytes()).into_owned()
}
