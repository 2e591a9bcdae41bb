//! Tells when something may be new in logs: the kernel's inotify(7), no looking every now and then.
//!
//! A log is watched in two ways. Its file, for lines: also under another name, since a server writes to
//! a renamed file until it opens the new one. And its folder, for what rotation does; names of other
//! files wake nobody. What is told here is a hint and never the truth: a reading finds by content what
//! is new, so that an event too many costs a look, and one that is lost a delay.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::name;

/// Files of one log that are watched: the log, and those that were it before.
const FILES: usize = 3;

/// Watches logs.
pub struct Watch {
    inotify: OwnedFd,
    /// By the number that the kernel gave.
    watched: HashMap<i32, Watched>,
    /// The files of each log, the newest last.
    files: HashMap<PathBuf, VecDeque<i32>>,
}

enum Watched {
    /// A file of a log: whatever happens to it.
    File,
    /// A folder with logs of these names.
    Folder(Vec<Box<OsStr>>),
    /// A folder in which one is missing that leads to a log.
    Ancestor,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new() -> Result<Self, Errno> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { inotify, watched: HashMap::new(), files: HashMap::new() })
    }

    /// Watches `log` as it is now; to be called before each reading, since files and folders come and
    /// go. An error: not all that happens to it would be told.
    pub fn arm(&mut self, log: &Path) -> Result<(), Errno> {
        let target = fs::canonicalize(log).unwrap_or_else(|_| log.to_owned());
        self.folder(log)?;
        if target != log {
            self.folder(&target)?;
        }
        let flags = WatchFlags::MODIFY | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        let number = match inotify::add_watch(&self.inotify, log, flags) {
            Ok(number) => number,
            // The folder will tell when it comes; and who may not read it learns that from the reading.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.watched.insert(number, Watched::File);
        let files = self.files.entry(log.to_owned()).or_default();
        if !files.contains(&number) {
            files.push_back(number);
        }
        if files.len() > FILES
            && let Some(oldest) = files.pop_front()
        {
            self.watched.remove(&oldest);
            // It may be gone, and its watch with it.
            let _ = inotify::remove_watch(&self.inotify, oldest);
        }
        Ok(())
    }

    /// Watches the folder of `log`; if there is none, the nearest above it that is there.
    fn folder(&mut self, log: &Path) -> Result<(), Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        for (steps, folder) in log.ancestors().skip(1).enumerate() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let number = match inotify::add_watch(&self.inotify, folder, flags) {
                Ok(number) => number,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error),
            };
            if steps > 0 {
                self.watched.insert(number, Watched::Ancestor);
                return Ok(());
            }
            let name: Box<OsStr> = log.file_name().unwrap_or_default().into();
            match self.watched.entry(number).or_insert(Watched::Folder(Vec::new())) {
                Watched::Folder(names) if names.contains(&name) => {}
                Watched::Folder(names) => names.push(name),
                other => *other = Watched::Folder(vec![name]),
            }
            return Ok(());
        }
        Err(Errno::NOENT)
    }

    /// Takes in what was told; whether any of it may be news of a log.
    pub fn heard(&mut self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut heard = false;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                // Nothing more; any other error would come again at the next look.
                Err(_) => return heard,
            };
            if event.events().contains(ReadFlags::IGNORED) {
                self.watched.remove(&event.wd());
                self.files.values_mut().for_each(|files| files.retain(|it| *it != event.wd()));
                continue;
            }
            let name =
                event.file_name().map_or(OsStr::new(""), |it| OsStr::from_bytes(it.to_bytes()));
            heard |= match self.watched.get(&event.wd()) {
                Some(Watched::Folder(logs)) => {
                    logs.iter().any(|log| name::place(log, name).is_some())
                }
                Some(Watched::File | Watched::Ancestor) => true,
                // Too many to be told one by one.
                None => event.events().contains(ReadFlags::QUEUE_OVERFLOW),
            };
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_and_rotations_are_heard_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail.log");
        append(&log, "a\n");
        let mut watch = Watch::new().unwrap();
        watch.arm(&log).unwrap();
        assert!(!watch.heard());
        append(&folder.path().join("auth.log"), "a\n");
        assert!(!watch.heard(), "of another file");
        append(&log, "b\n");
        assert!(watch.heard());
        assert!(!watch.heard(), "told once");
        fs::rename(&log, folder.path().join("mail.log.1")).unwrap();
        assert!(watch.heard());
        append(&folder.path().join("mail.log.1"), "c\n");
        assert!(watch.heard(), "a server may still write to it");
        append(&log, "d\n");
        assert!(watch.heard());
        watch.arm(&log).unwrap();
        append(&log, "e\n");
        assert!(watch.heard());
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_heard_of_when_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail/today/mail.log");
        let mut watch = Watch::new().unwrap();
        watch.arm(&log).unwrap();
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        assert!(watch.heard());
        watch.arm(&log).unwrap();
        append(&log, "a\n");
        assert!(watch.heard());
    }

    #[test]
    fn a_link_is_watched_where_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (log, target) = (folder.path().join("mail.log"), folder.path().join("2026/mail.log"));
        fs::create_dir(target.parent().unwrap()).unwrap();
        append(&target, "a\n");
        std::os::unix::fs::symlink(&target, &log).unwrap();
        let mut watch = Watch::new().unwrap();
        watch.arm(&log).unwrap();
        append(&target, "b\n");
        assert!(watch.heard());
        fs::rename(&target, target.with_extension("log.1")).unwrap();
        assert!(watch.heard());
    }

    #[test]
    fn however_many_rotations_few_watches_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail.log");
        let mut watch = Watch::new().unwrap();
        for number in 0..20 {
            append(&log, "a\n");
            watch.arm(&log).unwrap();
            fs::rename(&log, folder.path().join(format!("mail.log.{number}"))).unwrap();
            watch.heard();
        }
        assert!(watch.watched.len() <= FILES + 1, "{}", watch.watched.len());
    }
}
