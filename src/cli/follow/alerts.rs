//! Sends alerts in a thread of its own: a webhook that does not answer must not hold up what is recorded.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::alert::send_due;
use crate::config::Config;
use crate::host::Host;

/// So often at most.
const PAUSE: Duration = Duration::from_secs(2);
/// What could not be sent is tried again after so long.
const AGAIN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Alerts {
    wanted: bool,
    failed: bool,
    began: Option<Instant>,
    thread: Option<JoinHandle<bool>>,
}

impl Alerts {
    /// Starts the thread if there is `news` that may be a finding, or something to try again.
    pub(super) fn go_on(&mut self, news: bool, host: &Host, config: &Config) {
        self.wanted |= news;
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            self.failed = !thread.join().unwrap_or(false);
        }
        let pause = if self.wanted { PAUSE } else { AGAIN };
        let rested = self.began.is_none_or(|began| began.elapsed() >= pause);
        if !(self.wanted || self.failed) || !rested || self.thread.is_some() {
            return;
        }
        let (host, config) = (host.clone(), config.clone());
        (self.wanted, self.began) = (false, Some(Instant::now()));
        let send = move || send_due(&host, &config);
        self.thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(send).ok();
    }
}
