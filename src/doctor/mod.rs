//! Checks all that runs depend on, as the user whose runs they are, and changes nothing.
//!
//! Each group of checks has a thread and a time of its own: one that hangs, say on a file server that is
//! gone, or that fails by itself, costs its own answers and no others.

mod accounts;
mod addresses;
mod alerts;
mod clock;
pub mod configuration;
mod disk;
mod folders;
mod lock;
mod mail;
mod names;
mod records;
pub mod secrets;
mod sources;
mod sql;
mod systemd;
mod timers;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Note};
use crate::host::Host;
use crate::untrusted::for_terminal;

/// How long a group of checks may take. Each question to the network ends well before that.
const PATIENCE: Duration = Duration::from_secs(60);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It cannot be told here; nothing speaks against it.
    Unknown,
    /// Runs go on, and something is missing or will be.
    Warning,
    /// Runs fail, or something is unsafe.
    Error,
}

/// One thing that was found; both texts are fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The group of checks.
    pub about: String,
    /// What was found.
    pub what: String,
    /// What mends it.
    pub cure: Option<String>,
}

/// Where a group of checks tells what it finds.
pub struct Told {
    about: &'static str,
    sender: Sender<Finding>,
}

impl Told {
    /// As it should be.
    pub fn ok(&self, what: &str) {
        self.tell(Level::Ok, what, None);
    }

    /// It cannot be told.
    pub fn unknown(&self, what: &str) {
        self.tell(Level::Unknown, what, None);
    }

    /// Runs go on, but.
    pub fn warning(&self, what: &str, cure: &str) {
        self.tell(Level::Warning, what, Some(cure));
    }

    /// Runs fail, or it is unsafe.
    pub fn error(&self, what: &str, cure: &str) {
        self.tell(Level::Error, what, Some(cure));
    }

    /// What an error of the program says, and its hint if it has one.
    pub fn refusal(&self, level: Level, what: &impl ToString, hint: Option<&str>) {
        let what = what.to_string();
        match what.split_once("\n  hint: ") {
            Some((what, hint)) => self.tell(level, what, Some(hint)),
            None => self.tell(level, &what, hint),
        }
    }

    /// The same of a note on the configuration.
    pub fn note(&self, level: Level, note: &Note) {
        self.tell(level, &format!("{}: {}", note.place, note.what), note.hint.as_deref());
    }

    fn tell(&self, level: Level, what: &str, cure: Option<&str>) {
        let harmless = |text: &str| for_terminal(text.as_bytes()).into_owned();
        let (about, what) = (self.about.to_owned(), harmless(what));
        // Whoever listens may have gone on for lack of time.
        let _ = self.sender.send(Finding { level, about, what, cure: cure.map(harmless) });
    }
}

/// What checks are about.
pub struct Scene {
    /// The machine.
    pub host: Host,
    /// The configuration.
    pub config: Config,
    /// Its file, if it has one.
    pub config_file: Option<PathBuf>,
    /// Whose runs are, if that is known.
    pub runs_as: Option<u32>,
    /// Whether a message and an alert are to be sent.
    pub send_test: bool,
}

impl Scene {
    /// How long ago that was, in words; `None` if it is still to come.
    fn ago(&self, time: Timestamp) -> Option<(i64, String)> {
        let seconds = (self.host.now)().as_second() - time.as_second();
        (seconds >= 0).then(|| (seconds, in_words(seconds)))
    }
}

/// A group of checks.
pub type Check = fn(&Scene, &Told);

/// What the user who called us can tell best: modes, whoever owns the files; and what systemd says, which
/// root can ask without a message bus.
pub const CALLERS: [(&str, Check); 3] =
    [("secrets", secrets::check), ("clock", clock::check), ("timers", timers::check)];

