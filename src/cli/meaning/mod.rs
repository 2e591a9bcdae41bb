//! What it means: campaigns, findings, accounts, and the reasons for each judgement.

mod account;
mod accounts;
mod advice;
mod allow;
mod campaigns;
mod dovecot;
mod existing;
mod findings;
mod table;
mod why;

pub(super) use dovecot::Dovecot;
pub(super) use findings::sentence_in_one;

use std::io::{self, BufWriter, StdoutLock, Write};

use anstream::AutoStream;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::cli::args::{Args, Command};
use crate::cli::{fail, say};
use crate::config::{Config, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::store::{FILE_NAME, Store, StoreError};

/// A second of a day as 86,400.
const DAY: i64 = 86_400;

/// What all these commands work with.
struct Desk<'h> {
    host: &'h Host,
    config: &'h Config,
    dovecot: Dovecot,
    store: Store,
    now: i64,
    /// Whether to tell only what is wrong.
    quiet: bool,
}

impl Desk<'_> {
    /// A moment in local time, as `2026-11-22 14:05`.
    fn moment(&self, second: i64) -> String {
        let time = Timestamp::from_second(second).unwrap_or_default();
        time.to_zoned(self.host.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Says that something was done.
    fn confirm(&self, text: &str) -> Status {
        if self.quiet { Status::Done } else { print(text, Status::Done) }
    }

    /// A moment as RFC 3339 has it, for JSON.
    fn stamp(&self, second: i64) -> String {
        let time = Timestamp::from_second(second).unwrap_or_default();
        time.to_zoned(self.host.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// Does one of the commands that tell what was judged.
pub(super) fn run(
    host: &Host,
    args: &Args,
    dovecot: Dovecot,
    (config, odd): (&Config, &[Note]),
) -> Status {
    for note in odd {
        say("warning", &note.to_string());
    }
    let path = config.paths.state_dir.join(FILE_NAME);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            let what = format!("nothing was recorded yet: there is no {}", super::shown(&path));
            let hint = "run `maillogsentinel` first, with the same --config and --set";
            return fail(&what, Some(hint));
        }
        Err(error) => {
            let what = format!("cannot look at {}: {error}", super::shown(&path));
            return fail(&what, Some("run it with sudo, or as the user of the runs"));
        }
    }
    let store = match Store::open(&config.paths.state_dir) {
        Ok(store) => store,
        Err(error) => return refuse(&error),
    };
    match store.has_read() {
        Ok(true) => {}
        Ok(false) => say("warning", "no line of a log was read yet: `maillogsentinel` reads it"),
        Err(error) => return refuse(&error),
    }
    let now = (host.now)().as_second();
    if let Err(error) = store.be_patient() {
        return refuse(&error);
    }
    let mut desk = Desk { host, config, dovecot, store, now, quiet: args.quiet > 0 };
    let done = match &args.command {
        Some(Command::Campaigns(it)) => campaigns::run(&desk, it),
        Some(Command::Findings(it)) => findings::run(&mut desk, it),
        Some(Command::Allow(it)) => allow::run(&mut desk, it),
        Some(Command::Account(it)) => account::run(&desk, it),
        Some(Command::Accounts(it)) => accounts::run(&desk, it),
        Some(Command::Why(it)) => why::run(&desk, it),
        _ => Ok(Status::Done),
    };
    done.unwrap_or_else(|error| refuse(&error))
}

fn refuse(error: &StoreError) -> Status {
    fail(&error.to_string(), error.hint().as_deref())
}

/// Standard output, for what may be long: whoever reads it may have enough at any time.
struct Output {
    out: BufWriter<AutoStream<StdoutLock<'static>>>,
    written: io::Result<()>,
}

impl Output {
    fn new() -> Self {
        Self { out: BufWriter::new(anstream::stdout().lock()), written: Ok(()) }
    }

    fn print(&mut self, text: &str) {
        if !self.is_over() {
            self.written = self.out.write_all(text.as_bytes());
        }
    }

    /// Whether nobody gets what else is printed.
    fn is_over(&self) -> bool {
        self.written.is_err()
    }

    /// Prints a list as JSON, each when it is there; gives the error of the one that could not be had.
    fn print_list<T: Serialize>(
        &mut self,
        list: impl Iterator<Item = Result<T, StoreError>>,
    ) -> Result<(), StoreError> {
        let mut read = Ok(());
        let list = list.map_while(|it| it.map_err(|error| read = Err(error)).ok());
        let mut serializer = serde_json::Serializer::pretty(&mut self.out);
        self.written = serializer.collect_seq(list).map_err(io::Error::from);
        self.print("\n");
        read
    }

    /// What a command that printed all it had to ends with.
    fn end(mut self, status: Status) -> Status {
        match self.written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                fail(&format!("cannot write to standard output: {error}"), None)
            }
            _ => status,
        }
    }
}

/// Prints a text that is all there is to say.
fn print(text: &str, status: Status) -> Status {
    let mut out = Output::new();
    out.print(text);
    out.end(status)
}

/// Prints JSON.
fn print_json(document: &impl Serialize, status: Status) -> Status {
    // Nothing in it can fail: no map has keys that are no text.
    let text = serde_json::to_string_pretty(document).unwrap_or_default() + "\n";
    print(&text, status)
}
