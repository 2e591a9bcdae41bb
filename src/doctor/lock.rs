//! Whether a run holds the lock, for how long, and when the last one started.
//!
//! Trying the lock would turn away a run that starts just then: /proc/locks (proc(5)) tells as well.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;

use super::{Scene, Told, shown};
use crate::files;
use crate::store::lock::FILE_NAME;
use crate::untrusted::for_terminal;

/// The largest first runs take minutes.
const LONG_SECONDS: i64 = 3600;
/// Runs are hourly by default, and daily at least.
const RARE_SECONDS: i64 = 26 * 3600;

pub(super) fn check(scene: &Scene, told: &Told) {
    let path = scene.config.paths.state_dir.join(FILE_NAME);
    let meta = match path.metadata() {
        Ok(meta) if meta.is_file() => meta,
        Ok(_) => return told.error(&format!("{} is not a file", shown(&path)), "move it away"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return told.unknown("nothing has run yet with this state_dir");
        }
        Err(error) => {
            let what = format!("cannot look at {}: {error}", shown(&path));
            return told.error(&what, "let the user of the runs enter its folder");
        }
    };
    // Each run writes its number there when it starts.
    let started = Timestamp::from_second(meta.mtime()).ok().and_then(|time| scene.ago(time));
    let (seconds, ago) = started.unwrap_or((0, "less than a second".to_owned()));
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    if let Some(process) = holder(&locks, (meta.dev(), meta.ino()), &number(&path)) {
        let name = std::fs::read(format!("/proc/{process}/comm")).unwrap_or_default();
        let name = for_terminal(name.trim_ascii());
        let what = format!("process {process} ({name}) has held the lock for {ago}");
        if seconds <= LONG_SECONDS {
            return told.ok(&format!("a run is at work: {what}"));
        }
        let cure = format!(
            "see what it waits for (`ps -fp {process}`), or end it: `sudo kill {process}`; the next run \
             goes on where it stopped"
        );
        return told.error(&format!("a run hangs, and keeps others from running: {what}"), &cure);
    }
    let what = format!("the last run started {ago} ago");
    if seconds > RARE_SECONDS {
        return told.warning(&what, "see whether the timers are armed, or what else starts runs");
    }
    told.ok(&what);
}

/// The number that the last run has written.
fn number(path: &Path) -> String {
    let bytes = files::read(path, 64).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// The process that has the file locked: `1: FLOCK  ADVISORY  WRITE 812 fd:01:1837 0 EOF`.
///
/// Some file systems tell another device there than by stat(2); then the number in the file must do.
fn holder(locks: &str, (device, inode): (u64, u64), number: &str) -> Option<String> {
    let device = format!("{:02x}:{:02x}", rustix::fs::major(device), rustix::fs::minor(device));
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, place, ..] = fields[..] else { return None };
        let (its_device, its_inode) = place.rsplit_once(':')?;
        let same = its_inode == inode.to_string() && (its_device == device || process == number);
        same.then(|| process.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_told_from_others() {
        let device = rustix::fs::makedev(0xfd, 1);
        let locks = "1: POSIX  ADVISORY  WRITE 1 fd:01:9 0 EOF\n2: FLOCK  ADVISORY  READ 2 fd:01:9 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 3 fd:02:9 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 5 fd:01:9 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 4 fd:01:9 0 EOF\n";
        assert_eq!(holder(locks, (device, 9), "").as_deref(), Some("4"));
        assert_eq!(holder(locks, (rustix::fs::makedev(0, 7), 9), "3").as_deref(), Some("3"));
        assert_eq!(holder(locks, (device, 8), "4"), None);
    }
}
