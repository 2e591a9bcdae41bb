//! Sends alerts in a thread of its own: a webhook that does not answer must not hold up what is recorded.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::alert::{Sent, has_ways, send_all};
use crate::config::Config;
use crate::host::Host;

/// So often at most.
const PAUSE: Duration = Duration::from_secs(2);
/// What could not be sent is tried again after so long, with what is new; without news less and less often,
const AGAIN: Duration = Duration::from_secs(60);
/// but so often at least.
const SELDOM: Duration = Duration::from_secs(900);

#[derive(Default)]
pub(super) struct Alerts {
    wanted: bool,
    /// How often in a row something could not be sent.
    failures: u32,
    began: Option<Instant>,
    thread: Option<JoinHandle<Sent>>,
}

impl Alerts {
    /// Starts the thread if there is `news` that may be a finding, or something to try again: at first, what a
    /// process before this one left.
    pub(super) fn go_on(&mut self, news: bool, host: &Host, config: &Config) {
        self.wanted |= news || self.began.is_none();
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            let sent = thread.join().unwrap_or_else(|_| Sent { failed: true, ..Sent::default() });
            self.failures = if sent.failed { self.failures + 1 } else { 0 };
            self.wanted |= sent.later;
        }
        let pause = match (self.wanted, self.failures) {
            (true, 0) => PAUSE,
            // Busy servers have news each second.
            (true, _) => AGAIN,
            (false, failures) => (AGAIN * failures).min(SELDOM),
        };
        let rested = self.began.is_none_or(|began| began.elapsed() >= pause);
        if !(self.wanted || self.failures > 0)
            || !rested
            || self.thread.is_some()
            || !has_ways(host, config)
        {
            return;
        }
        let (host, config) = (host.clone(), config.clone());
        (self.wanted, self.began) = (false, Some(Instant::now()));
        let send = move || send_all(&host, &config);
        self.thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(send).ok();
    }
}
