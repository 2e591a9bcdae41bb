//! Finds the lines of a log that matter, block by block, and turns them into findings.
//!
//! Every line about a login has one of two words in it, which `memmem` finds at memory speed;
//! only those lines are taken apart. Each block's first and last line give the time as well, so
//! that a quiet year between two logins is not missed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use memchr::{memchr_iter, memchr2, memmem, memrchr2};

use super::postfix::{Attempt, Message};
use super::rule::Rule;
use super::syslog::{self, Header};
use super::time::Chronology;
use super::{Outage, Reading, read};
use crate::event::{DayRead, Failure, Findings, Manner, PUZZLE_SAMPLES, Puzzle};
use crate::untrusted::Untrusted;

/// One of these is in every line about a login.
pub(super) const NEEDLES: [&[u8]; 2] = [b"SASL", b"sasl_username="];

/// How much of each is shown.
const PUZZLE_BYTES: usize = 300;
/// How many manners are remembered; attackers invent mechanisms.
const MANNERS: usize = 1024;
/// How much of a host, a service, a mechanism or a reason is kept. Postfix cuts a mechanism at 100.
const PART_BYTES: usize = 512;
/// How much of a line is read: rsyslog cuts at 8 KiB by default, and journald at 48.
pub const LINE_BYTES: usize = 8 * 1024;

/// Why a file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No line has a time stamp: it is not a log, or of a kind that we do not know.
    NotALog,
    /// It spans more years than guessed: read it again, see [`Chronology::guessed_too_late`].
    YearsTooLate,
}

/// What a scanner knows of the lines so far; see [`Scanner::ahead`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    time: Option<Timestamp>,
    /// Whether a line had a stamp, so that this is a log.
    dated: bool,
}

/// Reads the blocks of one file in their order.
pub struct Scanner {
    chronology: Chronology,
    outage: Outage,
    host: Untrusted,
    logins_after: Option<Timestamp>,
    lines: u64,
    dated: bool,
    first_time: Option<Timestamp>,
    day: Option<(Timestamp, Timestamp, Date)>,
    manners: HashMap<Vec<u8>, Arc<Manner>, foldhash::fast::RandomState>,
    key: Vec<u8>,
}

impl Scanner {
    /// For a file of which `lines` were read before.
    ///
    /// `host` names the machine where a line does not.
    pub fn new(chronology: Chronology, outage: Outage, (host, lines): (&str, u64)) -> Self {
        Self {
            chronology,
            outage,
            host: host.into(),
            logins_after: None,
            lines,
            dated: lines > 0,
            first_time: None,
            day: None,
            manners: HashMap::default(),
            key: Vec::new(),
        }
    }

    /// Adds to `found` what `block` holds: whole lines, the first of them at `position`.
    pub fn scan(&mut self, block: &[u8], position: u64, found: &mut Findings) -> Result<(), Stop> {
        self.expect_a_log(block)?;
        let before = self.chronology.clone();
        let first = self.note_time(lines(block).next());
        let mut read_until = 0;
        for Range { start, end } in Candidates::new(block) {
            self.forget_outage(block, read_until..start);
            read_until = end;
            let line = block.get(start..end.min(start + LINE_BYTES)).unwrap_or_default();
            if let Some(because) = self.line(line, position + start as u64, found) {
                found.puzzles += 1;
                if let Some(time) = self.chronology.last() {
                    let day = self.day(time);
                    found.days.entry(day).or_default().puzzles += 1;
                }
                if found.puzzle_samples.len() < PUZZLE_SAMPLES {
                    let line_number =
                        self.lines + newlines(block.get(..start).unwrap_or_default()) + 1;
                    let text = line.get(..PUZZLE_BYTES).unwrap_or(line).into();
                    found.puzzle_samples.push(Puzzle { line: line_number, text, because });
                }
            }
        }
        self.forget_outage(block, read_until..block.len());
        let last = self.note_time(lines(block).next_back());
        self.count_days((first, last), (block, before), &mut found.days);
        let lines = newlines(block) + u64::from(is_unfinished(block));
        found.lines += lines;
        self.lines += lines;
        if self.chronology.guessed_too_late() { Err(Stop::YearsTooLate) } else { Ok(()) }
    }

