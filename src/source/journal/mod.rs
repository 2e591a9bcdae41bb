//! The systemd journal as a log: what is new in it, entry by entry.
//!
//! It is read by journalctl(1), which knows every form of its files, and leaves out what is not
//! about logins at the speed at which it would print everything (`benches/run --only journal`).
//!
//! Entries are numbered anew when a file is lost, and clocks are set, so that neither tells which of
//! two came first. Within one boot of a machine the monotonic clock does. Therefore each boot is read
//! as if it were a file: from the last entry on that is done with.

mod export;
mod lines;
mod process;
mod wakes;

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::SourceError;
use crate::files;
use crate::position::JournalEntry;

pub use lines::{Done, Lines};
pub use wakes::Wakes;

use export::Export;
use process::Process;

/// The journal of this machine, kept and not kept across boots: journald.conf(5), `Storage=`.
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

/// A journal.
pub struct Journal<'a> {
    /// Where its files are; `None` is this machine's own.
    pub directory: Option<&'a Path>,
}

/// What there is to read.
pub struct News {
    /// The last entry that is done with.
    since: Option<JournalEntry>,
    /// The last entry that is there.
    end: JournalEntry,
    /// What may be missing.
    pub gap: Option<Gap>,
}

/// Entries that were removed before they were read.
#[derive(Debug)]
pub struct Gap {
    /// From the last one that is done with
    pub since: Option<Timestamp>,
    /// to the first one that is left.
    pub until: Option<Timestamp>,
}

impl News {
    /// When the last entry was received.
    pub fn ends(&self) -> Option<Timestamp> {
        self.end.time()
    }
}

