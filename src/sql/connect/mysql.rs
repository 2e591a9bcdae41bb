//! MySQL and MariaDB, alone or as a Galera cluster.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use mysql::prelude::Queryable;
use mysql::{Conn, DriverError, Error, OptsBuilder, SslOpts, Value};
use tempfile::NamedTempFile;

use super::{Connection, LOCK, Login, Place, Sink, Tls, Trouble, tls};

/// How long a server may take to answer at the start.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that takes none of our bytes for so long is gone.
const SILENCE_MS: u32 = 30_000;
/// The socket's usual name, in the folder that the configuration names.
const SOCKETS: [&str; 2] = ["mysqld.sock", "mysql.sock"];

/// An open connection.
pub struct Mysql(Conn);

impl Mysql {
    /// Connects to the server at `place`.
    pub fn connect(place: &Place, login: &Login) -> Result<Self, Trouble> {
        let mut options = OptsBuilder::new()
            .db_name(Some(&login.database))
            .user(login.user.as_ref().or(Some(&own_name())))
            .pass(login.password.as_ref())
            .prefer_socket(false)
            .tcp_connect_timeout(Some(CONNECT))
            .tcp_keepalive_time_ms(Some(SILENCE_MS))
            .tcp_user_timeout_ms(Some(SILENCE_MS));
        let plain = matches!(place, Place::Socket(_)) || login.tls == Tls::Disable;
        match place {
            Place::Host(host, own) => {
                options = options.ip_or_hostname(Some(host));
                options = options.tcp_port(own.or(login.port).unwrap_or(3306));
            }
            Place::Socket(path) => {
                options = options.socket(Some(socket(path).display().to_string()));
            }
        }
        // The library reads authorities from a file.
        let mut authorities = None;
        let secure = match login.tls {
            _ if plain => None,
            Tls::VerifyFull => {
                let file = authorities.insert(pem().map_err(|e| Trouble::Lost(e.to_string()))?);
                Some(SslOpts::default().with_root_cert_path(Some(file.path().to_owned())))
            }
            _ => Some(
                SslOpts::default()
                    .with_danger_accept_invalid_certs(true)
                    .with_danger_skip_domain_validation(true),
            ),
        };
        let first = Conn::new(options.clone().ssl_opts(secure));
        let connected = match first {
            Err(Error::DriverError(DriverError::TlsNotSupported)) if login.tls == Tls::Prefer => {
                Conn::new(options.ssl_opts(None))
            }
            done => done,
        };
        let mut connection = Self(connected.map_err(|error| Trouble::Lost(words(&error)))?);
        connection.prepare()?;
        Ok(connection)
    }

    fn prepare(&mut self) -> Result<(), Trouble> {
        self.execute("SET NAMES utf8mb4")?;
        self.execute(&format!("SET SESSION lock_wait_timeout = {}", LOCK.as_secs()))?;
        // A node of Galera that was just asked may not have applied what another one committed.
        let mut cluster = false;
        let sql = "SHOW VARIABLES LIKE 'wsrep_sync_wait'";
        self.query(sql, &mut |_| cluster = true)?;
        if cluster {
            self.execute("SET SESSION wsrep_sync_wait = 15")?;
        }
        Ok(())
    }
}

impl Connection for Mysql {
    fn execute(&mut self, sql: &str) -> Result<u64, Trouble> {
        let mut result = self.0.query_iter(sql).map_err(|error| trouble(&error))?;
        let mut changed = 0;
        while let Some(set) = result.iter() {
            changed += set.affected_rows();
            for row in set {
                row.map_err(|error| trouble(&error))?;
            }
        }
        Ok(changed)
    }

    fn query(&mut self, sql: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let result = self.0.query_iter(sql).map_err(|error| trouble(&error))?;
        for row in result {
            let row = row.map_err(|error| trouble(&error))?;
            let value = |column| match row.as_ref(column) {
                Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                _ => None,
            };
            let values: Vec<_> = (0..row.len()).map(value).collect();
            sink(&values);
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<(), Trouble> {
        self.0.reset().map_err(|error| trouble(&error))?;
        self.prepare()
    }
}

/// The socket at `path`, or in that folder.
fn socket(path: &Path) -> std::path::PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let [usual, _] = SOCKETS;
    let found = SOCKETS.iter().map(|name| path.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| path.join(usual))
}

/// The authorities that this system trusts, as PEM.
fn pem() -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    for certificate in tls::authorities() {
        let text = base64::engine::general_purpose::STANDARD.encode(&certificate);
        writeln!(file, "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----")?;
    }
    Ok(file)
}

/// The user that this process runs as; the server may know who is at the other end of a socket.
fn own_name() -> String {
    crate::host::Host::user_name()
}

fn trouble(error: &Error) -> Trouble {
    let words = words(error);
    let server = match error {
        Error::MySqlError(server) => server,
        // The type is not made public.
        Error::CodecError(_) if words.contains("max_allowed_packet") => {
            let words =
                "this statement is larger than the server takes: raise its max_allowed_packet"
                    .to_owned();
            return Trouble::Refused { words, line: None };
        }
        _ => return Trouble::Lost(words),
    };
    match server.code {
        // Too many connections, shutting down, killed, not part of the cluster for now, read-only.
        1040 | 1053 | 1152 | 1203 | 1290 | 1792 | 1836 | 1927 | 1047 => Trouble::Lost(words),
        // A lock that took too long, a deadlock; in a cluster, a commit that another node was faster with.
        1205 | 1213 => Trouble::Busy(words),
        // A file cannot be written or read; the disk is full, or the table; no memory; a broken table.
        3 | 5 | 1021 | 1026 | 1030 | 1034 | 1037 | 1038 | 1041 | 1114 | 1194 | 1195 | 3675 => {
            Trouble::Unable(words)
        }
        _ => Trouble::Refused { line: line(&server.message), words },
    }
}

/// `… near 'x' at line 3` counts from 1.
fn line(message: &str) -> Option<u64> {
    let (_, number) = message.rsplit_once(" at line ")?;
    number.parse::<u64>().ok()?.checked_sub(1)
}

fn words(error: &Error) -> String {
    match error {
        Error::MySqlError(server) => format!("{} ({})", server.message, server.code),
        Error::DriverError(error) => error.to_string(),
        Error::IoError(error) => error.to_string(),
        other => other.to_string(),
    }
}
