//! Strikes the program at a system call of our choice, by `strace --inject`.
//!
//! strace acts when the call is entered: a killed process has not made it, and a failed call has
//! had no effect. It counts the calls of each thread by itself (`when=N` is the N-th of whichever
//! thread comes there first), so that only calls of one thread can be told apart. That is enough:
//! [`changes`] makes sure that one thread makes all calls that change a file. Those of the others
//! leave no trace: to be killed at one of them is to be killed between two of these.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::{fmt, fs};

use super::scene;
use crate::sentinel::Sentinel;

/// The calls by which a file or folder can change. strace passes over a name with `?` where the
/// processor's architecture has no such call.
const CHANGES: &str = "trace=?write,?pwrite64,?writev,?pwritev,?pwritev2,?sendfile,?splice,\
    ?copy_file_range,?fallocate,?truncate,?ftruncate,?fsync,?fdatasync,?sync_file_range,?msync,\
    ?open,?openat,?creat,?mkdir,?mkdirat,?mknodat,?link,?linkat,?symlink,?symlinkat,?rename,\
    ?renameat,?renameat2,?unlink,?unlinkat,?rmdir,?flock,?fchmod,?fchmodat,?fchown,?fchownat,\
    ?utimensat,?setxattr,?fsetxattr";

/// A call that the program made: of those with this name, the `number`-th of its thread.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: String,
    pub number: usize,
    /// As strace shows it, with the path of each descriptor.
    pub text: String,
    thread: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.name, self.number, self.text)
    }
}

/// What is to happen at a call.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Term,
    /// It fails, because the disk is full.
    Full,
    /// It fails, and all further calls of that name too.
    FullFromThenOn,
}

/// How a run ended that was struck.
#[derive(Debug)]
pub struct Struck {
    /// Its exit status; `None` if it was killed.
    pub status: Option<i32>,
    pub stderr: String,
}

/// The calls by which `command`, a run in `scene`, changes files, in order.
///
/// Fails if more than one thread makes them.
pub fn changes(scene: &Sentinel, command: &Command) -> Vec<Call> {
    let output = under_strace(scene, &["--seccomp-bpf", "-y", "-e", CHANGES], command);
    assert!(output.status.success(), "{output:?}");
    let root = format!("\"{}/", fs::canonicalize(scene.path("")).unwrap().display());
    let mut calls = read(&fs::read(scene.path(RECORD)).unwrap());
    let creates = |call: &Call| call.text.contains("O_CREAT");
    calls.retain(|call| !call.name.starts_with("open") || call.text.contains(&root));
    let changing = calls.iter().find(|call| !call.name.starts_with("open") || creates(call));
    let writer = changing.expect("a run writes something").thread.clone();
    for call in &calls {
        let reads = call.name.starts_with("open") && !creates(call);
        assert!(
            reads || call.thread == writer,
            "two threads change files; strace cannot count the calls of both: {call:?}"
        );
    }
    calls.retain(|call| call.thread == writer);
    calls
}

/// Runs `command` and strikes at the `number`-th call of this name.
pub fn strike(
    scene: &Sentinel,
    command: &Command,
    (name, number): (&str, usize),
    kind: Blow,
) -> Struck {
    let trace = format!("trace={name}");
    let blow = match kind {
        Blow::Kill => format!("signal=KILL:when={number}"),
        Blow::Term => format!("signal=TERM:when={number}"),
        Blow::Full => format!("error=ENOSPC:when={number}"),
        Blow::FullFromThenOn => format!("error=ENOSPC:when={number}+"),
    };
    let inject = format!("inject={name}:{blow}");
    let mut options = vec!["-e", &trace, "-e", &inject];
    // Fast, as strace then sees those calls only; but it forgets to send the signal.
    if !matches!(kind, Blow::Kill | Blow::Term) {
        options.push("--seccomp-bpf");
    }
    let output = under_strace(scene, &options, command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    // strace ends itself by the signal that ended the program.
    let killed = matches!(output.status.signal(), Some(9 | 15));
    assert!(killed || output.status.code().is_some(), "{:?}: {stderr}", output.status);
    Struck { status: output.status.code(), stderr }
}

/// Where strace writes what it saw, in the scratch folder.
const RECORD: &str = "strace";

/// Runs `command` to its end, its calls recorded.
fn under_strace(scene: &Sentinel, options: &[&str], command: &Command) -> Output {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(scene.path(RECORD)).args(options);
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace.current_dir(command.get_current_dir().unwrap());
    strace.stdin(scene::input(scene).unwrap_or_else(Stdio::null));
    let output = strace.output().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("strace is not installed: install the package `strace`"),
        _ => panic!("cannot run strace: {error}"),
    });
    let own = String::from_utf8_lossy(&output.stderr);
    assert!(!own.contains("strace: "), "strace does not work here: {own}");
    output
}

/// Reads lines like `4711  pwrite64(5</x/y.db>, "..., 4096, 0) = 4096`.
fn read(record: &[u8]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in String::from_utf8_lossy(record).lines() {
        let (thread, text) = line.split_once(' ').unwrap();
        let text = text.trim_start();
        // The second half of a call that another one came in between.
        if text.starts_with("<...") || text.starts_with("+++") {
            continue;
        }
        let (name, _) = text.split_once('(').unwrap_or_else(|| panic!("not a call: {line}"));
        let same = |call: &&Call| call.name == name && call.thread == thread;
        let number = calls.iter().filter(same).count() + 1;
        let (name, text, thread) = (name.to_owned(), text.to_owned(), thread.to_owned());
        calls.push(Call { name, number, text, thread });
    }
    calls
}
