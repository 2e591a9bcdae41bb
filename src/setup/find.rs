//! Looks at what is there: the mail server, where it logs to, and what an earlier installation left.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::plan::log_is_there;
use super::units::{FOLDER, FORMER};
use crate::config::MailLog;
use crate::{files, programs};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const PATIENCE: Duration = Duration::from_secs(10);
/// Where distributions have the mail log.
const LOGS: [&str; 4] =
    ["/var/log/mail.log", "/var/log/maillog", "/var/log/mail", "/var/log/mail/mail.log"];
/// How much of the end of a log is looked at.
const END_BYTES: u64 = 64 * 1024;
/// Asks for about as much of the journal: what was logged as mail (syslog(3)).
const JOURNAL: [&str; 7] = [
    "journalctl",
    "--quiet",
    "--no-pager",
    "--no-hostname",
    "--output=short-iso",
    "--lines=500",
    "SYSLOG_FACILITY=2",
];

/// A log, as `mail_log` names it, and the last line of Postfix in it, as it is.
type Log = (String, Option<Vec<u8>>);

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Finds {
    /// Postfix's version.
    pub postfix: Option<String>,
    /// Whether Dovecot is there, which checks passwords for Postfix.
    pub dovecot: bool,
    /// The log.
    pub log: Option<Log>,
    /// Whether a syslog daemon writes files.
    pub syslog: Option<&'static str>,
    /// The time zone.
    pub zone: Option<String>,
    /// Units of the Python program.
    pub python: Vec<PathBuf>,
}

/// Looks at this machine; `set` are the logs that a configuration names.
pub fn find(set: &[MailLog]) -> Finds {
    let postconf = |name| {
        let answer = programs::ask(&["postconf", "-h", name], PATIENCE).ok()?;
        let value = answer.output.trim().to_owned();
        (answer.status == Some(0) && !value.is_empty()).then_some(value)
    };
    let own = postconf("maillog_file").map(PathBuf::from);
    let has_own = own.is_some();
    let candidates = set.iter().filter_map(|log| Some(log.file()?.to_owned())).chain(own);
    let mut candidates = candidates.chain(LOGS.map(PathBuf::from));
    let file = candidates.find(|path| log_is_there(path).is_ok());
    let file = file.map(|path| (path.display().to_string(), last_line(&path)));
    let daemons = [("/usr/sbin/rsyslogd", "rsyslog"), ("/usr/sbin/syslog-ng", "syslog-ng")];
    // Without a daemon that writes to it, a file may be left from a time when there was one.
    let syslog = daemons.iter().find(|(path, _)| Path::new(path).exists()).map(|(_, name)| *name);
    let is_written =
        |(path, line): &Log| has_own || syslog.is_some() || line.is_some() && is_fresh(path);
    let is_journal = set.iter().any(|log| matches!(log, MailLog::Journal(_)));
    let journal = || in_journal().map(|line| ("journal".to_owned(), Some(line)));
    let log = file.clone().filter(|it| !is_journal && is_written(it)).or_else(journal).or(file);
    let python = FORMER.iter().map(|unit| Path::new(FOLDER).join(unit));
    Finds {
        postfix: postconf("mail_version"),
        dovecot: Path::new("/usr/sbin/dovecot").exists(),
        log,
        syslog,
        zone: zone(),
        python: python.filter(|path| path.exists()).collect(),
    }
}

fn zone() -> Option<String> {
    let target = fs::read_link("/etc/localtime").ok()?;
    let text = target.to_str()?;
    text.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
}

/// The last line that Postfix wrote.
fn last_line(path: &Path) -> Option<Vec<u8>> {
    let mut file: File = files::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES))).ok()?;
    let mut end = Vec::new();
    file.take(END_BYTES).read_to_end(&mut end).ok()?;
    of_postfix(&end)
}

/// Whether a log was written to within a day.
fn is_fresh(path: &str) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|time| time.elapsed().map_or(true, |age| age < DAY))
}

/// The last line that Postfix wrote to the journal of this machine.
fn in_journal() -> Option<Vec<u8>> {
    of_postfix(programs::ask(&JOURNAL, PATIENCE).ok()?.output.as_bytes())
}

fn of_postfix(end: &[u8]) -> Option<Vec<u8>> {
    let lines = end.split(|byte| *byte == b'\n').rev();
    let is_postfix = |line: &&[u8]| memchr::memmem::find(line, b"postfix/").is_some();
    lines.filter(is_postfix).map(<[u8]>::to_vec).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_postfix_is_the_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let text = "x postfix/smtpd[1]: one\nx postfix/smtpd[1]: two\nx dovecot: three\n";
        std::io::Write::write_all(&mut files::create(&path).unwrap(), text.as_bytes()).unwrap();
        assert_eq!(last_line(&path).unwrap(), b"x postfix/smtpd[1]: two");
        assert_eq!(last_line(folder.path()), None);
    }
}