    /// A scanner for a later stretch of the same file, on the assumption that all that matters of
    /// the lines between is the time of the last of them, `line_before`. It counts lines from 0.
    ///
    /// For the stretch that comes next, `line_before` is empty.
    #[must_use]
    pub fn ahead(&self, line_before: &[u8]) -> Self {
        let mut chronology = self.chronology.clone();
        if let Some(stamp) = lines(line_before).next_back().and_then(syslog::stamp) {
            chronology.skip_to(stamp);
        }
        Self {
            chronology,
            outage: Outage::default(),
            host: self.host.clone(),
            logins_after: self.logins_after,
            lines: 0,
            // Whether this is a log is for the first stretch to say, and checked when they join.
            dated: self.dated || !line_before.is_empty(),
            first_time: None,
            day: self.day,
            manners: HashMap::default(),
            key: Vec::new(),
        }
    }

    /// What matters of the lines so far for those that follow, besides the auth service.
    pub fn state(&self) -> State {
        State { time: self.last_time(), dated: self.dated }
    }

    /// Goes on where `later`, made by [`Scanner::ahead`], stopped; false if what it `assumed` is
    /// not how things are: then it is void.
    pub fn join(&mut self, assumed: State, later: Self) -> bool {
        let right = self.state() == assumed && self.outage.is_over();
        if right {
            self.chronology = later.chronology;
            self.outage = later.outage;
            self.lines += later.lines;
            self.dated |= later.dated;
            self.first_time = self.first_time.or(later.first_time);
            self.day = later.day;
        }
        right
    }

    /// Whether the file spans more years than the first guess allowed.
    pub fn guessed_too_late(&self) -> bool {
        self.chronology.guessed_too_late()
    }

    /// Leaves out logins and lines up to `time`: they were counted before.
    pub fn count_logins_after(&mut self, time: Option<Timestamp>) {
        self.logins_after = time;
    }

    /// Counts the lines of `text`, which need not be read.
    pub fn pass_over(&mut self, text: &[u8]) {
        self.dated |= !text.is_empty();
        self.lines += newlines(text);
    }

    /// Lines read of the file, those of earlier runs included.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The time of the first line with a stamp that this scanner saw.
    pub fn first_time(&self) -> Option<Timestamp> {
        self.first_time
    }

