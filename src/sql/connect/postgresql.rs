//! PostgreSQL, and what speaks its protocol.

use std::time::Duration;

use postgres::config::{SslMode, TargetSessionAttrs};
use postgres::error::ErrorPosition;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Connection, LOCK, Login, Place, Sink, Tls, Trouble, tls};

/// How long a server may take to answer at the start.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that takes none of our bytes for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// An open connection.
pub struct Postgresql(Client);

impl Postgresql {
    /// Connects to the server at `place`, if that can be written to.
    pub fn connect(place: &Place, login: &Login) -> Result<Self, Trouble> {
        let mut config = Config::new();
        config.application_name("maillogsentinel").dbname(&login.database);
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE);
        config.keepalives_idle(SILENCE).target_session_attrs(TargetSessionAttrs::ReadWrite);
        if let Some(user) = &login.user {
            config.user(user);
        }
        if let Some(password) = &login.password {
            config.password(password);
        }
        let mut port = login.port;
        match place {
            Place::Host(host, own) => {
                port = own.or(port);
                config.host(host);
            }
            Place::Socket(path) => {
                config.host_path(path);
            }
        }
        if let Some(port) = port {
            config.port(port);
        }
        let plain = matches!(place, Place::Socket(_)) || login.tls == Tls::Disable;
        let connected = if plain {
            config.ssl_mode(SslMode::Disable).connect(NoTls)
        } else {
            let prefer = login.tls == Tls::Prefer;
            config.ssl_mode(if prefer { SslMode::Prefer } else { SslMode::Require });
            let verified = login.tls == Tls::VerifyFull;
            let tls = tls::config(verified).map_err(Trouble::Lost)?;
            config.connect(MakeRustlsConnect::new(tls))
        };
        connected.map(Self).map_err(|error| Trouble::Lost(words(&error)))
    }

    fn trouble(&self, error: &postgres::Error, sql: &str) -> Trouble {
        let words = words(error);
        let Some(server) = error.as_db_error() else { return Trouble::Lost(words) };
        let code = server.code().code();
        // Two who make the same table at the same time meet in the catalogue: at an index of it, at the
        // name of the table or at that of its type.
        let met = match code {
            "23505" => server.constraint().is_some_and(|name| name.starts_with("pg_")),
            "42P07" | "42710" => sql.to_ascii_uppercase().contains("IF NOT EXISTS"),
            _ => false,
        };
        // Classes 08 and 57P: the connection, a server that shuts down; 25006: it only reads.
        if self.0.is_closed()
            || code.starts_with("08")
            || code.starts_with("57P")
            || code == "25006"
        {
            return Trouble::Lost(words);
        }
        if matches!(code, "40001" | "40P01" | "55P03") || met {
            return Trouble::Busy(words);
        }
        // Classes 53 and 58: no room, no memory, a broken disk; XX: a broken table.
        if ["53", "58", "XX"].iter().any(|class| code.starts_with(class)) {
            return Trouble::Unable(words);
        }
        let line = match server.position() {
            // In characters, the first being 1.
            Some(ErrorPosition::Original(at)) => {
                let before = sql.chars().take((*at as usize).saturating_sub(1));
                Some(before.filter(|c| *c == '\n').count() as u64)
            }
            _ => None,
        };
        Trouble::Refused { words, line }
    }
}

impl Connection for Postgresql {
    fn execute(&mut self, sql: &str) -> Result<u64, Trouble> {
        let done = self.0.simple_query(sql);
        let messages = done.map_err(|error| self.trouble(&error, sql))?;
        let changed = messages.iter().map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => *rows,
            _ => 0,
        });
        Ok(changed.sum())
    }

    fn query(&mut self, sql: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let none: [&str; 0] = [];
        let mut run = |client: &mut Client| -> Result<(), postgres::Error> {
            let mut rows = client.query_raw(sql, none)?;
            while let Some(row) = rows.next()? {
                let mut values = Vec::with_capacity(row.len());
                for column in 0..row.len() {
                    values.push(row.try_get::<_, Option<&str>>(column)?.map(str::as_bytes));
                }
                sink(&values);
            }
            Ok(())
        };
        run(&mut self.0).map_err(|error| self.trouble(&error, sql))
    }

    fn reset(&mut self) -> Result<(), Trouble> {
        self.execute("DISCARD ALL")?;
        self.execute(&format!("SET lock_timeout = {}", LOCK.as_millis())).map(drop)
    }
}

/// The server's own words, or why it could not be asked.
fn words(error: &postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        let more = [server.detail(), server.hint()].into_iter().flatten();
        return more.fold(server.message().to_owned(), |text, more| format!("{text}; {more}"));
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
