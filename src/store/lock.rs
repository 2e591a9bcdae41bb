//! One run at a time, and one that mails: locks that die with their process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::StoreError;

/// The lock's file, in the state folder. It stays; only the lock on it counts.
pub const FILE_NAME: &str = "maillogsentinel.lock";

/// The lock of who mails: a server may take minutes, in which others record what is logged.
pub const MAIL_FILE_NAME: &str = "maillogsentinel.mail.lock";

/// A lock, held until dropped or until the process ends, however it ends.
pub struct Lock {
    file: File,
    is_new: bool,
}

/// How long another run may hold the lock before one that waits gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same for one that another run would do as well for. What follows a log holds it for moments
/// only, over and over again.
const MOMENT: Duration = Duration::from_secs(2);
/// So often is it tried: the gaps between the passes of what follows a busy log are short.
const STEP: Duration = Duration::from_millis(20);

impl Lock {
    /// Takes the lock in `folder`, if another run gives it back within a while, or until `stop`.
    pub fn wait(folder: &Path, stop: &dyn Fn() -> bool) -> Result<Self, StoreError> {
        Self::within(PATIENCE, folder, FILE_NAME, stop)
    }

    /// The same within a moment.
    pub fn soon(folder: &Path, stop: &dyn Fn() -> bool) -> Result<Self, StoreError> {
        Self::within(MOMENT, folder, FILE_NAME, stop)
    }

    /// Takes the lock of who mails, within a while or until `stop`.
    pub fn of_mail(folder: &Path, stop: &dyn Fn() -> bool) -> Result<Self, StoreError> {
        Self::within(PATIENCE, folder, MAIL_FILE_NAME, stop)
    }

    /// The same within a moment.
    pub fn of_mail_soon(folder: &Path, stop: &dyn Fn() -> bool) -> Result<Self, StoreError> {
        Self::within(MOMENT, folder, MAIL_FILE_NAME, stop)
    }

    fn within(
        patience: Duration,
        folder: &Path,
        name: &str,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, StoreError> {
        let started = Instant::now();
        loop {
            match Self::named(folder, name) {
                Err(StoreError::Locked { .. }) if started.elapsed() < patience && !stop() => {
                    std::thread::sleep(STEP);
                }
                done => return done,
            }
        }
    }

    /// Takes the lock in `folder`, or names the process that has it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        Self::named(folder, FILE_NAME)
    }

    fn named(folder: &Path, name: &str) -> Result<Self, StoreError> {
        let path = folder.join(name);
        let io = |action| {
            let path = path.clone();
            move |source| StoreError::Io { action, path, source }
        };
        let (mut file, is_new) = open(&path).map_err(io("open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = holder(&mut file);
                let doing = if name == MAIL_FILE_NAME { "mailing" } else { "at work" };
                return Err(StoreError::Locked { doing, path, holder });
            }
            Err(error) => return Err(io("lock")(error.into())),
        }
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.write_all(format!("{}\n", std::process::id()).as_bytes())
        };
        write(&mut file).map_err(io("write"))?;
        Ok(Self { file, is_new })
    }

    /// Gives its file to a user and a group, if it was not there before.
    pub fn give_if_new(&self, user: u32, group: u32) -> io::Result<()> {
        if self.is_new { fchown(&self.file, Some(user), Some(group)) } else { Ok(()) }
    }
}

/// Opens the lock's file, and tells whether it is new. Root opens it in a folder of the service's user,
/// who could lead it elsewhere by a link, or by another name for a file of root's.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o640);
    options.custom_flags(
        OFlags::NOFOLLOW.bits().cast_signed() | OFlags::NONBLOCK.bits().cast_signed(),
    );
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created.map(|file| (file, true)),
    }
    let linked = || {
        io::Error::other(
            "it is a link, has a second name, or is no file, which this program never makes: remove it",
        )
    };
    let file = options.open(path).map_err(|error| {
        if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            linked()
        } else {
            error
        }
    })?;
    let meta = file.metadata()?;
    if meta.is_file() && (meta.nlink() == 1 || !rustix::process::geteuid().is_root()) {
        Ok((file, false))
    } else {
        Err(linked())
    }
}

/// The process that wrote its number into the lock file, with the name that /proc gives it.
fn holder(file: &mut File) -> String {
    let mut number = String::new();
    let _ = file.take(20).read_to_string(&mut number);
    let number = number.trim();
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return "a process that has just started".to_owned();
    }
    match std::fs::read(format!("/proc/{number}/comm")) {
        Ok(name) => {
            let name = crate::untrusted::for_terminal(name.trim_ascii()).into_owned();
            format!("process {number} ({name})")
        }
        Err(_) => format!("process {number}"),
    }
}
