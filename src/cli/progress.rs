//! The progress bar: bytes, rate and time left, on a terminal only.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::Progress;
use crate::report::grouped;

/// A bar on stderr.
#[derive(Clone)]
pub(super) struct Bar(ProgressBar, Instant);

/// As wide as the terminal, whatever that is.
const READING: &str =
    "Reading {wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
const WAITING: &str = "{spinner} {msg}";

/// A run that is over by then needs no bar.
const DUE: Duration = Duration::from_millis(500);

impl Bar {
    /// A bar that shows itself, or not.
    pub(super) fn new(wanted: bool) -> Self {
        let target = if wanted && stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(READING) {
            bar.set_style(style);
        }
        Self(bar, Instant::now())
    }

    fn is_due(&self) -> bool {
        self.1.elapsed() >= DUE
    }

    /// Does `write` while the bar is out of the way. One that was not drawn yet would be afterwards.
    pub(super) fn aside(&self, write: &mut dyn FnMut()) {
        if self.0.length() == Some(0) && self.0.message().is_empty() {
            write();
        } else {
            self.0.suspend(write);
        }
    }

    /// Takes the bar off the terminal.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn names(&mut self, addresses: usize) {
        let all_read = self.0.length().is_some_and(|all| all > 0 && self.0.position() == all);
        let message = match addresses {
            0 if all_read => "Recording what was read".to_owned(),
            0 => String::new(),
            _ => format!("Asking for the names of {} addresses", grouped(addresses as u64)),
        };
        // A message is drawn at once, even if it is the same.
        if self.is_due() && self.0.message() != message {
            let template = if message.is_empty() { READING } else { WAITING };
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.0.set_style(style);
            }
            self.0.set_message(message);
        }
    }

    fn bytes(&mut self, done: u64, total: u64) {
        // Nobody knows how much standard input holds.
        if total == 0 || !self.is_due() {
            return;
        }
        if self.0.length() != Some(total) {
            self.0.set_length(total);
        }
        self.0.set_position(done.min(total));
    }
}
