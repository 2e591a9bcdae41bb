//! The operational log: `2025-05-29 00:00:00,315 INFO message`, to stderr and to a file.
//!
//! The file is rotated by size as Python's `RotatingFileHandler` does it: `x.log` becomes
//! `x.log.1`, that `x.log.2`, up to the number of backups.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::account;
use crate::config::General;
use crate::untrusted::for_terminal;

/// The target of records that are printed to stdout anyway: they go to the file only.
pub const SUMMARY: &str = "summary";
/// The start of the target of our own records.
const OURS: &str = "maillogsentinel";

/// Runs what it is given while nothing else, such as a progress bar, writes to stderr.
pub type Around = Box<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Where log lines go.
pub struct OperationalLog {
    now: fn() -> Timestamp,
    zone: TimeZone,
    stderr: LevelFilter,
    file_level: LevelFilter,
    file: Option<Mutex<RotatingFile>>,
    failed: Arc<AtomicBool>,
    around_stderr: Around,
}

impl OperationalLog {
    /// Opens the log that `settings` names; lines from level `stderr` on go there too.
    pub fn open(
        settings: &General,
        (now, zone): (fn() -> Timestamp, TimeZone),
        stderr: LevelFilter,
        around_stderr: Around,
    ) -> Self {
        let opened = settings.log_file.as_deref().map(|path| RotatingFile::open(path, settings));
        let (file, error) = match opened {
            Some(Ok(file)) => (Some(Mutex::new(file)), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let file_level = settings.log_level;
        let failed = Arc::new(AtomicBool::new(error.is_some()));
        if let (Some(error), Some(path)) = (error, &settings.log_file) {
            complain(path, &error);
        }
        Self { now, zone, stderr, file_level, file, failed, around_stderr }
    }

    /// Becomes true when a line cannot be written to the file.
    pub fn failed(&self) -> Arc<AtomicBool> {
        self.failed.clone()
    }

    /// Makes this the place of `log::info!` and the like, for the rest of the process.
    pub fn install(self) {
        log::set_max_level(self.stderr.max(self.file_level));
        // A second log in one process is a test's; the first one stays.
        let _ = log::set_boxed_logger(Box::new(self));
    }
}

impl Log for OperationalLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What libraries say of themselves is no matter of an administrator's.
        let ours = [OURS, SUMMARY].iter().any(|target| metadata.target().starts_with(target));
        ours && metadata.level() <= self.stderr.max(self.file_level)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let time = (self.now)().to_zoned(self.zone.clone());
        let stamp = time.strftime("%Y-%m-%d %H:%M:%S,%3f");
        let level = match record.level() {
            Level::Error => "ERROR",
            Level::Warn => "WARNING",
            Level::Info => "INFO",
            Level::Debug | Level::Trace => "DEBUG",
        };
        // One record, one line: a hint goes on the same one.
        let message = record.args().to_string().replace("\n  hint: ", "; ").replace('\n', "; ");
        // Whatever got into a message, a path or a configuration key, it steers no terminal.
        let message = for_terminal(message.as_bytes());
        let line = format!("{stamp} {level} {message}\n");
        if record.level() <= self.file_level
            && let Some(file) = &self.file
            && let mut file = file.lock().unwrap_or_else(PoisonError::into_inner)
            && let Err(error) = file.write(&line)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            (self.around_stderr)(&mut || complain(&file.path, &error));
        }
        if record.level() <= self.stderr && record.target() != SUMMARY {
            (self.around_stderr)(&mut || {
                let _ = io::stderr().write_all(line.as_bytes());
            });
        }
    }

    fn flush(&self) {}
}

fn complain(path: &Path, error: &io::Error) {
    let other = "set `log_file` in section [general]; empty means none";
    let hint = match account::ownership_cure(path) {
        Some(cure) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("{cure}, or {other}")
        }
        _ => format!("make room on its disk or let the user this runs as write to it, or {other}"),
    };
    let path = path.display();
    let _ =
        writeln!(io::stderr(), "cannot write the operational log {path}: {error}\n  hint: {hint}");
}

/// A file that is renamed when it is full.
struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
    backups: u64,
}

impl RotatingFile {
    fn open(path: &Path, settings: &General) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if path.exists() && path.is_dir()
            || path.metadata().is_ok_and(|meta| meta.file_type().is_fifo())
        {
            return Err(io::Error::other("not a regular file"));
        }
        let file = append(path)?;
        let size = file.metadata()?.len();
        let (most, backups) = (settings.log_file_max_bytes, settings.log_file_backup_count);
        Ok(Self { path: path.to_owned(), file, size, most, backups })
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        self.keep_up()?;
        let full = self.most > 0 && self.size > 0 && self.size + line.len() as u64 > self.most;
        // Without backups the file would be emptied; like Python, it is left to grow.
        if full && self.backups > 0 {
            self.rotate()?;
        }
        self.file.write_all(line.as_bytes())?;
        self.size += line.len() as u64;
        Ok(())
    }

    /// Another process may have written to it, or rotated it, since the last line.
    fn keep_up(&mut self) -> io::Result<()> {
        let there = std::fs::metadata(&self.path);
        let own = self.file.metadata()?;
        if !there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())) {
            self.file = append(&self.path)?;
        }
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let backup = |number: u64| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.backups).rev() {
            match std::fs::rename(backup(number), backup(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, backup(1))?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_share_a_log_and_its_rotations() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let settings = General {
            log_level: LevelFilter::Info,
            log_file: Some(path.clone()),
            log_file_max_bytes: 20,
            log_file_backup_count: 2,
        };
        let mut logs = [(); 2].map(|()| RotatingFile::open(&path, &settings).unwrap());
        for (log, line) in [(0, "one 67890\n"), (1, "two 67890\n"), (0, "three\n"), (1, "four\n")] {
            logs[log].write(line).unwrap();
        }
        let read = |end: &str| std::fs::read_to_string(format!("{}{end}", path.display())).unwrap();
        assert_eq!(
            (read(""), read(".1")),
            ("three\nfour\n".into(), "one 67890\ntwo 67890\n".into())
        );
    }

    #[test]
    fn a_full_log_is_rotated_and_the_oldest_backup_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let settings = General {
            log_level: LevelFilter::Info,
            log_file: Some(path.clone()),
            log_file_max_bytes: 10,
            log_file_backup_count: 2,
        };
        let mut log = RotatingFile::open(&path, &settings).unwrap();
        for line in ["one 67890\n", "two 67890\n", "three\n", "four 7890\n"] {
            log.write(line).unwrap();
        }
        let read = |end: &str| std::fs::read_to_string(format!("{}{end}", path.display()));
        assert_eq!(read("").unwrap(), "four 7890\n");
        assert_eq!(read(".1").unwrap(), "three\n");
        assert_eq!(read(".2").unwrap(), "two 67890\n");
        assert!(read(".3").is_err());
    }
}
