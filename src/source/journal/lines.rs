//! The entries of a journal as the lines that rsyslog would have written of them (RFC 3339).

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::export::{Entry, Export};
use super::process::{Output, Process, Stopper};
use crate::position::JournalEntry;
use crate::source::SourceError;

/// What was read, once all of it was.
#[derive(Debug)]
pub struct Done {
    /// The last entry that is done with.
    pub entry: JournalEntry,
    /// What journalctl complained of, though it went on.
    pub complaints: Vec<String>,
}

/// A stream of lines; `io::Read`, for whoever reads files.
pub struct Lines {
    export: Export<Output>,
    process: Option<Process>,
    stopper: Stopper,
    since: Option<JournalEntry>,
    end: JournalEntry,
    last: Option<JournalEntry>,
    line: Vec<u8>,
    given: usize,
    done: Outcome,
}

/// Microseconds.
const A_DAY_US: u64 = 24 * 3600 * 1_000_000;

/// How reading ended: `None` while it goes on.
pub(super) type Outcome = Arc<Mutex<Option<Result<Done, SourceError>>>>;

impl Lines {
    pub(super) fn new(
        export: Export<Output>,
        process: Process,
        (since, end): (Option<JournalEntry>, JournalEntry),
    ) -> Self {
        let stopper = process.stopper();
        let (line, given, done) = (Vec::new(), 0, Outcome::default());
        Self { export, process: Some(process), stopper, since, end, last: None, line, given, done }
    }

    /// What ends the reading early.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Where it will be told how reading ended.
    pub fn outcome(&self) -> Outcome {
        self.done.clone()
    }

    /// Makes the next line; false at the end.
    fn next_line(&mut self) -> Result<bool, SourceError> {
        self.given = 0;
        self.line.clear();
        let failed = |error: io::Error| SourceError::Journal(error.to_string());
        while let Some(entry) = self.export.next_entry().map_err(failed)? {
            if self.since.as_ref().is_some_and(|since| entry.place.is_up_to(since)) {
                continue;
            }
            self.last = Some(entry.place.clone());
            if entry.goes_on {
                continue;
            }
            write_line(entry, &mut self.line);
            return Ok(true);
        }
        Ok(false)
    }

    fn finish(&mut self) -> Result<Done, SourceError> {
        let complaints = self.process.take().map_or(Ok(vec![]), Process::end)?;
        let (end, last) = (self.end.clone(), self.last.take());
        // The end was looked for before reading began, and more may have come since.
        let entry = last.filter(|last| !last.is_up_to(&end)).unwrap_or(end);
        Ok(Done { entry, complaints })
    }

    fn tell(&self, outcome: Result<Done, SourceError>) -> io::Result<usize> {
        let failed = outcome.as_ref().err().map(|error| io::Error::other(error.to_string()));
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        failed.map_or(Ok(0), Err)
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            match self.next_line() {
                Ok(true) => {}
                Ok(false) if self.process.is_none() => return Ok(0),
                Ok(false) => {
                    let outcome = self.finish();
                    return self.tell(outcome);
                }
                Err(error) => {
                    // Its own words tell more than that its output is cut short.
                    let ended = self.process.take().map(Process::end);
                    return self.tell(Err(ended.and_then(Result::err).unwrap_or(error)));
                }
            }
        }
        let count = self.line.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

fn write_line(entry: &Entry, line: &mut Vec<u8>) {
    // A sender's clock is not far from that of the machine which has the journal.
    let received = entry.place.realtime_us;
    let sent = entry.sent_us.filter(|sent| sent.abs_diff(received) < A_DAY_US);
    let micros = sent.unwrap_or(received);
    let time = i64::try_from(micros).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    // Writing to memory does not fail.
    let _ = write!(line, "{:.6} ", time.unwrap_or_default());
    if entry.is_of_container {
        // A whole line of the container's own, which the driver took from a stream (CRI log format).
        line.extend_from_slice(b"stdout F ");
    } else {
        word(&entry.host, b"", line);
        line.push(b' ');
        word(&entry.identifier, b"[:", line);
        line.push(b'[');
        word(&entry.process, b"]", line);
        line.extend_from_slice(b"]: ");
    }
    line.extend(
        entry.message.iter().map(|byte| if matches!(byte, b'\n' | 0) { b'?' } else { *byte }),
    );
    line.push(b'\n');
}

/// Writes what is to be one word, whatever is in it.
fn word(text: &[u8], marks: &[u8], line: &mut Vec<u8>) {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !marks.contains(byte);
    if text.is_empty() {
        line.push(b'-');
    }
    line.extend(text.iter().map(|byte| if is_plain(byte) { *byte } else { b'_' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(entry: &Entry) -> String {
        let mut line = vec![];
        write_line(entry, &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    #[test]
    fn an_entry_is_one_line_whatever_is_in_its_fields() {
        let place = JournalEntry { realtime_us: 1_795_385_683_219_452, ..Default::default() };
        let mut entry = Entry {
            place,
            message: b"connect from x[::1]".to_vec(),
            identifier: b"postfix/submission/smtpd".to_vec(),
            process: b"12".to_vec(),
            host: b"mx1".to_vec(),
            sent_us: None,
            is_of_container: false,
            goes_on: false,
        };
        let whole =
            "2026-11-22T22:14:43.219452Z mx1 postfix/submission/smtpd[12]: connect from x[::1]\n";
        assert_eq!(line(&entry), whole);
        entry.sent_us = Some(1_795_385_683_000_000);
        entry.message = b"two\nlines\0".to_vec();
        entry.identifier = b"a b[1]: c".to_vec();
        assert_eq!(line(&entry), "2026-11-22T22:14:43.000000Z mx1 a_b_1]__c[12]: two?lines?\n");
        entry.is_of_container = true;
        assert_eq!(line(&entry), "2026-11-22T22:14:43.000000Z stdout F two?lines?\n");
        let empty = line(&Entry::default());
        assert_eq!(empty, "1970-01-01T00:00:00.000000Z - -[-]: \n");
    }
}
