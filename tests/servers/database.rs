//! What the database servers of the tests have in common: how they are set up, and how answers are read.
#![allow(dead_code, reason = "each of those who start servers uses its part")]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::authority::Authority;

/// How a server is to be.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// Who may log in over TCP, and all whose name this is over the socket.
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) writes: Writes,
    pub(crate) tls: Tls,
    /// Besides those that make it private and quick, as in its configuration file.
    pub(crate) settings: &'a [(&'a str, &'a str)],
}

impl Default for Setup<'_> {
    fn default() -> Self {
        let (user, password) = ("sentinel", "pass word ü'\\\"");
        Self { user, password, writes: Writes::Hasty, tls: Tls::Offered, settings: &[] }
    }
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// No: a killed server has all that was committed, a machine without power has not.
    Hasty,
    Durable,
}

/// Whether a client may have TLS; none has to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// With a certificate for `localhost`.
    Offered,
    Absent,
}

/// The rows of an answer; `None` is NULL.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// A folder that belongs to this user, with a certificate and its key in it.
pub(crate) fn folder_of(user: &str, authority: &Authority) -> TempDir {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = authority.sign("DNS:localhost", 2);
    fs::copy(certificate, folder.path().join("certificate.pem")).unwrap();
    // A copy has the permissions of the original: nobody else can read the key.
    fs::copy(key, folder.path().join("key.pem")).unwrap();
    // Others may come as far as the socket.
    must(Command::new("chmod").arg("755").arg(folder.path()));
    must(Command::new("chown").arg("-R").arg(format!("{user}:{user}")).arg(folder.path()));
    folder
}

/// Puts a new, empty database into `folder/data`.
///
/// `command` makes one as this user, if a folder is appended to it. That takes seconds, so it is done once for each
/// version of the server and kept under `target/tmp`.
pub(crate) fn empty_database(folder: &Path, user: &str, version: &str, command: &[&str]) {
    // One test at a time looks whether it is there.
    static LOOKING: Mutex<()> = Mutex::new(());
    let looking = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hasher = DefaultHasher::new();
    (version, command).hash(&mut hasher);
    let kept =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{user}-{:016x}", hasher.finish()));
    if !kept.exists() {
        // The user may have no way into `target`.
        let made = TempDir::new_in(folder.parent().unwrap()).unwrap();
        must(Command::new("chown").arg(user).arg(made.path()));
        let (last, others) = command.split_last().unwrap();
        let data = made.path().join("data");
        let last = format!("{last}{}", data.display());
        must(as_user(user, others).arg(last).current_dir(made.path()));
        let unnamed = TempDir::new_in(kept.parent().unwrap()).unwrap();
        must(Command::new("cp").arg("-a").arg(data).arg(unnamed.path()));
        // Another process may have been quicker.
        let _ = fs::rename(unnamed.path().join("data"), &kept);
    }
    drop(looking);
    must(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&kept).arg(folder.join("data")));
}

fn as_user(user: &str, command: &[&str]) -> Command {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", user, "--regid", user, "--init-groups"]).args(command);
    setpriv.env("LC_ALL", "C.UTF-8");
    setpriv
}

/// Runs a program that must not fail.
pub(crate) fn must(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run {command:?}: {error}; run tests/sql/install.sh")
    });
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// That these packages are there, and that we may change users.
pub(crate) fn assert_installed(programs: &[&Path]) {
    for program in programs {
        assert!(program.exists(), "no {}: run tests/sql/install.sh", program.display());
    }
    assert!(rustix::process::geteuid().is_root(), "run this as root: servers run as other users");
}

/// Reads what PostgreSQL's `COPY TO` and MariaDB's `INTO OUTFILE` write: a line for each row, tabs between values,
/// `\N` for NULL, and a backslash before what would be mistaken for any of these.
pub(crate) fn rows(text: &[u8]) -> Rows {
    let (mut rows, mut row, mut value, mut null) = (Vec::new(), Vec::new(), Vec::new(), false);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next().unwrap() {
                b'N' => null = true,
                b'0' => value.push(0),
                b'b' => value.push(8),
                b't' => value.push(b'\t'),
                b'n' => value.push(b'\n'),
                b'v' => value.push(11),
                b'f' => value.push(12),
                b'r' => value.push(b'\r'),
                other => value.push(other),
            },
            b'\t' | b'\n' => {
                let value = String::from_utf8(std::mem::take(&mut value)).unwrap();
                row.push((!std::mem::take(&mut null)).then_some(value));
                if byte == b'\n' {
                    rows.push(std::mem::take(&mut row));
                }
            }
            other => value.push(other),
        }
    }
    rows
}
