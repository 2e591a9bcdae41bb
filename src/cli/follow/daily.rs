//! Forgets once a day what is too old, in a thread of its own: the first time, that takes longer than a pass may.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::retention;
use crate::config::Config;
use crate::host::Host;

/// So often it is seen whether it was done today, as runs by the hourly timer do.
const PAUSE: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Daily {
    began: Option<Instant>,
    thread: Option<JoinHandle<bool>>,
}

impl Daily {
    /// Starts the thread if it is time, and all `is_judged`: what is not is not forgotten.
    pub(super) fn go_on(&mut self, is_judged: bool, host: &Host, config: &Config) {
        self.thread.take_if(|thread| thread.is_finished());
        let rested = self.began.is_none_or(|began| began.elapsed() >= PAUSE);
        if !is_judged || !retention::is_wanted(config) || !rested || self.thread.is_some() {
            return;
        }
        let (host, config) = (host.clone(), config.clone());
        self.began = Some(Instant::now());
        let forget = move || retention::enforce_daily(&host, &config);
        self.thread = std::thread::Builder::new().name("retention".to_owned()).spawn(forget).ok();
    }
}
