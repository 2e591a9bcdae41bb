//! Section `[database]`: where rows go as SQL, and which database they are loaded into.

use std::path::{Path, PathBuf};

use super::secret::Secret;
use super::{Note, Reader};
use crate::sql::Engine;
use crate::sql::connect::{Login, Place, Target, Tls};

/// Section `[database]`, and what older configurations say elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Where files of SQL go and come from.
    pub export_dir: PathBuf,
    /// Which dialect they are in.
    pub engine: Engine,
    /// The table.
    pub table: String,
    /// A mapping of columns, if there is one.
    pub mapping_file: Option<PathBuf>,
    /// The file of SQLite.
    pub path: PathBuf,
    /// The servers, tried in turn.
    pub servers: Vec<Place>,
    port: Option<u16>,
    name: String,
    user: Option<String>,
    /// The password to log in with.
    pub password: Secret,
    tls: Tls,
}

impl Database {
    /// What to connect to; `credentials` is the folder of systemd's.
    pub fn target(&self, credentials: Option<&Path>) -> Result<Target, Note> {
        if self.engine == Engine::Sqlite {
            return Ok(Target::File(self.path.clone()));
        }
        if self.name.is_empty() {
            return Err(Note {
                place: "[database]".to_owned(),
                what: "`db_name` is not set".to_owned(),
                hint: Some("name the database in which the rows are to be".to_owned()),
            });
        }
        let login = Login {
            database: self.name.clone(),
            user: self.user.clone(),
            password: self.password.read(credentials)?,
            port: self.port,
            tls: self.tls,
        };
        Ok(Target::Servers(self.servers.clone(), login))
    }

    /// The database at `place`, for people.
    pub fn shown(&self, place: &str) -> String {
        match self.engine {
            Engine::Sqlite => place.to_owned(),
            _ => format!("{} at {place}", self.name),
        }
    }
}

/// A part of `db_host`: a path, `host`, `host:port` or `[2001:db8::1]:port`.
pub(super) fn place(text: &str) -> Result<Place, String> {
    if text.starts_with('/') {
        return Ok(Place::Socket(PathBuf::from(text)));
    }
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let split =
        text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let (host, port) = match split {
        Some((host, port)) => (bare(host), port.parse().ok().filter(|port| *port > 0).map(Some)),
        None => (bare(text), Some(None)),
    };
    let plausible = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:%".contains(&b));
    match port.filter(|_| plausible) {
        Some(port) => Ok(Place::Host(host, port)),
        None => {
            Err("hosts such as db1.example.org, 192.0.2.5:5432 or [2001:db8::5]:5432, or a path \
                     such as /run/postgresql, comma separated"
                .to_owned())
        }
    }
}

impl Reader {
    pub(super) fn database(&self, working_dir: &Path) -> Database {
        let text = |name| self.text("database", name);
        let places = self.texts("database", "db_host");
        let port = match self.number("database", "db_port") {
            0 => None,
            port => u16::try_from(port).ok(),
        };
        let export_dir = self.path("database", "sql_export_dir");
        Database {
            export_dir: working_dir.join(export_dir.unwrap_or_else(|| PathBuf::from("sql"))),
            engine: match text("db_type").as_str() {
                "postgresql" => Engine::Postgresql,
                "mysql" => Engine::Mysql,
                _ => Engine::Sqlite,
            },
            table: text("table_name"),
            mapping_file: self
                .path("sql_export_settings", "column_mapping_file")
                .map(|path| self.folder.join(path)),
            path: self.path("database", "db_path").unwrap_or_default(),
            servers: places.iter().filter_map(|text| place(text).ok()).collect(),
            port,
            name: text("db_name"),
            user: Some(text("db_user")).filter(|user| !user.is_empty()),
            password: self.secret("database", ("db_password", "db_password_file")),
            tls: match text("db_tls").as_str() {
                "disable" => Tls::Disable,
                "require" => Tls::Require,
                "verify-full" => Tls::VerifyFull,
                _ => Tls::Prefer,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_ports_and_sockets_have_paths() {
        let host = |name: &str, port| Ok(Place::Host(name.to_owned(), port));
        assert_eq!(place("db1.example.org"), host("db1.example.org", None));
        assert_eq!(place("192.0.2.5:5432"), host("192.0.2.5", Some(5432)));
        assert_eq!(place("[2001:db8::5]:5432"), host("2001:db8::5", Some(5432)));
        assert_eq!(place("2001:db8::5"), host("2001:db8::5", None));
        assert_eq!(place("/run/postgresql"), Ok(Place::Socket("/run/postgresql".into())));
        for wrong in ["db:0", "db:x", "a b", "postgresql://db", ":5432"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
