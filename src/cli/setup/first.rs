//! What is done once all is in its place: databases, a first run, a test message. Each is this program
//! again, which becomes the user of the services by itself.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wizard::Answers;
use crate::cli::args::Args;
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
    pub(super) fn new(config: &Config, answers: &Answers, place: &Place) -> Self {
        let is_here = !place.is_staging();
        let databases = [&config.countries, &config.networks];
        let missing = databases.iter().any(|it| it.paths.iter().any(|path| !path.exists()));
        Self {
            databases: is_here && missing && answers.download.unwrap_or(true),
            run: is_here && !config.paths.state_dir.join(FILE_NAME).exists(),
            message: is_here && answers.test_message,
        }
    }

    pub(super) fn are_none(&self) -> bool {
        !(self.databases || self.run || self.message)
    }

    pub(super) fn sentences(&self) -> Vec<String> {
        let all = [
            (self.databases, "download the databases of countries and networks"),
            (self.run, "read the log and its rotations for the first time"),
            (self.message, "send a test message"),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text.to_owned()).collect()
    }

    /// Takes them. That nothing could be downloaded or sent is told and takes nothing back: timers try
    /// again. A first run that fails does.
    pub(super) fn take(
        &self,
        host: &Host,
        args: &Args,
        actions: &mut Actions<'_>,
    ) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let steps: [(bool, &[&str], &str); 3] = [
            (
                self.databases,
                &["ipinfo", "--update"],
                "the databases could not be downloaded; until then countries and networks are `N/A`\n  \
                 hint: sudo maillogsentinel ipinfo --update",
            ),
            (self.run, &[], ""),
            (
                self.message,
                &["doctor", "--send-test", "--quiet"],
                "doctor found something, see above; the test message may not have been sent\n  hint: sudo \
                 maillogsentinel doctor --send-test",
            ),
        ];
        for (wanted, words, problem) in steps {
            if !wanted {
                continue;
            }
            actions.record(format!("run: maillogsentinel {}", words.join(" ")).trim_end());
            let done = own(words, args, host).map_err(|error| error.to_string())?;
            if host.stopping() {
                return Err("interrupted".to_owned());
            }
            // A timer was faster: that run reads what is new.
            if done.success() || done.code() == Some(Status::TryLater as i32) {
                continue;
            }
            actions.record(&format!("it ended with {done}"));
            if problem.is_empty() {
                return Err("the first run failed, see above".to_owned());
            }
            problems.push(problem.to_owned());
        }
        Ok(problems)
    }
}

/// Runs this program, and asks it to end if we are asked to.
fn own(words: &[&str], args: &Args, host: &Host) -> std::io::Result<ExitStatus> {
    // Not by its path: what is there may be another version by now.
    let mut command = Command::new("/proc/self/exe");
    command.args(words);
    if args.no_progress {
        command.arg("--no-progress");
    }
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
        std::thread::sleep(LOOK);
    }
}
