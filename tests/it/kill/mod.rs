//! Kills the program, at calls that change a file and at random instants: the next run must end as if
//! nothing had happened. Hundreds of kills each time; each test asks for its share.

mod reset;
pub mod scene;
pub mod strace;
mod signals;
mod sql;

use std::fmt::Write;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::sentinel::{Ran, Sentinel};
use scene::{CSV, STORIES, Story, Troubles};
use strace::{Blow, Call};

#[test]
fn strace_kills_before_the_call_is_made() {
    let story = &STORIES[0];
    let scene = story.scene();
    let calls = strace::changes(&scene, &scene::command(&scene));
    let rename = calls.iter().find(|call| call.name.starts_with("rename"));
    let rename = rename.expect("the CSV appears by a rename");
    let scene = story.scene();
    let call = (rename.name.as_str(), rename.number);
    let struck = strace::strike(&scene, &scene::command(&scene), call, Blow::Kill);
    assert_eq!(struck.status, None);
    assert!(!scene.path(CSV).exists());
}

/// One test for each story, so that they run at the same time.
macro_rules! at_calls {
    ($($test:ident: $number:literal,)*) => {
        $(#[test]
        fn $test() {
            at_calls(&STORIES[$number]);
        })*
    };
}

at_calls! {
    killed_in_the_first_run: 0,
    killed_after_growth_and_a_rotation: 1,
    killed_before_a_rotation: 2,
    killed_when_the_csv_was_moved_away: 3,
    killed_when_the_csv_has_a_note: 4,
    killed_when_the_log_came_back_from_a_backup: 5,
    killed_while_reading_standard_input: 6,
    killed_while_taking_over_csv_and_offset: 7,
    killed_while_taking_over_an_offset: 8,
    killed_while_taking_over_a_csv: 9,
}

/// Kills the run at every other call that changes a file, by chance the odd or the even ones, every other
/// time the next runs too, and lets the one after that finish. At all of them: `KILLS=all`.
fn at_calls(story: &Story) {
    let seed = seed();
    let mut random = Random(seed);
    let expected = story.undisturbed();
    let scene = story.scene();
    let calls = strace::changes(&scene, &scene::command(&scene));
    let mut troubles = Troubles::of(story);
    let mut missed = 0;
    let (first, step) =
        if std::env::var_os("KILLS").is_some() { (0, 1) } else { (random.below(2), 2) };
    for call in calls.iter().skip(first).step_by(step) {
        let scene = story.scene();
        // The C library asks for the number of processors in whichever thread needs memory first,
        // so that a thread's calls may be one fewer than the last time.
        if !kill(&scene, call) {
            missed += 1;
            assert!(missed <= 3, "{}: it never came to {call:?}", story.name);
            continue;
        }
        let mut what = format!("seed {seed}; killed at {call}");
        for _ in 0..random.below(4).saturating_sub(1) {
            let next = &calls[random.below(calls.len())];
            if kill(&scene, next) {
                write!(what, "; then at {next}").unwrap();
            }
        }
        troubles.note(&what, story.finish(&scene, &expected));
    }
    troubles.end(30);
}

/// Runs the program and kills it at `call`; false if it ended well before.
fn kill(scene: &Sentinel, call: &Call) -> bool {
    let call = (call.name.as_str(), call.number);
    let struck = strace::strike(scene, &scene::command(scene), call, Blow::Kill);
    assert!(matches!(struck.status, None | Some(0)), "{struck:?}");
    struck.status.is_none()
}

#[test]
fn killed_at_random_instants() {
    at_random_instants(&LARGE, 70);
}

/// So many are judged at once that a thread reads the store ahead.
#[test]
fn killed_at_random_instants_of_a_busy_hour() {
    at_random_instants(&BUSY_HOUR, 60);
}

fn at_random_instants(story: &Story, least: usize) {
    let seed = seed();
    let expected = story.undisturbed();
    let scene = story.scene();
    let started = Instant::now();
    Ran::of(&mut scene::command(&scene)).exits(0);
    let mut whole = started.elapsed();
    let mut random = Random(seed);
    let (mut kills, mut attempts) = (0, 0);
    let mut troubles = Troubles::of(story);
    while kills < least {
        let scene = story.scene();
        let mut what = format!("seed {seed}; a run takes {whole:?}, killed after");
        // Up to three in a row before one may finish.
        for _ in 0..=random.below(3) {
            let delay = whole * u32::try_from(random.below(1000)).unwrap() / 1000;
            attempts += 1;
            // How long it takes hangs on what runs beside it.
            if !killed_after(delay, scene::command(&scene)) {
                whole = whole * 7 / 10;
                break;
            }
            whole = whole * 11 / 10;
            kills += 1;
            write!(what, " {delay:?}").unwrap();
        }
        troubles.note(&what, story.finish(&scene, &expected));
        assert!(attempts < 1000, "only {kills} of {attempts} runs were killed before they ended");
    }
    troubles.end(30);
}

/// Runs `command` and kills it after `delay`; false if it ended before.
fn killed_after(delay: Duration, mut command: Command) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(delay);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.signal() == Some(9) || status.code() == Some(0), "{status}");
    status.signal().is_some()
}

#[test]
fn killed_in_the_middle_of_a_write_to_the_store() {
    torn_at_each(&STORIES[0], 0, 1511);
}

/// The CSV is by far the largest file here, so that the limit stops nothing else.
#[test]
fn killed_in_the_middle_of_a_write_to_the_csv() {
    let length = fs::metadata(LONG_CSV.scene().path(CSV)).unwrap().len();
    torn_at_each(&LONG_CSV, length, 97);
}

/// Lets no file grow beyond a limit, from `start` on in steps, until a run gets through: the write
/// that meets the limit is made up to there, and the next one kills. That leaves half a row, or
/// half a page, as a kill during a write may.
fn torn_at_each(story: &Story, start: u64, step: usize) {
    let expected = story.undisturbed();
    let mut troubles = Troubles::of(story);
    for limit in (start..).step_by(step) {
        let scene = story.scene();
        let mut limited = limited(limit, "prlimit", &scene::command(&scene));
        let torn = limited.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let what = format!("no file could grow beyond {limit} bytes");
        troubles.note(&what, story.finish(&scene, &expected));
        if torn.success() {
            break;
        }
        assert_eq!(torn.signal(), Some(SIGXFSZ), "{}: {limit}: {torn}", story.name);
    }
    troubles.end(80);
}

/// The signal for who writes beyond the limit.
const SIGXFSZ: i32 = 25;

/// `command` with a limit for the size of its files, set by `program`: `prlimit`, or `env` where
/// the signal is to be ignored.
pub fn limited(bytes: u64, program: &str, command: &Command) -> Command {
    let mut limited = Command::new(program);
    if program == "env" {
        limited.args(["--ignore-signal=XFSZ", "prlimit"]);
    }
    limited.args([&format!("--fsize={bytes}"), "--core=0", "--"]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(command.get_current_dir().unwrap());
    limited
}

/// A CSV that is longer than any other file.
pub const LONG_CSV: Story = Story { name: "a long CSV", before: scene::long_csv, after: None };

/// A log that takes long enough to be killed anywhere in it: 30,000 lines in ten files.
pub const LARGE: Story = Story { name: "a large log", before: scene::large, after: None };

/// A run that records and judges some 1,200 failures and hundreds of logins, after days of others.
const BUSY_HOUR: Story = Story { name: "a busy hour", before: scene::busy_hour, after: None };

/// A number that is another one in each run of the tests; messages tell it.
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// splitmix64, by Sebastiano Vigna: good enough to choose where to strike.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }
}
