//! A server as a process of its own, ended with all that it started when the test ends, however that ends.
#![allow(dead_code, reason = "each of those who start servers uses its part")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a busy machine may take for what an idle one does in a second.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server in PID and IPC namespaces of its own: whatever it starts ends with it, shared memory too.
pub(crate) struct Daemon {
    process: Child,
    /// The server itself, which is the first process of its namespace.
    first: Pid,
}

impl Daemon {
    /// Starts a program as this user, with its log in `folder/log`.
    pub(crate) fn start(user: &str, folder: &Path, program: &Path, arguments: &[String]) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new("setpriv");
        // The kernel ends unshare with the thread that started it, and the server with unshare. A change of users
        // cancels such an order, so the second setpriv gives it anew.
        command
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--ipc", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc", "setpriv", "--pdeathsig", "KILL"])
            .args(["--reuid", user, "--regid", user, "--init-groups"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let process = spawn(command).unwrap_or_else(|error| {
            panic!("cannot run setpriv: {error}; install the package util-linux")
        });
        let id = process.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let first = patiently(|| fs::read_to_string(&children).ok()?.trim().parse().ok())
            .unwrap_or_else(|| panic!("no server: {}", log_of(folder)));
        Self { process, first: Pid::from_raw(first).unwrap() }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Ends it by SIGKILL, in the middle of whatever it does; none of its processes is left.
    pub(crate) fn kill(&mut self) {
        if !self.has_ended() {
            let _ = kill_process(self.first, Signal::KILL);
        }
        // The kernel ends a namespace with its first process, and unshare waits for that one.
        let _ = self.process.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a process that ends with this one, not with the thread that asks for it: a server may outlive the test that
/// needed it first.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static LASTING: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, ordered) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in ordered {
                answer.send(command.spawn()).unwrap();
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = mpsc::channel();
    LASTING.lock().unwrap().send((command, answer)).unwrap();
    answered.recv().unwrap()
}

/// What the server in this folder said so far.
pub(crate) fn log_of(folder: &Path) -> String {
    String::from_utf8_lossy(&fs::read(folder.join("log")).unwrap_or_default()).into_owned()
}

/// A port that nobody has, and that the kernel gives to nobody who does not ask for it: a server that was killed can
/// have it again.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    patiently(|| {
        // Clients get theirs from 32768 on.
        let port = fastrand::u16(15_000..32_000);
        let free = TcpListener::bind(("127.0.0.1", port)).is_ok();
        (free && GIVEN.lock().unwrap().insert(port)).then_some(port)
    })
    .expect("no free port")
}

/// Tries until there is an answer; `None` if there was none in a long time.
pub(crate) fn patiently<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let answer = attempt();
        if answer.is_some() || started.elapsed() > PATIENCE {
            return answer;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
