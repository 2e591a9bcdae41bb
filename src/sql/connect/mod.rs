//! A connection to a database: runs statements, and tells the kinds of trouble apart.

mod literals;
pub mod mysql;
pub mod postgresql;
pub mod sqlite;
mod tls;

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::engine::Engine;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host, and its port if it has one of its own.
    Host(String, Option<u16>),
    /// A folder with a Unix socket in it, or the socket.
    Socket(PathBuf),
}

/// How a connection is encrypted; none is through a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not.
    Disable,
    /// If the server can; its certificate is not looked at.
    Prefer,
    /// Always; its certificate is not looked at.
    Require,
    /// Always, with a certificate for the server's name that the system trusts.
    VerifyFull,
}

/// Who logs in where.
#[derive(Clone)]
pub struct Login {
    /// The database.
    pub database: String,
    /// The user; `None` means the one that this process runs as.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The port of places that do not tell their own.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub tls: Tls,
}

/// Why a statement was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is gone, or the server cannot be written to: another one may do.
    Lost(String),
    /// Another client was in the way: the same again may do.
    Busy(String),
    /// The database cannot do its work, whatever the statement: its disk is full or broken.
    Unable(String),
    /// The statement is wrong, or not allowed.
    Refused {
        /// The server's words.
        words: String,
        /// The line of the statement that they are about, the first being 0, if the server says.
        line: Option<u64>,
    },
}

impl Trouble {
    /// The server's words.
    pub fn words(&self) -> &str {
        match self {
            Self::Lost(words)
            | Self::Busy(words)
            | Self::Unable(words)
            | Self::Refused { words, .. } => words,
        }
    }
}

/// Takes a row: its values as text, `None` for NULL.
pub type Sink<'a> = dyn FnMut(&[Option<&[u8]>]) + 'a;

/// How long a server may take to let us in.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a statement may wait for what other clients have locked.
const LOCK: Duration = Duration::from_secs(60);

/// A connection to a database.
pub trait Connection: Send {
    /// Runs one statement; gives the number of rows that it changed.
    fn execute(&mut self, sql: &str) -> Result<u64, Trouble>;

    /// Runs a statement that gives rows of texts, one after another in bounded memory.
    fn query(&mut self, sql: &str, sink: &mut Sink<'_>) -> Result<(), Trouble>;

    /// Forgets what earlier statements set for the session.
    fn reset(&mut self) -> Result<(), Trouble>;
}

/// Where and how to connect.
#[derive(Clone)]
pub enum Target {
    /// A file of SQLite.
    File(PathBuf),
    /// Servers, tried in turn.
    Servers(Vec<Place>, Login),
}

impl Target {
    /// How many places there are to try.
    pub fn places(&self) -> usize {
        match self {
            Self::File(_) => 1,
            Self::Servers(places, _) => places.len(),
        }
    }

    /// What to do if it cannot be reached.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File(_) => {
                "let the user this runs as write the file and its folder, or set `db_path` in section \
                 [database]"
            }
            Self::Servers(..) => {
                "check db_host, db_port, db_name, db_user and the password in section [database], and whether \
                 the server runs"
            }
        }
    }

    /// Place number `at`, for people.
    pub fn shown(&self, at: usize) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Servers(places, login) => match places.get(at) {
                Some(Place::Host(host, port)) => match port.or(login.port) {
                    Some(port) => format!("{host}:{port}"),
                    None => host.clone(),
                },
                Some(Place::Socket(path)) => path.display().to_string(),
                None => String::new(),
            },
        }
    }

    /// Connects to place number `at`.
    pub fn connect(&self, engine: Engine, at: usize) -> Result<Box<dyn Connection>, Trouble> {
        match (self, engine) {
            (Self::File(path), _) => Ok(Box::new(sqlite::Sqlite::open(path)?)),
            (Self::Servers(places, login), engine) => {
                let place = places.get(at).ok_or(Trouble::Lost("no server is named".to_owned()))?;
                log_in(engine, place.clone(), login.clone())
            }
        }
    }
}

/// Logs in at a server in a bounded time: the libraries wait for one that takes the connection and then
/// says nothing.
fn log_in(engine: Engine, place: Place, login: Login) -> Result<Box<dyn Connection>, Trouble> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let connected: Result<Box<dyn Connection>, _> = if engine == Engine::Mysql {
            mysql::Mysql::connect(&place, &login).map(|connection| Box::new(connection) as _)
        } else {
            postgresql::Postgresql::connect(&place, &login)
                .map(|connection| Box::new(connection) as _)
        };
        // Nobody waits for it if it took too long.
        let _ = sender.send(connected);
    });
    receiver.recv_timeout(ANSWER).unwrap_or_else(|_| {
        Err(Trouble::Lost(format!("it did not let us in for {} seconds", ANSWER.as_secs())))
    })
}
