//! Finds the lines of a log that matter, block by block, and turns them into findings.
//!
//! Only the lines that `candidates.rs` finds are taken apart. Each block's first and last line give the time as well, so
//! that a quiet year between two logins is not missed.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use super::candidates::{AUTH, Candidates, Needles, has, lines, needles, newlines};
use super::container;
use super::joining::Joining;
use super::manners::{Manners, service};
use super::postfix::{Message, was_judged};
use super::rule::Rule;
use super::syslog;
use super::time::Chronology;
use super::{Outage, Reading, read, unpacked, without_password};
use crate::event::{DayRead, Failure, Findings, PUZZLE_SAMPLES, Puzzle, Services};
use crate::logins::Login;
use crate::untrusted::Untrusted;

/// How much of each is shown.
const PUZZLE_BYTES: usize = 300;
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

/// Reads the blocks of one file in their order.
pub struct Scanner {
    pub(super) services: Services,
    pub(super) needles: Needles,
    pub(super) chronology: Chronology,
    pub(super) outage: Outage,
    pub(super) joining: Joining,
    /// The last line goes on in the next one.
    pub(super) is_split: bool,
    pub(super) host: Untrusted,
    pub(super) logins_after: Option<Timestamp>,
    pub(super) lines: u64,
    pub(super) dated: bool,
    pub(super) first_time: Option<Timestamp>,
    pub(super) day: Option<(Timestamp, Timestamp, Date)>,
    pub(super) manners: Manners,
}

impl Scanner {
    /// For a file of which `lines` were read before.
    ///
    /// `host` names the machine where a line does not.
    pub fn new(chronology: Chronology, outage: Outage, (host, lines): (&str, u64)) -> Self {
        let services = Services::default();
        Self {
            services,
            needles: needles(services),
            chronology,
            outage,
            joining: Joining::default(),
            is_split: false,
            host: host.into(),
            logins_after: None,
            lines,
            dated: lines > 0,
            first_time: None,
            day: None,
            manners: Manners::default(),
        }
    }

    /// Records the logins of `services`; without this call, of Postfix.
    pub fn count_services(&mut self, services: Services) {
        (self.services, self.needles) = (services, needles(services));
    }

