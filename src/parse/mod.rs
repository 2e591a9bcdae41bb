//! Stage 2: one line in, one outcome out; pure, and without a copy until a line matters.
//!
//! [`read`] takes a whole line apart, slice by slice, so that `explain` can point at columns.
//! [`Scanner`] finds the few lines worth that in blocks of a log, and adds what only neighbours
//! know: the year, whether the auth service was down, and the user that an old Postfix leaves out.

mod ahead;
mod candidates;
pub mod container;
pub mod dovecot;
mod joining;
mod manners;
pub mod names;
pub mod postfix;
pub mod rule;
mod scan;
pub mod syslog;
pub mod time;

use std::borrow::Cow;
use std::collections::HashSet;

pub use ahead::State;
pub use candidates::words;
pub use scan::{LINE_BYTES, Scanner, Stop};

use postfix::{Message, Near};
use rule::Rule;
use syslog::{Header, NoHeader};

/// What one line is, by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub enum Reading<'a> {
    /// Not a line that syslog wrote.
    NoHeader(NoHeader<'a>),
    /// A line with a header, and what its message says or which rule came nearest.
    Line(Header<'a>, Result<Message<'a>, Near<'a>>),
}

/// `line` itself, or the line in it if it is an object of Docker's: see [`container`].
pub fn unpacked(line: &[u8]) -> Cow<'_, [u8]> {
    container::without_object(line).map_or(Cow::Borrowed(line), Cow::Owned)
}

/// Reads `line`, without its newline; not an object of Docker's, see [`unpacked`].
pub fn read(line: &[u8]) -> Reading<'_> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match syslog::header(line) {
        Err(stop) => Reading::NoHeader(stop),
        Ok(header) => Reading::Line(header, message(&header)),
    }
}

fn message<'a>(header: &Header<'a>) -> Result<Message<'a>, Near<'a>> {
    if dovecot::is_dovecots(header) {
        return dovecot::message(header.message);
    }
    if postfix::is_smtpd(header.program) {
        return postfix::message(header.message);
    }
    // RFC 5424 files say `postfix` for each of its programs; the anchors of the message must do.
    let cut = header.layout == syslog::Layout::Rfc5424 && !header.program.contains(&b'/');
    if !cut {
        return Ok(Message::Unrelated(Rule::OtherProgram));
    }
    match postfix::message(header.message) {
        Ok(Message::Refused(attempt)) if !postfix::may_be_smtpd(header.program) => Err(Near {
            rule: attempt.rule,
            rest: header.program,
            expected: "a program name that starts with `postfix` (rsyslog cut the rest of it)",
        }),
        Err(_) if !postfix::may_be_smtpd(header.program) => {
            Ok(Message::Unrelated(Rule::OtherProgram))
        }
        read => read,
    }
}

/// Whether `line` has one of the words that every line about a login has.
pub fn looks_like_login(line: &[u8]) -> bool {
    candidates::has(line, &candidates::POSTFIX) || candidates::has(line, &candidates::DOVECOT)
}

/// Leaves out a password that Dovecot logged (`auth_verbose_passwords`), and what follows it: it may
/// hold anything. Of a line about a login, nothing is left out: there it is a user's name.
pub fn without_password(line: &[u8]) -> &[u8] {
    const GIVEN: &[u8] = b"given password: ";
    let end = memchr::memmem::find(line, GIVEN).map(|at| at + GIVEN.len());
    match (end, read(&unpacked(line))) {
        (None, _) | (_, Reading::Line(_, Ok(Message::Refused(_) | Message::Accepted(_)))) => line,
        (Some(end), _) => line.get(..end).unwrap_or(line),
    }
}

/// Whether the lines of one process say that the auth service is out of reach.
///
/// Postfix logs a refused login even then, with the reason and the user that the session's attempt
/// before left behind; only the line just before it, of the same process, tells them apart.
#[derive(Default)]
pub struct Outage {
    processes: HashSet<Box<[u8]>>,
}

impl Outage {
    /// Notes one reading, and says by which rule it counts now that its neighbour is known.
    ///
    /// Give it every line of a process, or at least those that [`read`] understands.
    pub fn settle(&mut self, header: &Header<'_>, message: &Message<'_>) -> Rule {
        let process = key(header);
        let same = self.processes.remove(&process);
        match message {
            Message::Unrelated(Rule::AuthServiceDown) => {
                if self.processes.len() < PROCESSES {
                    self.processes.insert(process);
                }
                Rule::AuthServiceDown
            }
            Message::Unrelated(rule) => *rule,
            Message::Refused(_) if same => Rule::AuthServiceUnreached,
            Message::Refused(attempt) | Message::Accepted(attempt) => attempt.rule,
        }
    }

    /// The processes that last said so, to go on with in a later run.
    pub fn processes(&self) -> Vec<Box<[u8]>> {
        let mut processes: Vec<_> = self.processes.iter().cloned().collect();
        processes.sort();
        processes
    }

    /// Goes on where an earlier run stopped.
    pub fn resume(processes: Vec<Box<[u8]>>) -> Self {
        // An earlier version noted no hosts.
        let known = processes.into_iter().filter(|process| process.contains(&0));
        Self { processes: known.collect() }
    }

    /// A line of a process that [`read`] was not asked about stands in between.
    fn forget(&mut self, header: &Header<'_>) {
        self.processes.remove(&key(header));
    }

    fn is_over(&self) -> bool {
        self.processes.is_empty()
    }
}

/// A process of one of the hosts whose lines are in a log; without blanks, as both are.
fn key(header: &Header<'_>) -> Box<[u8]> {
    [header.host, header.process].join(&0).into()
}

/// More processes than Postfix runs by default (`default_process_limit = 100`), for each service.
const PROCESSES: usize = 1000;
