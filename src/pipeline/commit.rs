//! The committing side of a run: the findings of one file, in one transaction.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::config::Config;
use crate::event::{Findings, Puzzle};
use crate::host::Host;
use crate::source::SourceError;
use crate::store::{Batch, Novelty, Store, StoreError};

use super::enrich::Enricher;
use super::reader::{Ended, Message};

/// A file that is being read.
pub(super) struct File {
    pub(super) path: PathBuf,
    /// The Python program's offset is of it.
    pub(super) ends_takeover: bool,
    pub(super) messages: Receiver<Message>,
    /// It is the journal.
    pub(super) is_journal: bool,
}

/// What was committed of one file.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) failures: u64,
    pub(super) logins: u64,
    pub(super) ignored: u64,
    pub(super) puzzles: u64,
    pub(super) puzzle_samples: Vec<Puzzle>,
    pub(super) cut_lines: u64,
    /// Failures that the journal and a file both tell of, found in the other already.
    pub(super) twins: u64,
    /// Something was read that is left for later.
    pub(super) put_off: bool,
}

pub(super) enum Committed {
    Done(Counts, Box<Ended>),
    /// The reader starts over: what it sent so far is void.
    Again,
    Interrupted,
}

/// So many lines without anything to record may be read once more, where commits are put off.
const FEW: u64 = 5000;

/// One transaction: everything that the reader of one file sends. If that can be `put_off`, a few lines
/// of a known file with nothing to record are left for later.
pub(super) fn file(
    store: &mut Store,
    (log, file): (&Path, &File),
    (host, config, enricher): (&Host, &Config, &mut Enricher),
    tick: &mut dyn FnMut(usize),
    put_off: bool,
) -> Result<Committed, StoreError> {
    let mut batch: Option<(Batch<'_>, i64)> = None;
    let mut counts = Counts::default();
    let mut store = Some(store);
    let mut is_known = false;
    loop {
        let message = file.messages.recv_timeout(Duration::from_millis(100));
        tick(0);
        if host.stopping() {
            return Ok(Committed::Interrupted);
        }
        let message = match message {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                let path = file.path.clone();
                let error = SourceError::Io {
                    action: "read",
                    path,
                    source: std::io::Error::other("the reading thread died"),
                };
                return Ok(Committed::Done(Counts::default(), Box::new(Ended::failed(error))));
            }
        };
        match message {
            Message::Again => return Ok(Committed::Again),
            Message::Found(mut found, novelty) => {
                is_known = matches!(novelty, Novelty::Continues(_));
                ignore_networks(&mut found, config, &mut counts);
                if batch.is_none()
                    && let Some(store) = store.take()
                {
                    batch = Some(begin(store, (log, file.is_journal), novelty)?);
                }
                if let Some((batch, generation)) = &mut batch {
                    add(&found, (batch, *generation), novelty, &mut counts)?;
                }
            }
            Message::Ended(ended) => {
                let Some(progress) = &ended.progress else {
                    return Ok(Committed::Done(Counts::default(), ended));
                };
                let is_news = counts.failures + counts.puzzles + counts.cut_lines > 0;
                if put_off && is_known && !is_news && counts.lines < FEW && ended.error.is_none() {
                    let put_off = counts.lines > 0;
                    return Ok(Committed::Done(Counts { put_off, ..Counts::default() }, ended));
                }
                if let Some((mut batch, generation)) = batch {
                    if !enricher.enrich(&batch, host, tick)? {
                        return Ok(Committed::Interrupted);
                    }
                    counts.twins = batch.twins();
                    if file.ends_takeover {
                        batch.end_takeover()?;
                    }
                    batch.commit((generation, log), (&ended.path, &ended.stamp), progress)?;
                }
                return Ok(Committed::Done(counts, ended));
            }
        }
    }
}

/// A transaction, and the generation it is about: a copy that differs is one of its own.
fn begin<'s>(
    store: &'s mut Store,
    (log, is_journal): (&Path, bool),
    novelty: Novelty,
) -> Result<(Batch<'s>, i64), StoreError> {
    let mut batch = store.begin(is_journal)?;
    let generation = match novelty {
        Novelty::Continues(id) => id,
        Novelty::New | Novelty::Doubtful => batch.new_generation(log)?,
    };
    Ok((batch, generation))
}

fn add(
    found: &Findings,
    (batch, generation): (&mut Batch<'_>, i64),
    novelty: Novelty,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    counts.failures += batch.add(found, generation, novelty)?;
    counts.lines += found.lines;
    counts.logins += found.logins.total();
    counts.puzzles += found.puzzles;
    counts.cut_lines += found.cut_lines;
    let room = 5_usize.saturating_sub(counts.puzzle_samples.len());
    counts.puzzle_samples.extend(found.puzzle_samples.iter().take(room).cloned());
    Ok(())
}

fn ignore_networks(found: &mut Findings, config: &Config, counts: &mut Counts) {
    let ignored = &config.detect.ignore_networks;
    if !ignored.is_empty() {
        found.failures.retain(|failure| {
            let ignore = ignored.iter().any(|network| network.contains(&failure.address));
            counts.ignored += u64::from(failure.times) * u64::from(ignore);
            !ignore
        });
    }
}
