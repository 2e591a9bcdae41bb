//! A real PostgreSQL on loopback and on a socket, in a folder of its own, ended with the test.
#![allow(dead_code, reason = "each of those who start it uses its part")]

use std::fmt::Write;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::authority::Authority;
use crate::daemon::{Daemon, free_port, log_of, patiently};
use crate::database::{
    Rows, Setup, Tls, Writes, assert_installed, empty_database, folder_of, must, rows,
};

/// Who owns the processes and the cluster.
const OWNER: &str = "postgres";

/// Shared memory in files, for files under `/dev/shm` would be left by a server that is killed.
const CONFIGURATION: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = 'FOLDER'
dynamic_shared_memory_type = mmap
shared_buffers = 32MB
max_connections = 50
autovacuum_naptime = 1h
ssl_cert_file = 'FOLDER/certificate.pem'
ssl_key_file = 'FOLDER/key.pem'
";

/// By TCP with a password, by the socket without.
const WHO: &str = "\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
";

/// PostgreSQL, ended with the test.
pub(crate) struct Postgres {
    // Dropped first: its files can be removed once nobody writes any.
    daemon: Daemon,
    folder: TempDir,
    authority: Authority,
    port: u16,
    user: String,
}

impl Postgres {
    /// As most tests need it.
    pub(crate) fn start() -> Self {
        Self::with(&Setup::default())
    }

    pub(crate) fn with(setup: &Setup) -> Self {
        let programs = programs();
        assert_installed(
            &["initdb", "postgres", "psql"]
                .map(|name| programs.join(name))
                .each_ref()
                .map(PathBuf::as_path),
        );
        let authority = Authority::new();
        let folder = folder_of(OWNER, &authority);
        let initdb = programs.join("initdb");
        empty_database(
            folder.path(),
            OWNER,
            &programs.display().to_string(),
            &[
                initdb.to_str().unwrap(),
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--username=postgres",
                "--auth=trust",
                "--pgdata=",
            ],
        );
        configure(folder.path(), setup);
        // The port is free when we look; should it be taken in between, we try another.
        for _ in 0..5 {
            let port = free_port();
            match run(folder.path(), port) {
                Ok(daemon) => {
                    let user = setup.user.to_owned();
                    let new = Self { daemon, folder, authority, port, user };
                    new.welcome(setup);
                    return new;
                }
                Err(said) => assert!(said.contains("Address already in use"), "{said}"),
            }
        }
        panic!("no free port for PostgreSQL");
    }

    /// Makes the user, who may make databases.
    fn welcome(&self, setup: &Setup) {
        let (user, password) = (quoted(setup.user, '"'), quoted(setup.password, '\''));
        self.administer(&format!("CREATE ROLE {user} LOGIN CREATEDB PASSWORD {password}"));
    }

    /// Where it listens on 127.0.0.1, and what its socket is named after.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the authority that signed the server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.authority.certificate()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        log_of(self.folder.path())
    }

    /// A new database that belongs to the user.
    pub(crate) fn create_database(&self, name: &str) {
        let (name, user) = (quoted(name, '"'), quoted(&self.user, '"'));
        self.administer(&format!("CREATE DATABASE {name} OWNER {user}"));
    }

    /// The answer to a SELECT, or to a statement with RETURNING, of the user.
    pub(crate) fn query(&self, database: &str, sql: &str) -> Rows {
        let copy = format!("COPY ({sql}) TO STDOUT");
        rows(&must(self.psql(&self.user, database).arg("--command").arg(copy)).stdout)
    }

    /// Runs statements of the user that must not fail.
    pub(crate) fn execute(&self, database: &str, sql: &str) {
        must(self.psql(&self.user, database).arg("--command").arg(sql));
    }

    /// Runs a statement of the superuser in the database `postgres`.
    pub(crate) fn administer(&self, sql: &str) {
        must(self.psql(OWNER, "postgres").arg("--command").arg(sql));
    }

    /// Loads a file as the user, as an administrator would; it may fail.
    pub(crate) fn load_file(&self, database: &str, file: &Path) -> Output {
        self.psql(&self.user, database).arg("--file").arg(file).output().unwrap()
    }

    /// Ends it by SIGKILL, in the middle of whatever it does; none of its processes is left.
    pub(crate) fn kill_hard(&mut self) {
        self.daemon.kill();
    }

    /// Starts it on the same port, after it was killed.
    pub(crate) fn start_again(&mut self) {
        self.daemon = run(self.folder.path(), self.port).unwrap_or_else(|said| panic!("{said}"));
    }

    fn psql(&self, user: &str, database: &str) -> Command {
        let mut command = Command::new(programs().join("psql"));
        command.args(["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]);
        command.arg("--host").arg(self.folder.path()).args(["--port", &self.port.to_string()]);
        command.args(["--username", user, "--dbname", database]).env("PGCLIENTENCODING", "UTF8");
        command
    }
}

/// The newest version that Debian installed; its programs are not in the `PATH`.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions.filter_map(|it| it.unwrap().file_name().to_str()?.parse::<u32>().ok());
    let newest = newest.max().expect("no PostgreSQL: run tests/sql/install.sh");
    Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")
}

fn configure(folder: &Path, setup: &Setup) {
    let mut text = CONFIGURATION.replace("FOLDER", folder.to_str().unwrap());
    if setup.tls == Tls::Offered {
        text.push_str("ssl = on\n");
    }
    if setup.writes == Writes::Hasty {
        text.push_str("fsync = off\nfull_page_writes = off\n");
    }
    for (name, value) in setup.settings {
        writeln!(text, "{name} = {}", quoted(value, '\'')).unwrap();
    }
    fs::write(folder.join("data/postgresql.conf"), text).unwrap();
    fs::write(folder.join("data/pg_hba.conf"), WHO).unwrap();
}

fn run(folder: &Path, port: u16) -> Result<Daemon, String> {
    let programs = programs();
    let data = folder.join("data");
    let arguments = ["-D", data.to_str().unwrap(), "-p", &port.to_string()].map(str::to_owned);
    let mut daemon = Daemon::start(OWNER, folder, &programs.join("postgres"), &arguments);
    let answers = || {
        let mut ready = Command::new(programs.join("pg_isready"));
        ready.arg("--quiet").arg("--host").arg(folder).args(["--port", &port.to_string()]);
        ready.status().unwrap().success()
    };
    let ready = patiently(|| {
        if daemon.has_ended() {
            return Some(false);
        }
        // It listens before it answers; we start no program until then.
        (TcpStream::connect(("127.0.0.1", port)).is_ok() && answers()).then_some(true)
    });
    if ready == Some(true) { Ok(daemon) } else { Err(log_of(folder)) }
}

fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
}
