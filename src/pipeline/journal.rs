//! The journal's part of a run: what is new of each boot, in one transaction like a file.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::host::Host;
use crate::parse::words;
use crate::position::{Fingerprint, Generation, JournalEntry, Progress, Stamp};
use crate::source::SourceError;
use crate::source::file::{From, Opened};
use crate::source::journal::{Gap, Journal, Lines, News, current_boot};
use crate::store::{Boot, StoreError};

use super::commit::File;
use super::reader::{Ended, FileReader, Flow, Message, QUEUE, Reads};
use super::{Run, gap_text};

/// What is new of a boot, and the row of the store that tells how far it was read.
type Stretch = (News, Option<Generation>);

impl Run<'_> {
    /// Reads what is new in `journal`, which the store knows as `log`.
    pub(super) fn read_journal(
        &mut self,
        (journal, log): (&Journal<'_>, &Path),
        mut known: Vec<Generation>,
        progress: &mut dyn super::Progress,
    ) -> Result<(), StoreError> {
        known.retain(|known| known.own);
        let boots = match journal.boots() {
            Ok(boots) => boots,
            Err(error) => {
                self.source_error(&error);
                return Ok(());
            }
        };
        if boots.is_empty() {
            self.source_error(&SourceError::EmptyJournal { had_entries: !known.is_empty() });
        }
        self.look_for_lost(log, &boots, &known)?;
        let current = current_boot().filter(|_| journal.directory.is_none());
        let mut stretches = Vec::new();
        for boot in boots {
            let known = known.iter().find(|known| is_of(known, &boot)).cloned();
            let id = known.as_ref().map(|known| known.id);
            if id.map_or(Ok(Boot::GoesOn), |id| self.store.boot(id))? == Boot::Over {
                continue;
            }
            let since = known.as_ref().and_then(|known| known.progress.entry.clone());
            match journal.news(&boot, since) {
                Ok(Some(news)) => stretches.push((news, known)),
                Ok(None) => {
                    let is_past = current.as_ref().is_some_and(|current| *current != boot);
                    id.filter(|_| is_past)
                        .map_or(Ok(()), |id| self.store.note_boot(id, Boot::Over))?;
                }
                Err(error) => self.source_error(&error),
            }
        }
        stretches.sort_by_key(|(news, _)| news.ends());
        for stretch in stretches {
            self.read_stretch((journal, log), stretch, progress)?;
        }
        Ok(())
    }

    /// Tells if the boot that was read last was removed, and maybe more of it than was read.
    fn look_for_lost(
        &mut self,
        log: &Path,
        boots: &[String],
        known: &[Generation],
    ) -> Result<(), StoreError> {
        let Some(last) = known.iter().max_by_key(|known| known.id) else { return Ok(()) };
        if boots.iter().any(|boot| is_of(last, boot)) || self.store.boot(last.id)? != Boot::GoesOn {
            return Ok(());
        }
        let since = last.progress.entry.as_ref().and_then(JournalEntry::time);
        self.warn(gap_text(log, since, None, &self.host.zone));
        self.store.note_boot(last.id, Boot::Gone)
    }

    fn read_stretch(
        &mut self,
        (journal, log): (&Journal<'_>, &Path),
        (mut news, known): Stretch,
        progress: &mut dyn super::Progress,
    ) -> Result<(), StoreError> {
        if self.host.stopping() {
            return Ok(());
        }
        let gap = news.gap.take();
        // Whoever changes from a file to the journal has what was logged before in both.
        let counted_until = self.store.counted_until(false)?;
        let lines = match journal.read(news, &words(self.config.detect.services)) {
            Ok(lines) => lines,
            Err(error) => {
                self.source_error(&error);
                return Ok(());
            }
        };
        let stopper = lines.stopper();
        self.processing(&log.display().to_string());
        let file =
            start_reading(self.host, lines, (known, (self.config.detect.services, counted_until)));
        let done = self.read_file(log, &file, &mut |names| progress.names(names));
        // If the run was interrupted, it still searches.
        stopper.stop();
        done?;
        if let Some(Gap { since, until }) = gap {
            self.warn(gap_text(log, since, until, &self.host.zone));
        }
        Ok(())
    }
}

fn is_of(known: &Generation, boot: &str) -> bool {
    known.progress.entry.as_ref().is_some_and(|entry| entry.boot == boot)
}

/// What lines go on from: how far the boot was read, and what is counted.
type Start = (Option<Generation>, Reads);

/// Starts to read; gives a file whose findings are to come.
fn start_reading(host: &Host, lines: Lines, start: Start) -> File {
    let (sender, messages) = sync_channel(QUEUE);
    let host = host.clone();
    std::thread::spawn(move || {
        let ended = read(lines, start, &host, &sender);
        // The other side is gone when the run was interrupted.
        let _ = sender.send(Message::Ended(Box::new(ended)));
    });
    let path = PathBuf::from("journal");
    File { path, ends_takeover: false, messages, is_journal: true }
}

fn read(lines: Lines, (known, reads): Start, host: &Host, sender: &SyncSender<Message>) -> Ended {
    let outcome = lines.outcome();
    let (from, id) = match known {
        Some(known) => (From::After(Box::new(known.progress)), Some(known.id)),
        None => (From::Start, None),
    };
    let opened = Opened::endless(Box::new(lines), (from, id), Path::new("journal"));
    let mut reader = FileReader::new((opened, false), (host, reads), 0, sender);
    let flow = reader.read(1, host, false);
    let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (flow, outcome) {
        (Flow::End, Some(Ok(done))) => {
            let progress = Progress {
                // No file is to be taken for it.
                head: Fingerprint::of(&[]),
                tail: Fingerprint::of(&[]),
                entry: Some(done.entry),
                ..reader.progress()
            };
            let ended = reader.end(None);
            let (path, stamp) = (PathBuf::from("journal"), Stamp::default());
            Ended { progress: Some(progress), path, stamp, complaints: done.complaints, ..ended }
        }
        (_, Some(Err(error))) | (Flow::Fail(error), _) => Ended::failed(error),
        // The run was interrupted.
        _ => Ended::failed(SourceError::Journal("not all of it was read".to_owned())),
    }
}