/// What is to be told by the user whose runs they are.
pub const RUNS: [(&str, Check); 11] = [
    ("folders", folders::check),
    ("disk", disk::check),
    ("sources", sources::check),
    ("lock", lock::check),
    ("records", records::check),
    ("addresses", addresses::check),
    ("names", names::check),
    ("mail", mail::check),
    ("alerts", alerts::check),
    ("accounts", accounts::check),
    ("sql", sql::check),
];

/// Does all `checks` at the same time, and tells what they find in their order.
pub fn check(scene: &Arc<Scene>, checks: &[(&'static str, Check)], tell: &mut dyn FnMut(Finding)) {
    let end = Instant::now() + PATIENCE;
    let started: Vec<_> =
        checks.iter().map(|(about, check)| (*about, start(scene, about, *check))).collect();
    for (about, (findings, thread)) in started {
        for finding in wait(about, (findings, thread), end) {
            tell(finding);
        }
    }
}

type Started = (Receiver<Finding>, io::Result<JoinHandle<()>>);

fn start(scene: &Arc<Scene>, about: &'static str, check: Check) -> Started {
    let (sender, findings) = mpsc::channel();
    let (scene, told) = (Arc::clone(scene), Told { about, sender });
    let thread = thread::Builder::new().name(about.to_owned());
    (findings, thread.spawn(move || check(&scene, &told)))
}

/// What a group has found, and how it ended if not well.
fn wait(about: &str, (findings, thread): Started, end: Instant) -> Vec<Finding> {
    let mut found = Vec::new();
    let ended = |what: &str, cure: &str| Finding {
        level: Level::Error,
        about: about.to_owned(),
        what: what.to_owned(),
        cure: Some(cure.to_owned()),
    };
    loop {
        match findings.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(finding) => found.push(finding),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = PATIENCE.as_secs();
                found.push(ended(
                    &format!("the rest was not told within {seconds} seconds"),
                    "see what hangs: a file server that is gone, a name that nobody resolves?",
                ));
                return found;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    match thread.map(JoinHandle::join) {
        Ok(Ok(())) => {}
        Ok(Err(_)) => found.push(ended(
            "this check failed by itself, which is a mistake of this program's",
            "please report it, with what stands above",
        )),
        Err(error) => {
            found.push(ended(&format!("this check cannot be started: {error}"), "see `ulimit -u`"));
        }
    }
    found
}

/// A stretch of time, roughly.
fn in_words(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// A path for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_time_are_rounded_down() {
        let words = [0, 1, 119, 7_199, 7_200, 172_800, 86_400 * 400].map(in_words);
        let expected =
            ["0 seconds", "1 second", "1 minute", "119 minutes", "2 hours", "2 days", "400 days"];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_group_that_fails_or_hangs_costs_no_other_answers() {
        let (config, _) = crate::config::load_or_default(None, &[]);
        let scene = Scene {
            host: Host::real(),
            config: config.unwrap(),
            config_file: None,
            runs_as: None,
            send_test: false,
        };
        let checks: [(&str, Check); 3] = [
            ("fails", |_, told| {
                told.ok("before");
                panic!("on purpose");
            }),
            ("hangs", |_, told| {
                told.ok("before");
                loop {
                    thread::park();
                }
            }),
            ("works", |_, told| told.warning("a\x1b[2J", "b\nc")),
        ];
        let scene = Arc::new(scene);
        let found = checks.map(|(about, check)| {
            let started = start(&scene, about, check);
            // Of the one that hangs, what it says at first is all there is.
            let first = (about == "hangs").then(|| started.0.recv().unwrap());
            let time = if first.is_some() { Duration::ZERO } else { PATIENCE };
            first.into_iter().chain(wait(about, started, Instant::now() + time)).collect::<Vec<_>>()
        });
        let whats = found.map(|found| found.into_iter().map(|it| it.what).collect::<Vec<_>>());
        assert_eq!(
            whats[0],
            ["before", "this check failed by itself, which is a mistake of this program's"]
        );
        assert_eq!(whats[1], ["before", "the rest was not told within 60 seconds"]);
        assert_eq!(whats[2], ["a\\x1b[2J"]);
    }
}
