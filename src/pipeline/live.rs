//! Following a log: the same run over and over, each after what woke it, and what runs then differ in.
//!
//! A pass holds the lock for itself only, so that other runs come in between. It says once what would
//! be wrong each time, and waits for names a moment only: a failure is to be recorded within a second
//! of its line. Who could not be asked about in that time is asked beside, for later rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::enrich::Enricher;
use super::{Progress, Run, RunError, Summary, make_folders};
use crate::config::Config;
use crate::host::Host;
use crate::store::lock::Lock;
use crate::store::recorded::Recorded;
use crate::store::{Store, StoreError};

/// How long a pass waits for all names together.
const NAMES: Duration = Duration::from_millis(300);
/// How long lines with nothing to record may stay uncommitted: each commit takes some fsyncs, and a busy
/// server would pay for them with each pass. They are read again by the next pass or run.
pub const PUT_OFF: Duration = Duration::from_secs(10);
/// Events that a pass hands out, and about how many bytes of them; the next pass hands out the rest.
const EVENTS: u32 = 1000;
const EVENT_BYTES: usize = 1 << 20;

/// What the passes of one process have in common.
pub struct Live {
    /// What was said.
    pub told: Told,
    /// Whether events are wanted at all.
    hands_out: bool,
    /// The last event that was handed out.
    handed_out: Option<i64>,
    /// When something was committed last.
    committed: Option<Instant>,
}

/// What came of a pass.
pub struct Pass {
    /// What was read.
    pub summary: Summary,
    /// What was recorded since events were handed out last.
    pub events: Vec<Recorded>,
    /// Whether there is more of it.
    pub more: bool,
}

impl Live {
    /// Before the first pass; whether events are wanted.
    pub fn new(hands_out: bool) -> Self {
        Self { told: Told::default(), hands_out, handed_out: None, committed: None }
    }

    /// What comes is in another store.
    pub fn start_over(&mut self) {
        self.handed_out = None;
    }

    /// Commits what was put off, before the process ends or the configuration becomes another.
    pub fn settle(&mut self, host: &Host, config: &Config, progress: &mut dyn Progress) {
        if self.committed.take().is_some() {
            let host = Host { stop: Arc::default(), ..host.clone() };
            // Where that fails, the next run reads the same lines, and says why.
            let _ = self.pass((&host, config), progress, false);
        }
    }

    /// Does one run, and hands out what is recorded, if there is `room` for it.
    pub fn pass(
        &mut self,
        (host, config): (&Host, &Config),
        progress: &mut dyn Progress,
        room: bool,
    ) -> Result<Pass, RunError> {
        let state_dir = &config.paths.state_dir;
        make_folders(config)?;
        let _lock = Lock::take(state_dir)?;
        let store = Store::open(state_dir)?;
        let mut enricher = Enricher::new(host, config);
        enricher.hurry(NAMES);
        let told = Some(&mut self.told);
        let puts_off = self.committed.is_some_and(|at| at.elapsed() < PUT_OFF);
        let summary = Summary::default();
        let mut run = Run { host, config, store, enricher, told, puts_off, summary };
        run.begin()?;
        let before = run.store.newest_failure()?;
        // A reset starts the numbers anew. Noted now: what is committed is handed out, also if this
        // pass fails after that.
        let after = self.handed_out.filter(|last| *last <= before).unwrap_or(before);
        self.handed_out = Some(after);
        run.read(progress)?;
        let Run { store, summary, .. } = run;
        if summary.lines > 0 {
            self.committed = Some(Instant::now());
        }
        let newest = store.newest_failure()?;
        if !self.hands_out || newest == after {
            self.handed_out = Some(newest);
            return Ok(Pass { summary, events: Vec::new(), more: false });
        }
        let most = if room { EVENTS } else { 0 };
        let events = store.recorded(after, (most, EVENT_BYTES))?;
        let last = events.last().map_or(after, |event| event.id);
        self.handed_out = Some(last);
        let more = last < newest;
        Ok(Pass { summary, events, more })
    }
}

