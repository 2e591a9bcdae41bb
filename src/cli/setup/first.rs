//! What is done once all is in its place: databases, a first run, a test message. Each is this program
//! again, which becomes the user of the services by itself.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wizard::{Answers, confirmed};
use crate::cli::args::Args;
use crate::cli::say;
use crate::config::Config;
use crate::exit::Status;
use crate::host::Host;
use crate::setup::{Actions, Place};
use crate::store::FILE_NAME;

const LOOK: Duration = Duration::from_millis(50);

/// Which of them.
pub(super) struct Steps {
    databases: bool,
    run: bool,
    message: bool,
}

impl Steps {
    /// Those that are missing here, or were asked for.
    ///
    /// `former` is what runs have gone by until now: a timer of a package may have been faster than setup, and have
    /// looked for a log that is not there.
    pub(super) fn new(
        config: &Config,
        former: Option<&Config>,
        answers: &Answers,
        place: &Place,
    ) -> Self {
        let is_here = !place.is_staging();
        let databases = [&config.countries, &config.networks];
        let missing = databases.iter().any(|it| it.paths.iter().any(|path| !path.exists()));
        Self {
            databases: is_here && missing && answers.download.unwrap_or(true),
            // A first run that failed may have left one of them.
            run: is_here
                && !(config.paths.state_dir.join(FILE_NAME).exists()
                    && config.paths.csv.is_file()
                    && former.is_some_and(|it| it.paths.mail_logs == config.paths.mail_logs)),
            message: is_here && answers.test_message,
        }
    }

    pub(super) fn are_none(&self) -> bool {
        !(self.databases || self.run || self.message)
    }

    /// What comes before timers start, in words.
    pub(super) fn before(&self) -> Vec<String> {
        let all = [
            (self.databases, "download the databases of countries and networks"),
            (self.run, "read the log and its rotations"),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text.to_owned()).collect()
    }

    /// And what comes after.
    pub(super) fn after(&self) -> Vec<String> {
        self.message.then(|| "send a test message".to_owned()).into_iter().collect()
    }

    /// Downloads and reads. A first run that fails takes all back; that nothing could be downloaded only if
    /// the one who is asked wants that, for a timer tries again.
    pub(super) fn take_before(
        &self,
        host: &Host,
        args: &Args,
        actions: &mut Actions<'_>,
    ) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        // It leaves no log that would keep folders from being taken back.
        let update = ["--set", "general.log_file=", "ipinfo", "--update"];
        if self.databases && !own(&update, args, host, actions)?.success() {
            let what = "the databases could not be downloaded, and rows that are written without them keep `N/A`\n  \
                        hint: sudo maillogsentinel ipinfo --update; the timer tries it each week, too";
            problems.push(keep(what, host, args)?);
        }
        if self.run {
            let status = own(&[], args, host, actions)?;
            // A timer of a package was faster: that run reads what is new.
            if !status.success() && status.code() != Some(Status::TryLater as i32) {
                return Err("the first run failed, see above".to_owned());
            }
        }
        Ok(problems)
    }

    /// Sends the message.
    pub(super) fn take_after(
        &self,
        host: &Host,
        args: &Args,
        actions: &mut Actions<'_>,
        mut problems: Vec<String>,
    ) -> Result<Vec<String>, String> {
        // It ends with 1 for mere warnings.
        let ends_well = |status: ExitStatus| matches!(status.code(), Some(0 | 1));
        if self.message
            && !ends_well(own(&["doctor", "--send-test", "--quiet"], args, host, actions)?)
        {
            let what = "doctor found errors, see above; the test message may not have been sent\n  hint: mend \
                        them, then: sudo maillogsentinel doctor --send-test";
            problems.push(keep(what, host, args)?);
        }
        Ok(problems)
    }
}

/// Asks, if there is whom to, whether all else is kept; that is `what` then, to be told at the end.
fn keep(what: &str, host: &Host, args: &Args) -> Result<String, String> {
    if args.automated {
        return Ok(what.to_owned());
    }
    say("error", what);
    // Ctrl-C does not end the wait for a line.
    let (answers, answer) = mpsc::channel();
    thread::spawn(move || answers.send(confirmed("\nKeep all else, and go on?", true)));
    loop {
        if host.stopping() {
            return Err("interrupted".to_owned());
        }
        match answer.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Ok(false)) => return Err("undone, as was asked for".to_owned()),
            _ => return Ok(what.to_owned()),
        }
    }
}

/// Runs this program, and asks it to end if we are asked to.
fn own(
    words: &[&str],
    args: &Args,
    host: &Host,
    actions: &mut Actions<'_>,
) -> Result<ExitStatus, String> {
    actions.record(format!("run: maillogsentinel {}", words.join(" ")).trim_end());
    // Not by its path: what is there may be another version by now.
    let mut command = Command::new("/proc/self/exe");
    command.args(words);
    if args.no_progress {
        command.arg("--no-progress");
    }
    let status = wait(command, host).map_err(|error| error.to_string())?;
    if host.stopping() {
        return Err("interrupted".to_owned());
    }
    if !status.success() {
        actions.record(&format!("it ended with {status}"));
    }
    Ok(status)
}

fn wait(mut command: Command, host: &Host) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if host.stopping()
            && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::TERM);
            return child.wait();
        }
        thread::sleep(LOOK);
    }
}
