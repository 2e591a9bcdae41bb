//! A real MariaDB on loopback and on a socket, in a folder of its own, ended with the test.
#![allow(dead_code, reason = "each of those who start it uses its part")]

use std::fmt::Write;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::authority::Authority;
use crate::daemon::{Daemon, free_port, log_of, patiently};
use crate::database::{
    Rows, Setup, Tls, Writes, assert_installed, empty_database, folder_of, must, rows,
};

/// Who owns the processes and the files.
const OWNER: &str = "mysql";

const SERVER: &str = "/usr/sbin/mariadbd";
const INSTALLER: &str = "/usr/bin/mariadb-install-db";
const CLIENT: &str = "/usr/bin/mysql";

/// The disk's own asynchronous writes need locked memory, of which several servers have not enough. `[sst]` is
/// for clusters: a server that has a certificate wants its copies encrypted, by a program more.
const CONFIGURATION: &str = "\
[sst]
ssl_mode = DISABLED
[mysqld]
datadir = FOLDER/data
socket = FOLDER/socket
pid_file = FOLDER/pid
tmpdir = FOLDER
bind_address = 127.0.0.1
port = PORT
skip_name_resolve = ON
character_set_server = utf8mb4
innodb_buffer_pool_size = 32M
innodb_log_file_size = 16M
innodb_use_native_aio = OFF
";

/// MariaDB, ended with the test.
pub(crate) struct MariaDb {
    // Dropped first: its files can be removed once nobody writes any.
    daemon: Option<Daemon>,
    folder: TempDir,
    authority: Authority,
    port: u16,
    user: String,
    password: String,
    answers: AtomicU32,
}

impl MariaDb {
    /// As most tests need it.
    pub(crate) fn start() -> Self {
        Self::with(&Setup::default())
    }

    pub(crate) fn with(setup: &Setup) -> Self {
        // The port is free when we look; should it be taken in between, we try another.
        for _ in 0..5 {
            let mut new = Self::prepare(setup, free_port());
            match new.run(&[]) {
                Ok(()) => {
                    new.welcome();
                    return new;
                }
                Err(said) => assert!(said.contains("Address already in use"), "{said}"),
            }
        }
        panic!("no free port for MariaDB");
    }

    /// All but the process.
    pub(crate) fn prepare(setup: &Setup, port: u16) -> Self {
        assert_installed(&[SERVER, INSTALLER, CLIENT].map(Path::new));
        let authority = Authority::new();
        let folder = folder_of(OWNER, &authority);
        let version = must(Command::new(SERVER).args(["--no-defaults", "--version"])).stdout;
        empty_database(
            folder.path(),
            OWNER,
            &String::from_utf8(version).unwrap(),
            &[
                INSTALLER,
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=socket",
                "--auth-root-socket-user=root",
                "--innodb-log-file-size=16M",
                "--innodb-flush-method=nosync",
                "--datadir=",
            ],
        );
        configure(folder.path(), port, setup);
        let [user, password] = [setup.user, setup.password].map(str::to_owned);
        Self { daemon: None, folder, authority, port, user, password, answers: AtomicU32::new(0) }
    }

    /// Starts the process with these arguments, and waits until it answers.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> Result<(), String> {
        let mut all = vec![format!("--defaults-file={}/my.cnf", self.folder.path().display())];
        all.extend(arguments.iter().map(|it| (*it).to_owned()));
        let mut daemon = Daemon::start(OWNER, self.folder.path(), Path::new(SERVER), &all);
        let ready = patiently(|| {
            if daemon.has_ended() {
                return Some(false);
            }
            let listens = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            (listens && self.try_administer("DO 0").status.success()).then_some(true)
        });
        if ready != Some(true) {
            return Err(self.log());
        }
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Makes the user, who may make databases and do with them what they want.
    pub(crate) fn welcome(&self) {
        let [user, password] = [&self.user, &self.password].map(|it| quoted(it));
        self.administer(&format!(
            "CREATE USER {user}@'%' IDENTIFIED BY {password}; GRANT ALL ON *.* TO {user}@'%'"
        ));
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The certificate of the authority that signed the server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.authority.certificate()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        log_of(self.folder.path())
    }

    pub(crate) fn create_database(&self, name: &str) {
        self.administer(&format!("CREATE DATABASE `{}`", name.replace('`', "``")));
    }

    /// What later connections begin with, whatever it was set up with.
    pub(crate) fn set_sql_mode(&self, mode: &str) {
        self.administer(&format!("SET GLOBAL sql_mode = {}", quoted(mode)));
    }

    /// The answer to a SELECT of `root`.
    pub(crate) fn query(&self, database: &str, sql: &str) -> Rows {
        // The client's own output shows no difference between NULL and 'NULL'.
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.path().join(format!("answer-{number}"));
        let path = quoted(file.to_str().unwrap());
        let sql = format!("{sql} INTO OUTFILE {path}");
        must(self.client("root", database).arg("--execute").arg(sql));
        let answer = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        rows(&answer)
    }

    /// Runs statements of the user that must not fail.
    pub(crate) fn execute(&self, database: &str, sql: &str) {
        must(self.client(&self.user, database).arg("--execute").arg(sql));
    }

    /// Runs statements of `root`, in no `sql_mode`, that must not fail.
    pub(crate) fn administer(&self, sql: &str) {
        let output = self.try_administer(sql);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn try_administer(&self, sql: &str) -> Output {
        self.client("root", "").arg("--execute").arg(sql).output().unwrap()
    }

    /// Loads a file as the user, as an administrator would; it may fail.
    pub(crate) fn load_file(&self, database: &str, file: &Path) -> Output {
        self.client(&self.user, database).stdin(File::open(file).unwrap()).output().unwrap()
    }

    /// Ends it by SIGKILL, in the middle of whatever it does; none of its processes is left.
    pub(crate) fn kill_hard(&mut self) {
        self.daemon = None;
    }

    pub(crate) fn is_running(&self) -> bool {
        self.daemon.is_some()
    }

    /// Starts it on the same port, after it was killed.
    pub(crate) fn start_again(&mut self) {
        self.run(&[]).unwrap_or_else(|said| panic!("{said}"));
    }

    fn client(&self, user: &str, database: &str) -> Command {
        let mut command = Command::new(CLIENT);
        command.args(["--no-defaults", "--default-character-set=utf8mb4", "--connect-timeout=10"]);
        command.arg("--socket").arg(self.socket()).args(["--user", user, database]);
        if user == "root" {
            // The server knows root by the user of the process. What we write and read is of no other mode.
            command.arg("--init-command=SET sql_mode = ''");
        } else {
            command.env("MYSQL_PWD", &self.password);
        }
        command
    }
}

fn configure(folder: &Path, port: u16, setup: &Setup) {
    let mut text = CONFIGURATION.replace("PORT", &port.to_string());
    if setup.tls == Tls::Offered {
        text.push_str("ssl_cert = FOLDER/certificate.pem\nssl_key = FOLDER/key.pem\n");
    }
    if setup.writes == Writes::Hasty {
        text.push_str("innodb_flush_method = nosync\ninnodb_flush_log_at_trx_commit = 2\n");
    }
    for (name, value) in setup.settings {
        writeln!(text, "{name} = {value}").unwrap();
    }
    fs::write(folder.join("my.cnf"), text.replace("FOLDER", folder.to_str().unwrap())).unwrap();
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
