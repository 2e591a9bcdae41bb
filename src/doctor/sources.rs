//! The mail logs: whether they can be read, and whether they move.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;

use super::{Level, Scene, Told, in_words, shown};
use crate::config::MailLog;
use crate::files;
use crate::parse::syslog::stamp;
use crate::parse::time::Chronology;
use crate::source::SourceError;
use crate::source::compressed::Compression;
use crate::source::file::{self, permission_hint};
use crate::source::journal::Journal;
use crate::source::rotation;

/// A server that logs nothing for so long is quiet, or does not log there.
const OLD_SECONDS: i64 = 2 * 86_400;
/// Clocks of two machines, and what is on its way to the log, may differ by so much.
const AHEAD_SECONDS: i64 = 120;
/// A rotation that was written to so much later than its log is the one that is written to.
const LATER_SECONDS: i64 = 60;
/// The end of a log in which its last lines are looked for.
const END_BYTES: u64 = 256 * 1024;

const QUIET: &str = "see whether Postfix runs and what it logs to: `systemctl status postfix rsyslog`, \
    `postconf maillog_file`";

const QUIET_JOURNAL: &str = "see whether Postfix runs and where it logs: `systemctl status postfix`, \
    `postconf maillog_file`, `journalctl -n 5 SYSLOG_FACILITY=2`";

pub(super) fn check(scene: &Scene, told: &Told) {
    for log in &scene.config.paths.mail_logs {
        match log {
            MailLog::Stdin => {
                told.unknown("`mail_log` is standard input: its log cannot be looked at");
            }
            MailLog::Journal(folder) => journal(scene, told, folder.as_deref()),
            MailLog::File(path) => log_file(scene, told, path),
        }
    }
}

fn log_file(scene: &Scene, told: &Told, path: &Path) {
    let (rotations, errors) = rotation::beside(path);
    for error in &errors {
        told.refusal(Level::Error, error, error.hint().as_deref());
    }
    let newest = rotations.iter().filter_map(|path| Some((path, path.metadata().ok()?.mtime())));
    let newest = newest.max_by_key(|(_, modified)| *modified);
    for rotation in &rotations {
        if let Err(error) = files::open(rotation) {
            let what = format!("cannot read {}: {error}", shown(rotation));
            told.error(&what, &permission_hint(rotation));
        }
    }
    let refuse = |error: SourceError| told.refusal(Level::Error, &error, error.hint().as_deref());
    let meta = match path.metadata() {
        Ok(meta) if meta.is_file() => meta,
        // It is told among what could not be looked at.
        Ok(_) => return,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match newest {
            None => return refuse(SourceError::Missing(path.to_owned())),
            Some((rotation, _)) => {
                let what = format!("{} is not there, only {}", shown(path), shown(rotation));
                return told.error(&what, QUIET);
            }
        },
        Err(error) => {
            let what = format!("cannot look at {}: {error}", shown(path));
            return told.error(&what, &permission_hint(path));
        }
    };
    if let Some((rotation, modified)) = newest
        && modified > meta.mtime() + LATER_SECONDS
    {
        let what = format!(
            "{} is written to, and {} is not: whoever logs was not told of the rotation",
            shown(rotation),
            shown(path)
        );
        told.warning(
            &what,
            "sudo systemctl kill -s HUP rsyslog.service; see /etc/logrotate.d/rsyslog",
        );
    }
    if meta.size() == 0 {
        if rotations.is_empty() {
            return refuse(SourceError::Empty(path.to_owned()));
        }
        return told.ok(&format!("{}: empty since it was rotated", shown(path)));
    }
    match files::open(path) {
        Err(error) => {
            let what = format!("cannot read {}: {error}", shown(path));
            told.error(&what, &permission_hint(path));
        }
        Ok(mut file) => content(scene, told, path, &mut file),
    }
}

fn journal(scene: &Scene, told: &Told, folder: Option<&Path>) {
    let journal = Journal { directory: folder };
    let last = journal.check().and_then(|()| journal.last_of_mail());
    let last = match last {
        Err(error) => return told.refusal(Level::Error, &error, error.hint().as_deref()),
        Ok(last) => last.and_then(|entry| entry.time()),
    };
    match last {
        None => {
            told.warning(
                "the journal has no entry of a mail server (facility mail)",
                QUIET_JOURNAL,
            );
        }
        Some(last) => age(scene, told, ("the journal", "entry", QUIET_JOURNAL), last),
    }
    if folder.is_none() && journal.is_in_memory() {
        told.warning(
            "the journal is kept in memory: what is not read before the next boot is lost",
            "sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald",
        );
    }
}

/// Tells of the last line.
fn content(scene: &Scene, told: &Told, path: &Path, file: &mut File) {
    let name = shown(path);
    let refuse = |error: SourceError| told.refusal(Level::Error, &error, error.hint().as_deref());
    match file::head(path) {
        Err(error) => return refuse(error),
        Ok((_, Compression::None)) => {}
        Ok(_) => {
            return told
                .unknown(&format!("{name} is compressed: its last line was not looked for"));
        }
    }
    let last = last_time(scene, file);
    let last = match last {
        Err(error) => return told.error(&format!("cannot read {name}: {error}"), QUIET),
        Ok(None) => return refuse(SourceError::NotALog(path.to_owned())),
        Ok(Some(last)) => last,
    };
    age(scene, told, (&name, "line", QUIET), last);
}

/// Tells how old the last line or entry of a log is.
fn age(scene: &Scene, told: &Told, (name, what, quiet): (&str, &str, &str), last: Timestamp) {
    let Some((seconds, ago)) = scene.ago(last) else {
        let ahead = last.as_second() - (scene.host.now)().as_second();
        if ahead <= AHEAD_SECONDS {
            return told.ok(&format!("{name}: the last {what} is from just now"));
        }
        let what = format!(
            "{name}: the last {what} is {} in the future: clock and time zone of this machine and of \
             whoever logs do not agree",
            in_words(ahead)
        );
        return told.warning(
            &what,
            "see `timedatectl`; restart rsyslog and Postfix after a change of zone",
        );
    };
    let told_ago = format!("{name}: the last {what} is {ago} old");
    if seconds > OLD_SECONDS {
        return told.warning(&told_ago, quiet);
    }
    told.ok(&told_ago);
}

/// The time of the last line that has one.
fn last_time(scene: &Scene, file: &mut File) -> std::io::Result<Option<Timestamp>> {
    let stamp_of_file = file::stamp(&file.metadata()?);
    let start = stamp_of_file.size.saturating_sub(END_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(END_BYTES).read_to_end(&mut end)?;
    let modified = scene.host.plausible(stamp_of_file.modified_ns);
    let mut times = Chronology::new(scene.host.zone.clone(), modified, None, 0);
    // The first of these lines may have lost its start.
    let whole = usize::from(start > 0);
    let lines: Vec<_> = end.split(|byte| *byte == b'\n').skip(whole).collect();
    let last = lines.iter().rev().find_map(|line| stamp(line));
    Ok(last.and_then(|stamp| times.resolve(stamp)))
}
