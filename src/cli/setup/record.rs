//! `maillogsentinel_setup.log`: every action, as usage.md promises.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::fs::OFlags;

use crate::host::Host;
use crate::untrusted::for_terminal;

/// Its name.
pub(super) const NAME: &str = "maillogsentinel_setup.log";

/// The file, open for more.
pub(super) struct Record {
    file: File,
    now: fn() -> Timestamp,
    zone: TimeZone,
}

impl Record {
    /// In the current folder; in `root` if that stands for the machine, for nothing outside it is touched.
    pub(super) fn open(root: Option<&Path>, host: &Host) -> io::Result<Self> {
        let path = root.map_or_else(|| PathBuf::from(NAME), |root| root.join(NAME));
        let failed = |error: io::Error| {
            let what = format!(
                "cannot write {}: {error}\n  hint: run it in a folder of your own; nothing was changed",
                path.display()
            );
            io::Error::new(error.kind(), what)
        };
        // The current folder may be one that others write to: a link of theirs is not followed.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = OpenOptions::new();
        let options = options.append(true).create(true).mode(0o640).custom_flags(flags);
        let file = options.open(&path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        let own = rustix::process::geteuid().as_raw();
        if !meta.is_file() || meta.nlink() > 1 || meta.uid() != own {
            return Err(failed(io::Error::other("it is somebody else's")));
        }
        let mut record = Self { file, now: host.now, zone: host.zone.clone() };
        record.note(concat!("maillogsentinel ", env!("CARGO_PKG_VERSION"), " --setup"));
        Ok(record)
    }

    /// Adds a line. That it cannot be written stops nothing: what is done is done.
    pub(super) fn note(&mut self, what: &str) {
        let time =
            (self.now)().to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let what = what.replace('\n', " ");
        let _ = writeln!(self.file, "{time} {}", for_terminal(what.as_bytes()));
    }
}
