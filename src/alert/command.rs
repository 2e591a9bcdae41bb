//! Gives an alert to a command, as one line of JSON on its standard input.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{Pid, Signal};

use super::{Alert, LOOK, Trouble, interrupted, is_over};
use crate::account::{own_name, quoted};
use crate::programs;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

const NAME_IT: &str = "set `command` in section [alert] to a program that is there, with its path";
const BY_HAND: &str = "run it by hand, as the user of the runs, and see what it says; `maillogsentinel doctor \
                       --send-test` gives it a test alert; in a service it may do less (docs/alerts.md)";

/// Gives `alert` to the command of `words`, a program and its arguments, which is ended if `stop` says so.
pub fn run(words: &[String], alert: &Alert, stop: &dyn Fn() -> bool) -> Result<(), Trouble> {
    let path = program(words)?;
    let failed = |error: io::Error| {
        let cure = "run it by hand, as the user of the runs: a script's first line must name an interpreter \
                    that is there";
        trouble(&path, &format!("it cannot be run: {error}"), cure)
    };
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let mut command = programs::command(&words).map_err(failed)?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let told = tell(&mut child, alert);
    match wait(&mut child, stop).map_err(failed)? {
        Some(status) if status.success() => told.map_err(|error| {
            trouble(&path, &format!("it cannot be given the alert: {error}"), BY_HAND)
        }),
        Some(status) => Err(trouble(&path, &format!("it ended with {status}"), BY_HAND)),
        None if stop() => Err(interrupted()),
        None => {
            let why = format!("it did not end within {} seconds", PATIENCE.as_secs());
            let cure = "let it hand the alert on and end; `sendmail` and `mail` of Postfix cannot, for they need \
                        rights that it does not have (docs/alerts.md)";
            Err(trouble(&path, &why, cure))
        }
    }
}

/// The program of a command, if this process may run it.
pub fn program(words: &[String]) -> Result<PathBuf, Trouble> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let path = if name.contains('/') {
        // That is the folder that commands are started in.
        Path::new("/").join(name)
    } else {
        found(name)?
    };
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(trouble(&path, "there is no such file", NAME_IT))
        }
        Err(error) => {
            let cure = format!("let user {} enter the folders that it is in", own_name());
            Err(trouble(&path, &format!("it cannot be reached: {error}"), &cure))
        }
        Ok(meta) if !meta.is_file() => Err(trouble(&path, "it is not a file", NAME_IT)),
        Ok(_) if !may_run(&path) => {
            let cure = format!(
                "let that user read and run it: `sudo chmod a+rx {}`, or by its group if it holds a secret",
                quoted(&path)
            );
            Err(trouble(&path, &format!("user {} may not run it", own_name()), &cure))
        }
        Ok(_) => Ok(path),
    }
}

/// Where the program `name` is: in the first folder that has one we may run, else in the first that has
/// one at all.
fn found(name: &str) -> Result<PathBuf, Trouble> {
    let command = programs::command(&[name]).ok();
    let mut variables = command.iter().flat_map(Command::get_envs);
    let path = variables.find(|(variable, _)| *variable == "PATH").and_then(|(_, value)| value);
    let path = path.unwrap_or_default();
    let mut places: Vec<_> = env::split_paths(path).map(|folder| folder.join(name)).collect();
    places.retain(|place| place.is_file());
    let place = places.iter().find(|place| may_run(place)).or(places.first());
    let absent = || {
        let why = format!("there is no such program in {}", path.display());
        trouble(Path::new(name), &why, NAME_IT)
    };
    place.cloned().ok_or_else(absent)
}

fn may_run(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn trouble(path: &Path, why: &str, cure: &str) -> Trouble {
    let what = format!("`[alert] command` {}: {why}", path.display());
    Trouble { what, cure: cure.to_owned() }
}

/// How it ended; `None` if it did not in time, and was killed with all that it started.
fn wait(child: &mut Child, stop: &dyn Fn() -> bool) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + PATIENCE;
    let mut stopped = None;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() < end && !is_over(&mut stopped, stop) => thread::sleep(LOOK),
            None => break,
        }
    }
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    Ok(None)
}

/// A pipe holds more than an alert, so that this never waits.
fn tell(child: &mut Child, alert: &Alert) -> io::Result<()> {
    let Some(mut input) = child.stdin.take() else { return Ok(()) };
    let mut text = serde_json::to_string(alert).unwrap_or_default();
    text.push('\n');
    match input.write_all(text.as_bytes()) {
        // It need not read.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        told => told,
    }
}