    /// Adds to `found` what `block` holds: whole lines, the first of them at `position`.
    pub fn scan(&mut self, block: &[u8], position: u64, found: &mut Findings) -> Result<(), Stop> {
        self.expect_a_log(block)?;
        let before = self.chronology.clone();
        let first = self.note_time(lines(block).next());
        self.joining.begin(first);
        let mut read_until = 0;
        let mut candidates = Candidates::new(block, &self.needles);
        if self.joining.is_on() {
            candidates.look_for(&AUTH);
        }
        while let Some(Range { start, end }) = candidates.next() {
            self.forget_outage(block, read_until..start);
            read_until = end;
            let whole = block.get(start..end).unwrap_or_default();
            let line = whole.get(..LINE_BYTES).unwrap_or(whole);
            let was_on = self.joining.is_on();
            let text_before = (block.get(..start).unwrap_or_default(), &before);
            if self.goes_on(block.get(..start).unwrap_or_default(), line) {
                continue;
            }
            let because = self.line(line, position + start as u64, text_before, found);
            if self.joining.is_on() && !was_on {
                candidates.look_for(&AUTH);
            }
            if let Some(because) = because.filter(|_| has(whole, &self.needles)) {
                found.puzzles += 1;
                if let Some(time) = self.chronology.last() {
                    let day = self.day(time);
                    found.days.entry(day).or_default().puzzles += 1;
                }
                if found.puzzle_samples.len() < PUZZLE_SAMPLES {
                    let before = block.get(..start).unwrap_or_default();
                    let line_number = self.lines + newlines(before) + 1;
                    let line = without_password(line);
                    let text = line.get(..PUZZLE_BYTES).unwrap_or(line).into();
                    found.puzzle_samples.push(Puzzle { line: line_number, text, because });
                }
            }
        }
        self.forget_outage(block, read_until..block.len());
        if self.services.postfix {
            self.joining.keep(block);
        }
        self.is_split = lines(block).next_back().map_or(self.is_split, container::is_split);
        let last = self.note_time(lines(block).next_back());
        self.count_days((first, last), (block, before), &mut found.days);
        let lines = newlines(block) + u64::from(is_unfinished(block));
        found.lines += lines;
        self.lines += lines;
        if self.chronology.guessed_too_late() { Err(Stop::YearsTooLate) } else { Ok(()) }
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

    /// What the next run must know of attempts that are under way; empty for nothing.
    pub fn names(&self) -> Vec<u8> {
        self.joining.to_bytes(&self.chronology)
    }

    /// Goes on with what [`Scanner::names`] gave.
    pub fn resume_names(&mut self, names: &[u8]) {
        self.joining = Joining::resume(names);
    }

    /// Another file ends where this one starts, with attempts that may be under way.
    pub fn follow(&mut self) {
        self.joining = Joining::following();
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

    /// Whether `line` is the rest of one that a container runtime has split: a client chose what it says.
    fn goes_on(&self, before: &[u8], line: &[u8]) -> bool {
        let is_split = || lines(before).next_back().map_or(self.is_split, container::is_split);
        container::is_wrapped(line) && is_split()
    }

    fn forget_outage(&mut self, block: &[u8], unread: Range<usize>) {
        if !self.outage.is_over() {
            let text = block.get(unread).unwrap_or_default();
            for line in lines(text).map(unpacked) {
                if let Ok(header) = syslog::header(&line) {
                    self.outage.forget(&header);
                }
            }
        }
    }

    /// Reads one line; gives the reason if it is a puzzle.
    fn line(
        &mut self,
        line: &[u8],
        position: u64,
        text_before: (&[u8], &Chronology),
        found: &mut Findings,
    ) -> Option<String> {
        let line = unpacked(line);
        let (header, message) = match read(&line) {
            Reading::NoHeader(stop) => return Some(format!("expected {}", stop.expected)),
            Reading::Line(_, Err(near)) => {
                let because = format!("rule {} expected {}", near.rule.name(), near.expected);
                return Some(because).filter(|_| self.counts(near.rule));
            }
            Reading::Line(header, Ok(message)) => (header, message),
        };
        let rule = self.outage.settle(&header, &message);
        let tells_of_others = matches!(rule, Rule::DovecotAuth | Rule::TemporaryFailure);
        if tells_of_others && self.joining.is_on() {
            let time = self.chronology.resolve(header.stamp.0)?;
            self.joining.join(&header, &message, time);
        }
        let (Message::Refused(attempt) | Message::Accepted(attempt)) = &message else {
            return None;
        };
        if rule == Rule::AuthServiceUnreached || !self.counts(rule) {
            return None;
        }
        if attempt.is_nameless && was_judged(attempt) && !self.joining.is_on() {
            self.joining.start(text_before.0, text_before.1);
        }
        let Some(time) = self.chronology.resolve(header.stamp.0) else {
            return Some("no year has this date".to_owned());
        };
        if let Message::Accepted(_) = message {
            if self.logins_after.is_some_and(|after| time <= after) {
                return None;
            }
            let day = self.day(time);
            let account = attempt.user.unwrap_or_default();
            let (address, service) = (attempt.address, &*service(&header, attempt));
            found.logins.add(&Login { account, address, service, time, day, position });
            return None;
        }
        let joined =
            if self.joining.is_on() { self.joining.join(&header, &message, time) } else { None };
        let user = joined.as_deref().or(attempt.user).map(Into::into);
        let manner = self.manners.of(&header, attempt, self.host.as_bytes());
        let (address, times) = (attempt.address, header.times.saturating_mul(attempt.times));
        found.failures.push(Failure { time, position, address, user, manner, times });
        None
    }

    /// Whether lines of this rule are recorded.
    fn counts(&self, rule: Rule) -> bool {
        if rule.is_dovecots() { self.services.dovecot } else { self.services.postfix }
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
}

/// Whether the last line has no end.
fn is_unfinished(block: &[u8]) -> bool {
    !block.ends_with(b"\n") && !block.ends_with(b"\0")
}
