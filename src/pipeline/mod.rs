//! One run: read, parse, commit, project. The only place that knows all stages.
//!
//! Reader threads turn files into findings, in parallel where there are several; this thread
//! commits them in the order of the log, one transaction for each file, and brings the CSV in
//! line at the end. Whatever stops it, the next run ends as if nothing had happened.

pub mod anonymize;
mod commit;
mod enrich;
mod journal;
pub mod live;
mod outcome;
mod pieces;
mod reader;
mod takeover;
mod telling;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::config::{Config, MailLog};
use crate::host::Host;
use crate::judge;
use crate::source::file::From;
use crate::source::journal::Journal;
use crate::source::rotation::{self, Gap, Plan};
use crate::store::casebook::Room;
use crate::store::lock::Lock;
use crate::store::{Store, StoreError};
use crate::untrusted::for_terminal;

use commit::{Committed, File};
use enrich::Enricher;
use live::Told;
use reader::start_readers;
use telling::{gap_text, is_gzip, shown};

/// What a run did, for people.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each tells of something else that happened")]
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
    /// Addresses whose names came too late for their rows.
    pub names_late: usize,
    /// A file was rotated while it was read: the rest is there to be read at once.
    pub moved: bool,
    /// Lines without anything to record are left for a pass some seconds later.
    pub put_off: bool,
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
    make_folders(config)?;
    let _lock = Lock::soon(&paths.state_dir, &|| host.stopping())?;
    let store = Store::open(&paths.state_dir)?;
    let enricher = Enricher::new(host, config);
    let mut run = Run {
        host,
        config,
        store,
        enricher,
        told: None,
        puts_off: false,
        summary: Summary::default(),
    };
    run.begin()?;
    run.read(progress)?;
    Ok(run.summary)
}

fn make_folders(config: &Config) -> Result<(), RunError> {
    make_folder(&config.paths.working_dir).and_then(|()| make_folder(&config.paths.state_dir))
}

fn make_folder(path: &Path) -> Result<(), RunError> {
    use std::os::unix::fs::DirBuilderExt;
    if !path.exists() {
        log::info!("Making the folder {}", path.display());
    }
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(path);
    made.map_err(|source| RunError::Folder { path: path.to_owned(), source })
}

struct Run<'h> {
    host: &'h Host,
    config: &'h Config,
    store: Store,
    enricher: Enricher,
    /// What passes before this one have said, if the log is followed.
    told: Option<&'h mut Told>,
    /// Whether commits of nothing but a place may be put off.
    puts_off: bool,
    summary: Summary,
}

impl Run<'_> {
    /// What an earlier run could not finish comes first, so that rows keep the order of the log.
    fn begin(&mut self) -> Result<(), StoreError> {
        self.take_over()?;
        let host = self.host;
        let stop = || host.stopping();
        self.summary.late_rows = self.store.project(&self.config.paths.csv, &host.zone, &stop)?;
        Ok(())
    }

    /// Reads, commits and projects what is new.
    fn read(&mut self, progress: &mut dyn Progress) -> Result<(), StoreError> {
        let (host, paths) = (self.host, &self.config.paths);
        for log in &paths.mail_logs {
            self.read_log(log, progress)?;
            if host.stopping() {
                self.summary.interrupted = true;
                return Ok(());
            }
        }
        let room = if self.told.is_some() { Room::Little } else { Room::Much };
        let ahead = if room == Room::Much { judge::read_ahead(&self.store)? } else { None };
        self.store.project(&paths.csv, &host.zone, &|| host.stopping())?;
        self.enricher.catch_up(&mut self.store, host)?;
        self.summary.names_late = self.enricher.late();
        for (what, hint) in self.enricher.warnings() {
            self.warn(hint.map_or(what.clone(), |hint| format!("{what}\n  hint: {hint}")));
        }
        if self.summary.errors.is_empty() {
            self.store.end_takeover()?;
        }
        let enricher = &mut self.enricher;
        let what = (&self.config.thresholds, &host.zone, room);
        let store = &mut self.store;
        judge::judge(store, ahead, what, &mut |address| enricher.whence(address), &|| {
            host.stopping()
        })?;
        self.summary.reports_wait = !self.store.outbox()?.is_empty();
        self.summary.interrupted = host.stopping();
        Ok(())
    }

    /// Reads what is new of `log`.
    fn read_log(&mut self, log: &MailLog, progress: &mut dyn Progress) -> Result<(), StoreError> {
        let path = name(log);
        let configured: Vec<_> = self.config.paths.mail_logs.iter().map(name).collect();
        let (known, others) = self.store.generations(&path, &configured)?;
        if let MailLog::Journal(directory) = log {
            let journal = Journal { directory: directory.as_deref() };
            return self.read_journal((&journal, &path), known, progress);
        }
        let mut plan = if *log == MailLog::Stdin {
            rotation::plan_stream(Box::new(std::io::stdin()), known)
        } else {
            rotation::plan(&path, &known, &others)
        };
        for error in std::mem::take(&mut plan.errors) {
            self.source_error(&error);
        }
        self.store.note_moved(&plan.moved)?;
        if let Some(newest) = plan.live_missing {
            let what = format!("{} does not exist; its rotations do", path.display());
            let age = (self.host.now)().as_nanosecond().saturating_sub(newest.into());
            // Between a rotation and the next line there may be no log, but not for long.
            if age > A_DAY_NS {
                self.error(
                    &what,
                    Some("is rsyslog running? set `mail_log` to where it writes now"),
                );
            } else if self.told.is_none() {
                self.warn(what);
            }
        }
        // The Python program knew one log only.
        if self.config.paths.mail_logs.first() == Some(log)
            && let Some(offset) = self.store.offset_to_take_over()?
        {
            takeover::pass_over(&mut plan.readings, offset);
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
        let counted_until = self.store.counted_until(true)?;
        let reads = (self.config.detect.services, counted_until);
        let (files, mut hand_out_next) =
            start_readers((self.host, reads), plan.readings, &bytes_read);
        let mut gap = plan.gap;
        for (at, file) in files.into_iter().enumerate() {
            let what = format!("{} (gzip: {})", shown(&file.path), is_gzip(&file.path));
            self.processing(&what);
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
            match commit::file(&mut self.store, (log, file), tools, tick, self.puts_off)? {
                Committed::Done(counts, ended) => {
                    self.count(&file.path, &counts);
                    for complaint in ended.complaints {
                        let complaint = for_terminal(complaint.as_bytes());
                        self.warn(format!("journalctl says: {complaint}"));
                    }
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
}

/// What the store knows a log by.
fn name(log: &MailLog) -> PathBuf {
    match log {
        MailLog::File(path) => path.clone(),
        MailLog::Stdin => PathBuf::from("-"),
        MailLog::Journal(None) => PathBuf::from("journal"),
        MailLog::Journal(Some(folder)) => {
            let mut name = OsString::from("journal of ");
            name.push(folder);
            name.into()
        }
    }
}
