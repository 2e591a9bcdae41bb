//! A journalctl(1) at work, and what its end means.

use std::io::{BufReader, ErrorKind, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::programs;
use crate::source::SourceError;

/// What it prints.
pub(super) type Output = BufReader<ChildStdout>;

/// The most that is kept of its complaints.
const COMPLAINT_BYTES: u64 = 64 * 1024;

/// A process that runs; killed if it is dropped before its end.
pub(super) struct Process {
    child: Arc<Mutex<Child>>,
    complaints: Option<JoinHandle<Vec<u8>>>,
}

/// What somebody else can end a process with.
#[derive(Clone)]
pub struct Stopper(Arc<Mutex<Child>>);

impl Stopper {
    /// Ends the process.
    pub fn stop(&self) {
        // It may have ended by itself.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

impl Process {
    pub(super) fn start(options: &[String]) -> Result<(Self, Output), SourceError> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => SourceError::NoJournalctl,
            _ => SourceError::Journal(format!("journalctl does not start: {error}")),
        };
        let mut command = programs::command(&["journalctl"]).map_err(failed)?;
        command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let no_pipe = || SourceError::Journal("its output cannot be read".to_owned());
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        let mut errors = child.stderr.take().ok_or_else(no_pipe)?;
        let complaints = std::thread::spawn(move || {
            let mut start = Vec::new();
            // What cannot be read is not there: the exit status tells whether all went well.
            let _ = errors.by_ref().take(COMPLAINT_BYTES).read_to_end(&mut start);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            start
        });
        let process = Self { child: Arc::new(Mutex::new(child)), complaints: Some(complaints) };
        Ok((process, BufReader::with_capacity(256 * 1024, output)))
    }

    pub(super) fn stopper(&self) -> Stopper {
        Stopper(self.child.clone())
    }

    /// Waits for its end, after all of its output was read; gives what it complained of.
    pub(super) fn end(mut self) -> Result<Vec<String>, SourceError> {
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok());
        let complaints = complaints.unwrap_or_default();
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
        let status = status.map_err(|error| SourceError::Journal(error.to_string()))?;
        let complaints: Vec<_> = complaints
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        // A file that it cannot read is left out, and said; all others are read.
        let refusals = complaints.iter().filter(|line| !line.starts_with("Journal file "));
        match (status.code(), refusals.clone().next()) {
            // 1 without a word: nothing matched.
            (Some(0), _) | (Some(1), None) => Ok(complaints),
            (Some(_), Some(refusal)) => Err(SourceError::Journal(refusal.clone())),
            (Some(code), None) => {
                Err(SourceError::Journal(format!("journalctl ended with {code}")))
            }
            (None, _) => Err(SourceError::Journal("journalctl was ended by a signal".to_owned())),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stopper().stop();
        // Gone at once, and no zombie is left to a run that goes on.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}
