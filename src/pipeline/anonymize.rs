//! Redacts a log line by line: the parser says what is what, the stage `anonymize` replaces it.
//!
//! Each line is read again after that, and must be taken for the same. If not, a stricter way is
//! tried, and if that fails too, the line is emptied: rather no line than a leak or a lie.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use memchr::{memchr2_iter, memmem};

use super::outcome::Outcome;
use crate::anonymize::{Line, Redactor};
use crate::parse::dovecot;
use crate::parse::postfix::{Attempt, Message};
use crate::parse::rule::Rule;
use crate::parse::syslog::{self, Header, Layout};
use crate::parse::{LINE_BYTES, Reading, looks_like_login, read, unpacked, without_password};
use crate::source::block::{Blocks, Edges, LastLine};
use crate::source::compressed;

/// What stands for a line that could not be redacted without changing what it is taken for.
const EMPTIED: &[u8] = b"redacted";
const USER: &[u8] = b", sasl_username=";

/// Redacts lines, and counts them.
pub struct Anonymizer {
    /// What became of what.
    pub redactor: Redactor,
    /// Lines so far.
    pub lines: u64,
    /// Lines of which only the start is kept, as far as the main job reads.
    pub cut: u64,
    /// Lines that had to be emptied.
    pub emptied: u64,
}

/// Why a log was not redacted to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Its lines end here.
    #[error("{source}")]
    Read {
        /// How many lines were read.
        lines: u64,
        /// The system's or the decompressor's reason.
        source: io::Error,
    },
    /// The output takes no more.
    #[error("{0}")]
    Write(io::Error),
    /// It was asked to stop.
    #[error("interrupted")]
    Stopped,
}

