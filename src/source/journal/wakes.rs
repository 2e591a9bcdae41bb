//! Tells when something may be new in the journal: a journalctl(1) that prints a line for each entry.
//!
//! Like inotify for a file this is a hint: what is new is found by reading the journal as each run does.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStdout;

use super::process::Process;
use super::{Journal, searching};
use crate::source::SourceError;

/// Has something to read when there are entries.
pub struct Wakes {
    /// Ended with this.
    _process: Process,
    output: ChildStdout,
}

impl Journal<'_> {
    /// Waits for entries that have one of `words` in their message.
    pub fn wakes(&self, words: &[&[u8]]) -> Result<Wakes, SourceError> {
        let mut options = searching(words);
        options.extend(["--follow", "--lines=0", "--output-fields=MESSAGE_ID"].map(str::to_owned));
        let (process, output) = self.start(&options)?;
        Ok(Wakes { _process: process, output: output.into_inner() })
    }
}

impl Wakes {
    /// Takes in what can be read; false if no more will come.
    pub fn heard(&mut self) -> bool {
        self.output.read(&mut [0; 4096]).is_ok_and(|length| length > 0)
    }
}

impl AsFd for Wakes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}
