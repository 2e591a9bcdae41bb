//! Joins users to the lines of an old Postfix, as a log is read block by block.
//!
//! Nothing is looked for until a line needs it: then what stands before it is read once more, and
//! from there on the lines of the auth service are read as well. Only the end of a block is kept.

use jiff::Timestamp;

use super::candidates::{AUTH, Candidates, POSTFIX, lines};
use super::names::Names;
use super::postfix::Message;
use super::syslog::{self, Header};
use super::time::Chronology;
use super::{LINE_BYTES, Reading, read, unpacked};

/// How much of what was read is kept: some seconds of a busy log.
const KEPT_BYTES: usize = 32 * 1024;
/// So much before a stretch tells what is under way there, unless a client is never quiet.
const BEFORE_BYTES: usize = 128 * 1024;

/// What is known of attempts that are under way, as far as it matters for what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// They are not looked for.
    Nothing,
    /// Only that more may be under way.
    Unclear,
    /// All of them.
    Attempts(Vec<u8>),
}

/// Whether users are joined, and what that needs.
#[derive(Clone, Default)]
pub(super) struct Joining {
    is_on: bool,
    /// While it is off: what was known before `kept`.
    names: Names,
    /// While it is off: the end of what was read.
    kept: Vec<u8>,
    /// Whether something was read before `kept`, and after `names`.
    has_hole: bool,
    /// Another file comes before this one, which nobody asked.
    follows: bool,
}

impl Joining {
    /// For a file that goes on where another one ended.
    pub(super) fn following() -> Self {
        Self { follows: true, ..Self::default() }
    }

    /// Goes on where an earlier run stopped; see [`Joining::to_bytes`].
    pub(super) fn resume(bytes: &[u8]) -> Self {
        let (is_on, names) = match bytes.split_first() {
            Some((mark, rest)) => (*mark == b'+', Names::from_bytes(rest)),
            None => (false, Names::default()),
        };
        Self { is_on, names, ..Self::default() }
    }

    /// What a later run must know; empty for nothing. `times` is that of the last line.
    pub(super) fn to_bytes(&self, times: &Chronology) -> Vec<u8> {
        let mut then = self.clone();
        // Of a block, only the first and the last line were asked for their time.
        let last = if self.is_on { None } else { then.catch_up(&[], times) };
        let names = then.names.to_bytes(times.seen().max(last));
        match (self.is_on, names.is_empty()) {
            (false, true) => names,
            (is_on, _) => [&[if is_on { b'+' } else { b'-' }], &*names].concat(),
        }
    }

    /// Whether the auth service's lines are to be read.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// The first line of the file is of `time`.
    pub(super) fn begin(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time
            && std::mem::take(&mut self.follows)
        {
            self.names.blind(time);
        }
    }

    /// Starts to join at a line that needs it: `text` is what stands before it in its block, which
    /// began at `times`.
    pub(super) fn start(&mut self, text: &[u8], times: &Chronology) {
        self.catch_up(text, times);
        self.is_on = true;
        self.kept = Vec::new();
    }

    /// Learns from a line; gives the user of an attempt whose line names none.
    pub(super) fn join(
        &mut self,
        header: &Header<'_>,
        message: &Message<'_>,
        time: Timestamp,
    ) -> Option<Box<[u8]>> {
        self.names.join(header, message, time).filter(|_| self.is_on)
    }

    /// Keeps the end of `block`, which was read.
    pub(super) fn keep(&mut self, block: &[u8]) {
        if self.is_on {
            return;
        }
        let from = block.len().saturating_sub(KEPT_BYTES);
        if from > 0 {
            self.kept.clear();
            self.has_hole = true;
        }
        self.kept.extend_from_slice(block.get(from..).unwrap_or_default());
        let excess = self.kept.len().saturating_sub(KEPT_BYTES);
        self.has_hole |= excess > 0;
        self.kept.drain(..excess);
    }

    /// How many bytes before a stretch are to be known to go on there; see [`Joining::ahead`].
    pub(super) fn matters_before(&self) -> usize {
        if self.is_on { BEFORE_BYTES } else { 0 }
    }

    /// What is known at a later place, as far as `before` tells, which comes just before it; if that is
    /// empty, the next one. `times` is that of the last line here.
    pub(super) fn ahead(&self, before: &[u8], times: &Chronology) -> Self {
        if !self.is_on {
            return Self::default();
        }
        if before.is_empty() {
            return self.clone();
        }
        let mut then = Self { kept: before.to_vec(), has_hole: true, ..Self::default() };
        if let Some(time) = then.catch_up(&[], times) {
            then.names.reach(time);
        }
        Self { is_on: true, ..then }
    }

    /// What is under way after a line of `time`.
    pub(super) fn known(&self, time: Option<Timestamp>) -> Known {
        match time {
            _ if !self.is_on => Known::Nothing,
            Some(time) if self.names.is_blind(time) => Known::Unclear,
            time => Known::Attempts(self.names.to_bytes(time)),
        }
    }

    /// Goes on where `later` stopped, which read what follows and had `assumed` this; false if it cannot.
    pub(super) fn append(&mut self, assumed: &Known, later: Self) -> bool {
        match assumed {
            Known::Unclear => return false,
            Known::Attempts(_) => *self = later,
            // What turned out to matter within it began before.
            Known::Nothing if later.is_on => return false,
            Known::Nothing => {
                self.has_hole |= later.has_hole;
                if later.has_hole {
                    self.kept.clear();
                    self.follows = false;
                }
                self.keep(&later.kept);
            }
        }
        true
    }

    /// Learns from what is kept, and from `text` behind it; gives the time of the last line that
    /// mattered.
    fn catch_up(&mut self, text: &[u8], times: &Chronology) -> Option<Timestamp> {
        let mut times = times.clone();
        let kept = std::mem::take(&mut self.kept);
        // The start of a line may be missing.
        let whole = if self.has_hole { after_line(&kept) } else { &kept[..] };
        if std::mem::take(&mut self.has_hole) {
            let first = lines(whole).chain(lines(text)).find_map(syslog::stamp);
            self.names = first
                .and_then(|stamp| times.resolve(stamp))
                .map_or_else(Names::default, Names::blind_from);
        }
        for text in [whole, text] {
            for line in Candidates::new(text, &[&POSTFIX[..], &AUTH].concat()) {
                let line = text.get(line).unwrap_or_default();
                let line = unpacked(line.get(..LINE_BYTES).unwrap_or(line));
                if let Reading::Line(header, Ok(message)) = read(&line)
                    && let Some(time) = times.resolve(header.stamp.0)
                {
                    self.names.join(&header, &message, time);
                }
            }
        }
        times.seen()
    }
}

/// What follows the first end of a line.
fn after_line(text: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'\n', 0, text);
    end.and_then(|end| text.get(end + 1..)).unwrap_or_default()
}