impl Anonymizer {
    /// One that has seen nothing yet.
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, lines: 0, cut: 0, emptied: 0 }
    }

    /// Redacts all of `input`, compressed or not; `goes_on` is asked now and then.
    pub fn run(
        &mut self,
        input: Box<dyn Read + Send>,
        output: &mut dyn Write,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), Broken> {
        let cannot_read = |lines, source| Broken::Read { lines, source };
        let (_, stream) = compressed::open(input).map_err(|error| cannot_read(0, error))?;
        let mut blocks = Blocks::new(stream, 0, Edges::default(), LastLine::IsWhole);
        let mut out = Vec::new();
        while let Some(block) = blocks.next_block().map_err(|e| cannot_read(self.lines, e))? {
            if !goes_on() {
                return Err(Broken::Stopped);
            }
            out.clear();
            self.block(block.bytes, &mut out);
            if block.cut {
                out.push(b'\n');
            }
            output.write_all(&out).map_err(Broken::Write)?;
        }
        output.flush().map_err(Broken::Write)
    }

    /// Redacts whole lines; NUL ends one too, as everywhere.
    pub fn block(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let mut start = 0;
        for end in memchr2_iter(b'\n', 0, block).chain([block.len()]) {
            let line = block.get(start..end).unwrap_or_default();
            let mark = block.get(end);
            if !line.is_empty() {
                self.line(line, out);
            }
            self.lines += u64::from(mark == Some(&b'\n') || mark.is_none() && !line.is_empty());
            out.extend(mark);
            start = end + 1;
        }
    }

    /// Redacts one line, without its end.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let whole = line;
        let line = line.get(..LINE_BYTES).unwrap_or(line);
        let is_cut = line.len() < whole.len();
        self.cut += u64::from(is_cut);
        let line = &*unpacked(line);
        let expected = Outcome::of(line, &read(line));
        let start = out.len();
        let line = &*without_secret(line);
        self.freely(line, &read(line), out);
        if !expected.is_of(out, start) {
            out.truncate(start);
            self.strictly(line, out);
        }
        // The main job finds the words by which it looks for logins beyond what it reads, too.
        if is_cut && expected.is_nothing() && looks_like_login(whole) {
            out.extend_from_slice(b" SASL");
        } else if !expected.is_of(out, start) {
            out.truncate(start);
            out.extend_from_slice(EMPTIED);
            self.emptied += 1;
        }
    }

    fn freely(&mut self, line: &[u8], reading: &Reading<'_>, out: &mut Vec<u8>) {
        let (header, message) = match reading {
            Reading::Line(header, message) => (header, message),
            Reading::NoHeader(_) => return self.without_header(line, out),
        };
        if header.layout == Layout::Dovecot {
            out.extend_from_slice(line.get(..offset(line, header.message)).unwrap_or_default());
        } else {
            let program_end = self.until_program(line, header, out);
            self.before_message(line, header, program_end, out);
        }
        match message {
            Ok(Message::Refused(attempt) | Message::Accepted(attempt)) => {
                if attempt.rule.is_dovecots() {
                    self.session(header.message, attempt, header, out);
                } else {
                    self.attempt(header.message, attempt, header, out);
                }
            }
            _ => self.redactor.message(header.message, about(header), out),
        }
        let end = offset(line, header.message) + header.message.len();
        out.extend_from_slice(line.get(end..).unwrap_or_default());
    }

    fn without_header(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let (line, end) = without_return(line);
        self.undescribed(line, out);
        out.extend_from_slice(end);
    }

    fn undescribed(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let rest = syslog::after_stamp(line).unwrap_or(line);
        out.extend_from_slice(line.get(..line.len() - rest.len()).unwrap_or_default());
        let host = rest.strip_prefix(b" ").filter(|_| rest.len() < line.len());
        let host = host.and_then(|rest| rest.split(|b| *b == b' ').next()).unwrap_or_default();
        let Some(rest) = rest.get(1 + host.len()..).filter(|_| !host.is_empty()) else {
            return self.redactor.text(rest, Line::default(), out);
        };
        out.push(b' ');
        self.redactor.log_host(host, out);
        self.redactor.text(rest, Line { host, is_dovecots: true }, out);
    }

    /// Writes stamp, host and program; gives where the program ends.
    fn until_program(&mut self, line: &[u8], header: &Header<'_>, out: &mut Vec<u8>) -> usize {
        let host = offset(line, header.host);
        out.extend_from_slice(line.get(..host).unwrap_or_default());
        self.redactor.log_host(header.host, out);
        let program = offset(line, header.program);
        out.extend_from_slice(line.get(host + header.host.len()..program).unwrap_or_default());
        self.redactor.program(header.program, out);
        program + header.program.len()
    }

    /// Writes what stands between program and message: process, structured data.
    fn before_message(&mut self, line: &[u8], header: &Header<'_>, from: usize, out: &mut Vec<u8>) {
        let message = offset(line, header.message);
        let line_host = Line { host: header.host, ..Line::default() };
        let mut rest = line.get(from..message).unwrap_or_default();
        if !header.process.is_empty() {
            let process = offset(rest, header.process).min(rest.len());
            let (before, after) = rest.split_at(process);
            out.extend_from_slice(before);
            self.redactor.process(header.process, out);
            rest = after.get(header.process.len()..).unwrap_or_default();
        }
        if header.layout == Layout::Rfc5424 || header.times > 1 {
            self.redactor.text(rest, line_host, out);
        } else {
            out.extend_from_slice(rest);
        }
    }

    /// Writes a message about a login, whose parts are known.
    fn attempt(
        &mut self,
        message: &[u8],
        attempt: &Attempt<'_>,
        header: &Header<'_>,
        out: &mut Vec<u8>,
    ) {
        let part = |from: usize, to: usize| message.get(from..to).unwrap_or_default();
        let client = offset(message, attempt.client);
        let address = client + attempt.client.len() + 1;
        let address_end = address + attempt.written_address.len();
        let mechanism = offset(message, attempt.mechanism);
        let rest = part(mechanism + attempt.mechanism.len(), message.len());
        if attempt.rule == Rule::LoggedIn {
            let id = message.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            self.redactor.queue_id(part(0, id), out);
            out.extend_from_slice(part(id, client));
        } else {
            out.extend_from_slice(part(0, client));
        }
        self.redactor.client(attempt.client, out);
        out.push(b'[');
        self.redactor.written_address(attempt.written_address, attempt.address, out);
        self.redactor.text(part(address_end, mechanism), about(header), out);
        if attempt.rule == Rule::MechanismRefused {
            self.redactor.no_mechanism(attempt.mechanism, out);
        } else {
            self.redactor.mechanism(attempt.mechanism, out);
        }
        if attempt.rule == Rule::LoggedIn {
            out.extend_from_slice(USER);
            let user = attempt.user.unwrap_or_default();
            self.redactor.placeholders.mailbox(user, out);
            let sender = rest.get(USER.len() + user.len()..).unwrap_or_default();
            self.key(sender, b", sasl_sender=", out);
        } else {
            self.reason(rest, attempt, header, out);
        }
    }

    /// Writes a message of Dovecot about a login: `… user=<USER>, method=MECH, rip=ADDRESS, …`.
    fn session(
        &mut self,
        message: &[u8],
        attempt: &Attempt<'_>,
        header: &Header<'_>,
        out: &mut Vec<u8>,
    ) {
        let user = attempt.user.unwrap_or_default();
        let start = offset(message, user);
        let address = offset(message, attempt.written_address);
        let part = |from: usize, to: usize| message.get(from..to).unwrap_or_default();
        self.redactor.text(part(0, start), about(header), out);
        if !user.is_empty() {
            self.redactor.placeholders.mailbox(user, out);
        }
        self.redactor.text(part(start + user.len(), address), about(header), out);
        self.redactor.written_address(attempt.written_address, attempt.address, out);
        let rest = address + attempt.written_address.len();
        self.redactor.text(part(rest, message.len()), about(header), out);
    }

    /// Writes ` authentication failed: REASON, sasl_username=USER`.
    fn reason(
        &mut self,
        rest: &[u8],
        attempt: &Attempt<'_>,
        header: &Header<'_>,
        out: &mut Vec<u8>,
    ) {
        // An empty reason may be no part of the line.
        let reason = match attempt.reason {
            [] => memmem::find(rest, USER).unwrap_or(rest.len()),
            reason => offset(rest, reason),
        };
        out.extend_from_slice(rest.get(..reason).unwrap_or_default());
        self.redactor.text(attempt.reason, about(header), out);
        let user = rest.get(reason + attempt.reason.len()..).unwrap_or_default();
        if attempt.user.is_none() && user.ends_with(b"=(unavailable)") {
            out.extend_from_slice(USER);
            out.extend_from_slice(b"(unavailable)");
        } else {
            self.key(user, USER, out);
        }
    }

    /// Writes `, key=MAILBOX`, if there is one.
    fn key(&mut self, text: &[u8], key: &[u8], out: &mut Vec<u8>) {
        if let Some(mailbox) = text.strip_prefix(key) {
            out.extend_from_slice(key);
            self.redactor.placeholders.mailbox(mailbox, out);
        }
    }

    /// Redacts a line without changing where its marks are.
    fn strictly(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let reading = read(line);
        let (line, end) = without_return(line);
        let rest = match &reading {
            Reading::Line(header, _) if header.layout != Layout::Dovecot => {
                let host = offset(line, header.host);
                out.extend_from_slice(line.get(..host).unwrap_or_default());
                if looks_like_login(header.host) {
                    self.redactor.text_strictly(header.host, out);
                } else {
                    self.redactor.log_host(header.host, out);
                }
                let program = offset(line, header.program);
                out.extend_from_slice(
                    line.get(host + header.host.len()..program).unwrap_or_default(),
                );
                let mut plain = Vec::new();
                self.redactor.program(header.program, &mut plain);
                if plain == header.program {
                    out.append(&mut plain);
                } else {
                    self.redactor.text_strictly(header.program, out);
                }
                let program_end = program + header.program.len();
                let process = offset(line, header.process);
                if header.process.is_empty() {
                    line.get(program_end..)
                } else {
                    out.extend_from_slice(line.get(program_end..process).unwrap_or_default());
                    self.redactor.process(header.process, out);
                    line.get(process + header.process.len()..)
                }
            }
            _ => {
                let rest = syslog::after_stamp(line).unwrap_or(line);
                out.extend_from_slice(line.get(..line.len() - rest.len()).unwrap_or_default());
                Some(rest)
            }
        };
        let rest = rest.unwrap_or_default();
        let user = user_of(&reading).unwrap_or_default();
        let at = offset(rest, user);
        if let Some((before, from_user)) = rest.split_at_checked(at).filter(|_| !user.is_empty()) {
            self.redactor.text_strictly(before, out);
            self.redactor.placeholders.mailbox(user, out);
            self.redactor.text_strictly(from_user.get(user.len()..).unwrap_or_default(), out);
        } else {
            self.redactor.text_strictly(rest, out);
        }
        out.extend_from_slice(end);
    }
}

/// Whom a line names.
fn user_of<'a>(reading: &Reading<'a>) -> Option<&'a [u8]> {
    match reading {
        Reading::Line(_, Ok(Message::Refused(attempt) | Message::Accepted(attempt))) => {
            attempt.user
        }
        _ => None,
    }
}

/// What stands for a password that Dovecot logged.
const SECRET: &[u8] = b"hidden)";

/// Replaces a password that Dovecot logged, which may be any word, and all that follows it.
fn without_secret(line: &[u8]) -> Cow<'_, [u8]> {
    match without_password(line) {
        rest if rest.len() == line.len() => line.into(),
        rest => [rest, SECRET].concat().into(),
    }
}

fn about<'a>(header: &Header<'a>) -> Line<'a> {
    let is_dovecots = dovecot::is_dovecots(header) || header.host.ends_with(b":");
    Line { host: header.host, is_dovecots }
}

/// A carriage return at the end belongs to the end, as `parse` has it.
fn without_return(line: &[u8]) -> (&[u8], &[u8]) {
    line.strip_suffix(b"\r").map_or((line, b""), |line| (line, b"\r"))
}

/// Where `part`, a slice of `text`, starts in it.
fn offset(text: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}
