//! Asks the program to end, by SIGTERM and SIGINT, and starts it while another one is at work.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::scene::{self, STORIES, Stamps, Story, Troubles};
use super::{LARGE, Random, seed};
use crate::sentinel::Sentinel;

const SIGNALS: [Signal; 2] = [Signal::TERM, Signal::INT];
/// How long a run may take to end when it is told to; without other tests beside it, that is a second.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn a_run_ends_at_once_wherever_the_signal_finds_it() {
    let seed = seed();
    let mut random = Random(seed);
    let expected = LARGE.undisturbed();
    let mut troubles = Troubles::of(&LARGE);
    for signal in SIGNALS.iter().cycle().take(30) {
        let scene = LARGE.scene();
        let mut command = scene::command(&scene);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let delay = Duration::from_micros(random.below(150_000) as u64);
        thread::sleep(delay);
        let what = format!("seed {seed}; {signal:?} after {delay:?}");
        let (status, stderr) = told_to_end(child, *signal).expect(&what);
        // It ended before, or of the signal.
        let ended = status.code() == Some(0) || status.signal() == Some(signal.as_raw());
        assert!(ended, "{what}: {status}: {stderr}");
        troubles.note(&what, LARGE.finish(&scene, &expected));
    }
    troubles.end(30);
}

#[test]
fn a_run_ends_at_once_while_it_waits_for_the_first_byte_of_standard_input() {
    ends_while_it_waits_after(b"");
}

#[test]
fn a_run_ends_at_once_while_it_waits_for_the_second_line_of_standard_input() {
    ends_while_it_waits_after(&scene::lines(1_772_323_200, 1, Stamps::Rfc3339));
}

#[test]
fn a_run_ends_at_once_while_it_waits_for_more_of_standard_input() {
    ends_while_it_waits_after(&scene::lines(1_772_323_200, 300, Stamps::Rfc3339));
}

/// What standard input is in these stories, when it has an end.
const WHOLE_INPUT: &Story = &STORIES[6];

/// Tells a run to end that was given `bytes` and waits for more; then lets one finish.
fn ends_while_it_waits_after(bytes: &[u8]) {
    let expected = WHOLE_INPUT.undisturbed();
    for signal in SIGNALS {
        let scene = WHOLE_INPUT.scene();
        let (child, mut input) = reads_a_pipe(&scene);
        input.write_all(bytes).unwrap();
        // Nothing tells that it has read all of it; if it has not, the test still holds.
        thread::sleep(Duration::from_millis(50));
        let (status, stderr) = told_to_end(child, signal)
            .unwrap_or_else(|| panic!("it still ran a second after {signal:?}"));
        assert_eq!(status.signal(), Some(signal.as_raw()), "{stderr}");
        assert!(stderr.contains("Interrupted"), "{stderr}");
        drop(input);
        assert_eq!(WHOLE_INPUT.finish(&scene, &expected), None);
    }
}

#[test]
fn a_run_ends_at_once_while_standard_input_never_ends() {
    let expected = WHOLE_INPUT.undisturbed();
    for signal in SIGNALS {
        let scene = WHOLE_INPUT.scene();
        let (child, mut input) = reads_a_pipe(&scene);
        let writer = thread::spawn(move || {
            let lines = scene::lines(1_772_323_200, 300, Stamps::Rfc3339);
            while input.write_all(&lines).is_ok() {}
        });
        thread::sleep(Duration::from_millis(200));
        let (status, stderr) = told_to_end(child, signal)
            .unwrap_or_else(|| panic!("it still ran a second after {signal:?}"));
        assert_eq!(status.signal(), Some(signal.as_raw()), "{stderr}");
        writer.join().unwrap();
        assert_eq!(WHOLE_INPUT.finish(&scene, &expected), None);
    }
}

#[test]
fn a_second_run_names_the_first_one_and_changes_nothing() {
    let story = &STORIES[0];
    let expected = story.undisturbed();
    let scene = story.scene();
    let (mut holder, input) = reads_a_pipe(&scene);
    for _ in 0..3 {
        let name = format!("process {} (maillogsentinel)", holder.id());
        scene.run().exits(75).says(&name).says("another run is at work");
    }
    // The lock dies with its process, however it dies.
    holder.kill().unwrap();
    holder.wait().unwrap();
    drop(input);
    assert_eq!(story.finish(&scene, &expected), None);
}

/// Starts a run that reads standard input, and waits until it has the lock.
fn reads_a_pipe(scene: &Sentinel) -> (Child, ChildStdin) {
    let mut command = scene.command(&["--set", "paths.mail_log=-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = child.stdin.take().unwrap();
    let started = Instant::now();
    let own = format!("{}\n", child.id());
    while fs::read_to_string(scene.path("state/maillogsentinel.lock")).ok() != Some(own.clone()) {
        assert!(started.elapsed() < Duration::from_secs(90), "it never took the lock");
        thread::sleep(Duration::from_millis(2));
    }
    (child, input)
}

/// Sends `signal`; how the child ended and what it said, `None` if it did not in time.
fn told_to_end(mut child: Child, signal: Signal) -> Option<(ExitStatus, String)> {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // It may be gone; until it is waited for, nobody else has its number.
    kill_process(pid, signal).unwrap();
    let told = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if told.elapsed() > AT_ONCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    Some((output.status, String::from_utf8(output.stderr).unwrap()))
}
