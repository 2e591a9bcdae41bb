//! What a run says of what it meets: once for each run, or once and for all if the log is followed.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::Level;

use super::Run;
use super::commit::Counts;
use crate::event::Puzzle;
use crate::source::{SourceError, compressed};
use crate::untrusted::for_terminal;

impl Run<'_> {
    pub(super) fn count(&mut self, path: &Path, counts: &Counts) {
        self.summary.lines += counts.lines;
        self.summary.failures += counts.failures;
        self.summary.put_off |= counts.put_off;
        self.summary.logins += counts.logins;
        self.summary.ignored += counts.ignored;
        self.summary.puzzles += counts.puzzles;
        self.summary.cut_lines += counts.cut_lines;
        let samples = counts.puzzle_samples.len();
        let room = self.told.as_mut().map_or(samples, |told| told.room_for(samples));
        for Puzzle { line, text, because } in counts.puzzle_samples.iter().take(room) {
            self.warn(format!(
                "{}:{line} looks like a login but matched no rule ({because}): {}",
                shown(path),
                text.for_terminal()
            ));
        }
        let more = counts.puzzles.saturating_sub(samples as u64);
        if more > 0 && self.told.is_none() {
            let path = shown(path);
            let explain = "maillogsentinel explain --missed";
            let lists = match &*path {
                "journal" => format!("journalctl -a -o short-iso-precise | {explain} -"),
                path => format!("{explain} {path}"),
            };
            self.warn(format!("{path}: {more} more; `{lists}` lists them"));
        }
        if counts.twins > 0 {
            log::info!(
                "{}: {} failures are recorded already: the journal and a file carry the same lines",
                shown(path),
                counts.twins
            );
        }
        if counts.cut_lines > 0 {
            self.warn(format!(
                "{}: {} lines are longer than any that a mail server writes; only their start was read",
                shown(path),
                counts.cut_lines
            ));
        }
    }

    /// Who follows a log reads it all the time.
    pub(super) fn processing(&self, what: &str) {
        let level = if self.told.is_some() { Level::Debug } else { Level::Info };
        log::log!(level, "Processing {what}");
    }

    pub(super) fn source_error(&mut self, error: &SourceError) {
        if error.is_passing() {
            self.summary.moved = true;
            if self.told.is_some() {
                return;
            }
            let hint = error.hint().unwrap_or_default();
            return self
                .warn(format!("{}\n  hint: {hint}", for_terminal(error.to_string().as_bytes())));
        }
        self.error(&error.to_string(), error.hint().as_deref());
    }

    pub(super) fn error(&mut self, what: &str, hint: Option<&str>) {
        let text = for_terminal(what.as_bytes()).into_owned();
        let text = hint.map_or(text.clone(), |hint| format!("{text}\n  hint: {hint}"));
        if self.is_news(&text) {
            log::error!("{text}");
        }
        self.summary.errors.push(text);
    }

    pub(super) fn warn(&mut self, text: String) {
        if self.is_news(&text) {
            log::warn!("{text}");
        }
        self.summary.warnings.push(text);
    }

    fn is_news(&mut self, text: &str) -> bool {
        self.told.as_mut().is_none_or(|told| told.is_news(text))
    }
}

pub(super) fn gap_text(
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
         it, is gone\n  hint: run more often, or let {} keep more",
        shown(log),
        show(since),
        show(until),
        if log.starts_with("/") { "logrotate" } else { "journald" }
    )
}

pub(super) fn is_gzip(path: &Path) -> &'static str {
    match compressed::Compression::of_file(path) {
        Ok(compressed::Compression::Gzip) => "True",
        _ => "False",
    }
}

/// A path for a log line; its name may hold anything.
pub(super) fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    for_terminal(path.as_os_str().as_bytes()).into_owned()
}
