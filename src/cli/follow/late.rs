//! Asks, in a thread of its own, for names that came too late for their rows, so that later rows have
//! them: who is behind an address that tries and tries is known after its first few tries.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::host::Host;
use crate::pipeline::live::ask_late;

/// So often at most: servers that are dead stay dead for a while.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Late {
    wanted: bool,
    began: Option<Instant>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Late {
    /// Starts the thread if there are `more` names to ask for and it is not at work.
    pub(super) fn go_on(&mut self, more: bool, host: &Host, config: &Config) {
        self.wanted |= more;
        let paused = self.began.is_none_or(|began| began.elapsed() >= PAUSE);
        if !self.wanted || !paused || self.thread.is_some() {
            return;
        }
        let (host, config) = (host.clone(), config.clone());
        let ask = move || {
            // Without it names are late again; what is wrong with the store is told by passes.
            ask_late(&host, &config).unwrap_or_else(|error| {
                log::debug!("cannot ask for late names: {error}");
                Vec::new()
            })
        };
        (self.wanted, self.began) = (false, Some(Instant::now()));
        self.thread = std::thread::Builder::new().name("names".to_owned()).spawn(ask).ok();
    }

    /// What there is to tell of it, once it is done.
    pub(super) fn told(&mut self) -> Vec<String> {
        let done = self.thread.take_if(|thread| thread.is_finished());
        done.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}
