//! Asks other programs, for a bounded time, and those of this machine with nothing of our environment.
//!
//! No thread waits for them: one that becomes another user must be the only one of its process.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Where programs are looked for: a PATH of whoever calls us may lead anywhere.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin";
/// The most that is read of an answer.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// How often a program that has said all is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// What a program answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub output: String,
}

/// Whether this machine was booted with systemd, by what `sd_booted(3)` looks for.
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// A command of `words`, the program's name first, that gets nothing of our environment and no input.
pub fn command(words: &[&str]) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or(ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C").env("TZ", "UTC");
    command.current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// Runs `words` and waits at most `time`.
pub fn ask(words: &[&str], time: Duration) -> io::Result<Answer> {
    Started::new(words)?.answer(time)
}

/// Runs `command` and waits at most `time`; what is late is ended.
pub fn run(command: Command, time: Duration) -> io::Result<Answer> {
    Started::run(command)?.answer(time)
}

/// A program that was started and ends soon; its answer is wanted later, or not at all.
#[derive(Debug)]
pub struct Started(Child);

impl Started {
    /// Starts `words`.
    pub fn new(words: &[&str]) -> io::Result<Self> {
        let mut command = command(words)?;
        command.stderr(Stdio::null());
        Self::run(command)
    }

    fn run(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map(Self)
    }

    /// Waits at most `time` from now on; what is late is ended, unless it is another user's: nobody waits for it then.
    pub fn answer(mut self, time: Duration) -> io::Result<Answer> {
        let heard = hear(&mut self.0, Instant::now() + time);
        if heard.is_err() && self.0.kill().is_ok() {
            let _ = self.0.wait();
        }
        heard
    }
}

fn hear(child: &mut Child, end: Instant) -> io::Result<Answer> {
    let late = || io::Error::new(ErrorKind::TimedOut, "it does not answer in time");
    let mut output = Vec::new();
    if let Some(pipe) = &mut child.stdout {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let left = end.checked_duration_since(Instant::now()).ok_or_else(late)?;
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut watched = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
            match poll(&mut watched, Some(&left)) {
                Ok(0) => return Err(late()),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let count = pipe.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            output.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if output.len() as u64 > MOST_BYTES {
                return Err(io::Error::other("its answer does not end"));
            }
        }
    }
    loop {
        if let Some(status) = child.try_wait()? {
            let output = String::from_utf8_lossy(&output).into_owned();
            return Ok(Answer { status: status.code(), output });
        }
        if Instant::now() >= end {
            return Err(late());
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_is_read_whole_with_its_status() {
        let answer = ask(&["sh", "-c", "seq 1 50000; exit 3"], LONG).unwrap();
        assert_eq!((answer.status, answer.output.lines().count()), (Some(3), 50_000));
        assert_eq!(ask(&["sh", "-c", "echo $HOME"], LONG).unwrap().output, "\n");
        assert_eq!(ask(&["no-such-program"], LONG).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_late_is_ended_and_what_does_not_end_is_too() {
        for late in ["sleep 1000", "exec >&-; sleep 1000"] {
            let asked = ask(&["sh", "-c", late], Duration::from_millis(50));
            assert_eq!(asked.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        assert!(ask(&["yes"], LONG).unwrap_err().to_string().contains("does not end"));
    }
}
