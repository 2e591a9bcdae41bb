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

/// So long it may take to end: a server, or a command, has half a second then.
const END: Duration = Duration::from_millis(700);
const LOOK: Duration = Duration::from_millis(10);
/// What lasts is said again after so long.
const ONCE_IN: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Alerts {
    wanted: bool,
    /// How often in a row something could not be sent.
    failures: u32,
    began: Option<Instant>,
    /// What was said last, and when.
    said: Option<(Vec<String>, Instant)>,
    thread: Option<JoinHandle<Sent>>,
}

impl Alerts {
    /// Starts the thread if there is `news` that may be a finding, or something to try again: at first, what a
    /// process before this one left.
    pub(super) fn go_on(&mut self, news: bool, host: &Host, config: &Config) {
        self.wanted |= news || self.began.is_none();
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
        let send = move || send_all(&host, &config);
        self.thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(send).ok();
        (self.wanted, self.began) = (self.thread.is_none(), Some(Instant::now()));
    }

    /// What there is to tell of it, once it is done.
    pub(super) fn told(&mut self) -> Vec<String> {
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else {
            return Vec::new();
        };
        let lost =
            |_| Sent { errors: vec!["alerts could not be sent".to_owned()], ..Sent::default() };
        let sent = thread.join().unwrap_or_else(lost);
        self.failures = if sent.errors.is_empty() { 0 } else { self.failures + 1 };
        self.wanted |= sent.later;
        let is_known = |(errors, at): &(Vec<String>, Instant)| {
            *errors == sent.errors && at.elapsed() < ONCE_IN
        };
        if self.said.as_ref().is_some_and(is_known) {
            return Vec::new();
        }
        self.said = Some((sent.errors.clone(), Instant::now()));
        sent.errors
    }

    /// Lets the thread note what became of what it was sending, and end what it started.
    pub(super) fn end(&self) {
        let began = Instant::now();
        let is_at_work = || self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        while is_at_work() && began.elapsed() < END {
            std::thread::sleep(LOOK);
        }
    }
}
