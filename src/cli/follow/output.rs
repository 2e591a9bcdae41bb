//! What is printed: as fast as it is read, and never waited for. Recording goes on while nobody reads.

use std::io::{self, IsTerminal};

use jiff::tz::TimeZone;
use rustix::io::Errno;

use super::{ecs, line};
use crate::store::recorded::Recorded;

/// A pipe that has room at all has room for so much, `PIPE_BUF` in pipe(7).
const AT_ONCE: usize = 4096;

pub(super) struct Output {
    json: bool,
    color: bool,
    zone: TimeZone,
    waiting: Vec<u8>,
    /// How much of it is written.
    written: usize,
}

impl Output {
    pub(super) fn new(json: bool, zone: TimeZone) -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        let always = choice == anstream::ColorChoice::Always;
        let color = always || choice != anstream::ColorChoice::Never && io::stdout().is_terminal();
        Self { json, color, zone, waiting: Vec::new(), written: 0 }
    }

    /// Whether all is written.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn add(&mut self, events: &[Recorded]) {
        for event in events {
            let text = if self.json {
                ecs::document(event)
            } else {
                line::text(event, &self.zone, self.color)
            };
            self.waiting.extend_from_slice(text.as_bytes());
            self.waiting.push(b'\n');
        }
    }

    /// Writes what can be written without waiting, once it can be written at all.
    pub(super) fn write_some(&mut self) -> io::Result<()> {
        let rest = self.waiting.get(self.written..).unwrap_or_default();
        let now = rest.get(..AT_ONCE).unwrap_or(rest);
        // Not by the buffer of `Stdout`, which would wait until all of it is gone.
        match rustix::io::write(io::stdout(), now) {
            Ok(written) => self.written += written,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        if self.written >= self.waiting.len() {
            // Given back: there may have been much of it.
            (self.waiting, self.written) = (Vec::new(), 0);
        }
        Ok(())
    }
}
