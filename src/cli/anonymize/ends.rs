//! Both ends of `anonymize`: the log that is read, and where the redacted one goes.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::NamedTempFile;

use super::{is_same, named};
use crate::cli::shown;
use crate::host::Host;
use crate::source::file::permission_hint;

/// Why nothing came of it, and what to do.
pub(super) struct Trouble {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub(super) fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

/// The log.
pub(super) struct Input {
    name: String,
    about: Option<Metadata>,
    reader: Box<dyn Read + Send>,
}

impl Input {
    /// Opens the file at `path`, or standard input; `read` is to be told how far it was read.
    pub(super) fn open(
        path: Option<&Path>,
        host: &Host,
        read: Arc<AtomicU64>,
    ) -> Result<Self, Trouble> {
        let Some(path) = named(path) else {
            if io::stdin().is_terminal() {
                let told = "Reading log lines from standard input; end with Ctrl-D.";
                let _ = writeln!(io::stderr(), "{told}");
            }
            let about = about(io::stdin());
            let reader = Box::new(Patient { stop: host.stop.clone(), read });
            return Ok(Self { name: "standard input".to_owned(), about, reader });
        };
        let name = shown(path);
        let cannot = |error: io::Error| {
            let denied = error.kind() == ErrorKind::PermissionDenied;
            Trouble::new(format!("cannot read {name}: {error}"))
                .hint(denied.then(|| permission_hint(path)))
        };
        let file = File::open(path).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        if metadata.is_dir() {
            return Err(Trouble::new(format!("{name} is a folder"))
                .hint(Some("give one file of a log".to_owned())));
        }
        Ok(Self { name, about: Some(metadata), reader: Box::new(Counting(file, read)) })
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// How many bytes there are, as stored; 0 if nobody knows.
    pub(super) fn size(&self) -> u64 {
        self.about.as_ref().filter(|about| about.is_file()).map_or(0, Metadata::len)
    }

    /// When the log was last written to, if it is a file.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        self.about.as_ref().filter(|about| about.is_file())?.modified().ok()
    }

    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        self.reader
    }

    fn identity(&self) -> Option<(u64, u64)> {
        self.about.as_ref().filter(|about| about.is_file()).map(|about| (about.dev(), about.ino()))
    }
}

/// Where the redacted log goes.
pub(super) enum Output {
    Stdout(io::Stdout),
    File { file: NamedTempFile, path: PathBuf },
}

impl Output {
    /// The file at `path` under another name, or standard output; never over `input`.
    pub(super) fn create(path: Option<&Path>, input: &Input) -> Result<Self, Trouble> {
        let identity = |about: &Metadata| about.is_file().then(|| (about.dev(), about.ino()));
        let over_itself = |name: String| {
            Trouble::new(format!("{name} is the log itself, and would be written over"))
                .hint(Some("name another file with -o".to_owned()))
        };
        let Some(path) = named(path) else {
            let about = about(io::stdout());
            if is_same(about.as_ref().and_then(identity), input.identity()) {
                return Err(over_itself("standard output".to_owned()));
            }
            return Ok(Self::Stdout(io::stdout()));
        };
        if let Ok(about) = path.metadata() {
            if is_same(identity(&about), input.identity()) {
                return Err(over_itself(shown(path)));
            }
            if !about.is_file() {
                let what = format!("{} is not a file that can be replaced", shown(path));
                let hint = "leave -o out and use `>` or `|` to write to devices and pipes";
                return Err(Trouble::new(what).hint(Some(hint.to_owned())));
            }
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(".anonymize-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o640))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| cannot_write(path, &error))?;
        Ok(Self::File { file, path: path.to_owned() })
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout(stdout) if stdout.is_terminal())
    }

    /// Why it could not be written to.
    pub(super) fn trouble(&self, error: &io::Error) -> Trouble {
        match self {
            Self::Stdout(_) => Trouble::new(format!("cannot write to standard output: {error}")),
            Self::File { path, .. } => cannot_write(path, error),
        }
    }

    /// Gives the whole file its name and the log's time.
    pub(super) fn finish(self, modified: Option<SystemTime>) -> Result<(), Trouble> {
        let Self::File { file, path } = self else { return Ok(()) };
        let timed = modified.map_or(Ok(()), |time| file.as_file().set_modified(time));
        let written = timed.and_then(|()| file.as_file().sync_all());
        let renamed =
            written.and_then(|()| file.persist(&path).map(drop).map_err(|error| error.error));
        renamed.map_err(|error| cannot_write(&path, &error))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Trouble {
    let hint = match error.kind() {
        ErrorKind::StorageFull => Some("make room on that disk; the log itself is untouched"),
        ErrorKind::PermissionDenied => Some("name a file in a folder that you may write to"),
        ErrorKind::NotFound => Some("its folder does not exist: make it first"),
        _ => None,
    };
    Trouble::new(format!("cannot write {}: {error}", shown(path))).hint(hint.map(str::to_owned))
}

/// What an open file is.
fn about(stream: impl AsFd) -> Option<Metadata> {
    File::from(stream.as_fd().try_clone_to_owned().ok()?).metadata().ok()
}

/// Reads, and counts what it read.
struct Counting<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Standard input, which may be silent for hours: waits without being deaf to signals.
struct Patient {
    stop: Arc<AtomicBool>,
    read: Arc<AtomicU64>,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        while !self.stop.load(Ordering::Relaxed) {
            let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
            match poll(&mut watched, Some(&tenth)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => {
                    let read = rustix::io::read(&stdin, &mut *buffer)?;
                    self.read.fetch_add(read as u64, Ordering::Relaxed);
                    return Ok(read);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("interrupted"))
    }
}
