//! Finds the lines that matter in a block, at memory speed: by words that each of them has.

use std::ops::Range;

use memchr::{memchr_iter, memchr2, memmem, memrchr2};

use crate::event::Services;

/// One of these is in every line of Postfix about a login.
pub(super) const POSTFIX: [&[u8]; 2] = [b"SASL", b"sasl_username="];
/// This is in every line of Dovecot's login processes.
pub(super) const DOVECOT: [&[u8]; 1] = [b"-login: "];
/// This is in every line of Dovecot's auth service.
pub(super) const AUTH: [&[u8]; 1] = [b" auth"];

/// One of these is in every message of Dovecot's auth service, whatever stands before it.
const AUTH_MESSAGE: [&[u8]; 3] = [b"auth: ", b"auth(", b"auth-worker("];

/// Words to look for.
pub(super) type Needles = Vec<&'static [u8]>;

/// The words of lines that tell of the logins of `services`.
pub(super) fn needles(services: Services) -> Needles {
    let postfix = POSTFIX.iter().filter(|_| services.postfix);
    let dovecot = DOVECOT.iter().filter(|_| services.dovecot);
    postfix.chain(dovecot).copied().collect()
}

/// The words of all messages that may matter, for a source that can leave out all others.
pub fn words(services: Services) -> Vec<&'static [u8]> {
    needles(services).into_iter().chain(AUTH_MESSAGE).collect()
}

/// Whether one of the `needles` is in `line`.
pub(super) fn has(line: &[u8], needles: &[&[u8]]) -> bool {
    needles.iter().any(|needle| memmem::find(line, needle).is_some())
}

/// The lines of a block with a needle in them, in order, as ranges.
pub(super) struct Candidates<'b> {
    block: &'b [u8],
    needles: Vec<(memmem::Finder<'static>, usize)>,
    from: usize,
}

impl<'b> Candidates<'b> {
    pub(super) fn new(block: &'b [u8], needles: &[&'static [u8]]) -> Self {
        let mut candidates = Self { block, needles: Vec::new(), from: 0 };
        candidates.look_for(needles);
        candidates
    }

    /// Looks for more words, from here on.
    pub(super) fn look_for(&mut self, needles: &[&'static [u8]]) {
        let rest = self.block.get(self.from..).unwrap_or_default();
        self.needles.extend(needles.iter().map(|needle| {
            let finder = memmem::Finder::new(*needle);
            let first = finder.find(rest).map_or(self.block.len(), |at| self.from + at);
            (finder, first)
        }));
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
pub(super) fn lines(block: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    block.split(|byte| matches!(byte, b'\n' | 0)).filter(|line| !line.is_empty())
}

/// How many lines end in `text`.
pub(super) fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}
