//! The journals among the logs, each with what tells of its entries.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::{Config, MailLog};
use crate::parse::words;
use crate::source::journal::{Journal, Wakes};

/// What was started so long ago listens for sure; and if it has ended, another one may be started.
const SETTLED: Duration = Duration::from_secs(3);

#[derive(Default)]
pub(super) struct Journals(HashMap<Option<PathBuf>, Listening>);

struct Listening {
    since: Instant,
    /// `None`: it could not be started, or has ended.
    wakes: Option<Wakes>,
}

impl Journals {
    /// Listens to the journals of `config`; false if it may miss entries for now.
    pub(super) fn arm(&mut self, config: &Config) -> bool {
        let mut wanted = Vec::new();
        for log in &config.paths.mail_logs {
            let MailLog::Journal(directory) = log else { continue };
            wanted.push(directory);
            let known = self.0.get(directory);
            if known.is_some_and(|it| it.wakes.is_some() || it.since.elapsed() < SETTLED) {
                continue;
            }
            // Why it does not start is told by the reading, which starts one as well.
            let wakes = Journal { directory: directory.as_deref() }
                .wakes(&words(config.detect.services))
                .ok();
            self.0.insert(directory.clone(), Listening { since: Instant::now(), wakes });
        }
        self.0.retain(|directory, _| wanted.contains(&directory));
        self.0.values().all(|it| it.wakes.is_some() && it.since.elapsed() >= SETTLED)
    }

    /// What to wait for.
    pub(super) fn watched(&self) -> Vec<BorrowedFd<'_>> {
        self.0.values().filter_map(|it| Some(it.wakes.as_ref()?.as_fd())).collect()
    }

    /// Takes in what has come, `ready` in the order of what is watched.
    pub(super) fn heard(&mut self, ready: &[bool]) {
        let listening = self.0.values_mut().filter(|it| it.wakes.is_some());
        for (journal, _) in listening.zip(ready).filter(|(_, ready)| **ready) {
            journal.wakes.take_if(|wakes| !wakes.heard());
        }
    }
}