impl Journal<'_> {
    /// The boots of which it has entries.
    pub fn boots(&self) -> Result<Vec<String>, SourceError> {
        self.is_readable()?;
        let (process, output) = self.start(&["--field=_BOOT_ID".to_owned()])?;
        let boots: Result<Vec<_>, _> = output.lines().collect();
        process.end()?;
        let boots = boots.map_err(|error| SourceError::Journal(error.to_string()))?;
        Ok(boots.into_iter().filter(|boot| is_id(boot)).collect())
    }

    /// Whether it can be read, and has entries.
    pub fn check(&self) -> Result<(), SourceError> {
        if self.boots()?.is_empty() {
            return Err(SourceError::EmptyJournal { had_entries: false });
        }
        Ok(())
    }

    /// Looks for entries of `boot` after `since`, those up to which are done with.
    pub fn news(
        &self,
        boot: &str,
        since: Option<JournalEntry>,
    ) -> Result<Option<News>, SourceError> {
        let of_boot = format!("_BOOT_ID={boot}");
        let Some(end) = self.first(&of_boot, None)? else {
            // It may have been vacuumed since it was listed.
            let is_there = self.boots()?.iter().any(|there| there == boot);
            return if is_there { Err(SourceError::DamagedJournal) } else { Ok(None) };
        };
        let Some(since) = since else { return Ok(Some(News { since: None, end, gap: None })) };
        if end.is_up_to(&since) {
            return Ok(None);
        }
        // Where the entry is gone, the next one that is left is given.
        let next = self.first(&of_boot, Some(&since.cursor))?;
        let is_there =
            next.as_ref().is_some_and(|next| next.is_up_to(&since) || follows(next, &since));
        let gap = (!is_there).then(|| Gap {
            since: since.time(),
            until: next.as_ref().and_then(JournalEntry::time),
        });
        Ok(Some(News { since: Some(since), end, gap }))
    }

    /// Reads `news`: the entries that have one of `words` in their message.
    pub fn read(&self, news: News, words: &[&[u8]]) -> Result<Lines, SourceError> {
        let mut options = searching(words);
        options.push(format!("--output-fields={}", export::FIELDS.join(",")));
        options.extend(news.since.as_ref().map(|since| format!("--cursor={}", since.cursor)));
        options.push(format!("_BOOT_ID={}", news.end.boot));
        let (process, output) = self.start(&options)?;
        Ok(Lines::new(Export::new(output), process, (news.since, news.end)))
    }

    /// The last entry that a mail server wrote by syslog.
    pub fn last_of_mail(&self) -> Result<Option<JournalEntry>, SourceError> {
        self.first("SYSLOG_FACILITY=2", None)
    }

    /// The last entry that matches; or that at `cursor`, or the first one after it if it is gone.
    fn first(&self, of: &str, cursor: Option<&str>) -> Result<Option<JournalEntry>, SourceError> {
        let mut options = vec!["--lines=1".to_owned(), "--output-fields=MESSAGE_ID".to_owned()];
        options.extend(cursor.map(|cursor| format!("--cursor={cursor}")));
        options.push(of.to_owned());
        let (process, output) = self.start(&options)?;
        let mut export = Export::new(output);
        let first = export.next_entry().map_err(|e| SourceError::Journal(e.to_string()))?;
        let first = first.map(|entry| entry.place.clone());
        process.end()?;
        Ok(first)
    }

    fn start(&self, options: &[String]) -> Result<(Process, process::Output), SourceError> {
        let mut all =
            vec!["--quiet".to_owned(), "--no-pager".to_owned(), "--output=export".to_owned()];
        all.extend(self.directory.map(|folder| format!("--directory={}", folder.display())));
        all.extend_from_slice(options);
        Process::start(&all)
    }

    /// Whether this machine's journal does not outlive a boot.
    pub fn is_in_memory(&self) -> bool {
        let kept = self.folders().first().is_some_and(|folder| folder.is_dir());
        self.directory.is_none() && !kept
    }

    fn folders(&self) -> Vec<PathBuf> {
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        match self.directory {
            Some(folder) => vec![folder.to_owned()],
            None => FOLDERS.iter().map(|folder| Path::new(folder).join(machine.trim())).collect(),
        }
    }

    /// journalctl shows a user who may not read the system's journal their own, and says nothing.
    fn is_readable(&self) -> Result<(), SourceError> {
        for folder in self.folders() {
            let files = match fs::read_dir(&folder) {
                Ok(files) => files,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(SourceError::io("open", &folder, error)),
            };
            for path in files.filter_map(|file| Some(file.ok()?.path())) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                // One that is vacuumed meanwhile is not missed.
                if name.starts_with("system")
                    && name.ends_with(".journal")
                    && let Err(error) = files::open(&path)
                    && error.kind() == std::io::ErrorKind::PermissionDenied
                {
                    return Err(SourceError::io("read", &path, error));
                }
            }
        }
        Ok(())
    }
}

/// The boot that goes on, if that can be seen from here: `ProcSubset=pid` hides it.
///
/// No other boot of this machine gets more entries.
pub fn current_boot() -> Option<String> {
    let written = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot: String = written.trim().chars().filter(|character| *character != '-').collect();
    is_id(&boot).then_some(boot)
}

/// Whether nothing was between the two: what is gone was read. A cursor may look otherwise one day;
/// then we say that something may be missing where nothing is.
fn follows(next: &JournalEntry, since: &JournalEntry) -> bool {
    let (Some((series, number)), Some(of_next)) = (since.number(), next.number()) else {
        return false;
    };
    of_next == (series, number.wrapping_add(1))
}

/// Whether it is an `sd-id128(3)`.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The options for entries that have one of `words` in their message.
fn searching(words: &[&[u8]]) -> Vec<String> {
    let pattern: Vec<_> = words.iter().map(|word| literally(word)).collect();
    // An unset locale must not make the pattern fail on what is no UTF-8.
    vec!["--case-sensitive=yes".to_owned(), format!("--grep={}", pattern.join("|"))]
}

/// A regular expression (PCRE2) that matches `word` alone.
fn literally(word: &[u8]) -> String {
    let mut pattern = String::new();
    for character in String::from_utf8_lossy(word).chars() {
        if character.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