    /// The time of the last line with a stamp, earlier runs included.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.chronology.last()
    }

    /// What the next run must know of the auth service.
    pub fn outage(&self) -> &Outage {
        &self.outage
    }

    /// Until a line has a time stamp, this may be anything: a binary file, another program's.
    fn expect_a_log(&mut self, block: &[u8]) -> Result<(), Stop> {
        if self.dated {
            return Ok(());
        }
        self.dated = lines(block).any(|line| syslog::stamp(line).is_some());
        if self.dated || lines(block).next().is_none() { Ok(()) } else { Err(Stop::NotALog) }
    }

    fn note_time(&mut self, line: Option<&[u8]>) -> Option<Timestamp> {
        let stamp = line.and_then(syslog::stamp);
        let time = stamp.and_then(|stamp| self.chronology.resolve(stamp));
        self.first_time = self.first_time.or(time);
        time
    }

    /// Counts the lines of `block` by their days; `before` is the chronology before it.
    ///
    /// Mostly first and last line are of one day, and so is what is between them.
    fn count_days(
        &mut self,
        (first, last): (Option<Timestamp>, Option<Timestamp>),
        (block, mut before): (&[u8], Chronology),
        days: &mut BTreeMap<Date, DayRead>,
    ) {
        let ends = first.zip(last).map(|(first, last)| (self.day(first), self.day(last)));
        if let Some((day, same)) = ends
            && day == same
            && self.logins_after.is_none()
        {
            let read = days.entry(day).or_default();
            read.lines += newlines(block) + u64::from(is_unfinished(block));
            read.last_line = read.last_line.max(last);
            return;
        }
        let mut time = before.last();
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            let stamp = lines(line).next().and_then(syslog::stamp);
            time = stamp.and_then(|stamp| before.resolve(stamp)).or(time);
            if !line.ends_with(b"\n") && !is_unfinished(line) {
                continue;
            }
            let Some(time) = time.filter(|time| self.logins_after.is_none_or(|s| *time > s)) else {
                continue;
            };
            let read = days.entry(self.day(time)).or_default();
            read.lines += 1;
            read.last_line = read.last_line.max(Some(time));
        }
    }

    fn forget_outage(&mut self, block: &[u8], unread: Range<usize>) {
        if !self.outage.is_over() {
            let text = block.get(unread).unwrap_or_default();
            for header in lines(text).filter_map(|line| syslog::header(line).ok()) {
                self.outage.forget(header.process);
            }
        }
    }

    /// Reads one line; gives the reason if it is a puzzle.
    fn line(&mut self, line: &[u8], position: u64, found: &mut Findings) -> Option<String> {
        let (header, message) = match read(line) {
            Reading::NoHeader(stop) => return Some(format!("expected {}", stop.expected)),
            Reading::Line(_, Err(near)) => {
                return Some(format!("rule {} expected {}", near.rule.name(), near.expected));
            }
            Reading::Line(header, Ok(message)) => (header, message),
        };
        let rule = self.outage.settle(&header, &message);
        let (Message::Refused(attempt) | Message::Accepted(attempt)) = message else { return None };
        if rule == Rule::AuthServiceUnreached {
            return None;
        }
        let Some(time) = self.chronology.resolve(header.stamp.0) else {
            return Some("no year has this date".to_owned());
        };
        if rule == Rule::LoggedIn {
            if self.logins_after.is_some_and(|after| time <= after) {
                return None;
            }
            let day = self.day(time);
            found.logins.add(attempt.user.unwrap_or_default(), attempt.address, day);
        } else {
            let (address, user) = (attempt.address, attempt.user.map(Into::into));
            let manner = self.manner(&header, &attempt);
            let times = header.times;
            found.failures.push(Failure { time, position, address, user, manner, times });
        }
        None
    }

    /// The local day of `time`.
    fn day(&mut self, time: Timestamp) -> Date {
        if let Some((from, to, day)) = self.day
            && from <= time
            && time < to
        {
            return day;
        }
        let zoned = time.to_zoned(self.chronology.zone().clone());
        let edges = zoned
            .start_of_day()
            .and_then(|from| Ok((from.timestamp(), from.tomorrow()?.timestamp())));
        self.day = edges.ok().map(|(from, to)| (from, to, zoned.date()));
        zoned.date()
    }

    fn manner(&mut self, header: &Header<'_>, attempt: &Attempt<'_>) -> Arc<Manner> {
        let host =
            if matches!(header.host, b"" | b"-") { self.host.as_bytes() } else { header.host };
        let service = header.program.strip_suffix(b"/smtpd").unwrap_or(header.program);
        let parts = [host, service, attempt.mechanism, attempt.reason]
            .map(|part| part.get(..PART_BYTES).unwrap_or(part));
        self.key.clear();
        for part in parts {
            self.key.extend_from_slice(part);
            self.key.push(b'\n');
        }
        if let Some(known) = self.manners.get(&self.key) {
            return known.clone();
        }
        if self.manners.len() >= MANNERS {
            self.manners.clear();
        }
        let [server, service, mechanism, reason] = parts.map(Untrusted::from);
        let manner = Arc::new(Manner { server, service, mechanism, reason });
        self.manners.insert(self.key.clone(), manner.clone());
        manner
    }
}

/// The lines of a block with a needle in them, in order, as ranges.
struct Candidates<'b> {
    block: &'b [u8],
    needles: [(memmem::Finder<'static>, usize); 2],
    from: usize,
}

impl<'b> Candidates<'b> {
    fn new(block: &'b [u8]) -> Self {
        let needles = NEEDLES.map(|needle| {
            let finder = memmem::Finder::new(needle);
            let first = finder.find(block).unwrap_or(block.len());
            (finder, first)
        });
        Self { block, needles, from: 0 }
    }
}

impl Iterator for Candidates<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let block = self.block;
        let at = self.needles.iter().map(|(_, at)| *at).min().filter(|at| *at < block.len())?;
        let before = block.get(self.from..at)?;
        let start = memrchr2(b'\n', 0, before).map_or(self.from, |end| self.from + end + 1);
        let end = memchr2(b'\n', 0, block.get(at..)?).map_or(block.len(), |end| at + end);
        self.from = end;
        let rest = block.get(end..)?;
        for (finder, at) in self.needles.iter_mut().filter(|(_, at)| *at < end) {
            *at = finder.find(rest).map_or(block.len(), |at| end + at);
        }
        Some(start..end)
    }
}

/// The lines of a block that are not empty. NUL ends a line too: a crash, or a log truncated under
/// its writer, leaves holes of them, and syslog never writes one.
fn lines(block: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    block.split(|byte| matches!(byte, b'\n' | 0)).filter(|line| !line.is_empty())
}

/// Whether the last line has no end.
fn is_unfinished(block: &[u8]) -> bool {
    !block.ends_with(b"\n") && !block.ends_with(b"\0")
}

fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}