/// Asks for the names that passes had no time for; gives what there is to tell. Not in the way of
/// passes: the lock is taken twice, for moments.
pub fn ask_late(host: &Host, config: &Config) -> Result<Vec<String>, StoreError> {
    let state_dir = &config.paths.state_dir;
    let addresses = {
        let _lock = Lock::wait(state_dir, &|| host.stopping())?;
        Store::open(state_dir)?.names_to_ask(super::enrich::LATE)?
    };
    let mut enricher = Enricher::new(host, config);
    let names = enricher.settle(&addresses, host);
    if host.stopping() {
        return Ok(Vec::new());
    }
    let _lock = Lock::wait(state_dir, &|| host.stopping())?;
    enricher.remember(&mut Store::open(state_dir)?, &names)?;
    let warnings = enricher.warnings().into_iter();
    let told = |(what, hint): (String, Option<_>)| {
        hint.map_or(what.clone(), |hint| format!("{what}\n  hint: {hint}"))
    };
    Ok(warnings.map(told).collect())
}

/// What lasts is said again after so long.
const AGAIN: Duration = Duration::from_secs(3600);
/// Texts that are remembered; an attacker may bring about many.
const TEXTS: usize = 200;
/// Lines that no rule understood and that are shown, in [`AGAIN`].
const PUZZLES: usize = crate::event::PUZZLE_SAMPLES;

/// What was said, so that it is not said with each pass.
#[derive(Default)]
pub struct Told {
    /// The texts, and when each was said.
    texts: HashMap<String, Instant>,
    /// Those among them that were errors of the last pass.
    errors: Vec<String>,
    /// Since when puzzles are counted, and how many were shown.
    puzzles: Option<(Instant, usize)>,
}

impl Told {
    /// Whether `text` is to be said now.
    pub fn is_news(&mut self, text: &str) -> bool {
        let now = Instant::now();
        self.texts.retain(|_, said| now.duration_since(*said) < AGAIN);
        if self.texts.contains_key(text) {
            return false;
        }
        if self.texts.len() >= TEXTS
            && let Some(oldest) = self.texts.iter().min_by_key(|(_, said)| **said)
        {
            let oldest = oldest.0.clone();
            self.texts.remove(&oldest);
        }
        self.texts.insert(text.to_owned(), now);
        true
    }

    /// What is wrong now. What was wrong before and is not any more would be news again.
    pub fn wrong_now(&mut self, errors: Vec<String>) {
        for error in std::mem::take(&mut self.errors) {
            if !errors.contains(&error) {
                self.texts.remove(&error);
            }
        }
        self.errors = errors;
    }

    /// How many of `puzzles` lines that nobody understood may be shown.
    pub(super) fn room_for(&mut self, puzzles: usize) -> usize {
        let now = Instant::now();
        let shown = self.puzzles.filter(|(since, _)| now.duration_since(*since) < AGAIN);
        let (since, shown) = shown.unwrap_or((now, 0));
        let room = PUZZLES.saturating_sub(shown).min(puzzles);
        self.puzzles = Some((since, shown + room));
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_said_once() {
        let mut told = Told::default();
        assert!(told.is_news("the disk is full"));
        assert!(!told.is_news("the disk is full"));
        told.wrong_now(vec!["the disk is full".to_owned()]);
        assert!(told.is_news("the log is missing"));
        assert!(!told.is_news("the disk is full"));
        told.wrong_now(vec![]);
        assert!(told.is_news("the disk is full"), "it was mended in between");
        assert_eq!((told.room_for(3), told.room_for(3), told.room_for(3)), (3, 2, 0));
    }

    #[test]
    fn however_much_is_said_little_is_remembered() {
        let mut told = Told::default();
        assert!((0..1000).all(|number| told.is_news(&number.to_string())));
        assert_eq!(told.texts.len(), TEXTS);
        assert!(!told.is_news("999"));
    }
}
